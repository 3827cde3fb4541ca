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
    total = int(x.sum())
    low = total * layer.factor // 8 if layer.detection == "speculative" else 0
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
    schedule = Schedule(pe, simd, skip_zeros, wasted, overhead, least)
    x = data.draw(activations(layer, 5))
    found = schedule.counts(layer, x)
    planes = layer.outputs * layer.weight_bits
    assert [*zip(found.cycles, found.planes_run, found.planes_skipped, strict=True)] == [
        (cycles, run, planes - run) for cycles, run in (word_by_word(schedule, layer, each)
                                                        for each in x)]


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
