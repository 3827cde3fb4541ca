"""One neuron by itself, as a layer has many of them."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateware.adder_tree import adder_tree
from gateware.carry_chain import load_or_add
from gateware.events import events
from gateware.family import family as family_of
from gateware.folding import Folding
from gateware.mapping import Mapping
from gateware.popcount import Popcount


__all__ = ["Neuron"]


class Neuron(wiring.Component):
    """A neuron of :class:`gateware.accumulate.Accumulate` and its comparison with a threshold.

    Weights and threshold come from ports, and so does what tells a register to move: a layer has
    one memory of each and one sequencer for all of its neurons. A word that is taken in one cycle
    is counted in the next; where planes are weighed, its counts are added up first.

    Parameters
    ----------
    folding : :class:`gateware.folding.Folding`
        Inputs of the neuron, how many of them come in a word, and weights of their planes.

    Members
    -------
    en : :py:`In(1)`
        Whether a word is taken.
    x : :py:`In(folding.simd)`
        A plane of its inputs.
    w : :py:`In(folding.simd)`
        Its weights.
    weigh, fresh : :py:`In(1)`
        Whether the count of the word before is added to twice the one of the planes before it, and
        whether there are none. Where planes weigh the same, there is neither member.
    add, first : :py:`In(1)`
        Whether that is added to the sum, and whether it is the sum's first.
    threshold : :py:`In(folding.threshold_bits)`
        What the sum has to reach.
    sum : :py:`Out(range(folding.top + 1))`
        Weighted agreements, as :meth:`model.accumulate.Accumulate.sums` has them.
    o : :py:`Out(1)`
        Whether they reach the threshold.
    """

    def __init__(self, folding: Folding) -> None:
        self.folding = folding
        weighing = {"weigh": In(1), "fresh": In(1)} if self.serial else {}
        super().__init__({
            "en": In(1), "x": In(self.word), "w": In(folding.simd), **weighing,
            "add": In(1), "first": In(1), "threshold": In(folding.threshold_bits),
            "sum": Out(range(folding.top + 1)), "o": Out(1)})

    @property
    def serial(self) -> bool:
        """Whether planes are weighed one after another."""
        return bool(self.folding.serial)

    @property
    def word(self) -> Any:
        """Shape of a word of inputs."""
        return self.folding.simd

    @property
    def words(self) -> int:
        """Words of an image, and so the cycles that it takes."""
        return int(self.folding.beats)

    @property
    def xnors(self) -> int:
        """Exclusive nors of a word."""
        return int(self.folding.simd)

    @property
    def adders(self) -> int:
        """Full adders between a word and its total."""
        return sum(adder.level for level in adder_tree(self.folding.simd) for adder in level)

    @property
    def sum_bits(self) -> int:
        """Bits of additions to what is kept between the words of an image."""
        return int(events(Mapping((self.folding,)))[0].addition_bits)

    def total(self, m: Module) -> Any:
        """The register of a word's total."""
        m.submodules.popcount = popcount = Popcount(self.folding.simd)
        # It counts differences.
        m.d.comb += [popcount.en.eq(self.en), popcount.x.eq(~self.x), popcount.w.eq(self.w)]
        return popcount.o

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        folding, cells = self.folding, family_of(platform)
        term = self.total(m)
        if self.serial:
            part = Signal(range(folding.simd * sum(folding.gains) + 1))
            with m.If(self.weigh):
                m.d.sync += part.eq(load_or_add(m, part << 1, term, self.fresh, cells))
            term = part
        with m.If(self.add):
            m.d.sync += self.sum.eq(load_or_add(m, self.sum, term, self.first, cells))
        m.d.comb += self.o.eq(self.sum >= self.threshold)
        return m
