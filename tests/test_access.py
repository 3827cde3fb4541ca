# amaranth: UnusedElaboratable=no

import pytest
from hypothesis import given, settings, strategies as st

from gateware.access import Access
from model.frame import pack_words, unpack_words
from sim.bench import drain, feed

from . import strategies
from .traffic import idle_bits, ports, simulate, widths


SPACE = 24      # words that answer, of 32; the lower 16 can be written
LIMIT = 4_000   # cycles


class Bed:
    """An access, and a memory at each of two places that answers after some cycles."""

    def __init__(self, delay=1):
        self.dut = Access(addr_width=5, writable=4)
        self.delay = delay
        self.memory = {(place, at): 0x0101_0101 * at ^ 0x5A5A_0000 * place
                       for place in (0, 2) for at in range(SPACE)}
        self.writes, self.reads = [], []

    async def serve(self, ctx):
        dut, due = self.dut, None
        while True:
            answer = None
            if due is not None:
                due -= 1
                if due == 0:
                    # The address is still there.
                    answer, due = self.memory.get((ctx.get(dut.place), ctx.get(dut.bus.addr))), None
            ctx.set(dut.bus.r_valid, answer is not None)
            ctx.set(dut.bus.r_data, answer if answer is not None else 0xDEAD_BEEF)
            _, _, w_en, r_en, place, at, data = await ctx.tick().sample(
                dut.bus.w_en, dut.bus.r_en, dut.place, dut.bus.addr, dut.bus.w_data)
            if w_en:
                self.memory[place, at] = data
                self.writes.append((place, at))
            if r_en:
                assert due is None
                self.reads.append((place, at))
                due = self.delay

    async def begin(self, ctx, first, count, *, write):
        dut = self.dut
        ctx.set(dut.first, first)
        ctx.set(dut.count, count)
        ctx.set(dut.write, write)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.first, ~first & 0xFFFF_FFFF)   # taken with `start`
        ctx.set(dut.count, ~count & 0xFF)

    async def end(self, ctx):
        """Cycles until it is over, and whether it was done."""
        dut = self.dut
        for cycle in range(1, LIMIT):
            _, _, done, refused = await ctx.tick().sample(dut.done, dut.refused)
            assert not (done and refused)
            if done or refused:
                return cycle, bool(done)
        raise AssertionError("never over")

    def run(self, *actions, i_stalls=(0,), o_stalls=(0,), vcd=None):
        """What came of each (first, count, words to write or None): cycles, done, words told."""
        found, told = [], []
        written = [byte for *_, words in actions for byte in pack_words(words or [])]

        async def host(ctx):
            await feed(ctx, self.dut.i, written, i_stalls)

        async def listener(ctx):
            while True:
                told.extend(await drain(ctx, self.dut.o, 1, o_stalls))

        async def testbench(ctx):
            for first, count, words in actions:
                await self.begin(ctx, first, count, write=words is not None)
                cycles, done = await self.end(ctx)
                await ctx.tick().repeat(20)    # nothing follows
                found.append((cycles, done, unpack_words(bytes(told)) if done else None))
                told.clear()

        simulate(self.dut, testbench, self.serve, host, listener, vcd=vcd)
        return found


@settings(max_examples=15)
@given(data=st.data(), delay=st.integers(1, 5), i_stalls=strategies.stalls,
       o_stalls=strategies.stalls)
def test_words_are_written_and_read(data, delay, i_stalls, o_stalls):
    bed = Bed(delay)
    first = data.draw(st.integers(0, 15))
    words = data.draw(st.lists(st.integers(0, 0xFFFF_FFFF), min_size=1, max_size=16 - first))
    before = dict(bed.memory)
    written, told, other = bed.run(
        (first, len(words), words), (0, SPACE, None), (0x8000_0000 + 3, SPACE - 3, None),
        i_stalls=i_stalls, o_stalls=o_stalls)
    expected = {**before, **{(0, first + n): word for n, word in enumerate(words)}}
    assert bed.memory == expected and written[1:] == (True, [])
    assert told[1:] == (True, [expected[0, at] for at in range(SPACE)])
    assert other[1:] == (True, [expected[2, at] for at in range(3, SPACE)])
    assert bed.writes == [(0, first + n) for n in range(len(words))]
    assert bed.reads == [(0, at) for at in range(SPACE)] + [(2, at) for at in range(3, SPACE)]


