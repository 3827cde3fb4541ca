import math
from dataclasses import replace

import numpy as np
import pytest

from model import data, real
from model import train as training
from model.encoder import BitSerial, Threshold
from model.errors import InputError
from model.real import train

from .gradients import hold_to_slopes


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def network(digits):
    return train(digits, hidden=(48,), epochs=20)


def accuracy_of(network, dataset):
    return (network(dataset.x_test) == dataset.y_test).mean()


def same(one, other):
    return all((a == b).all() for a, b in zip((*one.weights, *one.offsets, *one.means, *one.stds),
                                              (*other.weights, *other.offsets, *other.means,
                                               *other.stds), strict=True))


def test_digits(digits, network):
    assert [weights.shape for weights in network.weights] == [(48, 64), (10, 48)]
    assert accuracy_of(network, digits) >= 0.94


@pytest.mark.parametrize("activation", ["tanh", "sign", "relu"])
@pytest.mark.parametrize("hidden", [(), (32,), (32, 24)])
def test_depth_learns(digits, hidden, activation):
    network = train(digits, hidden=hidden, epochs=20, activation=activation)
    assert accuracy_of(network, digits) >= 0.9
    assert (network.scale == 1) == bool(hidden)


@pytest.mark.parametrize("activation, fire", [
    ("tanh", math.tanh), ("sign", lambda z: 1 if z >= 0 else -1), ("relu", lambda z: max(z, 0))])
def test_classes_are_those_of_the_formula(digits, activation, fire):
    network = train(digits, hidden=(6, 5), epochs=2, encoder=Threshold(8, bits=5),
                    activation=activation)
    for image, found in zip(digits.x_test[:20], network(digits.x_test[:20]), strict=True):
        x = [1 if pixel >= 8 else -1 for pixel in image]
        for n in range(2):
            sums = [sum(w * v for w, v in zip(row, x, strict=True)) for row in network.weights[n]]
            x = [fire((s - m) / d + b) for s, m, d, b in zip(
                sums, network.means[n], network.stds[n], network.offsets[n], strict=True)]
        scores = [sum(w * v for w, v in zip(row, x, strict=True)) + b
                  for row, b in zip(network.weights[2], network.offsets[2], strict=True)]
        assert found == scores.index(max(scores))


def test_sums_are_normalised_over_all_training_images(digits, network):
    acc = digits.x_train.astype(float) @ network.weights[0].T
    assert np.allclose(network.means[0], acc.mean(axis=0))
    assert np.allclose(network.stds[0], np.sqrt(acc.var(axis=0) + training.VARIANCE))


@pytest.mark.parametrize("activation", ["tanh", "sign"])
@pytest.mark.parametrize("bound", [0.01, 0.03, 0.1])   # some of which 32 bits round up
def test_no_weight_is_beyond_the_bound(digits, bound, activation):
    bounded = train(digits, hidden=(16,), epochs=4, bound=bound, activation=activation)
    free = train(digits, hidden=(16,), epochs=4, activation=activation)
    for weights, others in zip(bounded.weights, free.weights, strict=True):
        assert 0.99 * bound < abs(weights).max() <= bound < abs(others).max()


@pytest.mark.parametrize("sizes", [(64, 10), (64, 12, 10), (64, 12, 8, 10)])
@pytest.mark.parametrize("activation, fire", [("tanh", np.tanh), ("relu", lambda z: z.clip(0))])
def test_gradient_is_the_slope_of_the_loss(digits, sizes, activation, fire):
    x, y = training.values_of(BitSerial(5), digits.x_train[:50]), digits.y_train[:50]
    trainee = real.Trainee(sizes, x, np.random.default_rng(0), activation, [math.inf] * 3)
    for offsets in trainee.offsets:
        offsets[:] = np.random.default_rng(1).normal(size=offsets.shape) / 4
    trainee.update(x, y, 0.0)       # fills the gradients, and moves nothing
    points = [array.astype(np.float64) for array in (*trainee.weights, *trainee.offsets)]
    depth = len(sizes) - 1

    def loss():
        h = x.astype(np.float64)
        for weights, offsets in zip(points[:depth - 1], points[depth:], strict=False):
            acc = h @ weights
            h = fire((acc - acc.mean(axis=0)) / np.sqrt(acc.var(axis=0) + training.VARIANCE)
                     + offsets)
        scores = h @ points[depth - 1] * trainee.scale + points[-1]
        return (np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(50), y]).mean()

    hold_to_slopes(points, trainee.gradients, loss)


