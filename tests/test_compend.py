import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.compend import Compend

from .strategies import activations, compends


def plain(layer, x):
    """Results in whole numbers, neuron by neuron."""
    results = np.empty((len(x), layer.outputs), dtype=int)
    for n, o in np.ndindex(results.shape):
        acc = sum(int(w) * int(a) for w, a in zip(layer.weights[o], x[n], strict=True))
        acc += int(layer.bias[o])
        results[n, o] = acc >= 0 if layer.activation == "sign" else \
            min(max(acc, 0) // 2 ** int(layer.shifts[o]), 2 ** layer.output_bits - 1)
    return results


@given(data=st.data(), layer=compends(detections=("none", "exact")))
def test_results_are_those_of_plain_arithmetic(data, layer):
    x = data.draw(activations(layer, 6))
    assert (layer(x) == plain(layer, x)).all()
    assert (layer.acc(x) == x @ layer.weights.T + layer.bias).all()


@given(layer=compends())
def test_planes_are_inverted_twos_complement(layer):
    places = -(1 << np.arange(layer.weight_bits))[::-1]
    places[0] *= -1
    assert (np.tensordot(places, layer.planes, axes=1) == layer.weights).all()
    inverted = layer.planes.astype(int)
    twos = np.array([np.binary_repr(-w, layer.weight_bits) for w in layer.weights.ravel()])
    assert ["".join(map(str, bits)) for bits in inverted.reshape(layer.weight_bits, -1).T] \
        == twos.tolist()


@given(data=st.data(), layer=compends())
def test_sums_fall_after_the_first_plane_and_stay_within_their_bits(data, layer):
    x = data.draw(activations(layer, 6))
    _, sums = zip(*layer.running(x), strict=True)
    assert all((after <= before).all() for before, after in zip(sums, sums[1:], strict=False))
    assert (sums[-1] == layer.acc(x) + layer.preload - layer.bias).all()
    for extreme in (0 * x, 0 * x + 2 ** layer.input_bits - 1, x):
        for _, found in layer.running(extreme):
            assert (abs(found + 0.5) < 2 ** (layer.least_acc_bits - 1)).all()
    assert layer.least_acc_bits <= layer.most_acc_bits == layer.acc_bits


@given(data=st.data(), layer=compends())
def test_planes_run_until_the_answer_is_known(data, layer):
    x = data.draw(activations(layer, 4))
    results, run = layer.run(x)
    total = x.sum(axis=1)
    for n, o in np.ndindex(run.shape):
        acc, known = int(layer.preload[o]), None
        low = total[n] * layer.factor // 8 if layer.detection == "speculative" else 0
        for plane, bits in enumerate(layer.planes[:, o]):
            left = layer.weight_bits - 1 - plane
            acc += (-1 if plane else 1) * int(x[n] @ bits) * 2 ** left
            if layer.detection == "none" or not left:
                continue
            if acc < low * 2 ** left:
                known = 0
            elif layer.activation == "sign" and acc >= (total[n] - low) * 2 ** left:
                known = 1
            if known is not None:
                break
        assert run[n, o] == plane + 1
        if known is not None:
            assert results[n, o] == known


def test_early_detection_saves_planes():
    weights = np.array([[-7, -3], [7, 8], [-1, 1]])
    found = {}
    for activation in ("relu", "sign"):
        layer = Compend(weights, np.array([0, 2, -1]), weight_bits=4, activation=activation)
        found[activation] = layer.run(np.array([200, 100]))
    assert found["relu"][0].tolist() == [0, 255, 0]
    assert found["sign"][0].tolist() == [0, 1, 0]
    # The first one's sum is 0 before its second plane, which is nothing for a ReLU, and the sign of
    # which is still to come. The second one's is 2402, and the others can take away 7 x 300.
    assert found["relu"][1].tolist() == [1, 4, 4]
    assert found["sign"][1].tolist() == [2, 1, 4]


def test_speculation_gives_up_what_is_small():
    x = np.array([15, 1])
    exact = Compend(np.array([[0, 1]]), np.array([0]), weight_bits=4)
    assert [found.tolist() for found in exact.run(x)] == [[1], [4]]
    # 7 after the first plane, where half of what may be taken away is 7 x 8.
    given_up = Compend(exact.weights, exact.bias, weight_bits=4, detection="speculative", factor=4)
    assert [found.tolist() for found in given_up.run(x)] == [[0], [1]]
    # 3/8 of 16 is 6; sums of 56, 52 and 50 are not below 6 x 8, 6 x 4 and 6 x 2.
    waiting = Compend(exact.weights, np.array([49]), weight_bits=4, detection="speculative")
    assert [found.tolist() for found in waiting.run(x)] == [[50], [4]]


def layer(**changed):
    return Compend(**{"weights": np.array([[1, -1], [3, 4]]), "bias": np.array([0, -5]),
                      "weight_bits": 3, **changed})


@pytest.mark.parametrize("changed, message", [
    ({"weights": np.array([[5, 0], [0, 0]])},
     "Weights of 3 bits must be between -3 and 4, not 0 to 5"),
    ({"weights": np.array([[-4, 0], [0, 0]])},
     "Weights of 3 bits must be between -3 and 4, not -4 to 0"),
    ({"weights": np.array([1, 2])}, "Weights must be outputs x inputs, not of shape (2,)"),
    ({"weights": np.zeros((0, 2), int)}, "Weights must be outputs x inputs, not of shape (0, 2)"),
    ({"bias": np.array([2041, 0])}, "Biases must be between -2040 and 2040, not 0 to 2041"),
    ({"bias": np.array([0])}, "Biases must be one per output (2), not (1,)"),
    ({"shifts": np.array([0, -1])}, "Shifts must be between 0 and 11, not -1 to 0"),
    ({"shifts": np.array([0, 12])}, "Shifts must be between 0 and 11, not 0 to 12"),
    ({"shifts": np.array([0])}, "Shifts must be one per output (2), not (1,)"),
    ({"shifts": np.array([0, 0]), "activation": "sign"},
     "Shifts must be None where only signs are asked for"),
    ({"activation": "tanh"}, "Activation must be one of relu, sign, not 'tanh'"),
    ({"detection": "late"}, "Detection must be one of none, exact, speculative, not 'late'"),
    ({"weight_bits": 1}, "Bits of a weight must be between 2 and 16, not 1"),
    ({"weight_bits": 17}, "Bits of a weight must be between 2 and 16, not 17"),
    ({"input_bits": 9}, "Bits of an activation must be between 1 and 8, not 9"),
    ({"output_bits": 0}, "Bits of a result must be between 1 and 8, not 0"),
    ({"factor": 5}, "Factor in eighths must be between 1 and 4, not 5"),
    ({"acc_bits": 11}, "Bits of an accumulator must be between 12 and 64, not 11"),
])
def test_values_that_make_no_sense(changed, message):
    with pytest.raises(ValueError) as error:
        layer(**changed)
    assert str(error.value) == message


@pytest.mark.parametrize("changed, message", [
    ({"weights": np.ones((2, 2))}, "Weights must be integers, not float64"),
    ({"bias": np.zeros(2)}, "Biases must be integers, not float64"),
    ({"weight_bits": 3.0}, "Bits of a weight must be an integer, not 3.0"),
    ({"input_bits": True}, "Bits of an activation must be an integer, not True"),
])
def test_kinds_that_make_no_sense(changed, message):
    with pytest.raises(TypeError) as error:
        layer(**changed)
    assert str(error.value) == message


def test_activations_that_make_no_sense():
    with pytest.raises(ValueError, match="^Activations must be between 0 and 255, not -1 to 3$"):
        layer()(np.array([-1, 3]))
    with pytest.raises(ValueError, match="^Activations must be between 0 and 255, not 0 to 256$"):
        layer()(np.array([[0, 256]]))
    with pytest.raises(ValueError, match=r"^Activations must be 2, not of shape \(1, 3\)$"):
        layer()(np.zeros((1, 3), int))
    with pytest.raises(TypeError, match="^Activations must be integers, not float64$"):
        layer()(np.zeros(2))
    assert layer()(np.zeros((0, 2), int)).shape == (0, 2)


def test_bits_of_accumulators():
    assert layer().acc_bits == 14
    assert layer(acc_bits=12).acc_bits == 12
    assert layer(weights=np.array([[0, 0], [0, 1]]), bias=np.array([0, 3])).least_acc_bits == 11
