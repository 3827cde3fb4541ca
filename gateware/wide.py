"""Block RAM of an ECP5 at its full width and speed."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .bus import WORD, Region
from .family import family


__all__ = ["WIDTH", "DEPTH", "GROUP", "Piece", "Wide", "pieces", "check", "blocks"]


WIDTH  = 36             # bits that a block reads in a cycle
DEPTH  = 512            # words of a block at that width
SHAPES = (36, 18, 9)    # widths that use all of its bits
GROUP  = 8 * WIDTH      # bits in eight blocks, which are nine words of the bus
EXTRA  = WIDTH - WORD   # bits of a block that are not in its word


@dataclass(frozen=True)
class Piece:
    """Bits of a row that are in one place: those of one word of the bus, and a few of another.

    Parameters
    ----------
    chunk : :class:`int`
        Word with which they are written.
    own : :class:`slice`
        Bits of the row that are in it.
    kept : :class:`int`
        Word that holds the others; the same where there are none.
    extra : :class:`slice`
        Those others.
    """

    chunk: int
    own: slice
    kept: int
    extra: slice

    @property
    def width(self):
        return self.own.stop - self.own.start + self.extra.stop - self.extra.start

    def of(self, row):
        """The piece of a row given as an integer."""
        own = self.own.stop - self.own.start
        return _bits(row, self.own) | _bits(row, self.extra) << own


def _bits(row, where):
    return row >> where.start & (1 << where.stop - where.start) - 1


def pieces(width):
    """What a row of so many bits is cut into: a :class:`Piece` for each 36 bits."""
    found = []
    for base in range(0, width, GROUP):
        end   = min(base + GROUP, width)
        count = -(-(end - base) // WIDTH)
        first = base // WORD
        words = [slice(low, min(low + WORD, end)) for low in range(base, end, WORD)]
        if len(words) == count:   # few enough at the end of a row for a piece each
            found += [Piece(first + n, word, first + n, slice(0, 0))
                      for n, word in enumerate(words)]
            continue
        for n, word in enumerate(words[1:]):
            low = base + EXTRA * n
            # The last one has room for all that is left.
            high = low + EXTRA if n < count - 1 else base + WORD
            found.append(Piece(first + 1 + n, word, first, slice(low, high)))
    return found


def _shape(depth):
    """Greatest width of a block that has so many rows."""
    return next((width for width in SHAPES if depth * width <= DEPTH * WIDTH), None)


def check(depth):
    """:exc:`ValueError` where there are more rows than a block has."""
    if _shape(depth) is None:
        raise ValueError(f"Rows in wide storage must be at most {DEPTH * WIDTH // SHAPES[-1]}, "
                         f"not {depth!r}")


def blocks(width, depth):
    """How many block RAMs so many rows of so many bits take."""
    whole, rest = divmod(width, GROUP)
    shape = _shape(depth)
    return whole * 8 * (WIDTH // shape) + sum(-(-piece.width // shape) for piece in pieces(rest))


class Wide(wiring.Component):
    """Rows in block RAM of which all 36 bits are used, behind the output registers of that.

    A row is there :py:`latency` = 2 cycles after its address, counted in cycles in which :py:`en`
    is high, and stays while it is low. A block takes 36 bits of up to 512 rows, 18 of up to 1,024,
    or 9 of up to 2,048. On an ECP5 it is a cell ``DP16KD``; elsewhere a memory and a register,
    equal to it cycle for cycle. What comes of reading a row in the cycle that writes it is
    undefined.

    The bus has words of 32 bits. Nine of them go into eight blocks: the first is kept in a register
    when it is written, and each of those after it writes a block, together with four bits of the
    first. At the end of a row they may be fewer, and then the last block takes all that is left.
    So a row is written as a whole, its words in ascending order.

    Parameters
    ----------
    width : :class:`int`
        Bits in a row.
    depth : :class:`int`
        Number of rows, at most 2,048.
    init : list of :class:`int`
        Rows at power-up.

    Members
    -------
    en : :py:`In(1)`
        Whether to read.
    addr : :py:`In(range(depth))`
        Row to read.
    w_en : :py:`In(chunks)`
        Which word of a row to write, one at most.
    w_addr : :py:`In(range(depth))`
        Row to write.
    w_data : :py:`In(WORD)`
        The word.
    data : :py:`Out(width)`
        The row that was read.
    """

    latency = 2

    def __init__(self, *, width, depth, init):
        check(depth)
        self._depth = depth
        self._init  = init
        super().__init__({
            "en": In(1),
            "addr": In(range(depth)),
            "w_en": In(Region(width, depth).chunks),
            "w_addr": In(range(depth)),
            "w_data": In(WORD),
            "data": Out(width),
        })

    def elaborate(self, platform):
        m = Module()
        cells = self._blocks if family(platform) == "ecp5" else self._memory
        kept = Signal(WORD)
        for n, piece in enumerate(pieces(len(self.data))):
            w_en = self.w_en[piece.chunk]
            own, extra = (where.stop - where.start for where in (piece.own, piece.extra))
            if extra:
                with m.If(self.w_en[piece.kept]):
                    m.d.sync += kept.eq(self.w_data)
            w_data = Cat(self.w_data[:own], kept[piece.extra.start % WORD:][:extra])
            data = cells(m, f"cells_{n}", w_en, w_data, [piece.of(row) for row in self._init])
            m.d.comb += self.data[piece.own].eq(data[:own])
            m.d.comb += self.data[piece.extra].eq(data[own:])
        return m

    def _memory(self, m, name, w_en, w_data, init):
        cells = memory.Memory(shape=len(w_data), depth=self._depth, init=init)
        m.submodules[name] = cells
        r_port = cells.read_port()
        w_port = cells.write_port()
        m.d.comb += w_port.en.eq(w_en)
        m.d.comb += w_port.addr.eq(self.w_addr)
        m.d.comb += w_port.data.eq(w_data)
        m.d.comb += r_port.en.eq(self.en)
        m.d.comb += r_port.addr.eq(self.addr)
        data = Signal(len(w_data), name=f"{name}_data")
        with m.If(self.en):
            m.d.sync += data.eq(r_port.data)
        return data

    def _blocks(self, m, name, w_en, w_data, init):
        shape = _shape(self._depth)
        found = []
        for low in range(0, len(w_data), shape):
            taken, data = Signal(shape), Signal(shape)
            m.d.comb += taken.eq(w_data[low:low + shape])
            rows = [row >> low & (1 << shape) - 1 for row in init]
            m.submodules[f"{name}_{low // shape}"] = _cell(
                shape, rows, en=self.en, addr=self.addr, w_en=w_en, w_addr=self.w_addr,
                w_data=taken, data=data)
            found.append(data)
        return Cat(found)[:len(w_data)]


def _cell(width, rows, *, en, addr, w_en, w_addr, w_data, data):
    """A ``DP16KD`` whose port A writes and whose port B reads."""
    # Addresses count bits, eight and nine alike; the lowest of port A enable each nine bits.
    skip, enables = {9: (3, 0), 18: (4, 0b11), 36: (5, 0b1111)}[width]
    pins = {"ADA": _fill(14, Const(enables, skip), w_addr), "ADB": _fill(14, Const(0, skip), addr),
            "DIA": _fill(18, w_data[:18]), "DIB": _fill(18, w_data[18:]),
            "CSA": Const(0, 3), "CSB": Const(0, 3)}
    # At its full width it takes the pins of both ports in either direction.
    outs = {"DOA": data[:18], "DOB": data[18:]} if width == WIDTH else {"DOB": data}
    return Instance(
        "DP16KD",
        p_DATA_WIDTH_A=width, p_DATA_WIDTH_B=width, p_REGMODE_A="OUTREG", p_REGMODE_B="OUTREG",
        i_CLKA=ClockSignal(), i_CEA=w_en, i_OCEA=en, i_WEA=w_en, i_RSTA=Const(0),
        i_CLKB=ClockSignal(), i_CEB=en, i_OCEB=en, i_WEB=Const(0), i_RSTB=Const(0),
        **{f"i_{name}{n}": bit for name, value in pins.items()
           for n, bit in enumerate(value)},
        **{f"o_{name}{n}": bit for name, value in outs.items() for n, bit in enumerate(value)},
        **{f"p_INITVAL_{n:02X}": value for n, value in enumerate(_contents(width, rows))})


def _fill(width, *values):
    return Cat(*values, Const(0, width))[:width]


def _contents(width, rows):
    """The 64 parameters that hold what a block starts with: 18 bits in each 20, 16 in each."""
    flat = sum(row << n * width for n, row in enumerate(rows))
    halves = [flat >> 18 * n & (1 << 18) - 1 for n in range(2 * DEPTH)]
    return [Const(sum(half << 20 * n for n, half in enumerate(halves[low:low + 16])), 320)
            for low in range(0, 2 * DEPTH, 16)]
