# amaranth: UnusedElaboratable=no

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

import gateware.accumulate
from gateware.compiler import weight_rows
from gateware.folding import Folding
from model.accumulate import Accumulate
from model.packing import unpack_fields
from model.sense import Sense
from sim import bench

from . import strategies
from .traffic import beats, idle_bits, in_turn, loaded, offers, ports


@given(data=st.data(), layer=strategies.accumulates(exact=True))
def test_model_is_integer_arithmetic(data, layer):
    planes = data.draw(strategies.bits(4, len(layer.gains), layer.inputs))
    x = 2 * planes - 1 if layer.bipolar else planes.astype(int)
    expected = np.asarray(layer.gains) @ (x @ (2 * layer.weights - 1).T)
    assert (layer.acc(planes) == expected).all()
    assert (layer.acc_of(layer.sums(planes)) == expected).all()
    thresholds = data.draw(st.lists(st.integers(-layer.top, layer.top + 1),
                                    min_size=layer.outputs, max_size=layer.outputs))
    fires = layer.sums(planes) >= layer.sum_threshold(thresholds)
    assert (fires == (expected >= thresholds)).all()


@given(data=st.data(), layer=strategies.few_bits())
def test_weights_of_several_bits_are_integer_arithmetic(data, layer):
    planes = data.draw(strategies.bits(4, len(layer.gains), layer.inputs))
    # The ends of the range, too: all agree, and none.
    planes = np.concatenate([planes, np.ones_like(planes[:1]), np.zeros_like(planes[:1])])
    x = 2 * planes - 1 if layer.bipolar else planes.astype(int)
    expected = np.asarray(layer.gains) @ (x @ layer.weights.T)
    assert (layer.acc(planes) == expected).all()
    assert (abs(expected) <= layer.most).all()
    sums = layer.sums(planes)
    assert (sums >= 0).all() and (sums <= layer.top).all()
    thresholds = data.draw(st.lists(st.integers(-layer.most, layer.most + 1),
                                    min_size=layer.outputs, max_size=layer.outputs))
    assert ((sums >= layer.sum_threshold(thresholds)) == (expected >= thresholds)).all()
    # As crossbars have them: cells of ±1 that weigh 2^k, and one of −1 that all share.
    cells = np.where(layer.cells, 1, -1)
    doubled = np.tensordot(1 << np.arange(layer.weight_bits)[::-1], cells, axes=1) - 1
    assert (doubled == 2 * layer.weights).all()


def test_sums_of_several_bits_reach_the_top():
    layer = Accumulate(np.array([[-4], [3]]), weight_bits=3, gains=(2, 1), bipolar=False)
    sums = layer.sums(np.array([[[False], [False]], [[True], [True]]]))
    assert sums.tolist() == [[24, 3], [0, 21]] and layer.top == 24 and layer.most == 12


@pytest.mark.parametrize("weights, bits, error, message", [
    ([[1.0]], 2, TypeError, "^Weights of 2 bits must be integers, not float64$"),
    ([[True]], 2, TypeError, "^Weights of 2 bits must be integers, not bool$"),
    ([[-3]], 2, ValueError, "^Weights of 2 bits must be between -2 and 1, not -3 to -3$"),
    ([[0, 128]], 8, ValueError, "^Weights of 8 bits must be between -128 and 127, not 0 to 128$"),
    ([1], 2, ValueError, "^Weights must be outputs x inputs, not of shape"),
    (np.empty((0, 3), int), 2, ValueError, "^Weights must be outputs x inputs, not of shape"),
    ([[1]], 9, ValueError, "^Bits of a weight must be between 1 and 8, not 9$"),
    ([[1]], 0, ValueError, "^Bits of a weight must be between 1 and 8, not 0$")])
def test_weights_must_have_their_bits(weights, bits, error, message):
    with pytest.raises(error, match=message):
        Accumulate(np.array(weights), weight_bits=bits)


def test_tiles_of_several_bits_must_be_exact():
    with pytest.raises(ValueError, match="must sense every count as what it is where weights have "
                                         "2 bits$"):
        Accumulate(np.ones((1, 9), dtype=int), weight_bits=2, sense=2)


@given(data=st.data(), layer=strategies.accumulates())
def test_model_senses_each_plane_of_each_tile(data, layer):
    planes = data.draw(strategies.bits(3, len(layer.gains), layer.inputs))
    size, expected = layer.tile_rows or layer.inputs, np.zeros((3, layer.outputs), dtype=int)
    for vector, neuron in np.ndindex(expected.shape):
        for gain, plane in zip(layer.gains, planes[vector], strict=True):
            for left in range(0, layer.inputs, size):
                tile = plane[left:left + size] == layer.weights[neuron, left:left + size]
                expected[vector, neuron] += gain * int(Sense(len(tile), layer.sense)(tile.sum()))
    assert (layer.sums(planes) == expected).all()
    assert (expected >= 0).all() and (expected <= layer.top).all()
    assert layer.exact or layer.sense != "exact"


