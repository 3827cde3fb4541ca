"""Images that bring neurons to their thresholds."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from model import data, train
from model.dense import Dense
from model.encoder import BitSerial, Lookup, Threshold
from model.network import Network
from model.scores import Scores
from model.stochastic import GENERATORS, Stochastic
from sim.vectors import boundary, coverage

from .commandline import random_network


def with_threshold_encoder(network, level, bits):
    """The same layers on one bit of each pixel, with thresholds near the middle."""
    first, *others = network.layers
    middle = replace(first, thresholds=np.arange(first.outputs) % 3 - 1, gains=(1,), bipolar=True)
    return Network(Threshold(level, bits=bits), (middle, *others), network.scores)


def with_stochastic_encoder(network, encoder):
    first, *others = network.layers
    thresholds = (np.arange(first.outputs) % 5 - 2).clip(-first.inputs, first.inputs + 1)
    middle = replace(first, thresholds=thresholds, bipolar=True,
                     gains=(1,) if encoder.apart else encoder.gains)
    return Network(encoder, (middle, *others), network.scores)


@pytest.mark.parametrize("generator", GENERATORS)
def test_what_is_drawn_of_pixels_is_what_was_aimed_at(generator):
    """However many of their numbers are alike."""
    network = with_stochastic_encoder(random_network(30, 40, 4, bits=8),
                                      Stochastic(8, generator=generator, bank=2))
    given = np.zeros((1, 30), dtype=int)
    images = np.concatenate([given, boundary(network, given)])
    assert images.min() >= 0 and images.max() <= 255
    missing = coverage(network, images).missing[0]
    assert missing.mean() <= 0.1
    assert not missing.any() or generator not in ("vdc", "vdc-xor")


def neighbours(layer, least, greatest):
    """Accumulators on both sides of each threshold, of those that a layer's inputs allow."""
    for neuron, threshold in enumerate(layer.thresholds):
        values = range(least[neuron], greatest[neuron] + 1, layer.scale)
        yield neuron, max((acc for acc in values if acc < threshold), default=None), \
            min((acc for acc in values if acc >= threshold), default=None)


@pytest.mark.parametrize("sizes", [(64, 128, 10), (20, 30, 3), (3, 40, 2), (784, 32, 10),
                                   (1, 1, 1)])
@pytest.mark.parametrize("encoder", ["bitserial", "threshold", "vdc", "apart"])
def test_all_of_the_first_layer_is_reached(sizes, encoder):
    network = random_network(*sizes, bits=5)
    if encoder == "threshold":
        network = with_threshold_encoder(network, level=9, bits=4)
    elif encoder == "vdc":
        network = with_stochastic_encoder(network, Stochastic(4))
    elif encoder == "apart":
        network = with_stochastic_encoder(network, Stochastic(4, combine="scores"))
    given = np.random.default_rng(0).integers(0, 10, (7, sizes[0]))
    images = np.concatenate([given, boundary(network, given)])
    layer, acc = network.layers[0], network.trace(images)["layer0.acc"]
    if encoder == "apart":
        acc = acc[:, 0]
    positive = layer.weights.sum(axis=1)
    if encoder != "bitserial":
        greatest = [layer.inputs * sum(layer.gains)] * layer.outputs
        least = [-most for most in greatest]
    else:
        greatest, least = positive * 31, (positive - layer.inputs) * 31
    for neuron, below, at in neighbours(layer, least, greatest):
        for wanted in (below, at):
            assert wanted is None or wanted in acc[:, neuron], neuron
    assert (network.encoder(images).any(axis=1)).any(axis=0).all()
    assert not any(gap.any() for gap in coverage(network, images).missing)


def test_thresholds_at_the_ends_of_the_range():
    rng = np.random.default_rng(0)
    weights = rng.random((6, 10)) < 0.5
    least, greatest = (weights.sum(axis=1) - 10) * 7, weights.sum(axis=1) * 7
    thresholds = np.concatenate([least[:2], greatest[2:4], greatest[4:] + 1])
    layer = Dense(weights, thresholds, gains=(4, 2, 1), bipolar=False)
    network = Network(BitSerial(3), (layer,), Scores(
        rng.random((3, 6)) < 0.5, np.ones(3, dtype=int), np.zeros(3, dtype=int)))
    found = coverage(network, boundary(network, np.zeros((0, 10), dtype=int)))
    # Below the least and beyond the greatest there is nothing.
    expected = [[False, True]] * 2 + [[True, True]] * 2 + [[True, False]] * 2
    assert found.possible[0].tolist() == found.reached[0].tolist() == expected


