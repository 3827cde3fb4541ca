# amaranth: UnusedElaboratable=no

import pytest
from amaranth import ClockDomain, Module
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from gateware.popcount import Popcount

from .traffic import ports


@given(data=st.data(), width=st.integers(1, 130))
def test_agreements_are_counted(data, width):
    words = st.integers(0, (1 << width) - 1)
    pairs = data.draw(st.lists(st.tuples(words, words), min_size=1, max_size=10))
    pairs += [(0, 0), (0, (1 << width) - 1)]
    dut = Popcount(width)
    counts = []

    async def tb(ctx):
        for x, w in pairs:
            ctx.set(dut.en, 1)
            ctx.set(dut.x, x)
            ctx.set(dut.w, w)
            await ctx.tick()
            counts.append(ctx.get(dut.o))
            ctx.set(dut.en, 0)
            ctx.set(dut.x, ~x & (1 << width) - 1)
            await ctx.tick()
            assert ctx.get(dut.o) == counts[-1]

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()
    assert counts == [width - (x ^ w).bit_count() for x, w in pairs]


@pytest.mark.parametrize("width", [1, 7, 8])
def test_members_are_as_wide_as_they_have_to_be(width):
    dut = Popcount(width)
    assert ports(dut) == {"en": 1, "x": width, "w": width, "o": width.bit_length()}
    assert (dut.width, dut.latency) == (width, 1)


def test_reset_leaves_the_count():
    """What takes its place may do without a reset."""
    m = Module()
    m.domains.sync = sync = ClockDomain()
    m.submodules.dut = dut = Popcount(3)

    async def tb(ctx):
        ctx.set(dut.en, 1)
        await ctx.tick()
        ctx.set(dut.en, 0)
        ctx.set(sync.rst, 1)
        await ctx.tick()
        assert ctx.get(dut.o) == 3

    sim = Simulator(m)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()


def test_width_must_be_positive():
    with pytest.raises(ValueError, match="^Width must be at least 1, not 0$"):
        Popcount(0)
