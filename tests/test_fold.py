import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from model.dense import Dense
from model.fold import fold


def expression(acc, mean, std, gamma, beta):
    return gamma * (acc - mean) / std + beta >= 0


values = st.floats(-40, 40) | st.integers(-40, 40).map(float)


@given(inputs=st.integers(1, 12), gain=st.sampled_from([1, 3, 31]), mean=values,
       std=st.floats(1e-3, 20), gamma=values, beta=values)
@example(inputs=4, gain=1, mean=0.0, std=1.0, gamma=1.0, beta=0.0)      # equality fires
@example(inputs=4, gain=1, mean=0.0, std=1.0, gamma=-1.0, beta=0.0)     # on both sides
@example(inputs=4, gain=1, mean=0.0, std=1.0, gamma=1.0, beta=-4.0)     # only at the very top
@example(inputs=4, gain=1, mean=0.0, std=1.0, gamma=-1.0, beta=-4.0)
@example(inputs=4, gain=1, mean=0.0, std=1.0, gamma=1.0, beta=4.0)      # even at the very bottom
@example(inputs=4, gain=1, mean=0.1, std=0.1, gamma=0.1, beta=-2.9)     # decimal fractions
@example(inputs=4, gain=1, mean=0.0, std=1.0, gamma=-0.0, beta=-0.0)
def test_threshold_switches_where_the_expression_does(inputs, gain, mean, std, gamma, beta):
    top = inputs * gain
    weights = np.ones((1, inputs), dtype=bool)
    folded, (threshold,) = fold(weights, mean, std, gamma, beta, gain=gain)
    inverted = not folded.any()
    assert inverted == (gamma < 0)
    assert -top <= threshold <= top + 1
    for acc in range(-top, top + 1):
        fired = (-acc if inverted else acc) >= threshold
        assert fired == expression(acc, mean, std, gamma, beta), acc


@pytest.mark.parametrize("gamma, beta, threshold", [
    (0.0, 0.0, -12), (0.0, 1e-300, -12), (0.0, -1e-300, 13),      # gamma of zero: the sign of beta
    (1.0, 1e9, -12), (1.0, -1e9, 13), (-1.0, 1e9, -12), (-1.0, -1e9, 13),
    (1.0, -12.0, 12), (1.0, -12.5, 13), (1.0, 12.0, -12), (1.0, 11.5, -11),
])
def test_unreachable_thresholds_are_clamped(gamma, beta, threshold):
    assert fold(np.ones((1, 4), dtype=bool), 0, 1, gamma, beta, gain=3)[1] == [threshold]


def test_overflow_is_no_trouble():
    weights = np.ones((2, 4), dtype=bool)
    assert fold(weights, 0.0, 1e-300, 1e300, [-1e300, 1e300])[1].tolist() == [1, 0]


@given(seed=st.integers(0, 1000))
def test_layer_equals_batch_normalisation(seed):
    rng = np.random.default_rng(seed)
    weights, x = rng.random((9, 15)) < 0.5, rng.random((40, 1, 15)) < 0.5
    acc = np.where(x[:, 0], 1, -1) @ np.where(weights, 1, -1).T
    mean, std, gamma, beta = (acc.mean(axis=0), acc.std(axis=0) + 0.1,
                              rng.choice([-1.5, -1, 0, 0.5, 2], 9), rng.normal(size=9))
    folded, thresholds = fold(weights, mean, std, gamma, beta)
    assert (Dense(folded, thresholds)(x) == expression(acc, mean, std, gamma, beta)).all()
    assert (folded[gamma < 0] == ~weights[gamma < 0]).all()
    assert (folded[gamma >= 0] == weights[gamma >= 0]).all()


@pytest.mark.parametrize("change, error, message", [
    ({"weights": np.ones((2, 3))}, TypeError, "Weights must be a matrix of bool, not 2-d.* float"),
    ({"weights": np.ones(3, dtype=bool)}, TypeError, "Weights must be a matrix of bool, not 1-dim"),
    ({"mean": [1.0]}, ValueError, r"mean must be one per output \(2\), not \(1,\)"),
    ({"beta": [0.0, np.nan]}, ValueError, "beta must be finite"),
    ({"gamma": np.inf}, ValueError, "gamma must be finite"),
    ({"std": [1.0, 0.0]}, ValueError, "std must be greater than 0, not 0.0"),
])
def test_arguments_are_checked(change, error, message):
    arguments = dict(weights=np.ones((2, 3), dtype=bool), mean=0.0, std=1.0, gamma=1.0, beta=0.0)
    with pytest.raises(error, match=f"^{message}"):
        fold(**{**arguments, **change})
