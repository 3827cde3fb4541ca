import pytest
from amaranth.sim import Simulator

from gateware.control import Control

from .traffic import ports


@pytest.mark.parametrize("init", [False, True])
def test_host_says_whether_the_weights_are_there(init):
    dut = Control(init=init)
    assert ports(dut)["loaded"] == 1 and ports(dut)["bus_addr"] == 0

    async def tb(ctx):
        async def look(expected):
            assert ctx.get(dut.loaded) == expected
            ctx.set(dut.bus.r_en, 1)
            await ctx.tick()
            assert (ctx.get(dut.bus.r_valid), ctx.get(dut.bus.r_data)) == (1, expected)
            ctx.set(dut.bus.r_en, 0)
            await ctx.tick()
            assert not ctx.get(dut.bus.r_valid)

        await look(init)
        for word in (0, 1, 0xfffffffe, 0xffffffff):
            ctx.set(dut.bus.w_data, word)
            await ctx.tick()
            before = ctx.get(dut.loaded)
            await look(before)
            ctx.set(dut.bus.w_en, 1)
            await ctx.tick()
            ctx.set(dut.bus.w_en, 0)
            await look(word & 1)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()
