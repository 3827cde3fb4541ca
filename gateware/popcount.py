"""Counting the places in which two words agree."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


__all__ = ["Popcount"]


def tree(bits):
    """Number of set bits in :py:`bits`.

    Amaranth widens each sum by one bit. Adding up a balanced tree keeps the result
    ``ceil_log2(len(bits) + 1)`` or so bits wide; ``sum(bits)`` would make it as wide as the input.
    """
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    return tree(bits[:half]) + tree(bits[half:])


class Popcount(wiring.Component):
    """XNOR and count: on how many of its places a word of inputs agrees with a word of weights.

    The throughput is one word a cycle and the latency :py:`latency` = 1 cycle, counted in cycles
    in which :py:`en` is high. Every way of counting, for whatever FPGA or simulator, has these
    ports and this latency and no others, so that one can take another's place.

    Parameters
    ----------
    width : :class:`int`
        Bits in a word, at least 1.

    Members
    -------
    en : :py:`In(1)`
        While low, :py:`o` holds.
    x : :py:`In(width)`
        Inputs.
    w : :py:`In(width)`
        Weights.
    o : :py:`Out(range(width + 1))`
        Number of agreements.
    """

    latency = 1

    def __init__(self, width):
        if width < 1:
            raise ValueError(f"Width must be at least 1, not {width!r}")
        self._width = width
        super().__init__({
            "en": In(1),
            "x": In(width),
            "w": In(width),
            "o": Out(range(width + 1)),
        })

    @property
    def width(self):
        return self._width

    def elaborate(self, platform):
        m = Module()
        # No reset: what is counted before the first valid word is never looked at, and the ports
        # of the module are then its members and a clock.
        count = Signal.like(self.o, reset_less=True)
        m.d.comb += self.o.eq(count)
        with m.If(self.en):
            m.d.sync += count.eq(tree(~(self.x ^ self.w)))
        return m
