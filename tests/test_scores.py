# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, strategies as st

import gateware.scores
from gateware.bus import Region
from gateware.compiler import affine_rows, weight_rows
from gateware.folding import Folding
from model.scores import Scores, argmax
from sim import bench

from . import strategies
from .traffic import WithSums, beats, idle_bits, loaded, memories, offers, ports


def component(layer, folding):
    return gateware.scores.Scores(
        folding, bipolar=layer.bipolar, gain_bits=layer.gain_bits, score_bits=layer.score_bits,
        weights=weight_rows(layer.cells, folding), affine=affine_rows(layer))


def run(layer, folding, planes, **options):
    """Scores of each vector, and the class chosen for it."""
    built, samples = strategies.samples_of(folding)
    dut = component(layer, built)
    words = bench.run(dut, beats(folding, planes), len(planes) * layer.outputs, limit=60_000,
                      **options, **samples)
    fields = [dut.o.payload.shape().from_bits(word) for word in words]
    assert [field.last for field in fields] \
        == ([0] * (layer.outputs - 1) + [1]) * len(planes)
    scores = np.array([field.score for field in fields]).reshape(len(planes), -1)
    return scores, [field.best for field in fields if field.last]


@given(data=st.data(), layer=strategies.scoreses(), i_stalls=strategies.stalls,
       o_stalls=strategies.stalls)
def test_gateware_matches_model(data, layer, i_stalls, o_stalls):
    batch = min(data.draw(st.sampled_from([1, 1, 1, 2, 4, 5])), layer.inputs) \
        if layer.weight_bits == 1 else 1
    # Planes that weigh the same come in one pass, or in a pass each.
    apart = {"passes": layer.gains} if len(set(layer.gains)) == 1 and data.draw(st.booleans()) \
        else {}
    folding = data.draw(strategies.foldings(layer, final=True, batch=batch, **apart))
    planes = data.draw(strategies.bits(3 * batch, len(layer.gains), layer.inputs))
    scores, best = run(layer, folding, planes, i_stalls=i_stalls, o_stalls=o_stalls)
    assert (scores == layer(planes)).all()
    assert (best == argmax(layer(planes))).all()


def test_sums_go_with_what_was_made_of_them():
    rng = np.random.default_rng(0)
    layer = Scores(rng.random((3, 8)) < 0.5, np.ones(3, dtype=int), np.array([4, 0, -4]))
    folding, planes = Folding(8, 3, (1,), 2, 3), rng.random((9, 1, 8)) < 0.5
    dut = component(layer, folding)
    assert ports(dut)["sums"] == 4
    words = bench.run(WithSums(dut), beats(folding, planes), 9 * 3, o_stalls=[0, 0, 9])
    assert [word >> 16 + 2 + 1 for word in words] == layer.sums(planes).reshape(-1).tolist()


@pytest.mark.parametrize("passes, bits", [((1,) * 4, 6), ((1,) * 8, 7)])
def test_totals_of_passes_are_as_wide_as_the_greatest(passes, bits):
    layer = Scores(np.ones((3, 8), dtype=bool), np.ones(3, dtype=int), np.zeros(3, dtype=int),
                   gains=passes)
    folding = Folding(8, 3, (1,), 1, 3, passes=passes, batch=2)
    dut = component(layer, folding)
    assert ports(dut)["sums"] == bits and ports(dut)["samples"] == len(passes).bit_length()
    assert memories(component(layer, folding))["tally.totals"] == (bits, 6)


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


@pytest.mark.parametrize("gain_bits, score_bits", [(0, 16), (16, 32)])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, gain_bits, score_bits):
    rng = np.random.default_rng(0)
    gain = np.ones(4, dtype=int) if gain_bits == 0 else np.array([32_767, -32_768, 32_767, 1])
    bias = np.array([-9_000, 9_000, 30_000, -30_000])
    layer = Scores(rng.random((4, 7)) < 0.5, gain, bias)
    assert (layer.gain_bits, layer.score_bits) == (gain_bits, score_bits)
    folding = Folding(7, 4, (1,), 2, 2)
    dut = component(layer, folding)
    bus = {"w_en": 1, "w_data": 32, "r_en": 1, "r_data": 32, "r_valid": 1}
    assert ports(dut) == {
        "i_payload": 2, "i_valid": 1, "i_ready": 1, "o_payload": score_bits + 2 + 1, "o_valid": 1,
        "o_ready": 1, "sums": 3, "vectors": 1, "left": 1,
        **{f"weights_bus_{name}": width for name, width in bus.items()},
        **{f"affine_bus_{name}": width for name, width in bus.items()},
        "weights_bus_addr": 3, "affine_bus_addr": 2 + (gain_bits + score_bits > 32)}
    planes = np.concatenate([layer.weights, ~layer.weights, rng.random((9, 7)) < 0.5])[:, None]
    bench.run(dut, beats(folding, planes), len(planes) * 4, i_stalls=[0] * 9 + [7],
              o_stalls=[0] * 5 + [40], vcd=str(tmp_path / "vcd"))
    idle = {name for name in idle_bits(tmp_path / "vcd") if "bus" not in name}
    # These are as wide as they are declared, whether or not these scores go that far; no class is
    # there only to fill up a group; and a row is always read.
    assert idle <= {"score", "best_score", "o__payload", "data", "real", "en",
                    "vectors", "left"}   # one vector at a time


def test_weights_gains_and_biases_come_over_their_buses():
    rng = np.random.default_rng(0)
    layer = Scores(rng.random((3, 9)) < 0.5, np.array([5, -7, 9]), np.array([70_000, -1, 2]))
    folding, planes = Folding(9, 3, (1,), 2, 5), rng.random((4, 1, 9)) < 0.5
    dut = gateware.scores.Scores(folding, bipolar=True, gain_bits=16, score_bits=32)
    words = loaded(
        dut, [(dut.weights_bus, folding.weights, weight_rows(layer.weights, folding)),
              (dut.affine_bus, Region(48, 3), affine_rows(layer))], beats(folding, planes), 4 * 3)
    scores = [dut.o.payload.shape().from_bits(word).score for word in words]
    assert (np.reshape(scores, (4, 3)) == layer(planes)).all()


def test_scores_are_offered_unasked():
    folding = Folding(4, 2, (1,), 1, 2)
    dut = gateware.scores.Scores(folding, bipolar=True, gain_bits=0, score_bits=16)
    assert offers(dut, [0] * folding.beats)


def test_classes_must_leave_one_at_a_time():
    with pytest.raises(ValueError, match="^Folding must leave one class at a time: PE must be "):
        gateware.scores.Scores(Folding(4, 4, (1,), 4, 4), bipolar=True, gain_bits=0, score_bits=16)
