"""Crossbar of binary cells."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .adder_tree import stages
from .memories import Store, latency
from .popcount import Popcount


__all__ = ["Crossbar"]


class Crossbar(wiring.Component):
    """Word lines crossing bit lines, with one binary weight in each cell; senses a part at a time.

    Computes what :class:`model.crossbar.Crossbar` computes, for :py:`simd` word lines and
    :py:`pe` bit lines in each cycle, and for :py:`batch` vectors at once, which share the weights.
    A row of the memory holds the weights of all those cells: those of the first bit line lowest,
    and in them the first word line lowest. The throughput is one row a cycle and the latency
    :py:`latency` cycles, counted in cycles in which :py:`en` is high: those of the memory, 1 or 2,
    and those of the popcounts. Which row is next is up to whoever drives :py:`row`.

    Cells are programmed over :py:`bus`, in words of 32 bits: one write programs a word, and one to
    each word of a row the whole row; a read gives a word back. :meth:`gateware.bus.Region.address`
    says at which address. Counts are exact; :class:`gateware.sense.Sense` is for tiles whose are
    not.

    Parameters
    ----------
    simd, pe : :class:`int`
        Word lines and bit lines in a row.
    rows : :class:`int`
        Number of rows.
    init : list of :class:`int`, or None
        Rows at power-up.
    storage : :class:`str`
        Kind of memory, as :class:`gateware.memories.Store` has it.
    levels : :class:`int`
        Adders between registers, as :class:`gateware.popcount.Popcount` has it.
    batch : :class:`int`
        Vectors that meet each row.
    shared : :class:`bool`
        Whether there is one more bit line, whose cells come with the bits. Not with a batch.

    Members
    -------
    en : :py:`In(1)`
        Whether the pipeline moves.
    row : :py:`In(range(rows))`
        Row to sense.
    x : :py:`In(simd * batch)`
        Bits on the word lines, first vector lowest.
    o : :py:`Out(data.ArrayLayout(range(simd + 1), pe * batch))`
        Cells that agree, on each bit line; those of the first vector lowest.
    shared : :py:`In(simd)`
        Cells of the further bit line. Not where there is none.
    o_shared : :py:`Out(range(simd + 1))`
        Cells of it that agree. Not where there is none.
    bus : :py:`In(bus.Signature(addr_width))`
        The host's access to the weights, while the pipeline is idle.
    """

    def __init__(self, *, simd, pe, rows, init=None, storage="block", levels=0, batch=1,
                 shared=False):
        self._simd = simd
        self._pe   = pe
        self._batch = batch
        self._init = init
        self._storage = storage
        self._levels = levels
        self._shared = shared
        self._region = bus.Region(simd * pe, rows)
        super().__init__({
            **({"shared": In(simd), "o_shared": Out(range(simd + 1))}
               if shared else {}),
            "en": In(1),
            "row": In(range(rows)),
            "x": In(simd * batch),
            "o": Out(data.ArrayLayout(range(simd + 1), pe * batch)),
            "bus": In(bus.Signature(self._region.addr_width)),
        })

    @property
    def latency(self):
        return latency(self._storage) + stages(self._simd, self._levels)

    def elaborate(self, platform):
        m = Module()
        m.submodules.weights = weights = Store(
            width=self._region.width, depth=self._region.depth, init=self._init,
            storage=self._storage)
        wiring.connect(m, wiring.flipped(self.bus), weights.bus)
        m.d.comb += weights.en.eq(self.en)
        m.d.comb += weights.addr.eq(self.row)

        # The memory takes its time to answer, and so the inputs wait that long too, each as its
        # opposite: popcounts count differences.
        x = ~self.x
        for n in range(weights.latency):
            delayed = Signal.like(self.x, name=f"x_{n}")
            with m.If(self.en):
                m.d.sync += delayed.eq(x)
            x = delayed

        constant = self._storage == "logic" and self._region.depth == 1
        for n in range(self._pe * self._batch):
            m.submodules[f"popcount_{n}"] = popcount = Popcount(
                self._simd, levels=self._levels, constant=constant)
            m.d.comb += popcount.en.eq(self.en)
            m.d.comb += popcount.x.eq(x.word_select(n // self._pe, self._simd))
            m.d.comb += popcount.w.eq(weights.data.word_select(n % self._pe, self._simd))
            m.d.comb += self.o[n].eq(popcount.o)
        if self._shared:
            cells = self.shared
            for n in range(weights.latency):
                delayed = Signal.like(self.shared, name=f"shared_{n}")
                with m.If(self.en):
                    m.d.sync += delayed.eq(cells)
                cells = delayed
            m.submodules.popcount_shared = popcount = Popcount(self._simd, levels=self._levels)
            m.d.comb += popcount.en.eq(self.en)
            m.d.comb += popcount.x.eq(x)
            m.d.comb += popcount.w.eq(cells)
            m.d.comb += self.o_shared.eq(popcount.o)
        return m