def test_seed_decides(digits):
    one, again, other = (train(digits, hidden=(8,), epochs=2, seed=seed) for seed in (1, 1, 2))
    assert same(one, again) and not same(one, other)


def test_steps_are_as_long_as_real_weights_need(digits):
    """Adam's first one is the rate for every weight that has a gradient, and three times that."""
    x = training.values_of(BitSerial(5), digits.x_train[:50])
    moved = []
    for make in (training.Trainee, lambda *of: real.Trainee(*of, "tanh", [math.inf] * 2)):
        trainee = make((64, 6, 10), x, np.random.default_rng(0))
        before = trainee.latent.copy()
        trainee.gradient[:] = 1
        trainee.adam(0.01)
        moved.append(before - trainee.latent)
    assert np.allclose(moved[0], 0.01, rtol=1e-3) and np.allclose(moved[1], 0.03, rtol=1e-3)


@pytest.mark.parametrize("real_layers", [1, 2])
def test_binary_layers_after_real_ones(digits, real_layers):
    """They are signs, learn, and each kind keeps its own bound and length of steps."""
    hybrid = train(digits, hidden=(48, 24), epochs=20, activation="sign", bound=0.05,
                   real_layers=real_layers)
    for n, weights in enumerate(hybrid.weights):
        values = set(abs(weights).ravel())
        assert max(values) <= 0.05 and len(values) > 100 if n < real_layers else values == {1}
    assert accuracy_of(hybrid, digits) > 0.9


def test_first_layer_learns_what_binary_ones_pass_back(digits):
    """With clips in place of signs of activations, its gradient is the slope of the loss."""
    x, y = training.values_of(BitSerial(5), digits.x_train[:50]), digits.y_train[:50]
    trainee = real.Trainee((64, 12, 10), x, np.random.default_rng(0), "sign", [0.05, math.inf], 1)
    trainee.fire = lambda normal: normal.clip(-1, 1)
    trainee.update(x, y, 0.0)
    weights = trainee.weights[0].astype(np.float64)
    assert 0.045 < abs(weights).max() <= 0.05

    def loss():
        acc = x.astype(np.float64) @ weights
        h = ((acc - acc.mean(axis=0)) / np.sqrt(acc.var(axis=0) + training.VARIANCE)).clip(-1, 1)
        scores = h @ np.where(trainee.weights[1] >= 0, 1, -1) * trainee.scale
        return (np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(50), y]).mean()

    hold_to_slopes([weights], trainee.gradients[:1], loss)
    before = trainee.latent.copy()
    trainee.mean[:], trainee.square[:], trainee.gradient[:] = 0, 0, 1
    trainee.updates = 0
    trainee.adam(1e-3)
    steps = [(one - other).max() for one, other in zip(
        trainee.split(before), trainee.split(trainee.latent), strict=True)]
    assert np.allclose(steps, [3e-3, 1e-3, 3e-3, 1e-3], rtol=1e-3)


def test_arguments_are_checked(digits):
    with pytest.raises(InputError, match="^digits: it has no training images"):
        train(replace(digits, x_train=digits.x_train[:0], y_train=digits.y_train[:0]))
    for arguments, message in (
            (dict(activation="step"), "Activation must be one of tanh, sign, relu, not 'step'"),
            (dict(real_layers=0), "Layers of real weights must be between 1 and 2, not 0"),
            (dict(real_layers=3), "Layers of real weights must be between 1 and 2, not 3"),
            (dict(real_layers=1, activation="relu"),
             "Activation must be sign where weights are binary, not relu"),
            (dict(bound=0), "Bound must be greater than 0, not 0"),
            (dict(bound=math.nan), "Bound must be greater than 0, not nan"),
            (dict(hidden=(0,)), "Hidden layers must be at least 1, not 0"),
            (dict(epochs=0), "Epochs must be at least 1, not 0")):
        with pytest.raises(ValueError, match=f"^{message}"):
            train(digits, **arguments)
