# amaranth: UnusedElaboratable=no

import dataclasses

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings, strategies as st

from gateware.link import Link
from gateware.scores import layout
from model import frame
from model.frame import Error, Frame, Identity, Opcode, Repeated, Run
from sim import bench

from . import strategies
from .link_accidents import ACCIDENTS
from .link_bed import (
    BEDS,
    COUNTS,
    LOADED,
    NARROW,
    Bed,
    dump,
    image_of,
    lines,
    model_of,
    part,
    results,
    sealed,
)
from .standin import SCORE_BITS
from .traffic import idle_bits, ports, registers, widths


beds = pytest.mark.parametrize("bed", BEDS.values(), ids=BEDS)


def batched(answers, count):
    """So many at a time."""
    return zip(*[iter(answers)] * count, strict=True)


def check(bed, parts, last=None, **stalls):
    """Hold the link to the model: every answer, and after it all of memory, scores and counters."""
    last = last or [*results(bed), *COUNTS]
    model, parts = model_of(bed), [*parts, *last]
    expected = [answer for data, lost in parts if (answer := model(data, lost)) is not None]
    line = [byte for data, lost in parts for byte in [None] * lost + [*data, 0]]
    # The last must be answered, and in order: an answer too many would come before.
    assert bed(line, expected, **stalls) == expected
    assert bed.memory == model.memory
    return expected[:len(expected) - len(last)]


def test_some_of_everything():
    """In one line what the other tests look at more closely: most mistakes show here."""
    bed, image = NARROW, image_of(NARROW)
    rest = image_of(bed, 1) + image_of(bed, 2)
    answers = check(bed, [
        part(Opcode.REPEAT, 1, frame.repeat(1)), LOADED, part(Opcode.IDENTIFY, 1),
        part(Opcode.WRITE, 2, frame.write(3, [1 << 31 | 5, 6, 7])),
        part(Opcode.READ, 3, frame.read(4, 2)), part(Opcode.ECHO, 4, b"\0echo"),
        part(Opcode.INFER, 5, frame.infer(0, image[:3], run=False)),
        part(Opcode.INFER, 6, frame.infer(3, image[3:], run=True, scores=True)),
        part(Opcode.INFER, 7, frame.infer(0, image, run=False)),
        part(Opcode.INFER, 8, frame.infer(len(image), rest, run=True)),
        part(Opcode.REPEAT, 9, frame.repeat(3)),
        part(Opcode.READ, 10, frame.read(frame.RESULTS, bed.identity.batch * 3)),
        part(Opcode.READ, 10, frame.read(3, 1)), *(each for bad in ACCIDENTS.values() for each in (
            bad[0], bad[-1])), part(Opcode.INFER, 11, frame.infer(0, run=True)), *COUNTS,
        part(Opcode.RESET, 12), part(Opcode.INFER, 12, frame.infer(0, image, run=True))])
    assert [answer.opcode for answer in answers] == [
        0xFF, 0x82, 0x81, 0x82, 0x83, 0x86, 0x84, 0x84, 0x84, 0x84, 0x85, 0x83, 0xFF,
        *[0xFF] * 10, 0xFF, 0x83, 0x87, 0x84]


@beds
def test_identify(bed):
    answer, _, loaded = check(bed, [part(Opcode.IDENTIFY, 5), LOADED, part(Opcode.IDENTIFY, 5)])
    assert answer == Frame(0x81, 5, bed.identity.pack())
    assert Identity.unpack(loaded.payload).loaded


def test_the_longest_frame():
    echo = bytes(range(240))
    words = [0x0102_0304 * n & 0xFFFF_FFFF for n in range(1, 60)]
    answers = check(NARROW, [part(Opcode.ECHO, 1, echo), part(Opcode.ECHO, 2),
                             part(Opcode.WRITE, 3, frame.write(0, words[:32])),
                             part(Opcode.READ, 4, frame.read(0, 14))])
    assert [answer.payload for answer in answers[:2]] == [echo, b""]
    assert frame.unpack_words(answers[3].payload) == words[:14]


