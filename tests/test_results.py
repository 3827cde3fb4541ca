# amaranth: UnusedElaboratable=no

from itertools import cycle

import numpy as np
import pytest
from amaranth.hdl import Value
from hypothesis import given, settings, strategies as st

from gateware.results import Results
from gateware.scores import layout
from model import frame

from . import strategies
from .traffic import idle_bits, memories, ports, simulate, widths


# Classes, bits of a score, images there is room for.
SIZES = {"narrow": (3, 20, 3), "one": (1, 4, 1), "whole": (4, 32, 2), "many": (2, 9, 8)}
sizes = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)


class Bed:
    """Results, and an accelerator that gives them."""

    def __init__(self, size):
        self.classes, self.bits, self.batch = size
        self.dut = Results(result=layout(self.classes, self.bits), classes=self.classes,
                           batch=self.batch)

    def draw(self, rng, count):
        """Scores and classes of some images, the greatest and the least score among them."""
        most = 1 << self.bits - 1
        scores = rng.integers(-most, most, (count, self.classes))
        scores.flat[0], scores.flat[-1] = -most, most - 1
        return scores, rng.integers(0, self.classes, count)

    def words(self, scores, best, rng):
        """What comes of them; which class is best counts with the last score alone."""
        each = []
        for row, number in zip(scores.tolist(), best.tolist(), strict=True):
            for n, score in enumerate(row):
                last = n == len(row) - 1
                each.append([score & (1 << self.bits) - 1,
                             number if last else int(rng.integers(0, self.classes)), last])
        best_bits = (self.classes - 1).bit_length()
        return [score | place << self.bits | last << self.bits + best_bits
                for score, place, last in each]

    async def start(self, ctx, images, rounds):
        ctx.set(self.dut.images, images)
        ctx.set(self.dut.rounds, rounds)
        ctx.set(self.dut.start, 1)
        await ctx.tick()
        ctx.set(self.dut.start, 0)
        ctx.set(self.dut.rounds, 0)

    async def take(self, ctx, words, stalls=(0,), pause=3):
        """Give it words, a while after the first begin; how long it took, and when it counted."""
        dut, stalls = self.dut, cycle(stalls)
        for _ in range(2):
            await ctx.tick()
        for _ in range(pause):
            ctx.set(dut.begin, 1)
            await ctx.tick()
        ctx.set(dut.begin, 0)
        cycles, counted, wait, left = pause, [], next(stalls), list(words)
        while left:
            ctx.set(Value.cast(dut.i.payload), left[0])
            ctx.set(dut.i.valid, wait == 0)
            # Further words of pixels go in meanwhile, or not.
            ctx.set(dut.begin, cycles % 3 == 0)
            _, _, ready, image, done = await ctx.tick().sample(dut.i.ready, dut.counted, dut.done)
            assert ready
            cycles += 1
            taken = wait == 0
            wait = next(stalls) if taken else wait - 1
            if taken:
                left.pop(0)
            counted.append(image)
            assert done == (taken and not left)
        ctx.set(dut.begin, 0)
        ctx.set(dut.i.valid, 1)
        for _ in range(3):
            assert not ctx.get(dut.i.ready) and not ctx.get(dut.done)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        return cycles, sum(counted)

    async def look(self, ctx, address):
        ctx.set(self.dut.addr, address)
        await ctx.tick()
        return ctx.get(self.dut.score), ctx.get(self.dut.best_there)


@sizes
@settings(max_examples=10)
@given(seed=st.integers(0, 2 ** 32 - 1), data=st.data(), stalls=strategies.stalls)
def test_results_are_kept_counted_timed_and_signed(size, seed, data, stalls):
    bed, rng = Bed(size), np.random.default_rng(seed)

    async def testbench(ctx):
        for _ in range(2):
            images, rounds = data.draw(st.integers(1, bed.batch)), data.draw(st.integers(1, 4))
            scores, best = bed.draw(rng, images)
            await bed.start(ctx, images, rounds)
            cycles, counted = await bed.take(ctx, bed.words(scores, best, rng) * rounds, stalls)
            assert counted == images * rounds
            assert ctx.get(bed.dut.cycles) == cycles
            assert ctx.get(bed.dut.digest) == frame.signature(scores, best, rounds)
            assert ctx.get(bed.dut.best) == best[-1]
            for n, row in enumerate(scores.tolist()):
                for k, score in enumerate(row):
                    found, place = await bed.look(ctx, n * bed.classes + k)
                    assert found == score
                    assert k < bed.classes - 1 or place == best[n]

    simulate(bed.dut, testbench)


