import numpy as np
from hypothesis import given, strategies as st

from model.packing import disagreements, pack, pack64, pack_fields, unpack, unpack_fields

from . import strategies


def test_first_bit_is_lowest():
    assert pack([1, 0, 0, 1, 1], 3) == [0b001, 0b011]
    assert pack_fields([1, 2, 3], 2, 2) == [0b1001, 0b0011]


@given(data=st.data(), size=st.integers(1, 80), width=st.integers(1, 70))
def test_unpack_undoes_pack(data, size, width):
    bits = data.draw(strategies.bits(size))
    words = pack(bits, width)
    assert all(0 <= word < 1 << width for word in words)
    unpacked = unpack(words, width)
    assert (unpacked[:size] == bits).all()
    assert not unpacked[size:].any()


@given(values=st.lists(st.integers(0, 2 ** 40 - 1), min_size=1, max_size=20),
       lanes=st.integers(1, 7))
def test_unpack_undoes_pack_of_fields(values, lanes):
    unpacked = unpack_fields(pack_fields(values, 40, lanes), 40, lanes)
    assert unpacked[:len(values)].tolist() == values


@given(data=st.data(), size=st.integers(1, 200))
def test_disagreements_are_counted(data, size):
    x, weights = data.draw(strategies.bits(3, size)), data.draw(strategies.bits(5, size))
    expected = (x[:, None, :] != weights).sum(axis=-1)
    assert (disagreements(pack64(x), pack64(weights)) == expected).all()
    assert (disagreements(pack64(x), pack64(np.asfortranarray(weights))) == expected).all()
