"""What detection takes of an FPGA, as `bench.compend --area` measures it."""

import pytest
from amaranth import Fragment
from rich.console import Console

from bench import compend_area
from bench.compend_area import measure, table
from sim import tools


@pytest.fixture
def units(monkeypatch):
    """Foldings of which the sizes were asked for; each takes 100, 110 or 125."""
    seen = []

    def packed(unit, family, cache):
        Fragment.get(unit, None)   # which would be missed
        folding = unit._folding
        seen.append((family, folding))
        count = {"none": 100, "exact": 110, "speculative": 125}[folding.detection]
        return {"ICESTORM_LC": count, "TRELLIS_COMB": 10 * count}

    monkeypatch.setattr(compend_area, "packed", packed)
    return seen


def test_one_layer_three_detections(units):
    rows = measure(pe=[4])
    assert [(row["family"], row["activation"], row["outputs"]) for row in rows] == [
        ("ecp5", "relu", 256), ("ecp5", "sign", 256), ("ice40", "relu", 80), ("ice40", "sign", 80)]
    assert rows[0]["luts"] == {"none": 1000, "exact": 1100, "speculative": 1250}
    assert rows[3]["luts"]["exact"] == 110
    assert all(row["over"] == {"none": 0, "exact": 10, "speculative": 25} for row in rows)
    assert [(family, folding.detection) for family, folding in units[:3]] == [
        ("ecp5", "none"), ("ecp5", "exact"), ("ecp5", "speculative")]
    assert {(family, folding.storage, folding.inputs, folding.pe, folding.simd)
            for family, folding in units} == {
        ("ecp5", "block", 784, 4, 8), ("ice40", "spram", 784, 4, 8)}


def test_fewer_neurons_than_spram_has_rows_for(units):
    assert {row["outputs"] for row in measure(12, inputs=16, pe=[2])} == {12}


def test_table(units):
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table(measure(12, inputs=16, activations=["relu"], pe=[2])))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]]
             for line in capture.get().splitlines() if line.startswith("| ")]
    assert lines[1] == ["ecp5", "relu", "8 bits", "12", "2", "1,000", "1,100", "1,250", "+10.0 %",
                        "+25.0 %"]


@pytest.mark.slow
@pytest.mark.skipif(
    any(tools.find(name) is None for name in ("yosys", "nextpnr-ice40", "nextpnr-ecp5")),
    reason="nextpnr: pip install 'ohmbit[ice40,ecp5]'")
def test_detection_is_a_small_part(tmp_path):
    for row in measure(8, inputs=32, activations=["relu"], pe=[2], cache=tmp_path):
        assert 0 < row["over"]["exact"] < row["over"]["speculative"] < 50
        assert row["over"]["exact"] <= 15
