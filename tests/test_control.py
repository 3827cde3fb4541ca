import pytest
from amaranth.hdl import Module, ResetInserter, Signal

from gateware.control import LOADED, NETWORK, REGISTERS, Control, network_id

from .traffic import ports, read, simulate, write


@pytest.mark.parametrize("loaded", [False, True])
def test_host_says_whether_the_weights_are_there_and_whose(loaded):
    dut = Control(loaded=loaded, network=0x89AB_CDEF)
    assert ports(dut)["loaded"] == 1 and ports(dut)["bus_addr"] == 1

    async def tb(ctx):
        async def look(expected, network):
            assert ctx.get(dut.loaded) == expected
            assert await read(ctx, dut.bus, LOADED) == expected
            assert await read(ctx, dut.bus, NETWORK) == network
            await ctx.tick()
            assert not ctx.get(dut.bus.r_valid)

        known = 0x89AB_CDEF
        await look(loaded, known)
        for word in (0, 1, 0xfffffffe, 0xffffffff):
            before = ctx.get(dut.loaded)
            for register in (LOADED, NETWORK):     # nothing is written yet
                ctx.set(dut.bus.addr, register)
                ctx.set(dut.bus.w_data, ~known & 0xfffffffe | (not before))
                await ctx.tick()
            await look(before, known)
            await write(ctx, dut.bus, LOADED, word)
            await look(word & 1, known)
            known = word ^ 0x5555_5555
            await write(ctx, dut.bus, NETWORK, known)
            await look(word & 1, known)

    simulate(dut, tb)


def test_reset_changes_nothing():
    dut, reset = Control(loaded=False), Signal()
    m = Module()
    m.submodules.dut = ResetInserter(reset)(dut)

    async def tb(ctx):
        await write(ctx, dut.bus, LOADED, 1)
        await write(ctx, dut.bus, NETWORK, 7)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert await read(ctx, dut.bus, LOADED) == 1
        assert await read(ctx, dut.bus, NETWORK) == 7

    simulate(m, tb)


def test_networks_are_told_apart():
    images = [{"a": [1, 2], "b": [3]}, {"a": [1], "b": [2, 3]}, {"a": [1, 2], "b": [4]},
              {"b": [1, 2], "a": [3]}]
    assert len({network_id(image) for image in images}) == 4
    assert network_id({"b": [3], "a": [1, 2]}) == network_id(images[0])
    # How many samples are drawn is no part of a network.
    assert network_id({"b": [3], "a": [1, 2], "samples": [4]}) == network_id(images[0])
    assert network_id(None) == 0 and 0 < network_id(images[0]) < 1 << 32


def test_numbers_and_places_are_those_of_boards_programmed_before():
    assert (LOADED, NETWORK, REGISTERS) == (0, 1, 2)
    assert network_id({"a": [1, 2], "b": [3]}) == 0x4311_89FF


def test_no_network_is_there_unless_one_is_named():
    dut = Control(loaded=False)

    async def tb(ctx):
        assert await read(ctx, dut.bus, NETWORK) == 0

    simulate(dut, tb)
