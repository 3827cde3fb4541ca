# amaranth: UnusedElaboratable=no
"""Stuffing: frames in bytes without zeros, and back."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal

import gateware.cobs
import gateware.collector

from .change import Change
from .environment import accept, collect, feed, holds, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def stuffed(h: Harness, data: list[Any]) -> list[Any]:
    """The definition: at each place the byte, or where there is none or a zero, how far it is to
    the next zero, the end being one.
    """
    places = [Const(0, 8), *data]
    result = []
    for n, byte in enumerate(places):
        distance: Any = Const(len(places) - n, 8)
        for m in reversed(range(n + 1, len(places))):
            distance = Mux(places[m] == 0, Const(m - n, 8), distance)
        result.append(Mux(byte == 0, distance, byte))
    return result


def encoder(h: Harness, *, size: int) -> None:
    """What is in the memory once a frame is in it, bytes coming at any time."""
    dut = h.add(gateware.cobs.Encoder(size=size))
    data = [h.constant(8, f"byte_{n}") for n in range(size)]
    taken = Signal(range(size + 2), name="taken")
    started = h.past(1)
    valid = h.free(1, "valid")
    h.m.d.comb += [
        dut.start.eq(~started),
        dut.i.valid.eq(valid & started & (taken != size + 1)),
        dut.i.payload.eq(Array([*data, Const(0, 8), Const(0, 8)])[taken]),
    ]
    h.m.d.sync += taken.eq(taken + dut.i.valid)
    cells = [Signal(8, name=f"cell_{n}") for n in range(size + 1)]
    for n, cell in enumerate(cells):
        with h.m.If(dut.w.en & (dut.w.addr == n)):
            h.m.d.sync += cell.eq(dut.w.data)
    h.claim("writes are within the frame", ~dut.w.en | (dut.w.addr <= size))
    done = taken == size + 1
    for cell, wanted in zip(cells, stuffed(h, data), strict=True):
        h.claim("each byte of the frame is the one defined", ~done | (cell == wanted))
        h.claim("and none is zero", ~done | (cell != 0))
    h.claim("the length is that of the frame and its end", ~done | (dut.length == size + 2))
    h.cover("a frame is written", done)


def decoder(h: Harness, *, sizes: tuple[int, ...]) -> None:
    """Stuffed frames one after the other, and what comes of them."""
    dut = h.add(gateware.cobs.Decoder())
    line: list[Any] = []
    expected: list[Any] = []
    for f, size in enumerate(sizes):
        data = [h.constant(8, f"byte_{f}_{n}") for n in range(size)]
        line += [*stuffed(h, data), Const(0, 8)]
        expected += [Cat(byte, Const(0, 2)) for byte in data] + [Const(1 << 8, 10)]
    fed = feed(h, dut.i, line)
    item = dut.o.payload
    out = collect(h, dut.o, expected, fields=Cat(
        Mux(item.end, 0, item.byte), item.end, item.end & item.broken))
    holds(h, dut.o)
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             (dut.i.valid | (fed == len(line))) & dut.o.ready & (out != len(expected)), 2)


def decoder_rules(h: Harness) -> None:
    """Any bytes at all."""
    dut = h.add(gateware.cobs.Decoder())
    taken, given = offer(h, dut.i), accept(h, dut.o)
    holds(h, dut.o)
    ends = dut.i.payload == 0
    h.claim("a frame ends where there is a zero, and nowhere else",
            ~dut.o.valid | (dut.o.payload.end == ends))
    h.claim("every byte is taken when what it makes can be given out",
            dut.i.ready | ~(dut.o.ready | ~dut.o.valid))
    h.claim("and ends are taken with their items", ~(taken & ends) | given)
    fresh = h.past(taken & ends, init=1)
    h.claim("after an end nothing is left of the frame before",
            ~fresh | ((h.inside(dut)["left"] == 0) & ~h.inside(dut)["zero"]))
    h.cover("a frame is broken", given & dut.o.payload.end & dut.o.payload.broken)


def collector(h: Harness, *, least: int, most: int) -> None:
    """Any bytes at any time, and a user who releases what is there at any time."""
    dut = h.add(gateware.collector.Collector(least=least, most=most))
    taken = offer(h, dut.i)
    lost, release = h.free(1, "lost"), h.free(1, "release")
    h.m.d.comb += [dut.lost.eq(lost), dut.release.eq(release)]
    h.assume(~release | dut.held)
    inside = h.inside(dut)
    count, full, own = inside["count"], inside["full"], Cat(dut.w.addr)[:-1]
    index = dut.w.addr[:-1]
    page = dut.w.addr[-1]
    h.claim("what is written is beyond the frame by no byte", ~dut.w.en | (index < most + 1))
    h.claim("and not in the page of the frame that is there",
            ~dut.w.en | (page != dut.page))
    h.claim("bytes are written one behind the other",
            ~dut.w.en | (own == h.past(index + 1)) | ~h.past(dut.w.en) | (index == 0))
    stays = h.past(dut.held & ~release)
    h.claim("the frame that is there stays until it is released",
            ~stays | (dut.held & (dut.page == h.past(dut.page)) & (dut.count == h.past(dut.count))
                      & (dut.damaged == h.past(dut.damaged))))
    comes = dut.held & ~h.past(dut.held)
    h.claim("frames are as long as they may be, and one byte at most is counted beyond",
            ~comes | ((dut.count >= least) & (dut.count <= most + 1)))
    h.claim("counters are in range", (count <= most + 1) & (~full | (count >= least)))
    waits = h.past(full & dut.held)
    h.claim("a frame takes the other page as soon as that is free",
            ~(full & ~dut.held) | waits | h.past(~full) | ~h.past(1))
    h.claim("the line waits only for a page", ~dut.i.valid | dut.i.ready | full)
    progress(h, ~full, ~dut.held, 2)
    damage = Signal(name="damage")    # a byte of the frame that comes was lost
    ended = taken & (dut.i.payload == 0)
    h.m.d.sync += damage.eq(lost | (damage & ~ended))
    h.claim("what was lost is remembered", damage == inside["lost"])
    h.cover("a second frame waits for the first", full & dut.held)
    h.cover("a frame is too long", dut.held & (dut.count == most + 1))


PROOFS = (
    Proof(
        "cobs.encoder",
        "In memory is the frame with each zero, and the place before the first byte, replaced by "
        "the distance to the next zero, the end being one: no zero is left.",
        "a start, then the bytes of one frame at any time, then a zero", "bounded", encoder,
        tuple(case(size + 6, size=size) for size in (1, 2, 3, 5)),
        (Change("gateware.cobs", "self.length - open_, self", "self.length - open_ + 1, self",
                case=1),
         Change("gateware.cobs", "m.d.sync += open_.eq(self.length)",
                "m.d.sync += open_.eq(self.length + 1)", case=2)),
    ),
    Proof(
        "cobs.decoder",
        "Of stuffed frames, one after the other, the bytes come back, with an end that is not "
        "broken after each; none lost, doubled or out of turn.",
        "two frames come, stuffed as defined", "bounded", decoder,
        (case(12, sizes=(1, 2)), case(16, sizes=(3, 2)), case(14, sizes=(0, 4))),
        (Change("gateware.cobs", "left.eq(self.i.payload - 1)", "left.eq(self.i.payload)"),
         Change("gateware.cobs", "self.i.ready.eq(self.o.ready | ~self.o.valid)",
                "self.i.ready.eq(1)", case=1)),
    ),
    Proof(
        "cobs.decoder-rules",
        "Whatever bytes come, what is offered stays; frames end at zeros and nowhere else; and "
        "after an end nothing is left of the frame before.",
        "the source keeps what it offers", "induction", decoder_rules,
        (case(4),),
        (Change("gateware.cobs", "m.d.sync += left.eq(0)", "m.d.sync += left.eq(left)", cycles=8),
         Change("gateware.cobs", "end | (left != 0) | zero", "(left != 0) | zero", cycles=8)),
    ),
    Proof(
        "collector.rules",
        "Whatever bytes come, nothing is written beyond a frame or into the page that is in use; a "
        "frame that is there stays until it is released; the line waits only while both pages are "
        "full; a lost byte is remembered until its frame ends.",
        "the source keeps what it offers; only a frame that is there is released",
        "induction", collector,
        (case(10, least=1, most=2), case(12, least=3, most=5)),
        (Change("gateware.collector", "Cat(count, ~self.page)", "Cat(count, self.page)"),
         Change("gateware.collector", "with m.If(full & ~self.held):", "with m.If(full):",
                cycles=12),
         Change("gateware.collector", "& (count != self._most + 1))", ")", cycles=12),
         Change("gateware.collector", "m.d.sync += lost.eq(0)", "m.d.sync += lost.eq(lost)")),
    ),
)
