"""The benchmark of learning."""

import json

import pytest

from bench import learning_speed
from bench.learning_speed import Design, main
from boards import catalog
from gateware import learning_area
from gateware.learning_folding import LearningFolding
from model import data
from model.sign_update import Learner, SignUpdate


SMALL = ["--dataset", "digits", "--images", "60", "--rounds", "1"]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(learning_speed, "DESIGNS", (
        Design("icebreaker", 24, 16, {"pe": 8, "storage": "spram"}),
        Design("ulx3s-85f", 60, 16, {"pe": 16, "pixels": 1})))


@pytest.mark.parametrize("here", [True, False])
def test_speeds_side_by_side(small, here, monkeypatch, capsys):
    if here and not learning_speed.can_compile():
        pytest.skip("no Numba: pip install 'ohmbit[numba]'")
    monkeypatch.setattr(learning_speed, "can_compile", lambda: here)
    assert main([*SMALL, "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["dataset"], found["images"]) == ("digits", 60) and "3 orders" in found["claim"]
    slow, quick = found["designs"]
    assert (slow["clock"], quick["clock"]) == (24e6, 60e6)
    assert slow["cycles"] > quick["cycles"] and slow["learned"] == quick["learned"] > 0.5
    for row in (slow, quick):
        assert row["hardware"] == pytest.approx(row["clock"] / row["cycles"], rel=1e-3)
        assert row["times_numpy"] == pytest.approx(row["hardware"] / row["numpy"], rel=0.02)
        assert (row["numba"] is not None) == (row["times_numba"] is not None) == here
    assert said.err.startswith("Numba is not here") != here
    assert main(SMALL) == 0
    assert "3 orders of magnitude" in capsys.readouterr().out


def test_layouts_fit_their_boards():
    for design in learning_speed.DESIGNS:
        folding = LearningFolding(SignUpdate(784, design.hidden, 10), **design.layout)
        resources = catalog.find(design.board).resources
        assert not learning_area.estimate(folding, resources).excess(resources)


def test_an_image_takes_at_least_the_cycles_in_which_it_comes():
    digits = data.load("digits")
    spec = SignUpdate(64, 4, 10)
    steps = list(Learner(spec).learn(16 * digits.x_test[:20], [10] * 20))   # none is learned
    slow = LearningFolding(spec, pe=1, pixels=64)
    times = [slow.cycles(step) for step in steps]
    assert learning_speed.cycles(slow, steps) == (slow.loads + sum(times)) / 20
    quick = LearningFolding(spec, pe=4)
    assert learning_speed.cycles(quick, steps) == 64 + 4 + quick.cycles(steps[-1]) / 20


def test_options(capsys):
    for options, message in ((["--images", "0"], "--images must be at least 1"),
                             (["--rounds", "0"], "--rounds must be at least 1")):
        with pytest.raises(SystemExit):
            main(options)
        assert message in capsys.readouterr().err
    assert main(["--dataset", "none"]) == 2
    assert "none" in capsys.readouterr().err
