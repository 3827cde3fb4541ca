"""Which word lines of a crossbar are driven by an image whose bits are drawn."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from . import bus
from .draws import REGION, Draws


__all__ = ["ActiveRows"]


class ActiveRows(wiring.Component):
    """Draws bits of pixels, and tells the rows that they drive, as often as wanted.

    As :class:`model.sign_update.SignUpdate` has it, a row is active where its pixel is greater than
    a byte that is drawn for it, and rows of the bias always are. Words of bits that are not all
    zeros are kept. While the rows of an image are gone through, the next image may come, a word a
    cycle, and as many cycles for words of the bias.

    From two cycles after its start on, a pass tells a row in each cycle, in ascending order. Rows
    of the bias come after those that words of pixels have room for.

    Parameters
    ----------
    folding : :class:`gateware.learning_folding.LearningFolding`
        The rule, and how it is laid out.
    lfsr : :class:`model.lfsr.Lfsr`
        What bits are drawn from.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(8, folding.pixels)))`
        Images, zeros filling up the last word of each.
    full : :py:`Out(1)`
        Whether an image is there.
    start : :py:`In(1)`
        Begin a pass; while there is an image, and no pass goes on.
    end : :py:`In(1)`
        Let go of the image; as long.
    o : :py:`Out(stream.Signature(data.StructLayout({"row": range(folding.lines), "last": 1})))`
        Active rows, and whether that is the last one of the pass.
    draws_bus : :py:`In(bus.Signature(0))`
        The host's access to the state of the LFSR that draws, while no image comes.
    """

    def __init__(self, folding, *, lfsr):
        self._folding = folding
        self._lfsr = lfsr
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(8, folding.pixels))),
            "full": Out(1),
            "start": In(1),
            "end": In(1),
            "o": Out(stream.Signature(data.StructLayout({"row": range(folding.lines), "last": 1}))),
            "draws_bus": In(bus.Signature(REGION.addr_width)),
        })

    def elaborate(self, platform):
        m = Module()
        spec, pixels = self._folding.spec, self._folding.pixels
        entering = self._folding.entering
        words = self._folding.loads
        m.submodules.draws = draws = Draws(
            self._lfsr, count=pixels, fewer=spec.inputs - (entering - 1) * pixels)
        wiring.connect(m, wiring.flipped(self.draws_bus), draws.bus)
        word = data.StructLayout({"bits": pixels, "index": range(words), "last": 1})
        place_bits = ceil_log2(words)
        m.submodules.cells = cells = memory.Memory(shape=word, depth=2 << place_bits, init=[])
        w_port, r_port = cells.write_port(), cells.read_port()
        full = Signal(2)

        # Draw.
        bank  = Signal()
        index = Signal(range(words))
        kept  = Signal(range(words))   # before this one
        ours  = index >= entering   # it is a word of the bias
        last  = index == words - 1
        drawn = Cat(self.i.payload[n] > draws.o[n] for n in range(pixels))
        fixed = Mux(last, (1 << spec.bias - (self._folding.biases - 1) * pixels) - 1, -1)
        bits  = Mux(ours, fixed, drawn)
        moves = ~full.bit_select(bank, 1) & (self.i.valid | ours)
        m.d.comb += [self.i.ready.eq(~full.bit_select(bank, 1) & ~ours),
                     draws.en.eq(self.i.valid & self.i.ready),
                     draws.few.eq(index == entering - 1),
                     w_port.addr.eq(Cat(kept, bank)),
                     w_port.data.bits.eq(bits), w_port.data.index.eq(index),
                     w_port.data.last.eq(last)]
        keeps = moves & w_port.data.bits.any()
        m.d.comb += w_port.en.eq(keeps)
        with m.If(moves):
            m.d.sync += [index.eq(index + 1), kept.eq(kept + keeps)]
            with m.If(last):
                m.d.sync += [index.eq(0), kept.eq(0), bank.eq(~bank)]

        # Tell: the word whose rows are told, and from the memory the one after it.
        turn  = Signal()
        place = Signal(range(words + 1))
        loads = Signal()               # the first one is there
        now   = Signal(word)
        rest  = now.bits & (now.bits - 1)
        only  = rest == 0
        takes = self.o.valid & self.o.ready
        fetch = self.start | loads | (takes & only)
        m.d.comb += [self.full.eq(full.bit_select(turn, 1)),
                     r_port.en.eq(fetch),
                     r_port.addr.eq(Cat(Mux(self.start, 0, place)[:place_bits], turn))]
        m.d.sync += loads.eq(self.start)
        with m.If(fetch):
            m.d.sync += place.eq(Mux(self.start, 1, place + 1))
        with m.If(loads | (takes & only)):
            m.d.sync += now.eq(r_port.data)
        with m.Elif(takes):
            m.d.sync += now.bits.eq(rest)
        with m.If(takes & only & now.last):
            m.d.sync += now.bits.eq(0)

        lowest = Signal(range(pixels))
        for n in reversed(range(pixels)):
            with m.If(now.bits[n]):
                m.d.comb += lowest.eq(n)
        m.d.comb += [self.o.valid.eq(now.bits.any()),
                     self.o.payload.row.eq(Cat(lowest, now.index)),
                     self.o.payload.last.eq(now.last & only)]
        with m.If(moves & last):
            m.d.sync += full.bit_select(bank, 1).eq(1)
        with m.If(self.end):
            m.d.sync += [full.bit_select(turn, 1).eq(0), turn.eq(~turn)]
        return m
