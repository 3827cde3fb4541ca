# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.judge import LABEL, Judge
from sim.bench import drain

from . import strategies
from .traffic import ports, registers, simulate


@given(classes=st.integers(2, 6), margin=st.one_of(st.integers(0, 9), st.integers(13, 20)),
       data=st.data(), stalls=strategies.stalls)
def test_it_finds_the_rival_and_whether_the_right_class_wins(classes, margin, data, stalls):
    images = data.draw(st.lists(st.tuples(
        st.lists(st.one_of(st.integers(-8, 7), st.sampled_from([-8, 7])), min_size=classes,
                 max_size=classes),
        st.one_of(st.integers(0, classes - 1), st.sampled_from([classes, 255]))),
        min_size=1, max_size=5))
    dut, left = Judge(classes=classes, score_bits=4, margin=margin), []
    rng = np.random.default_rng(len(images))

    async def consumer(ctx):
        for n in range(classes * len(images)):
            left.extend(await drain(ctx, dut.o, 1, (stalls[n % len(stalls)],)))

    async def tb(ctx):
        for scores, label in images:
            ctx.set(dut.scores, scores)
            ctx.set(dut.label, label)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await ctx.tick().until(dut.done)
            others = np.array(scores)
            if known := label < classes:
                others[label] = -9
                assert ctx.get(dut.rival) == others.argmax()
            assert ctx.get(dut.learns) == (known and scores[label] - others.max() < margin)
            assert ctx.get(dut.known) == known
            assert ctx.get(dut.wrong) == (np.argmax(scores) != label)
            for _ in range(rng.integers(3)):
                assert ctx.get(dut.busy) and len(left) % classes == classes - 1
                await ctx.tick()
                assert not ctx.get(dut.done)
            ctx.set(dut.release, 1)
            await ctx.tick()
            ctx.set(dut.release, 0)
            while ctx.get(dut.busy):
                await ctx.tick()
            ctx.set(dut.scores, [0] * classes)   # they are not looked at any more
            await ctx.tick()
            assert not ctx.get(dut.done)

    simulate(dut, tb, consumer)
    fields = [dut.o.payload.shape().from_bits(word) for word in left]
    assert [field.score for field in fields] == [score for scores, _ in images for score in scores]
    assert [field.best for field in fields] \
        == [int(np.argmax(scores[:n + 1])) for scores, _ in images for n in range(classes)]
    assert [field.last for field in fields] == ([0] * (classes - 1) + [1]) * len(images)


def test_a_score_leaves_in_each_cycle():
    dut, seen = Judge(classes=4, score_bits=4, margin=1), []

    async def tb(ctx):
        ctx.set(dut.o.ready, 1)
        for cycle in range(18):
            ctx.set(dut.start, cycle in (1, 9))
            ctx.set(dut.release, cycle in (6, 15))
            _, _, *now = await ctx.tick().sample(dut.o.valid, dut.done)
            seen.append(now)

    simulate(dut, tb)
    valid, done = ([n for n, each in enumerate(column) if each]
                   for column in zip(*seen, strict=True))
    # The last one is judged in the cycle after the third, and leaves when it is released.
    assert valid == [2, 3, 4, 6, 10, 11, 12, 15] and done == [6, 14]


def test_what_there_is():
    assert LABEL == 8
    assert ports(Judge(classes=5, score_bits=9, margin=1)) == {
        "start": 1, "release": 1, "busy": 1, "label": 8, "scores": 45, "o_payload": 13,
        "o_valid": 1, "o_ready": 1, "done": 1, "learns": 1, "known": 1, "wrong": 1, "rival": 3}
    # And no number of a class that there is not.
    assert ports(Judge(classes=8, score_bits=9, margin=1))["rival"] == 3
    assert registers(Judge(classes=8, score_bits=9, margin=1))["place"] == (3, 0)


@pytest.mark.parametrize("given_, message", [
    ({"classes": 1}, "Classes must be between 2 and 256, not 1"),
    ({"classes": 257}, "Classes must be between 2 and 256, not 257"),
    ({"score_bits": 0}, "Bits of a score must be at least 1, not 0"),
    ({"margin": -1}, "Margin must be at least 0, not -1")])
def test_bad_judges(given_, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Judge(**{"classes": 3, "score_bits": 4, "margin": 2} | given_)
