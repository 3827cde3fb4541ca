import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.ranges import CONSTANT, bounds, full_range


@given(seed=st.integers(0, 2 ** 32 - 1), bits=st.integers(2, 16),
       spread=st.sampled_from([1e-9, 0.1, 1.0, 1e6]))
def test_each_row_takes_the_full_range(seed, bits, spread):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(6, 9)) * spread * rng.uniform(0.1, 1, (6, 1))
    weights[4] = abs(weights[4])
    weights[5] = 0
    found, gains = full_range(weights, bits)
    high, low = 1 << bits - 1, 1 - (1 << bits - 1)
    for row, gain, whole in zip(weights[:5], gains, found, strict=False):
        assert whole.max() == high or whole.min() == low
        assert low <= whole.min() and whole.max() <= high
        assert abs(whole - gain * row).max() <= 0.5 + 1e-6
    assert found[4].max() == high
    assert not found[5].any() and gains[5] == CONSTANT


@pytest.mark.parametrize("row, bits, found", [
    ([1.0, -0.5], 8, [128, -64]), ([0.5, -1.0], 8, [64, -127]), ([1.0, -1.0], 8, [127, -127]),
    ([3.0, -1.0], 2, [2, -1]), ([-5.0, -1.0], 2, [-1, 0])])
def test_the_range_reaches_further_up_than_down(row, bits, found):
    assert full_range(np.array([row]), bits)[0].tolist() == [found]


def test_all_but_scores_are_bounded():
    assert bounds(0) == (math.inf,)
    assert bounds(2)[2] == math.inf and 0 < bounds(2)[0] == bounds(2)[1] < 1