@beds
@pytest.mark.parametrize("stall", [0, 1, 3])
def test_infer(bed, stall):
    identity = bed.identity
    images = [image_of(bed, n) for n in range(identity.batch)]
    _, *answers = check(bed, [LOADED, *(command for scores in (False, True) for command in (
        part(Opcode.INFER, 1, frame.infer(0, images[0], run=True, scores=scores)),
        part(Opcode.INFER, 2, frame.infer(0, run=True, scores=scores)),    # the image stays
        part(Opcode.INFER, 3, frame.infer(0, images[0][:1], run=False)),
        part(Opcode.INFER, 4, frame.infer(1, b"".join(images)[1:], run=True, scores=scores)),
    ))], o_stalls=[stall])
    for scores, (first, second, _, third) in enumerate(batched(answers, 4)):
        run = Run.unpack(first.payload, identity, scores=bool(scores))
        assert run == Run.unpack(second.payload, identity, scores=bool(scores))
        batch = Run.unpack(third.payload, identity, scores=bool(scores))
        assert len(batch.best) == identity.batch and batch.best[0] == run.best[0]
        assert batch.cycles == run.cycles * identity.batch


@beds
def test_repeat(bed):
    images = b"".join(image_of(bed, n) for n in range(bed.identity.batch))
    _, _, *answers = check(bed, [
        LOADED, part(Opcode.INFER, 9, frame.infer(0, images, run=False)),
        *(part(Opcode.REPEAT, rounds, frame.repeat(rounds)) for rounds in (1, 2, 7))])
    for answer in answers:
        assert Repeated.unpack(answer.payload).cycles == answer.sequence * bed.identity.batch * (
            bed.standin.words + bed.identity.classes)


def test_an_image_out_of_order_is_forgotten():
    image = image_of(NARROW)
    answers = check(NARROW, [
        LOADED, part(Opcode.INFER, 1, frame.infer(0, image[:3], run=False)),
        part(Opcode.INFER, 2, frame.infer(4, image[4:], run=True)),
        part(Opcode.INFER, 3, frame.infer(3, image[3:], run=True)),
        part(Opcode.INFER, 4, frame.infer(0, image[:3], run=True)),
        part(Opcode.INFER, 5, frame.infer(3, image[3:], run=True)),
        part(Opcode.INFER, 6, frame.infer(0, run=True)),
        part(Opcode.INFER, 7, frame.infer(0, image, run=True))])
    assert [answer.payload for answer in answers[2:7]] == [bytes([Error.IMAGE])] * 5
    assert answers[7].opcode == 0x84


def test_no_more_images_than_there_is_room_for():
    size, most = NARROW.identity.image_bytes, NARROW.identity.buffer_bytes
    answers = check(NARROW, [
        LOADED, part(Opcode.INFER, 1, frame.infer(0, image_of(NARROW), run=False)),
        part(Opcode.INFER, 2, frame.infer(size, bytes(most - size + 1), run=True)),
        part(Opcode.INFER, 3, frame.infer(size, image_of(NARROW, 1), run=True))])
    assert answers[2].payload == bytes([Error.ADDRESS])
    assert len(Run.unpack(answers[3].payload, NARROW.identity, scores=False).best) == 2


def test_as_many_results_as_an_answer_has_room_for():
    for classes, most in ((78, 1), (79, 0)):
        bed = Bed(2, words=1, simd=4, bits=4, classes=classes)
        assert (bed.identity.most_images(scores=True), bed.identity.score_bytes) == (most, 3)
        _, first, refused, answer = check(bed, [
            LOADED, part(Opcode.INFER, 1, frame.infer(0, image_of(bed), run=True, scores=True)),
            part(Opcode.INFER, 2, frame.infer(2, image_of(bed), run=True, scores=True)),
            part(Opcode.INFER, 3, frame.infer(0, run=True))])
        assert (first.opcode == 0x84) == bool(most)
        assert refused.payload == bytes([Error.LENGTH]) and answer.opcode == 0x84


