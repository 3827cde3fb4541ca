import numpy as np
from hypothesis import given, strategies as st

from model.bias import hold
from model.grid import Grid
from model.tiling import tile

from . import strategies


@given(data=st.data(), network=strategies.networks(), rows=st.integers(1, 9),
       columns=st.integers(1, 9), bias_rows=st.integers(0, 3), sense=strategies.senses)
def test_every_layer_is_spread_over_tiles(data, network, rows, columns, bias_rows, sense):
    tiling = tile(network, rows=rows, columns=columns, bias_rows=bias_rows, sense=sense)
    layers = zip(network.all_layers, tiling.network.all_layers, tiling.exact.all_layers,
                 tiling.grids, strict=True)
    for before, layer, exact, grid in layers:
        assert (layer.tile_rows, layer.sense) == (rows, sense)
        assert (exact.tile_rows, exact.sense) == (None, "exact")
        assert (grid.rows, grid.columns, grid.bias_rows, grid.sense) \
            == (rows, columns, bias_rows, sense)
        for each in (layer, exact, grid):
            assert (each.weights == before.weights).all()
        planes = data.draw(strategies.bits(3, len(layer.gains), layer.inputs))
        assert (layer.sums(planes) == np.asarray(layer.gains) @ grid.counts(planes)).all()
        assert (layer.gains, layer.bipolar) == (before.gains, before.bipolar)
    for before, layer, exact, held in zip(network.layers, tiling.network.layers,
                                          tiling.exact.layers, tiling.held, strict=True):
        kept = hold(before, Grid(before.weights, rows=rows, bias_rows=bias_rows))
        assert (exact.thresholds == before.thresholds).all()
        assert (layer.thresholds == kept.layer.thresholds).all()
        assert (held.saturated == kept.saturated).all() and (held.rounded == kept.rounded).all()
    assert (tiling.network.scores.gain == network.scores.gain).all()
    assert (tiling.network.scores.bias == network.scores.bias).all()


@given(data=st.data(), network=strategies.networks(exact=True), rows=st.integers(1, 9))
def test_tiles_that_are_exact_change_nothing(data, network, rows):
    images = np.random.default_rng(data.draw(st.integers(0, 99))).integers(
        0, 2 ** network.encoder.bits, (6, network.inputs))
    tiling = tile(network, rows=rows, columns=4)
    for name, values in network.trace(images).items():
        assert (tiling.network.trace(images)[name] == values).all()
