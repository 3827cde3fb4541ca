"""Areas are estimated as synthesis has them: a sample here, and all of `bench.area` every night."""

import pytest

from bench.area import DESIGNS, MOST, measure, packed
from gateware import area, cost
from gateware.bus import Region
from gateware.folding import Folding
from gateware.mapping import Mapping, Resources
from gateware.popcount import Popcount
from sim import tools


ICE40 = Resources(5_280, 30, 4_096, 16, "ice40", 4)
ECP5  = Resources(24_288, 56, 18_432, 36, "ecp5")
GOWIN = Resources(8_640, 26, 18_432, 36, "gowin")
BITS, PLANES = (1,), (16, 8, 4, 2, 1)

needs_nextpnr = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("yosys", "nextpnr-ice40", "nextpnr-ecp5")),
    reason="nextpnr: pip install 'ohmbit[ice40,ecp5]'")


def test_excess_names_what_falls_short():
    assert area.Estimate(5_281, 30).excess(ICE40) == {"luts": 1}
    assert area.Estimate(5_280, 33, 6).excess(ICE40) == {"memory": 3, "spram": 2}
    assert area.Estimate(5_280, 30, 4).excess(ICE40) == {}
    assert area.Estimate(1, 2) == area.Estimate(1, 2, 0)


# What nextpnr packs of each, less two cells for constants.
@pytest.mark.parametrize("width, levels, ice40, ecp5", [
    (1, 0, 1, 1), (4, 0, 8, 8), (16, 0, 35, 30), (64, 0, 143, 108), (64, 2, 152, 108),
    (49, 3, 111, 80)])
def test_popcounts_are_counted_cell_by_cell(width, levels, ice40, ecp5):
    assert area.popcount_luts(width, "ice40", levels) == ice40
    assert area.popcount_luts(width, "ecp5", levels) == ecp5
    assert area.popcount_luts(width, "gowin", levels) == pytest.approx(2.7 * width)


@pytest.mark.slow
@needs_nextpnr
@pytest.mark.parametrize("family, cell", [("ice40", "ICESTORM_LC"), ("ecp5", "TRELLIS_COMB")])
@pytest.mark.parametrize("width, levels", [(16, 0), (49, 3)])
def test_popcounts_take_what_was_counted(width, levels, family, cell, tmp_path):
    found = packed(Popcount(width, levels=levels), family, tmp_path)[cell] - 2
    assert found == pytest.approx(area.popcount_luts(width, family, levels), rel=0.05)


@pytest.mark.parametrize("width, depth, ice40, ecp5", [
    (16, 256, 1, 1), (17, 256, 2, 1), (32, 256, 2, 1), (33, 256, 3, 2), (65, 3, 5, 3),
    # Deeper than a block is at its widest, so other shapes of a block are used.
    (16, 257, 2, 1), (16, 512, 2, 1), (32, 512, 4, 1), (8, 512, 1, 1), (4, 1_024, 1, 1),
    (2, 2_048, 1, 1), (1, 257, 1, 1), (2, 2_049, 2, 1), (16, 5_000, 20, 5), (36, 513, 7, 3),
    (1, 16_384, 8, 1), (1, 16_385, 9, 2),
])
def test_blocks_of_a_memory(width, depth, ice40, ecp5):
    assert area.blocks(width, depth, ICE40) == ice40
    assert area.blocks(width, depth, ECP5) == ecp5


@pytest.mark.parametrize("width, depth, resources, expected", [
    (16, 256, ICE40, (1, 0)), (16, 5_000, ICE40, (20, 48)), (16, 5_000, ECP5, (5, 48)),
    # So small that flip-flops are less.
    (16, 3, ICE40, (0, 16 * 3 + 24 + 3)), (7, 9, ICE40, (0, 63 + 42 + 9)), (8, 8, ICE40, (1, 0)),
    # Look-up tables as memory.
    (20, 32, ECP5, (0, 6 * 2 * 5 + 21)), (16, 10, ECP5, (0, 6 * 4)), (11, 128, ECP5, (1, 0)),
    (32, 48, ECP5, (1, 0)), (32, 32, ECP5, (0, 6 * 16 + 33)), (16, 3, GOWIN, (1, 0)),
])
def test_memories_go_where_they_cost_less(width, depth, resources, expected):
    assert area.buffer(width, depth, resources) == expected


