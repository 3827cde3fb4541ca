# amaranth: UnusedElaboratable=no

import numpy as np
from hypothesis import given, strategies as st

from gateware.active_rows import ActiveRows
from gateware.learning_folding import LearningFolding
from model.draws import Draws
from model.packing import pack_fields
from model.sign_update import SignUpdate
from sim.bench import feed

from . import strategies
from .traffic import memories, ports, read, registers, simulate


def component(spec, pixels):
    return ActiveRows(LearningFolding(spec, pe=1, pixels=pixels), lfsr=spec.lfsrs["bits"])


def active(spec, pixels, image, draws):
    """Rows that an image drives, those of the bias behind the words of pixels."""
    bits = np.asarray(image) > draws.take(spec.inputs)
    first = -(-spec.inputs // pixels) * pixels
    return [*np.flatnonzero(bits).tolist(), *range(first, first + spec.bias)]


def words(spec, pixels, images):
    padded = np.zeros((len(images), -(-spec.inputs // pixels) * pixels), dtype=int)
    padded[:, :spec.inputs] = images
    return pack_fields(padded, 8, pixels)


@given(inputs=st.integers(1, 20), bias=st.integers(1, 9), pixels=st.sampled_from([1, 2, 4, 8]),
       images=st.integers(1, 4), dark=st.floats(0, 1),
       passes=st.lists(st.integers(1, 3), min_size=4, max_size=4),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls, seed=st.integers(0, 99))
def test_rows_are_those_that_the_model_draws(inputs, bias, pixels, images, dark, passes, i_stalls,
                                             o_stalls, seed):
    spec = SignUpdate(inputs, 1, 2, bias=bias, seed=seed)
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (images, inputs)) * (rng.random((images, inputs)) > dark)
    # Some meet their own value, and are not drawn.
    drawn = Draws(spec.lfsrs["bits"]).take(x.size).reshape(x.shape)
    x = np.where(rng.random(x.shape) < 0.2, drawn, x)
    dut, twin = component(spec, pixels), Draws(spec.lfsrs["bits"])

    async def producer(ctx):
        await feed(ctx, dut.i, words(spec, pixels, x), i_stalls)

    async def tb(ctx):
        waits = 0
        for image, times in zip(x, passes, strict=False):
            for _ in range(200):
                if ctx.get(dut.full):
                    break
                await ctx.tick()
            rows = active(spec, pixels, image, twin)
            for _ in range(times):
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                for n, row in enumerate(rows):
                    for _ in range(o_stalls[waits % len(o_stalls)]):
                        ctx.set(dut.o.ready, 0)
                        await ctx.tick()
                    waits += 1
                    ctx.set(dut.o.ready, 1)
                    for _ in range(2 if n == 0 else 1):
                        _, _, valid, told = await ctx.tick().sample(dut.o.valid, dut.o.payload)
                        if valid:
                            break
                    assert valid and (told.row, told.last) == (row, n == len(rows) - 1)
                assert not ctx.get(dut.o.valid)
                ctx.set(dut.o.ready, 0)
            assert ctx.get(dut.full)
            ctx.set(dut.end, 1)
            await ctx.tick()
            ctx.set(dut.end, 0)
        for _ in range(4):
            await ctx.tick()
        assert not ctx.get(dut.full)
        assert await read(ctx, dut.draws_bus, 0) == twin.state

    simulate(dut, tb, producer)


def test_a_pass_takes_a_cycle_a_row_and_images_come_meanwhile():
    """21 pixels in six words, and a bias in another."""
    spec = SignUpdate(21, 1, 2, bias=3)
    dut, seen = component(spec, 4), []
    images = np.array([[255] * 21, [0] * 21, [255] * 21])

    async def producer(ctx):
        await feed(ctx, dut.i, words(spec, 4, images))

    async def tb(ctx):
        for cycle in range(60):
            ctx.set(dut.start, cycle in (7, 40))
            ctx.set(dut.end, cycle == 38)
            ctx.set(dut.o.ready, 1)
            _, _, *now = await ctx.tick().sample(dut.i.ready & dut.i.valid, dut.full, dut.o.valid,
                                                 dut.o.payload.last)
            seen.append(now)

    simulate(dut, tb, producer)
    came, full, valid, last = ([n for n, each in enumerate(column) if each]
                               for column in zip(*seen, strict=True))
    # A word in each cycle, and one cycle for the bias; two images at once.
    assert came == [*range(6), *range(7, 13), *range(39, 45)]
    assert full == [*range(7, 60)]
    # None of the bytes that 21 pixels of 255 meet is 255.
    assert valid == [*range(9, 33), *range(42, 45)] and last == [32, 44]


def test_what_there_is():
    dut = component(SignUpdate(784, 1, 2), 8)
    assert ports(dut) == {
        "i_payload": 64, "i_valid": 1, "i_ready": 1, "full": 1, "start": 1, "end": 1,
        "o_payload": 11, "o_valid": 1, "o_ready": 1, "draws_bus_addr": 0, "draws_bus_w_en": 1,
        "draws_bus_w_data": 32, "draws_bus_r_en": 1, "draws_bus_r_data": 32,
        "draws_bus_r_valid": 1}
    assert memories(dut) == {"cells": (16, 256)}


def test_registers_hold_what_they_may_be_and_no_more():
    dut = component(SignUpdate(56, 1, 2, bias=8), 8)   # eight words, and as many rows in each
    assert ports(dut)["o_payload"] == 6 + 1
    expected = {"full": 2, "bank": 1, "index": 3, "kept": 3, "turn": 1, "place": 4, "loads": 1}
    found = registers(dut)
    assert {name: found[name] for name in expected} \
        == {name: (width, 0) for name, width in expected.items()}
