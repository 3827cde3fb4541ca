import os
import pathlib
from dataclasses import replace

import numpy as np
import pytest

from model import data
from model import train as training
from model.compend import Compend
from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.errors import InputError
from model.network import Network
from model.quantize import quantize
from model.ranges import bounds, full_range
from model.real import train
from model.scores import Scores
from model.train import VARIANCE


DATA = pathlib.Path(os.environ.get("OHMBIT_DATA", "nowhere")).absolute()
SHAPES = [(), (20,), (20, 14)]


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def reals(digits):
    """Trained networks, by activation, sizes of hidden layers, and how many layers are real."""
    kept = {}

    def trained(activation, hidden, real_layers=None):
        key = activation, hidden, real_layers
        if key not in kept:
            kept[key] = train(digits, hidden=hidden, epochs=10, activation=activation,
                              bound=bounds(len(hidden)), real_layers=real_layers)
        return kept[key]

    return trained


def accuracy_of(network, dataset):
    return (network(dataset.x_test) == dataset.y_test).mean()


@pytest.mark.parametrize("hidden", SHAPES)
@pytest.mark.parametrize("activation", ["relu", "sign"])
@pytest.mark.parametrize("weight_bits", [8, 16])
def test_classes_are_those_of_real_weights(digits, reals, activation, hidden, weight_bits):
    real = reals(activation, hidden)
    network = quantize(real, digits, weight_bits=weight_bits)
    assert all(isinstance(layer, Compend) for layer in network.all_layers)
    assert network.shape.sizes == (64, *hidden, 10) and network.encoder == BitSerial(5)
    assert (network.dataset, network.class_names) == ("digits", digits.class_names)
    assert {layer.activation for layer in network.layers} <= {activation}
    assert (network(digits.x_test) == real(digits.x_test)).mean() >= 0.98
    assert abs(accuracy_of(network, digits) - accuracy_of(real, digits)) <= 0.01


@pytest.mark.parametrize("weight_bits, activation_bits, within", [(6, 5, 0.02), (4, 4, 0.03),
                                                                 (4, 2, 0.05)])
def test_fewer_bits_cost_some_accuracy(digits, reals, weight_bits, activation_bits, within):
    real = reals("relu", (20, 14))
    network = quantize(real, digits, weight_bits=weight_bits, activation_bits=activation_bits)
    assert [layer.weight_bits for layer in network.all_layers] == [weight_bits] * 3
    assert [layer.input_bits for layer in network.all_layers] == [5] + [activation_bits] * 2
    assert accuracy_of(network, digits) >= accuracy_of(real, digits) - within


def test_values_are_those_of_the_real_network(digits, reals):
    """A neuron's results are its own multiple of what the real one gives, up to some rounding."""
    real = reals("relu", (20, 14))
    trace = quantize(real, digits, weight_bits=12).trace(digits.x_test)
    x = digits.x_test.astype(float)
    for n in range(2):
        x = ((x @ real.weights[n].T - real.means[n]) / real.stds[n] + real.offsets[n]).clip(0)
        found = trace[f"layer{n}.values"]
        assert 0.1 < (found > 0).mean() < 0.9
        for wanted, values in zip(x.T, found.T, strict=True):
            inside = (values > 0) & (values < 255)
            if inside.sum() > 20:
                scale = (values * wanted)[inside].sum() / (wanted * wanted)[inside].sum()
                assert abs(values - scale * wanted)[inside].max() <= 1.5 + 2 * n
        assert np.median(found.max(axis=0)) >= 128   # eight bits are made use of


