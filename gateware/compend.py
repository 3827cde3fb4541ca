"""Dense layer of multi-bit weights, plane by plane, that stops once its answer is known."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .family import family
from .lane import Lane
from .memories import Store, attributes, latency
from .ring import Ring


__all__ = ["COUNTS", "Compend"]


COUNTS = data.StructLayout({"cycles": 32, "planes_run": 32, "planes_skipped": 32})


class Compend(wiring.Component):
    """Fully connected layer with weights of several bits and unsigned activations.

    Computes what :class:`model.compend.Compend` computes, in the time that
    :class:`model.schedule.Schedule` says: activations are broadcast, a word a cycle, and each of
    :py:`folding.pe` lanes goes its own way. While an image is worked on the next one may come, and
    that of the one before may leave, both one word a cycle; the interval is then the schedule's
    cycles exactly. The first word of an image leaves at the earliest two cycles after the last
    lane is done with it.

    Parameters
    ----------
    folding : :class:`gateware.serial_folding.SerialFolding`
        Size and parallelism.
    image : dict of list of :class:`int`, or None
        Memory rows at power-up, by name, as :meth:`folding.image` has them; none for a memory that
        is not in it.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(folding.input_bits, folding.pixels)))`
        Activations, zeros filling up the last of :py:`folding.entering` words.
    o : :py:`Out(stream.Signature(data.ArrayLayout(folding.output_bits, folding.lanes)))`
        Results, zeros filling up the last word; in two's complement if they are sums.
    detect : :py:`In(1)`
        Whether neurons may end early; stays while there is an image. Only where there is hardware
        for it.
    factor : :py:`In(range(5))`
        What sums are expected to lose at least, in eighths of the most that they can; 0 for exact
        detection. Stays as long, and is only there where speculation is built.
    counts : :py:`Out(COUNTS)`
        Cycles in which there was an image to work on, and planes run and skipped, of all neurons
        and all images that are done since reset.
    weightsN_bus, preloadsN_bus, shifts_bus : :py:`In(bus.Signature(addr_width))`
        The host's access to the memories; the last one only where there are shifts.
    """

    def __init__(self, folding, *, image=None):
        self._folding = folding
        self._image = image or {}
        self._buses = {name: region for pe in range(folding.pe) for name, region in (
            (f"weights{pe}", folding.weights(pe)), (f"preloads{pe}", folding.preloads(pe)))}
        if folding.activation == "relu":
            self._buses["shifts"] = folding.shifts
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(folding.input_bits, folding.pixels))),
            "o": Out(stream.Signature(data.ArrayLayout(folding.output_bits, folding.lanes))),
            **({"detect": In(1)} if folding.detection != "none" else {}),
            **({"factor": In(range(5))} if folding.detection == "speculative" else {}),
            "counts": Out(COUNTS),
            **{f"{name}_bus": In(bus.Signature(region.addr_width))
               for name, region in self._buses.items()},
        })

    def elaborate(self, platform):
        m = Module()
        self._family = family(platform)
        folding = self._folding
        m.submodules.ring = ring = Ring(
            simd=folding.simd, bits=folding.input_bits, words=folding.folds,
            pixels=folding.pixels, entering=folding.entering,
            least=folding.least if folding.skip_zeros else folding.folds, grain=folding.grain)
        wiring.connect(m, wiring.flipped(self.i), ring.i)
        word = ring.word
        for n in range(latency(folding.storage)):
            delayed = Signal.like(word, name=f"word_{n}")
            m.d.sync += delayed.eq(word)
            word = delayed
        low, high = self._limits(m, ring)

        lanes = []
        for pe in range(folding.pe):
            lane = Lane(folding, pe, weights=self._image.get(f"weights{pe}"),
                        preloads=self._image.get(f"preloads{pe}"))
            m.submodules[f"lane_{pe}"] = lane
            lanes.append(lane)
            m.d.comb += [lane.start.eq(ring.start), lane.rounds.eq(ring.rounds),
                         lane.index.eq(ring.index), lane.word.eq(word)]
            if folding.detection != "none":
                m.d.comb += lane.detect.eq(self.detect)
            if folding.detection == "speculative":
                m.d.comb += lane.low.eq(low)
            if folding.detection != "none" and folding.activation == "sign":
                m.d.comb += lane.high.eq(high)
            for kind in ("weights", "preloads"):
                wiring.connect(m, wiring.flipped(getattr(self, f"{kind}{pe}_bus")),
                               getattr(lane, f"{kind}_bus"))

        # An image is over once no lane has a word on its way.
        idle  = Signal(folding.wasted + 1)
        going = Signal()
        over  = Signal()
        m.d.sync += idle.eq(Cat(~Cat(lane.busy for lane in lanes).any() & going, idle))
        m.d.comb += [over.eq(going & idle.all()), ring.end.eq(over)]
        with m.If(ring.start):
            m.d.sync += going.eq(1)
        with m.If(over):
            m.d.sync += [going.eq(0), idle.eq(0)]
        self._count(m, ring.start | going, lanes, over)
        self._send(m, ring, lanes, over)
        return m

    def _limits(self, m, ring):
        """What sums are compared with, for an image: it stays as long as that."""
        if self._folding.detection != "speculative":
            return None, ring.total
        low = Signal.like(ring.total)
        m.d.sync += low.eq(ring.total * self.factor >> 3)
        return low, ring.total - low

    def _count(self, m, working, lanes, over):
        planes = self._folding.outputs * self._folding.weight_bits
        cycles = Signal(range(self._folding.most_cycles))   # of the image that is worked on
        run    = Signal(range(planes + 1))                  # planes of it
        begun = Signal(range(len(lanes) + 1))
        m.d.sync += begun.eq(sum(lane.begun for lane in lanes))
        m.d.sync += [cycles.eq(cycles + working), run.eq(run + begun)]
        with m.If(over):
            m.d.sync += [
                cycles.eq(0), run.eq(0),
                self.counts.cycles.eq(self.counts.cycles + cycles + 1),
                self.counts.planes_run.eq(self.counts.planes_run + run),
                self.counts.planes_skipped.eq(self.counts.planes_skipped + (planes - run))]

    def _send(self, m, ring, lanes, over):
        """Keep what lanes give until all of an image is there, then send it."""
        folding = self._folding
        linear, sums = folding.activation == "linear", folding.activation != "sign"
        bank = Signal()   # to keep the next in
        turn = Signal()   # to send from
        full = Signal(data.ArrayLayout(1, 2))
        m.d.comb += ring.room.eq(~full[bank])
        with m.If(over):
            m.d.sync += [bank.eq(~bank), full[bank].eq(1)]

        group = Signal(range(folding.groups))
        part  = Signal(range(folding.least))
        place = Signal(range(folding.words))
        fetch = Signal()
        last  = Signal()
        m.d.comb += fetch.eq(full[turn] & (~self.o.valid | self.o.ready))
        m.d.comb += last.eq(place == folding.words - 1)
        with m.If(fetch):
            m.d.sync += place.eq(place + 1)
            m.d.sync += part.eq(part + 1)
            with m.If(part == folding.least - 1):
                m.d.sync += [part.eq(0), group.eq(group + 1)]
            with m.If(last):
                m.d.sync += [place.eq(0), part.eq(0), group.eq(0), turn.eq(~turn),
                             full[turn].eq(0)]
        with m.If(fetch | self.o.ready):
            m.d.sync += self.o.valid.eq(fetch)

        kept = data.StructLayout({
            **({} if linear else {"fires": 1}),
            **({"sum": signed(folding.acc_bits)} if sums else {})})
        found = []
        for pe, lane in enumerate(lanes):
            depth = 2 << len(group)
            cells = memory.Memory(shape=kept, depth=depth, init=[], attrs=attributes(
                Shape.cast(kept).width, depth, self._family))
            m.submodules[f"results_{pe}"] = cells
            w_port, r_port = cells.write_port(), cells.read_port()
            row = Signal.like(group, name=f"row_{pe}")
            with m.If(lane.done):
                m.d.sync += row.eq(row + 1)
            with m.If(over):
                m.d.sync += row.eq(0)
            m.d.comb += [w_port.en.eq(lane.done), w_port.addr.eq(Cat(row, bank)),
                         r_port.en.eq(fetch), r_port.addr.eq(Cat(group, turn))]
            for name in kept.members:
                m.d.comb += w_port.data[name].eq(getattr(lane, name))
            found.append(r_port.data)
        if not sums:
            m.d.comb += self.o.payload.eq(Cat(each.fires for each in found))
            return

        chosen = Signal.like(part)
        with m.If(fetch):
            m.d.sync += chosen.eq(part)
        leaving = [data.View(kept, Array(Value.cast(result)
                                         for result in found[n::folding.lanes])[chosen])
                   for n in range(folding.lanes)]
        if linear:
            m.d.comb += [lane.eq(each.sum)
                         for lane, each in zip(self.o.payload, leaving, strict=True)]
            return

        m.submodules.shifts = shifts = Store(
            width=folding.shifts.width, depth=folding.words, init=self._image.get("shifts"))
        wiring.connect(m, wiring.flipped(self.shifts_bus), shifts.bus)
        m.d.comb += [shifts.en.eq(fetch), shifts.addr.eq(place)]
        for n, each in enumerate(leaving):
            shifted = (each.sum >> shifts.data.word_select(n, folding.shift_bits)) + 1
            top = 2 ** folding.output_bits - 1
            m.d.comb += self.o.payload[n].eq(
                Mux(each.fires, Mux(shifted > top, top, shifted), 0))
