import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.network import Network
from model.planes import planes_after
from model.scores import Scores
from model.stochastic import Stochastic

from . import strategies


def test_which_planes_come_after_what():
    ones, stairs = np.ones((2, 3), bool), np.zeros((2, 7), int)
    assert planes_after(BitSerial(3), None) == ((4, 2, 1), False)
    assert planes_after(Threshold(3), None) == ((1,), True)
    assert planes_after(BitSerial(3), Dense(ones, stairs[:, 0])) == ((1,), True)
    assert planes_after(BitSerial(3), Dense(ones, stairs)) == ((4, 2, 1), False)
    assert planes_after(BitSerial(8), 2) == ((2, 1), False)
    assert planes_after(BitSerial(8), 1) == ((1,), True)


@given(data=st.data(), network=strategies.few_networks())
def test_few_bits_are_integer_arithmetic(data, network):
    """Of weights, and of activations, which a layer takes for numbers, or for ±1 if it is one."""
    encoder = network.encoder
    images = np.random.default_rng(data.draw(st.integers(0, 999))).integers(
        0, 2 ** encoder.bits, (6, network.inputs))
    trace = network.trace(images)
    x = np.array(encoder.gains)[:, None] * np.where(encoder(images), 1, -encoder.bipolar)
    x = x.sum(axis=1)
    for n, layer in enumerate(network.all_layers):
        final = n == len(network.layers)
        name = "scores" if final else f"layer{n}"
        weights = layer.weights if layer.weight_bits > 1 else np.where(layer.weights, 1, -1)
        acc = x @ weights.T
        assert (trace.pop(f"{name}.acc") == acc).all()
        if final:
            scores = layer.gain * acc + layer.bias
            assert (trace.pop("scores") == scores).all()
            break
        x = (acc[..., None] >= layer.thresholds.reshape(layer.outputs, -1)).sum(axis=-1)
        kind = "values" if layer.output_bits > 1 else "bits"
        assert (trace.pop(f"{name}.{kind}") == x).all()
        x = x if layer.output_bits > 1 else 2 * x - 1
    assert not trace
    assert (network.scores_of(images) == scores).all()
    shape = network.shape
    for n, layer in enumerate(network.all_layers):
        output_bits = layer.output_bits if isinstance(layer, Dense) else 1
        assert shape.few_of(n) == (layer.weight_bits, output_bits)
        assert shape.planes_of(n) == (layer.gains, layer.bipolar)


def test_samples_are_not_kept_apart_where_anything_has_several_bits():
    few = Dense(np.ones((3, 4), int), np.zeros(3, int), weight_bits=2)
    stairs = Dense(np.ones((3, 4), bool), np.zeros((3, 3), int))
    plain = Dense(np.ones((3, 4), bool), np.zeros(3, int))
    one, two = (Scores(np.ones((2, 3), kind), np.ones(2, int), np.zeros(2, int), weight_bits=bits)
                for kind, bits in ((bool, 1), (int, 2)))
    encoder = Stochastic(2, most=2, combine="scores")
    for layer, scores in ((few, one), (stairs, one), (plain, two)):
        with pytest.raises(ValueError, match="^Samples must not be kept apart where weights or "
                                             "activations have several bits$"):
            Network(encoder, (layer,), scores)
    assert not Network(encoder, (plain,), one).shape.few