@pytest.mark.parametrize("hidden", [(20,), (20, 14)])
def test_sums_are_normalised_anew(digits, reals, hidden):
    """Signs are those of batch normalisation in floats, of integers and bits as they come."""
    real = reals("sign", hidden)
    network = quantize(real, digits, weight_bits=4)
    trace, x = network.trace(digits.x_train), digits.x_train.astype(np.int64)
    for n, layer in enumerate(network.layers):
        acc = x @ layer.weights.T
        gains = full_range(real.weights[n] * (2 if n else 1), 4)[1]
        normal = (acc - acc.mean(axis=0)) / np.sqrt(acc.var(axis=0) + VARIANCE * gains ** 2)
        assert (trace[f"layer{n}.bits"] == (normal + real.offsets[n] >= 0)).all()
        x = trace[f"layer{n}.bits"].astype(np.int64)
    # Bits of 0 and 1 stand for ±1 in the scores as well.
    wanted = np.where(x, 1, -1) @ real.weights[-1].T + real.offsets[-1]
    _, (gain,) = full_range(2 * real.weights[-1].reshape(1, -1), 4)
    errors = abs(trace["scores"] / gain - wanted)
    assert errors.max() <= (x.shape[1] + 1) / 2 / gain and errors.mean() < 0.1 * wanted.std()


@pytest.mark.parametrize("hidden", [(20,), (20, 14)])
def test_first_layer_of_several_bits_before_binary_ones(digits, reals, hidden):
    real = reals("sign", hidden, 1)
    network = quantize(real, digits)
    first, *others = network.layers
    assert isinstance(first, Compend) and first.activation == "sign"
    assert all(isinstance(layer, Dense) for layer in others)
    assert isinstance(network.scores, Scores) and (network.scores.gain == 1).all()
    # So few neurons leave scores equal, and biases are rounded as those of binary networks are.
    assert accuracy_of(network, digits) >= accuracy_of(real, digits) - 0.04
    x = network.trace(digits.x_train)["layer0.bits"]
    for n, layer in enumerate(others, 1):
        assert (layer.weights == (real.weights[n] > 0)).all()
        acc = np.where(x, 1, -1) @ real.weights[n].T
        normal = (acc - acc.mean(axis=0)) / np.sqrt(acc.var(axis=0) + VARIANCE)
        x = normal + real.offsets[n] >= 0
        assert (network.trace(digits.x_train)[f"layer{n}.bits"] == x).all()
    assert (network.scores.bias == np.rint(real.offsets[-1] / real.scale)).all()


def test_binary_layers_are_what_training_makes_of_them(digits, monkeypatch):
    """With a first layer of ±1 as well, all but that is what :func:`model.train.train` gives."""
    trainees = []
    finish = training.Trainee.finish
    monkeypatch.setattr(training.Trainee, "finish",
                        lambda self, *of: trainees.append(self) or finish(self, *of))
    binary = training.train(digits, hidden=(20, 14), epochs=3)
    real = train(digits, hidden=(20, 14), epochs=1, activation="sign", real_layers=1)
    trainee, = trainees
    signs = replace(real, weights=tuple(np.where(latent.T >= 0, 1.0, -1.0)
                                        for latent in trainee.weights),
                    offsets=tuple(each.astype(float) for each in trainee.offsets),
                    scale=float(trainee.scale))
    network = quantize(signs, digits)
    assert (network.scores_of(digits.x_test) == binary.scores_of(digits.x_test)).mean() > 0.99
    for one, other in zip(network.all_layers[1:], binary.all_layers[1:], strict=True):
        assert (one.weights == other.weights).all()


@pytest.mark.parametrize("detection", ["none", "exact", "speculative"])
@pytest.mark.parametrize("activation, real_layers", [("relu", None), ("sign", None), ("sign", 1)])
def test_detection_of_hidden_layers(digits, reals, activation, real_layers, detection):
    real = reals(activation, (20, 14), real_layers)
    network = quantize(real, digits, detection=detection, factor=2)
    serial = [layer for layer in network.layers if isinstance(layer, Compend)]
    assert {(layer.detection, layer.factor) for layer in serial} == {(detection, 2)}
    if detection == "exact":
        plain = quantize(real, digits, detection="none")
        assert (network.scores_of(digits.x_test) == plain.scores_of(digits.x_test)).all()
    assert accuracy_of(network, digits) >= accuracy_of(real, digits) - 0.05


