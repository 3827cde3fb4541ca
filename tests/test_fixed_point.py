# amaranth: UnusedElaboratable=no

"""Neurons by themselves, of pixels and of planes, against the golden model."""

import numpy as np
import pytest
from amaranth import ClockDomain, Module, Value
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from bench.fixed_point import FixedPoint
from bench.neuron import Neuron
from gateware.folding import Folding
from model.accumulate import Accumulate
from model.encoder import BitSerial
from model.packing import pack_fields
from model.stochastic import Stochastic

from .traffic import ports


def filled(values, simd, fill):
    """Rows of values cut into words of :py:`simd`: … × words × simd."""
    missing = -values.shape[-1] % simd
    widths = [(0, 0)] * (values.ndim - 1) + [(0, missing)]
    return np.pad(values, widths, constant_values=fill).reshape(*values.shape[:-1], -1, simd)


def run(dut, images, thresholds, idle=()):
    """Sum and output after each word: images, each a list of words of an x and a w.

    Words are lists of planes' words where the neuron weighs planes. In the cycles of :py:`idle`
    nothing is taken, added or weighed, whatever is on the other ports.
    """
    steps = []   # what each stage is told, by the cycle
    for words, threshold in zip(images, thresholds, strict=True):
        for n, planes in enumerate(words):
            for p, (x, w) in enumerate(planes):
                steps.append((x, w, p == 0, p == len(planes) - 1, n == 0, threshold))
    seen, late = [], 2 if dut.serial else 1

    async def tb(ctx):
        cycle, n = 0, 0
        while n < len(steps) + late:
            moves = cycle not in idle
            cycle += 1
            taken, counted, weighed = (
                steps[n - k] if moves and 0 <= n - k < len(steps) else None for k in range(3))
            ctx.set(dut.en, taken is not None)
            ctx.set(Value.cast(dut.x), taken[0] if taken else cycle % 2)
            ctx.set(dut.w, taken[1] if taken else 0)
            if dut.serial:
                ctx.set(dut.weigh, counted is not None)
                ctx.set(dut.fresh, counted[2] if counted else 1)
            adding = weighed if dut.serial else counted
            ctx.set(dut.add, adding is not None and adding[3])
            ctx.set(dut.first, adding[4] if adding else 1)
            if adding:
                ctx.set(dut.threshold, adding[5])
            await ctx.tick()
            n += moves
            if adding and adding[3]:
                seen.append((ctx.get(dut.sum), ctx.get(dut.o)))

    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut
    sim = Simulator(top)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()
    return seen


def pixel_words(images, weights, simd, bits):
    """An x and a w for each word of each image, and each a plane of its own."""
    x, w = filled(images, simd, 0), filled(weights[None], simd, True)
    return [[[(a, b)] for a, b in zip(pack_fields(words, bits, simd), pack_fields(w[0], 1, simd),
                                      strict=True)] for words in x]


def running(images, weights, simd, bits):
    """Sums after each word, by what is added and what is taken away."""
    signs = np.where(weights, 1, -1)
    terms = signs * images.astype(int) + (2 ** bits - 1) * (signs < 0)
    return filled(terms, simd, 0).sum(axis=-1).cumsum(axis=-1)


@given(draws=st.data(), inputs=st.integers(1, 20), bits=st.integers(1, 9),
       idle=st.sets(st.integers(0, 30)))
def test_pixels_are_added_and_taken_away(draws, inputs, bits, idle):
    lanes = draws.draw(st.integers(1, inputs))
    rng = np.random.default_rng(draws.draw(st.integers(0, 2 ** 32 - 1)))
    images, weights = rng.integers(0, 2 ** bits, (3, inputs)), rng.integers(0, 2, inputs) == 1
    dut = FixedPoint(inputs=inputs, lanes=lanes, bits=bits)
    expected = running(images, weights, lanes, bits)
    thresholds = [int(expected[0, -1]), int(expected[1, -1]) + 1, 0]
    assert run(dut, pixel_words(images, weights, lanes, bits), thresholds, idle) == [
        (total, total >= threshold)
        for sums, threshold in zip(expected.tolist(), thresholds, strict=True) for total in sums]


