from dataclasses import replace

import pytest

from gateware import cost
from gateware.folding import Folding
from gateware.mapping import Mapping, Resources, sampling, sizes, uniform
from gateware.serial_folding import SerialFolding
from model.compend import Serial
from model.encoder import BitSerial, Threshold
from model.network import Shape
from model.stochastic import Stochastic

ICE40 = Resources(5_280, 30, 4_096, 16, "ice40")
DEMO  = Shape(BitSerial(5), (64, 128, 10), 0, 16)


def shape_of(encoder, *sizes):
    return Shape(encoder, sizes, 0, 16)


def parallelism(mapping):
    return [(layer.pe, layer.simd) for layer in mapping.layers]


def test_only_the_first_layer_has_the_planes_of_the_encoder():
    assert list(sizes(shape_of(BitSerial(3), 9, 7, 5, 4))) \
        == [(9, 7, (4, 2, 1)), (7, 5, (1,)), (5, 4, (1,))]
    assert list(sizes(shape_of(Threshold(1, bits=3), 9, 7))) == [(9, 7, (1,))]


@pytest.mark.parametrize("shape, pe, simd, expected", [
    (DEMO, 3, 5, [(3, 5), (3, 5)]),
    # No more than the layer has use for, and of the scores no more than leave one at a time:
    (shape_of(BitSerial(5), 64, 10, 10), 40, 50, [(10, 50), (1, 10)]),
    (shape_of(BitSerial(2), 6, 10), 40, 2, [(6, 2)]),             # 3 words of 2 planes
    (shape_of(BitSerial(2), 7, 10), 40, 2, [(8, 2)]),             # the last word not full
    (shape_of(BitSerial(5), 7, 10), 40, 2, [(10, 2)]),
    (shape_of(BitSerial(2), 6, 10, 2, 10), 40, 3, [(10, 3), (2, 3), (1, 2)]),
])
def test_uniform(shape, pe, simd, expected):
    mapping = uniform(shape, pe=pe, simd=simd)
    assert parallelism(mapping) == expected
    assert [(layer.inputs, layer.outputs, layer.gains) for layer in mapping.layers] \
        == list(sizes(shape))
    assert mapping.layers[-1].lanes == 1
    assert mapping.limit == ""
    assert {layer.storage for layer in mapping.layers} == {"block"}
    stored = uniform(shape, pe=pe, simd=simd, storage="distributed")
    assert {layer.storage for layer in stored.layers} == {"distributed"}


TILES = ((8, 2), (None, "sign"))


@pytest.mark.parametrize("tiles, pe, simd, expected", [
    # The next lower divisor of a tile's rows; any for one tile of all inputs.
    (TILES, 2, 7, [(2, 4), (2, 7)]), (TILES, 2, 4, [(2, 4), (2, 4)]), (TILES, 1, 1, [(1, 1)] * 2),
    (TILES, 9, 99, [(9, 8), (1, 10)]), (((8, "exact"), (7, 2)), 2, 9, [(2, 9), (2, 7)]),
    (((8, 4), (5, 2)), 2, 9, [(2, 9), (2, 5)]),
])
def test_uniform_words_end_where_tiles_do(tiles, pe, simd, expected):
    shape = replace(shape_of(BitSerial(5), 64, 10, 10), tiles=tiles)
    mapping = uniform(shape, pe=pe, simd=simd)
    assert parallelism(mapping) == expected
    assert tuple((layer.tile_rows, layer.sense) for layer in mapping.layers) == tiles
    assert {(layer.tile_rows, layer.sense) for layer in uniform(
        replace(shape, tiles=()), pe=pe, simd=simd).layers} == {(None, "exact")}


def test_images_go_in_batches_of_one_size():
    mapping = uniform(DEMO, pe=4, simd=4, batch=3)
    assert mapping.batch == 3 and {layer.batch for layer in mapping.layers} == {3}
    with pytest.raises(ValueError, match="^Batch must be the same in all layers, not 3, 1$"):
        Mapping((mapping.layers[0], replace(mapping.layers[1], batch=1)))


