"""What `bench.learn` compares, and its table."""

import json

import numpy as np
import pytest

from bench import learn, learning_ways
from bench.learn import SOURCE, main
from bench.learning_ways import WAYS, Counters, Sigmoids, reduced
from model import data
from model.convergence import Convergence
from model.errors import InputError


SMALL = ("--dataset", "digits", "--images", "400", "--tests", "100", "--hidden", "24",
         "--epochs", "3", "--span", "20", "--decays", "1.5,3", "--rate", "0.05", "--start", "0.2")


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_all_ways(capsys):
    assert main([*SMALL, "--noises", "0,0.1", "--json"]) == 0
    out, err = capsys.readouterr()
    rows = {(row["way"], row["decay"], row["noise"]): row for row in json.loads(out)}
    assert list(rows) == [(way, decay, noise) for way in WAYS for decay in (1.5, 3)
                          for noise in (0, 0.1)]
    assert len(err.splitlines()) == len(rows)
    # A pass each time that the rate is at least a twentieth of the first one.
    assert {way: rows[way, 1.5, 0]["iterations"] for way in WAYS if way != "errors"} \
        == {"steep": 800, "flat": 800, "ours": 1_200}
    assert rows["steep", 3, 0]["iterations"] == 300
    assert rows["errors", 1.5, 0]["iterations"] % 40 == 0
    assert all(row["source"] is row["source_iterations"] is None for row in rows.values())
    right = {way: rows[way, 1.5, 0]["accuracy"] for way in WAYS}
    assert right["steep"] > 50 < right["errors"] and right["flat"] < 30 and right["ours"] > 70
    assert rows["steep", 1.5, 0]["accuracy"] != rows["steep", 1.5, 0.1]["accuracy"]


def test_its_table(capsys):
    assert main([*SMALL, "--noises", "0", "--ways", "flat,steep"]) == 0
    lines = [[cell.strip() for cell in line.split("|")[1:-1]]
             for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert lines[0] == ["decay", "noise", "source", "iterations", "flat", "iterations", "steep",
                        "iterations"]
    (first, second) = lines[2:]
    assert first[:4] == ["1.5", "0", "–", "–"] and first[5] == first[7] == "800"
    assert second[:4] == ["3", "0", "–", "–"] and second[5] == "300"


def test_figures_of_the_source_stand_beside_its_own_protocol(monkeypatch, digits):
    """MNIST, that is, with as many images."""
    asked = []
    monkeypatch.setattr(learn, "reduced", lambda dataset, *given: asked.append(given) or digits)
    monkeypatch.setattr(learn, "rule",
                        lambda *given, **more: lambda: (7, np.zeros(len(digits.y_test))))

    class Mnist:
        name = "mnist"

    rows = learn.measure(Mnist, noises=(0.0, 0.1), ways=["steep"])
    assert asked == [(20_000, 5_000, False)]
    assert {(row["decay"], row["noise"]): row["source"] for row in rows
            if row["source"]} == SOURCE == {(1.2, 0): 94.84, (1.5, 0): 94.3, (1.8, 0): 93.02}
    assert [row["source_iterations"] for row in rows] == [140_000] + 5 * [None]
    table = learn.table(rows)
    assert list(table.columns[2].cells) == ["94.84", "–", "94.30", "–", "93.02", "–"]
    assert list(table.columns[3].cells) == ["140,000"] + 5 * ["–"]
    for other in ({"images": 19_999}, {"tests": 4_999}, {"validate": True}):
        assert not any(row["source"] or row["source_iterations"]
                       for row in learn.measure(Mnist, ways=["flat"], **other))


def test_images(digits):
    part = reduced(digits, 400, 100)
    assert (part.x_train == digits.x_train[:400]).all()
    assert (part.x_test == digits.x_test[:100]).all() and len(part.y_test) == 100
    part = reduced(digits, 400, 100, validate=True)
    assert (part.x_test == digits.x_train[400:500]).all()
    assert (part.y_test == digits.y_train[400:500]).all() and len(part.y_train) == 400


def test_ways(digits):
    part = reduced(digits, 400, 100)
    given = {"hidden": 3, "decay": 1.5, "noise": 0.1, "seed": 4}
    specs = {way: Sigmoids(way, part, **given, edge=0.2).spec for way in WAYS[:-1]}
    assert {way: (spec.filter, spec.window, spec.falling) for way, spec in specs.items()} == {
        "steep": ("steep", 100, 0), "flat": ("flat", 100, 0), "errors": ("steep", 40, 0.98)}
    spec = specs["errors"]
    assert (spec.inputs, spec.hidden, spec.classes, spec.edge, spec.span) == (64, 3, 10, 0.2, 150)
    assert (spec.decay, spec.noise, spec.seed, spec.dead_zone) == (1.5, 0.1, 4, 0.3)
    ours = Counters(part, **given, epochs=5, samples=2)
    assert ours.convergence == Convergence.scheduled(1.5, 2_000) and ours.spec.noise == 26
    assert ours.spec.seed == 4
    assert ours()[0] == 2_000


def test_orders():
    found = list(learning_ways.orders(10, 3, 25))
    assert [len(order) for order in found] == [10, 10, 5]
    assert sorted(found[0]) == list(range(10)) and (found[0] != found[1]).any()
    again = list(learning_ways.orders(10, 3, 100))
    assert (again[1] == found[1]).all() and len(again) == 10
    assert (next(learning_ways.orders(10, 4, 25)) != found[0]).any()


def test_errors_that_go_on_falling(monkeypatch, digits):
    monkeypatch.setattr(learning_ways, "MOST", 1_000)
    part = reduced(digits, 400, 100)
    iterations, classes = Sigmoids("steep", part, hidden=2, decay=1.01)()
    assert iterations == 1_000 and classes.shape == (100,)


@pytest.mark.parametrize("options, message", [
    (["--ways", "steep,other"], "--ways takes steep, flat, errors, ours, not 'other'"),
    (["--images", "1400"],
     "digits has 1,437 training and 360 test images: choose fewer --images or --tests"),
    (["--tests", "361"],
     "digits has 1,437 training and 360 test images: choose fewer --images or --tests"),
    (["--images", "9"], "Images must be at least 10, not 9"),
    (["--tests", "0"], "Tests must be at least 1, not 0"),
    (["--epochs", "0"], "Epochs must be at least 1, not 0"),
    (["--samples", "0"], "Samples must be between 1 and 256, not 0"),
    (["--decays", "1.2,1"], "Decay must be above 1, not 1.0"),
    (["--noises", "2"], "Noise must be between 0 and 1, not 2.0"),
    (["--dead-zone", "2"], "Dead zone must be between 0 and 1, not 2.0"),
    (["--dataset", "cats"],
     "cats: no such dataset; choose digits, iris, mnist, fashion-mnist, cifar10, or give a "
     "FILE.npz")])
def test_what_cannot_be_measured(capsys, options, message):
    validate = ["--validate"] if "1400" in options else []
    assert main([*SMALL, *validate, *options]) == 2
    assert capsys.readouterr() == ("", message + "\n")


def test_too_few_images_are_the_users_to_mend(digits):
    with pytest.raises(InputError):
        reduced(digits, 1_438, 1)