def test_reset_forgets_all_but_memories():
    image = image_of(NARROW)
    _, _, _, none, counted, again = check(NARROW, [
        LOADED, part(Opcode.INFER, 1, frame.infer(0, image, run=True)), part(Opcode.RESET, 9),
        part(Opcode.INFER, 9, frame.infer(0, run=True)),
        part(Opcode.READ, 2, frame.read(frame.COUNTERS, 3)),
        part(Opcode.INFER, 3, frame.infer(0, image, run=True))])
    assert none.payload == bytes([Error.IMAGE])
    assert frame.unpack_words(counted.payload) == [0, 0, 1]
    assert again.opcode == 0x84


def test_the_last_class_is_shown_until_reset():
    images = [image_of(NARROW, n) for n in range(3)]
    answers = check(NARROW, [
        part(Opcode.INFER, 1, frame.infer(0, images[0], run=True)), LOADED,
        part(Opcode.INFER, 2, frame.infer(0, images[0], run=True)),
        part(Opcode.REPEAT, 3, frame.repeat(2)), part(Opcode.RESET, 4),
        part(Opcode.INFER, 5, frame.infer(0, images[1] + images[2], run=True))])
    best = [*Run.unpack(answers[2].payload, NARROW.identity, scores=False).best,
            *Run.unpack(answers[5].payload, NARROW.identity, scores=False).best]
    assert best[0] != best[1] != best[2]
    assert NARROW.shown == [None, best[0], None, *best[1:]] and NARROW.resets == 1


def test_the_bus_is_read_for_its_own_addresses_alone():
    # Elsewhere a read would take the port of the datapath.
    check(NARROW, [part(Opcode.READ, 1, frame.read(3, 2)), LOADED,
                   part(Opcode.READ, 2, frame.read(frame.RESULTS + 1, 2)),
                   part(Opcode.READ, 3, frame.read(frame.COUNTERS, 1)),
                   part(Opcode.INFER, 4, frame.infer(0, image_of(NARROW), run=True))])
    assert NARROW.reads == [3, 4]


def test_an_image_as_long_as_a_frame():
    bed = Bed(1, words=59, simd=8, bits=4, classes=2)
    _, answer = check(bed, [LOADED, part(Opcode.INFER, 1, frame.infer(0, image_of(bed), run=True))])
    assert bed.identity.image_bytes == frame.MAX_BYTES and answer.opcode == 0x84


def test_more_classes_than_a_byte_counts():
    bed = Bed(1, words=4, simd=8, bits=4, classes=513)
    parts = [LOADED, part(Opcode.INFER, 1, frame.infer(0, b"\xff" * 15 + b"\x0f", run=True)),
             part(Opcode.READ, 2, frame.read(frame.RESULTS + 511, 2)),
             part(Opcode.READ, 3, frame.read(frame.RESULTS, frame.MAX_WORDS))]
    _, answer, scores, _ = check(bed, parts)
    assert Run.unpack(answer.payload, bed.identity, scores=False).best == (31 * 15,)
    assert frame.unpack_words(scores.payload) == [512 * (31 * 15 - 20), 513 * (31 * 15 - 20)]


def test_addresses_are_as_wide_as_scores_need(tmp_path):
    bed = Bed(16, words=1, simd=2, bits=4, classes=4)
    # Beyond the bus's addresses, which are fewer, it is not asked.
    _, *answers = check(bed, [LOADED, *(part(Opcode.READ, n, frame.read(32 + n, 1))
                                        for n in (0, 8))], vcd=tmp_path / "vcd")
    assert [answer.payload for answer in answers] == [bytes([Error.ADDRESS])] * 2
    assert widths(tmp_path / "vcd", "bed.link.access")["addr"] == {6 + 1}


@pytest.mark.parametrize("rounds", [1 << 15, frame.MAX_ROUNDS])
def test_many_rounds_are_begun(rounds):
    # They take longer than anyone wants to wait here; a refusal would come at once.
    line = [byte for data, _ in (LOADED, part(Opcode.INFER, 1, frame.infer(
        0, image_of(NARROW), run=False)), part(Opcode.REPEAT, 2, frame.repeat(rounds)))
        for byte in [*data, 0]]
    begun = [Frame(0x82, 239), Frame(0x84, 1)]
    assert NARROW(line, [*begun, Frame(0xFF, 2, bytes([Error.LENGTH]))]) == begun