def test_words_of_a_batch_are_not_cut():
    shape = shape_of(Threshold(1), 12, 12, 3)
    layers = uniform(shape, pe=6, simd=3, batch=2).layers
    assert layers[0].lanes == 3
    narrow = replace(layers[1], simd=2, pe=1)
    with pytest.raises(ValueError, match="^SIMD of layer 1 must be a multiple of the 3 neurons "
                                         "that leave layer 0 at once, not 2: images that go in "):
        Mapping((layers[0], narrow))
    Mapping((replace(layers[0], batch=1), replace(narrow, batch=1)))


def test_the_last_layer_gives_one_class_at_a_time_in_batches_too():
    mapping = uniform(shape_of(Threshold(1), 12, 12, 8), pe=6, simd=3, batch=2)
    assert parallelism(mapping) == [(6, 3), (2, 3)] and mapping.layers[-1].lanes == 1


def test_each_layer_may_have_its_own():
    shape = shape_of(BitSerial(2), 6, 10, 5)
    mapping = uniform(shape, pe=(7, 3), simd=[2, 4], storage=("spram", "wide"))
    assert parallelism(mapping) == [(7, 2), (3, 4)]
    assert [layer.storage for layer in mapping.layers] == ["spram", "wide"]
    assert parallelism(uniform(shape, pe=9, simd=(2, 4))) == [(9, 2), (3, 4)]
    assert parallelism(uniform(shape, pe=(7, 2), simd=8)) == [(7, 6), (2, 8)]
    with pytest.raises(ValueError, match="^PE of the last layer must be at most 3 with SIMD 4, no"):
        uniform(shape, pe=(7, 4), simd=4)
    with pytest.raises(ValueError, match="^SIMD must be between 1 and 6, not 7$"):
        uniform(shape, pe=1, simd=(7, 1))


def test_cycles_per_image_are_those_of_the_long_run():
    mapping = uniform(shape_of(BitSerial(2), 6, 4, 3), pe=2, simd=2)
    assert mapping.cycles_per_image == cost.timing(mapping, 9).cycles_per_image == 12


def test_how_samples_are_drawn():
    def ways(shape):
        return [sampling(shape, n) for n in range(len(shape.sizes) - 1)]

    spec = Stochastic(4, generator="lfsr", seed=7)
    together, apart = shape_of(spec, 9, 7, 5, 4), shape_of(replace(spec, combine="scores"), 9, 7, 4)
    assert ways(together) == [{"numbers": spec.numbers, "passes": (1,)},
                              *[{"numbers": None, "passes": (1,)}] * 2]
    assert ways(apart) == [{"numbers": spec.numbers, "passes": (1,) * 4},
                           {"numbers": None, "passes": (1,) * 4}]
    assert list(sizes(together)) == [(9, 7, (1,) * 4), (7, 5, (1,)), (5, 4, (1,))]
    assert list(sizes(apart)) == [(9, 7, (1,)), (7, 4, (1,))]
    # Where there is no hidden layer, there is one way to add up.
    single = shape_of(replace(spec, combine="scores"), 9, 4)
    assert ways(single) == [{"numbers": spec.numbers, "passes": (1,)}]
    assert list(sizes(single)) == [(9, 4, (1,) * 4)]
    assert ways(DEMO) == [{}, {}]


@pytest.mark.parametrize("combine", ["layer", "scores"])
def test_the_same_hardware_with_fewer_samples(combine):
    spec = Stochastic(4, combine=combine)
    mapping = uniform(shape_of(spec, 9, 7, 4), pe=2, simd=3)
    assert [layer.samples for layer in mapping.layers] == [4, 4 if combine == "scores" else 1]
    assert mapping.drawing(4) == mapping and mapping.drawing(1).drawing(4) == mapping
    drawn = uniform(shape_of(spec.drawing(2), 9, 7, 4), pe=2, simd=3)
    assert mapping.drawing(2) == drawn
    # Each of four groups of neurons meets three words of each sample.
    assert [mapping.drawing(count).cycles_per_image for count in (1, 2, 4)] == [12, 24, 48]
    # Scores leave one at a time, however few there are in a word.
    alone = uniform(shape_of(spec, 9, 7), pe=7, simd=3)
    assert parallelism(alone) == [(3, 3)]


