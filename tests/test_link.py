# amaranth: UnusedElaboratable=no

import dataclasses
import zlib
from contextlib import nullcontext
from itertools import cycle

import pytest
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from cobs import cobs
from hypothesis import given, settings, strategies as st

from gateware.link import Link
from gateware.scores import layout
from gateware.system import identity
from model import frame
from model.frame import Counter, Error, Frame, Identity, Opcode, Repeated, Run
from sim import bench

from . import strategies
from .standin import CONTROL, SCORE_BITS, LinkModel, StandIn
from .traffic import idle_bits, ports


class Bed(wiring.Component):
    """A link with a stand-in for an accelerator, in a simulation that is kept and reset."""

    def __init__(self, batch, **sizes):
        self.standin = standin = StandIn(**sizes)
        self.identity = dataclasses.replace(identity(standin, 12_000_000), batch=batch)
        self.width = self.identity.bits * standin.mapping.layers[0].simd
        self.link = Link(self.identity, words=standin.words, width=self.width, addr_width=5,
                         result=layout(standin.classes, SCORE_BITS))
        super().__init__({
            "i": In(stream.Signature(8)),
            "lost": In(1),
            "o": Out(stream.Signature(8)),
        })
        self.simulator = None

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self.link
        m.submodules.standin = standin = self.standin
        wiring.connect(m, wiring.flipped(self.i), link.i)
        wiring.connect(m, link.o, wiring.flipped(self.o))
        wiring.connect(m, link.bus, standin.bus)
        m.d.comb += standin.i.valid.eq(link.pixels.valid)
        m.d.comb += Value.cast(standin.i.payload).eq(link.pixels.payload)
        m.d.comb += link.pixels.ready.eq(standin.i.ready)
        wiring.connect(m, standin.o, link.scores)
        m.d.comb += link.lost.eq(self.lost)
        m.d.comb += link.loaded.eq(standin.loaded)
        return m

    async def feed(self, ctx):
        # A byte that is None stands for one that the line lost.
        stalls = cycle(self.i_stalls)
        for byte in self.line:
            if stall := next(stalls):
                await ctx.tick().repeat(stall)
            if byte is None:
                ctx.set(self.lost, 1)
                await ctx.tick()
                ctx.set(self.lost, 0)
                continue
            ctx.set(self.i.payload, byte)
            ctx.set(self.i.valid, 1)
            await ctx.tick().until(self.i.ready)
            ctx.set(self.i.valid, 0)
            self.quiet = 0

    async def drain(self, ctx):
        stalls, stall, held = cycle(self.o_stalls), 0, None
        while True:
            ctx.set(self.o.ready, stall == 0)
            _, _, valid, byte = await ctx.tick().sample(self.o.valid, self.o.payload)
            assert held is None or (valid, byte) == (1, held)
            held = byte if valid and stall else None
            self.quiet = 0 if valid else self.quiet + 1
            if valid and not stall:
                self.answers.append(byte)
                stall = next(stalls)
            elif stall:
                stall -= 1

    def __call__(self, line, count, i_stalls=(0,), o_stalls=(0,), vcd=None):
        """What comes back of a line, from reset, until there are so many answers."""
        self.line, self.i_stalls, self.o_stalls = line, i_stalls, o_stalls
        self.answers, self.quiet = bytearray(), 0
        if self.simulator is None:
            self.simulator = Simulator(self)
            self.simulator.add_clock(1e-6)
            self.simulator.add_testbench(self.feed)
            self.simulator.add_testbench(self.drain)
        else:
            self.simulator.reset()
        with self.simulator.write_vcd(str(vcd)) if vcd else nullcontext():
            # However much too much is said, at some point it is enough.
            while self.answers.count(0) < count and self.quiet < 5000 \
                    and len(self.answers) < 260 * count:
                self.simulator.advance()
        *answers, rest = bytes(self.answers).split(b"\0")
        assert rest == b""
        return [Frame.decode(answer) for answer in answers]


BEDS = {
    "narrow": Bed(3, words=5, simd=3, bits=4, classes=3),
    "wide": Bed(1, words=3, simd=15, bits=5, classes=17),
    "tiny": Bed(2, words=1, simd=8, bits=4, classes=2),     # four bytes
}
NARROW = BEDS["narrow"]
beds = pytest.mark.parametrize("bed", BEDS.values(), ids=BEDS)


