# amaranth: UnusedElaboratable=no

import pytest
from hypothesis import given, strategies as st

from gateware.replay import Replay
from sim import bench

from . import strategies
from .traffic import idle_bits, memories, offers, ports, registers


@given(words=st.integers(1, 6), times=st.integers(1, 4), i_stalls=strategies.stalls,
       o_stalls=strategies.stalls)
def test_vectors_are_repeated(words, times, i_stalls, o_stalls):
    vectors = [[7 * n + k + 1 & 0xff for k in range(words)] for n in range(5)]
    out = bench.run(Replay(width=8, words=words, times=times), sum(vectors, []),
                    5 * words * times, i_stalls=i_stalls, o_stalls=o_stalls)
    assert out == [word for vector in vectors for _ in range(times) for word in vector]


@given(words=st.integers(1, 5), times=st.integers(1, 3), bits=st.integers(1, 3), data=st.data(),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_vectors_are_repeated_for_each_sample(words, times, bits, data, i_stalls, o_stalls):
    samples = 1 << data.draw(st.integers(0, bits))
    vectors = [[7 * n + k + 1 & 0xff for k in range(words)] for n in range(5)]
    out = bench.run(Replay(width=8, words=words, times=times, most=1 << bits), sum(vectors, []),
                    5 * words * times * samples, i_stalls=i_stalls, o_stalls=o_stalls,
                    samples=samples)
    assert out == [word for vector in vectors for _ in range(times * samples) for word in vector]


@pytest.mark.parametrize("samples", [1, 2, 4])
def test_one_word_of_each_sample_each_cycle(samples):
    def run(limit):
        return bench.run(Replay(width=8, words=4, times=3, most=4), list(range(40)),
                         120 * samples, limit=limit, samples=samples)

    cycles = 4 + 1 + 120 * samples
    run(cycles + 1)
    with pytest.raises(TimeoutError):
        run(cycles)


def test_one_word_each_cycle():
    def run(limit):
        return bench.run(Replay(width=8, words=4, times=3), list(range(40)), 120, limit=limit)

    cycles = 4 + 1 + 120   # the first vector, the fetch, and every word that leaves
    run(cycles + 1)
    with pytest.raises(TimeoutError):
        run(cycles)


@pytest.mark.parametrize("name", ["width", "words", "times", "most"])
def test_sizes_must_be_positive(name):
    said = {"most": "Most samples"}.get(name, name.capitalize())
    with pytest.raises(ValueError, match=f"^{said} must be at least 1, not 0$"):
        Replay(**{"width": 1, "words": 1, "times": 1, name: 0})


def test_nothing_is_wider_than_it_has_to_be(tmp_path):
    dut = Replay(width=3, words=4, times=2)
    assert {ports(dut)[name] for name in ("i_payload", "o_payload")} == {3}
    bench.run(dut, [1, 2, 4, 7, 0, 5, 6, 3] * 3, 48, i_stalls=[0, 0, 0, 7], o_stalls=[0, 1],
              vcd=str(tmp_path / "vcd"))
    assert idle_bits(tmp_path / "vcd") == {}


@pytest.mark.parametrize("most", [2, 3, 4, 8])
def test_samples_are_counted_in_no_more_bits_than_it_takes(most):
    dut = Replay(width=3, words=2, times=2, most=most)
    assert ports(dut)["samples"] == most.bit_length()
    assert registers(dut)["r_sample"] == (most.bit_length() - 1, 0)
    assert "samples" not in ports(Replay(width=3, words=2, times=2))


@pytest.mark.parametrize("words, depth", [(1, 2), (4, 8), (5, 13)])
def test_second_bank_is_as_deep_as_a_vector(words, depth):
    assert memories(Replay(width=3, words=words, times=2)) == {"banks": (3, depth)}


def test_words_are_offered_unasked():
    assert offers(Replay(width=8, words=2, times=1), [1, 2])
    assert not offers(Replay(width=8, words=2, times=1), [1])
