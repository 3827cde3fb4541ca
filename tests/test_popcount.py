# amaranth: UnusedElaboratable=no

import random

import pytest
from amaranth import Cat, ClockDomain, Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from gateware.family import FAMILIES, Target
from gateware.popcount import CHAINS, LONGEST, Popcount
from sim.verilog import to_rtlil

from .carry_cells import CCU2C, modelled
from .cells import needs_verilator, netlist_words
from .traffic import ports


def simulator(dut):
    with modelled():
        sim = Simulator(Fragment.get(dut, None))
    sim.add_clock(1e-6)
    return sim


def counts(dut, pairs, moves):
    """What is on the output for each pair, while :py:`moves` say when the pipeline does."""
    seen, waiting = [], [*pairs, *[(0, 0)] * dut.latency]

    async def tb(ctx):
        sent = 0
        for moving in [*moves, *[True] * len(waiting)]:
            if sent == len(waiting):
                break
            x, w = waiting[sent]
            ctx.set(dut.en, moving)
            # What is on the inputs while the pipeline stands still must not matter.
            ctx.set(dut.x, x if moving else ~x & (1 << dut.width) - 1)
            ctx.set(dut.w, w)
            before = ctx.get(dut.o)
            await ctx.tick()
            sent += moving
            if not moving:
                assert ctx.get(dut.o) == before
            elif sent >= dut.latency and len(seen) < len(pairs):
                seen.append(ctx.get(dut.o))

    sim = simulator(dut)
    sim.add_testbench(tb)
    sim.run()
    return seen


def words(width):
    """Pairs of words: at random, in which all places differ, and in which none does."""
    every = (1 << width) - 1
    rng = random.Random(width)
    return [*((rng.getrandbits(width), rng.getrandbits(width)) for _ in range(12)),
            (0, every), (every, 0), (0, 0), (every, every)]


@given(data=st.data(), width=st.integers(1, 80), levels=st.integers(0, 4),
       chain=st.integers(2, 40), constant=st.booleans(), family=st.sampled_from(FAMILIES))
def test_differences_are_counted(data, width, levels, chain, constant, family):
    pairs = words(width)
    moves = data.draw(st.lists(st.booleans(), max_size=30))
    dut = Popcount(width, levels=levels, chain=chain, constant=constant, family=family)
    assert counts(dut, pairs, moves) == [(x ^ w).bit_count() for x, w in pairs]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("width, levels, latency", [
    (1, 0, 1), (1, 1, 1), (1, 3, 1), (3, 1, 1), (4, 1, 2), (7, 1, 2), (7, 2, 1), (8, 1, 3),
    (8, 2, 2), (31, 2, 2), (32, 2, 3), (32, 0, 1), (63, 5, 1), (64, 5, 2)])
def test_latency_is_one_register_every_so_many_levels(width, levels, latency, family):
    """A word in which all places differ, among such in which none does."""
    dut = Popcount(width, levels=levels, family=family)
    assert dut.latency == latency
    seen = []

    async def tb(ctx):
        ctx.set(dut.en, 1)
        for n in range(latency + 12):
            ctx.set(dut.x, (1 << width) - 1 if n == 10 else 0)
            await ctx.tick()
            seen.append(ctx.get(dut.o))

    sim = simulator(dut)
    sim.add_testbench(tb)
    sim.run()
    assert seen == [0] * (latency + 9) + [width, 0, 0]


@pytest.mark.parametrize("width", [1, 7, 8])
def test_members_are_as_wide_as_they_have_to_be(width):
    dut = Popcount(width)
    assert ports(dut) == {"en": 1, "x": width, "w": width, "o": width.bit_length()}
    assert (dut.width, dut.latency) == (width, 1)


def test_reset_leaves_the_count():
    """What takes its place may do without a reset."""
    m = Module()
    m.domains.sync = sync = ClockDomain()
    m.submodules.dut = dut = Popcount(7, levels=1)

    async def tb(ctx):
        ctx.set(dut.en, 1)
        ctx.set(dut.x, 127)
        await ctx.tick().repeat(2)
        ctx.set(dut.en, 0)
        ctx.set(sync.rst, 1)
        await ctx.tick()
        assert ctx.get(dut.o) == 7
        ctx.set(dut.en, 1)
        ctx.set(dut.x, 0)
        await ctx.tick()
        assert ctx.get(dut.o) == 7

    sim = Simulator(m)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()