# A line is a list of parts: what is between two delimiters, and whether a byte of it was lost.

def stuffed(raw, lost=False):
    return cobs.encode(raw), lost


def sealed(body):
    """A body with the right CRC, whatever else is wrong with it."""
    return stuffed(body + zlib.crc32(body).to_bytes(4, "little"))


def reaching_too_far(body):
    """A frame whose last distance leads beyond its end, though all its bytes are there."""
    line, at = bytearray(sealed(body)[0]), 0
    while at + line[at] < len(line):
        at += line[at]
    line[at] += 1
    return bytes(line), False


def part(opcode, sequence, payload=b""):
    return stuffed(Frame(opcode, sequence, payload).raw)


def dump(bed):
    """Commands that read all there is, with sequence numbers that no other command has."""
    depth = bed.identity.batch * bed.identity.classes
    places = [(0, 15), (15, 1), *((frame.RESULTS + at, min(59, depth - at))
                                  for at in range(0, depth, 59)), (frame.COUNTERS, len(Counter))]
    return [part(Opcode.READ, 240 + n, frame.read(*place)) for n, place in enumerate(places)]


def check(bed, parts, **stalls):
    """Hold the link to the model: every answer, and all of memory after the last."""
    parts = [*parts, *dump(bed)]
    model = LinkModel(bed.standin)
    model.identity = bed.identity
    model.scores = [0] * (bed.identity.batch * bed.identity.classes)
    line = [byte for data, lost in parts for byte in [None] * lost + [*data, 0]]
    expected = [answer for data, lost in parts if (answer := model(data, lost)) is not None]
    # The last must be answered, and in order: an answer too many would come before.
    assert bed(line, len(expected), **stalls) == expected
    return expected[:-len(dump(bed))]


LOADED = part(Opcode.WRITE, 239, frame.write(CONTROL, [1]))
words  = st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15)


@st.composite
def infers(draw, bed):
    """A part of some images, mostly the first, mostly of whole ones."""
    size, most = bed.identity.image_bytes, bed.identity.buffer_bytes
    offset = draw(st.sampled_from([0, 0, 0, size, 1, most - 1, most]))
    length = draw(st.one_of(st.just(size), st.integers(0, min(most, frame.MAX_BYTES)),
                            st.just(min(most - offset, frame.MAX_BYTES))))
    return frame.infer(offset, draw(st.binary(min_size=length, max_size=length)),
                       run=draw(st.booleans()), scores=draw(st.booleans()))


@st.composite
def commands(draw, bed):
    """A body of a frame: mostly sound commands, some that ask for too much."""
    opcode   = draw(st.sampled_from([*Opcode, Opcode.WRITE, *[Opcode.INFER] * 4, 0, 0x83]))
    sequence = draw(st.integers(0, 3))    # repeats are frequent
    depth    = bed.identity.batch * bed.identity.classes
    address  = draw(st.one_of(
        st.integers(0, 33), st.integers(0, depth + 1).map(lambda n: frame.RESULTS + n),
        st.integers(0, 4).map(lambda n: frame.COUNTERS + n),
        st.sampled_from([32 << 5, 1 << 15, 1 << 30, frame.RESULTS - 1, 0xFFFF_FFFF])))
    data     = draw(words)
    payload  = draw(st.sampled_from([True] * 9 + [False])) and {
        Opcode.IDENTIFY: b"", Opcode.WRITE: frame.write(address, data or [7]),
        Opcode.READ: frame.read(address, draw(st.integers(0, 61))),
        Opcode.INFER: draw(infers(bed)),
        Opcode.REPEAT: frame.repeat(draw(st.sampled_from([1, 2, 3, 5, 0, 1 << 16, 1 << 31]))),
        Opcode.ECHO: draw(st.binary(max_size=20)), Opcode.RESET: b"",
    }.get(opcode)
    if not isinstance(payload, bytes):
        payload = draw(st.binary(max_size=245))    # any length, and beyond the greatest
    return bytes([opcode, sequence, len(payload)]) + payload


