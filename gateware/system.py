"""An accelerator behind a serial line."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from model.frame import Identity

from . import uart
from .link import Link


__all__ = ["System"]


class System(wiring.Component):
    """All that goes onto a board: two pins, the host link, and an accelerator.

    Parameters
    ----------
    accelerator : :class:`gateware.accelerator.Accelerator`
        Or any component with its ports, :py:`words` and :py:`hash`.
    divisor : :class:`int`
        Clocks a bit of the serial line. At least 4.
    clock_hz : :class:`int`
        Frequency of the clock, for hosts that ask.

    Members
    -------
    rx : :py:`In(1, init=1)`
        From the host.
    tx : :py:`Out(1, init=1)`
        To the host.
    """

    def __init__(self, accelerator, *, divisor, clock_hz):
        self._accelerator = accelerator
        self._divisor = divisor
        pixels, result = accelerator.i.payload.shape(), accelerator.o.payload.shape()
        self._link = Link(
            Identity(hash=accelerator.hash, clock_hz=clock_hz, words=accelerator.words,
                     simd=pixels.length, bits=Shape.cast(pixels.elem_shape).width,
                     classes=len(result["best"].shape)),
            addr_width=accelerator.bus.signature.addr_width, result=result)
        super().__init__({
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
        })

    @property
    def accelerator(self):
        return self._accelerator

    @property
    def divisor(self):
        return self._divisor

    @property
    def identity(self):
        """What the link answers to IDENTIFY, as a :class:`model.frame.Identity`."""
        return self._link.identity

    def elaborate(self, platform):
        m = Module()

        m.submodules.receiver = receiver = uart.Receiver(divisor=self._divisor)
        m.submodules.transmitter = transmitter = uart.Transmitter(divisor=self._divisor)
        m.submodules.link = link = self._link
        m.submodules.accelerator = accelerator = self._accelerator

        m.d.comb += receiver.rx.eq(self.rx)
        m.d.comb += self.tx.eq(transmitter.tx)
        m.d.comb += link.lost.eq(receiver.error)
        m.d.comb += link.loaded.eq(accelerator.loaded)
        wiring.connect(m, receiver.o, link.i)
        wiring.connect(m, link.o, transmitter.i)
        wiring.connect(m, link.bus, accelerator.bus)
        wiring.connect(m, link.pixels, accelerator.i)
        wiring.connect(m, accelerator.o, link.scores)

        return m
