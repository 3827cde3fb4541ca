import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.accumulate import Accumulate
from model.crossbar import Crossbar
from model.grid import Grid
from model.sense import Sense

from . import strategies


@given(data=st.data(), inputs=st.integers(1, 20), outputs=st.integers(1, 9),
       rows=st.integers(1, 9), columns=st.integers(1, 5), sense=strategies.senses)
def test_counts_of_tiles_add_up(data, inputs, outputs, rows, columns, sense):
    weights = data.draw(strategies.bits(outputs, inputs))
    x = data.draw(strategies.bits(2, 3, inputs))
    grid = Grid(weights, rows=rows, columns=columns, sense=sense)
    expected = np.zeros((2, 3, outputs), dtype=int)
    for left in range(0, inputs, rows):
        part = slice(left, left + rows)
        agree = (x[:, :, None, part] == weights[:, part]).sum(axis=-1)
        expected += Sense(len(range(inputs)[part]), sense)(agree)
    assert (grid.counts(x) == expected).all()
    if sense == "exact":
        assert (grid.counts(x) == Crossbar(weights).counts(x)).all()
    layer = Accumulate(weights, tile_rows=rows, sense=sense)
    assert (layer.sums(x[:, :1]) == expected[:, 0]).all()
    assert sum(tile.weights.size for row in grid.tiles for tile in row) == weights.size


@pytest.mark.parametrize("size, expected", [
    # 784 inputs and 300 outputs: 7 x 3 tiles, the last of which have 16 rows and 44 columns.
    ({"rows": 128, "columns": 128}, (7, 3, 21, 21 * 128, 21 * 128, 344_064, 0)),
    # 30 x 10 tiles of 32 x 32 cells, and 150 cells for the bias of each output.
    ({"rows": 27, "columns": 32, "bias_rows": 5}, (30, 10, 300, 300 * 32, 300 * 32, 307_200, 150)),
    ({"rows": 1_000, "columns": 300}, (1, 1, 1, 1_000, 300, 300_000, 0)),
])
def test_what_a_layer_takes(size, expected):
    grid = Grid(np.ones((300, 784), dtype=bool), **size)
    assert (grid.down, grid.across, grid.count, grid.word_lines, grid.bit_lines, grid.cells,
            grid.bias_cells) == expected
    assert grid.used() == 235_200
    assert grid.used(biased=True) == 235_200 + 300 * grid.bias_cells


@pytest.mark.parametrize("options, error, message", [
    ({"rows": 0}, ValueError, "^Rows must be at least 1, not 0$"),
    ({"columns": 0}, ValueError, "^Columns must be at least 1, not 0$"),
    ({"bias_rows": -1}, ValueError, "^Bias rows must be at least 0, not -1$"),
    ({"rows": 1.5}, TypeError, "^Rows must be an integer, not 1.5$"),
    ({"columns": True}, TypeError, "^Columns must be an integer, not True$"),
    ({"sense": "loud"}, ValueError, "^Sense must be exact, sign, or 1 to 8 bits, not 'loud'$"),
])
def test_sizes_must_be_sizes(options, error, message):
    with pytest.raises(error, match=message):
        Grid(np.ones((2, 3), dtype=bool), **options)


def test_inputs_must_be_those_of_the_layer():
    with pytest.raises(ValueError, match=r"^Inputs must be 3 bits, not shape \(1, 4\)$"):
        Grid(np.ones((2, 3), dtype=bool)).counts(np.ones((1, 4), dtype=bool))
