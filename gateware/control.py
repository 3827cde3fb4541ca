"""The accelerator's own register."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import bus


__all__ = ["Control"]


class Control(wiring.Component):
    """Register whose bit 0 says that the weights are there.

    Parameters
    ----------
    init : :class:`bool`
        Its value from reset.

    Members
    -------
    loaded : :py:`Out(1)`
        Bit 0.
    bus : :py:`In(bus.Signature(0))`
        The host's access; reads are answered one cycle later.
    """

    def __init__(self, *, init):
        super().__init__({
            "loaded": Out(1, init=init),
            "bus": In(bus.Signature(0)),
        })

    def elaborate(self, platform):
        m = Module()
        with m.If(self.bus.w_en):
            m.d.sync += self.loaded.eq(self.bus.w_data[0])
        m.d.comb += self.bus.r_data.eq(self.loaded)
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en)
        return m
