"""The bus on which a host writes and reads weights, thresholds and registers."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


__all__ = ["WORD", "Signature", "Region", "Decoder"]


WORD = 32   # bits


class Signature(wiring.Signature):
    """Words of 32 bits at word addresses, one access at a time; members as its initiator has them.

    A write takes the one cycle in which :py:`w_en` is high. A read is asked for by one cycle of
    :py:`r_en`, and answered some cycles later by one cycle of :py:`r_valid` with :py:`r_data`;
    where nothing is mapped, nothing answers and nothing is written.

    Parameters
    ----------
    addr_width : :class:`int`
        Width of an address.
    """

    def __init__(self, addr_width):
        self._addr_width = addr_width
        super().__init__({
            "addr": Out(addr_width),
            "w_en": Out(1),
            "w_data": Out(WORD),
            "r_en": Out(1),
            "r_data": In(WORD),
            "r_valid": In(1),
        })

    @property
    def addr_width(self):
        return self._addr_width

    def create(self, *, path=None, src_loc_at=0):
        return wiring.PureInterface(self, path=path, src_loc_at=1 + src_loc_at)


class Region:
    """Where a memory lies on the bus.

    A row takes :py:`chunks` addresses of 32 bits each, lowest bits first; where that is not a
    power of two, the addresses up to the next one are left out.

    Parameters
    ----------
    width, depth : :class:`int`
        Bits in a row, and number of rows.
    base : :class:`int`
        Address of the first chunk of the first row.
    writable : :class:`bool`
        Whether writes have any effect.
    """

    def __init__(self, width, depth, base=0, *, writable=True):
        self.width = width
        self.depth = depth
        self.base = base
        self.writable = writable

    @property
    def chunks(self):
        return -(-self.width // WORD)

    @property
    def chunk_bits(self):
        """Width of the part of an address that chooses a chunk."""
        return ceil_log2(self.chunks)

    @property
    def addr_width(self):
        return self.chunk_bits + ceil_log2(self.depth)

    def address(self, row, chunk):
        return self.base + (row << self.chunk_bits) + chunk

    def at(self, base):
        return Region(self.width, self.depth, base, writable=self.writable)

    def __repr__(self):
        return f"Region(width={self.width}, depth={self.depth}, base={self.base:#x})"


def place(regions):
    """Give each region of a dictionary a base aligned to its size, largest first.

    Returns the placed regions, in the order in which they came, and the width of an address.
    """
    placed, base = {}, 0
    for name in sorted(regions, key=lambda name: -regions[name].addr_width):
        placed[name] = regions[name].at(base)
        base += 1 << regions[name].addr_width
    return {name: placed[name] for name in regions}, max(1, ceil_log2(base))


class Decoder(wiring.Component):
    """One bus to many memories, each at the base of its region.

    Reads are answered one cycle after the memory answers. Combinational otherwise.

    Parameters
    ----------
    regions : dict of :class:`Region`
        Placed by :func:`place`.
    addr_width : :class:`int`
        Width of an address.

    Members
    -------
    bus : :py:`In(Signature(addr_width))`
        From the host.
    """

    def __init__(self, regions, addr_width):
        self._regions = regions
        self._targets = []
        super().__init__({"bus": In(Signature(addr_width))})

    def add(self, name, bus):
        """Connect the memory whose region is called :py:`name`."""
        self._targets.append((self._regions[name], bus))

    def elaborate(self, platform):
        m = Module()
        r_data, r_valid = 0, 0
        for region, target in self._targets:
            low = region.addr_width
            chosen = self.bus.addr[low:] == region.base >> low
            m.d.comb += target.addr.eq(self.bus.addr[:low])
            m.d.comb += target.w_data.eq(self.bus.w_data)
            m.d.comb += target.w_en.eq(self.bus.w_en & chosen)
            m.d.comb += target.r_en.eq(self.bus.r_en & chosen)
            r_data = r_data | Mux(target.r_valid, target.r_data, 0)
            r_valid = r_valid | target.r_valid
        m.d.sync += self.bus.r_data.eq(r_data)
        m.d.sync += self.bus.r_valid.eq(r_valid)
        return m
