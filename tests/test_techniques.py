import json
import math
import sys

import numpy as np
import pytest

from bench import techniques
from bench.techniques import ANEW, BOUNDS, KEPT, NAMES, main
from model import data
from model.encoder import BitSerial, Threshold
from model.stochastic import Stochastic
from model.train import train


ROWS = [("tanh", ""), ("train-then-binarize", ANEW), ("train-then-binarize", KEPT),
        ("binarize-and-train", ""), ("deterministic-input", ""),
        *(("stochastic-input", f"T = {samples}, added up by the {adds}")
          for samples in (8, 64) for adds in ("first layer", "scores")),
        *(("bounded-weights", f"b = {b:g}") for b in BOUNDS)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The digits with pixels of eight bits."""
    digits = data.load("digits")
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(path, x_train=15 * digits.x_train, y_train=digits.y_train,
             x_test=15 * digits.x_test, y_test=digits.y_test)
    return str(path)


@pytest.fixture
def run(path, capsys):
    """Function that runs the benchmark on these, and returns what it printed."""
    def run(*options, hidden="16", epochs="4"):
        assert main(["--dataset", path, "--hidden", hidden, "--epochs", epochs, *options]) == 0
        return capsys.readouterr().out

    return run


def test_all_techniques(path, run):
    result = json.loads(run("--json"))
    assert (result["shape"], result["images"]) == ("64-16-10", 360)
    rows = {(row["technique"], row["detail"]): row["accuracy"] for row in result["techniques"]}
    assert list(rows) == ROWS
    assert all(row["source"] is None for row in result["techniques"])
    assert all(right > 50 for right in rows.values())
    assert rows["tanh", ""] > rows["train-then-binarize", ANEW]

    # Each of binary weights is the golden model's, of what was trained for just that.
    digits = data.load(path)
    for row, encoder in ((("binarize-and-train", ""), BitSerial(8)),
                         (("deterministic-input", ""), Threshold(128)),
                         (ROWS[5], Stochastic(8, generator="vdc-xor")),
                         (ROWS[6], Stochastic(8, generator="vdc-xor", combine="scores"))):
        network = train(digits, hidden=(16,), epochs=4, encoder=encoder)
        right = (network(digits.x_test) == digits.y_test).mean()
        assert rows[row] == round(100 * float(right), 2)

    weights = 64 * 16 + 16 * 10
    assert [row["bound"] for row in result["bounded"]] == list(BOUNDS)
    for row in result["bounded"]:
        assert sum(row["counts"]) == weights
        assert row["accuracy"] == rows["bounded-weights", f"b = {row['bound']:g}"]
        assert list(row["planes"]) == [str(k) for k in range(1, 9)]
        assert abs(row["planes"]["8"] - row["accuracy"]) < 2
    wide, *_, narrow = (np.array(row["counts"]) / weights for row in result["bounded"])
    assert wide[15:25].sum() > 0.9 and narrow[[0, -1]].sum() > 0.1


def test_the_same_seed_gives_the_same(run):
    def figures(seed):
        result = json.loads(run("--json", "--only", "tanh,stochastic-input", "--seed", seed))
        return [row["accuracy"] for row in result["techniques"]], result["bounded"]

    assert figures("1") == figures("1") != figures("2")
    assert len(figures("1")[0]) == 5


def test_tables_beside_the_source(path, run, monkeypatch):
    monkeypatch.setitem(techniques.SOURCE, path, techniques.SOURCE["mnist"])
    shown = run(epochs="1", hidden="8,6")
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown.splitlines()
             if line.startswith("| ")]
    sources = {tuple(row[:2]): row[2] for row in table if row[0] in NAMES}
    accuracy, error = map(float, table[1][3:])
    assert error == pytest.approx(100 * math.sqrt(
        accuracy / 100 * (1 - accuracy / 100) / 360), abs=0.005)
    assert list(sources) == ROWS[:9]
    assert list(sources.values()) == ["97.7", "80.7", "80.7", "97.4", "97.0", "97.5", "97.5",
                                      "97.7", "97.7"]
    assert [row[0] for row in table[-len(BOUNDS):]] == [f"{bound:g}" for bound in BOUNDS]
    assert all(name in shown for name in techniques.WHY)


def test_figures_are_drawn(run, tmp_path):
    folder = tmp_path / "figures"
    alone = run("--only", "bounded-weights", "--folder", str(folder), epochs="1")
    assert "k = 8" in alone and "tanh" not in alone
    names = "bound.png", "bound.svg", "histogram.png", "histogram.svg", "planes.png", "planes.svg"
    assert sorted(path.name for path in folder.iterdir()) == list(names)


@pytest.mark.parametrize("options, said", [
    (["--dataset", "none"], "none: no such dataset; choose "),
    (["--dataset", "digits"], "pixels of digits have 5 bits: choose a dataset with 8"),
    (["--only", "tanh,dice"], "dice: no such technique; choose tanh, train-then-binarize, "),
    (["--hidden", "0"], "Hidden layers must be at least 1, not 0"),
    (["--epochs", "0"], "Epochs must be at least 1, not 0"),
    (["--only", "bounded-weights", "--epochs", "-1"], "Epochs must be at least 1, not -1"),
    (["--seed", "-1"], "--seed must be at least 0, not -1")])
def test_what_cannot_be_measured(path, options, said, capsys):
    assert main(["--dataset", path, "--epochs", "1", "--hidden", "4", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith(said)
    assert captured.err.count("\n") == 1


def test_nothing_is_measured_for_figures_that_cannot_be_drawn(path, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(techniques, "measure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["--dataset", path, "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err == ("figures are drawn by matplotlib, which is not installed: "
                                       "pip install 'ohmbit[plot]'\n")
