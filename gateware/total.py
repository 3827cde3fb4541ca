"""Sum of several numbers."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from model.checks import check_range

from .carry_chain import Addition, in_chains
from .family import family


__all__ = ["Total", "stages"]


def stages(count, levels):
    """Registers on the way: one after every :py:`levels` levels of adders; none where that is 0."""
    return -(-ceil_log2(count) // levels) if levels else 0


class Total(wiring.Component):
    """Adds up :py:`count` numbers, two by two. One sum a cycle, :func:`stages` cycles later.

    Parameters
    ----------
    count, bits : :class:`int`
        How many numbers, and bits of each.
    levels : :class:`int`
        Adders between registers.

    Members
    -------
    i : :py:`In(data.ArrayLayout(bits, count))`
        The numbers.
    o : :py:`Out(range(count * (2 ** bits - 1) + 1))`
        Their sum.
    """

    def __init__(self, *, count, bits, levels=0):
        check_range("Numbers", count, 1)
        check_range("Bits", bits, 1)
        check_range("Levels", levels, 0)
        self._count = count
        self._bits = bits
        self._levels = levels
        super().__init__({
            "i": In(data.ArrayLayout(bits, count)),
            "o": Out(range(count * (2 ** bits - 1) + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        cells = family(platform)
        # Of each number how many it is the sum of, which says how great it may be.
        numbers = [(self.i[n], 1) for n in range(self._count)]
        level = 0
        while len(numbers) > 1:
            level += 1
            last = len(numbers) <= 2
            added = []
            for n in range(0, len(numbers), 2):
                (value, weight), *others = numbers[n:n + 2]
                for other, more in others:
                    # Yosys would make adders of three numbers of a sum, which take more tables.
                    value, = in_chains(m, [Addition(bits_of(value), bits_of(other), None)], cells)
                    weight += more
                number = Signal(range(weight * (2 ** self._bits - 1) + 1), name=f"sum_{level}_{n}")
                registered = self._levels and (level % self._levels == 0 or last)
                domain = m.d.sync if registered else m.d.comb
                domain += number.eq(value)
                added.append((number, weight))
            numbers = added
        m.d.comb += self.o.eq(numbers[0][0])
        return m


def bits_of(value):
    """A number as :mod:`gateware.carry_chain` has it."""
    return [(bit,) for bit in Value.cast(value)]
