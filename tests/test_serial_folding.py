import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.serial_folding import SerialFolding
from model.compend import Compend
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
    held = 0 * layer.weights
    for pe in range(folding.pe):
        rows = image[f"weights{pe}"]
        assert len(rows) == folding.weights(pe).depth
        bits = unpack_fields(rows, 1, folding.simd).reshape(
            folding.neurons(pe), layer.weight_bits, -1)
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
