"""Areas are estimated as synthesis has them: a sample here, and all of `bench.area` every night."""

import importlib

import pytest

from gateware import area, cost
from gateware.folding import Folding
from gateware.mapping import Mapping, Resources
from gateware.popcount import Popcount
from sim import tools


ICE40 = Resources(5_280, 30, 4_096, 16, "ice40", 4)
ECP5  = Resources(24_288, 56, 18_432, 36, "ecp5")
GOWIN = Resources(8_640, 26, 18_432, 36, "gowin")
BITS, PLANES = (1,), (16, 8, 4, 2, 1)


def bench():
    """The benchmark, imported late: it depends on what :mod:`bench.mutants` changes."""
    return importlib.import_module("bench.area")


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
    (1, 0, 1, 1), (4, 0, 7, 8), (16, 0, 34, 30), (64, 0, 142, 106), (64, 2, 150, 108),
    (49, 3, 109, 80)])
def test_popcounts_are_counted_cell_by_cell(width, levels, ice40, ecp5):
    assert area.popcount_luts(width, "ice40", levels) == ice40
    assert area.popcount_luts(width, "ecp5", levels) == ecp5
    assert area.popcount_luts(width, "gowin", levels) == pytest.approx(2.7 * width)


@pytest.mark.slow
@needs_nextpnr
@pytest.mark.parametrize("family, cell", [("ice40", "ICESTORM_LC"), ("ecp5", "TRELLIS_COMB")])
@pytest.mark.parametrize("width, levels", [(16, 0), (49, 3)])
def test_popcounts_take_what_was_counted(width, levels, family, cell, tmp_path):
    assert bench().packed(Popcount(width, levels=levels), family, tmp_path)[cell] - 2 \
        == area.popcount_luts(width, family, levels)


def test_pieces():
    assert (area.lone(7, "ice40"), area.lone(7, "ecp5"), area.lone(7, "gowin")) == (7, 0, 0)
    assert [area.sum_luts(7, family) for family in ("ice40", "ecp5", "gowin")] == [7, 10, 7]
    assert area.sum_luts(8, "ecp5") == 10
    assert [area.running_luts(7, 0, family) for family in ("ice40", "ecp5", "gowin")] == [7, 8, 7]
    assert [area.running_luts(7, dull, "ecp5") for dull in (1, 2)] == [10, 10]
    assert area.running_luts(7, 2, "ice40") == 7
    assert [area.counter(values) for values in (1, 2, 3, 4, 5)] == [0, 3, 5, 5, 7]
    # As wide as before, wider, and narrower.
    assert area.regroup(8, 4, 8) == 5 + 5
    assert area.regroup(1, 128, 8) == 15 + 5 + 8 + 8 + 7
    assert area.regroup(8, 30, 12) == 13 + 5 + (8 + 3) + (12 + 2 * 3 + 5)
    assert area.regroup(12, 5, 4) == 9 + 5 + 12 + 5


@pytest.mark.parametrize("family, luts", [("ice40", (70, 144, 54)), ("ecp5", (85.6, 186, 30.8))])
def test_converters(family, luts):
    assert (area.sense_luts(1, 4, 64, 64, 3, family),
            area.sense_luts(1, 8, 128, 128, 4, family),
            area.sense_luts(5, 2, 32, 20, "sign", family)) == pytest.approx(luts)


@pytest.mark.parametrize("rows, edge, sense, expected", [
    (32, 32, "sign", 5), (32, 24, "sign", 3), (24, 32, "sign", 3), (64, 64, 3, 0), (28, 28, 3, 2),
    (8, 1, "sign", 0), (7, 7, 3, 0), (64, 7, 3, 0)])
def test_bits_that_never_change(rows, edge, sense, expected):
    assert area.dull_bits(rows, edge, sense) == expected


