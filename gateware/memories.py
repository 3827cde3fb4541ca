"""Memories whose contents are the network's parameters."""

from functools import reduce
from operator import or_

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from . import bus, spram, wide
from .spram import Spram
from .wide import Wide


__all__ = ["STORAGE", "Store", "attributes", "check", "latency"]


STORAGE = ("auto", "block", "distributed", "logic", "spram", "wide")

MOST_FLIP_FLOPS = 32   # of a memory, rather than a block RAM, on iCE40

PART = 8   # words of a wide row that are chosen from in one cycle


def check(storage, width, depth):
    """:exc:`ValueError` where there is no such memory."""
    if storage not in STORAGE:
        raise ValueError(f"Storage must be one of {', '.join(STORAGE)}, not {storage!r}")
    if storage == "spram":
        spram.check(width, depth)
    if storage == "wide":
        wide.check(depth)


def latency(storage):
    """Cycles from an address to its row, in a kind of memory."""
    return Wide.latency if storage == "wide" else 1


def attributes(width, depth, family):
    """Those of a memory that the synthesizer puts where it costs less.

    On iCE40 Yosys makes flip-flops of some that take more look-up tables than a block is worth.
    """
    block = family == "ice40" and width * depth > MOST_FLIP_FLOPS
    return {"ram_style": "block"} if block else {}