def test_a_small_link_has_all_counters():
    told = dataclasses.replace(NARROW.identity, classes=1, batch=1)
    dut = Link(told, words=5, width=12, addr_width=1, result=layout(1, SCORE_BITS))
    answer = []

    async def host(ctx):
        await bench.feed(ctx, dut.i, sealed(b"?x\0")[0] + b"\0" + Frame(
            Opcode.READ, 1, frame.read(frame.COUNTERS, 3)).encode())
        while answer.count(0) < 2:
            answer.extend(await bench.drain(ctx, dut.o, 1))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(host)
    sim.run()
    found = Frame.decode(bytes(answer).split(b"\0")[1])
    assert frame.unpack_words(found.payload) == [0, 0, 1]


@pytest.mark.parametrize("payload", [(Opcode.INFER, frame.infer(0, b"123", run=True)),
                                     (Opcode.REPEAT, frame.repeat(1))])
def test_nothing_is_done_before_weights_are_there(payload):
    answer, = check(NARROW, [part(payload[0], 1, payload[1])])
    assert answer == Frame(0xFF, 1, bytes([Error.WEIGHTS]))


@pytest.mark.parametrize("error", ACCIDENTS, ids=lambda error: error.name)
def test_an_accident_is_answered_and_the_next_frame_is_obeyed(error):
    _, _, *answers = check(NARROW, [
        LOADED, part(Opcode.WRITE, 8, frame.write(3, [1, 2])),
        *(each for n, accident in enumerate(ACCIDENTS[error], 10)
          for each in (accident, part(Opcode.READ, n, frame.read(3, 2))))])
    for refusal, same in batched(answers, 2):
        assert refusal == Frame(0xFF, 9, bytes([error]))
        assert frame.unpack_words(same.payload) == [1, 2]


def test_a_repeated_command_is_carried_out_once():
    numbers = [1 << bit for bit in range(8)]
    answers = check(NARROW, [command for number in numbers for command in (
        part(Opcode.WRITE, 0, frame.write(3, [1])), part(Opcode.WRITE, number, frame.write(3, [2])),
        part(Opcode.WRITE, number, frame.write(3, [3])), part(Opcode.READ, 0, frame.read(3, 1)),
        part(Opcode.WRITE, number, frame.write(3, [4])))])
    for number, (_, first, again, _, other) in zip(numbers, batched(answers, 5), strict=True):
        assert (first.opcode, again, other.opcode) == (
            0x82, Frame(0xFF, number, bytes([Error.REPEATED])), 0x82)


def test_noise_is_dropped():
    noise = [(b"", False), (b"\x01", False), (b"\xff\x02\x03", False), (b"\x01" * 6, True)]
    assert [answer.opcode for answer in check(NARROW, [*noise, part(Opcode.IDENTIFY, 1)])] == [0x81]


def test_two_frames_may_be_under_way():
    reads = [part(Opcode.READ, n, frame.read(0, 14)) for n in range(4)]
    assert len(check(NARROW, reads, o_stalls=[7])) == 4    # the others wait in the stream


def test_a_read_may_take_256_cycles():
    dut = Link(NARROW.identity, words=5, width=12, addr_width=5, result=layout(3, SCORE_BITS))
    cases = {1: 0x83, 2: 0x83, 256: 0x83, 257: 0xFF}
    answers = []

    async def host(ctx):
        for n in range(len(cases)):
            await bench.feed(ctx, dut.i, Frame(Opcode.READ, n, frame.read(9 + n, 1)).encode())
            answer = b""
            while not answer.endswith(b"\0"):
                answer += bytes(await bench.drain(ctx, dut.o, 1))
            answers.append(Frame.decode(answer[:-1]))

    async def memory(ctx):
        for n, cycles in enumerate(cases):
            while not ctx.get(dut.bus.r_en):
                await ctx.tick()
            assert ctx.get(dut.bus.addr) == 9 + n
            await ctx.tick().repeat(cycles)
            ctx.set(dut.bus.r_data, 0x1234_5678)
            ctx.set(dut.bus.r_valid, 1)
            await ctx.tick()
            ctx.set(dut.bus.r_valid, 0)
            ctx.set(dut.bus.r_data, 0)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(memory, background=True)
    sim.add_testbench(host)
    sim.run()
    assert [answer.opcode for answer in answers] == [*cases.values()]
    for answer in answers:
        assert answer.payload == (
            b"\x78\x56\x34\x12" if answer.opcode == 0x83 else bytes([Error.ADDRESS]))


