# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Value
from hypothesis import given, strategies as st

from gateware.best import Best
from model.scores import argmax
from sim.bench import drain, feed

from .strategies import stalls
from .traffic import registers, simulate


@given(data=st.data(), classes=st.integers(1, 6), more=st.integers(0, 3), bits=st.integers(2, 9),
       i_stalls=stalls, o_stalls=stalls)
def test_the_best_is_the_first_of_the_greatest(data, classes, more, bits, i_stalls, o_stalls):
    half = 1 << bits - 1
    score = st.one_of(st.integers(-half, half - 1), st.sampled_from([-half, -1, 0, half - 1]))
    images = np.array(data.draw(st.lists(
        st.lists(score, min_size=classes + more, max_size=classes + more), min_size=1,
        max_size=4)))
    dut = Best(classes=classes, words=classes + more, score_bits=bits)
    out = []

    async def producer(ctx):
        await feed(ctx, dut.i, images.ravel().tolist(), i_stalls)

    async def consumer(ctx):
        out.extend(await drain(ctx, dut.o, len(images) * classes, o_stalls))
        await ctx.tick().repeat(50)   # in which what is left is dropped

    simulate(dut, consumer, producer)
    scores = images[:, :classes]
    place = max(classes - 1, 0).bit_length()
    found = np.array(out).reshape(scores.shape)
    assert (found & (1 << bits) - 1 == scores & (1 << bits) - 1).all()
    assert (found >> bits + place == [n == classes - 1 for n in range(classes)]).all()
    assert ((found[:, -1] >> bits) & (1 << place) - 1 == argmax(scores)).all()


@pytest.mark.parametrize("classes, words, index, place", [(4, 4, 2, 2), (4, 5, 3, 2), (5, 8, 3, 3)])
def test_registers_are_as_wide_as_they_must_be(classes, words, index, place):
    dut = Best(classes=classes, words=words, score_bits=7)
    assert registers(dut) == {"index": (index, 0), "best_score": (7, 0), "best_place": (place, 0)}
    assert len(Value.cast(Best(classes=5, words=5, score_bits=7).o.payload)) == 7 + 3 + 1


def test_no_class_may_be_missing():
    with pytest.raises(ValueError, match="^Words must be at least the 4 classes, not 3$"):
        Best(classes=4, words=3, score_bits=8)
