# amaranth: UnusedElaboratable=no

from itertools import cycle

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given, strategies as st

from gateware import cost
from gateware.accumulate import Accumulate
from gateware.encoder import encoder
from gateware.folding import Folding
from gateware.mapping import Mapping, sizes
from gateware.replay import Replay
from model.encoder import BitSerial, Threshold
from model.network import Shape

from . import strategies
from .traffic import transfers


BITS  = Threshold(1, bits=1)


def mapping_of(encoder, chain, parallel):
    shape = Shape(encoder, chain, 0, 16)
    return Mapping(tuple(Folding(*size, *fold)
                         for size, fold in zip(sizes(shape), parallel, strict=True)))


# The figures are what simulations of these accelerators take; tests/test_accelerator.py holds
# predictions to simulations of others, drawn at random.
@pytest.mark.parametrize("mapping, cycles, cycles_per_image", [
    (mapping_of(BITS, (1, 1), ((1, 1),)), {1: 7, 2: 8, 3: 9, 6: 12, 100: 106}, 1),
    (mapping_of(BitSerial(2), (5, 3), ((2, 2),)), {1: 21, 2: 33, 3: 45, 6: 81, 100: 1_209}, 12),
    (mapping_of(BitSerial(5), (64, 128, 10), ((16, 4), (4, 8))),
     {1: 731, 2: 1_371, 3: 2_011, 6: 3_931, 100: 64_091}, 640),
    # Layers that wait for one another in the middle of a vector.
    (mapping_of(BITS, (16, 16, 19, 6), ((4, 15), (15, 2), (3, 7))),
     {1: 63, 2: 95, 3: 127, 6: 223, 100: 3_231}, 32),
    (mapping_of(BITS, (16, 19, 5, 7, 11), ((10, 2), (2, 3), (1, 3), (2, 6))),
     {1: 106, 2: 130, 3: 154, 6: 226, 100: 2_482}, 24),
    (mapping_of(BITS, (16, 11, 8, 13, 8), ((5, 10), (4, 1), (10, 1), (3, 5))),
     {1: 93, 2: 119, 3: 143, 6: 215, 100: 2_471}, 24),
    (mapping_of(BitSerial(3), (7, 19, 4, 2), ((14, 2), (1, 3), (2, 1))),
     {1: 89, 2: 125, 3: 161, 6: 269, 100: 3_653}, 36),
    (mapping_of(BITS, (5, 9, 12, 20, 12), ((2, 4), (8, 2), (16, 8), (2, 16))),
     {1: 64, 2: 76, 3: 88, 6: 124, 100: 1_252}, 12),
    (mapping_of(BitSerial(3), (10, 20, 3, 4, 17), ((6, 7), (1, 11), (4, 2), (1, 1))),
     {1: 129, 2: 197, 3: 265, 6: 469, 100: 6_861}, 68),
    (mapping_of(BITS, (11, 7, 10, 12), ((1, 10), (8, 1), (2, 9))),
     {1: 68, 2: 88, 3: 108, 6: 168, 100: 2_048}, 20),
])
def test_cycles(mapping, cycles, cycles_per_image):
    for images, expected in cycles.items():
        timing = cost.timing(mapping, images)
        assert timing == cost.Timing(images, expected, cycles_per_image, cycles[1])


class Consumer:
    """What follows a layer, where each word waits for a while after the one before."""

    def __init__(self, stalls):
        self.stalls, self.free, self.taken = cycle(stalls), 0, []

    def push(self, offered):
        taken = max(offered, self.free + next(self.stalls))
        self.free = taken + 1
        self.taken.append(taken)
        return taken


@given(data=st.data(), planes=st.integers(1, 3), inputs=st.integers(1, 6),
       outputs=st.integers(1, 6), stalls=strategies.stalls, vectors=st.integers(1, 6))
def test_layer_takes_and_gives_words_when_the_gateware_does(data, planes, inputs, outputs, stalls,
                                                            vectors):
    pixels  = BitSerial(planes)
    folding = Folding(inputs, outputs, pixels.gains, data.draw(st.integers(1, outputs)),
                      data.draw(st.integers(1, inputs)),
                      sense=data.draw(st.sampled_from(["exact", "sign"])))
    m = Module()
    m.submodules.replay = replay = Replay(
        width=folding.simd * planes, words=folding.folds, times=folding.groups)
    m.submodules.encoder = encode = encoder(pixels, simd=folding.simd)
    m.submodules.accumulate = accumulate = Accumulate(folding)
    wiring.connect(m, replay.o, encode.i)
    wiring.connect(m, encode.o, accumulate.i)

    layer = cost.Layer(folding, consumer := Consumer(stalls))
    offered, taken = 0, []
    for _ in range(vectors * folding.folds):
        taken.append(layer.push(offered))
        offered = taken[-1] + 1
    assert transfers(m, replay.i, accumulate.o, len(taken), len(consumer.taken), stalls
                     ) == (taken, consumer.taken)


def test_pace_counts_the_pieces_that_a_word_is_cut_into():
    layer = Folding(12, 24, (1,), 12, 6)   # 4 words of 6 neurons in 4 cycles
    assert (layer.interval, layer.words, layer.lanes) == (4, 4, 6)
    paces = {simd: cost.pace(layer, Folding(24, 2, (1,), 1, simd)) for simd in (1, 2, 4, 6, 12)}
    assert paces == {1: 24, 2: 12, 4: 12, 6: 4, 12: 4}
