# amaranth: UnusedElaboratable=no
"""Frames are given out whole, one by one, and answers go out as they are put in."""

from typing import Any

from amaranth.hdl import Cat, Mux

import gateware.frames
from model import frame

from .change import Change
from .environment import accept, holds, offer
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS", "rules_of"]


def frames(h: Harness) -> None:
    """Whatever comes over the line, and whatever answer is given."""
    dut = h.add(gateware.frames.Frames(constant=bytes(range(240))))
    h.arrays = True
    offer(h, dut.i)
    accept(h, dut.o)
    for name in ("lost", "next", "restart", "recite", "close"):
        h.drive(getattr(dut, name))
    offer(h, dut.answer, name="answer")
    h.assume(~h.past(dut.open) | (dut.recite == h.past(dut.recite)))
    holds(h, dut.o)
    inside = h.inside(dut)
    h.claim("the page of an open frame is in use",
            inside.state("WAIT", "SEND") | inside["collector.held"])
    h.claim("answers are taken while a frame is open, and sent when it is closed",
            ~(dut.answer.ready & ~dut.open) & ~(dut.o.valid & dut.open))
    for text, rule in rules_of(h, dut).items():
        h.claim(text, rule)
    h.claim("a frame whose CRC does not match, or that lost a byte, has a fault", ~h.past(
        inside.state("JUDGE") & (inside["collector.damaged"] | ~inside["crc.match_detected"]))
        | (dut.fault != 0))
    h.claim("a frame is open once it is judged", ~h.past(inside.state("JUDGE")) | dut.open)
    h.cover("a byte comes in", inside["collector.decoder.left"] != 0)


def rules_of(h: Harness, frames: Any) -> dict[str, Any]:
    """By their texts, what frames keep to as long as :py:`recite` changes only between them."""
    is_open, at = frames.open, frames.at
    was_open = h.past(is_open & ~frames.close)
    said = Cat(frames.opcode, frames.sequence, frames.length, frames.fault)
    read = Cat(at, frames.byte, frames.fresh)
    moves = frames.next | frames.restart
    return {
        "a frame is open until it is closed": (
            (is_open | ~was_open) & ~(is_open & h.past(frames.open & frames.close))),
        "what is said of a frame stays while it is open": ~was_open | (said == h.past(said)),
        "and what it asks for is there one cycle before":
            ~is_open | (frames.opcode == h.past(frames.opcode)),
        "a frame without a fault is no longer than it may be":
            ~is_open | (frames.fault != 0) | (frames.length <= frame.MAX_PAYLOAD),
        "bytes are read in turn, from the first of the payload, and from byte 0 after a restart":
            ~is_open | (at == Mux(was_open, Mux(h.past(frames.restart), 0,
                                             (h.past(at) + h.past(frames.next))[:8]),
                               frame.HEADER)),
        "a byte that was read stays until another is asked for":
            ~was_open | ~h.past(frames.fresh & ~moves) | (read == h.past(read)),
    }


PROOFS = (
    Proof(
        "frames.rules",
        "Whatever comes over the line, what is sent stays until it is taken; a frame stays open, "
        "and what is said of it stays, until it is closed; one that lost a byte, or whose CRC does "
        "not match, has a fault; one without is no longer than it may be; its bytes are read in "
        "turn, and stay until another is asked for; and answers are taken while it is open and "
        "sent when it is not.",
        "sources keep what they offer; what is read changes only while no frame is open",
        "induction", frames,
        (case(4),),
        (Change("gateware.frames", "with m.If(self.close):", "with m.If(self.next):", cycles=60),
         Change("gateware.collector", "with m.If(self.release):", "with m.If(self.i.valid):",
                cycles=20),
         Change("gateware.frames", "read(frame.HEADER)",
                "m.d.sync += self.at.eq(frame.HEADER)", cycles=60),
         Change("gateware.frames", "self.length + frame.MIN_FRAME != collector.count",
                "self.length + frame.MIN_FRAME < collector.count", cycles=60),
         Change("gateware.frames", "collector.damaged | ~crc.match_detected",
                "collector.damaged", cycles=60)),
    ),
)
