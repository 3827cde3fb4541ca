import numpy as np
from hypothesis import given, strategies as st

from model.stairs import stairs
from model.switches import switches
from model.uniform import uniform


@given(seed=st.integers(0, 2 ** 32 - 1), bits=st.integers(1, 4), falling=st.booleans())
def test_as_many_thresholds_are_reached_as_a_function_is_high(seed, bits, falling):
    rng = np.random.default_rng(seed)
    low = rng.integers(-20, 10, 6)
    high = low + rng.integers(0, 40, 6)
    steps = np.sort(rng.integers(low.min() - 5, high.max() + 5, (6, 2 ** bits - 1)), axis=1)
    # Some rise and some fall, over the same numbers.
    down = rng.random(6) < 0.5 if falling else np.zeros(6, dtype=bool)

    def function(acc):
        count = (acc[..., None] >= steps).sum(axis=-1)
        return 0.5 * np.where(down, 2 ** bits - 1 - count, count) - 1

    found = switches(function, low, high, 15)
    levels = uniform(found.values, 15)
    if not levels.most:
        return
    thresholds, falls = stairs(found, levels, low, high, levels.most.bit_length())
    assert (np.diff(thresholds) >= 0).all()
    every = low + np.arange(41)[:, None].clip(0, high - low)
    signed = np.where(falls, -every, every)
    reached = (signed[..., None] >= thresholds).sum(axis=-1)
    assert (reached == levels.index(function(every))).all()
    ends = np.where(falls, -high, low), np.where(falls, -low, high)
    assert (thresholds >= ends[0][:, None]).all() and (thresholds <= ends[1][:, None] + 1).all()