def test_scores_fit_32_bits(digits, reals):
    """Weights of scores lose bits before sums leave an accumulator; no others do."""
    real = reals("relu", (20,))
    wide = replace(real, weights=(np.tile(real.weights[0], (40, 1)),
                                  np.tile(real.weights[1], (1, 40)) / 40),
                   offsets=(np.tile(real.offsets[0], 40), real.offsets[1]))
    network = quantize(wide, digits, weight_bits=16)
    assert network.layers[0].weight_bits == 16 > network.scores.weight_bits >= 12
    assert network.scores.acc_bits <= 32
    assert (network(digits.x_test) == real(digits.x_test)).mean() > 0.98
    assert quantize(real, digits, weight_bits=16).scores.weight_bits == 16


@pytest.mark.parametrize("activation, real_layers", [("relu", None), ("sign", None), ("sign", 1)])
def test_networks_go_through_files(digits, reals, tmp_path, activation, real_layers):
    network = quantize(reals(activation, (20, 14), real_layers), digits)
    network.save(tmp_path / "net.npz")
    again = Network.load(tmp_path / "net.npz")
    assert again.shape == network.shape
    assert (again.scores_of(digits.x_test) == network.scores_of(digits.x_test)).all()


@pytest.mark.parametrize("activation, real_layers", [("relu", None), ("sign", None), ("sign", 1)])
def test_neurons_that_never_change(digits, reals, activation, real_layers):
    """Weights of nothing, and offsets that no sum outweighs."""
    real = reals(activation, (20, 14), real_layers)
    weights, offsets = [each.copy() for each in real.weights], [each.copy() for each in
                                                               real.offsets]
    weights[0][:2] = 0
    offsets[0][:4] = 3, -3, 1e9, -1e9
    network = quantize(replace(real, weights=tuple(weights), offsets=tuple(offsets)), digits)
    results = network.layers[0](digits.x_test)
    assert (results[:, [0, 2]] > 0).all() and not results[:, [1, 3]].any()
    dark = replace(digits, x_train=np.zeros_like(digits.x_train))
    assert quantize(real, dark).classes == 10


def test_what_is_refused(digits, reals):
    real = reals("relu", (20,))
    for arguments, error, message in (
            (dict(weight_bits=1), ValueError, "Bits of a weight must be between 2 and 16, not 1"),
            (dict(weight_bits=17), ValueError, "Bits of a weight must be between 2 and 16, not 17"),
            (dict(weight_bits=8.0), TypeError, r"Bits of a weight must be an integer, not 8\.0"),
            (dict(activation_bits=9), ValueError,
             "Bits of an activation must be between 1 and 8, not 9"),
            (dict(detection="some"), ValueError, "Detection must be one of none, exact, spec"),
            (dict(factor=5), ValueError, "Factor in eighths must be between 1 and 4, not 5")):
        with pytest.raises(error, match=f"^{message}"):
            quantize(real, digits, **arguments)
    with pytest.raises(ValueError, match="^Activation must be relu or sign, not tanh"):
        quantize(replace(real, activation="tanh"), digits)
    with pytest.raises(TypeError, match="^Encoder must give whole pixels: a BitSerial, not Thres"):
        quantize(replace(real, encoder=Threshold(8, bits=5)), digits)
    with pytest.raises(InputError, match="^digits: it has no training images"):
        quantize(real, replace(digits, x_train=digits.x_train[:0], y_train=digits.y_train[:0]))


@pytest.mark.slow
@pytest.mark.parametrize("activation, real_layers", [("relu", None), ("sign", None), ("sign", 1)])
@pytest.mark.skipif(not (DATA / "mnist").is_dir(),
                    reason="set OHMBIT_DATA to a folder with mnist/")
def test_mnist(activation, real_layers):
    dataset = data.load("mnist", DATA)
    real = train(dataset, hidden=(64,), epochs=1, activation=activation, bound=bounds(1),
                 real_layers=real_layers)
    assert accuracy_of(real, dataset) > 0.9
    assert abs(accuracy_of(quantize(real, dataset), dataset) - accuracy_of(real, dataset)) <= 0.003
