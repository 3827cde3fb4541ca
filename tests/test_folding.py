import pytest

from gateware.folding import Folding
from model.stochastic import Numbers


@pytest.mark.parametrize("folding, expected", [
    # Nothing divides anything; planes of different weights.
    (Folding(13, 7, (4, 2, 1), 3, 5), {
        "planes": 3, "serial": True, "folds": 3, "groups": 3, "rows": 9, "beats": 9,
        "interval": 27, "lanes": 1, "drain": 3, "words": 9, "top": 91, "threshold_bits": 7,
        "latency": 5}),
    # Planes of one weight.
    (Folding(12, 16, (1, 1, 1), 6, 12), {
        "planes": 3, "serial": False, "folds": 1, "groups": 3, "rows": 3, "beats": 3,
        "interval": 9, "lanes": 2, "drain": 3, "words": 9, "top": 36, "threshold_bits": 6,
        "latency": 4}),
    # Eight neurons in three cycles: three lanes would be enough, but do not divide them.
    (Folding(7, 16, (1,), 8, 3, levels=1), {
        "planes": 1, "serial": False, "folds": 3, "groups": 2, "rows": 6, "beats": 3,
        "interval": 6, "lanes": 4, "drain": 2, "words": 4, "top": 7, "threshold_bits": 4,
        "latency": 4}),
    # A threshold out of reach takes all of its bits here, and one more than the sums above.
    (Folding(6, 3, (1,), 3, 6, levels=1), {
        "planes": 1, "serial": False, "folds": 1, "groups": 1, "rows": 1, "beats": 1,
        "interval": 1, "lanes": 3, "drain": 1, "words": 1, "top": 6, "threshold_bits": 3,
        "latency": 5}),
    (Folding(3, 1, (2, 1), 1, 2), {
        "planes": 2, "serial": True, "folds": 2, "groups": 1, "rows": 2, "beats": 4,
        "interval": 4, "lanes": 1, "drain": 1, "words": 1, "top": 9, "threshold_bits": 4}),
    # Weights of three bits: each vector comes three times for each group.
    (Folding(13, 7, (2, 1), 3, 5, weight_bits=3), {
        "times": 9, "rows": 27, "beats": 18, "least_beats": 18, "interval": 54, "lanes": 1,
        "steps": 1, "turns": 1, "drain": 3, "words": 9, "top": 312, "stairs": 1, "results": "bits",
        "few": True, "weight_rows": (15, 27), "latency": 5}),
    # Numbers of three bits: a neuron that leaves alone meets seven thresholds in as many cycles.
    (Folding(13, 7, (1,), 1, 2, output_bits=3), {
        "beats": 7, "lanes": 1, "steps": 1, "turns": 7, "drain": 7, "words": 7, "stairs": 7,
        "results": "values", "few": True, "threshold_rows": (4, 49)}),
    # With five cycles for two neurons each meets seven in two turns, four of them at once.
    (Folding(13, 7, (1,), 2, 3, output_bits=3), {
        "beats": 5, "lanes": 1, "steps": 4, "turns": 2, "drain": 4, "words": 8,
        "threshold_rows": (16, 16)}),
    # With one cycle for two neurons all thresholds of both, of two bits.
    (Folding(13, 7, (1,), 2, 13, output_bits=2), {
        "beats": 1, "lanes": 2, "steps": 3, "turns": 1, "drain": 1, "words": 4,
        "threshold_rows": (24, 4)}),
    (Folding(13, 7, (1,), 2, 13, weight_bits=2), {"top": 52, "beats": 2, "threshold_bits": 6}),
    (Folding(13, 7, (1,), 2, 13), {"few": False, "results": "bits", "turns": 1, "steps": 1}),
    # Sums of four vectors in nine cycles: two words of each, of six neurons.
    (Folding(13, 12, (4, 2, 1), 12, 5, batch=4), {
        "rows": 3, "beats": 9, "interval": 9, "lanes": 6, "drain": 8, "words": 2}),
])
def test_layout_in_space_and_time(folding, expected):
    found = {f"{name}_rows": (region.width, region.depth) for name, region in (
        ("weight", folding.weights), ("threshold", folding.thresholds))}
    assert {name: found.get(name) or getattr(folding, name) for name in expected} == expected


DRAWN = Numbers("vdc")
LAYER = {"samples": 8, "sampled": True, "pixel_bits": 8, "planes": 8, "serial": False}


