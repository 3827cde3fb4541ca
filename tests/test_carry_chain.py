# amaranth: UnusedElaboratable=no

import random

import pytest
from amaranth import *
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from gateware.carry_chain import Addition, in_chains, in_tables, load_or_add, pack, value
from gateware.family import FAMILIES

from .carry_cells import CCU2C, modelled


def bit(rng, m, values):
    """One bit, or the difference of two."""
    return tuple(number(1, m, values) for _ in range(rng.choice([1, 2])))


def number(width, m, values):
    values.append(Signal(width, name=f"v{len(values)}"))
    return values[-1]


def additions(rng, m, values, sizes):
    made = []
    for size in sizes:
        a = [bit(rng, m, values) for _ in range(size)]
        b = [bit(rng, m, values) for _ in range(rng.randrange(1, size + 1))]
        made.append(Addition(a, b, rng.choice([None, bit(rng, m, values)])))
    return made


def exact(addition):
    a, b = (Cat(value(each) for each in bits) for bits in (addition.a, addition.b))
    return a + b + (value(addition.carry) if addition.carry else 0)


def check(m, values, pairs, rng):
    """Sums are those of their operands, whatever these are."""
    wrong = Signal(len(pairs))
    m.d.comb += wrong.eq(Cat(found != expected for found, expected in pairs))

    async def tb(ctx):
        for n in range(60):
            for each in values:
                ctx.set(each, (0, 1)[n] if n < 2 else rng.getrandbits(1))
            await ctx.tick()
            assert ctx.get(wrong) == 0

    m.d.sync += Signal().eq(0)   # a clock, for what has none
    sim = Simulator(m)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()


@pytest.mark.parametrize("family", FAMILIES)
@given(seed=st.integers(0, 2 ** 32 - 1), sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_every_adder_of_a_chain_gives_its_sum(family, seed, sizes):
    rng, m, values = random.Random(seed), Module(), []
    made = additions(rng, m, values, sizes)
    with modelled():
        sums = in_chains(m, made, family)
        assert [len(each) for each in sums] == [size + 1 for size in sizes]
        check(m, values, [(each, exact(addition))
                          for each, addition in zip(sums, made, strict=True)], rng)


@pytest.mark.parametrize("seed", range(8))
def test_tables_add_bits(seed):
    rng, m, values = random.Random(seed), Module(), []
    made = additions(rng, m, values, [1])
    check(m, values, [(in_tables(made[0]), exact(made[0]))], rng)


@pytest.mark.parametrize("family", FAMILIES)
@given(seed=st.integers(0, 2 ** 32 - 1), bits=st.integers(1, 12), data=st.data())
def test_a_sum_goes_on_or_begins_anew(family, seed, bits, data):
    m, values = Module(), []
    held, fresh = (Cat(number(1, m, values) for _ in range(size)) for size in (bits, 1))
    term = Cat(number(1, m, values) for _ in range(data.draw(st.integers(1, bits))))
    with modelled():
        found = load_or_add(m, held, term, fresh, family)
        assert len(found) == bits
        check(m, values, [(found, (held * ~fresh + term)[:bits])], random.Random(seed))


@pytest.mark.parametrize("bits, expected", [(1, 1), (2, 2), (3, 2), (10, 6), (11, 6)])
def test_a_cell_of_ecp5_for_two_bits_of_a_sum(bits, expected):
    before = CCU2C.made
    with modelled():
        m = Module()
        load_or_add(m, Signal(bits), Signal(1), Signal(), "ecp5")
        Fragment.get(m, None)
    assert CCU2C.made - before == expected


@pytest.mark.parametrize("sizes, chain, expected", [
    ([1, 1, 1, 1], 5, [2, 2]), ([1, 1, 1, 1], 4, [1, 1, 1, 1]), ([1, 1, 1, 1], 9, [4]),
    ([4, 1], 3, [1, 1]), ([1, 2, 1], 8, [3]), ([1, 2, 1], 7, [2, 1]), ([], 8, [])])
def test_chains_are_no_longer_than_they_may_be(sizes, chain, expected):
    made = [Addition([None] * size, [None], None) for size in sizes]
    chains = pack(made, chain)
    assert [len(each) for each in chains] == expected
    assert [addition for each in chains for addition in each] == made


@pytest.mark.parametrize("sizes, expected", [([1], 2), ([2], 2), ([3], 3), ([1, 1], 3),
                                             ([1, 2], 3), ([2, 2], 4), ([1, 1, 1], 4)])
def test_a_cell_of_ecp5_for_two_bits(sizes, expected):
    """One half begins the chain, and there is one for each bit of each sum."""
    m, values, before = Module(), [], CCU2C.made
    with modelled():
        in_chains(m, additions(random.Random(0), m, values, sizes), "ecp5")
        Fragment.get(m, None)
    assert CCU2C.made - before == expected
