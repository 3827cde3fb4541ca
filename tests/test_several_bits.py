"""Trained networks with weights of several bits, on simulators and on a virtual board."""

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
def network(request, digits):
    return trained(digits, request.param, (32, 16), 5)


def hold(engine, network, mapping, images):
    """Every word, what was counted and the cycles, to the model and the prediction."""
    result = engine.infer(images)
    compared = compare(network, images, result, mapping=mapping)
    assert compared.total == 0, compared.first
    counts = [f"layer{n}.counts" for n, layer in enumerate(network.all_layers)
              if isinstance(layer, Compend)]
    assert counts and set(counts) <= set(compared.mismatches)
    times = taken(counted(network, mapping, images))
    assert result.cycles == cost.timing(mapping, len(images), times).cycles
    return result


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("pe", [1, 4, 16])
def test_a_thousand_images(network, digits, pe):
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
def test_a_virtual_board_counts_too(network, digits):
    network = network.detecting("speculative", 3)
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
            compared = compare(detection, images, result, mapping=mapping)
            assert compared.total == 0, compared.first
            assert "layer0.counts" in compared.mismatches
            times = taken(counted(detection, mapping, images))
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
            compared = compare(network, dataset.x_test[:5], engine.infer(dataset.x_test[:5]),
                               mapping=mapping)
            assert compared.total == 0, compared.first
