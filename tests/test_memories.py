# amaranth: UnusedElaboratable=no

import pytest
from amaranth import Module
from amaranth.back import rtlil
from hypothesis import given, strategies as st

import gateware.memories
from gateware.family import FAMILIES
from gateware.memories import Store
from sim.verilog import to_rtlil

from .traffic import idle_bits, ports, read, simulate, write


@pytest.mark.parametrize("storage, widest", [("block", 100), ("spram", 64), ("wide", 330)])
@given(data=st.data(), depth=st.integers(1, 6))
def test_host_and_datapath_see_the_same_rows(storage, widest, data, depth):
    width = data.draw(st.integers(1, widest))
    row = st.integers(0, (1 << width) - 1)
    rows = data.draw(st.lists(row, min_size=depth, max_size=depth))
    init = data.draw(st.lists(row, min_size=depth, max_size=depth))
    kept = data.draw(st.integers(0, depth - 1))
    busy = data.draw(st.booleans())   # whether the datapath reads something besides
    if storage == "spram":
        init = [0] * depth
    dut = Store(width=width, depth=depth, init=None if storage == "spram" else init,
                storage=storage)
    region = dut.region

    async def look(ctx, expected):
        for n in range(depth):
            ctx.set(dut.addr, n)
            ctx.set(dut.en, 1)
            for _ in range(dut.latency):
                await ctx.tick()
                ctx.set(dut.addr, depth - 1 - n)
            assert ctx.get(dut.data) == expected[n]
            ctx.set(dut.en, 0)
            ctx.set(dut.addr, depth - 1 - n)
            await ctx.tick()
            assert ctx.get(dut.data) == expected[n]
            ctx.set(dut.en, busy)
            for chunk in range(region.chunks):
                word = await read(ctx, dut.bus, region.address(n, chunk),
                                  cycles=3 if storage == "wide" else 1)
                assert word == expected[n] >> 32 * chunk & 0xffffffff
            ctx.set(dut.en, 0)
            await ctx.tick()
            assert not ctx.get(dut.bus.r_valid)

    async def tb(ctx):
        await look(ctx, init)
        for n in set(range(depth)) - {kept}:
            ctx.set(dut.en, busy)
            for chunk in range(region.chunks):
                await write(ctx, dut.bus, region.address(n, chunk),
                            rows[n] >> 32 * chunk & 0xffffffff)
        await look(ctx, [init[n] if n == kept else rows[n] for n in range(depth)])

    simulate(dut, tb)


@pytest.mark.parametrize("storage, latency, answer", [("block", 1, 1), ("spram", 1, 1),
                                                      ("wide", 2, 3)])
def test_reads_take_as_long_as_the_docstring_says(storage, latency, answer):
    rows = [0x1_2345_6789, 0x9_8765_4321, 0x5_5555_5555]
    dut = Store(width=36, depth=3, storage=storage)
    assert dut.latency == latency == gateware.memories.latency(storage)

    async def tb(ctx):
        for n, row in enumerate(rows):
            for chunk in range(2):
                await write(ctx, dut.bus, 2 * n + chunk, row >> 32 * chunk & 0xffff_ffff)
        # A row a cycle; what is asked for while it stands still does not count.
        ctx.set(dut.en, 1)
        seen = []
        for n in range(3 + latency):
            ctx.set(dut.addr, min(n, 2))
            await ctx.tick()
            seen.append(ctx.get(dut.data))
            ctx.set(dut.en, 0)
            ctx.set(dut.addr, 1)
            await ctx.tick().repeat(2)
            assert ctx.get(dut.data) == seen[-1]
            ctx.set(dut.en, 1)
        assert seen[latency - 1:][:3] == rows
        ctx.set(dut.en, 0)
        # A read that follows a write, and a second one that does not wait for the first.
        await write(ctx, dut.bus, 2, 0x77)
        await write(ctx, dut.bus, 3, 0x6)
        got = []
        for cycle in range(8):
            ctx.set(dut.bus.r_en, cycle < 2)
            ctx.set(dut.bus.addr, (3, 4, 0)[min(cycle, 2)])
            await ctx.tick()
            if ctx.get(dut.bus.r_valid):
                got.append((cycle + 1, ctx.get(dut.bus.r_data)))
        assert got == [(answer, 0x6), (answer + 1, 0x5555_5555)]

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


@pytest.mark.parametrize("storage, kind", [("spram", "SB_SPRAM256KA"), ("wide", "DP16KD")])
def test_cells_are_those_of_the_family(storage, kind):
    text = {family: to_rtlil(Store(width=40, depth=2, storage=storage), "top", family=family)
            for family in FAMILIES}
    own = {"spram": "ice40", "wide": "ecp5"}[storage]
    count = {"spram": 3, "wide": 2}[storage]
    for family in FAMILIES:
        mine = family == own
        assert text[family].count(f"cell \\{kind}") == count * mine
        assert ("memory width" in text[family]) != mine


@pytest.mark.parametrize("storage", ["auto", "block", "distributed", "logic"])
def test_the_synthesizer_is_told_what_to_build(storage):
    dut = Store(width=40, depth=2, init=[1, 2], storage=storage)
    m = Module()
    m.submodules.dut = dut
    text = rtlil.convert(m, ports=[dut.en, dut.addr, dut.data])
    assert text.count(f'attribute \\ram_style "{storage}"') == (0 if storage == "auto" else 2)


@pytest.mark.parametrize("options, message", [
    ({"storage": "tape"}, "^Storage must be one of auto, block, distributed, logic, spram, wide, "
                          "not 'tape'$"),
    ({"storage": "spram", "init": [1, 2]}, "^Storage in SPRAM must have no initial contents, since "
                                           "the cells wake up with any: a host writes them$"),
    ({"storage": "spram", "width": 65}, "^Rows in SPRAM must be at most 64 bits, .* not 65$"),
    ({"storage": "wide", "depth": 2_049}, "^Rows in wide storage must be at most 2048, not 2049$"),
    ({"storage": "logic"}, "^Storage in logic must have initial contents, not None$"),
    ({"init": [0]}, "^Initial contents must be 2 rows, not 1$"),
])
def test_wrong_values_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Store(**{"width": 8, "depth": 2} | options)
