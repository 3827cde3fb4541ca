"""What a host link has done."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from model.frame import Counter


__all__ = ["Counters"]


class Counters(wiring.Component):
    """Counts images and commands; each :class:`model.frame.Counter` has a number.

    Images wrap at 2³², commands at 2¹⁶. Where several things happen in one cycle, all count.

    Members
    -------
    image : :py:`In(1)`
        An image was classified: one in each cycle in which this is high.
    command : :py:`In(1)`
        A command was carried out.
    refused : :py:`In(1)`
        A command was refused.
    clear : :py:`In(1)`
        Begin at 0 again; what happens in the same cycle does not count.
    number : :py:`In(2)`
        Which counter to look at.
    count : :py:`Out(32)`
        That one, in the same cycle; 0 if there is none.
    """

    def __init__(self):
        super().__init__({
            "image": In(1),
            "command": In(1),
            "refused": In(1),
            "clear": In(1),
            "number": In(2),
            "count": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        counters = {
            Counter.IMAGES: (self.image, Signal(32, name="images")),
            Counter.COMMANDS: (self.command, Signal(16, name="commands")),
            Counter.REFUSED: (self.refused, Signal(16, name="refusals")),
        }
        with m.Switch(self.number):
            for number, (_, counter) in counters.items():
                with m.Case(number):
                    m.d.comb += self.count.eq(counter)
        for happens, counter in counters.values():
            with m.If(self.clear):
                m.d.sync += counter.eq(0)
            with m.Elif(happens):
                m.d.sync += counter.eq(counter + 1)
        return m
