"""Asynchronous serial line: 8 data bits, no parity, one stop bit."""

import operator

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out


__all__ = ["Receiver", "Transmitter"]


def _divisor(divisor):
    divisor = operator.index(divisor)
    if divisor < 4:
        raise ValueError(f"Divisor must be at least 4 clocks a bit, not {divisor!r}")
    return divisor


class Receiver(wiring.Component):
    """Bytes from a pin.

    Each bit is sampled once, in its middle. A byte is given out half a bit before it ends, so that
    a sender slightly too fast is followed too. Baud rates may differ by 2 %, and by 4 % where the
    divisor is 12 or more.

    Parameters
    ----------
    divisor : :class:`int`
        Clocks a bit. At least 4.

    Members
    -------
    rx : :py:`In(1, init=1)`
        The pin. Need not be synchronous.
    o : :py:`Out(stream.Signature(8))`
        Bytes. There is room for one to wait.
    error : :py:`Out(1)`
        High for one cycle when a byte was lost: its stop bit was low, or one waits.
    """

    def __init__(self, *, divisor):
        self._divisor = _divisor(divisor)
        super().__init__({
            "rx": In(1, init=1),
            "o": Out(stream.Signature(8)),
            "error": Out(1),
        })

    @property
    def divisor(self):
        return self._divisor

    def elaborate(self, platform):
        m = Module()

        rx = Signal()
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)

        timer = Signal(range(self.divisor))
        count = Signal(range(10))    # bits sampled, the start bit first
        byte  = Signal(8)

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        with m.FSM():
            with m.State("IDLE"):
                # The line fell up to a cycle before this one.
                m.d.sync += timer.eq((self.divisor - 1) // 2 - 1)
                m.d.sync += count.eq(0)
                with m.If(~rx):
                    m.next = "BITS"
            with m.State("BITS"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += timer.eq(self.divisor - 1)
                    m.d.sync += count.eq(count + 1)
                    m.d.sync += byte.eq(Cat(byte[1:], rx))
                    with m.If((count == 0) & rx):
                        m.next = "IDLE"    # a glitch, not a start bit
                    with m.If(count == 9):
                        m.next = "STOP"
                        m.d.comb += self.error.eq(~rx | (self.o.valid & ~self.o.ready))
                        with m.If(~self.error):
                            m.d.sync += self.o.payload.eq(byte)
                            m.d.sync += self.o.valid.eq(1)
            with m.State("STOP"):
                with m.If(rx):             # after a break, wait until it ends
                    m.next = "IDLE"

        return m


class Transmitter(wiring.Component):
    """Bytes to a pin.

    A byte takes ten bits of :py:`divisor` clocks, and the next follows without a gap.

    Parameters
    ----------
    divisor : :class:`int`
        Clocks a bit. At least 4, since no receiver could follow.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Bytes.
    tx : :py:`Out(1, init=1)`
        The pin. Comes from a flip-flop, and so has no glitches.
    """

    def __init__(self, *, divisor):
        self._divisor = _divisor(divisor)
        super().__init__({
            "i": In(stream.Signature(8)),
            "tx": Out(1, init=1),
        })

    @property
    def divisor(self):
        return self._divisor

    def elaborate(self, platform):
        m = Module()

        timer = Signal(range(self.divisor))
        left  = Signal(range(11))              # bits to send, the one on the pin included
        bits  = Signal(8)

        m.d.comb += self.i.ready.eq((timer == 0) & (left <= 1))
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left > 1):
            m.d.sync += timer.eq(self.divisor - 1)
            m.d.sync += left.eq(left - 1)
            m.d.sync += Cat(self.tx, bits).eq(Cat(bits, 1))
        with m.Elif(self.i.valid):
            m.d.sync += timer.eq(self.divisor - 1)
            m.d.sync += left.eq(10)
            m.d.sync += Cat(self.tx, bits).eq(Cat(0, self.i.payload))

        return m
