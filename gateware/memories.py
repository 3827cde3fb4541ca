"""Memories whose contents are the network's parameters."""

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from . import bus


__all__ = ["STORAGE", "Store"]


STORAGE = ("auto", "block", "distributed", "logic")


class Store(wiring.Component):
    """Memory that the datapath reads by the row and a host writes and reads over the bus.

    A row appears on :py:`data` one cycle after its address, and stays while :py:`en` is low. The
    host's reads take the same port, since a second one would double the block RAM: a host accesses
    a store only while the datapath is idle.

    The memory is cut into one of 32 bits for each of the bus's words in a row. That costs nothing,
    because block RAM is no wider, and spares a register as wide as a row to collect a write in.

    Parameters
    ----------
    width, depth : :class:`int`
        Bits in a row, and number of rows.
    init : list of :class:`int`, or None
        Contents at power-up; zeros if None.
    storage : :class:`str`
        ``"block"``, ``"distributed"`` or ``"auto"`` (the synthesizer decides); ``"logic"`` bakes
        :py:`init` into look-up tables and ignores writes.

    Members
    -------
    en : :py:`In(1)`
        Whether to read.
    addr : :py:`In(range(depth))`
        Row to read.
    data : :py:`Out(width)`
        The row that was read.
    bus : :py:`In(bus.Signature(addr_width))`
        Access for the host; reads are answered one cycle later.
    """

    def __init__(self, *, width, depth, init=None, storage="auto"):
        if storage not in STORAGE:
            raise ValueError(f"Storage must be one of {', '.join(STORAGE)}, not {storage!r}")
        if storage == "logic" and init is None:
            raise ValueError("Storage in logic must have initial contents, not None")
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

    def elaborate(self, platform):
        m = Module()
        region = self._region
        chunk = self.bus.addr[:region.chunk_bits]
        row   = self.bus.addr[region.chunk_bits:]
        attrs = {} if self._storage == "auto" else {"ram_style": self._storage}

        en, addr = Signal(), Signal.like(self.addr)
        m.d.comb += en.eq(self.en | self.bus.r_en)
        m.d.comb += addr.eq(Mux(self.bus.r_en, row, self.addr))
        answer = Signal(range(region.chunks))
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en)
        m.d.sync += answer.eq(chunk)

        for n in range(region.chunks):
            low, high = n * bus.WORD, min((n + 1) * bus.WORD, region.width)
            rows = [word >> low & (1 << high - low) - 1 for word in self._init]
            cells = memory.Memory(shape=high - low, depth=region.depth, init=rows, attrs=attrs)
            m.submodules[f"cells_{n}"] = cells
            r_port = cells.read_port()
            m.d.comb += r_port.en.eq(en)
            m.d.comb += r_port.addr.eq(addr)
            m.d.comb += self.data[low:high].eq(r_port.data)
            with m.If(answer == n):
                m.d.comb += self.bus.r_data.eq(r_port.data)
            if self._storage != "logic":
                w_port = cells.write_port()
                m.d.comb += w_port.en.eq(self.bus.w_en & (chunk == n))
                m.d.comb += w_port.addr.eq(row)
                m.d.comb += w_port.data.eq(self.bus.w_data)
        return m