def test_possible_is_no_less_than_what_all_images_reach():
    for seed in range(30):
        network = random_network(6, 5, 4, 3, bits=1, seed=seed)
        rng = np.random.default_rng(seed)
        # Thresholds far out make some neurons constant.
        layers = tuple(replace(layer, thresholds=rng.integers(-layer.top, layer.top + 2,
                                                              layer.outputs))
                       for layer in network.layers)
        network = Network(network.encoder, layers, network.scores)
        every = np.array(list(itertools.product(range(2), repeat=6)))
        found = coverage(network, every)
        assert (found.reached[0] == found.possible[0]).all()
        assert not (found.reached[1] & ~found.possible[1]).any()
        added = coverage(network, boundary(network, every[:0]))
        assert (added.reached[0] == found.reached[0]).all()
        assert (added.reached[1] == found.reached[1]).all()


def test_what_constant_neurons_leave_possible():
    network = random_network(10, 8, 40, 3, bits=1)
    first, second = network.layers
    constant = replace(first, thresholds=np.where(
        np.arange(8) < 4, -(~first.weights).sum(axis=1), first.weights.sum(axis=1) + 1))
    second = replace(second, thresholds=np.arange(40) % 17 - 8)
    network = Network(network.encoder, (constant, second), network.scores)
    # The first four neurons always fire and the others never, so that there is one sum alone.
    sums = second.sums((np.arange(8) < 4)[None, :])
    thresholds = second.sum_threshold(second.thresholds)
    expected = np.stack([sums == thresholds - 1, sums == thresholds], axis=1)
    assert expected.any() and (coverage(network, np.zeros((0, 10), dtype=int)).possible[1]
                               == expected).all()


@pytest.mark.parametrize("sizes, bits", [((64, 32, 16, 10), 5), ((64, 32, 16, 10), 1),
                                         ((64, 64, 48, 32, 10), 8)])
def test_deeper_layers(sizes, bits):
    network = random_network(*sizes, bits=bits)
    given = np.zeros((0, sizes[0]), dtype=int)
    found = coverage(network, boundary(network, given))
    for n, layer in enumerate(network.layers):
        assert (found.reached[n] == found.possible[n]).all() and found.possible[n].all()
        assert found.reached[n].shape == (layer.outputs, 2)
    # The search adds to what the first layer and random images reach where these leave gaps.
    shallow = Network(network.encoder, network.layers[:1],
                      Scores(network.layers[1].weights, np.ones(sizes[2], dtype=int),
                             np.zeros(sizes[2], dtype=int)))
    alone = coverage(network, boundary(shallow, given))
    assert any(gap.any() for gap in alone.missing)


def test_a_neuron_that_hardly_ever_changes_is_found_in_a_deeper_layer():
    network = random_network(64, 32, 16, 10, bits=5)
    far = replace(network.layers[1], thresholds=np.full(16, 20))
    network = Network(network.encoder, (network.layers[0], far), network.scores)
    given = np.random.default_rng(1).integers(0, 32, (2000, 64))
    # So many random images fall short of most.
    assert coverage(network, given).missing[1].sum() > 16
    assert coverage(network, boundary(network, given[:9])).missing[1].sum() <= 1


@pytest.mark.parametrize("encoder", [Stochastic(4), Stochastic(2, most=8),
                                     Stochastic(8, generator="vdc-xor", combine="scores"),
                                     Stochastic(4, generator="lfsr", most=8, combine="scores")])