@pytest.mark.parametrize("folding, expected", [
    # All that there are, and a half and an eighth of them on the same hardware.
    (Folding(13, 12, (1,) * 8, 6, 5, numbers=DRAWN), LAYER | {
        "beats": 24, "least_beats": 3, "interval": 48, "lanes": 2, "drain": 3, "top": 104,
        "total": 104, "held": 4}),
    (Folding(13, 12, (2,) * 4, 6, 5, numbers=DRAWN), LAYER | {
        "planes": 4, "beats": 12, "least_beats": 3, "interval": 24, "lanes": 2, "top": 104,
        "held": 4}),
    (Folding(13, 12, (8,), 6, 5, numbers=DRAWN), LAYER | {
        "planes": 1, "beats": 3, "interval": 6, "lanes": 2, "top": 104}),
    (Folding(13, 12, (1,), 6, 5, numbers=DRAWN), LAYER | {
        "samples": 1, "sampled": False, "pixel_bits": 1, "planes": 1, "top": 13}),
    (Folding(13, 12, (1, 1), 6, 5, numbers=DRAWN), LAYER | {"samples": 2, "planes": 2}),
    # In passes: of the first layer, and of one behind it.
    (Folding(13, 12, (1,), 6, 5, numbers=DRAWN, passes=(1,) * 8), LAYER | {
        "sampled": False, "planes": 1, "beats": 3, "interval": 48, "top": 13, "total": 104}),
    (Folding(12, 4, (1,), 2, 5, passes=(2,) * 4), LAYER | {
        "sampled": False, "pixel_bits": 1, "planes": 1, "beats": 3, "least_beats": 3,
        "interval": 24, "lanes": 1, "top": 12, "total": 96, "held": 4}),
    # None is drawn.
    (Folding(13, 12, (4, 2, 1), 6, 5), {
        "samples": 1, "sampled": False, "pixel_bits": 3, "least_beats": 9, "total": 91}),
    (Folding(13, 12, (1, 1), 6, 5), {"samples": 1, "sampled": False, "pixel_bits": 1}),
])
def test_samples_of_pixels(folding, expected):
    assert {name: getattr(folding, name) for name in expected} == expected


def test_the_same_hardware_with_fewer_samples():
    layer = Folding(13, 12, (1,) * 8, 6, 5, numbers=DRAWN)
    assert [layer.drawing(count).gains for count in (1, 2, 4, 8)] \
        == [(8,), (4,) * 2, (2,) * 4, (1,) * 8]
    assert layer.drawing(2).drawing(8) == layer and layer.drawing(2).passes == (1,)
    first = Folding(13, 12, (1,), 6, 5, numbers=DRAWN, passes=(1,) * 4)
    later = Folding(12, 4, (1,), 2, 5, passes=(1,) * 4)
    for folding in (first, later):
        assert [folding.drawing(count).passes for count in (1, 2, 4)] \
            == [(4,), (2, 2), (1, 1, 1, 1)]
        assert folding.drawing(1).drawing(4) == folding and folding.drawing(2).gains == (1,)
    other = Folding(13, 12, (4, 2, 1), 6, 5)
    assert other.drawing(8) == other
    with pytest.raises(ValueError, match="^Batch must be between 1 and the 3 cycles that a group "
                                         "of neurons takes, not 4: "):
        Folding(13, 12, (1,) * 8, 6, 5, numbers=DRAWN, batch=4)


@pytest.mark.parametrize("folding, held", [
    # Its bank is free while the last word waits, and the sums leave 10 + 2 cycles later.
    (Folding(64, 1, (2, 1), 1, 64, levels=1, batch=2), 2 + 7),
    (Folding(64, 2, (2, 1), 1, 64, levels=1, batch=2), 2 + 4),
    (Folding(64, 3, (2, 1), 1, 64, levels=1, batch=2), 2 + 3),
    (Folding(64, 6, (2, 1), 1, 64, levels=1, batch=2), 2 + 2),
    (Folding(13, 12, (4, 2, 1), 12, 5, batch=4), 2 + 2),
    (Folding(6, 1, (1,), 1, 1), 2 + 1),
])
def test_batches_that_are_inside_at_once(folding, held):
    assert folding.held == held


def test_converters_take_a_cycle():
    assert Folding(12, 4, (1,), 2, 4, tile_rows=4, sense="sign").latency \
        == Folding(12, 4, (1,), 2, 4).latency + 1


def test_memories_are_as_large_as_their_rows():
    folding = Folding(13, 7, (4, 2, 1), 3, 5)
    weights, thresholds = folding.weights, folding.thresholds
    assert (weights.width, weights.depth, weights.writable) == (15, 9, True)
    assert (thresholds.width, thresholds.depth, thresholds.writable) == (7, 9, True)
    folding = Folding(7, 16, (1,), 8, 3, storage="logic")
    assert (folding.weights.writable, folding.thresholds.writable) == (False, True)
    assert folding.thresholds.width == 4 * 4


@pytest.mark.parametrize("pe, simd, error, message", [
    (0, 1, ValueError, "^PE must be between 1 and 4, not 0$"),
    (5, 1, ValueError, "^PE must be between 1 and 4, not 5$"),
    (1, 0, ValueError, "^SIMD must be between 1 and 12, not 0$"),
    (1, 13, ValueError, "^SIMD must be between 1 and 12, not 13$"),
    (1, 1.5, TypeError, "^SIMD must be an integer, not 1.5$"),
])
def test_parallelism_must_fit_the_layer(pe, simd, error, message):
    with pytest.raises(error, match=message):
        Folding(12, 4, (1,), pe, simd)