@pytest.mark.parametrize("options, message", [
    ({"tile_rows": 0}, "^Rows must be at least 1, not 0$"),
    ({"sense": 9}, "^Sense must be exact, sign, or 1 to 8 bits, not 9$")])
def test_tiles_must_be_tiles(options, message):
    with pytest.raises(ValueError, match=message):
        Accumulate(np.ones((1, 1), dtype=bool), **options)


@given(data=st.data(), layer=st.one_of(strategies.accumulates(), strategies.few_bits()),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_gateware_matches_model(data, layer, i_stalls, o_stalls):
    batch = min(data.draw(st.sampled_from([1, 1, 1, 2, 3])), layer.inputs) \
        if layer.weight_bits == 1 else 1
    folding = data.draw(strategies.foldings(layer, batch=batch))
    built, samples = strategies.samples_of(folding)
    vectors = 3 * batch
    planes = data.draw(strategies.bits(vectors, len(layer.gains), layer.inputs))
    dut = gateware.accumulate.Accumulate(built, init=weight_rows(layer.cells, folding))
    words = bench.run(dut, beats(folding, planes), vectors * folding.words, i_stalls=i_stalls,
                      o_stalls=o_stalls, limit=60_000, **samples)
    sums = in_turn(unpack_fields(words, folding.top.bit_length(), folding.lanes), folding)
    # What fewer planes weigh more is left to whoever takes the sums.
    sums *= layer.gains[-1]
    assert (sums[:, :layer.outputs] == layer.sums(planes)).all()
    # Cells that fill up the last group meet real inputs, but those past the inputs never agree.
    assert (sums <= folding.top).all()


SENSING = {"tile_rows": 6, "sense": 2}


@pytest.mark.parametrize("gains", [(1,), (1, 1, 1), (4, 2, 1)])
@pytest.mark.parametrize("pe, simd, levels, counting, tile", [
    (1, 1, 0, 1, {}), (4, 12, 0, 1, {}), (3, 5, 1, 2, {}), (2, 12, 2, 2, {}), (4, 12, 1, 3, {}),
    (1, 1, 0, 1, SENSING), (4, 6, 1, 2, SENSING), (3, 2, 0, 1, SENSING)])
def test_one_word_each_cycle(gains, pe, simd, levels, counting, tile):
    folding = Folding(12, 4, gains, pe, simd, levels=levels, **tile)
    planes = np.ones((10, len(gains), 12), dtype=bool)

    def run(limit):
        dut = gateware.accumulate.Accumulate(folding)
        bench.run(dut, beats(folding, planes), 10 * folding.words, limit=limit)
        return dut

    # Words go in one a cycle; the last group's sums follow its last word.
    latency = 3 + counting + (gains == (4, 2, 1)) + bool(tile)
    cycles = 10 * folding.interval - 1 + latency + folding.drain
    dut = run(cycles + 1)
    assert dut.latency == latency
    wide = replace(folding, storage="wide")
    assert gateware.accumulate.Accumulate(wide).latency == latency + 1
    with pytest.raises(TimeoutError):
        run(cycles)


@pytest.mark.parametrize("gains", [(1,), (1, 1, 1), (4, 2, 1)])
@pytest.mark.parametrize("pe, simd, bits, interval, drain", [
    (1, 1, 2, 96, 1), (4, 12, 4, 4, 4), (3, 5, 3, 18, 3), (4, 12, 2, 2, 2)])
def test_one_word_each_cycle_for_each_bit_of_a_weight(gains, pe, simd, bits, interval, drain):
    folding = Folding(12, 4, gains, pe, simd, weight_bits=bits)
    planes = np.ones((10, len(gains), 12), dtype=bool)
    assert folding.interval == interval * len(gains)
    latency = 4 + (gains == (4, 2, 1))
    cycles = 10 * folding.interval - 1 + latency + min(pe, folding.drain)
    assert folding.drain == (drain if len(gains) == 1 else pe)
    for limit, ends in ((cycles + 1, True), (cycles, False)):
        dut = gateware.accumulate.Accumulate(folding)
        with nullcontext() if ends else pytest.raises(TimeoutError):
            bench.run(dut, beats(folding, planes), 10 * folding.words, limit=limit)


@pytest.mark.parametrize("gains", [(1,), (4, 2, 1), (8, 4, 2, 1)])
@pytest.mark.parametrize("pe, simd", [(4, 3), (6, 6), (8, 12)])
def test_groups_follow_without_a_gap(gains, pe, simd):
    """Sums still leave while those of the next group arrive."""
    rng = np.random.default_rng(pe)
    layer = Accumulate(rng.random((16, 12)) < 0.5, gains=gains)
    folding = Folding(12, 16, gains, pe, simd)
    planes = rng.random((4, len(gains), 12)) < 0.5
    dut = gateware.accumulate.Accumulate(folding, init=weight_rows(layer.weights, folding))
    words = bench.run(dut, beats(folding, planes), 4 * folding.words)
    sums = unpack_fields(words, folding.top.bit_length(), folding.lanes).reshape(4, -1)
    assert (sums[:, :16] == layer.sums(planes)).all()


@pytest.mark.parametrize("gains", [(), (3,), (0,), (-1, -1), (1, 2), (4, 1), (4, 2), (3, 3)])
def test_gains_must_be_alike_or_powers_of_two(gains):
    with pytest.raises(ValueError, match="^Gains must be the same power of two, or powers of two "
                                         "down to 1, not "):
        Accumulate(np.ones((1, 1), dtype=bool), gains=gains)


@pytest.mark.parametrize("gains, inputs, outputs, pe, simd, tile", [
    ((4, 2, 1), 9, 16, 8, 3, {}), ((1,), 7, 8, 4, 4, {}), ((2, 1), 5, 4, 2, 1, {}),
    ((1, 1), 7, 2, 1, 2, {}), ((2, 1), 16, 4, 2, 2, {"tile_rows": 4, "sense": 2}),
    ((1,), 13, 4, 2, 1, {"tile_rows": 3, "sense": "sign"})])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, gains, inputs, outputs, pe, simd, tile):
    rng = np.random.default_rng(0)
    folding = Folding(inputs, outputs, gains, pe, simd, **tile)
    layer = Accumulate(rng.random((outputs, inputs)) < 0.5, gains=gains, **tile)
    dut = gateware.accumulate.Accumulate(folding, init=weight_rows(layer.weights, folding))
    assert ports(dut) == {
        "i_payload": simd, "i_valid": 1, "i_ready": 1, "o_valid": 1, "o_ready": 1,
        "o_payload": folding.lanes * folding.top.bit_length(), "bus_w_en": 1, "bus_w_data": 32,
        "bus_r_en": 1, "bus_r_data": 32, "bus_r_valid": 1,
        "bus_addr": folding.weights.addr_width}
    # Each neuron's own weights, and their opposite, give the greatest and the least sums.
    planes = np.repeat(np.concatenate([layer.weights, ~layer.weights])[:, None], len(gains), 1)
    planes = np.concatenate([planes, rng.random((8, len(gains), inputs)) < 0.5])
    bench.run(dut, beats(folding, planes), len(planes) * folding.words, i_stalls=[0] * 9 + [7],
              o_stalls=[0] * 5 + [40], vcd=str(tmp_path / "vcd"))
    idle = {name for name in idle_bits(tmp_path / "vcd") if not name.startswith("bus")}
    # Whose only plane is the last one always.
    assert idle <= ({"flags", "sensed_0", "sensed_1"} if len(gains) == 1 else set())


