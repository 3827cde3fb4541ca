# amaranth: UnusedElaboratable=no

from itertools import cycle

import pytest
from amaranth.hdl import Value
from amaranth.lib import data
from hypothesis import given, settings, strategies as st

from gateware.image_buffer import ImageBuffer
from gateware.scores import layout

from . import strategies
from .traffic import idle_bits, memories, ports, read, simulate, write


SCORE_BITS = 20


class Bed:
    """A buffer, a host at its bus, and what takes pixels and gives scores."""

    def __init__(self, simd, bits, words, classes):
        self.dut = ImageBuffer(pixels=data.ArrayLayout(bits, simd), words=words,
                               result=layout(classes, SCORE_BITS), classes=classes)
        self.width, self.words, self.classes = simd * bits, words, classes
        self.chunks = -(-self.width // 32)
        self.cycle = 0     # since the beginning
        self.passed = []   # when words of pixels went in, and scores came out

    def run(self, testbench, *, vcd=None):
        simulate(self.dut, testbench, vcd=vcd)

    async def infer(self, ctx, scores, best, o_stalls=(0,), i_stalls=(0,)):
        """Words of pixels that leave while an image is under way; the bus is used meanwhile."""
        dut = self.dut
        pixels, taken, given = [], cycle(o_stalls), cycle(i_stalls)
        wait, index, first, held = next(taken), 0, None, None
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        # Scores follow the last word at the earliest, and wait before each.
        pause = next(given)
        for n in range(1_000):
            ctx.set(dut.o.ready, wait == 0)
            offered = len(pixels) == self.words and pause == 0
            ctx.set(dut.i.valid, offered)
            if offered:
                ctx.set(dut.i.payload.score, scores[index])
                # It counts with the last one only.
                last = index == self.classes - 1
                ctx.set(dut.i.payload.best, best if last else self.classes - 1 - best)
                ctx.set(dut.i.payload.last, last)
            # Neither is anything written over the bus now, nor read.
            ctx.set(dut.bus.addr, n % dut.depth)
            ctx.set(dut.bus.w_en, 1)
            ctx.set(dut.bus.w_data, 0xAAAA_AAAA)
            ctx.set(dut.bus.r_en, 1)
            _, _, valid, word, ready, done, answered = await ctx.tick().sample(
                dut.o.valid, Value.cast(dut.o.payload), dut.i.ready, dut.done, dut.bus.r_valid)
            assert not answered and ready
            assert held is None or (valid, word) == (1, held)
            held = word if valid and wait else None
            if valid and wait == 0:
                first = n if first is None else first
                pixels.append(word)
                wait = next(taken)
            elif wait:
                wait -= 1
            assert done == (offered and last)
            if offered:
                index, pause = index + 1, next(given)
            elif len(pixels) == self.words and pause:
                pause -= 1
            ctx.set(dut.bus.w_en, 0)
            ctx.set(dut.bus.r_en, 0)
            if done:
                break
        ctx.set(dut.i.valid, 0)
        assert done and len(pixels) == self.words
        await ctx.tick()
        assert not ctx.get(dut.i.ready) and not ctx.get(dut.o.valid) and not ctx.get(dut.done)
        assert ctx.get(dut.cycles) == n - first + 1
        assert ctx.get(dut.best) == best
        return pixels, n + 1


BEDS = {"narrow": (3, 4, 5, 3), "wide": (15, 5, 3, 4), "whole": (8, 4, 2, 2), "one": (1, 1, 1, 1),
        "double": (8, 8, 4, 8)}


@pytest.mark.parametrize("bed", BEDS)
@settings(max_examples=5)
@given(data=st.data(), o_stalls=strategies.stalls, i_stalls=strategies.stalls)
def test_images_leave_and_scores_are_kept(bed, data, o_stalls, i_stalls):
    bed = Bed(*BEDS[bed])
    dut, mask = bed.dut, (1 << bed.width) - 1
    assert (dut.scores, dut.depth) == (bed.words * bed.chunks, bed.words * bed.chunks + bed.classes)
    word = st.integers(0, 0xFFFF_FFFF)
    images = data.draw(st.lists(st.lists(word, min_size=dut.scores, max_size=dut.scores),
                                min_size=1, max_size=2))
    score = st.integers(-2 ** (SCORE_BITS - 1), 2 ** (SCORE_BITS - 1) - 1)

    async def testbench(ctx):
        for image in images:
            scores = data.draw(st.lists(score, min_size=bed.classes, max_size=bed.classes))
            best = data.draw(st.integers(0, bed.classes - 1))
            for address, word in enumerate(image):
                await write(ctx, dut.bus, address, word)
            expected = [sum(image[n + k] << 32 * k for k in range(bed.chunks)) & mask
                        for n in range(0, dut.scores, bed.chunks)]
            for _ in range(2):    # the image stays
                pixels, _ = await bed.infer(ctx, scores, best, o_stalls, i_stalls)
                assert pixels == expected
            kept = [await read(ctx, dut.bus, address) for address in range(dut.depth)]
            assert kept == [*image, *(score & 0xFFFF_FFFF for score in scores)]

    bed.run(testbench)


@pytest.mark.parametrize("bed", BEDS)
def test_words_leave_as_fast_as_they_are_read(bed):
    bed = Bed(*BEDS[bed])

    async def testbench(ctx):
        # The first chunk is read in the cycle after the start, and there in the one after that.
        _, cycles = await bed.infer(ctx, [0] * bed.classes, 0)
        assert cycles == 1 + bed.words * bed.chunks + bed.classes

    bed.run(testbench)


@pytest.mark.parametrize("bed", BEDS)
def test_members_are_as_wide_as_they_have_to_be(bed):
    simd, bits, words, classes = BEDS[bed]
    bed = Bed(simd, bits, words, classes)
    depth = words * bed.chunks + classes
    best = (classes - 1).bit_length()
    assert memories(bed.dut) == {"cells": (32, depth)}
    assert ports(bed.dut) == {
        "bus_addr": (depth - 1).bit_length(), "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1,
        "bus_r_data": 32, "bus_r_valid": 1, "start": 1, "o_payload": simd * bits, "o_valid": 1,
        "o_ready": 1, "i_payload": SCORE_BITS + best + 1, "i_valid": 1, "i_ready": 1, "done": 1,
        "best": best, "cycles": 32}


@pytest.mark.parametrize("words, simd, classes, own", [
    (8, 3, 8, {"addr", "index", "running", "fetched", "take", "fetch", "counting"}),
    (7, 3, 9, {"addr"}),
    (2, 32, 3, {"addr", "chunk", "before", "last"})])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, words, simd, classes, own):
    bed = Bed(simd, 4, words, classes)

    async def testbench(ctx):
        for level in (0xFFFF_FFFF, 0, 0xFFFF_FFFF):
            for address in range(bed.dut.depth):
                await write(ctx, bed.dut.bus, address, level)
                assert await read(ctx, bed.dut.bus, address) == level
            score = -1 if level else 0
            await bed.infer(ctx, [score] * classes, classes - 1 if level else 0, [0, 30], [0, 3])

    bed.run(testbench, vcd=tmp_path / "vcd")
    assert not own & set(idle_bits(tmp_path / "vcd"))


def test_scores_must_fit_a_word():
    ImageBuffer(pixels=1, words=1, result=layout(1, 32), classes=1)
    with pytest.raises(ValueError, match=r"^Scores must be at most 32 bits, not 33$"):
        ImageBuffer(pixels=1, words=1, result=layout(1, 33), classes=1)
