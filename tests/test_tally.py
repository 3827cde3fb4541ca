# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from gateware.tally import Tally
from sim import bench

from . import strategies
from .traffic import idle_bits, memories, ports


@given(data=st.data(), words=st.integers(1, 6), bit=st.integers(1, 4), top=st.integers(1, 20),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_passes_are_added_up(data, words, bit, top, i_stalls, o_stalls):
    samples = 1 << data.draw(st.integers(0, bit))
    rng = np.random.default_rng(data.draw(st.integers(0, 2 ** 32 - 1)))
    came = rng.integers(0, top + 1, (3, samples, words))
    came[1] = top
    dut = Tally(top=top, words=words, most=1 << bit)
    out = bench.run(dut, came.reshape(-1).tolist(), 3 * words, i_stalls=i_stalls,
                    o_stalls=o_stalls, samples=samples)
    assert out == came.sum(axis=1).reshape(-1).tolist()


@pytest.mark.parametrize("words, samples", [(1, 4), (2, 2), (5, 4), (3, 1)])
def test_one_word_each_cycle(words, samples):
    def run(limit):
        bench.run(Tally(top=3, words=words, most=4), [1] * 2 * words * samples, 2 * words,
                  limit=limit, samples=samples)

    run(2 * words * samples + 1)
    with pytest.raises(TimeoutError):
        run(2 * words * samples)


def test_nothing_is_wider_than_it_has_to_be(tmp_path):
    dut = Tally(top=7, words=4, most=4)
    assert ports(dut) == {"samples": 3, "i_payload": 3, "i_valid": 1, "i_ready": 1,
                          "o_payload": 5, "o_valid": 1, "o_ready": 1}
    bench.run(dut, [7, 1, 2, 4, 5, 6, 3, 0] * 8, 16, i_stalls=[0, 0, 0, 7], o_stalls=[0, 1],
              vcd=str(tmp_path / "vcd"), samples=4)
    assert idle_bits(tmp_path / "vcd").keys() <= {"samples"}
    assert memories(Tally(top=7, words=4, most=4)) == {"totals": (5, 4)}


def test_ports_hold_the_greatest_total_and_no_more():
    sizes = ports(Tally(top=5, words=1, most=3))
    assert (sizes["samples"], sizes["i_payload"], sizes["o_payload"]) == (2, 3, 4)


def test_it_begins_anew_after_a_reset():
    """Whatever its memory holds."""
    m = Module()
    m.domains.sync = sync = ClockDomain()
    m.submodules.dut = dut = Tally(top=7, words=1, most=2)
    m.d.comb += dut.samples.eq(2)
    out = []

    async def job(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.o.ready, 1)
        for word, reset in ((7, 0), (0, 1), (1, 0), (3, 0)):
            ctx.set(dut.i.valid, not reset)
            ctx.set(dut.i.payload, word)
            ctx.set(sync.rst, reset)
            if ctx.get(dut.o.valid):
                out.append(ctx.get(dut.o.payload))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(job)
    simulator.run()
    assert out == [4]


@pytest.mark.parametrize("given, error, message", [
    ({"top": 0}, ValueError, "^The greatest word must be at least 1, not 0$"),
    ({"words": 0}, ValueError, "^Words must be at least 1, not 0$"),
    ({"most": 1}, ValueError, "^Passes must be at least 2, not 1$"),
    ({"words": "1"}, TypeError, "^Words must be an integer, not '1'$"),
])
def test_what_it_cannot_be(given, error, message):
    with pytest.raises(error, match=message):
        Tally(**{"top": 1, "words": 1, "most": 2} | given)
