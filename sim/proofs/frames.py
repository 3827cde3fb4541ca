# amaranth: UnusedElaboratable=no
"""Frames are given out whole, one by one, and answers go out as they are put in."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.hdl._ast import AnySeq
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

import gateware.frames

from .change import Change
from .environment import accept, holds, offer
from .harness import Harness
from .proof import Proof, case


__all__ = ["AnyFrames", "PROOFS", "stays"]


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
    h.claim("a frame is open until it is closed, and its page is in use",
            (~h.past(dut.open & ~dut.close) | dut.open)
            & (inside.state("WAIT", "SEND") | inside["collector.held"]))
    kept = Cat(dut.opcode, dut.sequence, dut.length, dut.fault)
    h.claim("what is said of a frame stays while it is open",
            ~h.past(dut.open) | ~dut.open | (kept == h.past(kept)))
    h.claim("answers are taken while a frame is open, and sent when it is closed",
            ~(dut.answer.ready & ~dut.open) & ~(dut.o.valid & dut.open))
    h.claim("a byte that was read stays until another is asked for", stays(h, dut))
    h.cover("a byte comes in", inside["collector.decoder.left"] != 0)


def stays(h: Harness, frames: Any) -> Any:
    """Whether a byte that was read in the cycle before is still there, if it shall be."""
    kept = Cat(frames.at, frames.byte, frames.fresh)
    return ~h.past(frames.open & frames.fresh & ~frames.next & ~frames.restart & ~frames.close) \
        | (kept == h.past(kept))


class AnyFrames(wiring.Component):
    """In the place of :class:`gateware.frames.Frames`: any frames that keep to its rules."""

    def __init__(self, *, constant: bytes) -> None:
        super().__init__(gateware.frames.Frames(constant=constant).signature)

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        for _, member, value in self.signature.flatten(self):
            if member.flow == Out:
                m.d.comb += value.eq(AnySeq(len(value)))
        return m


PROOFS = (
    Proof(
        "frames.rules",
        "Whatever comes over the line, what is sent stays until it is taken; a frame stays open, "
        "and what is said of it stays, until it is closed; a byte of it that was read stays until "
        "another is asked for; and answers are taken while it is open and sent when it is not.",
        "sources keep what they offer; what is read changes only while no frame is open",
        "induction", frames,
        (case(4),),
        (Change("gateware.frames", "with m.If(self.close):", "with m.If(self.next):", cycles=60),
         Change("gateware.collector", "with m.If(self.release):", "with m.If(self.i.valid):",
                cycles=20),
         Change("gateware.frames", "read(frame.HEADER)",
                "m.d.sync += self.at.eq(frame.HEADER)", cycles=60)),
    ),
)
