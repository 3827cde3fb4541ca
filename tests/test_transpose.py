# amaranth: UnusedElaboratable=no

import pytest
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from gateware.transpose import Transpose
from sim import bench

from . import strategies
from .traffic import memories, offers, ports


def run(words, batch, counts, i_stalls=(0,), o_stalls=(0,), limit=4_000):
    """Feed as many full batches as there are counts; what leaves, and when batches do."""
    dut = Transpose(width=8, words=words, batch=batch)
    total = words * sum(counts)
    out, left = [], []

    async def source(ctx):
        payloads = [(n * words * batch + slot * words + word) % 251 + 1
                    for n in range(len(counts)) for word in range(words) for slot in range(batch)]
        await bench.feed(ctx, dut.i, payloads, i_stalls)

    async def sink(ctx):
        out.extend(await bench.drain(ctx, dut.o, total, o_stalls))

    async def watch(ctx):
        held = None
        for cycle in range(limit):
            ctx.set(dut.vectors, counts[min(len(left), len(counts) - 1)])
            _, _, leaves, valid, ready, payload = await ctx.tick().sample(
                dut.left, dut.o.valid, dut.o.ready, dut.o.payload)
            assert held is None or (valid, payload) == (1, held)
            held = payload if valid and not ready else None
            if leaves:
                left.append(cycle)
        raise TimeoutError

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(source)
    sim.add_testbench(sink)
    sim.add_testbench(watch, background=True)
    sim.run()
    return out, left


@given(data=st.data(), words=st.integers(1, 5), batch=st.integers(1, 5),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_vectors_leave_one_behind_another(data, words, batch, i_stalls, o_stalls):
    counts = data.draw(st.lists(st.integers(1, batch), min_size=4, max_size=4))
    out, left = run(words, batch, counts, i_stalls, o_stalls)
    assert out == [(n * words * batch + word) % 251 + 1 for n, count in enumerate(counts)
                   for word in range(words * count)]
    assert len(left) == 4


def test_one_word_each_cycle():
    out, left = run(4, 3, [3] * 5)
    assert len(out) == 60
    # The first batch in, and each batch is read in as many cycles as it has words.
    assert left == [11 + 12 * n for n in range(1, 6)]


def test_a_bank_is_free_as_its_last_word_becomes_valid():
    dut = Transpose(width=4, words=2, batch=2)
    ready = []

    async def source(ctx):
        ctx.set(dut.vectors, 2)
        ctx.set(dut.i.valid, 1)
        for _ in range(14):
            ctx.set(dut.o.ready, len(ready) >= 10)
            _, _, taken = await ctx.tick().sample(dut.i.ready)
            ready.append(taken)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(source)
    sim.run()
    # Two banks full; the first word waits at the output from the sixth cycle on.
    assert ready == [1] * 8 + [0] * 5 + [1]


@pytest.mark.parametrize("name", ["width", "words", "batch"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ValueError, match=f"^{name.capitalize()} must be at least 1, not 0$"):
        Transpose(**{"width": 1, "words": 1, "batch": 1, name: 0})


def test_nothing_is_wider_than_it_has_to_be(tmp_path):
    dut = Transpose(width=3, words=4, batch=4)
    assert ports(dut) == {"i_payload": 3, "i_valid": 1, "i_ready": 1, "vectors": 3, "left": 1,
                          "o_payload": 3, "o_valid": 1, "o_ready": 1}
    assert ports(Transpose(width=3, words=4, batch=3))["vectors"] == 2
    assert memories(dut) == {"banks": (3, 32)}
    assert memories(Transpose(width=3, words=5, batch=3)) == {"banks": (3, 64)}


def test_words_are_offered_unasked():
    def dut():
        return Transpose(width=8, words=2, batch=1)

    assert offers(dut(), [1, 2])
    assert not offers(dut(), [1])
