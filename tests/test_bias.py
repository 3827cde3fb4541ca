import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.bias import hold
from model.dense import Dense
from model.grid import Grid

from . import strategies


def fired(layer, grid, set_cells, planes):
    """What neurons do whose bias cells add to their accumulators, cell by cell."""
    cells = np.arange(grid.down * grid.bias_rows) < set_cells[:, None]
    bias = np.where(cells, 1, -1).sum(axis=1) * sum(layer.gains)
    return layer.acc(planes) + bias >= 0


@given(data=st.data(), layer=strategies.denses(), rows=st.integers(1, 9),
       bias_rows=st.integers(1, 5))
def test_thresholds_are_what_cells_hold(data, layer, rows, bias_rows):
    grid, planes = Grid(layer.weights, rows=rows, bias_rows=bias_rows), \
        data.draw(strategies.bits(8, len(layer.gains), layer.inputs))
    held = hold(layer, grid)
    assert (held.layer(planes) == fired(layer, grid, held.set_cells, planes)).all()
    assert (held.layer.tile_rows, held.layer.sense) == (layer.tile_rows, layer.sense)
    assert not (held.saturated & held.rounded).any()
    same = ~held.saturated & ~held.rounded
    if layer.exact:
        assert (held.layer(planes)[:, same] == layer(planes)[:, same]).all()


@given(data=st.data(), inputs=st.integers(1, 12), rows=st.integers(1, 5),
       bias_rows=st.integers(1, 3))
def test_bipolar_thresholds_within_reach_are_held(data, inputs, rows, bias_rows):
    cells = -(-inputs // rows) * bias_rows
    thresholds = np.arange(-inputs, inputs + 2)
    layer = Dense(data.draw(strategies.bits(len(thresholds), inputs)), thresholds)
    held = hold(layer, Grid(layer.weights, rows=rows, bias_rows=bias_rows))
    assert not held.rounded.any()
    # An accumulator goes in steps of 2: the threshold may as well be the next that it can be.
    even = thresholds + (thresholds - inputs) % 2
    least, most = (value + (value - inputs) % 2 for value in (-cells, cells))
    assert held.saturated.tolist() == ((even < least) | (even > most)).tolist()
    kept = held.layer.thresholds + (held.layer.thresholds - inputs) % 2
    assert (kept == np.clip(even, least, most).clip(-inputs, inputs + 2)).all()


def test_unsigned_thresholds_are_rounded():
    """One bias cell of 3 or -3, for planes that weigh 2 and 1."""
    thresholds = np.array([-4, -3, -1, 0, 1, 3, 4])
    layer = Dense(np.ones((7, 2), dtype=bool), thresholds, gains=(2, 1), bipolar=False)
    held = hold(layer, Grid(layer.weights, rows=2, bias_rows=1))
    # Zero is as near to either, and becomes the lower one.
    assert held.layer.thresholds.tolist() == [-3, -3, -3, -3, 3, 3, 3]
    assert held.set_cells.tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert held.saturated.tolist() == [True, False, False, False, False, False, True]
    assert held.rounded.tolist() == [False, False, True, True, True, False, False]


def test_without_bias_rows_nothing_changes():
    layer = Dense(np.ones((2, 3), dtype=bool), np.array([-1, 3]))
    held = hold(layer, Grid(layer.weights))
    assert held.layer is layer
    assert not held.saturated.any() and not held.rounded.any()
    assert held.set_cells.tolist() == [0, 0]


@pytest.mark.parametrize("threshold, kept, saturated", [
    (4, 3, True), (3, 3, False), (-3, -3, False)])
def test_what_is_beyond_saturates(threshold, kept, saturated):
    """A neuron that never fires does, where all of its inputs agree: three cells hold 3."""
    layer = Dense(np.ones((1, 3), dtype=bool), np.array([threshold]))
    held = hold(layer, Grid(layer.weights, rows=3, bias_rows=3))
    assert (held.layer.thresholds.tolist(), held.saturated.tolist()) == ([kept], [saturated])