@pytest.mark.parametrize("width, depth, units, resources, expected", [
    (128, 57, 4, ICE40, (8, 0)), (32, 102, 32, ICE40, (2, 0)), (128, 57, 4, ECP5, (4, 0)),
    (32, 102, 32, ECP5, (8, 0)), (80, 100, 8, ECP5, (4, 0)), (160, 1, 2, ECP5, (0, 6 * 40)),
    (16, 32, 16, ECP5, (0, 16 * (6 * 2 + 2))), (32, 102, 32, GOWIN, (8, 0)),
])
def test_units_of_a_row_are_written_by_themselves(width, depth, units, resources, expected):
    assert area.buffer(width, depth, resources, units) == expected


def test_pieces():
    assert (area.lone(7, "ice40"), area.lone(7, "ecp5"), area.lone(7, "gowin")) == (7, 0, 0)
    assert [area.sum_luts(7, family) for family in ("ice40", "ecp5", "gowin")] == [7, 10, 7]
    assert area.sum_luts(8, "ecp5") == 10
    assert [area.counter(values) for values in (1, 2, 3, 4, 5)] == [0, 3, 5, 5, 7]
    # A word of the bus, and several words of it.
    assert area.access(Region(32, 8)) == pytest.approx(0.6 * 32 + 1 + 3 + 3)
    assert area.access(Region(65, 8)) == pytest.approx(0.73 * 65 + 3 + 5 + 3)
    # As wide as before, wider, and narrower.
    assert area.regroup(8, 4, 8) == 5 + 5
    assert area.regroup(1, 128, 8) == 15 + 5 + 8 + 8 + 7
    assert area.regroup(8, 30, 12) == 13 + 5 + (8 + 3) + (12 + 2 * 3 + 5)
    assert area.regroup(12, 5, 4) == 9 + 5 + 12 + 5


@pytest.mark.parametrize("family, luts", [("ice40", (70, 144, 54)), ("ecp5", (85.6, 186, 30.8))])
def test_converters(family, luts):
    assert (area.sense_luts(16, 1, 4, 64, 64, 3, family),
            area.sense_luts(16, 1, 8, 128, 128, 4, family),
            area.sense_luts(16, 5, 2, 32, 20, "sign", family)) == pytest.approx(luts)


# What the functions gave when `python -m bench.area` held them to synthesis.
EXPECTED = {
}


@pytest.mark.parametrize("name", DESIGNS)
def test_estimates_of_designs(name):
    assert DESIGNS[name].estimate == area.Estimate(*EXPECTED[name])


def check(design, folder):
    found = measure(design, folder)
    assert abs(found["error"]) <= MOST
    assert found["memories_estimated"] == found["memories"]
    assert found["sprams_estimated"] == found["sprams"]


SAMPLE = ("tiny", "digits-small", "mnist-spram", "sensed", "digits-ecp5", "digits-batch")


@pytest.mark.slow
@needs_nextpnr
@pytest.mark.parametrize("name", SAMPLE)
def test_estimates_come_within_a_tenth_of_synthesis(name, tmp_path):
    check(DESIGNS[name], tmp_path)


@pytest.mark.nightly
@needs_nextpnr
@pytest.mark.parametrize("name", sorted(set(DESIGNS) - set(SAMPLE)))
def test_estimates_of_others_come_within_a_tenth_as_well(name, tmp_path):
    check(DESIGNS[name], tmp_path)


def test_cost_offers_areas():
    assert (cost.estimate, cost.Estimate, cost.blocks, cost.layer) \
        == (area.estimate, area.Estimate, area.blocks, area.layer)
