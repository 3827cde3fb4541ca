import numpy as np
import pytest
from hypothesis import given, strategies as st

from model import packing
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


# Blocks and runs that end anywhere, and more words than a sum of bytes could hold.
@given(data=st.data(), images=st.integers(0, 20), outputs=st.integers(1, 9),
       size=st.sampled_from([1, 63, 64, 65, 192, 193, 320, 384, 1_000]), tile=st.integers(1, 40))
def test_disagreements_of_blocks(data, images, outputs, size, tile):
    x = data.draw(strategies.bits(images, 2, size))
    weights = data.draw(strategies.bits(outputs, size))
    x[:2] = True   # all and none agree
    weights[:2] = [[True], [False]][:outputs]
    expected = (x[:, :, None, :] != weights).sum(axis=-1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "TILE", tile)
        counts = disagreements(pack64(x), pack64(weights))
    assert counts.dtype == np.int64 and counts.shape == expected.shape
    assert (counts == expected).all()


@pytest.mark.parametrize("shape", [(5,), (3, 8), (2, 3, 130), (0, 9)])
def test_words_of_64_bits(shape):
    bits = np.random.default_rng(0).random(shape) < 0.5
    words = pack64(bits)
    assert words.shape == (*shape[:-1], -(-shape[-1] // 64)) and words.dtype == np.uint64
    for row, packed in zip(bits.reshape(-1, shape[-1]), words.reshape(-1, words.shape[-1]),
                           strict=True):
        assert packed.tolist() == pack(row, 64)
