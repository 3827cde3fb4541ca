"""Bytes drawn from an LFSR, several at once."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from model.checks import check_range

from . import bus
from .lfsr import leap


__all__ = ["REGION", "Draws"]


REGION = bus.Region(bus.WORD, 1)


class Draws(wiring.Component):
    """The low byte of each state of an LFSR, a step apart.

    What :class:`model.draws.Draws` takes, so many bytes in a cycle: the LFSR leaps forward by
    exclusive ors. Combinational from its state, which is a register.

    Parameters
    ----------
    lfsr : :class:`model.lfsr.Lfsr`
        Which, of 8 to 32 bits; its seed is the state at power-up.
    count : :class:`int`
        Bytes at once.
    fewer : :class:`int`, or None
        Bytes that are taken where it is told to take fewer; None if it never is.

    Members
    -------
    o : :py:`Out(data.ArrayLayout(8, count))`
        The bytes, the first one lowest.
    en : :py:`In(1)`
        Whether they are taken.
    few : :py:`In(1)`
        Whether only the first :py:`fewer` of them are; not where that is None.
    bus : :py:`In(bus.Signature(REGION.addr_width))`
        The host's access to the state while none are taken; reads are answered one cycle later.
        0, which no LFSR leaves, is ignored.
    """

    def __init__(self, lfsr, *, count, fewer=None):
        check_range("Width of the LFSR", lfsr.width, 8, bus.WORD)
        check_range("Bytes", count, 1)
        if fewer is not None:
            check_range("Fewer bytes", fewer, 0, count)
        self._lfsr = lfsr
        self._count = count
        self._fewer = fewer
        super().__init__({
            "o": Out(data.ArrayLayout(8, count)),
            "en": In(1),
            **({"few": In(1)} if fewer is not None else {}),
            "bus": In(bus.Signature(REGION.addr_width)),
        })

    def elaborate(self, platform):
        m = Module()
        lfsr = self._lfsr
        # A reset forgets what goes on, but not what a host has written, or images have drawn.
        state = Signal(lfsr.width, init=lfsr.seed, reset_less=True)
        for n in range(self._count):
            m.d.comb += self.o[n].eq(leap(lfsr, state, n)[:8])
        with m.If(self.en):
            m.d.sync += state.eq(leap(lfsr, state, self._count))
            if self._fewer is not None:
                with m.If(self.few):
                    m.d.sync += state.eq(leap(lfsr, state, self._fewer))
        with m.If(self.bus.w_en & (self.bus.w_data[:lfsr.width] != 0)):
            m.d.sync += state.eq(self.bus.w_data)
        m.d.comb += self.bus.r_data.eq(state)
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en)
        return m