def test_a_word_in_which_all_agree():
    """Three inputs that weigh 2 and 1: 9, one more than three bits hold."""
    folding = Folding(3, 1, (2, 1), 1, 3)
    dut = gateware.accumulate.Accumulate(folding, init=[0b111])
    planes = np.ones((2, 2, 3), dtype=bool)
    assert bench.run(dut, beats(folding, planes), 2) == [9, 9]


@pytest.mark.parametrize("inputs", [7, 8])
def test_there_is_room_for_the_greatest_sum(inputs):
    dut = gateware.accumulate.Accumulate(Folding(inputs, 2, (1,), 1, 2))
    assert ports(dut)["o_payload"] == inputs.bit_length()


def test_weights_come_over_the_bus():
    rng = np.random.default_rng(0)
    layer = Accumulate(rng.random((4, 9)) < 0.5)
    folding, planes = Folding(9, 4, (1,), 2, 5), rng.random((3, 1, 9)) < 0.5
    dut = gateware.accumulate.Accumulate(folding)
    words = loaded(dut, [(dut.bus, folding.weights, weight_rows(layer.weights, folding))],
                   beats(folding, planes), 3 * folding.words)
    sums = unpack_fields(words, folding.top.bit_length(), folding.lanes).reshape(3, -1)
    assert (sums == layer.sums(planes)).all()


def test_sums_are_offered_unasked():
    folding = Folding(4, 2, (2, 1), 1, 2)
    assert offers(gateware.accumulate.Accumulate(folding), [0] * folding.beats)
    assert not offers(gateware.accumulate.Accumulate(folding), [0] * (folding.beats - 1))
