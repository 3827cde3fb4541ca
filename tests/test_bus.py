from hypothesis import given, strategies as st

from gateware.bus import Region, place


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
