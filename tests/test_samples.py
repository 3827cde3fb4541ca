# amaranth: UnusedElaboratable=no

import pytest
from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from gateware.samples import Samples, weighed

from .traffic import ports, registers


def run(dut, job):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(job)
    simulator.run()


@given(top=st.integers(1, 8), init=st.integers(0, 8), writes=st.lists(
    st.one_of(st.integers(0, 9).map(lambda bit: 1 << bit), st.integers(0, 2 ** 32 - 1)),
    max_size=12))
def test_it_holds_what_is_a_number_of_samples(top, init, writes):
    init = min(init, top)
    dut = Samples(most=1 << top, init=1 << init)

    async def job(ctx):
        held = 1 << init
        for value in writes:
            assert ctx.get(dut.o) == held
            ctx.set(dut.bus.w_en, 1)
            ctx.set(dut.bus.w_data, value)
            await ctx.tick()
            ctx.set(dut.bus.w_en, 0)
            ctx.set(dut.bus.w_data, 1)
            held = value if value in [1 << bit for bit in range(top + 1)] else held
            ctx.set(dut.bus.r_en, 1)
            _, _, early = await ctx.tick().sample(dut.bus.r_valid)
            ctx.set(dut.bus.r_en, 0)
            _, _, valid, data = await ctx.tick().sample(dut.bus.r_valid, dut.bus.r_data)
            assert (early, valid, data) == (0, 1, held)
        assert ctx.get(dut.o) == held

    run(dut, job)


def test_it_begins_with_the_most():
    dut = Samples(most=8)
    assert ports(dut) == {"o": 4, "bus_addr": 0, "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1,
                          "bus_r_data": 32, "bus_r_valid": 1}
    assert registers(Samples(most=8))["samples"] == (4, 8)

    async def job(ctx):
        assert ctx.get(dut.o) == 8
        await ctx.tick()

    run(dut, job)


def test_reset_leaves_the_number():
    m = Module()
    m.domains.sync = sync = ClockDomain()
    m.submodules.dut = dut = Samples(most=8)

    async def job(ctx):
        ctx.set(dut.bus.w_en, 1)
        ctx.set(dut.bus.w_data, 2)
        await ctx.tick()
        ctx.set(dut.bus.w_en, 0)
        ctx.set(sync.rst, 1)
        await ctx.tick()
        await ctx.tick()
        assert ctx.get(dut.o) == 2

    run(m, job)


@pytest.mark.parametrize("top", [1, 3, 8])
def test_a_sample_weighs_as_much_as_those_it_stands_for(top):
    value, samples, total = Signal(5), Signal(top + 1), Signal(5 + top)
    m = Module()
    m.d.comb += total.eq(weighed(value, samples))
    assert len(weighed(value, samples)) == len(total)

    async def job(ctx):
        for bit in range(top + 1):
            for count in range(32):
                ctx.set(samples, 1 << bit)
                ctx.set(value, count)
                assert ctx.get(total) == count << top - bit

    simulator = Simulator(m)
    simulator.add_testbench(job)
    simulator.run()


@pytest.mark.parametrize("given, error, message", [
    ({"most": 1}, ValueError, "^Most samples must be a power of two of at least 2, not 1$"),
    ({"most": 6}, ValueError, "^Most samples must be a power of two of at least 2, not 6$"),
    ({"most": 4.0}, TypeError, r"^Most samples must be an integer, not 4\.0$"),
    ({"most": 4, "init": 0}, ValueError,
     "^Samples at power-up must be a power of two of at least 1, not 0$"),
    ({"most": 4, "init": 3}, ValueError,
     "^Samples at power-up must be a power of two of at least 1, not 3$"),
    ({"most": 4, "init": 8}, ValueError, "^Samples at power-up must be at most 4, not 8$"),
    ({"most": 4, "init": "4"}, TypeError, "^Samples at power-up must be an integer, not '4'$"),
])
def test_what_it_cannot_be(given, error, message):
    with pytest.raises(error, match=message):
        Samples(**given)
