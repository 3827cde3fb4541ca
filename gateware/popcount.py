"""Counting the places in which two words differ."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .adder_tree import adder_tree, stages
from .carry_chain import Addition, in_chains, in_tables, pack, value
from .family import Target, family


__all__ = ["Popcount"]


# Cells of a chain: without registers between adders, and with them, where it limits the frequency.
LONGEST = 64
CHAINS  = {"generic": 16, "ice40": 16, "ecp5": 32}


class Popcount(wiring.Component):
    """XOR and count: on how many of its places a word of inputs differs from a word of weights.

    The throughput is one word a cycle and the latency :py:`latency` cycles, counted in cycles in
    which :py:`en` is high. All families give the same in every cycle, so that one can take
    another's place, and so can whatever counts faster in some simulator.

    The adders are those of :func:`gateware.adder_tree.adder_tree`, laid end to end in carry chains
    by :mod:`gateware.carry_chain`. ECP5 has carry cells that find the differences as well. For
    other families the first level of adders is made of look-up tables, which find a third of them.

    Parameters
    ----------
    width : :class:`int`
        Bits in a word, at least 1.
    levels : :class:`int`
        Adders between registers, at least 1; or 0 for no more registers than the last one.
    chain : :class:`int`, or None
        Cells of a carry chain, at least 2: more take less area, and longer. If None,
        :data:`LONGEST` where :py:`levels` is 0, and what :data:`CHAINS` has otherwise.
    constant : :class:`bool`
        Whether the weights never change. The first adders are look-up tables then, of which those
        that several popcounts have in common are made once.
    family : :class:`str`, or None
        One of :data:`gateware.family.FAMILIES`; that of the platform if None.

    Members
    -------
    en : :py:`In(1)`
        While low, nothing moves, and :py:`o` holds.
    x : :py:`In(width)`
        Inputs.
    w : :py:`In(width)`
        Weights.
    o : :py:`Out(range(width + 1))`
        Number of differences.
    """

    def __init__(self, width, *, levels=0, chain=None, constant=False, family=None):
        for name, given, least in (("Width", width, 1), ("Levels", levels, 0),
                                   ("Chain", LONGEST if chain is None else chain, 2)):
            if not isinstance(given, int):
                raise TypeError(f"{name} must be an integer, not {given!r}")
            if given < least:
                raise ValueError(f"{name} must be at least {least}, not {given!r}")
        self._width = width
        self._levels = levels
        self._chain = chain
        self._constant = constant
        self._family = family and Target(family).family
        super().__init__({
            "en": In(1),
            "x": In(width),
            "w": In(width),
            "o": Out(range(width + 1)),
        })

    @property
    def width(self):
        return self._width

    @property
    def latency(self):
        return stages(self._width, self._levels)

    def elaborate(self, platform):
        m = Module()
        cells = self._family or family(platform)
        tables = cells != "ecp5" or self._constant
        length = self._chain or (CHAINS[cells] if self._levels else LONGEST)

        def register(bits, name):
            # No reset: what is counted before the first valid word is never looked at, and the
            # ports of the module are then its members and a clock.
            held = Signal(len(bits), name=name, reset_less=True)
            with m.If(self.en):
                m.d.sync += held.eq(bits)
            return held

        # What no adder has taken yet: bits of the word by their place, and sums by their adder.
        differ = Signal(self._width)
        m.d.comb += differ.eq(self.x ^ self.w)
        numbers = {n: [(differ[n],) if tables else (self.x[n], self.w[n])]
                   for n in range(self._width)}
        tree = adder_tree(self._width)
        for level, adders in enumerate(tree, 1):
            additions = [Addition(numbers.pop(adder.a), numbers.pop(adder.b),
                                  *numbers.pop(adder.carry, [None])) for adder in adders]
            if tables and level == 1:
                sums = [in_tables(addition) for addition in additions]
            else:
                sums = [each for chain in pack(additions, length)
                        for each in in_chains(m, chain, cells)]
            numbers |= {adder: [(bit,) for bit in sums[n]] for n, adder in enumerate(adders)}
            if level < len(tree) and self._levels and level % self._levels == 0:
                held = iter(register(Cat(numbers.values()), f"level_{level}"))
                numbers = {key: [tuple(next(held) for _ in bit) for bit in number]
                           for key, number in numbers.items()}
        count, = numbers.values()
        m.d.comb += self.o.eq(register(Cat(value(bit) for bit in count), "count"))
        return m
