"""Memory of saturating counters, which stand for the conductances of a crossbar's cells."""

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from model.checks import check_range

from . import bus, spram
from .spram import Spram


__all__ = ["STORAGE", "Conductance", "pulsed"]


STORAGE = ("block", "spram")


def pulsed(counter, up, down):
    """A counter after a pulse either way, or none; it stays where it would leave ±(2^(bits−1) − 1).

    Neither does the one number beyond that wrap, which a host alone can bring.
    """
    counter = Value.cast(counter).as_unsigned()
    at_top    = ~counter[-1] & counter[:-1].all()
    at_bottom = counter[-1] & ~counter[1:-1].any()
    moves = (up & ~at_top) | (down & ~at_bottom)
    step = Cat(moves, (moves & down).replicate(len(counter) - 1))   # 1, or all ones: −1
    return (counter + step)[:len(counter)]


class Conductance(wiring.Component):
    """Words of counters that are read, and of which each then gets a pulse up, down, or none.

    A word appears on :py:`data` one cycle after its address. In that cycle it can be pulsed, which
    is there from the next cycle on. In ``"block"`` storage another word can be asked for in the
    same cycle, so that one is read and another written in every cycle; in SPRAM none can. Counters
    are never beyond ±(2^(bits−1) − 1).

    Parameters
    ----------
    count : :class:`int`
        Counters in a word.
    bits : :class:`int`
        Of a counter, at least 3, its sign among them.
    depth : :class:`int`
        Words.
    init : list of :class:`int`, or None
        Words at power-up; zeros if None. SPRAM has none.
    storage : :class:`str`
        One of :data:`STORAGE`.

    Members
    -------
    en : :py:`In(1)`
        Whether to read a word: not where that is pulsed in this cycle; and in SPRAM not where any
        is.
    addr : :py:`In(range(depth))`
        Which.
    data : :py:`Out(data.ArrayLayout(signed(bits), count))`
        The word that was read.
    pulse : :py:`In(1)`
        Whether that gets pulses; only in the cycle after it was asked for.
    up : :py:`In(count)`
        Which counters get one up.
    down : :py:`In(count)`
        Which get one down; none gets both.
    bus : :py:`In(bus.Signature(addr_width))`
        The host's access while nothing is read; reads are answered one cycle later.
    """

    def __init__(self, *, count, bits, depth, init=None, storage="block"):
        check_range("Counters", count, 1)
        check_range("Bits", bits, 3)
        check_range("Depth", depth, 1)
        if storage not in STORAGE:
            raise ValueError(f"Storage must be one of {', '.join(STORAGE)}, not {storage!r}")
        if storage == "spram":
            spram.check(count * bits, depth)
            if init is not None:
                raise ValueError("Storage in SPRAM must have no initial contents, since the cells "
                                 "wake up with any: a host writes them")
        self._init = [0] * depth if init is None else list(init)
        if len(self._init) != depth:
            raise ValueError(f"Initial contents must be {depth} words, not {len(self._init)}")
        self._storage = storage
        self._region = bus.Region(count * bits, depth)
        super().__init__({
            "en": In(1),
            "addr": In(range(depth)),
            "data": Out(data.ArrayLayout(signed(bits), count)),
            "pulse": In(1),
            "up": In(count),
            "down": In(count),
            "bus": In(bus.Signature(self._region.addr_width)),
        })

    @property
    def region(self):
        """Size on the bus, as a :class:`gateware.bus.Region` at address 0."""
        return self._region

    def elaborate(self, platform):
        m = Module()
        region = self._region
        chunk, row = self.bus.addr[:region.chunk_bits], self.bus.addr[region.chunk_bits:]
        word = Value.cast(self.data)

        result = Signal(region.width)
        m.d.comb += result.eq(Cat(pulsed(counter, self.up[n], self.down[n])
                                  for n, counter in enumerate(self.data)))

        last = Signal.like(self.addr)   # of the word that can be pulsed
        m.d.sync += last.eq(self.addr)
        reads = Signal()
        r_addr = Signal.like(self.addr)
        w_addr = Signal.like(self.addr)
        m.d.comb += [reads.eq(self.en | self.bus.r_en),
                     # Where nobody asks, it does not matter; the host's wish comes late.
                     r_addr.eq(Mux(self.en, self.addr, row)),
                     w_addr.eq(Mux(self.pulse, last, row))]
        for n in range(region.chunks):
            part = slice(n * bus.WORD, min((n + 1) * bus.WORD, region.width))
            width = part.stop - part.start
            writes, content = Signal(name=f"writes_{n}"), Signal(width, name=f"content_{n}")
            m.d.comb += [writes.eq(self.pulse | (self.bus.w_en & (chunk == n))),
                         content.eq(Mux(self.pulse, result[part], self.bus.w_data))]
            if self._storage == "spram":
                m.submodules[f"cells_{n}"] = cells = Spram(width=width, depth=region.depth)
                m.d.comb += [cells.en.eq(reads), cells.w_en.eq(writes), cells.w_data.eq(content),
                             cells.addr.eq(Mux(self.en, self.addr, w_addr)),
                             word[part].eq(cells.data)]
                continue
            rows = [each >> part.start & (1 << width) - 1 for each in self._init]
            cells = memory.Memory(shape=width, depth=region.depth, init=rows,
                                  attrs={"ram_style": "block"})
            m.submodules[f"cells_{n}"] = cells
            r_port, w_port = cells.read_port(), cells.write_port()
            m.d.comb += [r_port.en.eq(reads), r_port.addr.eq(r_addr), word[part].eq(r_port.data),
                         w_port.en.eq(writes), w_port.addr.eq(w_addr), w_port.data.eq(content)]

        answer = Signal.like(chunk)
        m.d.sync += [self.bus.r_valid.eq(self.bus.r_en), answer.eq(chunk)]
        for n in range(region.chunks):
            with m.If(answer == n):
                m.d.comb += self.bus.r_data.eq(word[n * bus.WORD:(n + 1) * bus.WORD])
        return m
