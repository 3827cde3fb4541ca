# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, strategies as st

import gateware.scores
from gateware.compiler import affine_rows, weight_rows
from gateware.folding import Folding
from model.scores import Scores, argmax
from sim import bench

from . import strategies
from .traffic import beats


def run(layer, folding, planes, **options):
    """Scores of each vector, and the class chosen for it."""
    dut = gateware.scores.Scores(
        folding, bipolar=layer.bipolar, gain_bits=layer.gain_bits, score_bits=layer.score_bits,
        weights=weight_rows(layer.weights, folding), affine=affine_rows(layer))
    words = bench.run(dut, beats(folding, planes), len(planes) * layer.outputs, limit=20_000,
                      **options)
    fields = [dut.o.payload.shape().from_bits(word) for word in words]
    assert [field.last for field in fields] \
        == ([0] * (layer.outputs - 1) + [1]) * len(planes)
    scores = np.array([field.score for field in fields]).reshape(len(planes), -1)
    return scores, [field.best for field in fields if field.last]


@given(data=st.data(), layer=strategies.scoreses(), i_stalls=strategies.stalls,
       o_stalls=strategies.stalls)
def test_gateware_matches_model(data, layer, i_stalls, o_stalls):
    folding = data.draw(strategies.foldings(layer, final=True))
    planes = data.draw(strategies.bits(3, len(layer.gains), layer.inputs))
    scores, best = run(layer, folding, planes, i_stalls=i_stalls, o_stalls=o_stalls)
    assert (scores == layer(planes)).all()
    assert (best == argmax(layer(planes))).all()


def test_first_of_equal_scores_wins():
    layer = Scores(np.ones((4, 3), dtype=bool), np.ones(4, dtype=int), np.array([0, 2, 2, 1]))
    planes = np.ones((2, 1, 3), dtype=bool)
    assert argmax(layer(planes)).tolist() == [1, 1]
    assert run(layer, Folding(3, 4, (1,), 1, 1), planes)[1] == [1, 1]


def test_all_scores_may_be_negative():
    layer = Scores(np.ones((3, 2), dtype=bool), np.array([-7, -5, -6]), np.array([-90, -90, -90]))
    planes = np.ones((2, 1, 2), dtype=bool)
    scores, best = run(layer, Folding(2, 3, (1,), 1, 1), planes)
    assert scores.tolist() == [[-104, -100, -102]] * 2
    assert best == [1, 1]


def test_widths_are_coarse():
    weights = np.ones((2, 8), dtype=bool)
    small = Scores(weights, np.array([1, 1]), np.array([0, 1]))
    large = Scores(weights, np.array([1, 2]), np.array([0, 1]))
    assert (small.gain_bits, small.score_bits) == (0, 16)
    assert (large.gain_bits, large.score_bits) == (16, 32)


@pytest.mark.parametrize("gain, bias, error, message", [
    ([1.0], [0], TypeError, "^Gain must be integers, not float64$"),
    ([1], [0.5], TypeError, "^Bias must be integers, not float64$"),
    ([1, 1], [0], ValueError, r"^Gain must be one per class \(1\), not \(2,\)$"),
    ([2 ** 15], [0], ValueError, "^Gain must be between -32768 and 32767, not 32768 to 32768$"),
    ([1], [2 ** 31], ValueError, "^Gain and bias must keep every score within 32 bits, "),
])
def test_gain_and_bias_must_fit(gain, bias, error, message):
    with pytest.raises(error, match=message):
        Scores(np.ones((1, 8), dtype=bool), np.array(gain), np.array(bias))


def test_classes_must_leave_one_at_a_time():
    with pytest.raises(ValueError, match="^Folding must leave one class at a time: PE must be "):
        gateware.scores.Scores(Folding(4, 4, (1,), 4, 4), bipolar=True, gain_bits=0, score_bits=16)
