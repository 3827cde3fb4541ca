# amaranth: UnusedElaboratable=no

import pytest
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from gateware.gather import Gather
from sim import bench

from . import strategies
from .traffic import idle_bits, memories, offers, ports


def sent(vectors, *, per_word, words, times, width=4):
    """Words of a batch, as they leave."""
    result = []
    for word in range(words):
        value = 0
        for slot, vector in enumerate(vectors):
            units = (vector + [0] * per_word)[word * per_word:(word + 1) * per_word]
            for part, unit in enumerate(units):
                value |= unit << width * (slot * per_word + part)
        result.append(value)
    return result * times


@given(data=st.data(), per_word=st.integers(1, 3), words=st.integers(1, 4),
       times=st.integers(1, 3), batch=st.integers(1, 5), interleaved=st.booleans(),
       most=st.sampled_from([1, 2, 4]), i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_vectors_of_a_batch_lie_side_by_side(data, per_word, words, times, batch, interleaved,
                                             most, i_stalls, o_stalls):
    samples = data.draw(st.sampled_from([1, 2, 4][:most.bit_length()]))
    units = data.draw(st.integers((words - 1) * per_word + 1, words * per_word + 2))
    seed = data.draw(st.integers(1, 15))
    batches = [[[(seed + 7 * n + 5 * slot + 3 * unit) % 15 + 1 for unit in range(units)]
                for slot in range(batch)] for n in range(4)]
    order = [[vector[unit] for unit in range(units) for vector in vectors] if interleaved
             else sum(vectors, []) for vectors in batches]
    dut = Gather(width=4, per_word=per_word, units=units, words=words, times=times, batch=batch,
                 interleaved=interleaved, most=most)
    out = bench.run(dut, sum(order, []), 4 * words * times * samples, i_stalls=i_stalls,
                    o_stalls=o_stalls, **({"samples": samples} if most > 1 else {}))
    expected = [[vector[:words * per_word] + [0] * (words * per_word - units)
                 for vector in vectors] for vectors in batches]
    assert out == sum((sent(vectors, per_word=per_word, words=words, times=times * samples)
                       for vectors in expected), [])


@pytest.mark.parametrize("counts", [(3, 1, 3), (1, 2, 1), (2, 2, 3, 3)])
def test_a_batch_closes_early(counts):
    """With `last`; what it lacks is whatever was there before."""
    dut = Gather(width=4, per_word=1, units=2, words=2, times=2, batch=3, interleaved=False)
    vectors = [[n % 15 + 1, n % 13 + 2] for n in range(sum(counts))]
    out, closed = [], []

    async def source(ctx):
        ctx.set(dut.i.valid, 1)
        left = list(vectors)
        for count in counts:
            for n in range(count):
                for unit, value in enumerate(left.pop(0)):
                    ctx.set(dut.i.payload, value)
                    ctx.set(dut.last, n == count - 1 and unit == 1)
                    ready = 0
                    while not ready:
                        _, _, ready, closes, many = await ctx.tick().sample(
                            dut.i.ready, dut.closed, dut.vectors)
                        if closes:
                            closed.append(many)
        ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        while len(out) < 4 * len(counts):
            _, _, valid, word = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                out.append(word)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(source)
    sim.add_testbench(sink)
    sim.run_until(200e-6)
    assert closed == list(counts)
    left = list(vectors)
    for n, count in enumerate(counts):
        expected = sent([left.pop(0) for _ in range(count)], per_word=1, words=2, times=2)
        mask = (1 << 4 * count) - 1
        assert [word & mask for word in out[4 * n:4 * n + 4]] == expected


def test_last_is_for_the_end_of_a_vector():
    dut = Gather(width=4, per_word=1, units=3, words=3, times=1, batch=2, interleaved=False)

    async def source(ctx):
        ctx.set(dut.last, 1)
        ctx.set(dut.i.valid, 1)
        for _ in range(2):
            _, _, closes = await ctx.tick().sample(dut.closed)
            assert not closes
        _, _, closes, many = await ctx.tick().sample(dut.closed, dut.vectors)
        assert (closes, many) == (1, 1)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(source)
    sim.run()


@pytest.mark.parametrize("interleaved", [False, True])
def test_one_word_each_cycle(interleaved):
    def run(limit):
        dut = Gather(width=8, per_word=1, units=4, words=4, times=6, batch=3,
                     interleaved=interleaved)
        return bench.run(dut, list(range(120)), 240, limit=limit)

    cycles = 12 + 1 + 240   # the first batch, the fetch, and every word that leaves
    run(cycles + 1)
    with pytest.raises(TimeoutError):
        run(cycles)


@pytest.mark.parametrize("name, text", [
    ("width", "Width"), ("per_word", "Units of a word"), ("units", "Units"), ("words", "Words"),
    ("times", "Times"), ("batch", "Batch"), ("most", "Most samples")])
def test_sizes_must_be_positive(name, text):
    sizes = {"width": 1, "per_word": 1, "units": 1, "words": 1, "times": 1, "batch": 1, "most": 1,
             name: 0}
    with pytest.raises(ValueError, match=f"^{text} must be at least 1, not 0$"):
        Gather(**sizes, interleaved=False)


def test_vectors_must_reach_the_last_word():
    Gather(width=1, per_word=2, units=5, words=3, times=1, batch=2, interleaved=True)
    with pytest.raises(ValueError, match="^Vectors of 3 words of 2 units must be longer than 2 "
                                         "words, not 4 units$"):
        Gather(width=1, per_word=2, units=4, words=3, times=1, batch=2, interleaved=True)


@pytest.mark.parametrize("interleaved", [False, True])
def test_nothing_is_wider_than_it_has_to_be(tmp_path, interleaved):
    dut = Gather(width=3, per_word=2, units=7, words=4, times=2, batch=4, interleaved=interleaved)
    assert ports(dut) == {
        "i_payload": 3, "i_valid": 1, "i_ready": 1, "last": 1, "closed": 1, "vectors": 3,
        "o_payload": 24, "o_valid": 1, "o_ready": 1}
    assert ports(Gather(width=3, per_word=2, units=7, words=4, times=2, batch=3,
                        interleaved=interleaved))["vectors"] == 2
    assert memories(dut) == {"banks": (24, 8)}
    words = [(5 * n + n // 7 + n // 28) % 8 for n in range(4 * 7 * 8)]
    bench.run(dut, words, 64, i_stalls=[0, 0, 0, 7], o_stalls=[0, 40], vcd=str(tmp_path / "vcd"))
    assert set(idle_bits(tmp_path / "vcd")) <= {"last"}


def test_second_bank_is_as_deep_as_a_vector():
    dut = Gather(width=2, per_word=1, units=5, words=5, times=2, batch=2, interleaved=True)
    assert memories(dut) == {"banks": (4, 13)}


def test_words_are_offered_unasked():
    def dut():
        return Gather(width=8, per_word=1, units=2, words=2, times=1, batch=2, interleaved=True)

    assert offers(dut(), [1, 2, 3, 4])
    assert not offers(dut(), [1, 2, 3])
