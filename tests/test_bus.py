# amaranth: UnusedElaboratable=no

import pytest
from amaranth import Module
from amaranth.sim import Simulator
from hypothesis import given, settings, strategies as st

from gateware.bus import Decoder, Region, Signature, place
from gateware.control import LOADED, REGISTERS, Control
from gateware.memories import Store

from .traffic import ports


@given(sizes=st.lists(st.tuples(st.integers(1, 200), st.integers(1, 300)), min_size=1, max_size=9))
def test_regions_are_aligned_and_apart(sizes):
    regions = {f"memory{n}": Region(*size) for n, size in enumerate(sizes)}
    placed, addr_width = place(regions)
    assert list(placed) == list(regions)
    taken = set()
    for region in placed.values():
        assert region.base % (1 << region.addr_width) == 0
        addresses = {region.address(row, chunk) for row in range(region.depth)
                     for chunk in range(region.chunks)}
        assert len(addresses) == region.depth * region.chunks
        assert not addresses & taken
        assert max(addresses) < 1 << addr_width
        taken |= addresses
    # Nothing is left out between regions, nor is an address wider than the last one.
    size = sum(1 << region.addr_width for region in placed.values())
    assert addr_width == max((size - 1).bit_length(), 1)


def test_rows_are_cut_into_words():
    region = Region(65, 5).at(0x40)
    assert (region.chunks, region.chunk_bits, region.addr_width) == (3, 2, 5)
    assert [region.address(row, chunk) for row, chunk in ((0, 0), (0, 2), (1, 0), (4, 2))] \
        == [0x40, 0x42, 0x44, 0x52]
    assert [Region(width, 1).chunks for width in (1, 32, 33, 64)] == [1, 1, 2, 2]
    assert repr(region) == "Region(width=65, depth=5, base=0x40)"


def test_a_region_is_at_zero_and_can_be_written_unless_it_says_otherwise():
    assert (Region(1, 1).base, Region(1, 1).writable) == (0, True)
    assert Region(1, 1).at(4).writable and not Region(1, 1, writable=False).at(4).writable


@pytest.mark.parametrize("width", [0, 7])
def test_members(width):
    bus = Signature(width).create()
    assert Signature(width).addr_width == width
    assert ports(bus) == {"addr": width, "w_en": 1, "w_data": 32, "r_en": 1, "r_data": 32,
                          "r_valid": 1}


class Host:
    """A decoder in front of some memories, and the one access after another that a host makes."""

    def __init__(self, sizes):
        regions = {f"memory{n}": Region(*size) for n, size in enumerate(sizes)}
        self.regions, addr_width = place(regions | {"control": Region(32, REGISTERS)})
        self.module = Module()
        self.module.submodules.decoder = decoder = Decoder(self.regions, addr_width)
        self.bus, self.size = decoder.bus, 1 << addr_width
        for name, region in self.regions.items():
            target = Control(loaded=False) if name == "control" else \
                Store(width=region.width, depth=region.depth)
            self.module.submodules[name] = target
            decoder.add(name, target.bus)

    def run(self, testbench):
        sim = Simulator(self.module)
        sim.add_clock(1e-6)
        sim.add_testbench(testbench)
        sim.run()

    async def write(self, ctx, address, word):
        ctx.set(self.bus.addr, address)
        ctx.set(self.bus.w_data, word)
        ctx.set(self.bus.w_en, 1)
        await ctx.tick()
        ctx.set(self.bus.w_en, 0)
        ctx.set(self.bus.w_data, ~word & 0xffffffff)
        await ctx.tick()

    async def read(self, ctx, address):
        """The answer, two cycles later, or None."""
        ctx.set(self.bus.addr, address)
        ctx.set(self.bus.r_en, 1)
        await ctx.tick()
        ctx.set(self.bus.r_en, 0)
        ctx.set(self.bus.addr, self.size - 1 - address)
        assert not ctx.get(self.bus.r_valid)
        await ctx.tick()
        answer = ctx.get(self.bus.r_data) if ctx.get(self.bus.r_valid) else None
        await ctx.tick()
        assert not ctx.get(self.bus.r_valid)
        return answer


@settings(max_examples=7)
@given(data=st.data(), sizes=st.lists(st.tuples(st.integers(1, 70), st.integers(1, 5)),
                                      min_size=1, max_size=4))
def test_each_address_reaches_one_memory(data, sizes):
    host = Host(sizes)
    words = data.draw(st.lists(st.integers(0, 0xffffffff), min_size=host.size,
                               max_size=host.size))
    expected = {region.address(row, chunk): (1 << min(32, region.width - 32 * chunk)) - 1
                for region in host.regions.values() for row in range(region.depth)
                for chunk in range(region.chunks)}
    expected[host.regions["control"].base + LOADED] = 1    # the register's only bit

    async def testbench(ctx):
        # Only what is mapped is read: what lies between rows is left out, and means nothing.
        for address in sorted(expected):
            assert await host.read(ctx, address) == 0
        for address in sorted(expected, key=words.__getitem__):
            await host.write(ctx, address, words[address])
        for address, mask in expected.items():
            assert await host.read(ctx, address) == words[address] & mask

    host.run(testbench)


def test_nothing_answers_behind_the_last_region():
    host = Host([(32, 4), (1, 1)])   # 4 + 2 + 1 of 8 addresses

    async def testbench(ctx):
        await host.write(ctx, 7, 0xffffffff)
        assert [await host.read(ctx, address) for address in range(8)] == [0] * 7 + [None]

    host.run(testbench)
