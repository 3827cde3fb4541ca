# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.regroup import Regroup
from model.packing import pack, unpack
from sim import bench

from . import strategies
from .traffic import idle_bits, offers, ports


@given(data=st.data(), size=st.integers(1, 30), i_width=st.integers(1, 12),
       o_width=st.integers(1, 12), spare=st.integers(0, 3), i_stalls=strategies.stalls,
       o_stalls=strategies.stalls)
def test_vectors_keep_their_bits(data, size, i_width, o_width, spare, i_stalls, o_stalls):
    i_words = -(-size // i_width) + spare
    o_words = -(-size // o_width)
    vectors = data.draw(strategies.bits(4, size))
    padded = np.zeros((4, i_words * i_width), dtype=bool)
    padded[:, :size] = vectors
    dut = Regroup(i_width=i_width, o_width=o_width, i_words=i_words, o_words=o_words)
    words = bench.run(dut, pack(padded, i_width), 4 * o_words, i_stalls=i_stalls,
                      o_stalls=o_stalls)
    out = unpack(words, o_width).reshape(4, -1)
    assert (out[:, :size] == vectors).all()
    assert not out[:, size:].any()


@pytest.mark.parametrize("i_width, o_width", [(1, 8), (8, 1), (4, 4), (2, 6), (6, 4)])
def test_one_unit_each_cycle(i_width, o_width):
    unit = np.gcd(i_width, o_width)
    words = 24 // i_width, 24 // o_width

    def run(limit):
        dut = Regroup(i_width=i_width, o_width=o_width, i_words=words[0], o_words=words[1])
        bench.run(dut, [0] * 10 * words[0], 10 * words[1], limit=limit)

    cycles = 240 // unit + (unit < i_width) + (unit < o_width)
    run(cycles + 1)
    with pytest.raises(TimeoutError):
        run(cycles)


@pytest.mark.parametrize("i_width, o_width, i_words, o_words", [
    (4, 2, 4, 7), (2, 4, 8, 3), (6, 8, 4, 2), (2, 8, 8, 1), (6, 2, 4, 7)])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, i_width, o_width, i_words, o_words):
    dut = Regroup(i_width=i_width, o_width=o_width, i_words=i_words, o_words=o_words)
    assert (ports(dut)["i_payload"], ports(dut)["o_payload"]) == (i_width, o_width)
    words = [~0, 0] * 2 * i_words + [0, ~0] * 2 * i_words
    bench.run(dut, [word & (1 << i_width) - 1 for word in words], 8 * o_words, limit=2_000,
              i_stalls=[0, 0, 0, 7], o_stalls=[0, 0, 30], vcd=str(tmp_path / "vcd"))
    assert idle_bits(tmp_path / "vcd") == {}


def test_vectors_must_fill_all_words_out():
    with pytest.raises(ValueError, match="^Vectors of 3 words of 4 bits must be shorter than "):
        Regroup(i_width=4, o_width=4, i_words=2, o_words=3)


@pytest.mark.parametrize("i_width, o_width", [(2, 4), (4, 2), (4, 6)])
def test_words_are_offered_unasked(i_width, o_width):
    assert offers(Regroup(i_width=i_width, o_width=o_width, i_words=12 // i_width,
                          o_words=12 // o_width), [0] * 12)
