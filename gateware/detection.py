"""Whether neurons may end early, and how early."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from model.checks import check_range
from model.compend import MOST_FACTOR

from . import bus


__all__ = ["Detection", "word"]


def word(layer):
    """What the register holds for a :class:`model.compend.Compend`.

    Bit 0: neurons may end early; above it the factor of speculation, or 0 where it is exact.
    """
    if layer.detection == "none":
        return 0
    return 1 | (layer.factor << 1 if layer.detection == "speculative" else 0)


class Detection(wiring.Component):
    """A register of how a layer detects, which a host chooses at run time.

    It keeps its value when the accelerator is reset, as memories do. Factors that there are not are
    ignored.

    Parameters
    ----------
    speculative : :class:`bool`
        Whether there is a factor.
    init : :class:`int`
        The register at power-up, as :func:`word` has it.

    Members
    -------
    detect : :py:`Out(1)`
        Whether neurons may end early.
    factor : :py:`Out(range(MOST_FACTOR + 1))`
        As :class:`gateware.compend.Compend` takes it; 0 where there is none.
    bus : :py:`In(bus.Signature(0))`
        The host's access; reads are answered one cycle later.
    """

    def __init__(self, *, speculative, init=1):
        check_range("Detection at power-up", init, 0, 2 * MOST_FACTOR + 1 if speculative else 1)
        self._speculative = speculative
        self._init = init
        super().__init__({
            "detect": Out(1),
            "factor": Out(range(MOST_FACTOR + 1)),
            "bus": In(bus.Signature(0)),
        })

    def elaborate(self, platform):
        m = Module()
        detect = Signal(init=self._init & 1, reset_less=True)
        factor = Signal.like(self.factor, init=self._init >> 1, reset_less=True)
        wanted = self.bus.w_data[1:]
        m.d.comb += [self.detect.eq(detect), self.factor.eq(factor)]
        with m.If(self.bus.w_en & (wanted <= (MOST_FACTOR if self._speculative else 0))):
            m.d.sync += [detect.eq(self.bus.w_data[0]), factor.eq(wanted)]
        m.d.sync += [self.bus.r_data.eq(Cat(detect, factor)), self.bus.r_valid.eq(self.bus.r_en)]
        return m