@pytest.mark.parametrize("folding, ice40, ecp5, gowin", [
    (Folding(64, 128, PLANES, 16, 4), (7, 786), (3, 907), (4, 836)),
    (Folding(128, 10, BITS, 4, 8), (4, 271), (1, 318), (3, 285)),
    (Folding(12, 4, (1, 1, 1), 4, 6), (2, 269), (1, 214), (3, 204)),
    (Folding(12, 4, (2, 1), 2, 5, "logic"), (1, 212), (0, 202), (2, 173)),
    (Folding(300, 20, BITS, 5, 20, "distributed"), (3, 11_003), (0, 1_507), (2, 1_472)),
    (Folding(300, 20, BITS, 5, 20, "auto"), (10, 518), (3, 643), (6, 569)),
    (Folding(300, 20, BITS, 5, 20, "wide"), (11, 638), (3, 604), (5, 569)),
    (Folding(32, 4, BITS, 1, 4, "auto"), (1, 289), (0, 157), (3, 120)),
    (Folding(300, 20, BITS, 2, 20, "spram"), (3, 298), (0, 405), (2, 313)),
    (Folding(3_200, 4, BITS, 1, 16), (6, 304), (2, 231), (3, 223)),
    (Folding(12, 64, BITS, 32, 12), (24, 2_042), (12, 1_793), (17, 1_788)),
    (Folding(64, 32, PLANES, 4, 8, batch=3), (11, 863), (1, 1_119), (6, 920)),
    (Folding(64, 32, PLANES, 4, 8, tile_rows=32, sense=2), (6, 625), (1, 654), (4, 517)),
    (Folding(64, 32, (2, 1), 4, 8, weight_bits=3, output_bits=2), (4, 464), (1, 662), (3, 481)),
    (Folding(64, 32, BITS, 4, 32, output_bits=4), (22, 1_200), (4, 1_386), (12, 1_048)),
    (Folding(64, 32, BITS, 4, 8, tile_rows=24, sense="sign"), (4, 341), (1, 408), (3, 339)),
])
def test_layers(folding, ice40, ecp5, gowin):
    assert area.layer(folding, ICE40) == ice40
    assert area.layer(folding, ECP5) == ecp5
    assert area.layer(folding, GOWIN) == gowin


def test_spram_is_counted_where_weights_are_in_it():
    mapping = Mapping((Folding(784, 300, BITS, 4, 12, "spram"), Folding(300, 10, BITS, 1, 3)))
    assert [area.spram_blocks(layer) for layer in mapping.layers] == [3, 0]
    assert area.estimate(mapping, ICE40).spram_blocks == 3


# What Yosys made of 784-300-10, with a host link.
@pytest.mark.parametrize("first, second, resources, expected", [
    ((4, 16, "spram"), (1, 3), ICE40, (11, 4)), ((50, 35, "wide"), (1, 25), ECP5, (55, 0))])
def test_memories_are_counted_where_they_are(first, second, resources, expected):
    layers = Folding(784, 300, BITS, *first), Folding(300, 10, BITS, *second)
    need = area.estimate(Mapping(layers), resources)
    assert (need.memory_blocks, need.spram_blocks) == expected


# A gain takes a multiplier, which an ECP5 has; and both widths are those of a memory.
@pytest.mark.parametrize("resources, luts, memory", [(ICE40, 396, 3), (ECP5, 108, 0)])
def test_gains_and_scores(resources, luts, memory):
    mapping = bench().DESIGNS["digits"].mapping
    plain = area.estimate(mapping, resources)
    wide = area.estimate(mapping, resources, gain_bits=16, score_bits=32)
    assert plain == area.estimate(mapping, resources, gain_bits=0, score_bits=16)
    assert (wide.luts - plain.luts, wide.memory_blocks - plain.memory_blocks) == (luts, memory)


def test_gowin_is_reckoned_with_plain_trees():
    assert area.estimate(bench().DESIGNS["digits"].mapping, GOWIN) == area.Estimate(3_218, 18)