def test_words_take_so_many_cycles():
    (wrote, _, _), (read, _, _), (one, _, _) = Bed().run(
        (0, 16, [1] * 16), (0, 16, None), (0, 1, None))
    # Checked in one cycle; gathered in four and stored in one; over in one.
    assert wrote == 1 + 16 * 5 + 1
    # Asked for, answered in one more, told in four, counted; over in one.
    assert (read, one) == (16 * 7 + 1, 7 + 1)


@pytest.mark.parametrize("first, count", [
    (0, 17), (15, 2), (16, 1), (31, 1), (1 << 5, 1), (1 << 29, 1), (1 << 30, 1), (2 << 30, 1),
    (3 << 30, 1), (1, 255), (15, 255)])
def test_no_word_is_written_if_one_lies_beyond(first, count):
    bed = Bed()
    before = dict(bed.memory)
    # None of its bytes is taken, either: the command after it gets them.
    (cycles, done, _), (_, after, _) = bed.run((first, count, []), (2, 2, [7, 8]))
    assert (cycles, done, after) == (1, False, True)
    assert bed.memory == {**before, (0, 2): 7, (0, 3): 8}


@pytest.mark.parametrize("first, count, reads", [
    (SPACE, 1, 1), (SPACE - 2, 3, 3), (31, 2, 1), (1 << 5, 1, 0), (1 << 29, 1, 0), (1 << 30, 1, 1)])
def test_a_read_of_nothing_is_given_up(first, count, reads):
    bed = Bed()
    (cycles, done, _), (_, after, told) = bed.run((first, count, None), (3, 1, None))
    assert not done and after and told == [bed.memory[0, 3]]
    words = max(0, reads - 1)
    assert cycles == 7 * words + 1 + 256
    assert len(bed.reads) == reads + 1


@pytest.mark.parametrize("delay, done", [(1, True), (2, True), (256, True), (257, False)])
def test_a_read_may_take_256_cycles(delay, done):
    (cycles, found, _), = Bed(delay).run((9, 1, None))
    assert found == done and cycles == (7 + delay if done else 257)


def test_as_many_words_as_a_byte_counts():
    bed = Bed()
    bed.memory = {(0, at): at for at in range(32)}
    (_, done, told), = bed.run((0, 32, None))
    assert done and told == list(range(32))
    wide = Access(addr_width=8, writable=8)
    bed.dut, bed.memory = wide, {(0, at): at for at in range(256)}
    (_, done, told), = bed.run((0, 255, None))
    assert done and told == list(range(255))


def test_members_are_as_wide_as_they_have_to_be(tmp_path):
    bed = Bed()
    assert ports(bed.dut) == {
        "start": 1, "write": 1, "first": 32, "count": 8, "done": 1, "refused": 1, "i_payload": 8,
        "i_valid": 1, "i_ready": 1, "o_payload": 8, "o_valid": 1, "o_ready": 1, "place": 2,
        "bus_addr": 5, "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1, "bus_r_data": 32,
        "bus_r_valid": 1}
    bed.run((0, 2, [0xFFFF_FFFF, 0]), (0xFFFF_FFFF, 255, None), (0, 1, None), vcd=tmp_path / "vcd")
    found = widths(tmp_path / "vcd")
    assert (found["addr"], found["left"], found["patience"]) == ({6}, {8}, {8})
    idle = idle_bits(tmp_path / "vcd")
    assert not {name: bits for name, bits in idle.items()
                if name in {"word", "beyond", "step", "left", "patience"}}


@pytest.mark.parametrize("addr_width, writable", [(1, 1), (2, 1), (30, 30)])
def test_sizes_that_just_do(addr_width, writable):
    assert ports(Access(addr_width=addr_width, writable=writable))["bus_addr"] == addr_width


def test_parameters_must_make_sense():
    for width in (0, 31):
        with pytest.raises(ValueError, match=f"^Addresses must be 1 to 30 bits, not {width}$"):
            Access(addr_width=width, writable=1)
    for writable in (0, 6):
        with pytest.raises(ValueError, match=f"^Addresses to write .* 1 to 5 bits, not {writable}"):
            Access(addr_width=5, writable=writable)
