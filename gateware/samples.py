"""How many samples of each pixel are drawn."""

from functools import reduce
from operator import or_

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import bus


__all__ = ["Samples", "chosen", "weighed"]


class Samples(wiring.Component):
    """A register of the number of samples, which a host chooses at run time.

    It takes powers of two up to :py:`most`, and ignores all other numbers. It keeps its value when
    the accelerator is reset, as memories do.

    Parameters
    ----------
    most : :class:`int`
        The greatest number, a power of two of at least 2.
    init : :class:`int`, or None
        The number at power-up; :py:`most` if None.

    Members
    -------
    o : :py:`Out(range(most + 1))`
        The number: one bit of it is set.
    bus : :py:`In(bus.Signature(0))`
        The host's access; reads are answered one cycle later.
    """

    def __init__(self, *, most, init=None):
        init = most if init is None else init
        for name, value, least in (("Most samples", most, 2), ("Samples at power-up", init, 1)):
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < least or value & value - 1:
                raise ValueError(f"{name} must be a power of two of at least {least}, "
                                 f"not {value!r}")
        if init > most:
            raise ValueError(f"Samples at power-up must be at most {most}, not {init!r}")
        self._most = most
        self._init = init
        super().__init__({"o": Out(range(most + 1)), "bus": In(bus.Signature(0))})

    def elaborate(self, platform):
        m = Module()
        samples = Signal(range(self._most + 1), init=self._init, reset_less=True)
        m.d.comb += self.o.eq(samples)
        with m.If(self.bus.w_en):
            with m.Switch(self.bus.w_data):
                for bit in range(len(samples)):
                    with m.Case(1 << bit):
                        m.d.sync += samples.eq(1 << bit)
        m.d.sync += self.bus.r_data.eq(samples)
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en)
        return m


def chosen(samples, values):
    """Of some values, one for each bit of :py:`samples`, that of the one bit that is set."""
    return reduce(or_, (value & bit.replicate(len(value))
                        for bit, value in zip(samples, values, strict=True)))


def weighed(value, samples):
    """What a count of :py:`samples` stands for among the most that there can be of them.

    That is the count times as many as each sample stands for: a shift, chosen by the one bit of
    :py:`samples` that is set.
    """
    top = len(samples) - 1
    return chosen(samples, [value.shift_left(top - bit) for bit in range(top + 1)])
