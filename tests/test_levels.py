from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from model import data
from model import train as training
from model.encoder import BitSerial, Threshold
from model.levels import on_levels, planes_of, recompose
from model.real import train
from model.stochastic import Stochastic


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module", params=["tanh", "sign"])
def network(request, digits):
    return train(digits, hidden=(24, 16), epochs=8, activation=request.param)


def scales(network):
    return [abs(weights).mean() for weights in network.weights]


@given(seed=st.integers(0, 2 ** 32 - 1), planes=st.integers(1, 10),
       bound=st.sampled_from([0.01, 0.3, 1.0, 7.0]))
def test_planes_are_the_nearest_level(seed, planes, bound):
    weights = np.random.default_rng(seed).uniform(-1.2 * bound, 1.2 * bound, (5, 9))
    found = planes_of(weights, bound, planes)
    assert (found.shape, found.dtype) == ((planes, 5, 9), bool)
    levels = np.linspace(-bound, bound, 2 ** planes)
    top = 2 ** planes - 1
    for index in np.ndindex(weights.shape):
        cells = [1 if cell else -1 for cell in found[:, *index]]
        whole = sum(cell << place for place, cell in enumerate(reversed(cells)))
        assert recompose(found)[index] == whole and whole % 2 == 1 and abs(whole) <= top
        nearest = abs(levels - weights[index]).min()
        assert abs(whole * bound / top - weights[index]) == pytest.approx(nearest, abs=1e-12)


@pytest.mark.parametrize("planes", range(1, 9))
def test_levels_themselves_are_kept(planes):
    odd = np.arange(-(2 ** planes) + 1, 2 ** planes, 2)[None]
    assert (recompose(planes_of(odd * (0.3 / (2 ** planes - 1)), 0.3, planes)) == odd).all()


def test_one_plane_is_the_sign():
    weights = np.array([[-2.0, -0.1, -1e-9, 0.0, 1e-9, 0.1, 2.0]])
    assert (planes_of(weights, 0.5, 1)[0] == (weights >= 0)).all()
    # Half-way between two levels the upper one.
    assert recompose(planes_of(np.array([[-2 / 3, 0, 2 / 3]]), 1, 2)).tolist() == [[-1, 1, 3]]


@pytest.mark.parametrize("planes", [1, 3, 8])
@pytest.mark.parametrize("encoder", [BitSerial(5), Threshold(8, bits=5)])
def test_crossbars_add_up_to_what_is_computed(digits, encoder, planes):
    real = train(digits, hidden=(10, 9), epochs=1, encoder=encoder, activation="sign", bound=0.1)
    levels = on_levels(real, [0.1] * 3, planes, digits.x_train)
    images = digits.x_test
    bits, x = encoder(images), training.values_of(encoder, images).astype(np.int64)
    for n, thresholds in enumerate(levels.thresholds):
        acc = levels.acc(n, bits)
        assert (acc == x @ recompose(levels.planes[n]).T).all()
        assert 0.05 < (acc >= thresholds).mean() < 0.95
        bits, x = (acc >= thresholds)[:, None], np.where(acc >= thresholds, 1, -1)
    scores = levels.acc(2, bits) + levels.bias
    assert (levels(images) == scores.argmax(axis=1)).all()


@pytest.mark.parametrize("anew", [True, False])
def test_binary_network_is_the_signs_of_the_real_one(digits, network, anew):
    levels = on_levels(network, scales(network), 1, digits.x_train if anew else None)
    binary = levels.network
    for layer, weights in zip(binary.all_layers, network.weights, strict=True):
        assert (layer.weights == (weights >= 0)).all()
    assert (binary.scores.gain == 1).all()
    assert (binary(digits.x_test) == levels(digits.x_test)).all()
    assert binary.encoder == network.encoder


def test_sums_are_normalised_anew(digits, network):
    levels = on_levels(network, scales(network), 2, digits.x_train)
    x = digits.x_train.astype(np.int64)
    for n, thresholds in enumerate(levels.thresholds):
        acc = x @ recompose(levels.planes[n]).T
        normal = (acc - acc.mean(axis=0)) / np.sqrt(acc.var(axis=0) + training.VARIANCE)
        assert ((acc >= thresholds) == (normal + network.offsets[n] >= 0)).all()
        x = np.where(acc >= thresholds, 1, -1)


@pytest.mark.parametrize("planes", [1, 4])
def test_sums_are_normalised_as_trained(digits, network, planes):
    bounds = scales(network)
    levels = on_levels(network, bounds, planes)
    acc = digits.x_train.astype(np.int64) @ recompose(levels.planes[0]).T
    weighed = acc * bounds[0] / (2 ** planes - 1)
    normal = (weighed - network.means[0]) / network.stds[0] + network.offsets[0]
    clear = abs(normal) > 1e-9
    assert ((acc >= levels.thresholds[0]) == (normal >= 0))[clear].all()


def test_many_planes_are_the_real_weights(digits):
    real = train(digits, hidden=(24,), epochs=8, activation="sign", bound=0.3)
    for images in (digits.x_train, None):
        levels = on_levels(real, [0.3, 0.3], 16, images)
        assert (levels(digits.x_test) == real(digits.x_test)).mean() > 0.99
    coarse = on_levels(real, [0.3, 0.3], 1, digits.x_train)
    assert (coarse(digits.x_test) == real(digits.x_test)).mean() < 0.99


def test_what_is_refused(digits, network):
    for arguments, kind, message in (
            ((0.3, 0), ValueError, "Planes must be between 1 and 16, not 0"),
            ((0.3, 17), ValueError, "Planes must be between 1 and 16, not 17"),
            ((0.3, 2.0), TypeError, r"Planes must be an integer, not 2\.0"),
            ((0.0, 2), ValueError, r"Bound must be greater than 0, not 0\.0")):
        with pytest.raises(kind, match=f"^{message}"):
            planes_of(np.ones((2, 2)), *arguments)
    with pytest.raises(ValueError, match="^Planes must be one in each layer of a network, not 2, "):
        _ = on_levels(network, scales(network), 2).network
    with pytest.raises(ValueError):
        on_levels(network, scales(network)[:2], 2)
    apart = replace(network, encoder=Stochastic(8, combine="scores"))
    with pytest.raises(ValueError, match="^The first layer must add up its planes, not keep them"):
        on_levels(apart, scales(network), 2)
