"""Which batches are on their way through an accelerator."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


__all__ = ["Batches"]


class Batches(wiring.Component):
    """Counts the batches between where they close and where they leave.

    A batch that closed before it was full is the last of a run. It has left before anything more
    is taken, so that there is only one of them to keep in mind.

    Parameters
    ----------
    batch : :class:`int`
        Vectors in a full batch, at least 2.
    most : :class:`int`
        Batches that can be on their way at once.

    Members
    -------
    closed : :py:`In(1)`
        High for a cycle when a batch closes, which then has so many vectors:
    closing : :py:`In(range(batch + 1))`
        No more than there are in a full one.
    left : :py:`In(1)`
        High for a cycle when one leaves.
    hold : :py:`Out(1)`
        Whether nothing may be taken.
    vectors : :py:`Out(range(batch + 1))`
        How many vectors there are in the batch that leaves next.
    """

    def __init__(self, *, batch, most):
        if batch < 2:
            raise ValueError(f"Batch must be at least 2, not {batch!r}")
        if most < 1:
            raise ValueError(f"Batches on their way must be at least 1, not {most!r}")
        self._batch = batch
        self._most = most
        super().__init__({
            "closed": In(1),
            "closing": In(range(batch + 1)),
            "left": In(1),
            "hold": Out(1),
            "vectors": Out(range(batch + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        count = Signal(range(self._most + 1))
        short = Signal.like(self.closing)
        m.d.sync += count.eq(count + self.closed - self.left)
        with m.If(self.left & (count == 1)):
            m.d.sync += self.hold.eq(0)
        # One may close as the one before it leaves.
        with m.If(self.closed & (self.closing < self._batch)):
            m.d.sync += self.hold.eq(1)
            m.d.sync += short.eq(self.closing)
        m.d.comb += self.vectors.eq(Mux(self.hold & (count == 1), short, self._batch))
        return m
