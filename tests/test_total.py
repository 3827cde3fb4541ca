# amaranth: UnusedElaboratable=no

import pytest
from amaranth.hdl import ClockDomain, Module
from hypothesis import given, strategies as st

from gateware.total import Total, stages

from .traffic import ports, registers, simulate, widths


@given(data=st.data(), count=st.integers(1, 9), bits=st.integers(1, 5), levels=st.integers(0, 5))
def test_sums_come_one_a_cycle_some_cycles_later(data, count, bits, levels):
    number = st.one_of(st.just(2 ** bits - 1), st.integers(0, 2 ** bits - 1))
    each = st.lists(number, min_size=count, max_size=count)
    numbers, sums = data.draw(st.lists(each, min_size=1, max_size=8)), []
    dut, late = Total(count=count, bits=bits, levels=levels), stages(count, levels)

    async def tb(ctx):
        for values in [*numbers, *[[0] * count] * late]:
            ctx.set(dut.i, values)
            _, _, found = await ctx.tick().sample(dut.o)
            sums.append(found)

    # Without registers it has no clock of its own.
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut
    simulate(top, tb)
    assert sums[late:] == [sum(values) for values in numbers]
    assert ports(dut) == {"i": count * bits, "o": (count * (2 ** bits - 1)).bit_length()}


@pytest.mark.parametrize("count, levels, late", [
    (1, 1, 0), (8, 0, 0), (8, 1, 3), (8, 2, 2), (8, 3, 1), (8, 9, 1), (9, 2, 2), (9, 3, 2),
    (17, 2, 3)])
def test_registers_lie_after_every_few_levels_and_the_last(count, levels, late):
    assert stages(count, levels) == late


def test_there_are_no_registers_unless_asked_for():
    assert not registers(Total(count=4, bits=1))
    assert registers(Total(count=4, bits=1, levels=1))


def test_no_sum_is_wider_than_it_has_to_be(tmp_path):
    dut = Total(count=5, bits=3, levels=1)

    async def tb(ctx):
        ctx.set(dut.i, [7] * 5)
        await ctx.tick().repeat(4)
        assert ctx.get(dut.o) == 35

    simulate(dut, tb, vcd=tmp_path / "vcd")
    found = widths(tmp_path / "vcd")
    assert [found[name] for name in ("sum_1_0", "sum_1_4", "sum_2_0", "sum_3_0")] \
        == [{4}, {3}, {5}, {6}]


@pytest.mark.parametrize("name, said, least", [
    ("count", "Numbers", 1), ("bits", "Bits", 1), ("levels", "Levels", 0)])
def test_bad_sizes(name, said, least):
    sizes = {"count": 2, "bits": 2, "levels": 0}
    with pytest.raises(ValueError, match=f"^{said} must be at least {least}, not {least - 1}$"):
        Total(**sizes | {name: least - 1})
    with pytest.raises(TypeError, match=f"^{said} must be an integer, not 1.5$"):
        Total(**sizes | {name: 1.5})