@st.composite
def lines(draw, bed):
    """Parts of a line on which every kind of accident happens."""
    parts = [LOADED] if draw(st.integers(0, 5)) else []
    for _ in range(draw(st.integers(1, 6))):
        body = draw(commands(bed))
        data, lost = sealed(body)
        accident = draw(st.sampled_from(["none"] * 4 + ["again", "flip", "cut", "split", "lost",
                                                        "grown", "liar", "swallowed", "noise"]))
        at = draw(st.integers(0, len(data) - 1))
        if accident == "again":
            parts.append((data, lost))
        elif accident == "flip":
            flipped = data[at] ^ 1 << draw(st.integers(0, 7))
            data = data[:at] + (bytes([flipped]) if flipped else b"") + data[at + 1:]
        elif accident == "cut":
            data = data[:at]
        elif accident == "split":
            parts.append((data[:at], False))
            data = data[at:]
        elif accident == "lost":
            lost = True
        elif accident == "grown":
            data += draw(st.binary(min_size=1, max_size=80)).replace(b"\0", b"\1")
        elif accident == "liar":
            data, lost = sealed(body[:2] + draw(st.binary(min_size=1, max_size=1)) + body[3:])
        elif accident == "swallowed":
            data = data[:at] + data[at + 1:]
        elif accident == "noise":
            parts.append((draw(st.binary(max_size=9)).replace(b"\0", b"\1"), draw(st.booleans())))
        parts.append((data, lost))
    return parts


