# amaranth: UnusedElaboratable=no

import pytest
from amaranth import Module
from amaranth.back import rtlil
from hypothesis import given, strategies as st

from gateware.memories import STORAGE, Store

from .traffic import idle_bits, ports, read, simulate, write


@given(data=st.data(), width=st.integers(1, 100), depth=st.integers(1, 9))
def test_host_and_datapath_see_the_same_rows(data, width, depth):
    row = st.integers(0, (1 << width) - 1)
    rows = data.draw(st.lists(row, min_size=depth, max_size=depth))
    init = data.draw(st.lists(row, min_size=depth, max_size=depth))
    kept = data.draw(st.integers(0, depth - 1))
    dut = Store(width=width, depth=depth, init=init)
    region = dut.region

    async def look(ctx, expected):
        for n in range(depth):
            ctx.set(dut.addr, n)
            ctx.set(dut.en, 1)
            await ctx.tick()
            assert ctx.get(dut.data) == expected[n]
            ctx.set(dut.en, 0)
            ctx.set(dut.addr, depth - 1 - n)
            await ctx.tick()
            assert ctx.get(dut.data) == expected[n]
            for chunk in range(region.chunks):
                word = await read(ctx, dut.bus, region.address(n, chunk))
                assert word == expected[n] >> 32 * chunk & 0xffffffff
            await ctx.tick()
            assert not ctx.get(dut.bus.r_valid)

    async def tb(ctx):
        await look(ctx, init)
        for n in set(range(depth)) - {kept}:
            for chunk in range(region.chunks):
                await write(ctx, dut.bus, region.address(n, chunk),
                            rows[n] >> 32 * chunk & 0xffffffff)
        await look(ctx, [init[n] if n == kept else rows[n] for n in range(depth)])

    simulate(dut, tb)


def test_logic_cannot_be_written():
    dut = Store(width=8, depth=2, init=[1, 2], storage="logic")

    async def tb(ctx):
        await write(ctx, dut.bus, 1, 77)
        assert await read(ctx, dut.bus, 1) == 2

    simulate(dut, tb)


@pytest.mark.parametrize("width, depth", [(1, 1), (32, 4), (33, 3), (96, 8)])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, width, depth):
    dut = Store(width=width, depth=depth)
    region = dut.region
    assert (region.width, region.depth, region.base, region.writable) == (width, depth, 0, True)
    addr_width = (depth - 1).bit_length()
    assert ports(dut) == {
        "en": 1, "addr": addr_width, "data": width, "bus_w_en": 1, "bus_w_data": 32,
        "bus_r_en": 1, "bus_r_data": 32, "bus_r_valid": 1,
        "bus_addr": addr_width + (-(-width // 32) - 1).bit_length()}

    async def tb(ctx):
        # From reset: zeros, and no answer to a question that nobody asked.
        assert not ctx.get(dut.bus.r_valid)
        for n in range(depth):
            for chunk in range(region.chunks):
                address = region.address(n, chunk)
                assert await read(ctx, dut.bus, address) == 0
                await write(ctx, dut.bus, address, 0xffff_ffff)
                await read(ctx, dut.bus, address)
        for n in range(depth):
            ctx.set(dut.en, 1)
            ctx.set(dut.addr, n)
            await ctx.tick()
            assert ctx.get(dut.data) == (1 << width) - 1
        ctx.set(dut.en, 0)
        ctx.set(dut.bus.w_data, 0)
        await ctx.tick()

    simulate(dut, tb, vcd=tmp_path / "vcd")
    idle = idle_bits(tmp_path / "vcd")
    # The bus has words of 32 bits, however wide the last part of a row is.
    unused = bin((1 << 32) - (1 << width)) if width < 32 else None
    assert idle == ({"bus__r_data": unused} if unused else {})


@pytest.mark.parametrize("storage", STORAGE)
def test_the_synthesizer_is_told_what_to_build(storage):
    dut = Store(width=40, depth=2, init=[1, 2], storage=storage)
    m = Module()
    m.submodules.dut = dut
    text = rtlil.convert(m, ports=[dut.en, dut.addr, dut.data])
    assert text.count(f'attribute \\ram_style "{storage}"') == (0 if storage == "auto" else 2)


@pytest.mark.parametrize("options, message", [
    ({"storage": "tape"}, "^Storage must be one of auto, block, distributed, logic, not 'tape'$"),
    ({"storage": "logic"}, "^Storage in logic must have initial contents, not None$"),
    ({"init": [0]}, "^Initial contents must be 2 rows, not 1$"),
])
def test_wrong_values_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Store(width=8, depth=2, **options)
