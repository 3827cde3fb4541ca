"""A first layer's neuron that takes whole pixels, for others to be measured against."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data

from gateware.folding import Folding
from model.encoder import BitSerial

from .neuron import Neuron


__all__ = ["FixedPoint"]


class FixedPoint(Neuron):
    """A neuron of binary weights whose words are pixels of so many bits, added up as numbers.

    A pixel of weight +1 is added and one of −1 taken away. That is done by inverting it, so that
    2ᵇ − 1 − p is added for −p: the sum is that of the pixel's planes over the same weights, which
    :meth:`model.accumulate.Accumulate.sums` gives for :class:`model.encoder.BitSerial`, and what
    it is too large by goes into the threshold, once for each neuron.

    Parameters
    ----------
    inputs : :class:`int`
        Pixels of an image.
    lanes : :class:`int`
        Pixels in a word, at most :py:`inputs`. Zeros of weight +1 fill up the last word.
    bits : :class:`int`
        Width of a pixel, 1 to 16.

    Members
    -------
    As :class:`bench.neuron.Neuron` has them, but :py:`weigh` and :py:`fresh`; :py:`x` is
    ``data.ArrayLayout(bits, lanes)``.
    """

    def __init__(self, *, inputs: int, lanes: int, bits: int = 8) -> None:
        self.bits = bits
        super().__init__(Folding(inputs, 1, BitSerial(bits).gains, 1, lanes))

    @property
    def serial(self) -> bool:
        return False

    @property
    def word(self) -> Any:
        return data.ArrayLayout(self.bits, self.folding.simd)

    @property
    def words(self) -> int:
        return int(self.folding.folds)

    @property
    def xnors(self) -> int:
        return int(self.folding.simd) * self.bits

    @property
    def adders(self) -> int:
        def below(lanes: int) -> tuple[int, int]:
            """Bits of the sum of so many pixels, and full adders that it takes."""
            if lanes == 1:
                return self.bits, 0
            (a, left), (b, right) = below(lanes // 2), below(lanes - lanes // 2)
            return max(a, b) + 1, left + right + max(a, b)

        return below(self.folding.simd)[1]

    @property
    def sum_bits(self) -> int:
        return self.words * len(self.sum)

    def total(self, m: Module) -> Any:
        def tree(terms: list[Any]) -> Any:
            half = len(terms) // 2
            return tree(terms[:half]) + tree(terms[half:]) if half else terms[0]

        terms = [self.x[n] ^ ~self.w[n].replicate(self.bits) for n in range(self.folding.simd)]
        # As popcounts have one.
        total = Signal(range(self.folding.simd * (2 ** self.bits - 1) + 1), reset_less=True)
        with m.If(self.en):
            m.d.sync += total.eq(tree(terms))
        return total
