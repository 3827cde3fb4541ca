# amaranth: UnusedElaboratable=no

from itertools import cycle

import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from hypothesis import given, strategies as st

from gateware import passing
from gateware.accumulate import Accumulate
from gateware.encoder import encoder
from gateware.folding import Folding
from gateware.replay import Replay
from gateware.transpose import Transpose
from model.encoder import BitSerial

from . import strategies
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
