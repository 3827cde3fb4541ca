# amaranth: UnusedElaboratable=no
"""Replay sends each vector as often as it shall, in order, however long either side waits."""

from typing import Any

from amaranth.hdl import C, Mux, Signal

import gateware.replay

from .change import Change
from .environment import accept, collect, feed, holds, in_range, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def replay(h: Harness, words: int, times: int, samples: int) -> Any:
    """Where there are several samples, half as many as there could be."""
    most = 2 * samples if samples > 1 else 1
    dut = h.add(gateware.replay.Replay(width=2, words=words, times=times, most=most))
    if most > 1:
        h.m.d.comb += dut.samples.eq(samples)
    return dut


def safe(h: Harness, *, words: int, times: int, samples: int = 1) -> None:
    """Rules that need no look at the data: hold, range, progress, and how many words are inside."""
    dut = replay(h, words, times, samples)
    taken, given = offer(h, dut.i), accept(h, dut.o)
    holds(h, dut.o)
    in_range(h, dut)
    inside = h.inside(dut)
    full, r_index, r_times = inside["full"], inside["r_index"], inside["r_times"]
    r_bank, w_bank, w_index = inside["r_bank"], inside["w_bank"], inside["w_index"]
    r_sample = inside["r_sample"] if samples > 1 else C(0, 1)
    h.claim("counters are in range", (r_index < words) & (w_index < words) & (r_times < times)
            & (r_sample < samples))
    h.claim("banks fill and empty in turn", ~(full[0] ^ full[1]) | (full[1] == r_bank))
    h.claim("the bank that fills follows the one that is sent",
            Mux(full.all() | ~full.any(), w_bank == r_bank, w_bank != r_bank))
    first = (r_index == 0) & (r_times == 0) & (r_sample == 0)
    h.claim("only a full bank is partly sent", full.any() | first)

    # Words in, each counted as often as it shall be sent, less words out.
    sent = words * times * samples   # of each vector
    top = 5 * sent
    due = Signal(range(-1, top + 1), name="due")
    h.m.d.sync += due.eq(due + Mux(taken & (w_index == words - 1), sent, 0) - given)
    held = (full[0].as_unsigned() + full[1]) * sent \
        - ((r_sample * times + r_times) * words + r_index)
    h.claim("as many words are due as whole vectors came in, times each, less those that left",
            due == held + dut.o.valid)
    progress(h, taken | given, dut.i.valid & dut.o.ready, 2)
    h.cover("a vector has left for the last time", given & first)


def whole(h: Harness, *, words: int, times: int, vectors: int, samples: int = 1) -> None:
    """The words that come out, one by one."""
    dut = replay(h, words, times, samples)
    data = [h.constant(2, f"word_{n}") for n in range(words * vectors)]
    fed = feed(h, dut.i, data)
    expected = [data[vector * words + n] for vector in range(vectors)
                for _ in range(times * samples) for n in range(words)]
    out = collect(h, dut.o, expected)
    holds(h, dut.o)
    # Waits of up to two cycles are its own: from a vector's last word to the first that leaves.
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             (dut.i.valid | (fed == len(data))) & dut.o.ready & (out != len(expected)), 3)


PROOFS = (
    Proof(
        "replay.rules",
        "What is offered stays; memory is never addressed beyond its end; exactly as many words "
        "leave as whole vectors came in, each as often as it shall; and whenever there is a word "
        "to take and whoever waits for one, a word moves within two cycles.",
        "the source keeps what it offers", "induction", safe,
        (*(case(5 + words + words * times, words=words, times=times)
           for words, times in ((1, 1), (1, 3), (2, 1), (3, 2), (4, 1), (5, 3))),
         *(case(5 + words + words * times * samples, words=words, times=times, samples=samples)
           for words, times, samples in ((1, 1, 4), (2, 3, 2), (3, 1, 2)))),
        (Change("gateware.replay", "r_times == times - 1", "r_times == times - 2",
                case=3, cycles=14),
         Change("gateware.replay", "self.i.ready.eq(~full.bit_select(w_bank, 1))",
                "self.i.ready.eq(1)", case=3, cycles=14),
         Change("gateware.replay", "m.d.comb += advance.eq(o.ready | ~o.valid)",
                "m.d.comb += advance.eq(1)", case=3, cycles=14),
         Change("gateware.replay", "m.d.sync += r_sample.eq(0)", "m.d.sync += r_sample.eq(1)",
                case=7, cycles=40)),
    ),
    Proof(
        "replay.order",
        "The words that leave are those of each vector in order, again and again, and then those "
        "of the next: none lost, doubled or out of turn.",
        "three vectors come", "bounded", whole,
        (case(14, words=1, times=2, vectors=3), case(16, words=2, times=1, vectors=3),
         case(18, words=2, times=2, vectors=3), case(28, words=3, times=2, vectors=3),
         case(30, words=2, times=2, vectors=3, samples=2)),
        (Change("gateware.replay", "w_port.addr.eq(Cat(w_index[:index_bits], w_bank))",
                "w_port.addr.eq(Cat(w_index[:index_bits], C(0, 1)))", case=2),
         Change("gateware.replay", "m.d.sync += r_bank.eq(~r_bank)", "m.d.sync += r_bank.eq(0)",
                case=2)),
    ),
)
