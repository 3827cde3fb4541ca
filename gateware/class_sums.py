"""Scores of classes, from rows of counters and signs of hidden neurons."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from model.checks import check_range


__all__ = ["ClassSums"]


class ClassSums(wiring.Component):
    """Adds up rows of counters, each with a sign: a score for each class.

    A word of rows a cycle; :py:`scores` have it in the second cycle after it, and are zeros in the
    one after the first.

    Parameters
    ----------
    rows, classes, bits : :class:`int`
        Rows in a word, counters in a row, and bits of each.
    few : :class:`int`
        Rows of a word that has fewer.
    score_bits : :class:`int`
        Bits of a score, its sign among them.
    signs : :class:`bool`
        Whether counters are taken for their signs, +1 from 0 on, and −1.

    Members
    -------
    counters : :py:`In(data.ArrayLayout(data.ArrayLayout(signed(bits), classes), rows))`
        A word.
    signs : :py:`In(rows)`
        Which rows are added, rather than taken away.
    en : :py:`In(1)`
        Whether the word is.
    first : :py:`In(1)`
        Whether scores begin with it.
    last : :py:`In(1)`
        Whether it has but few rows.
    scores : :py:`Out(data.ArrayLayout(signed(score_bits), classes))`
        The scores.
    """

    def __init__(self, *, rows, classes, bits, few, score_bits, signs=False):
        for name, value in (("Rows", rows), ("Classes", classes), ("Bits of a score", score_bits)):
            check_range(name, value, 1)
        check_range("Bits", bits, 2)
        check_range("Rows of a word that has fewer", few, 1, rows)
        self._rows, self._few, self._signs = rows, few, signs
        super().__init__({
            "counters": In(data.ArrayLayout(data.ArrayLayout(signed(bits), classes), rows)),
            "signs": In(rows),
            "en": In(1),
            "first": In(1),
            "last": In(1),
            "scores": Out(data.ArrayLayout(signed(score_bits), classes)),
        })

    def elaborate(self, platform):
        m = Module()
        en = Signal()
        m.d.sync += en.eq(self.en)
        for k, score in enumerate(self.scores):
            terms = []
            for row in range(self._rows):
                counter = self.counters[row][k]
                minus = ~self.signs[row]
                # To take away is to add the opposite, and one more.
                term = Cat(1, counter[-1] ^ minus).as_signed() if self._signs else \
                    (counter.as_unsigned() ^ minus.replicate(len(counter))).as_signed() + minus
                terms.append(Mux(self.last, 0, term) if row >= self._few else term)
            word = Signal(signed(len(score)), name=f"word_{k}")
            m.d.sync += word.eq(sum(terms))
            with m.If(en):
                m.d.sync += score.eq(score + word)
            with m.If(self.en & self.first):
                m.d.sync += score.eq(0)
        return m
