# amaranth: UnusedElaboratable=no

from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given, strategies as st

import gateware.dense
from gateware.compiler import threshold_rows, weight_rows
from gateware.folding import Folding
from model.dense import Dense
from model.packing import unpack, unpack_fields
from sim import bench

from . import strategies
from .traffic import WithSums, beats, idle_bits, in_turn, loaded, offers, ports


def component(layer, folding):
    return gateware.dense.Dense(folding, weights=weight_rows(layer.cells, folding),
                                thresholds=threshold_rows(layer, folding))


def activations(layer, folding, planes, **options):
    built, samples = strategies.samples_of(folding)
    words = bench.run(component(layer, built), beats(folding, planes),
                      len(planes) * folding.words, limit=60_000, **options, **samples)
    fired = in_turn(unpack_fields(words, folding.output_bits, folding.lanes), folding)
    # Neurons that only fill up the last group never fire.
    assert not fired[:, layer.outputs:].any()
    return fired[:, :layer.outputs]


def test_model_is_a_dot_product():
    rng = np.random.default_rng(0)
    weights, x = rng.random((5, 32)) < 0.5, rng.random((7, 32)) < 0.5
    thresholds = np.array([-4, -2, 0, 2, 4])
    bipolar = (2 * x - 1) @ (2 * weights - 1).T
    assert (Dense(weights, thresholds)(x[:, None, :]) == (bipolar >= thresholds)).all()


@given(data=st.data(), layer=strategies.few_bit_denses())
def test_numbers_are_how_many_thresholds_are_reached(data, layer):
    planes = data.draw(strategies.bits(4, len(layer.gains), layer.inputs))
    acc, thresholds = layer.acc(planes), layer.thresholds.reshape(layer.outputs, -1)
    assert thresholds.shape[1] == 2 ** layer.output_bits - 1
    expected = sum((acc >= level).astype(int) for level in thresholds.T)
    assert (layer(planes) == expected).all() and (layer.fired(acc) == expected).all()


@pytest.mark.parametrize("thresholds, message", [
    ([[1, 0, 2]], "^Thresholds of a neuron must not fall$"),
    ([[0, 1]], r"^Thresholds must be one per output \(1\), or 3, 7 or 15, not \(1, 2\)$"),
    ([[0]], r"^Thresholds must be one per output \(1\), or 3, 7 or 15, not \(1, 1\)$"),
    ([0, 1], r"^Thresholds must be one per output \(1\), or 3, 7 or 15, not \(2,\)$"),
    ([[0] * 31], r"^Thresholds must be one per output \(1\), or 3, 7 or 15, not \(1, 31\)$"),
    ([[-5, 0, 1]], "^Thresholds must be between -4 and 5, not -5 to 1$"),
    ([[0, 1, 6]], "^Thresholds must be between -4 and 5, not 0 to 6$")])
def test_thresholds_of_numbers_must_be_stairs(thresholds, message):
    with pytest.raises(ValueError, match=message):
        Dense(np.array([[1, -1]]), np.array(thresholds), weight_bits=2)


@given(data=st.data(), layer=st.one_of(strategies.denses(), strategies.few_bit_denses()),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_gateware_matches_model(data, layer, i_stalls, o_stalls):
    batch = min(data.draw(st.sampled_from([1, 1, 1, 2, 4, 5])), layer.inputs) \
        if layer.weight_bits == layer.output_bits == 1 else 1
    folding = data.draw(strategies.foldings(layer, batch=batch))
    planes = data.draw(strategies.bits(3 * batch, len(layer.gains), layer.inputs))
    assert (activations(layer, folding, planes, i_stalls=i_stalls, o_stalls=o_stalls)
            == layer(planes)).all()


@pytest.mark.parametrize("i_stall", [0, 1, 2, 7])
@pytest.mark.parametrize("o_stall", [0, 1, 2, 7])
def test_back_pressure(i_stall, o_stall):
    rng = np.random.default_rng(8 * i_stall + o_stall)
    layer = Dense(rng.random((7, 13)) < 0.5, rng.integers(-3, 4, 7))
    planes = rng.random((6, 1, 13)) < 0.5
    folding = Folding(13, 7, (1,), 3, 5)
    assert (activations(layer, folding, planes, i_stalls=[i_stall], o_stalls=[o_stall])
            == layer(planes)).all()


@pytest.mark.parametrize("pe, simd, bits, turns, interval", [
    (1, 2, 3, 7, 49), (2, 3, 3, 2, 20), (2, 13, 2, 1, 4), (7, 1, 4, 8, 13), (1, 13, 4, 1, 7)])
def test_numbers_leave_in_as_few_cycles(pe, simd, bits, turns, interval):
    """Whatever it takes to compare, the next group never waits for it."""
    rng = np.random.default_rng(0)
    stairs = np.linspace(-12, 12, 2 ** bits - 1).astype(int)
    layer = Dense(rng.random((7, 13)) < 0.5, np.repeat(stairs[None], 7, axis=0))
    folding = Folding(13, 7, (1,), pe, simd, output_bits=bits)
    assert (folding.turns, folding.interval) == (turns, interval)
    planes = rng.random((10, 1, 13)) < np.linspace(0, 1, 10)[:, None, None]
    planes[0], planes[1] = layer.weights[0], ~layer.weights[0]
    cycles = 10 * interval - 1 + folding.latency + folding.drain
    for limit, ends in ((cycles + 1, True), (cycles, False)):
        with nullcontext() if ends else pytest.raises(TimeoutError):
            words = bench.run(component(layer, folding), beats(folding, planes),
                              10 * folding.words, limit=limit)
    values = unpack_fields(words, bits, folding.lanes).reshape(10, -1)
    assert (values[:, :7] == layer(planes)).all() and np.ptp(values) == 2 ** bits - 1


@pytest.mark.parametrize("inputs, outputs, pe, simd", [
    (7, 8, 4, 4), (3, 4, 4, 1), (5, 1, 1, 2), (8, 2, 2, 8)])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, inputs, outputs, pe, simd):
    rng = np.random.default_rng(0)
    layer = Dense(rng.random((outputs, inputs)) < 0.5, np.full(outputs, inputs % 2))
    folding = Folding(inputs, outputs, (1,), pe, simd)
    dut = component(layer, folding)
    lanes, bits = folding.lanes, inputs.bit_length()
    bus = {"w_en": 1, "w_data": 32, "r_en": 1, "r_data": 32, "r_valid": 1}
    assert ports(dut) == {
        "i_payload": simd, "i_valid": 1, "i_ready": 1, "o_payload": lanes, "o_valid": 1,
        "o_ready": 1, "sums": lanes * bits,
        **{f"weights_bus_{name}": width for name, width in bus.items()},
        **{f"thresholds_bus_{name}": width for name, width in bus.items()},
        "weights_bus_addr": folding.weights.addr_width,
        "thresholds_bus_addr": folding.thresholds.addr_width}
    planes = np.concatenate([layer.weights, ~layer.weights, rng.random((9, inputs)) < 0.5])[:, None]
    bench.run(dut, beats(folding, planes), len(planes) * folding.words, i_stalls=[0] * 9 + [7],
              o_stalls=[0] * 5 + [40], vcd=str(tmp_path / "vcd"))
    # Thresholds are always read, and as wide as they are declared.
    idle = {name for name in idle_bits(tmp_path / "vcd") if "bus" not in name}
    assert idle <= {"en", "data"}