def test_what_is_there_unless_one_says_otherwise():
    assert ICE40.spram_blocks == 0
    assert {layer.levels for layer in uniform(DEMO, pe=2, simd=4).layers} == {0}
    assert Mapping((Folding(9, 4, (1,), 2, 3, batch=3),)).batch == 3
    with pytest.raises(ValueError, match="^Batch must be between 1 and the 1 cycles"):
        uniform(shape_of(Threshold(1, bits=3), 9, 4), pe=2, simd=9, batch=3)


SIGNS  = Serial(4, 5, 1, 20, "sign", "exact")
RELU   = Serial(8, 1, 3, 20, "relu", "speculative")
LINEAR = Serial(6, 3, 20, 20, "linear", "none")


def test_layers_of_several_bits():
    shape = Shape(BitSerial(5), (64, 32, 16, 10), 0, 32, serial=(SIGNS, RELU, LINEAR))
    mapping = uniform(shape, pe=(4, 3, 2), simd=(16, 8, 8), levels=2, serial_levels=1)
    assert mapping.layers == tuple(
        SerialFolding(*size, **vars(serial), pe=pe, simd=simd, levels=1)
        for size, serial, pe, simd in zip(((64, 32), (32, 16), (16, 10)), shape.serial, (4, 3, 2),
                                          (16, 8, 8), strict=True))
    # Of the last one no more than leave one at a time.
    assert parallelism(uniform(shape, pe=40, simd=9)) == [(32, 9), (16, 9), (2, 9)]
    with pytest.raises(ValueError, match="^PE of the last layer must be at most 2 with SIMD 8"):
        uniform(shape, pe=(1, 1, 3), simd=8)
    # Numbers pass to binary weights as planes of their own.
    assert list(sizes(replace(shape, serial=(SIGNS, RELU, None)))) \
        == [(64, 32, (16, 8, 4, 2, 1)), (32, 16, (1,)), (16, 10, (4, 2, 1))]
    assert mapping.drawing(1) == mapping


FEW = Shape(BitSerial(2), (64, 32, 16, 10), 0, 16, few=((2, 3), (1, 1), (4, 1)))


def test_layers_of_few_bits():
    mapping = uniform(FEW, pe=(4, 3, 2), simd=(16, 8, 8))
    assert mapping.layers == (
        Folding(64, 32, (2, 1), 4, 16, weight_bits=2, output_bits=3),
        Folding(32, 16, (4, 2, 1), 3, 8), Folding(16, 10, (1,), 2, 8, weight_bits=4))
    assert list(sizes(FEW)) == [(64, 32, (2, 1)), (32, 16, (4, 2, 1)), (16, 10, (1,))]
    # Of the last one as many as leave one at a time, while a weight's bits pass.
    assert parallelism(uniform(FEW, pe=40, simd=9)) == [(32, 9), (16, 9), (8, 9)]
    with pytest.raises(ValueError, match="^PE of the last layer must be at most 8 with SIMD 8"):
        uniform(FEW, pe=(1, 1, 9), simd=8)
    with pytest.raises(ValueError, match="^Batch must be 1 where weights or activations have "
                                         "several bits$"):
        uniform(FEW, pe=1, simd=8, batch=2)


def test_layers_of_several_bits_go_alone():
    shape = Shape(BitSerial(5), (64, 32, 10), 0, 16, serial=(SIGNS, None))
    message = "^Batch must be 1 where weights have several bits$"
    with pytest.raises(ValueError, match=message):
        uniform(shape, pe=1, simd=8, batch=2)
    first, last = uniform(shape, pe=1, simd=8).layers
    with pytest.raises(ValueError, match=message):
        Mapping((first, replace(last, batch=2)))