@pytest.mark.parametrize("lanes, inputs", [(64, 784), (49, 100)])
def test_every_word_of_images_at_random(lanes, inputs):
    rng = np.random.default_rng(lanes)
    images, weights = rng.integers(0, 256, (40, inputs)), rng.integers(0, 2, inputs) == 1
    images[:2] = [[0], [255]]
    expected = running(images, weights, lanes, 8)
    model = Accumulate(weights[None], gains=BitSerial(8).gains, bipolar=False)
    planes = BitSerial(8)(images)
    assert (expected[:, -1] == model.sums(planes)[:, 0]).all()
    # A threshold of ± pixels becomes one of sums.
    wanted = rng.integers(-model.top, model.top, len(images)) // 4
    thresholds = [int(model.sum_threshold([each])[0]) for each in wanted]
    found = run(FixedPoint(inputs=inputs, lanes=lanes), pixel_words(images, weights, lanes, 8),
                thresholds)
    assert [total for total, _ in found] == expected.ravel().tolist()
    fires = np.where(weights, images, -images).sum(axis=1) >= wanted
    words = expected.shape[1]
    assert [o for _, o in found][words - 1::words] == fires.tolist()
    assert 5 < fires.sum() < 35


@pytest.mark.parametrize("encoder", [BitSerial(8), Stochastic(1), Stochastic(8)])
@pytest.mark.parametrize("simd, inputs", [(64, 784), (5, 13)])
def test_planes_are_counted(encoder, simd, inputs):
    rng = np.random.default_rng(simd)
    images, weights = rng.integers(0, 256, (6, inputs)), rng.integers(0, 2, inputs) == 1
    model = Accumulate(weights[None], gains=encoder.gains, bipolar=encoder.bipolar)
    planes, dut = encoder(images), Neuron(Folding(inputs, 1, encoder.gains, 1, simd))
    w = pack_fields(filled(weights[None], simd, True)[0], 1, simd)
    words = [[list(zip(pack_fields(image, 1, simd), [row] * len(image), strict=True))
              for image, row in zip(filled(each, simd, False).swapaxes(0, 1), w, strict=True)]
             for each in planes]
    if not dut.serial:   # every plane is added up
        words = [[[each] for word in image for each in word] for image in words]
    sums = model.sums(planes)[:, 0].tolist()
    thresholds = [each + n % 2 for n, each in enumerate(sums)]
    found = run(dut, words, thresholds, {3, 4, 9})
    each = len(found) // len(images)
    assert each * len(encoder.gains if dut.serial else "1") == dut.words
    assert found[each - 1::each] == [(total, n % 2 == 0) for n, total in enumerate(sums)]


def test_members_are_as_wide_as_they_have_to_be():
    expected = {"en": 1, "w": 64, "add": 1, "first": 1, "o": 1}
    assert ports(FixedPoint(inputs=784, lanes=64)) \
        == expected | {"x": 512, "threshold": 18, "sum": 18}
    assert ports(Neuron(Folding(784, 1, (1,) * 8, 1, 64))) \
        == expected | {"x": 64, "threshold": 13, "sum": 13}
    assert ports(Neuron(Folding(784, 1, BitSerial(8).gains, 1, 64))) \
        == expected | {"x": 64, "threshold": 18, "sum": 18, "weigh": 1, "fresh": 1}


def test_work_of_a_word():
    fixed = FixedPoint(inputs=784, lanes=64)
    assert (fixed.words, fixed.xnors, fixed.sum_bits) == (13, 512, 13 * 18)
    assert fixed.adders == 32 * 8 + 16 * 9 + 8 * 10 + 4 * 11 + 2 * 12 + 13
    assert FixedPoint(inputs=3, lanes=3, bits=4).adders == 4 + 5
    assert FixedPoint(inputs=3, lanes=1).adders == 0
    counting = Neuron(Folding(784, 1, (1,) * 8, 1, 64))
    assert (counting.words, counting.xnors, counting.sum_bits) == (104, 64, 104 * 13)
    # n = 2ᵏ − 1 bits take n − k full adders, and one bit more a half adder for each bit of that.
    assert counting.adders == 63 - 6 + 6
    assert Neuron(Folding(7, 1, (1,), 1, 7)).adders == 4
    # Every plane is added to a part of 14 bits, and every part to the sum.
    assert Neuron(Folding(784, 1, BitSerial(8).gains, 1, 64)).sum_bits == 104 * 14 + 13 * 18
