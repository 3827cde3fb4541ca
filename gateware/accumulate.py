"""Matrix-vector product over planes of bits, by counting agreements."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .carry_chain import load_or_add
from .crossbar import Crossbar
from .family import family
from .sense import Sense


__all__ = ["Accumulate"]


class Accumulate(wiring.Component):
    """Weighted agreements of a vector with each neuron.

    Computes what :meth:`model.accumulate.Accumulate.sums` computes. A batch of vectors, side by
    side, arrives once for each group of neurons and each bit of a weight, as :py:`folding` lays it
    out; a group's sums leave :py:`lanes` at a time, first neuron first and for each of them all
    vectors, each :py:`folding.turns` times, while the next group is worked on. The throughput is
    one batch in :py:`folding.interval` cycles; the first sums of a group are valid :py:`latency`
    cycles after its last word was taken, which are those of :py:`folding.latency`.

    Parameters
    ----------
    folding : :class:`gateware.folding.Folding`
        Size and parallelism.
    init : list of :class:`int`, or None
        Rows of weights at power-up.

    Members
    -------
    samples : :py:`In(range(folding.planes + 1))`
        How many planes there are, a power of two; stays while there is anything here. Only where
        they are drawn, and there may be several.
    i : :py:`In(stream.Signature(folding.simd * folding.batch))`
        Inputs: for each group, for each bit of a weight, for each fold, for each plane a word of
        each vector; first vector, and in it first input lowest.
    o : :py:`Out(stream.Signature(data.ArrayLayout(range(folding.top + 1), folding.lanes)))`
        Sums, first neuron lowest.
    bus : :py:`In(bus.Signature(addr_width))`
        The host's access to the weights.
    """

    def __init__(self, folding, *, init=None):
        self._folding = folding
        self._init = init
        super().__init__({
            **({"samples": In(range(folding.planes + 1))} if folding.sampled else {}),
            "i": In(stream.Signature(folding.simd * folding.batch)),
            "o": Out(stream.Signature(data.ArrayLayout(range(folding.top + 1), folding.lanes))),
            "bus": In(bus.Signature(folding.weights.addr_width)),
        })

    @property
    def latency(self):
        return self._folding.latency

    def elaborate(self, platform):
        m = Module()
        folding, cells = self._folding, family(platform)
        several = folding.weight_bits > 1
        m.submodules.crossbar = crossbar = Crossbar(
            simd=folding.simd, pe=folding.pe, rows=folding.rows, init=self._init,
            storage=folding.storage, levels=folding.levels, batch=folding.batch,
            shared=several)
        wiring.connect(m, wiring.flipped(self.bus), crossbar.bus)

        # The pipeline stops as a whole while its output waits, rather than let each stage fill up:
        # a few words of slack are not worth a ready chain through the adders.
        advance = Signal()
        m.d.comb += advance.eq(self.o.ready | ~self.o.valid)
        m.d.comb += self.i.ready.eq(advance)

        # Sense. A row stays for all planes of a word.
        plane = Signal(range(folding.planes))
        fold  = Signal(range(folding.folds))
        row   = Signal(range(folding.rows))
        bit   = Signal(range(folding.weight_bits))
        plane_last = (plane + 1 == self.samples) if folding.sampled else \
            plane == folding.planes - 1
        fold_last  = fold == folding.folds - 1
        m.d.comb += crossbar.en.eq(advance)
        m.d.comb += crossbar.row.eq(row)
        m.d.comb += crossbar.x.eq(self.i.payload)
        if several:
            # What only fills up the last word agrees with nothing here, either.
            filled = (1 << folding.simd) - (1 << (folding.inputs - 1) % folding.simd + 1)
            m.d.comb += crossbar.shared.eq(Mux(fold_last, filled, 0))
        with m.If(self.i.valid & advance):
            m.d.sync += plane.eq(Mux(plane_last, 0, plane + 1))
            with m.If(plane_last):
                m.d.sync += fold.eq(Mux(fold_last, 0, fold + 1))
                with m.If(fold_last):
                    m.d.sync += bit.eq(Mux(bit == folding.weight_bits - 1, 0, bit + 1))
                m.d.sync += row.eq(Mux(row == folding.rows - 1, 0, row + 1))

        # What is known of a word travels beside it.
        tile = {"tile_first": 1, "tile_last": 1} if folding.sensing else {}
        bits = {"bit_last": 1} if several else {}
        Flags = data.StructLayout({"valid": 1, "plane_last": 1, "fold_last": 1, **tile, **bits})
        flags = Signal(Flags)
        m.d.comb += flags.valid.eq(self.i.valid)
        m.d.comb += flags.plane_last.eq(plane_last)
        m.d.comb += flags.fold_last.eq(fold_last)
        if several:
            m.d.comb += flags.bit_last.eq(bit == folding.weight_bits - 1)
        if folding.sensing:
            line = Signal(range(folding.tile_folds))
            m.d.comb += flags.tile_first.eq(line == 0)
            m.d.comb += flags.tile_last.eq(fold_last | (line == folding.tile_folds - 1))
            with m.If(self.i.valid & advance & plane_last):
                m.d.sync += line.eq(Mux(flags.tile_last, 0, line + 1))

        def delay(flags, name):
            delayed = Signal(Flags, name=name)
            with m.If(advance):
                m.d.sync += delayed.eq(flags)
            return delayed

        for n in range(crossbar.latency):
            flags = delay(flags, f"sensed_{n}")
        # In the order in which sums leave.
        counts = [crossbar.o[vector * folding.pe + first + lane]
                  for first in range(0, folding.pe, folding.lanes)
                  for vector in range(folding.batch) for lane in range(folding.lanes)]
        if several:
            counts.append(crossbar.o_shared)

        # A tile's words become one, which is what its bit lines are sensed as.
        if folding.sensing:
            for n, count in enumerate(counts):
                m.submodules[f"sense_{n}"] = sense = Sense(
                    simd=folding.simd, planes=folding.planes, words=folding.tile_folds,
                    rows=folding.tile_inputs, edge=folding.edge_inputs, sense=folding.sense,
                    sampled=folding.sampled)
                if folding.sampled:
                    m.d.comb += sense.samples.eq(self.samples)
                m.d.comb += sense.en.eq(advance & flags.valid)
                m.d.comb += sense.first.eq(flags.tile_first)
                m.d.comb += sense.last.eq(flags.fold_last)
                m.d.comb += sense.i.eq(count)
                counts[n] = sense.o
            whole = Signal(Flags)
            m.d.comb += whole.eq(flags)
            m.d.comb += whole.valid.eq(flags.valid & flags.tile_last)
            flags = delay(whole, "whole")

        # Weigh the planes. Doubling what came before each plane spares a shifter.
        if folding.serial:
            fresh = Signal(init=1)
            terms = []
            with m.If(advance & flags.valid):
                m.d.sync += fresh.eq(flags.plane_last)
            for n, count in enumerate(counts):
                most = folding.tile_inputs if folding.sensing else folding.simd
                part = Signal(range(most * sum(folding.gains) + 1), name=f"part_{n}")
                terms.append(part)
                with m.If(advance & flags.valid):
                    m.d.sync += part.eq(load_or_add(m, part << 1, count, fresh, cells))
            flags = delay(flags, "weighed")
        else:
            terms = counts

        # Add up. A group's first word takes the place of what was there, and the first one of a
        # further bit of the weights meets twice as much.
        add   = Signal()
        ends  = Signal()
        last  = Signal()
        begin = Signal(init=1)
        again = Signal(init=1)
        m.d.comb += add.eq(advance & flags.valid & (flags.plane_last | (not folding.serial)))
        m.d.comb += ends.eq(flags.plane_last & flags.fold_last)
        m.d.comb += last.eq(ends & flags.bit_last if several else ends)
        with m.If(add):
            m.d.sync += begin.eq(last)
            m.d.sync += again.eq(ends)

        # Hand over once the last plane of the last fold is in, while the next group may begin. It
        # is never complete before the last lanes have left.
        full = Signal()
        take = Signal()
        step = Signal()
        move = Signal()
        turn = Signal(range(folding.turns))
        with m.If(advance):
            m.d.sync += full.eq(add & last)
        m.d.comb += take.eq(advance & full)
        m.d.comb += step.eq(self.o.valid & self.o.ready)
        m.d.comb += move.eq(step & (turn == folding.turns - 1))
        with m.If(step):
            m.d.sync += turn.eq(Mux(move, 0, turn + 1))
        clear = self._clear(m, terms.pop(), add, again, take, cells) if several else None
        sums = Signal(data.ArrayLayout(range(folding.top + 1), len(terms)))
        for n, term in enumerate(terms):
            acc = Signal(range(folding.top + 1), name=f"acc_{n}")
            held = Mux(again, acc << 1, acc)[:len(acc)] if several else acc
            with m.If(add):
                m.d.sync += acc.eq(load_or_add(m, held, term, begin, cells))
            # What moves up behind the last lanes is nobody's, and spares a choice.
            behind = sums[n + folding.lanes] if n + folding.lanes < len(terms) else acc
            following = Mux(take, acc, behind)
            with m.If(take | move):
                # What all neurons share comes as they leave.
                m.d.sync += sums[n].eq(
                    following + clear if several and n < folding.lanes else following)

        # Drain.
        left = Signal(range(folding.drain + 1))
        m.d.comb += self.o.valid.eq(left != 0)
        with m.If(take):
            m.d.sync += left.eq(folding.drain)
        with m.Elif(step):
            m.d.sync += left.eq(left - 1)
        for lane in range(folding.lanes):
            m.d.comb += self.o.payload[lane].eq(sums[lane])
        return m

    def _clear(self, m, term, add, again, take, cells):
        """What agrees with the bit line of clear cells, of the vector whose sums leave next.

        Each bit of the weights finds the same.
        """
        found = Signal(range(self._folding.inputs * sum(self._folding.gains) + 1), name="clear")
        kept  = Signal.like(found, name="clear_kept")
        with m.If(add):
            m.d.sync += found.eq(load_or_add(m, found, term, again, cells))
        with m.If(take):
            m.d.sync += kept.eq(found)
        return Mux(take, found, kept)
