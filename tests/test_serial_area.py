"""Areas of layers of several bits are estimated as synthesis has them."""

import importlib

import pytest

from gateware import area, serial_area
from gateware.lane import Lane
from gateware.mapping import Mapping
from gateware.ring import Ring
from gateware.serial_folding import SerialFolding
from gateware.total import Total

from .test_area import ECP5, ICE40, needs_nextpnr


RESOURCES = {"ice40": ICE40, "ecp5": ECP5}
CELLS     = {"ice40": ("ICESTORM_LC", "ICESTORM_RAM"), "ecp5": ("TRELLIS_COMB", "DP16KD")}
NEAR      = 0.06   # that an estimate may be off


def folding(activation="sign", detection="exact", simd=8, pe=4, **given_):
    detection = "none" if activation == "linear" else detection
    return SerialFolding(512, 64, 8, 8, {"relu": 8, "sign": 1, "linear": 27}[activation], 27,
                         activation, **{"pe": pe, "simd": simd, "detection": detection} | given_)


# What nextpnr packs of each, less two cells for constants.
@pytest.mark.parametrize("count, ice40, ecp5", [
    (1, 0, 0), (2, 9, 10), (4, 28, 32), (8, 67, 76), (13, 118, 134), (16, 146, 166),
    (32, 305, 346)])
def test_totals_are_counted_cell_by_cell(count, ice40, ecp5):
    assert serial_area.total(count, 8, "ice40") == ice40
    assert serial_area.total(count, 8, "ecp5") == ecp5


def test_detection_costs_a_comparison_and_speculation_another():
    def luts(**given_):
        return serial_area.lane(folding(**given_), 0, ICE40)[1]

    none = luts(detection="none")
    assert luts(activation="relu", detection="none") == none
    assert luts(activation="relu") - none == 19
    # Of 27 bits of a sum 9 are too fine, and 10 greater than any limit.
    assert luts() - none == pytest.approx(19 + 8 + 10 / 3)
    assert luts(detection="speculative") - luts() == pytest.approx(8 + 10 / 3)


@pytest.mark.parametrize("made, ice40, ecp5", [
    (folding(), (77, 2_535), (18, 2_374)),
    (folding("relu", simd=16, pe=2, storage="spram"), (18, 1_826), (6, 1_994)),
    (folding("linear", detection="none", pe=1, levels=1), (73, 1_093), (20, 996)),
    (folding(storage="distributed"), (13, 493_959), (2, 45_346)),
])
def test_layers(made, ice40, ecp5):
    for resources, expected in ((ICE40, ice40), (ECP5, ecp5)):
        memory, luts = area.layer(made, resources)
        assert (memory, luts) == expected


def test_spram_is_counted_for_each_pe():
    mapping = Mapping((folding(simd=16, storage="spram"), folding("linear", pe=1, simd=4)))
    assert [area.spram_blocks(layer) for layer in mapping.layers] == [4, 0]
    assert area.spram_blocks(folding(simd=17, pe=2, storage="spram")) == 4


def test_activations_that_come_a_few_at_a_time_need_no_adders():
    few, all_ = folding(), folding(pe=64)
    assert (few.pixels, all_.pixels) == (1, 8)
    found = [serial_area.ring(each, ICE40)[1] for each in (few, all_)]
    # A word is in flip-flops either way; adders, and what tells zeros, are for eight of them.
    assert found[1] - found[0] == pytest.approx(
        serial_area.total(8, 8, "ice40") + 7 * 8 * serial_area.LUTS_TO_KEEP)


@pytest.mark.slow
@needs_nextpnr
@pytest.mark.parametrize("family, simd, activation, detection", [
    ("ice40", 8, "sign", "exact"), ("ice40", 13, "relu", "exact"),
    ("ecp5", 8, "sign", "speculative"), ("ecp5", 16, "relu", "exact")])
def test_synthesis_makes_of_parts_what_is_estimated(family, simd, activation, detection, tmp_path):
    packed = importlib.import_module("bench.area").packed
    made = folding(activation, detection, simd, storage="spram" if family == "ice40" else "block")
    luts, memories = CELLS[family]
    resources, found = RESOURCES[family], {}
    for part, make, expected in (
            ("total", lambda: Total(count=simd, bits=8), (0, serial_area.total(simd, 8, family))),
            ("lane", lambda: Lane(made, 0), serial_area.lane(made, 0, resources)),
            ("ring", lambda: Ring(simd=simd, bits=8, words=made.folds, pixels=made.pixels,
                                  entering=made.entering, grain=made.grain),
             serial_area.ring(made, resources))):
        cells = packed(make(), family, tmp_path)
        found[part] = cells.get(memories, 0) - expected[0], cells[luts] - 2 - round(expected[1])
        # A memory too many or too few, or look-up tables.
        assert found[part][0] == 0, found
        assert abs(found[part][1]) <= max(8, NEAR * expected[1]), found
