import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.errors import InputError
from model.ranking import GAIN_BITS, ranking


def order(real, whole, low, high):
    """Whether every two classes compare alike, for all of their accumulators."""
    for a in range(len(low)):
        for b in range(a + 1, len(low)):
            x, y = np.arange(low[a], high[a] + 1)[:, None], np.arange(low[b], high[b] + 1)
            # The first class wins ties.
            if ((real(a, x) >= real(b, y)) != (whole(a, x) >= whole(b, y))).any():
                return False
    return True


@given(st.data())
def test_no_class_changes(data):
    classes = data.draw(st.integers(1, 4))
    numbers = st.integers(-30, 30)
    low = np.array(data.draw(st.lists(numbers, min_size=classes, max_size=classes)))
    high = low + data.draw(st.integers(0, 20))
    quarters = st.integers(-40, 40)
    slope = np.array(data.draw(st.lists(st.integers(-12, 12), min_size=classes, max_size=classes))
                     if data.draw(st.booleans()) else [data.draw(st.integers(1, 12))] * classes)
    offset = np.array(data.draw(st.lists(quarters, min_size=classes, max_size=classes))) / 4
    scale = np.float32(data.draw(st.floats(2 ** -6, 2 ** 6, width=32)))

    def real(acc):
        return ((slope * acc + offset) * scale).astype(np.float32)

    try:
        gain, bias = ranking(real, low, high, "MatMul_3")
    except InputError:
        # Only different slopes can be out of reach.
        assert len(set(slope.tolist())) > 1
        return
    assert gain.dtype == bias.dtype == np.int64
    assert order(lambda n, acc: real(acc[..., None])[..., n],
                 lambda n, acc: gain[n] * acc + bias[n], low, high)


@given(st.data())
def test_integers_are_never_refused(data):
    """Whatever their order, as they are their own answer."""
    numbers = st.lists(st.integers(-99, 99), min_size=5, max_size=5)
    slope, offset, low = (np.array(data.draw(numbers)) for _ in range(3))
    high = low + data.draw(st.integers(1, 40))
    gain, bias = ranking(lambda acc: (slope * acc + offset).astype(np.float32), low, high, "MatMul")
    assert order(lambda n, acc: slope[n] * acc + offset[n],
                 lambda n, acc: gain[n] * acc + bias[n], low, high)


def test_integers_are_divided_by_what_they_have_in_common():
    """Those of 16 bits become gains of 15."""
    slope, offset = np.array([39_994, -30_026]), np.array([0, 14])
    low, high = np.full(2, -900), np.full(2, 900)
    gain, bias = ranking(lambda acc: slope * acc + offset, low, high, "MatMul")
    assert abs(gain).max() < 2 ** GAIN_BITS
    assert order(lambda n, acc: slope[n] * acc + offset[n],
                 lambda n, acc: gain[n] * acc + bias[n], low, high)


def test_one_scale_for_all_needs_no_gain():
    gain, bias = ranking(lambda acc: np.float32(.0412) * acc + np.float32(-1.1), np.full(10, -64),
                         np.full(10, 64), "MatMul_3")
    assert gain.tolist() == [1] * 10 and bias.tolist() == [0] * 10


def test_ties_go_to_the_first_class():
    """Half a step between two classes is as good as a whole one, in one direction alone."""
    gain, bias = ranking(lambda acc: acc + np.array([0.0, 0.5, 0.0]), np.full(3, -4), np.full(3, 4),
                         "MatMul_3")
    sums = np.zeros((1, 3), dtype=int) + np.arange(-4, 5)[:, None]
    scores = gain * sums + bias
    assert (scores.argmax(axis=1) == 1).all()


def test_refuses_what_no_gains_keep_in_order():
    slopes = np.array([1.0, 1.0 + 2.0 ** -(GAIN_BITS + 3)])
    with pytest.raises(InputError, match="scores of MatMul_3 .* could change"):
        ranking(lambda acc: slopes * acc, np.zeros(2, int), np.full(2, 2 ** 18), "MatMul_3")


def test_scores_that_only_rounding_tells_apart_may_be_equal():
    """Three steps of a scale are not three times as much in float32."""
    off = np.array([0.0, 2.0 ** -24, -2.0 ** -24])

    def real(acc):
        return 0.3 * acc + np.array([0.0, 0.9, -0.6]) + off

    low, high = np.full(3, -20), np.full(3, 20)
    gain, bias = ranking(real, low, high, "Gemm", np.full(3, 2.0 ** -20))
    assert gain.tolist() == [1, 1, 1] and (bias - bias[0]).tolist() == [0, 3, -2]
    # Where accumulators are exact, these are different scores, which no small gains tell apart.
    with pytest.raises(InputError, match="in no order that integer gains"):
        ranking(real, low, high, "Gemm", np.zeros(3))


def test_scores_that_are_further_apart_are_not():
    def real(acc):
        return acc + np.array([0.0, 2.25])

    low, high = np.zeros(2, int), np.full(2, 9)
    for slack, gain in ((0.0, 4), (0.12, 4), (0.13, 1)):
        found, _ = ranking(real, low, high, "Gemm", np.full(2, slack))
        assert found.tolist() == [gain, gain], slack
