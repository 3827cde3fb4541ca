"""The benchmark of simulators."""

import json

import numpy as np
import pytest

from bench import sim as bench
from boards import catalog
from gateware.fit import fit
from model.errors import InputError

from .commandline import random_network, without
from .test_verilator_engine import needs_verilator


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(bench, "CYCLES", {"verilator": 50_000, "verilator-rtl": 9_000,
                                          "amaranth": 500})
    monkeypatch.setattr(bench, "GOLDEN", 40)
    monkeypatch.setattr(bench, "sample", lambda: random_network(16, 4, 3, dataset=""))


@needs_verilator
def test_too_few_images_are_not_shared(small, capsys):
    assert bench.main(["--rounds", "1", "--images", "600", "--pe", "2,1", "--simd", "4,2",
                       "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["engines"]
    assert [row["processes"] for row in rows] == [1, 1, 1, 1]
    assert [row["images"] for row in rows[:2]] == [600, 600]


@needs_verilator
def test_all_take_their_turn(small, capsys):
    assert bench.main(["--rounds", "2", "--jobs", "2", "--pe", "2,1", "--simd", "4,2",
                       "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = {(row["engine"], row["processes"]): row for row in result["engines"]}
    assert result["mapping"] == [[2, 4], [1, 2]] and result["source"] == "random pixels"
    assert rows.keys() == {("verilator", 1), ("verilator", 2), ("verilator-rtl", 1),
                           ("amaranth", 1), ("golden model", 1)}
    each = result["cycles_per_image"]
    assert rows["verilator", 1]["images"] == rows["verilator", 2]["images"] \
        == max(50_000 // each, 20 * 2 * 32)
    assert rows["verilator", 1]["cycles"] == rows["verilator", 2]["cycles"] > 49_000
    assert rows["verilator", 2]["processor_seconds"] is None
    assert rows["amaranth", 1]["ratio"] == 1 < rows["golden model", 1]["ratio"]
    for row in rows.values():
        assert row["mismatches"] == (None if row["engine"] == "golden model" else 0)
        assert row["images_per_second"] * row["seconds"] == pytest.approx(row["images"], rel=0.1)
        if row["cycles"]:
            assert row["cycles_per_second"] / row["images_per_second"] \
                == pytest.approx(row["cycles"] / row["images"], rel=1e-3)


def test_what_is_not_here_is_left_out(small, monkeypatch, capsys):
    without(monkeypatch, "c++")
    assert bench.main(["--rounds", "1"]) == 0
    said = capsys.readouterr()
    assert "amaranth" in said.out and "golden model" in said.out and "verilator" not in said.out
    assert said.err.startswith("c++ is not here: what needs it is left out")


def test_a_mismatch_fails(small, monkeypatch, capsys):
    without(monkeypatch, "c++")
    other, image = random_network(16, 4, 3, seed=5), bench.compiler.image
    monkeypatch.setattr(bench.compiler, "image", lambda network, mapping: image(other, mapping))
    assert bench.main(["--rounds", "1", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["engines"]
    assert rows[0]["mismatches"] > 0


def test_images_are_the_datasets():
    net = random_network(64, 4, 10)
    images, source = bench.pixels(net, 500, None)
    assert source == "digits" and images.shape == (500, 64)
    assert np.array_equal(images[360:], images[:140])
    images, source = bench.pixels(random_network(16, 4, 3), 7, None)   # of another size
    assert source == "random pixels" and images.shape == (7, 16) and images.max() < 32


@pytest.mark.parametrize("options, said", [
    (["--pe", "1,1"], "--pe and --simd go together, with 2 numbers each"),
    (["--pe", "1", "--simd", "1"], "--pe and --simd go together, with 2 numbers each"),
    (["--pe", "5,1", "--simd", "1,1"], "mapping: PE must be between 1 and 4, not 5"),
    (["--board", "nonsense"], "no board 'nonsense'"), (["gone.npz"], "gone.npz: no such file")])
def test_what_cannot_be(small, capsys, options, said):
    assert bench.main(options) == 2
    assert said in capsys.readouterr().err


def test_mapping_is_the_boards_by_default():
    net, board = random_network(64, 12, 10), catalog.find("ulx3s-25f")
    assert bench.choose(net, board, None, None) == fit(net.shape, board.resources)
    with pytest.raises(InputError):
        bench.choose(net, board, None, (1, 1))
