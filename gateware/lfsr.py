"""Linear-feedback shift registers that leap forward."""

from functools import reduce
from operator import xor

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


__all__ = ["Lfsr", "leap"]


def leap(spec, state, steps):
    """The state so many steps after :py:`state`: an exclusive or for each bit, of some of its bits.

    Parameters
    ----------
    spec : :class:`model.lfsr.Lfsr`
        Which LFSR.
    state : value
        As many bits as that has.
    steps : :class:`int`
        How many, at least 0.
    """
    matrix = spec.matrix(steps)
    return Cat(reduce(xor, (state[bit] for bit, image in enumerate(matrix) if image >> place & 1))
               for place in range(spec.width))


class Lfsr(wiring.Component):
    """A Galois LFSR that makes :py:`step` steps in each cycle.

    Goes through the states of :class:`model.lfsr.Lfsr`, each so many steps after the one before.
    The throughput is a state a cycle; :py:`o` is a register.

    Parameters
    ----------
    spec : :class:`model.lfsr.Lfsr`
        Width and seed.
    step : :class:`int`
        Steps in a cycle, at least 1.

    Members
    -------
    en : :py:`In(1)`
        Whether it moves.
    restart : :py:`In(1)`
        Whether it goes back to the seed, whatever :py:`en` is.
    o : :py:`Out(spec.width)`
        The state: the seed, from power-up or a restart on.
    """

    def __init__(self, spec, *, step=1):
        if not isinstance(step, int):
            raise TypeError(f"Step must be an integer, not {step!r}")
        if step < 1:
            raise ValueError(f"Step must be at least 1, not {step!r}")
        self._spec = spec
        self._step = step
        super().__init__({"en": In(1), "restart": In(1), "o": Out(spec.width, init=spec.seed)})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.restart):
            m.d.sync += self.o.eq(self._spec.seed)
        with m.Elif(self.en):
            m.d.sync += self.o.eq(leap(self._spec, self.o, self._step))
        return m
