"""Networks with weights of several bits: trained, on simulators, on boards, and by the command."""

import os
import pathlib
from contextlib import nullcontext

import numpy as np
import pytest

from boards import catalog
from boards.build import build
from boards.top import Top
from boards.virtual_engine import VirtualEngine
from gateware import cost
from gateware.compiler import compile, counted, image, taken
from gateware.fit import fit
from gateware.mapping import uniform
from gateware.plan import Plan
from model import data
from model.compend import Compend
from model.deal import dealt
from model.network import Network
from model.quantize import quantize
from model.ranges import bounds
from model.real import train
from sim.compare import compare
from sim.netlist_engine import NetlistEngine
from sim.verilator_engine import VerilatorEngine

from .test_verilator_engine import needs_verilator


BUILD = pathlib.Path(__file__).parent.parent / "build" / "test-several-bits"

needs_fashion = pytest.mark.skipif(
    "OHMBIT_DATA" not in os.environ,
    reason="Fashion-MNIST: set OHMBIT_DATA to a folder with fashion-mnist/")


def trained(dataset, activation, hidden, epochs):
    """All layers of several bits with ReLU, and the first one with signs."""
    real = train(dataset, hidden=hidden, epochs=epochs, activation=activation,
                 bound=bounds(len(hidden)), real_layers=1 if activation == "sign" else None)
    return dealt(quantize(real, dataset), dataset.x_train[:500], 16)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module", params=["sign", "relu"])
def trained_network(request, digits):
    return trained(digits, request.param, (32, 16), 5)


def hold(engine, network, mapping, images):
    """Every word, what was counted and the cycles, to the model and the prediction."""
    result = engine.infer(images)
    expected = counted(network, mapping, images)
    compared = compare(network, images, result, counted=expected)
    assert compared.total == 0, compared.first
    counts = [f"layer{n}.counts" for n, layer in enumerate(network.all_layers)
              if isinstance(layer, Compend)]
    assert counts and set(counts) <= set(compared.mismatches)
    times = taken(expected)
    assert result.cycles == cost.timing(mapping, len(images), times).cycles
    return result


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("pe", [1, 4, 16])
def test_a_thousand_images(trained_network, digits, pe):
    network = trained_network
    mapping = uniform(network.shape, pe=pe, simd=8)
    engine = VerilatorEngine()
    engine.load(compile(network.shape, mapping, probes=True))
    engine.write(image(network, mapping))
    assert engine.read() == image(network, mapping)
    images = np.concatenate([digits.x_test, digits.x_train])[:1_000]
    exact = hold(engine, network, mapping, images)
    # As many on the same hardware that ends nothing early.
    none = network.detecting("none")
    engine.write(image(none, mapping))
    full = hold(engine, none, mapping, images)
    assert (full.scores == exact.scores).all() and full.cycles > exact.cycles


@needs_verilator
@pytest.mark.slow
def test_a_virtual_board_counts_too(trained_network, digits):
    network = trained_network.detecting("speculative", 3)
    mapping = uniform(network.shape, pe=4, simd=16)
    images = digits.x_test[:4]
    with VirtualEngine(catalog.find("icebreaker")) as engine:
        engine.load(compile(network.shape, mapping))
        engine.write(image(network, mapping))
        for detection in (network, network.detecting("exact"), network.detecting("none")):
            driver, contents = engine.driver, image(detection, mapping)
            driver.load(Plan(detection.shape, mapping))
            assert driver.holds(contents)   # whose weights are the same
            driver.choose(contents)
            assert driver.read() == contents
            result = driver.infer(images)
            expected = counted(detection, mapping, images)
            compared = compare(detection, images, result, counted=expected)
            assert compared.total == 0, compared.first
            assert "layer0.counts" in compared.mismatches
            times = taken(expected)
            assert result.cycles == driver.predict(len(images), times)
            assert result.cycles <= driver.predict(len(images))