@pytest.mark.parametrize("levels, error, message", [
    (-1, ValueError, "^Levels must be at least 0, not -1$"),
    (0.5, TypeError, "^Levels must be an integer, not 0.5$"),
])
def test_levels_must_be_a_number_of_adders(levels, error, message):
    with pytest.raises(error, match=message):
        Folding(12, 4, (1,), 1, 1, levels=levels)


@pytest.mark.parametrize("batch, error, message", [
    (0, ValueError, "^Batch must be between 1 and the 9 cycles that a group of neurons takes"),
    (10, ValueError, "^Batch must be between 1 and the 9 cycles .*, not 10: choose a smaller SIMD"),
    (2.0, TypeError, "^Batch must be an integer, not 2.0$"),
])
def test_a_batch_must_leave_in_time(batch, error, message):
    Folding(13, 7, (4, 2, 1), 3, 5, batch=9)
    with pytest.raises(error, match=message):
        Folding(13, 7, (4, 2, 1), 3, 5, batch=batch)


@pytest.mark.parametrize("layer, storage, message", [
    ((12, 4, (1,), 1, 1), "tape", "^Storage must be one of auto, .*, spram, wide, not 'tape'$"),
    ((80, 4, (1,), 1, 65), "spram", "^Rows in SPRAM must be at most 64 bits, .*, not 65$"),
    ((64, 257, (1,), 1, 1), "spram", "^Rows in SPRAM must be at most 16384, not 16448$"),
    ((64, 33, (1,), 1, 1), "wide", "^Rows in wide storage must be at most 2048, not 2112$"),
])
def test_memory_must_fit_the_rows(layer, storage, message):
    with pytest.raises(ValueError, match=message):
        Folding(*layer, storage)


# Tiles of 5 inputs: 5, 5 and 3.
TILES = {"tile_rows": 5, "sense": 2}


@pytest.mark.parametrize("folding, expected", [
    (Folding(13, 7, (2, 1), 3, 5, **TILES), (5, 1, 3, True)),
    (Folding(13, 7, (2, 1), 3, 1, **TILES), (5, 5, 3, True)),
    (Folding(12, 7, (1,), 3, 2, tile_rows=6, sense="sign"), (6, 3, 6, True)),
    # As many inputs as the tile has room for, or fewer: one tile, and any SIMD.
    (Folding(12, 7, (1,), 3, 5, tile_rows=12, sense=1), (12, 3, 12, True)),
    (Folding(12, 7, (1,), 3, 5, tile_rows=13, sense=1), (12, 3, 12, True)),
    (Folding(12, 7, (1,), 3, 5, sense=1), (12, 3, 12, True)),
    # Exact, or as good as that: any SIMD.
    (Folding(12, 7, (1,), 3, 5, tile_rows=7), (7, 2, 5, False)),
    (Folding(12, 7, (1,), 3, 5, tile_rows=7, sense=3), (7, 2, 5, False)),
    (Folding(12, 7, (1,), 3, 5), (12, 3, 12, False)),
])
def test_tiles(folding, expected):
    assert (folding.tile_inputs, folding.tile_folds, folding.edge_inputs, folding.sensing) \
        == expected
    assert folding.tiles == ((expected[0], folding.sense) if expected[3] else None)


@pytest.mark.parametrize("tiles, error, message", [
    ({"tile_rows": 8, "sense": 3}, ValueError, "^SIMD must divide the 8 rows of a tile, not 3$"),
    ({"tile_rows": 11, "sense": 3}, ValueError, "^SIMD must divide the 11 rows of a tile, not 3$"),
    ({"tile_rows": 0}, ValueError, "^Rows must be at least 1, not 0$"),
    ({"tile_rows": 2.0}, TypeError, "^Rows must be an integer, not 2.0$"),
    ({"sense": 9}, ValueError, "^Sense must be exact, sign, or 1 to 8 bits, not 9$"),
])
def test_words_must_end_where_tiles_do(tiles, error, message):
    with pytest.raises(error, match=message):
        Folding(12, 4, (1,), 1, 3, **tiles)


def test_parallelism_may_be_all_of_the_layer():
    folding = Folding(12, 4, (1,), 4, 12)
    assert (folding.pe, folding.simd, folding.interval) == (4, 12, 1)


@pytest.mark.parametrize("bits, message", [
    ({"weight_bits": 9}, "^Bits of a weight must be between 1 and 8, not 9$"),
    ({"output_bits": 5}, "^Bits of an activation must be between 1 and 4, not 5$"),
    ({"weight_bits": 2, "tile_rows": 4, "sense": 2},
     "^Tiles must sense every count as what it is where weights have 2 bits$"),
    ({"weight_bits": 2, "batch": 2},
     "^Batch must be 1 where weights or activations have several bits$"),
    ({"output_bits": 2, "batch": 2},
     "^Batch must be 1 where weights or activations have several bits$")])
def test_few_bits_have_their_limits(bits, message):
    with pytest.raises(ValueError, match=message):
        Folding(8, 4, (1,), 2, 2, **bits)
