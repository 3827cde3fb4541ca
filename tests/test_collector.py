# amaranth: UnusedElaboratable=no

from itertools import cycle

import pytest
from amaranth import Module
from cobs import cobs
from hypothesis import given, settings, strategies as st

from gateware.collector import Collector

from . import strategies
from .standin import unstuff
from .traffic import idle_bits, ports, simulate


def collect(parts, least, most, count, i_stalls=(0,), waits=(0,), vcd=None):
    """Frames that are given out: bytes, how many there are said to be, and if any is damaged.

    Parts are the bytes between delimiters, each with the place of a byte that was lost, or None.
    So many frames are expected, and kept for as many cycles as :py:`waits` says.
    """
    m = Module()
    m.submodules.dut = dut = Collector(least=least, most=most)
    frames, cells = [], {}

    async def producer(ctx):
        stalls = cycle(i_stalls)
        for line, lost in parts:
            for n, byte in enumerate([*line, 0]):
                if stall := next(stalls):
                    ctx.set(dut.i.payload, (n % 2) * 0xFF)    # means nothing now
                    for _ in range(stall):
                        await ctx.tick()
                if n == lost:
                    ctx.set(dut.lost, 1)
                    await ctx.tick()
                    ctx.set(dut.lost, 0)
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                ready = 0
                while not ready:
                    _, _, ready = await ctx.tick().sample(dut.i.ready)
                ctx.set(dut.i.valid, 0)

    async def memory(ctx):
        while True:
            _, _, en, addr, data, page = \
                await ctx.tick().sample(dut.w.en, dut.w.addr, dut.w.data, dut.page)
            if en:
                bits = len(dut.w.addr) - 1
                # Never into the page that is in use, nor beyond a byte too many.
                assert addr >> bits == 1 - page and addr & (1 << bits) - 1 <= most
                cells[addr] = data

    async def consumer(ctx):
        for wait, _ in zip(cycle(waits), range(count), strict=False):
            for _ in range(2_000):
                if ctx.get(dut.held):
                    break
                await ctx.tick()
            assert ctx.get(dut.held)
            page, size = ctx.get(dut.page), ctx.get(dut.count)
            for _ in range(wait):
                await ctx.tick()
                assert (ctx.get(dut.held), ctx.get(dut.page), ctx.get(dut.count)) == (1, page, size)
            first = page << len(dut.w.addr) - 1
            frames.append((bytes(cells[first + n] for n in range(min(size, most))), size,
                           bool(ctx.get(dut.damaged))))
            ctx.set(dut.release, 1)
            await ctx.tick()
            ctx.set(dut.release, 0)
        # Nothing more comes.
        for _ in range(40):
            assert not ctx.get(dut.held)
            await ctx.tick()

    simulate(m, consumer, producer, memory, vcd=vcd)
    return frames


def expected(parts, least, most):
    for line, lost in parts:
        raw, broken = unstuff(line)
        if len(raw) >= least:
            yield raw[:most], min(len(raw), most + 1), broken or lost is not None


line = st.one_of(
    st.lists(st.integers(0, 9), max_size=14).map(lambda data: cobs.encode(bytes(data))),
    st.lists(st.integers(1, 9), max_size=14).map(bytes))


@settings(max_examples=20)
@given(lines=st.lists(line, min_size=1, max_size=6), data=st.data(), least=st.integers(1, 5),
       spare=st.integers(0, 5), i_stalls=strategies.stalls,
       waits=st.lists(st.sampled_from([0, 1, 9, 40]), min_size=1, max_size=4))
def test_frames_are_given_out_whole(lines, data, least, spare, i_stalls, waits):
    parts = [(line, data.draw(st.sampled_from([None, None, 0, len(line)]))) for line in lines]
    frames = list(expected(parts, least, least + spare))
    assert collect(parts, least, least + spare, len(frames), i_stalls, waits) == frames


@pytest.mark.parametrize("size", [2, 3, 6, 7, 30])
def test_sizes_of_frames(size):
    data = bytes(range(1, size + 1))
    frames = [] if size < 3 else [(data[:6], min(size, 7), False)] * 2
    assert collect([(cobs.encode(data), None)] * 2, 3, 6, len(frames)) == frames


def test_one_frame_waits_behind_another():
    """The one behind it is not taken as long as both pages are in use."""
    parts = [(cobs.encode(bytes([n] * 4)), None) for n in range(1, 6)]
    assert collect(parts, 1, 4, 5, waits=[60]) == list(expected(parts, 1, 4))


def test_nothing_is_wider_than_it_has_to_be(tmp_path):
    dut = Collector(least=2, most=6)
    assert ports(dut) == {
        "i_payload": 8, "i_valid": 1, "i_ready": 1, "lost": 1, "w_addr": 4, "w_data": 8,
        "w_en": 1, "held": 1, "page": 1, "count": 3, "damaged": 1, "release": 1}
    assert ports(Collector(least=2, most=7))["w_addr"] == 5
    parts = [(cobs.encode(bytes([255] * 9)), None), (cobs.encode(bytes([0] * 3)), 1), (b"", None),
             (cobs.encode(bytes([1] * 7)), None), (b"\xff" + b"\xaa" * 5, None)]
    collect(parts, 2, 6, 4, i_stalls=[0, 0, 3], waits=[40, 0], vcd=tmp_path / "vcd")
    assert idle_bits(tmp_path / "vcd") == {}


@pytest.mark.parametrize("least, most", [(0, 5), (6, 5)])
def test_sizes_must_be_in_order(least, most):
    with pytest.raises(ValueError, match=rf"^Frames must have at least 1 and at most 5 bytes, "
                                         rf"not {least}$"):
        Collector(least=least, most=most)