def test_weights_and_thresholds_come_over_their_buses():
    rng = np.random.default_rng(0)
    layer = Dense(rng.random((4, 9)) < 0.5, np.array([-1, 1, -3, 3]))
    folding, planes = Folding(9, 4, (1,), 2, 5), rng.random((5, 1, 9)) < 0.5
    dut = gateware.dense.Dense(folding)
    words = loaded(
        dut, [(dut.weights_bus, folding.weights, weight_rows(layer.weights, folding)),
              (dut.thresholds_bus, folding.thresholds, threshold_rows(layer, folding))],
        beats(folding, planes), 5 * folding.words)
    assert (unpack(words, folding.lanes).reshape(5, -1) == layer(planes)).all()


def test_activations_are_offered_unasked():
    folding = Folding(4, 2, (1,), 1, 2)
    assert offers(gateware.dense.Dense(folding), [0] * folding.beats)


@pytest.mark.parametrize("pe", [2, 4])
def test_sums_go_with_what_was_made_of_them(pe):
    rng = np.random.default_rng(0)
    layer = Dense(rng.random((4, 8)) < 0.5, np.array([-2, 0, 2, 4]))
    folding, planes = Folding(8, 4, (1,), pe, 8), rng.random((9, 1, 8)) < 0.5
    words = bench.run(WithSums(component(layer, folding)), beats(folding, planes),
                      9 * folding.words, o_stalls=[0, 0, 2])
    lanes = folding.lanes
    fired = unpack([word & (1 << lanes) - 1 for word in words], lanes).reshape(9, 4)
    sums = unpack_fields([word >> lanes for word in words], 4, lanes).reshape(9, 4)
    assert (fired == layer(planes)).all() and (sums == layer.sums(planes)).all()


def test_boundary_of_each_threshold():
    """A neuron fires at its threshold and not just below, wherever that can be told apart."""
    rng = np.random.default_rng(1)
    layer = Dense(rng.random((6, 9)) < 0.5, np.array([-9, -3, -1, 1, 5, 9]))
    planes, expected = [], []
    for n, threshold in enumerate(layer.thresholds):
        agree = (threshold + 9) // 2
        for count in {max(agree - 1, 0), agree}:
            flipped = np.arange(9) >= count
            planes.append(layer.weights[n] ^ flipped)
            expected.append((n, count >= agree))
    planes = np.array(planes)[:, None, :]
    fired = activations(layer, Folding(9, 6, (1,), 4, 4), planes)
    assert (fired == layer(planes)).all()
    assert [fired[row, n] for row, (n, _) in enumerate(expected)] == [e for _, e in expected]


@pytest.mark.parametrize("batch", [2, 3, 5])
def test_vectors_of_a_batch_meet_the_same_thresholds(batch):
    rng = np.random.default_rng(batch)
    layer = Dense(rng.random((6, 12)) < 0.5, np.array([-12, 13, 0, -12, 13, 0]))
    planes = rng.random((3 * batch, 1, 12)) < 0.5
    folding = Folding(12, 6, (1,), 2, 1, batch=batch)
    assert (activations(layer, folding, planes) == layer(planes)).all()


@pytest.mark.parametrize("thresholds, error, message", [
    ([0.5], TypeError, "^Thresholds must be integers, not float64$"),
    ([0, 0], ValueError, r"^Thresholds must be one per output \(1\), or 3, 7 or 15, not \(2,\)$"),
    ([10], ValueError, "^Thresholds must be between -8 and 9, not 10 to 10$"),
    ([-9], ValueError, "^Thresholds must be between -8 and 9, not -9 to -9$"),
])
def test_thresholds_must_be_integers_in_range(thresholds, error, message):
    with pytest.raises(error, match=message):
        Dense(np.ones((1, 8), dtype=bool), np.array(thresholds))