def test_scores_are_those_of_the_last_round():
    bed, rng = Bed(SIZES["narrow"]), np.random.default_rng(1)
    first, second = bed.draw(rng, 2), bed.draw(rng, 2)

    async def testbench(ctx):
        await bed.start(ctx, 2, 2)
        await bed.take(ctx, bed.words(*first, rng) + bed.words(*second, rng))
        assert ctx.get(bed.dut.digest) == frame.signature(
            np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]))
        found = [(await bed.look(ctx, n))[0] for n in range(6)]
        assert found == second[0].reshape(-1).tolist()

    simulate(bed.dut, testbench)


def test_many_rounds():
    bed = Bed(SIZES["one"])

    async def testbench(ctx):
        await bed.start(ctx, 1, 0xFFFF)
        ctx.set(bed.dut.i.valid, 1)
        ctx.set(Value.cast(bed.dut.i.payload), 1 << 4 | 5)
        for n in range(0xFFFF):
            _, _, done = await ctx.tick().sample(bed.dut.done)
            assert done == (n == 0xFFFE)
        assert not ctx.get(bed.dut.i.ready)
        assert ctx.get(bed.dut.digest) == frame.signature(np.array([[5]]), np.array([0]), 0xFFFF)

    simulate(bed.dut, testbench)


@sizes
def test_members_are_as_wide_as_they_have_to_be(size):
    classes, bits, batch = size
    best = (classes - 1).bit_length()
    dut = Bed(size).dut
    assert memories(dut) == {"cells": (bits + best, batch * classes)}
    assert ports(dut) == {
        "start": 1, "images": batch.bit_length(), "rounds": 16, "begin": 1,
        "i_payload": bits + best + 1, "i_valid": 1, "i_ready": 1, "counted": 1, "done": 1,
        "cycles": 32, "digest": 32, "best": best, "addr": (batch * classes - 1).bit_length(),
        "score": 32, "best_there": best}


def test_nothing_is_wider_than_it_has_to_be(tmp_path):
    bed, rng = Bed(SIZES["many"]), np.random.default_rng(2)

    async def testbench(ctx):
        for _ in range(2):
            await bed.start(ctx, 8, 3)
            await bed.take(ctx, bed.words(*bed.draw(rng, 8), rng) * 3)
            await bed.look(ctx, 15)

    simulate(bed.dut, testbench, vcd=tmp_path / "vcd")
    assert not {"index", "image", "taken", "final", "counting", "addr"} & set(
        idle_bits(tmp_path / "vcd"))


@sizes
def test_counters_are_as_wide_as_they_have_to_be(tmp_path, size):
    bed = Bed(size)

    async def testbench(ctx):
        await bed.start(ctx, 1, 1)

    simulate(bed.dut, testbench, vcd=tmp_path / "vcd")
    found = widths(tmp_path / "vcd")
    assert found["image"] == {max(1, (bed.batch - 1).bit_length())}
    assert found.get("index", {0}) == {(bed.batch * bed.classes - 1).bit_length()}


def test_nothing_is_taken_before_it_is_asked_for():
    bed = Bed(SIZES["narrow"])

    async def testbench(ctx):
        ctx.set(bed.dut.i.valid, 1)
        ctx.set(bed.dut.begin, 1)
        for _ in range(5):
            assert not ctx.get(bed.dut.i.ready)
            await ctx.tick()
        assert ctx.get(bed.dut.cycles) == 0

    simulate(bed.dut, testbench)


def test_scores_must_fit_a_word():
    Results(result=layout(1, 32), classes=1, batch=1)
    with pytest.raises(ValueError, match=r"^Scores must be at most 32 bits, not 33$"):
        Results(result=layout(1, 33), classes=1, batch=1)
