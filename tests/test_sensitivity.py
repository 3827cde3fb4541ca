"""Every single change, followed in closed form, against networks that were changed for real."""

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest

from model import data, train
from model.encoder import BitSerial, Threshold
from model.errors import InputError
from model.network import Network
from model.scores import Scores
from sim.sensitivity import sensitivity
from sim.vectors import boundary

from .commandline import drawing_network, random_network


def with_layer(network, n, layer):
    """The network with another layer; the scores come last."""
    if n == len(network.layers):
        return Network(network.encoder, network.layers, layer)
    return Network(network.encoder, (*network.layers[:n], layer, *network.layers[n + 1:]),
                   network.scores)


def flipped(weights, place):
    weights = weights.copy()
    weights[place] ^= True
    return weights


def trace_with_wrong_cell(network, images, n, place):
    """The trace of hardware that has another bit in a weight memory, and all else as it was."""
    trace, planes = {}, network.encoder(images)
    for k, layer in enumerate(network.all_layers):
        held = replace(layer, weights=flipped(layer.weights, place)) if k == n else layer
        acc = layer.acc_of(held.sums(planes))
        if k == len(network.layers):
            return trace | {"scores.acc": acc, "scores": layer.gain * acc + layer.bias}
        trace |= {f"layer{k}.acc": acc, f"layer{k}.bits": acc >= layer.thresholds}
        planes = trace[f"layer{k}.bits"][:, None, :]


def changed_traces(network, images):
    """What each single change leads to, one after another: kind, place, trace."""
    for n, layer in enumerate(network.all_layers):
        name = f"layer{n}" if n < len(network.layers) else "scores"
        for place in np.ndindex(layer.weights.shape):
            other = replace(layer, weights=flipped(layer.weights, place))
            yield f"{name}.weights", place, with_layer(network, n, other).trace(images)
            if not layer.bipolar:
                yield f"{name}.cells", place, trace_with_wrong_cell(network, images, n, place)
        values = {"thresholds": layer.sum_threshold(layer.thresholds)} if name != "scores" else \
            {"bias": layer.bias, "gain": layer.gain} if (layer.gain != 1).any() else \
            {"bias": layer.bias}
        for what, parameter in values.items():
            for neuron, side in np.ndindex(layer.outputs, 2):
                moved = parameter.copy()
                moved[neuron] += 2 * side - 1
                if what == "thresholds":
                    # Back to accumulators, as far as these go.
                    moved = np.clip(layer.acc_of(np.clip(moved, 0, layer.top + 1)),
                                    -layer.top, layer.top + 1)
                changed = with_layer(network, n, replace(layer, **{what: moved}))
                yield f"{name}.{what}", (neuron, side), changed.trace(images)


def small_network(sizes, encoder, seed, gain):
    rng = np.random.default_rng(seed)
    network = random_network(*sizes, bits=encoder.bits, seed=seed)
    layers = tuple(replace(layer, thresholds=np.clip(
        layer.thresholds + rng.integers(-3, 4, layer.outputs), -layer.top, layer.top + 1))
        for layer in network.layers)
    if isinstance(encoder, Threshold) and layers:
        layers = (replace(layers[0], thresholds=rng.integers(-3, 4, sizes[1]), gains=(1,),
                          bipolar=True), *layers[1:])
    return Network(encoder, layers, replace(network.scores, gain=np.array(gain)))


@pytest.mark.parametrize("sizes, gain", [
    ((7, 5, 4, 3), (1, 1, 1)), ((7, 6, 5, 4, 3), (1, 1, 1)), ((7, 6, 5, 3), (3, 0, -2)),
    ((9, 8, 3), (1, 1, 1)), ((9, 8, 3), (0, 0, 0)), ((9, 8, 3), (0, 5, 1)), ((9, 3), (1, 1, 1)),
    ((9, 3), (0, 5, 1))])
@pytest.mark.parametrize("encoder", [BitSerial(3), Threshold(3, bits=3)], ids=str)
@pytest.mark.parametrize("images", [1, 6])
def test_against_networks_that_were_changed(sizes, gain, encoder, images):
    network = small_network(sizes, encoder, seed=images, gain=gain)
    pixels = np.random.default_rng(images).integers(0, 8, (images, sizes[0]))
    pixels[:, 0] = 0
    found = sensitivity(network, pixels)
    golden = network.trace(pixels)
    seen = set()
    for kind, place, trace in changed_traces(network, pixels):
        seen.add(kind)
        noticed = found.kinds[kind]
        probes = any((trace[name] != golden[name]).any() for name in golden)
        pins = (trace["scores"] != golden["scores"]).any()
        assert (noticed.probes[place], noticed.pins[place]) == (probes, pins), (kind, place)
        assert not (noticed.idle[place] and probes), (kind, place)
    assert seen == found.kinds.keys()
    assert found.images == images


def test_images_are_taken_in_parts(monkeypatch):
    network = small_network((12, 9, 8, 3), BitSerial(4), 0, (1, 1, 1))
    images = np.random.default_rng(0).integers(0, 16, (5, 12))
    whole = sensitivity(network, images)
    monkeypatch.setattr("sim.sensitivity.CELLS", 12 * 9 * 2)
    parts = sensitivity(network, images)
    for kind, noticed in whole.kinds.items():
        assert (noticed.probes == parts.kinds[kind].probes).all()
        assert (noticed.pins == parts.kinds[kind].pins).all()
    assert not whole.of("weights").pins.all() and whole.of("weights").pins.any()