@pytest.fixture(scope="module", params=["sign", "relu"])
def fashion(request):
    dataset = data.load("fashion-mnist")
    return dataset, trained(dataset, request.param, (256,), 5)


@needs_fashion
@pytest.mark.nightly
def test_early_detection_changes_no_result_of_ten_thousand_images(fashion):
    dataset, network = fashion
    assert (network.scores_of(dataset.x_test)
            == network.detecting("none").scores_of(dataset.x_test)).all()


@needs_verilator
@needs_fashion
@pytest.mark.nightly
@pytest.mark.parametrize("pe", [1, 4, 16])
def test_a_thousand_images_of_fashion(fashion, pe):
    dataset, network = fashion
    mapping = uniform(network.shape, pe=(pe, 1), simd=(8, 4))
    engine = VerilatorEngine()
    engine.load(compile(network.shape, mapping, probes=True))
    engine.write(image(network, mapping))
    hold(engine, network, mapping, dataset.x_test[:1_000])


@needs_verilator
@pytest.mark.nightly
@pytest.mark.parametrize("name, source, hidden", [
    ("icebreaker", "mnist", 128), ("ulx3s-85f", "fashion-mnist", 256)])
def test_a_first_layer_becomes_a_bitstream_and_runs(name, source, hidden):
    if "OHMBIT_DATA" not in os.environ:
        pytest.skip("MNIST and Fashion-MNIST: set OHMBIT_DATA to a folder with both")
    dataset, board = data.load(source), catalog.find(name)
    network = trained(dataset, "sign", (hidden,), 1)
    mapping = fit(network.shape, board.resources)
    contents = image(network, mapping)
    built = build(board, lambda board: Top(board, compile(
        network.shape, mapping, image=contents)), build_dir=BUILD / f"{source}-{name}")
    assert built.fmax_mhz >= built.clock_mhz
    for engine in VirtualEngine(board), NetlistEngine(board.family.name):
        with engine if isinstance(engine, VirtualEngine) else nullcontext():
            engine.load(compile(network.shape, mapping))
            engine.write(contents)
            few = dataset.x_test[:5]
            compared = compare(network, few, engine.infer(few),
                               counted=counted(network, mapping, few))
            assert compared.total == 0, compared.first


@pytest.mark.parametrize("options, kinds, widths", [
    (["--weight-bits", "8"], ["sign", None, None], [5]),
    (["--weights", "4", "--activation", "sign", "--hidden", "9"], ["sign", None], [5]),
    (["--weights", "6", "--hidden", "0"], ["linear"], [5]),
    (["--weight-bits", "8", "--activation", "relu"], ["relu", "relu", "linear"], [5, 8, 8]),
    (["--weights", "5", "--activation", "relu", "--activations", "4"],
     ["relu", "relu", "linear"], [5, 4, 4])])
def test_train_weights_of_several_bits(ohmbit_, options, kinds, widths):
    outcome = ohmbit_("train", "digits", "--hidden", "16,12", "--epochs", "8", *options, "--json")
    network = Network.load("digits.npz")
    serial = [network.shape.serial_of(n) for n in range(len(network.all_layers))]
    assert [layer and layer.activation for layer in serial] == kinds
    assert {layer.weight_bits for layer in serial if layer} == {int(options[1])}
    assert [layer.input_bits for layer in serial if layer] == widths
    answer = outcome.json
    assert answer["accuracy"] > 0.7 and abs(answer["accuracy"] - answer["real_accuracy"]) < 0.05
    assert f" right ({answer['real_accuracy']:.2%} before quantization), " in outcome.err
    assert ohmbit_("eval", "digits.npz", "--json").json["accuracy"] == answer["accuracy"]


