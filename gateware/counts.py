"""What a layer has counted, for a host to read."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from . import bus
from .compend import COUNTS


__all__ = ["Counts", "REGION"]


REGION = bus.Region(bus.WORD, len(COUNTS.members), writable=False)


class Counts(wiring.Component):
    """Counters of a :class:`gateware.compend.Compend` on the bus, in the order of their names.

    A write changes nothing. They stand still while no image is inside.

    Members
    -------
    i : :py:`In(COUNTS)`
        The counters.
    bus : :py:`In(bus.Signature(REGION.addr_width))`
        The host's access; reads are answered one cycle later.
    """

    def __init__(self):
        super().__init__({"i": In(COUNTS), "bus": In(bus.Signature(REGION.addr_width))})

    def elaborate(self, platform):
        m = Module()
        with m.Switch(self.bus.addr):
            for n, name in enumerate(COUNTS.members):
                with m.Case(n):
                    m.d.sync += self.bus.r_data.eq(self.i[name])
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en)
        return m
