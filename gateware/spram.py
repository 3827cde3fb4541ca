"""Single-port memory of an iCE40 UP5K."""

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .bus import WORD, Region
from .family import family


__all__ = ["WIDTH", "DEPTH", "BLOCKS", "Spram", "check", "blocks"]


WIDTH  = 16       # bits that a block reads in a cycle
DEPTH  = 16_384   # words of a block
BLOCKS = 4        # of a UP5K, the one chip that has any


def check(width, depth):
    """:exc:`ValueError` where rows do not go into the SPRAM that there is."""
    if width > BLOCKS * WIDTH:
        raise ValueError(f"Rows in SPRAM must be at most {BLOCKS * WIDTH} bits, which "
                         f"{BLOCKS} blocks read in a cycle, not {width}")
    if depth > DEPTH:
        raise ValueError(f"Rows in SPRAM must be at most {DEPTH}, not {depth}")


def blocks(width):
    """How many SPRAMs rows of so many bits take."""
    return -(-width // WIDTH)


class Spram(wiring.Component):
    """Rows in SPRAM, of which one is read or a part of one is written in each cycle.

    A row is there one cycle after its address, and stays while nothing is read or written. What
    :py:`data` is after a write is undefined until the next read: on an iCE40, nobody knows.
    Contents at power-up are undefined too; elsewhere they are zeros.

    On an iCE40 these are cells ``SB_SPRAM256KA``, one for each 16 bits of a row; on others a memory
    of one port, equal to them cycle for cycle where either is defined.

    Parameters
    ----------
    width : :class:`int`
        Bits in a row, at most 64.
    depth : :class:`int`
        Number of rows, at most 16,384.

    Members
    -------
    en : :py:`In(1)`
        Whether to read.
    addr : :py:`In(range(depth))`
        Row to read or to write.
    w_en : :py:`In(chunks)`
        Which 32 bits of the row to write, one at most; before reading.
    w_data : :py:`In(WORD)`
        What to write there.
    data : :py:`Out(width)`
        The row that was read.
    """

    def __init__(self, *, width, depth):
        check(width, depth)
        self._depth = depth
        chunks = Region(width, depth).chunks
        super().__init__({
            "en": In(1),
            "addr": In(range(depth)),
            "w_en": In(chunks),
            "w_data": In(WORD),
            "data": Out(width),
        })

    def elaborate(self, platform):
        m = Module()
        width = len(self.data)
        for n in range(blocks(width)):
            low, high = n * WIDTH, min((n + 1) * WIDTH, width)
            w_en   = self.w_en[low // WORD]
            w_data = self.w_data[low % WORD:][:high - low]
            if family(platform) == "ice40":
                address, word = Signal(range(DEPTH)), Signal(WIDTH)
                m.d.comb += address.eq(self.addr)
                m.d.comb += self.data[low:high].eq(word)
                m.submodules[f"spram_{n}"] = Instance(
                    "SB_SPRAM256KA",
                    i_CLOCK=ClockSignal(),
                    i_ADDRESS=address,
                    i_CHIPSELECT=self.en | w_en,
                    i_WREN=w_en,
                    i_MASKWREN=Const(0b1111, 4),
                    i_DATAIN=Cat(w_data, Const(0, WIDTH - (high - low))),
                    i_STANDBY=Const(0),
                    i_SLEEP=Const(0),
                    i_POWEROFF=Const(1),   # what is low when it is off
                    o_DATAOUT=word)
            else:
                cells = memory.Memory(shape=high - low, depth=self._depth, init=[])
                m.submodules[f"spram_{n}"] = cells
                r_port = cells.read_port()
                w_port = cells.write_port()
                m.d.comb += r_port.en.eq(self.en & ~w_en)
                m.d.comb += r_port.addr.eq(self.addr)
                m.d.comb += w_port.en.eq(w_en)
                m.d.comb += w_port.addr.eq(self.addr)
                m.d.comb += w_port.data.eq(w_data)
                m.d.comb += self.data[low:high].eq(r_port.data)
        return m
