import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.uniform import Uniform, uniform


@given(st.data())
def test_finds_the_greatest_step(data):
    steps = np.array(data.draw(st.lists(st.integers(0, 255), min_size=2, unique=True)))
    scale = np.float32(data.draw(st.floats(2 ** -10, 2 ** 10, width=32)))
    low = data.draw(st.integers(-255, 255))
    # As a graph has them: each rounded to float32.
    values = ((steps + low) * scale).astype(np.float32)
    found = uniform(values, 255)
    whole = np.gcd.reduce(steps - steps.min())
    assert found.most == (steps.max() - steps.min()) // whole
    np.testing.assert_array_equal(found.index(values), (steps - steps.min()) // whole)


def test_powers_of_two_are_exact():
    assert uniform([-0.5, 0.25, 1.0], 255) == Uniform(-0.5, 0.75, 2)
    assert uniform([3, -1], 1) == Uniform(-1.0, 4.0, 1)


def test_one_value_has_no_step():
    assert uniform([2.5, 2.5], 1) == Uniform(2.5, 1.0, 0)


@pytest.mark.parametrize("values, most", [
    ([0, 1, 2], 1), ([0, 1, 256], 255), ([0, 1, 2 ** .5], 255), ([0, 1, 1.0001], 255)])
def test_none_where_steps_would_be_too_small(values, most):
    assert uniform(values, most) is None


def test_fits_what_float32_rounds_and_nothing_else():
    tenths = Uniform(0.0, 0.1, 10)
    assert tenths.fits(np.float32(0.1) * np.arange(11, dtype=np.float32))
    for value in (-0.1, 1.1, 0.55, 0.1001):
        assert not tenths.fits([0.0, value])


def test_a_falling_one():
    assert Uniform(1.0, -2.0, 1).index([1.0, -1.0]).tolist() == [0, 1]
