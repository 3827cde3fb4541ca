# amaranth: UnusedElaboratable=no

"""Icarus Verilog at some thousand cycles a second, so networks here are small and few."""

import re

import numpy as np
import pytest

import gateware.crossbar
from boards import catalog
from gateware import cost
from gateware.compiler import compile, image
from gateware.folding import Folding
from gateware.fit import fit
from gateware.mapping import Mapping
from gateware.popcount import Popcount
from model import data, train
from model.encoder import Threshold
from model.errors import InputError
from ohmbit import engines
from sim import tools
from sim.amaranth_engine import AmaranthEngine
from sim.compare import compare
from sim.engine import Waveform
from sim.icarus_engine import IcarusEngine

from .commandline import random_network
from .test_cosim import mutant, needs_icarus
from .test_verilator_engine import network


MAPPING = Mapping((Folding(12, 7, (4, 2, 1), 3, 5), Folding(7, 6, (1,), 4, 3),
                   Folding(6, 3, (1,), 2, 2)))


def small(seed=0):
    return random_network(12, 7, 6, 3, bits=3, seed=seed)


def pictures(count, inputs=12, top=8):
    return np.random.default_rng(2).integers(0, top, (count, inputs))


def hold(engine, net, mapping, images):
    engine.write(image(net, mapping))
    result = engine.infer(images)
    compared = compare(net, images, result)
    assert compared.total == 0, compared.first
    timing = cost.timing(mapping, len(images))
    assert (result.cycles, result.latency, result.cycles_per_image) \
        == (timing.cycles, timing.latency, timing.cycles_per_image)
    return result


@needs_icarus
def test_every_layer_of_networks_that_take_turns():
    images = pictures(6)
    accelerator = compile(small().shape, MAPPING, probes=True)
    engine, other = IcarusEngine(), AmaranthEngine()
    engine.load(accelerator)
    other.load(accelerator)
    hold(engine, small(1), MAPPING, images)
    result, expected = (hold(each, small(), MAPPING, images) for each in (engine, other))
    assert engine.read() == image(small(), MAPPING)
    # The same in the same cycles.
    assert (result.done == expected.done).all()
    assert result.when.keys() == expected.when.keys()
    for name, stamps in expected.when.items():
        assert (result.when[name] == stamps).all(), name


@needs_icarus
def test_without_probes_scores_and_class_are_seen():
    net = network(Threshold(9, bits=5), (70, 11, 3), 1, gain=99)
    mapping = Mapping((Folding(70, 11, (1,), 11, 35), Folding(11, 3, (1,), 1, 7)))
    engine = IcarusEngine()
    engine.load(compile(net.shape, mapping))
    result = hold(engine, net, mapping, pictures(5, 70, 32))
    assert result.trace is None


@needs_icarus
@pytest.mark.parametrize("instance, layer, neurons", [
    (5, 1, {2}),    # the third of four PEs, which take turns with six neurons
    pytest.param(1, 0, {1, 4}, marks=pytest.mark.slow),
])
def test_a_wrong_gate_is_found_in_its_layer_and_neuron(monkeypatch, instance, layer, neurons):
    wrong, made = mutant(Popcount, "self.x ^ self.w", "~(self.x ^ self.w)"), []

    def popcounts(width, **options):
        made.append((wrong if len(made) == instance else Popcount)(width, **options))
        return made[-1]

    monkeypatch.setattr(gateware.crossbar, "Popcount", popcounts)
    images = pictures(6)
    engine = IcarusEngine()
    engine.load(compile(small().shape, MAPPING, probes=True))
    engine.write(image(small(), MAPPING))
    result = engine.infer(images)
    assert len(made) == 9
    compared = compare(small(), images, result)
    assert (compared.mismatches["layer0.acc"] > 0) == (layer == 0)
    assert compared.where.name == f"layer{layer}.acc" and compared.where.place in neurons
    assert re.match(rf"image \d, layer{layer}\.acc\[\d\], cycle \d+: ", compared.first)
    acc = small().all_layers[layer].acc_of(result.trace[f"layer{layer}.sums"])
    differs = acc != small().trace(images)[compared.where.name]
    # Other layers see wrong inputs; this one has wrong sums in these neurons alone.
    assert set(np.flatnonzero(differs.any(axis=0))) == neurons


def test_what_it_cannot_do_is_said(monkeypatch, tmp_path):
    engine = IcarusEngine(cache=tmp_path)
    with pytest.raises(RuntimeError, match="^Engine must be loaded before it is used$"):
        engine._run(None)
    with pytest.raises(InputError, match="^the engine icarus records no waveforms: choose "):
        engine.infer([], waveform=Waveform(tmp_path / "wave.vcd", 0, 1))
    monkeypatch.setattr(tools, "find", lambda name: None if name == "vvp" else [name])
    for load in (lambda: engines.choose("icarus", None, 360),
                 lambda: engine.load(None)):
        with pytest.raises(InputError, match="^vvp is not here, .*: apt install iverilog$"):
            load()


@needs_icarus
def test_the_command_offers_it():
    engine, count, _ = engines.choose("icarus", None, 360)
    assert (engine.name, count) == ("icarus", engines.FEW)


@needs_icarus
@pytest.mark.slow
def test_a_hundred_digits():
    digits = data.load("digits")
    net = train.train(digits, seed=0)
    mapping = fit(net.shape, catalog.find("icebreaker").resources, target=250)
    engine = IcarusEngine()
    engine.load(compile(net.shape, mapping, probes=True))
    result = hold(engine, net, mapping, digits.x_test[:100])
    assert result.cycles_per_image <= 250
    assert engine.read() == image(net, mapping)
