from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.serial_folding import SerialFolding
from model.compend import Compend, Serial
from model.packing import unpack_fields

from . import strategies


def signs(inputs=9, outputs=7, **given):
    layer = Compend(np.zeros((outputs, inputs), int), np.zeros(outputs, int), weight_bits=4,
                    activation="sign")
    return SerialFolding.of(layer, **{"pe": 3, "simd": 4} | given)


@given(data=st.data(), layer=strategies.compends())
def test_memories_hold_every_weight_where_its_lane_looks(data, layer):
    folding = data.draw(strategies.serial_foldings(layer))
    image = folding.image(layer)
    assert set(image) - {"shifts", "detection"} == {
        f"{kind}{pe}" for kind in ("weights", "preloads") for pe in range(folding.pe)}
    held = 0 * layer.weights
    for pe in range(folding.pe):
        rows = image[f"weights{pe}"]
        assert len(rows) == folding.weights(pe).depth
        bits = unpack_fields(rows, 1, folding.simd).reshape(
            folding.neurons(pe), layer.weight_bits, -1)
        # The last word has its first places empty where activations come a few at a time.
        final = bits[:, :, (folding.folds - 1) * folding.simd:]
        assert not final[:, :, :folding.empty].any()
        final[:] = np.roll(final, -folding.empty, axis=2)
        assert not bits[:, :, layer.inputs:].any()
        places = -(1 << np.arange(layer.weight_bits))[::-1]
        places[0] *= -1
        held[pe::folding.pe] = np.tensordot(bits[:, :, :layer.inputs], places, axes=(1, 0))
        preloads = np.array(image[f"preloads{pe}"])
        assert len(preloads) == folding.preloads(pe).depth
        preloads -= (preloads >> layer.acc_bits - 1) << layer.acc_bits
        assert (preloads == layer.preload[pe::folding.pe]).all()
    assert (held == layer.weights).all()
    if layer.activation == "relu":
        assert len(image["shifts"]) == folding.shifts.depth == folding.words
        shifts = unpack_fields(image["shifts"], folding.shift_bits, folding.lanes).ravel()
        assert (shifts[:layer.outputs] == layer.shifts).all() and not shifts[layer.outputs:].any()
        assert layer.top.bit_length() < 1 << folding.shift_bits
    else:
        assert "shifts" not in image


@pytest.mark.parametrize("inputs, pe, simd, lanes, least", [
    (8, 4, 2, 1, 4), (8, 4, 4, 2, 2), (8, 4, 8, 4, 1), (8, 6, 2, 2, 3), (8, 5, 2, 5, 1)])
