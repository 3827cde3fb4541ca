# amaranth: UnusedElaboratable=no


import numpy as np
import pytest

from gateware import cost
from gateware.compiler import compile
from gateware.folding import Folding
from gateware.mapping import Mapping, sizes
from gateware.pixels import pixel_words
from gateware.serial_folding import SerialFolding
from model.encoder import BitSerial, Threshold
from model.network import Shape
from sim.bench import feed

from .traffic import simulate


BITS  = Threshold(1, bits=1)


def mapping_of(encoder, chain, parallel, batch=1):
    shape = Shape(encoder, chain, 0, 16)
    return Mapping(tuple(Folding(*size, *fold, batch=batch)
                         for size, fold in zip(sizes(shape), parallel, strict=True)))


# The figures are what simulations of these accelerators take; tests/test_accelerator.py holds
# predictions to simulations of others, drawn at random.
@pytest.mark.parametrize("mapping, cycles, cycles_per_image", [
    (mapping_of(BITS, (1, 1), ((1, 1),)), {1: 8, 2: 9, 3: 10, 6: 13, 100: 107}, 1),
    (mapping_of(BitSerial(2), (5, 3), ((2, 2),)), {1: 22, 2: 34, 3: 46, 6: 82, 100: 1_210}, 12),
    (mapping_of(BitSerial(5), (64, 128, 10), ((16, 4), (4, 8))),
     {1: 733, 2: 1_373, 3: 2_013, 6: 3_933, 100: 64_093}, 640),
    # Layers that wait for one another in the middle of a vector.
    (mapping_of(BITS, (16, 16, 19, 6), ((4, 15), (15, 2), (3, 7))),
     {1: 66, 2: 98, 3: 130, 6: 226, 100: 3_234}, 32),
    (mapping_of(BITS, (16, 19, 5, 7, 11), ((10, 2), (2, 3), (1, 3), (2, 6))),
     {1: 110, 2: 134, 3: 158, 6: 230, 100: 2_486}, 24),
    (mapping_of(BITS, (16, 11, 8, 13, 8), ((5, 10), (4, 1), (10, 1), (3, 5))),
     {1: 97, 2: 123, 3: 147, 6: 219, 100: 2_475}, 24),
    (mapping_of(BitSerial(3), (7, 19, 4, 2), ((14, 2), (1, 3), (2, 1))),
     {1: 92, 2: 128, 3: 164, 6: 272, 100: 3_656}, 36),
    (mapping_of(BITS, (5, 9, 12, 20, 12), ((2, 4), (8, 2), (16, 8), (2, 16))),
     {1: 68, 2: 80, 3: 92, 6: 128, 100: 1_256}, 12),
    (mapping_of(BitSerial(3), (10, 20, 3, 4, 17), ((6, 7), (1, 11), (4, 2), (1, 1))),
     {1: 133, 2: 201, 3: 269, 6: 473, 100: 6_865}, 68),
    (mapping_of(BITS, (11, 7, 10, 12), ((1, 10), (8, 1), (2, 9))),
     {1: 71, 2: 91, 3: 111, 6: 171, 100: 2_051}, 20),
])
def test_cycles(mapping, cycles, cycles_per_image):
    for images, expected in cycles.items():
        timing = cost.timing(mapping, images)
        assert timing == cost.Timing(images, expected, cycles_per_image, cycles[1])


@pytest.mark.parametrize("mapping, cycles, cycles_per_image", [
    (mapping_of(BITS, (7, 2), ((1, 4),), 2), {1: 16, 2: 20, 3: 22, 7: 30}, 2),
    (mapping_of(BitSerial(2), (14, 10), ((2, 2),), 2), {1: 98, 2: 115, 3: 175, 7: 315}, 35),
    (mapping_of(BitSerial(3), (14, 5), ((4, 2),), 2), {1: 69, 2: 84, 3: 118, 7: 202}, 21),
    (mapping_of(BitSerial(3), (7, 3), ((1, 2),), 5), {1: 55, 4: 76, 5: 83, 6: 107, 16: 179}, 7.2),
    (mapping_of(BITS, (12, 9), ((1, 1),), 3), {1: 138, 2: 159, 3: 180, 4: 270, 10: 486}, 36),
    # Layers that wait for one another, and classes that fill up the last group.
    (mapping_of(BitSerial(3), (4, 13, 2), ((2, 1), (1, 2)), 4),
     {1: 127, 3: 139, 4: 145, 5: 223, 13: 391}, 21),
    (mapping_of(BITS, (10, 7, 10, 10), ((6, 7), (9, 6), (1, 9)), 2),
     {1: 60, 2: 72, 3: 82, 7: 122}, 10),
    (mapping_of(BitSerial(2), (6, 4, 10), ((4, 1), (1, 1)), 3),
     {1: 94, 2: 110, 3: 126, 4: 146, 10: 226}, 40 / 3),
    (mapping_of(BITS, (3, 3, 6, 6), ((1, 1), (1, 1), (2, 1)), 2),
     {1: 76, 2: 85, 3: 97, 7: 133}, 9),
    (mapping_of(BITS, (11, 13, 8), ((4, 1), (6, 1)), 2), {1: 119, 2: 142, 3: 174, 7: 262}, 22),
    (mapping_of(BitSerial(3), (5, 3, 11, 5), ((2, 4), (1, 1), (1, 9)), 2),
     {1: 85, 2: 92, 3: 120, 7: 186}, 16.5),
])
def test_cycles_of_batches(mapping, cycles, cycles_per_image):
    for images, expected in cycles.items():
        timing = cost.timing(mapping, images)
        assert timing == cost.Timing(images, expected, cycles_per_image, cycles[1])
        assert type(timing.cycles_per_image) is type(cycles_per_image)
    # What one more batch adds stays the same, however many there were.
    batch = mapping.batch
    for images in (batch, batch + 1):
        many = [cost.timing(mapping, images + n * batch).cycles for n in (120, 121, 300)]
        assert many[1] - many[0] == (many[2] - many[0]) / 180 == cycles_per_image * batch


