"""Networks with few bits of weights and activations: on simulators, on boards, by the command."""

import pathlib

import numpy as np
import pytest

from boards import catalog
from boards.build import build
from boards.top import Top
from boards.virtual_engine import VirtualEngine
from gateware import cost
from gateware.compiler import compile, image
from gateware.fit import fit
from gateware.mapping import uniform
from model.network import Network
from sim.compare import compare
from sim.netlist_engine import NetlistEngine
from sim.verilator_engine import VerilatorEngine

from .commandline import call, few_network
from .test_verilator_engine import needs_verilator


BUILD = pathlib.Path(__file__).parent.parent / "build" / "test-few-bits"
NETWORK = few_network(64, 48, 32, 10)


def images(count):
    return np.random.default_rng(count).integers(0, 32, (count, 64))


def test_all_four_numbers_are_there():
    trace = NETWORK.trace(images(500))
    for name in ("layer0.values", "layer1.values"):
        assert np.bincount(trace[name].ravel()).min() > 500
    assert len(np.unique(NETWORK(images(500)))) >= 3


@needs_verilator
@pytest.mark.parametrize("pe, simd", [
    (4, 16), *(pytest.param(*each, marks=pytest.mark.slow)
               for each in ((1, 8), ((48, 8, 2), (64, 48, 8))))])
def test_a_thousand_images(pe, simd):
    mapping = uniform(NETWORK.shape, pe=pe, simd=simd)
    engine = VerilatorEngine()
    engine.load(compile(NETWORK.shape, mapping, probes=True))
    engine.write(image(NETWORK, mapping))
    assert engine.read() == image(NETWORK, mapping)
    result = engine.infer(images(1_000))
    compared = compare(NETWORK, images(1_000), result)
    assert compared.total == 0, compared.first
    assert set(compared.mismatches) == {*NETWORK.trace(images(1)), "class"}
    assert result.cycles == cost.timing(mapping, 1_000).cycles


@needs_verilator
@pytest.mark.slow
def test_a_virtual_board():
    mapping = uniform(NETWORK.shape, pe=4, simd=16)
    with VirtualEngine(catalog.find("icebreaker")) as engine:
        engine.load(compile(NETWORK.shape, mapping))
        engine.write(image(NETWORK, mapping))
        assert engine.read() == image(NETWORK, mapping)
        # Of a pixel two bits are sent.
        assert engine.driver.identify().bits == 2
        result = engine.infer(images(20))
    compared = compare(NETWORK, images(20), result)
    assert compared.total == 0, compared.first


@pytest.mark.slow
@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_a_netlist(family):
    mapping = uniform(NETWORK.shape, pe=4, simd=16)
    engine = NetlistEngine(family)
    engine.load(compile(NETWORK.shape, mapping))
    engine.write(image(NETWORK, mapping))
    compared = compare(NETWORK, images(20), engine.infer(images(20)))
    assert compared.total == 0, compared.first


@needs_verilator
@pytest.mark.nightly
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-85f"])
def test_a_bitstream(name):
    board = catalog.find(name)
    mapping = fit(NETWORK.shape, board.resources)
    contents = image(NETWORK, mapping)
    built = build(board, lambda board: Top(board, compile(
        NETWORK.shape, mapping, image=contents)), build_dir=BUILD / name)
    assert built.fmax_mhz >= built.clock_mhz
    assert not cost.estimate(mapping, board.resources).excess(board.resources)


def test_the_command(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    NETWORK.save("few.npz")
    assert Network.load("few.npz").shape == NETWORK.shape
    answer = call(capsys, "simulate", "few.npz", "--engine", "amaranth", "--images", "2", "--pe",
                  "8", "--simd", "16", "--json").json
    assert answer["mismatches"] == 0 and answer["cycles"] == answer["predicted_cycles"]
    assert answer["boundary_images"] == 0
    assert call(capsys, "eval", "few.npz", "--json").json["images"] == 360
    answer = call(capsys, "cost", "few.npz", "--board", "icebreaker", "--json").json
    assert answer["fits"] and answer["bounds"]["weight_bits"] == 2 * (64 * 48 + 48 * 32 + 320)
    for arguments, line in (
            (["simulate", "few.npz", "--batch", "2"],
             "mapping: Batch must be 1 where weights or activations have several bits"),
            (["tile", "few.npz"], "tiling is for binary weights and activations, and those of "
                                  "layer 0, 1, 2 have several bits: take a network of binary "
                                  "layers")):
        outcome = call(capsys, *arguments)
        assert (outcome.code, outcome.line) == (2, line)