class Store(wiring.Component):
    """Memory that the datapath reads by the row and a host writes and reads over the bus.

    A row appears on :py:`data` :py:`latency` cycles after its address, counted in cycles in which
    :py:`en` is high, and stays while it is low: 1 cycle, or 2 in ``"wide"`` storage. The host's
    reads take the same port, since a second one would double the block RAM, and in SPRAM its writes
    do too: a host accesses a store only while the datapath is idle, and what :py:`data` is after
    that is undefined until a row was read.

    The memory is cut into one of 32 bits for each of the bus's words in a row. That costs nothing,
    because block RAM is no wider, and spares a register as wide as a row to collect a write in.
    Where block RAM is wider, :class:`gateware.wide.Wide` says how the words share it; a host writes
    all words of such a row, and in ascending order.

    Parameters
    ----------
    width, depth : :class:`int`
        Bits in a row, and number of rows.
    init : list of :class:`int`, or None
        Contents at power-up; zeros if None. SPRAM has none.
    storage : :class:`str`
        ``"block"``, ``"distributed"`` or ``"auto"`` (the synthesizer decides); ``"logic"`` bakes
        :py:`init` into look-up tables and ignores writes; ``"spram"`` is
        :class:`gateware.spram.Spram`, and ``"wide"`` :class:`gateware.wide.Wide`.

    Members
    -------
    en : :py:`In(1)`
        Whether to read.
    addr : :py:`In(range(depth))`
        Row to read.
    data : :py:`Out(width)`
        The row that was read.
    bus : :py:`In(bus.Signature(addr_width))`
        Access for the host; reads are answered one cycle later, or three in ``"wide"`` storage.
    """

    def __init__(self, *, width, depth, init=None, storage="auto"):
        check(storage, width, depth)
        if storage == "logic" and init is None:
            raise ValueError("Storage in logic must have initial contents, not None")
        if storage == "spram" and init is not None:
            raise ValueError("Storage in SPRAM must have no initial contents, since the cells "
                             "wake up with any: a host writes them")
        region = bus.Region(width, depth)
        self._region = region
        self._init = [0] * depth if init is None else list(init)
        self._storage = storage
        if len(self._init) != depth:
            raise ValueError(f"Initial contents must be {depth} rows, not {len(self._init)}")
        super().__init__({
            "en": In(1),
            "addr": In(range(depth)),
            "data": Out(width),
            "bus": In(bus.Signature(region.addr_width)),
        })

    @property
    def region(self):
        """Size of the store on the bus, as a :class:`gateware.bus.Region` at address 0."""
        return self._region

    @property
    def latency(self):
        """Cycles from an address to its row."""
        return latency(self._storage)

    def elaborate(self, platform):
        m = Module()
        chunk = self.bus.addr[:self._region.chunk_bits]
        row   = self.bus.addr[self._region.chunk_bits:]
        w_en  = Signal(self._region.chunks)
        for n in range(self._region.chunks):
            m.d.comb += w_en[n].eq(self.bus.w_en & (chunk == n))
        kinds = {"spram": self._spram, "wide": self._wide}
        kinds.get(self._storage, self._cells)(m, chunk, row, w_en)
        return m

    def _word(self, n):
        """Where a word of the bus is in a row."""
        return slice(n * bus.WORD, min((n + 1) * bus.WORD, self._region.width))

    def _cells(self, m, chunk, row, w_en):
        attrs = {} if self._storage == "auto" else {"ram_style": self._storage}
        en, addr = Signal(), Signal.like(self.addr)
        m.d.comb += en.eq(self.en | self.bus.r_en)
        m.d.comb += addr.eq(Mux(self.bus.r_en, row, self.addr))
        for n in range(self._region.chunks):
            word = self._word(n)
            width = word.stop - word.start
            rows = [each >> word.start & (1 << width) - 1 for each in self._init]
            cells = memory.Memory(shape=width, depth=self._region.depth, init=rows, attrs=attrs)
            m.submodules[f"cells_{n}"] = cells
            r_port = cells.read_port()
            m.d.comb += r_port.en.eq(en)
            m.d.comb += r_port.addr.eq(addr)
            m.d.comb += self.data[word].eq(r_port.data)
            if self._storage != "logic":
                w_port = cells.write_port()
                m.d.comb += w_port.en.eq(w_en[n])
                m.d.comb += w_port.addr.eq(row)
                m.d.comb += w_port.data.eq(self.bus.w_data)
        self._answer(m, chunk)

    def _spram(self, m, chunk, row, w_en):
        m.submodules.cells = cells = Spram(width=self._region.width, depth=self._region.depth)
        m.d.comb += cells.en.eq(self.en | self.bus.r_en)
        m.d.comb += cells.addr.eq(Mux(self.bus.r_en | self.bus.w_en, row, self.addr))
        m.d.comb += cells.w_en.eq(w_en)
        m.d.comb += cells.w_data.eq(self.bus.w_data)
        m.d.comb += self.data.eq(cells.data)
        self._answer(m, chunk)

    def _answer(self, m, chunk):
        answer = Signal.like(chunk)
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en)
        m.d.sync += answer.eq(chunk)
        for n in range(self._region.chunks):
            with m.If(answer == n):
                m.d.comb += self.bus.r_data.eq(self.data[self._word(n)])

    def _wide(self, m, chunk, row, w_en):
        m.submodules.cells = cells = Wide(
            width=self._region.width, depth=self._region.depth, init=self._init)
        # A read moves both stages of the memory, and then has a cycle of its own to choose a word
        # out of dozens: part of the way, and the rest in the next.
        fetched, there = Signal(), Signal()
        m.d.sync += [fetched.eq(self.bus.r_en), there.eq(fetched), self.bus.r_valid.eq(there)]
        m.d.comb += cells.en.eq(self.en | self.bus.r_en | fetched)
        m.d.comb += cells.addr.eq(Mux(self.bus.r_en, row, self.addr))
        m.d.comb += cells.w_en.eq(w_en)
        m.d.comb += cells.w_addr.eq(row)
        m.d.comb += cells.w_data.eq(self.bus.w_data)
        m.d.comb += self.data.eq(cells.data)

        asked, answer = Signal.like(chunk), Signal.like(chunk)
        m.d.sync += [asked.eq(chunk), answer.eq(asked)]
        words = range(self._region.chunks)
        parts = []
        for first in words[::PART]:
            parts.append(part := Signal(bus.WORD, name=f"part_{first}"))
            m.d.sync += part.eq(reduce(or_, (Mux(answer == n, self.data[self._word(n)], 0)
                                             for n in words[first:first + PART])))
        m.d.comb += self.bus.r_data.eq(reduce(or_, parts))