@pytest.mark.parametrize("mapping, images", [
    (mapping_of(BITS, (4, 3), ((1, 2),)), 3),
    (mapping_of(BITS, (4, 3), ((1, 2),), 2), 4), (mapping_of(BITS, (4, 3), ((1, 2),), 2), 3),
    (mapping_of(BITS, (11, 13, 8), ((4, 1), (6, 1)), 2), 1),   # classes fill up the last group
    (mapping_of(BITS, (3, 3, 6, 6), ((1, 1), (1, 1), (2, 1)), 2), 5),
])
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_runs_follow_one_another_in_predicted_cycles(mapping, images, rounds):
    first, last = mapping.layers[0], mapping.layers[-1]
    shape = Shape(BITS, (first.inputs, *(layer.outputs for layer in mapping.layers)), 0, 16)
    dut = compile(shape, mapping)
    words = pixel_words(np.zeros((images, first.inputs), dtype=int), shape, mapping)
    *_, end = run_cycles(dut, words * rounds, images * rounds * last.outputs)
    assert cost.cycles(mapping, images, rounds) == end
    if rounds == 1:
        assert cost.cycles(mapping, images) == end == cost.timing(mapping, images).cycles


def run_cycles(dut, words, count):
    """Cycles by which each word has left, counted from when the first is taken."""
    times = []

    async def producer(ctx):
        await feed(ctx, dut.i, words)

    async def watcher(ctx):
        now = 0
        ctx.set(dut.o.ready, 1)
        while len(times) < count:
            assert now < 10_000
            _, _, taken, left = await ctx.tick().sample(dut.i.valid & dut.i.ready, dut.o.valid)
            now += bool(now or taken)
            if left:
                times.append(now)

    simulate(dut, watcher, producer)
    return times


@pytest.mark.parametrize("layers, batch, images", [(1, 1, 16), (3, 1, 48), (2, 4, 128)])
def test_what_is_settled_after_how_many_images(layers, batch, images):
    mapping = mapping_of(BITS, (4,) * (layers + 1), ((1, 1),) * layers, batch)
    assert cost.settled(mapping) == images


def test_pace_counts_the_pieces_that_a_word_is_cut_into():
    layer = Folding(12, 24, (1,), 12, 6)   # 4 words of 6 neurons in 4 cycles
    assert (layer.interval, layer.words, layer.lanes) == (4, 4, 6)
    paces = {simd: cost.pace(layer, Folding(24, 2, (1,), 1, simd)) for simd in (1, 2, 4, 6, 12)}
    assert paces == {1: 24, 2: 12, 4: 12, 6: 4, 12: 4}


def serial(detection="exact", **given_):
    """Two layers of several bits: the second one waits, or the first."""
    first = SerialFolding(12, 8, 4, 3, 1, 20, "sign", detection=detection, **given_)
    last = SerialFolding(8, 5, 4, 1, 20, 20, "linear", pe=1, simd=4, detection="none")
    return Mapping((first, last))


# The figures are those of simulations, too; tests/test_accelerator.py holds others to them.
@pytest.mark.parametrize("given_, cycles, each", [
    ({"pe": 2, "simd": 4}, {1: 128, 2: 181, 3: 234, 100: 5_375}, 53),
    ({"pe": 8, "simd": 12}, {1: 73, 2: 118, 3: 163, 100: 4_528}, 45)])
def test_layers_of_several_bits_take_the_most_there_can_be(given_, cycles, each):
    mapping = serial(**given_)
    for images, expected in cycles.items():
        assert cost.timing(mapping, images) == cost.Timing(images, expected, each, cycles[1])
    assert mapping.cycles_per_image == each == max(layer.interval for layer in mapping.layers)
    assert cost.cycles(mapping, 3, 7) == cost.timing(mapping, 21).cycles


def test_images_that_end_early_take_less():
    mapping = serial(pe=2, simd=4)
    most, scores = (layer.most_cycles for layer in mapping.layers)
    everything = cost.timing(mapping, 4, ((most,) * 4, (scores,) * 4))
    assert everything.cycles == cost.timing(mapping, 4).cycles
    assert everything.cycles_per_image == most
    early = cost.timing(mapping, 4, ((most, most - 6, most - 3, most - 1), None))
    assert early.cycles == everything.cycles - 10
    assert early.cycles_per_image == most - 10 / 3 and early.latency == everything.latency
    # A run after another begins with its own first image.
    assert cost.cycles(mapping, 4, 2, ((most, most - 6, most - 3, most - 1), None)) \
        == early.cycles + 4 * most - 10
    # Where the layer after it is slower, that is what counts.
    slow = cost.timing(mapping, 4, ((20,) * 4, (scores,) * 4))
    assert slow.cycles_per_image == scores
    assert cost.pace(*mapping.layers) == most
