# amaranth: UnusedElaboratable=no

from itertools import cycle

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from hypothesis import given, strategies as st

from gateware import cost, passing
from gateware.accumulate import Accumulate
from gateware.encoder import encoder
from gateware.folding import Folding
from gateware.mapping import uniform
from gateware.replay import Replay
from gateware.transpose import Transpose
from model.encoder import BitSerial
from model.network import Shape
from model.stochastic import Stochastic

from . import strategies
from .test_cost import BITS, mapping_of, serial
from .traffic import transfers


@pytest.mark.parametrize("words, batch, images", [
    (1, 1, 4), (1, 3, 9), (3, 2, 8), (3, 2, 7), (2, 4, 9), (5, 2, 1)])
def test_transpose_takes_and_gives_words_when_the_gateware_does(words, batch, images):
    m = Module()
    m.submodules.dut = dut = Transpose(width=1, words=words, batch=batch)
    batches = -(-images // batch)
    left = Signal(range(batches + 1))
    m.d.sync += left.eq(left + dut.left)
    m.d.comb += dut.vectors.eq(
        Mux(left == batches - 1, images - (batches - 1) * batch, batch))
    consumer = Consumer([0])
    transpose = passing.Transpose(words, batch, images, consumer)
    offered, taken = 0, []
    for _ in range(batches * batch * words):
        taken.append(transpose.push(offered))
        offered = taken[-1] + 1
    assert transfers(m, dut.i, dut.o, len(taken), images * words, [0]) == (taken, consumer.taken)


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
    m.submodules.encoder = encode = encoder(
        pixels, simd=folding.simd, inputs=inputs)
    m.submodules.accumulate = accumulate = Accumulate(folding)
    wiring.connect(m, replay.o, encode.i)
    wiring.connect(m, encode.o, accumulate.i)

    layer = passing.Layer(folding, consumer := Consumer(stalls))
    offered, taken = 0, []
    for _ in range(vectors * folding.folds):
        taken.append(layer.push(offered))
        offered = taken[-1] + 1
    assert transfers(m, replay.i, accumulate.o, len(taken), len(consumer.taken), stalls
                     ) == (taken, consumer.taken)


# What simulations of such accelerators take: tests/test_cost.py and tests/test_accelerator.py hold
# others to them.
@pytest.mark.parametrize("mapping, cycles", [
    (mapping_of(BITS, (12, 24, 3), ((6, 12), (1, 4))), [44, 62, 80, 98, 116, 134, 152, 170]),
    (mapping_of(BITS, (16, 19, 5, 7, 11), ((10, 2), (2, 3), (1, 3), (2, 6))),
     [110, 134, 158, 182, 206, 230, 254, 278]),
    (mapping_of(BitSerial(3), (5, 3, 11, 5), ((2, 4), (1, 1), (1, 9)), 2),
     [85, 92, 120, 125, 153, 158, 186, 191]),
    (mapping_of(BITS, (11, 13, 8), ((4, 1), (6, 1)), 2),
     [119, 142, 174, 186, 218, 230, 262, 274]),
    (uniform(Shape(Stochastic(4, combine="scores"), (6, 7, 4), 0, 16), pe=2, simd=3),
     [54, 86, 118, 150, 182, 214, 246, 278]),
    (serial(pe=2, simd=4), [128, 181, 234, 287, 340, 393, 446, 499]),
    (serial(pe=8, simd=12), [73, 118, 163, 208, 253, 298, 343, 388])])
def test_words_pass_one_component_after_another(mapping, cycles):
    assert [cost.timing(mapping, n + 1).cycles for n in range(8)] == cycles


@pytest.mark.parametrize("mapping, taken, cycles", [
    (serial(pe=2, simd=4), ((30, 53, 9, 9, 40, 11), None), [105, 158, 203, 248, 293, 338]),
    (serial(pe=8, simd=12), ((30, 12, 9, 9, 40, 11), (45, 20, 45, 13, 13, 30)),
     [94, 114, 159, 172, 185, 215])])
def test_images_that_take_less_pass_sooner(mapping, taken, cycles):
    for n, expected in enumerate(cycles):
        first = tuple(each and each[:n + 1] for each in taken)
        assert cost.timing(mapping, n + 1, first).cycles == expected
