# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import gateware.encoder
from model.encoder import BitSerial, Lookup, Threshold
from model.packing import pack, pack_fields
from sim import bench

from . import strategies
from .traffic import idle_bits, ports


def test_bits_weighed_by_gains_are_the_pixel():
    pixels = np.arange(32)[None]
    encoder = BitSerial(5)
    planes = encoder(pixels)
    assert planes.shape == (1, 5, 32)
    assert (np.asarray(encoder.gains) @ planes[0] == pixels).all()


def test_threshold_is_reached_at_its_level():
    assert Threshold(8, bits=5)([[0, 7, 8, 31]]).tolist() == [[[False, False, True, True]]]


def test_a_table_says_what_pixels_become():
    encoder = Lookup((0, 3, 1, 5), bits=2)
    planes = encoder([[0, 1, 2, 3]])
    assert (np.asarray(encoder.gains) @ planes[0]).tolist() == [0, 3, 1, 5]
    assert encoder.built == BitSerial(3) and encoder.planes == 3 and not encoder.bipolar
    assert encoder.sent_bits == 3 and encoder.sent([[3, 1]]).tolist() == [[5, 3]]
    assert encoder.fed([[2, 2]]).tolist() == [[1, 1]]
    assert str(encoder) == "Lookup(bits=2, numbers=6)"
    with pytest.raises(ValueError, match="^Pixels must be between 0 and 3, not 4 to 4$"):
        encoder.fed([[4]])
    assert BitSerial(2).fed([[3]]).tolist() == [[3]]


@pytest.mark.parametrize("table, message", [
    ((0, 1, 2), "^Table must have a number from 0 to 255 for each of 4 pixels, not 3 from 0 to 2$"),
    ((0, 1, 2, 256), "not 4 from 0 to 256$"), ((0, -1, 2, 3), "not 4 from -1 to 3$"),
    ((0, 0, 0, 0), "not 4 from 0 to 0$"), ((), "not 0 from 0 to 0$")])
def test_a_table_has_all_pixels(table, message):
    with pytest.raises(ValueError, match=message):
        Lookup(table, bits=2)


def samples_of(spec):
    """What says how many samples to draw, where that can be chosen."""
    return {"samples": spec.samples} if getattr(spec, "most", 1) > 1 else {}


@given(data=st.data(), spec=strategies.encoders, simd=st.integers(1, 9),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_gateware_matches_model(data, spec, simd, i_stalls, o_stalls):
    pixels = data.draw(st.lists(st.integers(0, 2 ** spec.bits - 1), min_size=4 * simd,
                                max_size=4 * simd))
    dut = gateware.encoder.encoder(spec, simd=simd, inputs=simd)
    words = bench.run(dut, pack_fields(pixels, spec.bits, simd), 4 * spec.planes,
                      i_stalls=i_stalls, o_stalls=o_stalls, **samples_of(spec))
    planes = spec(np.array(pixels).reshape(4, simd))
    assert words == pack(planes, simd)


@settings(max_examples=5)
@given(spec=strategies.encoders)
def test_one_word_each_cycle(spec):
    def run(limit):
        bench.run(gateware.encoder.encoder(spec, simd=3, inputs=3), [0] * 10, 10 * spec.planes,
                  limit=limit, **samples_of(spec))

    run(10 * spec.planes + 1)
    with pytest.raises(TimeoutError):
        run(10 * spec.planes)


@pytest.mark.parametrize("spec", [BitSerial(4), BitSerial(1), Threshold(3, bits=4)])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, spec):
    dut = gateware.encoder.encoder(spec, simd=3, inputs=3)
    assert ports(dut) == {"i_payload": 3 * spec.bits, "i_valid": 1, "i_ready": 1, "o_payload": 3,
                          "o_valid": 1, "o_ready": 1}
    top = (1 << 3 * spec.bits) - 1
    bench.run(dut, [top, 0, top], 3 * spec.planes, i_stalls=[0, 2], o_stalls=[0, 5],
              vcd=str(tmp_path / "vcd"))
    assert idle_bits(tmp_path / "vcd") == {}


def test_buffer_comes_after_the_encoder_where_that_is_smaller():
    after = gateware.encoder.buffered_after
    assert [after(Threshold(1, bits=2)), after(Threshold(1, bits=1)), after(BitSerial(1)),
            after(BitSerial(2))] == [True, False, False, False]


@pytest.mark.parametrize("make, error, message", [
    (lambda: BitSerial(0), ValueError, "^Bits of a pixel must be between 1 and 16, not 0$"),
    (lambda: BitSerial(2.0), TypeError, "^Bits of a pixel must be an integer, not 2.0$"),
    (lambda: Threshold(0), ValueError, "^Level must be between 1 and 255, not 0$"),
    (lambda: Threshold(32, bits=5), ValueError, "^Level must be between 1 and 31, not 32$"),
    (lambda: BitSerial(3)([[0, 8]]), ValueError, "^Pixels must be between 0 and 7, not 0 to 8$"),
    (lambda: BitSerial(3)([[0.5]]), TypeError, "^Pixels must be integers, not float64$"),
    (lambda: BitSerial(3)([1]), ValueError, "^Images must be a matrix with a row for each, "),
])
def test_wrong_values_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
