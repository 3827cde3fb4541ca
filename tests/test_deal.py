from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from model import data
from model.compend import Compend
from model.deal import balanced, dealt
from model.dense import Dense
from model.network import Network
from model.quantize import quantize
from model.real import train
from model.schedule import Schedule

from .strategies import activations, compends, serial_networks


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def network(digits):
    return quantize(train(digits, hidden=(48, 20), epochs=3, activation="relu", bound=0.1), digits)


def longest(layer, x, order, pe):
    """Planes of the PE that runs the most, mean over images."""
    run = layer.run(x)[1]
    busy = [[sum(int(run[image, neuron]) for neuron in order[e::pe]) for e in range(pe)]
            for image in range(len(x))]
    return np.mean([max(each) for each in busy])


@given(data=st.data(), layer=compends(max_outputs=12), pe=st.integers(1, 14),
       seed=st.integers(0, 9))
def test_every_neuron_has_a_place(data, layer, pe, seed):
    x = data.draw(activations(layer, 7))
    order, again = (balanced(layer, x, pe, seed=seed, swaps=40) for _ in range(2))
    assert sorted(order) == list(range(layer.outputs))
    assert (order == again).all()


@given(data=st.data(), layer=compends(max_outputs=12, detections=["exact", "speculative"]),
       pe=st.integers(2, 5))
def test_exchanges_only_make_it_better(data, layer, pe):
    x = data.draw(activations(layer, 7))
    orders = [balanced(layer, x, pe, swaps=swaps) for swaps in (0, 20, 100)]
    figures = [longest(layer, x, order, min(pe, layer.outputs)) for order in orders]
    assert figures == sorted(figures, reverse=True)


def test_neurons_are_dealt_forwards_and_backwards():
    """Nine neurons of 1 to 6 planes, all by what their biases say alone."""
    bias = [0, -31 * 4, 0, -2 * 4, 0, -1 * 4, 0, 0, -5 * 4]
    layer = Compend(np.full((9, 4), 1), np.array(bias), weight_bits=6, input_bits=1)
    x = np.ones((1, 4), dtype=int)
    planes = layer.run(x)[1][0]
    order = balanced(layer, x, 3, swaps=0)
    assert (np.diff(planes[order[:3]]) <= 0).all() and (np.diff(planes[order[3:6]]) >= 0).all()
    assert (np.diff(planes[order[6:]]) <= 0).all()
    assert planes[order[:3]].min() >= planes[order[3:6]].max()


def test_cycles_fall_on_images_of_the_test(digits, network):
    layer, x = network.layers[0], digits.x_test
    order = balanced(layer, digits.x_train, 4, swaps=3000)
    schedule = Schedule(pe=4, simd=8, wasted=2)
    before, after = (schedule.counts(each, x).cycles.mean()
                     for each in (layer, dealt(network, digits.x_train, 4).layers[0]))
    assert after < 0.99 * before
    assert longest(layer, x, order, 4) < 0.99 * longest(layer, x, np.arange(48), 4)


@pytest.mark.parametrize("detection", ["none", "exact", "speculative"])
def test_scores_stay_what_they_were(digits, network, detection):
    layers = tuple(replace(layer, detection=detection) for layer in network.layers)
    network = replace(network, layers=layers)
    moved = dealt(network, digits.x_train[:100], (8, 3), swaps=200)
    assert (moved.scores_of(digits.x_test) == network.scores_of(digits.x_test)).all()
    assert moved.shape == network.shape and moved.class_names == network.class_names
    for one, other in zip(network.layers, moved.layers, strict=True):
        assert sorted(one.bias) == sorted(other.bias)


@given(data=st.data(), network=serial_networks(), pe=st.integers(1, 5))
def test_every_network_computes_the_same(data, network, pe):
    seed = data.draw(st.integers(0, 2 ** 32 - 1))
    images = np.random.default_rng(seed).integers(0, 2 ** network.encoder.bits,
                                                  (20, network.inputs))
    moved = dealt(network, images[:9], pe, swaps=20)
    assert (moved.scores_of(images) == network.scores_of(images)).all()
    for one, other in zip(network.layers, moved.layers, strict=True):
        if isinstance(one, Dense):
            assert (one.thresholds == other.thresholds).all()


def test_what_is_refused(digits, network):
    layer, x = network.layers[0], digits.x_train[:9]
    for given_, error, message in (
            ((layer, x, 0), ValueError, "PE must be at least 1, not 0"),
            ((layer, x, 2.0), TypeError, r"PE must be an integer, not 2\.0"),
            ((layer, x[0], 2), ValueError, r"Activations must be images x inputs, not .* \(64,\)"),
            ((layer, x[:0], 2), ValueError, r"Activations must be images x inputs, .* \(0, 64\)")):
        with pytest.raises(error, match=f"^{message}"):
            balanced(*given_)
    with pytest.raises(ValueError, match="^Swaps must be at least 0, not -1"):
        balanced(layer, x, 2, swaps=-1)
    with pytest.raises(ValueError, match="^PE must be one for each of the 2 hidden layers, not 3"):
        dealt(network, x, (1, 2, 3))


def test_tiles_are_not_torn_apart(digits):
    binary = quantize(train(digits, hidden=(12, 9), epochs=1, activation="sign", bound=0.1,
                            real_layers=1), digits)
    tiled = replace(binary.layers[1], tile_rows=4, sense=2)
    network = Network(binary.encoder, (binary.layers[0], tiled), binary.scores)
    with pytest.raises(ValueError, match="^Layer 1 must be exact to have its inputs in another"):
        dealt(network, digits.x_train[:9], 2)
