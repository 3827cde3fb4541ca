"""Pixels to planes of bits."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

import model.encoder
import model.stochastic

from .stochastic import Stochastic


__all__ = ["BitSerial", "Threshold", "encoder", "buffered_after"]


class BitSerial(wiring.Component):
    """A pixel's own bits, most significant first.

    Computes what :class:`model.encoder.BitSerial` computes: each word of pixels becomes as many
    words of bits as a pixel has bits. The throughput is one word out a cycle; combinational from
    input to output, and back.

    Parameters
    ----------
    spec : :class:`model.encoder.BitSerial`
        Width of a pixel.
    simd : :class:`int`
        Pixels in a word.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(spec.bits, simd)))`
        Pixels.
    o : :py:`Out(stream.Signature(simd))`
        One bit of each.
    """

    def __init__(self, spec, *, simd):
        self._spec = spec
        self._simd = simd
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(spec.bits, simd))),
            "o": Out(stream.Signature(simd)),
        })

    def elaborate(self, platform):
        m = Module()
        plane = Signal(range(self._spec.planes))
        last  = plane == self._spec.planes - 1
        m.d.comb += self.o.valid.eq(self.i.valid)
        m.d.comb += self.i.ready.eq(self.o.ready & last)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += plane.eq(Mux(last, 0, plane + 1))
        with m.Switch(plane):
            for p in range(self._spec.planes):
                with m.Case(p):
                    for n in range(self._simd):
                        bit = self._spec.bits - 1 - p
                        m.d.comb += self.o.payload[n].eq(self.i.payload[n][bit])
        return m


class Threshold(wiring.Component):
    """One bit a pixel: whether it reaches a level.

    Computes what :class:`model.encoder.Threshold` computes. The throughput is one word a cycle;
    combinational from input to output, and back.

    Parameters
    ----------
    spec : :class:`model.encoder.Threshold`
        Level, and width of a pixel.
    simd : :class:`int`
        Pixels in a word.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(spec.bits, simd)))`
        Pixels.
    o : :py:`Out(stream.Signature(simd))`
        One bit of each.
    """

    def __init__(self, spec, *, simd):
        self._spec = spec
        self._simd = simd
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(spec.bits, simd))),
            "o": Out(stream.Signature(simd)),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.valid.eq(self.i.valid)
        m.d.comb += self.i.ready.eq(self.o.ready)
        for n in range(self._simd):
            m.d.comb += self.o.payload[n].eq(self.i.payload[n] >= self._spec.level)
        return m


def encoder(spec, *, simd, inputs, batch=1, times=None):
    """The component that computes what the golden model's encoder :py:`spec` computes.

    It takes :py:`simd` pixels of each of :py:`batch` vectors at once, of :py:`inputs` pixels each;
    and :py:`times` times for each sample, where samples are kept apart, or else None.
    """
    if isinstance(spec, model.stochastic.Stochastic):
        return Stochastic(spec, simd=simd, inputs=inputs, batch=batch, times=times)
    kinds = {model.encoder.BitSerial: BitSerial, model.encoder.Threshold: Threshold}
    return kinds[type(spec)](spec, simd=simd * batch)


def buffered_after(spec):
    """Whether the input buffer comes after the encoder, which is wherever it is smaller."""
    return spec.planes == 1 < spec.bits
