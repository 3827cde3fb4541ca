# amaranth: UnusedElaboratable=no
"""Batches knows which batch leaves next, and that nothing may be taken behind a short one."""

from amaranth.hdl import Mux, Signal

import gateware.batches

from .change import Change
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def rules(h: Harness, *, batch: int, most: int) -> None:
    """Against a list of the batches on their way, the one that leaves next first."""
    dut = h.add(gateware.batches.Batches(batch=batch, most=most))
    sizes = range(batch + 1)
    closing = h.free(sizes, "closing")
    closed, left = h.free(1, "closed"), h.free(1, "left")
    h.m.d.comb += [dut.closed.eq(closed), dut.closing.eq(closing), dut.left.eq(left)]

    many = Signal(range(most + 1), name="many")
    queue = [Signal(sizes, name=f"batch_{n}") for n in range(most)]
    h.assume((closing >= 1) & (closing <= batch))
    h.assume(~closed | (~dut.hold & (many != most)))
    h.assume(~left | (many != 0))
    h.m.d.sync += many.eq(many + closed - left)
    for n, (here, behind) in enumerate(zip(queue, [*queue[1:], queue[-1]], strict=True)):
        h.m.d.sync += here.eq(Mux(closed & (many - left == n), closing, Mux(left, behind, here)))

    short = [(n < many) & (here < batch) for n, here in enumerate(queue)]
    inside = h.inside(dut)
    h.claim("nothing may be taken while a batch is on its way that closed short",
            dut.hold == sum(short).bool())
    h.claim("as many vectors are told as the batch has that leaves next",
            (many == 0) | (dut.vectors == queue[0]))
    h.claim("and as long as it has not left",
            ~h.past((many != 0) & ~left) | (dut.vectors == h.past(dut.vectors)))
    h.claim("batches on their way are counted", (inside["count"] == many) & (many <= most))
    for n, (each, here) in enumerate(zip(short, queue, strict=True)):
        h.claim("no batch has more vectors than fit", (n >= many) | (here <= batch))
        h.claim("only the last one is short",
                ~each | ((many == n + 1) & (inside["short"] == here)))
    h.cover("a short batch leaves behind a full one" if most > 1 else "a short batch leaves",
            dut.hold & left & (dut.vectors == 1) & h.past(left if most > 1 else 1))


PROOFS = (
    Proof(
        "batches.rules",
        "Nothing may be taken exactly while a batch is on its way that closed before it was full; "
        "and as many vectors are told as the batch has that leaves next, from when it is that one "
        "to when it leaves.",
        "a batch has a vector and no more than fit; it closes while something may be taken, and "
        "while there are fewer on their way than can be; one leaves only where there is one",
        "induction", rules,
        tuple(case(most + 4, batch=batch, most=most)
              for batch, most in ((2, 1), (2, 3), (3, 2), (5, 4), (4, 8))),
        (Change("gateware.batches", "self.closing < self._batch", "self.closing <= self._batch",
                case=1),
         Change("gateware.batches", "self.hold & (count == 1), short", "self.hold, short", case=2),
         Change("gateware.batches", "with m.If(self.left & (count == 1)):",
                "with m.If(self.left):", case=2),
         Change("gateware.batches", "count + self.closed - self.left", "count + self.closed",
                case=1)),
    ),
)
