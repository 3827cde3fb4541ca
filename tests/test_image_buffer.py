# amaranth: UnusedElaboratable=no

from itertools import cycle
from math import gcd

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from gateware.image_buffer import ImageBuffer
from model.packing import pack, unpack
from sim import bench

from . import strategies
from .traffic import idle_bits, memories, ports, simulate


# Bits and words of pixels, bytes of an image, images there is room for.
SIZES = {"narrow": (12, 5, 7, 3), "wide": (75, 3, 28, 1), "whole": (8, 4, 4, 2),
         "one": (1, 1, 1, 1), "long": (20, 16, 40, 16), "less": (16, 3, 5, 4)}
sizes = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)


def words_of(size, image):
    """Words that an image leaves as: its bits and then zeros, or as many bits as they take."""
    width, words, image_bytes, _ = size
    bits = np.zeros((1, max(words * width, 8 * image_bytes)), dtype=bool)
    bits[:, :8 * image_bytes] = unpack(list(image), 8).reshape(1, -1)
    return pack(bits[:, :words * width], width)


class Bed:
    """A buffer, a host, and what takes words."""

    def __init__(self, size):
        self.width, self.words, self.image_bytes, self.batch = size
        self.dut = ImageBuffer(width=self.width, words=self.words, image_bytes=self.image_bytes,
                               batch=self.batch)

    async def clear(self, ctx):
        ctx.set(self.dut.clear, 1)
        await ctx.tick()
        ctx.set(self.dut.clear, 0)
        assert self.state(ctx) == (0, 0, 1)

    def state(self, ctx):
        return tuple(map(ctx.get, (self.dut.filled, self.dut.images, self.dut.whole)))

    async def fill(self, ctx, data, stalls=(0,)):
        """Give it some bytes, and wait until they are there for good."""
        before = ctx.get(self.dut.filled)
        await bench.feed(ctx, self.dut.i, data, stalls)
        now = before + len(data)
        assert self.state(ctx) == (now, now // self.image_bytes, now % self.image_bytes == 0)
        for _ in range(8):
            if ctx.get(self.dut.i.ready):
                break
            await ctx.tick()
        assert ctx.get(self.dut.i.ready)

    async def send(self, ctx, rounds, count, stalls=(0,)):
        """Start it two cycles later; the words that leave, and after how many cycles the last."""
        dut, stalls = self.dut, cycle(stalls)
        await ctx.tick()
        ctx.set(dut.rounds, rounds)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.rounds, 0)
        found, wait, held, cycles = [], next(stalls), None, 0
        each = self.state(ctx)[1] * self.words
        while len(found) < count:
            assert cycles < 20 + 10 * count
            ctx.set(dut.o.ready, wait == 0)
            _, _, valid, word, last = await ctx.tick().sample(dut.o.valid, dut.o.payload, dut.last)
            cycles += 1
            assert not valid or last == ((len(found) + 1) % each == 0)
            assert held is None or (valid, word) == (1, held)
            held = word if valid and wait else None
            if valid and not wait:
                found.append(word)
                wait = next(stalls)
            elif wait:
                wait -= 1
        ctx.set(dut.o.ready, 1)
        for _ in range(4):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        ctx.set(dut.o.ready, 0)
        return found, cycles


@sizes
@settings(max_examples=8)
@given(data=st.data(), i_stalls=strategies.stalls, o_stalls=strategies.stalls,
       rounds=st.integers(1, 3))
def test_images_leave_as_words_and_stay(size, data, i_stalls, o_stalls, rounds):
    bed = Bed(size)
    images = [data.draw(st.binary(min_size=bed.image_bytes, max_size=bed.image_bytes))
              for _ in range(data.draw(st.integers(1, min(bed.batch, 3))))]
    cut = data.draw(st.integers(0, bed.image_bytes * len(images)))
    expected = [word for image in images for word in words_of(size, image)]
    whole = b"".join(images)

    async def testbench(ctx):
        await bed.fill(ctx, whole[:cut], i_stalls)
        await bed.clear(ctx)                       # at whatever place
        await bed.fill(ctx, whole[:cut], i_stalls)
        await bed.fill(ctx, whole[cut:], i_stalls)
        for times in (1, rounds):
            found, _ = await bed.send(ctx, times, times * len(expected), o_stalls)
            assert found == times * expected

    simulate(bed.dut, testbench)


@sizes
def test_a_word_in_every_cycle(size):
    bed = Bed(size)

    async def testbench(ctx):
        await bed.fill(ctx, bytes(bed.batch * bed.image_bytes))
        words = 3 * bed.batch * bed.words
        _, cycles = await bed.send(ctx, 3, words)
        assert cycles == 1 + words

    simulate(bed.dut, testbench)


@sizes
def test_a_byte_for_each_unit(size):
    bed = Bed(size)
    taken = []

    async def host(ctx):
        ctx.set(bed.dut.i.valid, 1)
        for n in range(8 * bed.batch * bed.image_bytes):
            _, _, ready = await ctx.tick().sample(bed.dut.i.ready)
            if ready:
                taken.append(n)
            if len(taken) == bed.batch * bed.image_bytes:
                break

    simulate(bed.dut, host)
    assert taken == [n * (8 // gcd(8, bed.width)) for n in range(len(taken))]
    assert len(taken) == bed.batch * bed.image_bytes


@sizes
def test_members_are_as_wide_as_they_have_to_be(size):
    width, words, image_bytes, batch = size
    dut = Bed(size).dut
    assert memories(dut) == {"cells": (width, batch * words)}
    assert ports(dut) == {
        "i_payload": 8, "i_valid": 1, "i_ready": 1, "clear": 1,
        "filled": (batch * image_bytes).bit_length(), "images": batch.bit_length(), "whole": 1,
        "start": 1, "rounds": 16, "o_payload": width, "o_valid": 1, "o_ready": 1,
        "last": 1}


def test_many_rounds():
    bed = Bed(SIZES["one"])
    count = 0

    async def testbench(ctx):
        nonlocal count
        await bed.fill(ctx, b"\1")
        ctx.set(bed.dut.rounds, 0xFFFF)
        ctx.set(bed.dut.start, 1)
        ctx.set(bed.dut.o.ready, 1)
        await ctx.tick()
        ctx.set(bed.dut.start, 0)
        for _ in range(0xFFFF + 2):
            _, _, valid = await ctx.tick().sample(bed.dut.o.valid)
            count += valid

    simulate(bed.dut, testbench)
    assert count == 0xFFFF


@pytest.mark.parametrize("size", [(12, 5, 8, 3), (3, 8, 3, 4)])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, size):
    bed = Bed(size)
    data = b"\xff\0" * bed.batch * bed.image_bytes

    async def testbench(ctx):
        for _ in range(2):
            await bed.fill(ctx, data[:bed.batch * bed.image_bytes])
            await bed.send(ctx, 2, 2 * bed.batch * bed.words, [0, 3])
            await bed.clear(ctx)

    simulate(bed.dut, testbench, vcd=tmp_path / "vcd")
    assert not {"row", "end", "at", "fetch", "final", "filled", "images"} & set(
        idle_bits(tmp_path / "vcd"))


@pytest.mark.parametrize("changed, message", [
    ({"image_bytes": 6}, r"^Images of 5 words of 12 bits must be more bytes than 6$"),
    ({"batch": 0}, r"^Batch must be at least 1, not 0$"),
])
def test_sizes_that_make_no_sense(changed, message):
    with pytest.raises(ValueError, match=message):
        ImageBuffer(**{"width": 12, "words": 5, "image_bytes": 7, "batch": 3} | changed)