def cells(platform, width=63, **options):
    """Carry cells of a popcount elaborated for a platform."""
    before = CCU2C.made
    with modelled():
        Fragment.get(Popcount(width, **options), platform)
    return CCU2C.made - before


def test_family_is_that_of_the_platform_unless_it_is_given():
    found = cells(Target("ecp5"))
    assert found > 40
    assert cells(None) == cells(Target("ice40")) == cells(Target("ecp5"), family="ice40") == 0
    assert cells(None, family="ecp5") == found


# Sums of 63 bits are 16 of two bits, 8 of three, 4 of four, 2 of five and one of six; a cell begins
# each chain, and two cells make a pair.
@pytest.mark.parametrize("chain, constant, expected", [
    (None, False, 17 + 13 + 9 + 6 + 4), (33, False, 17 + 13 + 9 + 6 + 4),
    (2, False, 16 * 2 + 8 * 2 + 4 * 3 + 2 * 3 + 4), (32, False, 16 + 2 + 13 + 9 + 6 + 4),
    (33, True, 13 + 9 + 6 + 4)])
def test_adders_of_a_level_share_chains(chain, constant, expected):
    assert cells(Target("ecp5"), chain=chain, constant=constant) == expected


def test_chains_are_shorter_between_registers():
    # As docs/measurements.md has measured them.
    assert CHAINS == {"generic": 16, "ice40": 16, "ecp5": 32}
    assert LONGEST == 64
    assert cells(Target("ecp5"), levels=1) == cells(Target("ecp5"), chain=32)
    assert cells(Target("ecp5"), levels=0, width=255) == cells(Target("ecp5"), chain=64, width=255)


@pytest.mark.parametrize("options, error, message", [
    ({"width": 0}, ValueError, "^Width must be at least 1, not 0$"),
    ({"width": 2.0}, TypeError, r"^Width must be an integer, not 2\.0$"),
    ({"levels": -1}, ValueError, "^Levels must be at least 0, not -1$"),
    ({"levels": None}, TypeError, "^Levels must be an integer, not None$"),
    ({"chain": 1}, ValueError, "^Chain must be at least 2, not 1$"),
    ({"chain": "8"}, TypeError, "^Chain must be an integer, not '8'$"),
    ({"family": "max"}, ValueError, "^Family must be one of generic, ice40, ecp5, not 'max'$"),
])
def test_what_it_cannot_be(options, error, message):
    with pytest.raises(error, match=message):
        Popcount(**{"width": 3} | options)


class Lanes(wiring.Component):
    """A popcount with all its inputs in one port."""

    def __init__(self, popcount):
        self.popcount = popcount
        super().__init__({"i": In(2 * popcount.width), "o": Out(len(popcount.o))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.popcount = popcount = self.popcount
        m.d.comb += [popcount.en.eq(1), Cat(popcount.x, popcount.w).eq(self.i),
                     self.o.eq(popcount.o)]
        return m


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("width, levels", [(255, 1), (512, 0)])
@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_what_synthesis_makes_of_it_counts(family, width, levels):
    dut = Popcount(width, levels=levels)
    netlist, simulated = netlist_words(to_rtlil(Lanes(dut), "top", family=family), family)
    assert netlist.cells["CCU2C" if family == "ecp5" else "SB_CARRY"] > width / 2
    rng, every = random.Random(width), (1 << width) - 1
    pairs = [(rng.getrandbits(width) & rng.getrandbits(width), rng.getrandbits(width))
             for _ in range(500)] + [(0, every), (0, 0), (every, 0), (every, every)]
    # Every place by itself, too.
    pairs += [(1 << n, 0) for n in range(width)] + [(every, 1 << n) for n in range(width)]
    pairs += [(0, 0)] * dut.latency
    seen = simulated([x | w << width for x, w in pairs])
    expected = [(x ^ w).bit_count() for x, w in pairs]
    assert seen[dut.latency:] == expected[:-dut.latency]
