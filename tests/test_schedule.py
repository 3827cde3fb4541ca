import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.compend import Compend
from model.schedule import Schedule

from .strategies import activations, compends


def word_by_word(schedule, layer, x):
    """Cycles and planes of one image."""
    pe, simd = schedule.pe, schedule.simd
    starts = range(0, layer.inputs, simd)
    used = [at for at in starts if x[at:at + simd].any() or not schedule.skip_zeros]
    for at in reversed(starts):
        if len(used) < schedule.least and at not in used:
            used = sorted([*used, at])
    unit = 2 ** layer.grain
    total = -(-int(x.sum()) // unit)
    low = total * layer.factor // 8 if layer.detection == "speculative" else 0
    total, low = total * unit, low * unit
    busy, planes = [0] * pe, 0
    for o in range(layer.outputs):
        acc, words, done = int(layer.preload[o]), 0, False
        while not done:
            plane, word = divmod(words, len(used))
            at = used[(busy[o % pe] + words) % len(used)]
            left = layer.weight_bits - 1 - plane
            fall = int(x[at:at + simd] @ layer.planes[plane, o, at:at + simd]) << left
            acc += -fall if plane else fall
            words += 1
            done = words == layer.weight_bits * len(used)
            if layer.detection != "none":
                if plane or word == len(used) - 1:
                    done |= acc < 0
                if word == len(used) - 1:
                    done |= acc < low << left
                    done |= layer.activation == "sign" and left and acc >= total - low << left
        planes += plane + 1
        busy[o % pe] += min(words + schedule.wasted, layer.weight_bits * len(used))
    return max(busy) + schedule.overhead, planes


@given(data=st.data(), layer=compends(), pe=st.integers(1, 9), simd=st.integers(1, 5),
       skip_zeros=st.booleans(), wasted=st.integers(0, 5), overhead=st.integers(0, 3))
def test_counts_are_those_word_by_word(data, layer, pe, simd, skip_zeros, wasted, overhead):
    least = data.draw(st.integers(1, -(-layer.inputs // simd)))
    schedule = Schedule(pe=pe, simd=simd, skip_zeros=skip_zeros, wasted=wasted,
                        overhead=overhead, least=least)
    x = data.draw(activations(layer, 5))
    found = schedule.counts(layer, x)
    planes = layer.outputs * layer.weight_bits
    assert [*zip(found.cycles, found.planes_run, found.planes_skipped, strict=True)] == [
        (cycles, run, planes - run) for cycles, run in (word_by_word(schedule, layer, each)
                                                        for each in x)]


@pytest.mark.parametrize("detection", ["exact", "speculative"])
def test_neurons_begin_anywhere_in_the_round(detection):
    rng = np.random.default_rng(0)
    layer = Compend(rng.integers(-7, 9, (24, 12)), rng.integers(-150, 30, 24), weight_bits=4,
                    input_bits=3, detection=detection)
    x = rng.integers(0, 8, (150, 12)) * (rng.random((150, 12)) < 0.6)
    schedule = Schedule(pe=2, simd=2, wasted=1)
    found = schedule.counts(layer, x)
    assert [*zip(found.cycles, found.planes_run, strict=True)] \
        == [word_by_word(schedule, layer, each) for each in x]


@pytest.mark.parametrize("bias, cycles", [
    (-8, 3), (-7, 3), (-6, 4), (-5, 4), (-4, 5), (-3, 6), (-2, 6)])
def test_a_sum_of_nothing_is_not_negative(bias, cycles):
    """The first plane adds 4 for each of two words, the second takes away 2, the last 1."""
    layer = Compend(np.array([[1, 1]]), np.array([bias]), weight_bits=3, input_bits=1,
                    activation="sign")
    x = np.array([[1, 1]])
    assert [int(sums[0]) for _, sums in layer.running(x[0])] == [bias + 8, bias + 4, bias + 2]
    assert Schedule(pe=1, simd=1).counts(layer, x).cycles == cycles


def test_a_round_has_a_word_even_of_zeros():
    layer = Compend(np.ones((3, 8), int), np.zeros(3, int), weight_bits=4, detection="none")
    found = Schedule(pe=2, simd=2, overhead=5).counts(layer, np.zeros((70, 8), int))
    assert set(found.cycles) == {2 * 4 * 1 + 5} and len(found.cycles) == 70


@pytest.mark.parametrize("given, words", [
    ({}, 2), ({"least": 2}, 2), ({"least": 3}, 3), ({"least": 4}, 4), ({"skip_zeros": False}, 4)])
def test_words_of_zeros_are_left_out(given, words):
    layer = Compend(np.ones((1, 8), int), np.zeros(1, int), weight_bits=4, detection="none")
    x = np.array([[0, 0, 0, 9, 0, 0, 9, 0]])
    assert Schedule(pe=1, simd=2, **given).counts(layer, x).cycles == words * 4


@pytest.mark.parametrize("given, error, message", [
    ({"pe": 0}, ValueError, "PE must be between 1 and 1048576, not 0"),
    ({"simd": 0}, ValueError, "SIMD must be between 1 and 1048576, not 0"),
    ({"simd": 2.0}, TypeError, "SIMD must be an integer, not 2.0"),
    ({"wasted": -1}, ValueError, "Wasted must be between 0 and 1048576, not -1"),
    ({"overhead": -1}, ValueError, "Overhead must be between 0 and 1048576, not -1"),
    ({"least": 0}, ValueError, "Least must be between 1 and 1048576, not 0"),
])
def test_what_it_cannot_be(given, error, message):
    with pytest.raises(error) as found:
        Schedule(**{"pe": 1, "simd": 1} | given)
    assert str(found.value) == message


def test_images_that_it_cannot_count():
    layer = Compend(np.ones((1, 8), int), np.zeros(1, int), weight_bits=4)
    with pytest.raises(ValueError, match=r"^Activations must be images x inputs, .* \(0, 8\)$"):
        Schedule(pe=1, simd=2).counts(layer, np.zeros((0, 8), int))
    with pytest.raises(ValueError, match=r"^Activations must be images x inputs, .* \(8,\)$"):
        Schedule(pe=1, simd=2).counts(layer, np.zeros(8, int))
    with pytest.raises(ValueError, match="^Least must be at most the 4 words of an image, not 5$"):
        Schedule(pe=1, simd=2, least=5).counts(layer, np.zeros((1, 8), int))
