"""An accelerator behind a serial line."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from model.frame import Identity

from . import uart
from .link import Link


__all__ = ["identity", "room", "System"]


ROWS = 256   # of images, and of scores, that the narrowest block RAMs hold at their widest


def room(words, classes, batch):
    """Images of so many words and classes that are kept at once: whole batches, if one fits."""
    images = max(1, ROWS // max(words, classes))
    return images // batch * batch or images


def identity(accelerator, clock_hz):
    """What a host is told of an accelerator behind a link, as a :class:`model.frame.Identity`.

    Parameters
    ----------
    accelerator : :class:`gateware.planned.Planned`
        Or its plan.
    clock_hz : :class:`int`
        Frequency of its clock.
    """
    plan = accelerator.plan
    return Identity(
        hash=plan.hash, clock_hz=clock_hz, control=plan.control_address, inputs=plan.inputs,
        bits=plan.sent_bits, classes=plan.classes, score_bits=plan.score_bits,
        batch=room(plan.words, plan.classes, plan.batch), layers=plan.told, learns=plan.learns)


class System(wiring.Component):
    """All that goes onto a board: two pins, the host link, and an accelerator.

    Parameters
    ----------
    accelerator : :class:`gateware.planned.Planned`
        An accelerator or a trainer.
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
    best : :py:`Out(range(classes))`
        Class of the last image, once there was one.
    any_best : :py:`Out(1)`
        Whether there was.
    loaded : :py:`Out(1)`
        Whether the accelerator has its weights.
    """

    def __init__(self, accelerator, *, divisor, clock_hz):
        self._accelerator = accelerator
        self._divisor = divisor
        told = identity(accelerator, clock_hz)
        self._link = Link(
            told, words=accelerator.words, width=told.bits * accelerator.plan.pixels,
            addr_width=accelerator.bus.signature.addr_width,
            result=accelerator.o.payload.shape())
        super().__init__({
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
            "best": Out(self._link.best.shape()),
            "any_best": Out(1),
            "loaded": Out(1),
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
        accelerator = self._accelerator
        m.submodules.accelerator = ResetInserter(link.reset)(accelerator)

        m.d.comb += receiver.rx.eq(self.rx)
        m.d.comb += self.tx.eq(transmitter.tx)
        m.d.comb += link.lost.eq(receiver.error)
        m.d.comb += link.loaded.eq(accelerator.loaded)
        wiring.connect(m, receiver.o, link.i)
        wiring.connect(m, link.o, transmitter.i)
        wiring.connect(m, link.bus, accelerator.bus)
        m.d.comb += self.best.eq(link.best)
        m.d.comb += self.any_best.eq(link.any_best)
        m.d.comb += self.loaded.eq(accelerator.loaded)
        # A pixel of which only one bit is sent is all ones or all zeros.
        m.d.comb += accelerator.i.valid.eq(link.pixels.valid)
        m.d.comb += link.pixels.ready.eq(accelerator.i.ready)
        bits, pixels = self.identity.bits, accelerator.i.payload
        if accelerator.plan.batch > 1:
            m.d.comb += pixels.last.eq(link.last)
            pixels = pixels.pixels
        for n, pixel in enumerate(pixels):
            sent = link.pixels.payload.word_select(n, bits)
            m.d.comb += Value.cast(pixel).eq(sent.replicate(len(Value.cast(pixel))))
        wiring.connect(m, accelerator.o, link.scores)

        return m
