# amaranth: UnusedElaboratable=no

from hypothesis import given, strategies as st

from gateware.compend import COUNTS
from gateware.counts import REGION, Counts

from .traffic import ports, read, simulate, write


@given(values=st.lists(st.integers(0, 2 ** 32 - 1), min_size=3, max_size=3))
def test_a_host_reads_each_counter_and_changes_none(values):
    dut = Counts()

    async def tb(ctx):
        ctx.set(dut.i, dict(zip(COUNTS.members, values, strict=True)))
        for n, value in enumerate(values):
            await write(ctx, dut.bus, n, ~value & 0xffffffff)
            assert await read(ctx, dut.bus, n) == value

    simulate(dut, tb)


def test_its_place_on_the_bus():
    assert list(COUNTS.members) == ["cycles", "planes_run", "planes_skipped"]
    assert (REGION.width, REGION.depth, REGION.addr_width, REGION.writable) == (32, 3, 2, False)
    assert ports(Counts()) == {"i": 96, "bus_addr": 2, "bus_w_en": 1, "bus_w_data": 32,
                               "bus_r_en": 1, "bus_r_data": 32, "bus_r_valid": 1}
