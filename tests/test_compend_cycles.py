"""What `bench.compend` measures of layers that stop once their answer is known."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st

from bench import compend
from bench.compend import IDEAS, main, measure
from bench.compend_cycles import FACTOR, cycles, inside, lock_step
from gateware.serial_folding import SerialFolding
from model import data
from model.deal import dealt, neurons
from model.quantize import quantize
from model.ranges import bounds
from model.real import train
from model.schedule import Schedule

from .strategies import activations, compends


HIDDEN, EPOCHS, IMAGES = (24, 16), 3, 40
SMALL = ["--datasets", "digits", "--hidden", "24,16", "--epochs", "3", "--images", "40"]


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def network(digits):
    return quantize(train(digits, hidden=HIDDEN, epochs=EPOCHS, activation="relu",
                          bound=bounds(2)), digits)


@pytest.fixture(scope="module")
def rows(digits):
    return measure(digits, hidden=HIDDEN, epochs=EPOCHS, images=IMAGES, activations=["relu"],
                   weight_bits=[8], pe=[1, 4])


@given(data=st.data(), layer=compends(max_outputs=12, detections=["exact", "speculative"]),
       pe=st.integers(1, 5))
def test_in_lock_step_the_slowest_of_a_group_counts(data, layer, pe):
    x = data.draw(activations(layer, 5))
    pe, simd = min(pe, layer.outputs), min(2, layer.inputs)
    folding = SerialFolding.of(layer, pe=pe, simd=simd)
    alone = Schedule(pe=1, simd=simd, wasted=folding.wasted, least=folding.least)
    each = [alone.counts(neurons(layer, np.array([n])), x).cycles for n in range(layer.outputs)]
    slowest = [np.max(each[first:first + pe], axis=0) for first in range(0, layer.outputs, pe)]
    assert (lock_step(folding, layer, x) == sum(slowest) + folding.overhead).all()


def test_cycles_are_those_of_the_schedule(digits, network):
    x, pe = digits.x_test[:IMAGES], 4
    found = cycles(network, digits.x_train[:1000], x, pe, 8)
    ways = {way: "" for way in IDEAS.values()} | {"none": "", "exact zeros": ""}
    assert all(ways.keys() <= each.keys() for each in found)
    for detection, order, zeros in [("none", "", False), ("none", "", True), ("exact", "", False),
                                    ("exact", "dealt", True), ("speculative", "dealt", False)]:
        other = dealt(network, digits.x_train[:1000], pe) if order else network
        way = " ".join(filter(None, [detection, order, "zeros" if zeros else ""]))
        for n, (layer, seen) in enumerate(inside(other.detecting(detection, FACTOR), x)):
            schedule = SerialFolding.of(layer, pe=pe, simd=8, skip_zeros=zeros).schedule
            assert found[n][way] == schedule.counts(layer, seen).cycles.mean()
    # Whoever waits for nobody is sooner done.
    first = found[0]
    assert first["none"] > first["lock-step"] > first["exact"] > first["exact dealt"]
    assert first["exact dealt"] > first["speculative dealt"]


def test_one_pe_takes_neurons_in_any_order(digits, network):
    for ways in cycles(network, digits.x_train[:100], digits.x_test[:9], 1, 8):
        for way in ("exact", "exact zeros", "speculative", "speculative zeros"):
            assert ways[way] == ways[way.replace(" zeros", "") + " dealt"
                                     + (" zeros" if "zeros" in way else "")]


def test_rows(digits, network, rows):
    accuracy, = rows["accuracies"]
    right = (network(digits.x_test) == digits.y_test).mean()
    assert accuracy["quantized"] == round(100 * right, 2)
    assert accuracy["lost"] == round(accuracy["quantized"] - accuracy["speculative"], 2)
    assert 0 < accuracy["binary"] < 100 and abs(accuracy["real"] - accuracy["quantized"]) < 3
    assert [(row["layer"], row["inputs"], row["outputs"]) for row in rows["planes"]] == [
        (0, 64, 24), (1, 24, 16)]
    run = network.layers[0].run(digits.x_test)[1]
    assert rows["planes"][0]["exact"] == round(100 - 100 * run.mean() / 8, 2)
    assert rows["planes"][0]["speculative"] > rows["planes"][0]["exact"] > 0
    assert [(row["layer"], row["pe"]) for row in rows["cycles"]] == [
        (0, 1), (1, 1), (0, 4), (1, 4)]
    for row in rows["cycles"]:
        assert row["saved"]["none"] == 0
        assert row["saved"]["exact"] == pytest.approx(
            100 - 100 * row["cycles"]["exact"] / row["cycles"]["none"], abs=0.01)


def test_the_same_again_as_json_and_as_tables(rows, capsys):
    arguments = [*SMALL, "--activations", "relu", "--weight-bits", "8", "--pe", "1,4"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == rows
    assert main([*arguments[:-2], "--pe", "2"]) == 0
    shown = [[cell.strip() for cell in line.split("|")[1:-1]]
             for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[0] for row in shown] == ["dataset", "digits", "dataset", "digits", "digits",
                                         "dataset", "digits", "digits"]
    assert shown[1][3:5] == [f"{rows['accuracies'][0][key]:.2f}" for key in ("real", "quantized")]
    assert len(shown[5]) == len(shown[6]) == 6 + len(IDEAS)


def test_figures(rows, monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(compend.plot, "groups", lambda path, names, series, **axes: drawn.update(
        {path.name: (names, series, axes["y"])}))
    compend.plots(rows["cycles"], tmp_path)
    (name, (layers, series, axis)), = drawn.items()
    assert (name, layers) == ("compend-digits", ["relu, layer 0", "relu, layer 1"])
    assert series["none"] == [100, 100] and axis.endswith("PE 4")
    saved = [row["saved"]["exact dealt"] for row in rows["cycles"][2:]]
    assert series["exact"] == [100 - each for each in saved]


def test_areas_need_no_images(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(compend.compend_area, "measure",
                        lambda outputs, **given: asked.append((outputs, given)) or [])
    assert main(["--area", "--hidden", "32", "--datasets", "none", "--json"]) == 0
    assert main(["--area", "--pe", "2", "--weight-bits", "4,6"]) == 0
    given = {"activations": ["relu", "sign"], "simd": 8}
    assert asked == [(32, given), (256, given | {"pe": [2], "weight_bits": [4, 6]})]
    assert capsys.readouterr().out.startswith('{"areas": []}\n')


@pytest.mark.parametrize("options, said", [
    (["--datasets", "none"], "none: no such dataset; choose "),
    (["--activations", "relu,tanh"], "activation must be relu or sign, not 'tanh'"),
    (["--weight-bits", "8,17"], "Bits of a weight must be between 2 and 16, not 17"),
    (["--pe", "17"], "PE must be between 1 and 16, not 17"),
    (["--simd", "25"], "SIMD must be between 1 and 24, not 25"),
    (["--images", "0"], "Images must be at least 1, not 0"),
    (["--epochs", "0"], "Epochs must be at least 1, not 0"),
    (["--hidden", "24,0"], "Hidden layers must be at least 1, not 0"),
    (["--area", "--simd", "0"], "SIMD must be between 1 and 784, not 0"),
    (["--area", "--activations", "tanh"], "Activation must be one of relu, ")])
def test_what_cannot_be_measured(options, said, capsys):
    assert main([*SMALL, *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith(said) and captured.err.count("\n") == 1


@pytest.mark.parametrize("options", [["--pe", "one"], ["--hidden", ""], ["--simd", "x"]])
def test_what_is_no_number(options, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(options)
    assert stopped.value.code == 2 and "invalid" in capsys.readouterr().err


def test_nothing_is_measured_for_figures_that_cannot_be_drawn(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(compend, "measure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*SMALL, "--plots", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("figures are drawn by matplotlib, which is not")