def test_as_few_neurons_leave_at_once_as_never_make_an_image_wait(inputs, pe, simd, lanes, least):
    layer = Compend(np.zeros((12, inputs), int), np.zeros(12, int))
    folding = SerialFolding.of(layer, pe=pe, simd=simd)
    assert (folding.lanes, folding.least) == (lanes, least)
    assert folding.words == -(-12 // pe) * least
    assert folding.words * lanes == folding.groups * pe


def test_signs_leave_together():
    folding = signs(pe=4, simd=1)
    assert (folding.lanes, folding.least, folding.words) == (4, 1, 2)


def test_each_pe_has_its_share_of_neurons():
    folding = signs(outputs=7, pe=3)
    assert [folding.neurons(pe) for pe in range(3)] == [3, 2, 2] and folding.groups == 3
    assert [folding.weights(pe).depth for pe in range(3)] == [36, 24, 24]
    assert [folding.preloads(pe).depth for pe in range(3)] == [3, 2, 2]


def test_cycles_in_which_a_lane_does_not_know_yet():
    assert signs(simd=4, levels=0).wasted == 2
    assert signs(simd=4, levels=1).wasted == 4
    assert signs(simd=4, levels=2, storage="wide").wasted == 4
    assert signs(simd=4, levels=1).overhead == 7


@pytest.mark.parametrize("given_, error, message", [
    ({"pe": 8}, ValueError, "^PE must be between 1 and 7, not 8$"),
    ({"pe": 0}, ValueError, "^PE must be between 1 and 7, not 0$"),
    ({"simd": 10}, ValueError, "^SIMD must be between 1 and 9, not 10$"),
    ({"simd": 2.5}, TypeError, "^SIMD must be an integer, not 2.5$"),
    ({"levels": -1}, ValueError, "^Levels must be at least 0, not -1$"),
    ({"levels": 1.5}, TypeError, "^Levels must be an integer, not 1.5$"),
    ({"detection": "none at all"}, ValueError,
     "^Detection must be one of none, exact, speculative, not 'none at all'$"),
    ({"storage": "tape"}, ValueError, "^Storage must be one of auto, .*, not 'tape'$"),
])
def test_bad_sizes(given_, error, message):
    with pytest.raises(error, match=message):
        signs(**given_)


def test_sums_need_every_plane():
    layer = Compend(np.zeros((7, 9), int), np.zeros(7, int), activation="linear")
    assert SerialFolding.of(layer, pe=1, simd=1).detection == "none"
    with pytest.raises(ValueError, match="^Detection must be none where sums are asked for, not "
                                         "'exact'$"):
        SerialFolding.of(layer, pe=1, simd=1, detection="exact")


def test_what_a_folding_has_unless_told_otherwise():
    assert signs() == signs(detection="exact", skip_zeros=True, storage="block", levels=0)


def test_weights_in_look_up_tables_are_not_written():
    assert signs().weights(0).writable and not signs(storage="logic").weights(0).writable


def test_the_largest_memory_has_to_fit():
    """16,384 rows of SPRAM are enough for the second PE, which has a neuron fewer."""
    layer = Compend(np.zeros((3, 4_096), int), np.zeros(3, int), weight_bits=4, activation="sign")
    with pytest.raises(ValueError, match="^Rows in SPRAM must be at most 16384, not 32768$"):
        SerialFolding.of(layer, pe=2, simd=1, storage="spram")


@pytest.mark.parametrize("inputs, input_bits, weight_bits, bits", [
    (1, 1, 7, 3), (1, 1, 8, 4), (5, 2, 4, 3), (5, 3, 10, 4), (5, 3, 11, 5)])
def test_shifts_are_as_wide_as_the_greatest(inputs, input_bits, weight_bits, bits):
    layer = Compend(np.zeros((2, inputs), int), np.zeros(2, int), input_bits=input_bits,
                    weight_bits=weight_bits)
    folding = SerialFolding.of(layer, pe=2, simd=1)
    assert folding.top == inputs * (2 ** input_bits - 1)
    assert folding.shift_bits == bits == layer.top.bit_length().bit_length()
    assert folding.shifts.width == folding.lanes * bits


@pytest.mark.parametrize("weight_bits, simd, levels, pe, bits", [
    (2, 8, 0, 1, 1), (2, 2, 1, 1, 2), (3, 2, 1, 1, 1), (2, 8, 1, 1, 2), (8, 8, 1, 1, 1),
    (2, 4, 1, 2, 1)])
def test_tags_tell_neurons_apart_that_can_be_on_their_way_together(weight_bits, simd, levels, pe,
                                                                   bits):
    layer = Compend(np.zeros((4, 8), int), np.zeros(4, int), weight_bits=weight_bits)
    folding = SerialFolding.of(layer, pe=pe, simd=simd, levels=levels)
    # The shortest neuron has no more words than go round at least.
    longest = -(-folding.wasted // (weight_bits * folding.least))
    assert 2 ** folding.tag_bits > longest and folding.tag_bits == bits


@pytest.mark.parametrize("given_, names", [
    ({}, ["detection"]), ({"detection": "none"}, []),
    ({"detection": "speculative"}, ["detection"])])
def test_what_a_host_reaches(given_, names):
    folding = signs(**given_)
    regions = folding.regions
    assert list(regions) == ["weights0", "preloads0", "weights1", "preloads1", "weights2",
                             "preloads2", *names, "counts"]
    if names:
        assert (regions["detection"].width, regions["detection"].depth) \
            == (4 if folding.detection == "speculative" else 1, 1)
    assert (regions["counts"].width, regions["counts"].depth) == (32, 3)
    relu = Compend(np.zeros((7, 9), int), np.zeros(7, int))
    assert "shifts" in SerialFolding.of(relu, pe=1, simd=1).regions


def test_how_a_layer_of_several_bits_is_seen_from_outside():
    folding = signs()
    assert (folding.batch, folding.passes, folding.samples, folding.planes) == (1, (1,), 1, 4)
    assert folding.drawing(8) is folding
    assert folding.interval == folding.most_cycles == 3 * 4 * 3 + folding.overhead
    serial = Serial(4, 8, 1, folding.acc_bits, "sign", "none")
    assert folding.suits(serial)   # whose detection it may have and leave off
    for name, value in vars(serial).items():
        other = "relu" if name == "activation" else 99
        assert name == "detection" or not folding.suits(replace(serial, **{name: other})), value


@pytest.mark.parametrize("inputs, outputs, pe, simd, pixels", [
    (784, 128, 4, 16, 1),    # 32 groups of 49 words, in which 784 pixels come one by one
    (784, 128, 32, 16, 4),   # 4 groups: 196 cycles
    (784, 128, 128, 16, 16), (784, 16, 1, 12, 1), (12, 8, 8, 12, 12), (784, 64, 32, 13, 13),
    (64, 32, 32, 8, 8), (64, 32, 16, 8, 4)])
def test_pixels_come_as_few_at_a_time_as_there_is_time_for(inputs, outputs, pe, simd, pixels):
    folding = SerialFolding(inputs, outputs, 8, 8, 1, 28, "sign", pe=pe, simd=simd)
    assert folding.pixels == pixels


@pytest.mark.parametrize("built, wanted, row", [
    ("exact", "none", [0]), ("exact", "exact", [1]), ("speculative", "exact", [1]),
    ("speculative", "speculative", [7]), ("none", "none", None), ("none", "exact", ""),
    ("exact", "speculative", "")])
def test_a_layer_detects_as_it_wants_where_there_is_hardware(built, wanted, row):
    layer = Compend(np.zeros((7, 9), int), np.zeros(7, int), activation="sign", detection=wanted)
    folding = SerialFolding.of(layer, pe=2, simd=3, detection=built)
    if row != "":
        assert folding.image(layer).get("detection") == row
        return
    with pytest.raises(ValueError) as error:
        folding.image(layer)
    assert str(error.value) == "Detection must be one that this is built for, at most " \
                               f"{built}, not {wanted}"
