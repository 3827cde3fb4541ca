"""Sums of the counters that active rows drive."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from model.checks import check_range


__all__ = ["HiddenSums"]


class HiddenSums(wiring.Component):
    """Adds up words of counters, and tells signs of the sums, and which are near zero.

    A word a cycle; :py:`signs` and :py:`near` are those of the sums one cycle later, and stay while
    nothing is added.

    Parameters
    ----------
    count, bits : :class:`int`
        Counters in a word, and bits of each.
    sum_bits : :class:`int`
        Bits of a sum, its sign among them.
    filter : :class:`int`
        A power of two: sums from its opposite on are near zero, and below it.
    signs : :class:`bool`
        Whether counters are taken for their signs, +1 from 0 on, and −1.

    Members
    -------
    counters : :py:`In(data.ArrayLayout(signed(bits), count))`
        A word.
    en : :py:`In(1)`
        Whether it is added.
    clear : :py:`In(1)`
        Whether sums begin anew with the next one; none is added then.
    signs : :py:`Out(count)`
        Which sums are not negative.
    near : :py:`Out(count)`
        Which are near zero.
    """

    def __init__(self, *, count, bits, sum_bits, filter, signs=False):
        check_range("Counters", count, 1)
        check_range("Bits", bits, 2)
        check_range("Bits of a sum", sum_bits, 2)
        check_range("Filter", filter, 1)
        if filter.bit_count() != 1:
            raise ValueError(f"Filter must be a power of two, not {filter!r}")
        self._sum_bits = sum_bits
        self._filter = filter
        self._signs = signs
        super().__init__({
            "counters": In(data.ArrayLayout(signed(bits), count)),
            "en": In(1),
            "clear": In(1),
            "signs": Out(count),
            "near": Out(count),
        })

    def elaborate(self, platform):
        m = Module()
        place = self._filter.bit_length() - 1
        for n, counter in enumerate(self.counters):
            total = Signal(signed(self._sum_bits), name=f"sum_{n}")
            value = Cat(1, counter[-1]).as_signed() if self._signs else counter
            with m.If(self.en):
                m.d.sync += total.eq(total + value)
            with m.If(self.clear):
                m.d.sync += total.eq(0)
            # Of a sum near zero all bits from the filter's on are as its sign.
            high = total[place:]
            m.d.comb += [self.signs[n].eq(~total[-1]),
                         self.near[n].eq(high.all() | ~high.any())]
        return m
