"""Small adders laid end to end in long carry chains.

A number is a list of bits, lowest first, and a bit a tuple of one or two values of which it is the
exclusive or: cells that can take both spare its gate.
"""

from functools import reduce
from operator import xor

from amaranth import *


__all__ = ["Addition", "in_chains", "in_tables", "load_or_add", "pack", "value"]


class Addition:
    """Two numbers and a carry to be added up.

    Parameters
    ----------
    a, b : list of bits
        Numbers; :py:`b` has no more bits than :py:`a`.
    carry : bit, or None
        What is added to them.
    """

    def __init__(self, a, b, carry):
        self.a, self.b, self.carry = a, b, carry

    @property
    def cells(self):
        """Cells of a carry chain: one for each bit of the sum."""
        return len(self.a) + 1


def pack(additions, chain):
    """Put additions into chains of at most :py:`chain` cells, but for those that need more.

    One cell begins a chain. The cell that hands out an adder's carry hands in the carry of the
    next one, which therefore costs nothing.
    """
    chains, cells = [], chain
    for addition in additions:
        if cells + addition.cells > chain:
            chains.append([])
            cells = 1
        chains[-1].append(addition)
        cells += addition.cells
    return chains


def value(bit):
    """What a bit is."""
    return reduce(xor, bit)


def in_tables(addition):
    """Sum of two bits and a carry, by two look-up tables which take one exclusive or in."""
    (a,), (b,) = addition.a, addition.b
    a, b, carry = value(a), value(b), value(addition.carry) if addition.carry else C(0, 1)
    return Cat(a ^ b ^ carry, a & b | carry & (a ^ b))


def in_chains(m, additions, family):
    """Sums of additions that share a chain: a value for each."""
    return {"ecp5": of_ccu2c, "ice40": of_sb_carry}.get(family, of_sums)(m, additions)


def of_sb_carry(m, additions):
    """A chain of iCE40, as :func:`of_sums` has it, and what leaves at its end.

    The last carry goes through a look-up table. Without, a register behind it could not share that
    cell, and nextpnr would bring the carry out with a cell of its own.
    """
    *sums, last = of_sums(m, additions)
    top = Signal()
    m.submodules += Instance("SB_LUT4", p_LUT_INIT=C(0xff00, 16), i_I0=C(0, 1), i_I1=C(0, 1),
                             i_I2=C(0, 1), i_I3=last[-1], o_O=top)
    return [*sums, Cat(last[:-1], top)]


def of_sums(m, additions):
    """A chain as one wide sum, of which synthesizers make the chain."""
    a, b, places = [], [], []
    for addition in additions:
        # Two bits alike hand a carry in, whatever the sum before them gives, and that one's carry
        # is what they add up to.
        if addition.carry or a:
            a.append(value(addition.carry) if addition.carry else C(0, 1))
            b.append(a[-1])
        places.append(slice(len(a), len(a) + addition.cells))
        for n, bit in enumerate(addition.a):
            a.append(value(bit))
            b.append(value(addition.b[n]) if n < len(addition.b) else C(0, 1))
    total = Signal(len(a) + 1)
    m.d.comb += total.eq(Cat(*a) + Cat(*b))
    return [total[place] for place in places]


def of_ccu2c(m, additions):
    """A chain as cells of ECP5, each of which takes the exclusive ors of two bits in.

    A cell has inputs A to D and a table of them. Where that gives 1, the carry passes and the sum
    is its opposite; elsewhere the sum is the carry, and the next carry is what the table gives for
    A and B while C and D are 0. Inputs that matter to no table are 1, for which no wire is needed.
    """
    cells, places = [], []
    for addition in additions:
        cells.append(cell([addition.carry] if addition.carry else [], alone=True))
        places.append(slice(len(cells), len(cells) + addition.cells))
        for n, bit in enumerate(addition.a):
            cells.append(cell([bit, *addition.b[n:n + 1]]))
    # There is one cell more, which hands the last carry out.
    sums = ccu2c(m, [*cells, cell([])])
    return [sums[place] for place in places]


def ccu2c(m, cells):
    """Sums of cells of ECP5, each a table and its inputs, of which two make a CCU2C."""
    cells = [*cells, *[cell([])] * (len(cells) % 2)]
    sums = Signal(len(cells))
    carry = None
    for n in range(0, len(cells), 2):
        ports = {"o_COUT": Signal()} if n + 2 < len(cells) else {}
        # Nothing looks at the first carry.
        if carry is not None:
            ports["i_CIN"] = carry
        for half, (table, inputs) in enumerate(cells[n:n + 2]):
            ports |= {f"p_INIT{half}": C(table, 16), f"p_INJECT1_{half}": "NO",
                      f"o_S{half}": sums[n + half]}
            ports |= {f"i_{'ABCD'[k]}{half}": given for k, given in enumerate(inputs)}
        m.submodules += Instance("CCU2C", **ports)
        carry = ports.get("o_COUT")
    return sums


def load_or_add(m, held, term, fresh, family):
    """What a register that adds up holds next: :py:`held + term`, or :py:`term` if :py:`fresh`.

    It has as many bits as :py:`held`, which are enough, and takes no more cells than an adder. On
    iCE40 the table behind each carry has an input to spare for :py:`fresh`; whatever the carries
    are then. On ECP5 a cell leaves :py:`held` out, and carries where both are 1, or none, which
    :py:`term` says.
    """
    if family != "ecp5":
        return Mux(fresh, term, held + term)[:len(held)]
    table = sum((index & 1 ^ (index >> 2 & ~index >> 3 & 1)) << index for index in range(16))
    bits = [term[n] if n < len(term) else C(0, 1) for n in range(len(held))]
    sums = ccu2c(m, [cell([]), *((table, [bit, C(1, 1), held[n], fresh])
                                             for n, bit in enumerate(bits))])
    return sums[1:len(held) + 1]


def cell(bits, *, alone=False):
    """Table and inputs of half a CCU2C that adds up one or two bits.

    With :py:`alone`, the carry that comes in is not passed on: the next one is the bit, or 0.
    """
    inputs = [C(1, 1)] * 4
    used = 0
    for n, bit in enumerate(bits):
        inputs[2 * n:2 * n + len(bit)] = bit
        used |= (1 << len(bit)) - 1 << 2 * n
    table = sum(((index & used).bit_count() & 1) << index for index in range(16))
    return table & 0xf if alone else table, inputs