@pytest.mark.parametrize("sense", ["exact", 2])
def test_layers_that_draw_bits(encoder, sense):
    network = with_stochastic_encoder(random_network(24, 12, 9, 3, bits=8), encoder)
    network = replace(network, layers=tuple(
        replace(layer, tile_rows=8, sense=sense) for layer in network.layers))
    given = np.random.default_rng(0).integers(0, 256, (40, 24))
    found, trace = coverage(network, given), network.trace(given)
    for n, layer in enumerate(network.layers):
        acc = trace[f"layer{n}.acc"]
        sums = ((acc[:, 0] if encoder.apart else acc) + layer.offset) // layer.scale
        threshold = layer.sum_threshold(layer.thresholds)
        expected = np.stack([sums == threshold - 1, sums == threshold], axis=2).any(axis=0)
        assert (found.reached[n] == expected).all()
    few = given[:2]
    more = coverage(network, np.concatenate([few, boundary(network, few)]))
    assert sum(reached.sum() for reached in more.reached) \
        > sum(reached.sum() for reached in coverage(network, few).reached)


@pytest.mark.parametrize("sense, bits", [(2, 3), ("sign", 1)])
def test_layers_that_sense(sense, bits):
    network = random_network(24, 12, 9, 3, bits=bits)
    layers = tuple(replace(layer, tile_rows=8, sense=sense) for layer in network.layers)
    network = replace(network, layers=layers)
    given = np.random.default_rng(0).integers(0, 2 ** bits, (40, 24))
    found, trace = coverage(network, given), network.trace(given)
    for n, layer in enumerate(layers):
        sums = (trace[f"layer{n}.acc"] + layer.offset) // layer.scale
        threshold = layer.sum_threshold(layer.thresholds)
        expected = np.stack([sums == threshold - 1, sums == threshold], axis=2).any(axis=0)
        assert (found.reached[n] == expected).all()
        assert not (found.reached[n] & ~found.possible[n]).any()
    few = given[:2]
    more = coverage(network, np.concatenate([few, boundary(network, few)]))
    # A sum that is all or nothing of each tile meets no threshold in between.
    assert sum(reached.sum() for reached in more.reached) - (sense != "sign") \
        >= sum(reached.sum() for reached in coverage(network, few).reached)


def test_few_are_added_to_digits():
    digits = data.load("digits")
    network = train.train(digits, epochs=20)
    dark = (digits.x_test == 0).all(axis=0)
    assert dark.any()
    counts = []
    for images in (360, 100, 20):
        given = digits.x_test[:images]
        added = boundary(network, given)
        counts.append(len(added))
        both = np.concatenate([given, added])
        found = coverage(network, both)
        assert not found.missing[0].any() and found.possible[0].all() and not found.dark.any()
        assert len(boundary(network, both)) == 0
    assert counts[0] <= 10 and counts[1] <= 20 and counts[2] <= 35


def test_the_same_arguments_give_the_same_images():
    network = random_network(64, 32, 16, 10)
    given = np.random.default_rng(0).integers(0, 32, (9, 64)).astype(np.uint8)
    assert (boundary(network, given, seed=3) == boundary(network, given, seed=3)).all()
    one, other = (boundary(network, given, seed=seed) for seed in (3, 4))
    assert one.shape != other.shape or (one != other).any()


def test_pixels_at_the_level_of_the_encoder():
    network = with_threshold_encoder(random_network(20, 30, 3), level=9, bits=4)
    assert set(boundary(network, np.zeros((0, 20), dtype=int)).flat) == {8, 9}


def test_pixels_that_are_looked_up():
    network = random_network(20, 30, 3, bits=2)
    # Two pixels have each number, and of one there is none.
    looked_up = replace(network, encoder=Lookup((0, 0, 3, 3, 1, 1, 0, 3), bits=3))
    added = boundary(looked_up, np.zeros((0, 20), dtype=int))
    found = coverage(looked_up, added)
    assert set(added.flat) == {0, 2, 4}
    assert 0.9 < found.reached[0].sum() / found.possible[0].sum() <= 1


def test_a_network_without_hidden_layers():
    network = random_network(20, 3)
    given = np.zeros((2, 20), dtype=int)
    given[0, :15] = 1
    added = boundary(network, given)
    assert added.shape == (1, 20) and coverage(network, given).dark.sum() == 5
    assert not coverage(network, added).dark.any()
    assert boundary(network, added).shape == (0, 20)
