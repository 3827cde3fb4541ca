# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.hidden_sums import HiddenSums
from model.packing import pack_fields

from .traffic import ports, simulate


@given(count=st.integers(1, 5), bits=st.integers(2, 9), signs=st.booleans(),
       place=st.integers(0, 12), data=st.data())
def test_sums_are_near_zero_or_far_from_it(count, bits, signs, place, data):
    words = data.draw(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    top, filter_ = 2 ** (bits - 1) - 1, 1 << place
    sum_bits = (30 * (1 if signs else top + 1)).bit_length() + 1
    dut = HiddenSums(count=count, bits=bits, sum_bits=sum_bits, filter=filter_, signs=signs)

    async def tb(ctx):
        sums = np.zeros(count, dtype=int)
        for en, clear in words:
            counters = rng.choice([-top - 1, -top, -1, 0, 1, top], count)
            ctx.set(dut.counters, counters.tolist())
            ctx.set(dut.en, en)
            ctx.set(dut.clear, clear)
            await ctx.tick()
            if en:
                value = np.where(counters < 0, -1, 1) if signs else counters
                sums = sums + value
            if clear:
                sums = 0 * sums
            near = (sums >= -filter_) & (sums < filter_)
            assert ctx.get(dut.signs) == pack_fields((sums >= 0)[None], 1, count)[0]
            assert ctx.get(dut.near) == pack_fields(near[None], 1, count)[0]

    simulate(dut, tb)


def test_counters_are_numbers_unless_told_otherwise():
    dut = HiddenSums(count=1, bits=4, sum_bits=8, filter=4)

    async def tb(ctx):
        ctx.set(dut.counters, [-5])
        ctx.set(dut.en, 1)
        await ctx.tick()
        assert not ctx.get(dut.near)   # as −1 would be

    simulate(dut, tb)


def test_sums_may_be_as_far_from_zero_as_they_have_bits():
    dut = HiddenSums(count=2, bits=4, sum_bits=5, filter=2)

    async def tb(ctx):
        ctx.set(dut.counters, [7, -8])
        ctx.set(dut.en, 1)
        for _ in range(2):
            await ctx.tick()
            assert (ctx.get(dut.signs), ctx.get(dut.near)) == (0b01, 0)   # 14 and −16 at last

    simulate(dut, tb)


def test_what_there_is():
    assert ports(HiddenSums(count=3, bits=5, sum_bits=9, filter=4)) == {
        "counters": 15, "en": 1, "clear": 1, "signs": 3, "near": 3}


GOOD = {"count": 1, "bits": 4, "sum_bits": 8, "filter": 4}


@pytest.mark.parametrize("name, value, message", [
    ("count", 0, "Counters must be at least 1, not 0"),
    ("bits", 1, "Bits must be at least 2, not 1"),
    ("sum_bits", 1, "Bits of a sum must be at least 2, not 1"),
    ("filter", 0, "Filter must be at least 1, not 0"),
    ("filter", 6, "Filter must be a power of two, not 6")])
def test_bad_sums(name, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        HiddenSums(**GOOD | {name: value})