# What the functions gave when `python -m bench.area` held them to synthesis.
EXPECTED = {
    "tiny": (2_154, 7, 0),
    "digits-small": (2_323, 14, 0),
    "digits": (3_234, 30, 0),
    "digits-gain": (2_800, 19, 0),
    "digits-levels": (3_611, 34, 0),
    "mnist-spram": (2_442, 13, 4),
    "mnist-spram-batch": (4_227, 29, 4),
    "sensed": (2_727, 14, 0),
    "digits-ecp5": (3_299, 13, 0),
    "digits-batch": (3_540, 8, 0),
    "mnist": (4_054, 22, 0),
    "mnist-wide": (8_417, 68, 0),
    "deep": (4_428, 32, 0),
    "drawn": (3_121, 41, 4),
    "drawn-lfsr": (2_584, 18, 0),
    "drawn-bank": (7_627, 35, 0),
    "drawn-apart": (3_350, 44, 0),
    "drawn-apart-batch": (5_132, 14, 0),
    "drawn-xor": (7_272, 35, 0),
    "signs": (3_133, 11, 0),
    "few": (2_641, 16, 0),
    "few-activations": (2_935, 24, 0),
    "few-weights": (3_294, 20, 0),
    "few-ecp5": (4_651, 22, 0),
    "several-bits": (4_820, 29, 4),
    "several-bits-small": (4_161, 32, 0),
    "several-bits-ecp5": (8_153, 110, 0),
    "several-bits-relu": (9_423, 138, 0),
    "trainer-digits": (4_401, 20, 4),
    "trainer-mnist": (4_471, 26, 4),
    "trainer-signs": (4_100, 19, 4),
    "trainer-small": (3_867, 16, 0),
    "trainer-ecp5": (5_967, 22, 0),
    "trainer-mnist-ecp5": (10_725, 143, 0),
}


def test_estimates_of_designs():
    assert {name: design.estimate for name, design in bench().DESIGNS.items()} \
        == {name: area.Estimate(*expected) for name, expected in EXPECTED.items()}


def check(name, folder):
    found = bench().measure(bench().DESIGNS[name], folder)
    assert abs(found["error"]) <= bench().MOST
    assert found["memories_estimated"] == found["memories"]
    assert found["sprams_estimated"] == found["sprams"]


SAMPLE = ("tiny", "digits-small", "mnist-spram", "digits-ecp5", "digits-batch", "signs", "few")


@pytest.mark.slow
@needs_nextpnr
@pytest.mark.parametrize("name", SAMPLE)
def test_estimates_come_within_a_tenth_of_synthesis(name, tmp_path):
    check(name, tmp_path)


@pytest.mark.nightly
@needs_nextpnr
@pytest.mark.parametrize("name", sorted(set(EXPECTED) - set(SAMPLE)))
def test_estimates_of_others_come_within_a_tenth_as_well(name, tmp_path):
    check(name, tmp_path)


def test_cost_offers_areas():
    assert (cost.estimate, cost.Estimate, cost.blocks, cost.layer) \
        == (area.estimate, area.Estimate, area.blocks, area.layer)


@pytest.mark.parametrize("width, levels, ice40, ecp5", [
    (127, 2, 288, 202), (200, 2, 468, 322), (255, 1, 642, 408), (300, 3, 687, 480),
    (1_000, 0, 2_243, 1_546)])
def test_wide_popcounts(width, levels, ice40, ecp5):
    assert area.popcount_luts(width, "ice40", levels) == ice40
    assert area.popcount_luts(width, "ecp5", levels) == ecp5


def test_edges():
    assert area.popcount_luts(64, "ice40") == area.popcount_luts(64, "ice40", 0)
    assert area.dull_bits(96, 96, "sign") == 5
    assert area.sense_luts(1, 1, 16, 16, "sign", "ice40") == 5
    assert area.layer(Folding(17, 1, BITS, 1, 1), ICE40) == (1, 246)
    assert area.layer(Folding(784, 300, BITS, 1, 4), ICE40) == (61, 303)
    assert area.link(Folding(72, 4, BITS, 1, 8), 4, 20, ICE40) == (5, 1_694)
    assert area.scores(Folding(8, 16, BITS, 1, 8), ECP5, 0, 16) == (0, pytest.approx(105.6))
    for classes, blocks in ((16, 8), (17, 9)):   # results of 32 bits, and of 33
        mapping = Mapping((Folding(8, classes, BITS, 1, 8),))
        assert area.estimate(mapping, ICE40, score_bits=28).memory_blocks == blocks