def test_thresholds_without_effect_do_not_count():
    network = random_network(10, 4, 3, bits=1)
    least = -(~network.layers[0].weights).sum(axis=1)
    always = replace(network.layers[0], thresholds=least)
    network = Network(network.encoder, (always,), network.scores)
    added = boundary(network, np.zeros((0, 10), dtype=int))
    noticed = sensitivity(network, added).of("thresholds")
    # One less than "fires always" is the same.
    assert noticed.idle.tolist() == [True, False] * 4
    assert (noticed.changes, noticed.effective, noticed.share("probes")) == (8, 4, 1.0)


def test_nothing_to_change_is_nothing_missed():
    network = Network(BitSerial(2), (), Scores(np.ones((2, 3), dtype=bool),
                                               np.ones(2, dtype=int), np.zeros(2, dtype=int)))
    found = sensitivity(network, np.ones((1, 3), dtype=int))
    assert found.of("thresholds").changes == 0 and found.of("thresholds").share("pins") == 1.0
    assert found.of("gain").changes == 0


@pytest.mark.parametrize("images", [360, 100, 20])
def test_digits_with_boundary_vectors(images):
    digits = data.load("digits")
    network = train.train(digits, epochs=20)
    given = digits.x_test[:images]
    alone = sensitivity(network, given)
    both = sensitivity(network, np.concatenate([given, boundary(network, given)]))
    assert alone.of("weights").share("probes") < 0.95
    assert alone.of("thresholds").share("probes") < (0.98, 0.7)[images <= 100]
    for parameter in ("weights", "cells", "thresholds", "bias"):
        assert both.of(parameter).share("probes") >= 0.99
    assert both.of("weights").share("pins") > alone.of("weights").share("pins")


@pytest.mark.parametrize("bits", [1, 5])
def test_deeper_networks_with_boundary_vectors(bits):
    network = random_network(64, 32, 16, 10, bits=bits)
    given = np.random.default_rng(0).integers(0, 2 ** bits, (20, 64))
    both = sensitivity(network, np.concatenate([given, boundary(network, given)]))
    assert both.of("weights").share("probes") == both.of("thresholds").share("probes") == 1


# The command.

@pytest.fixture
def images(ohmbit_):
    """A dataset of some images with a pixel that is always 0, by the name of its file."""
    pixels = np.random.default_rng(0).integers(0, 32, (30, 64)).astype(np.uint8)
    pixels[:, 5] = 0
    np.savez("images.npz", x_test=pixels, y_test=np.arange(30) % 10)
    return "images.npz"


def test_command(ohmbit_, network, images):
    outcome = ohmbit_("sensitivity", network, "--dataset", images, "--images", "20", "--json")
    answer = outcome.json
    assert outcome.code == 0 and answer["images"] == 20 and 0 < answer["boundary"] < 30
    assert answer["weights"]["changes"] == answer["weights"]["probes"] == 64 * 12 + 12 * 10
    assert answer["thresholds"]["changes"] == answer["thresholds"]["probes"] == 24
    assert answer["bias"]["pins"] == 20 and answer["cells"]["changes"] == 64 * 12
    alone = answer["test_images_alone"]
    # The pixel that is always 0 hides one weight of each neuron.
    assert alone["weights"]["probes"] == 64 * 12 + 12 * 10 - 12
    assert alone["thresholds"]["probes"] < 12
    assert f", and {answer['boundary']} boundary vectors" in outcome.err
    row, = (line.split() for line in outcome.err.splitlines() if "the other weight" in line
            and " layer0 " in line)
    # 98.4375 %, rounded down.
    assert row[4:6] == ["768", "98.43"] and row[9] == "100.00"


def test_command_without_boundary_vectors(ohmbit_, network, images):
    outcome = ohmbit_("sensitivity", network, "--dataset", images, "--no-boundary", "--json")
    answer = outcome.json
    # Much is missed, and that was the question.
    assert outcome.code == 0 and answer["boundary"] is None and answer["images"] == 30
    assert answer["weights"] == answer["test_images_alone"]["weights"]


def test_command_fails_where_too_much_is_missed(ohmbit_, network, images, monkeypatch):
    # The package's own attribute of that name is the function.
    command = importlib.import_module("ohmbit.commands.sensitivity")
    monkeypatch.setattr(command, "boundary_vectors", lambda network, images, seed: images[:1])
    outcome = ohmbit_("sensitivity", network, "--dataset", images)
    assert outcome.code == 1
    assert re.search(r"12 of 888 changes of weights go unnoticed on 31 images", outcome.line)


def test_samples_kept_apart_are_refused():
    network = drawing_network(9, 4, 3, samples=4, combine="scores")
    with pytest.raises(InputError, match="^single changes cannot be followed to scores that add "):
        sensitivity(network, np.zeros((1, 9), dtype=int))
    assert sensitivity(drawing_network(9, 4, 3, samples=4), np.zeros((1, 9), dtype=int)).images == 1


def test_tiles_that_sense_are_refused():
    network = random_network(12, 7, 3)
    sensing = replace(network, scores=replace(network.scores, sense="sign"))
    with pytest.raises(InputError, match="^single changes cannot be followed through tiles that "):
        sensitivity(sensing, np.zeros((1, 12), dtype=int))
    # Tiles of which each count is sensed as what it is change nothing.
    exact = replace(network, scores=replace(network.scores, tile_rows=3, sense=2))
    images = np.random.default_rng(0).integers(0, 32, (9, 12))
    for kind, noticed in sensitivity(exact, images).kinds.items():
        assert (noticed.probes == sensitivity(network, images).kinds[kind].probes).all()