def test_members_are_as_wide_as_they_have_to_be():
    link = NARROW.link
    assert link.identity is NARROW.identity
    bus = {"bus_addr": 5, "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1, "bus_r_data": 32,
           "bus_r_valid": 1}
    assert ports(link) == {
        "i_payload": 8, "i_valid": 1, "i_ready": 1, "lost": 1, "o_payload": 8, "o_valid": 1,
        "o_ready": 1, **bus, "pixels_payload": 12, "pixels_valid": 1, "pixels_ready": 1, "last": 1,
        "scores_payload": SCORE_BITS + 2 + 1, "scores_valid": 1, "scores_ready": 1, "loaded": 1,
        "reset": 1, "best": 2, "any_best": 1}


def test_registers_are_as_wide_as_they_have_to_be_and_start_from_zero():
    """As iCE40's flip-flops do: another start costs look-up tables."""
    found = registers(NARROW.link)
    assert all(start == 0 for _, start in found.values())
    assert {name: bits for name, (bits, _) in found.items() if bits > 1} == {
        "fsm_state": 5, "head": 32, "first": 32, "left": 8, "count": 8, "size": 8, "step": 2,
        "error": 3, "last": 8}


def test_nothing_is_wider_than_it_has_to_be(tmp_path):
    bed = Bed(3, words=5, simd=3, bits=4, classes=3)
    ones = b"\xff" * bed.identity.buffer_bytes
    check(bed, [
        LOADED, part(Opcode.WRITE, 255, frame.write(0, [0xFFFF_FFFF, 0] * 7)),
        part(Opcode.WRITE, 1, frame.write(0x5555_5555, [0])),
        part(Opcode.WRITE, 2, frame.write(0xAAAA_AAAA, [0])),
        part(Opcode.READ, 3, frame.read(31, 1)), part(Opcode.READ, 4, frame.read(0, 14)),
        part(Opcode.READ, 5, frame.read(frame.RESULTS + 0x3FFF_FFFF, 1)),
        part(Opcode.ECHO, 6, bytes(240)),
        part(Opcode.INFER, 7, frame.infer(0, ones, run=True, scores=True)),
        part(Opcode.REPEAT, 8, frame.repeat(1))], vcd=tmp_path / "vcd")
    bits = widths(tmp_path / "vcd", "bed.link")
    assert bits["size"] == bits["left"] == {8}
    idle = {(scope, name): bits for scope, own in (
        ("bed.link", {"head", "step", "last", "any_last", "found"}),
        ("bed.link.access", {"word", "beyond", "place", "step", "patience"}),
        ("bed.link.told", {"addr", "images", "left", "step"}))
        for name, bits in idle_bits(tmp_path / "vcd", scope).items() if name in own}
    assert not idle


def identity_with(**sizes):
    return dataclasses.replace(NARROW.identity, **sizes)


def test_sizes_that_just_fit():
    told = identity_with(inputs=0xFF_FFFF, bits=8, batch=1)
    link = Link(told, words=0xFF_FFFF, width=8, addr_width=30, result=layout(3, SCORE_BITS))
    assert ports(link)["bus_addr"] == 30


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"^Images must be less than 16,777,216 bytes in all, not"):
        Link(identity_with(inputs=1 << 24, bits=8, batch=1), words=1 << 24, width=8, addr_width=5,
             result=layout(3, SCORE_BITS))
    for bits in (0, 31):
        with pytest.raises(ValueError, match=f"^Addresses must be 1 to 30 bits, not {bits}$"):
            Link(NARROW.identity, words=5, width=12, addr_width=bits, result=layout(3, SCORE_BITS))


# The longest is last, as most mistakes are noticed before.

@beds
@settings(max_examples=10)
@given(data=st.data(), i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_link_matches_model_whatever_comes(bed, data, i_stalls, o_stalls):
    check(bed, data.draw(lines(bed)), dump(bed), i_stalls=i_stalls, o_stalls=o_stalls)