@beds
@settings(max_examples=10)
@given(data=st.data(), i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_link_matches_model_whatever_comes(bed, data, i_stalls, o_stalls):
    check(bed, data.draw(lines(bed)), i_stalls=i_stalls, o_stalls=o_stalls)


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


def image_of(bed, n=0):
    """An image as it is sent; the bits behind the last pixel are clear."""
    bits = bed.identity.inputs * bed.identity.bits
    return (0x9ABC_DEF1_2345_6789_0BAD_CAFE_1357_9BDF * (n + 1) % (1 << bits)).to_bytes(
        bed.identity.image_bytes, "little")


@beds
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("stall", [0, 1, 3])
def test_infer(bed, stall, scores):
    identity = bed.identity
    images = [image_of(bed, n) for n in range(identity.batch)]
    _, first, second, _, third = check(
        bed, [LOADED, part(Opcode.INFER, 1, frame.infer(0, images[0], run=True, scores=scores)),
              part(Opcode.INFER, 2, frame.infer(0, run=True, scores=scores)),    # the image stays
              part(Opcode.INFER, 3, frame.infer(0, images[0][:1], run=False)),
              part(Opcode.INFER, 4, frame.infer(1, b"".join(images)[1:], run=True, scores=scores)),
              ], o_stalls=[stall])
    run = Run.unpack(first.payload, identity, scores=scores)
    assert run == Run.unpack(second.payload, identity, scores=scores)
    batch = Run.unpack(third.payload, identity, scores=scores)
    assert len(batch.best) == identity.batch and batch.best[0] == run.best[0]
    assert batch.cycles == run.cycles * identity.batch


@beds
@pytest.mark.parametrize("rounds", [1, 2, 7])
def test_repeat(bed, rounds):
    images = b"".join(image_of(bed, n) for n in range(bed.identity.batch))
    _, _, answer = check(bed, [LOADED, part(Opcode.INFER, 1, frame.infer(0, images, run=False)),
                               part(Opcode.REPEAT, 2, frame.repeat(rounds))])
    assert Repeated.unpack(answer.payload).cycles == rounds * bed.identity.batch * (
        bed.standin.words + bed.identity.classes)


def test_an_image_out_of_order_is_forgotten():
    image = image_of(NARROW)
    answers = check(NARROW, [
        LOADED, part(Opcode.INFER, 1, frame.infer(0, image[:3], run=False)),
        part(Opcode.INFER, 2, frame.infer(4, image[4:], run=True)),
        part(Opcode.INFER, 3, frame.infer(3, image[3:], run=True)),
        part(Opcode.INFER, 4, frame.infer(0, image[:3], run=True)),
        part(Opcode.INFER, 5, frame.infer(0, run=True)),
        part(Opcode.INFER, 6, frame.infer(0, image, run=True))])
    assert [answer.payload for answer in answers[2:6]] == [bytes([Error.IMAGE])] * 4
    assert answers[6].opcode == 0x84


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


@pytest.mark.parametrize("payload", [(Opcode.INFER, frame.infer(0, b"123", run=True)),
                                     (Opcode.REPEAT, frame.repeat(1))])
def test_nothing_is_done_before_weights_are_there(payload):
    answer, = check(NARROW, [part(payload[0], 1, payload[1])])
    assert answer == Frame(0xFF, 1, bytes([Error.WEIGHTS]))


WRITE  = bytes([Opcode.WRITE, 9, 12]) + frame.write(3, [5, 6])


@pytest.mark.parametrize("accident, error", [
    (stuffed(WRITE + b"crc!"), Error.DAMAGED),
    ((sealed(WRITE)[0], True), Error.DAMAGED),
    ((sealed(WRITE)[0][:-1], False), Error.DAMAGED),
    ((sealed(WRITE)[0] + b"\x01", False), Error.DAMAGED),
    (sealed(WRITE[:2] + bytes([11]) + WRITE[3:]), Error.LENGTH),
    (sealed(WRITE[:2] + bytes([13]) + WRITE[3:]), Error.LENGTH),
    (sealed(WRITE[:2] + bytes([10]) + WRITE[3:-2]), Error.LENGTH),
    (sealed(WRITE[:2] + bytes([8]) + WRITE[3:]), Error.LENGTH),         # would do for one word
    (sealed(WRITE[:2] + bytes([12]) + WRITE[3:-4]), Error.LENGTH),      # wants two
    (reaching_too_far(WRITE), Error.DAMAGED),
    (sealed(WRITE[:2] + bytes([244]) + frame.write(0, range(60))), Error.LENGTH),
    (sealed(WRITE[:2] + bytes([4]) + WRITE[3:7]), Error.LENGTH),
    (sealed(bytes([8]) + WRITE[1:]), Error.OPCODE),
    (sealed(bytes([Opcode.WRITE | frame.ANSWER]) + WRITE[1:]), Error.OPCODE),
    (sealed(WRITE[:2] + bytes([12]) + frame.write(31, [5, 6])), Error.ADDRESS),
    (sealed(WRITE[:2] + bytes([12]) + frame.write(1 << 30, [5, 6])), Error.ADDRESS),
    (sealed(WRITE[:2] + bytes([12]) + frame.write(frame.RESULTS, [5, 6])), Error.ADDRESS),
    (sealed(WRITE[:2] + bytes([12]) + frame.write(frame.COUNTERS, [5, 6])), Error.ADDRESS),
    (sealed(bytes([Opcode.READ, 9, 5]) + frame.read(3, 0)), Error.LENGTH),
    (sealed(bytes([Opcode.READ, 9, 5]) + frame.read(3, 60)), Error.LENGTH),
    (sealed(bytes([Opcode.READ, 9, 5]) + frame.read(16, 1)), Error.ADDRESS),    # never answered
    (sealed(bytes([Opcode.READ, 9, 5]) + frame.read(frame.RESULTS + 8, 2)), Error.ADDRESS),
    (sealed(bytes([Opcode.READ, 9, 5]) + frame.read(frame.COUNTERS + 1, 3)), Error.ADDRESS),
    (sealed(bytes([Opcode.RESET, 9, 1, 0])), Error.LENGTH),
    (sealed(bytes([Opcode.IDENTIFY, 9, 1, 0])), Error.LENGTH),
    (sealed(bytes([Opcode.INFER, 9, 3, 0, 0, 0])), Error.LENGTH),
    (sealed(bytes([Opcode.REPEAT, 9, 5, 1, 0, 0, 0, 0])), Error.LENGTH),
    (sealed(bytes([Opcode.REPEAT, 9, 4, 0, 0, 0, 0])), Error.LENGTH),
    (sealed(bytes([Opcode.REPEAT, 9, 4, 0, 0, 1, 0])), Error.LENGTH),
    (sealed(bytes([Opcode.INFER, 9, 4, 0, 0, 0, 4])), Error.ADDRESS),
    (sealed(bytes([Opcode.INFER, 9, 5, 21, 0, 0, 0, 1])), Error.ADDRESS),
])
def test_an_accident_is_answered_and_the_next_frame_is_obeyed(accident, error):
    before = part(Opcode.WRITE, 8, frame.write(3, [1, 2]))
    after = part(Opcode.READ, 10, frame.read(3, 2))
    _, _, refusal, same = check(NARROW, [LOADED, before, accident, after])
    assert refusal == Frame(0xFF, 9, bytes([error]))
    assert frame.unpack_words(same.payload) == [1, 2]


@pytest.mark.parametrize("number", [1 << bit for bit in range(8)])
def test_a_repeated_command_is_carried_out_once(number):
    _, first, again, _, other = check(NARROW, [
        part(Opcode.WRITE, 0, frame.write(3, [1])), part(Opcode.WRITE, number, frame.write(3, [2])),
        part(Opcode.WRITE, number, frame.write(3, [3])), part(Opcode.READ, 0, frame.read(3, 1)),
        part(Opcode.WRITE, number, frame.write(3, [4]))])
    assert (first.opcode, again, other.opcode) == (
        0x82, Frame(0xFF, number, bytes([Error.REPEATED])), 0x82)


def test_noise_is_dropped():
    noise = [(b"", False), (b"\x01", False), (b"\xff\x02\x03", False), (b"\x01" * 6, True)]
    assert [answer.opcode for answer in check(NARROW, [*noise, part(Opcode.IDENTIFY, 1)])] == [0x81]


def test_two_frames_may_be_under_way():
    reads = [part(Opcode.READ, n, frame.read(0, 14)) for n in range(4)]
    assert len(check(NARROW, reads, o_stalls=[7])) == 4    # the others wait in the stream


@pytest.mark.parametrize("cycles, opcode", [(1, 0x83), (2, 0x83), (256, 0x83), (257, 0xFF)])
def test_a_read_may_take_256_cycles(cycles, opcode):
    dut = Link(NARROW.identity, words=5, width=12, addr_width=5, result=layout(3, SCORE_BITS))
    answer = []

    async def host(ctx):
        await bench.feed(ctx, dut.i, Frame(Opcode.READ, 1, frame.read(9, 1)).encode())
        while not answer or answer[-1]:
            answer.extend(await bench.drain(ctx, dut.o, 1))

    async def memory(ctx):
        while not ctx.get(dut.bus.r_en):
            await ctx.tick()
        assert ctx.get(dut.bus.addr) == 9
        await ctx.tick().repeat(cycles)
        ctx.set(dut.bus.r_data, 0x1234_5678)
        ctx.set(dut.bus.r_valid, 1)
        await ctx.tick()
        ctx.set(dut.bus.r_valid, 0)
        ctx.set(dut.bus.r_data, 0)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(host)
    sim.add_testbench(memory)
    sim.run()
    found = Frame.decode(bytes(answer[:-1]))
    assert found.opcode == opcode
    assert found.payload == (b"\x78\x56\x34\x12" if opcode == 0x83 else bytes([Error.ADDRESS]))


def test_members_are_as_wide_as_they_have_to_be():
    link = NARROW.link
    assert link.identity is NARROW.identity
    bus = {"bus_addr": 5, "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1, "bus_r_data": 32,
           "bus_r_valid": 1}
    assert ports(link) == {
        "i_payload": 8, "i_valid": 1, "i_ready": 1, "lost": 1, "o_payload": 8, "o_valid": 1,
        "o_ready": 1, **bus, "pixels_payload": 12, "pixels_valid": 1, "pixels_ready": 1,
        "scores_payload": SCORE_BITS + 2 + 1, "scores_valid": 1, "scores_ready": 1, "loaded": 1,
        "reset": 1, "best": 2, "any_best": 1}


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
        part(Opcode.INFER, 7, frame.infer(0, ones, run=True, scores=True))], vcd=tmp_path / "vcd")
    own = {"word", "addr", "limit", "beyond", "stored", "images", "shown", "w_en", "r_en", "run",
           "step", "last", "any_last", "patience"}
    assert not own & set(idle_bits(tmp_path / "vcd", "link"))


def identity_with(**sizes):
    return dataclasses.replace(NARROW.identity, **sizes)


def test_sizes_that_just_fit():
    told = identity_with(inputs=0xFF_FFFF, bits=8, batch=1)
    link = Link(told, words=0xFF_FFFF, width=8, addr_width=31, result=layout(3, SCORE_BITS))
    assert ports(link)["bus_addr"] == 31


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"^Images must be less than 16,777,216 bytes in all, not"):
        Link(identity_with(inputs=1 << 24, bits=8, batch=1), words=1 << 24, width=8, addr_width=5,
             result=layout(3, SCORE_BITS))
    with pytest.raises(ValueError, match=r"^Addresses must be at most 31 bits, not 32$"):
        Link(NARROW.identity, words=5, width=12, addr_width=32, result=layout(3, SCORE_BITS))