def test_how_neurons_end_early_is_chosen(ohmbit_):
    assert ohmbit_("train", "digits", "--hidden", "12", "--epochs", "2", "--weights", "5",
                   "--detection", "speculative:2", "--acc-bits", "30", "--pe", "3").code == 0
    layer = Network.load("digits.npz").layers[0]
    assert (layer.detection, layer.factor, layer.acc_bits) == ("speculative", 2, 30)
    answers = {detection: ohmbit_(
        "simulate", "digits.npz", "--engine", "amaranth", "--images", "2", "--pe", "2", "--simd",
        "8", "--detection", detection, "--json").json
        for detection in ("none", "exact", "speculative", "speculative:4")}
    for answer in answers.values():
        assert answer["mismatches"] == 0 and answer["cycles"] == answer["predicted_cycles"]
        assert answer["boundary_images"] == 0
    counts = {name: answer["counts"]["layer0"] for name, answer in answers.items()}
    assert all(sum((each["planes_run"], each["planes_skipped"])) == 2 * 12 * 5
               for each in counts.values())
    assert counts["none"]["planes_skipped"] == 0
    run = [counts[name]["planes_run"] for name in counts]
    assert run == sorted(run, reverse=True) and run[0] > run[1] > run[3]
    accuracy = ohmbit_("eval", "digits.npz", "--detection", "exact", "--json").json["accuracy"]
    assert accuracy == ohmbit_("eval", "digits.npz", "--detection", "none", "--json").json[
        "accuracy"]
    assert "of 2 test images" not in ohmbit_("cost", "digits.npz").out


@pytest.mark.parametrize("options, line", [
    (["--weights", "8", "--acc-bits", "12"],
     "--acc-bits: Bits of an accumulator must be between 19 and 64, not 12"),
    (["--acc-bits", "12"], "--acc-bits is for weights of several bits: add --weight-bits, such as "
                           "--weight-bits 8"),
    (["--detection", "exact"], "--detection is for weights of several bits: add --weight-bits, "
                               "such as --weight-bits 8"),
    (["--weights", "8", "--detection", "exact:2"],
     "--detection takes none, exact, speculative or speculative:F with F from 1 to 4, not "
     "'exact:2'"),
    (["--weights", "8", "--detection", "speculative:5"],
     "--detection: Factor in eighths must be between 1 and 4, not 5")])
def test_train_refuses_in_one_line(ohmbit_, options, line):
    outcome = ohmbit_("train", "digits", "--hidden", "8", "--epochs", "1", *options)
    assert (outcome.code, outcome.line) == (2, line)
    assert not pathlib.Path("digits.npz").exists()


def test_weights_of_several_bits_have_their_limits(ohmbit_, network):
    assert ohmbit_("train", "digits", "--hidden", "8", "--epochs", "1", "--weights", "4",
                   "-o", "four.npz").code == 0
    with np.load("four.npz") as file:
        arrays = dict(file)
    weights = arrays["layer0.weights"].copy()
    weights[0, 0] = -8
    np.savez("bad.npz", **arrays | {"layer0.weights": weights})
    for arguments, line in (
            (["eval", "bad.npz"], "bad.npz: not a network that ohmbit can use: Weights of 4 bits "
                                  "must be between -7 and 8, not -8 to 8"),
            (["simulate", "four.npz", "--images", "1", "--detection", "speculative"],
             "--detection: Detection must be one that this is built for, at most exact, not "
             "speculative"),
            (["simulate", "four.npz", "--batch", "2"],
             "mapping: Batch must be 1 where weights have several bits"),
            (["tile", "four.npz"], "tiling is for binary weights and activations, and those of "
                                   "layer 0 have several bits: take a network of binary layers"),
            (["sensitivity", "four.npz"],
             "sensitivity is for binary weights and activations, and those of layer 0 have "
             "several bits: take a network of binary layers"),
            (["eval", network, "--detection", "none"],
             "--detection: Detection can be chosen where hidden layers have weights of several "
             "bits, and here none has")):
        outcome = ohmbit_(*arguments)
        assert (outcome.code, outcome.line) == (2, line)
