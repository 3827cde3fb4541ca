import numpy as np
from hypothesis import given, strategies as st

from model.switches import switches


@given(st.data())
def test_finds_every_place(data):
    count = data.draw(st.integers(1, 5))
    low = np.array(data.draw(st.lists(st.integers(-99, 99), min_size=count, max_size=count)))
    high = low + data.draw(st.integers(0, 99))
    # Stairs that rise or fall, by more than one at a time, and on one place or many.
    stairs = [sorted(data.draw(st.lists(st.integers(-99, 198), max_size=6))) for _ in low]
    signs = np.array([data.draw(st.sampled_from([1, -1])) for _ in low])
    asked = []

    def function(acc):
        assert ((low <= acc) & (acc <= high)).all()
        asked.append(acc)
        return np.stack([sign * np.searchsorted(stair, column, side="right") for stair, sign, column
                         in zip(stairs, signs, acc.T, strict=True)], axis=1)

    found = switches(function, low, high, 6)
    acc = np.arange(min(low), max(high) + 1)
    expected = [(n, int(place), int(before), int(after)) for n in range(count)
                for place, before, after in zip(
                    acc[1:], *((lambda v: (v[:-1], v[1:]))(signs[n] * np.searchsorted(
                        stairs[n], acc, side="right"))), strict=True)
                if before != after and low[n] < place <= high[n]]
    got = list(zip(found.which.tolist(), found.place.tolist(), found.before.tolist(),
                   found.after.tolist(), strict=True))
    assert got == expected
    np.testing.assert_array_equal(found.first, function(low[None])[0])
    assert found.values.tolist() == sorted({*found.first, *(row[3] for row in expected)})


def test_none_where_a_function_changes_too_often():
    low, high = np.array([0, 0]), np.array([1000, 1000])
    assert switches(lambda acc: acc * [0, 1], low, high, 255) is None
    assert switches(lambda acc: np.minimum(acc, 3), low, high, 2) is None
    assert switches(lambda acc: np.minimum(acc, 3), low, high, 3).place.tolist() == [1, 2, 3] * 2


def test_takes_few_steps():
    """Twenty-six for as many bits, whatever the number of functions."""
    places = np.random.default_rng(0).integers(1, 1 << 26, 1000)
    calls = []

    def function(acc):
        calls.append(acc.shape)
        return acc >= places

    found = switches(function, np.zeros(1000, dtype=int), np.full(1000, 1 << 26), 1)
    np.testing.assert_array_equal(found.place, places)
    assert calls == [(2, 1000)] + [(1, 1000)] * 26
