"""Binary dense layer."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .accumulate import Accumulate
from .memories import Store
from .samples import weighed


__all__ = ["Dense"]


class Dense(wiring.Component):
    """Fully connected layer with binary weights and binary activations, or with few bits of either.

    Computes what :class:`model.dense.Dense` computes. Takes what
    :class:`gateware.accumulate.Accumulate` takes, as fast, and compares its sums with thresholds
    that are read as the neurons leave: :py:`folding.steps` of a neuron's in each of
    :py:`folding.turns` cycles, in the last of which they leave. The latency is that of the sums,
    and all of these turns but the first.

    Parameters
    ----------
    folding : :class:`gateware.folding.Folding`
        Size and parallelism.
    weights, thresholds : list of :class:`int`, or None
        Memory rows at power-up.

    Members
    -------
    samples : :py:`In(range(folding.planes + 1))`
        How many planes there are, as :class:`gateware.accumulate.Accumulate` takes it; sums weigh
        as much as if there were all. Only where planes are drawn, and there may be several.
    i : :py:`In(stream.Signature(folding.simd * folding.batch))`
        Inputs, as :class:`gateware.accumulate.Accumulate` takes them.
    o : :py:`Out(stream.Signature(folding.lanes * folding.output_bits))`
        Activations, first neuron lowest; of each vector of a batch before the next neurons.
    sums : :py:`Out(data.ArrayLayout(range(folding.top + 1), folding.lanes))`
        What was compared, for probes: of the same neurons as :py:`o`, and valid with it.
    weights_bus : :py:`In(bus.Signature(weights_addr_width))`
        The host's access to the weights.
    thresholds_bus : :py:`In(bus.Signature(thresholds_addr_width))`
        The host's access to the thresholds.
    """

    def __init__(self, folding, *, weights=None, thresholds=None):
        self._folding = folding
        self._weights = weights
        self._thresholds = thresholds
        super().__init__({
            **({"samples": In(range(folding.planes + 1))} if folding.sampled else {}),
            "i": In(stream.Signature(folding.simd * folding.batch)),
            "o": Out(stream.Signature(folding.lanes * folding.output_bits)),
            "sums": Out(data.ArrayLayout(range(folding.top + 1), folding.lanes)),
            "weights_bus": In(bus.Signature(folding.weights.addr_width)),
            "thresholds_bus": In(bus.Signature(folding.thresholds.addr_width)),
        })

    def elaborate(self, platform):
        m = Module()
        folding = self._folding
        m.submodules.accumulate = accumulate = Accumulate(folding, init=self._weights)
        m.submodules.thresholds = thresholds = Store(
            width=folding.thresholds.width, depth=folding.thresholds.depth, init=self._thresholds)
        wiring.connect(m, wiring.flipped(self.i), accumulate.i)
        wiring.connect(m, wiring.flipped(self.weights_bus), accumulate.bus)
        wiring.connect(m, wiring.flipped(self.thresholds_bus), thresholds.bus)

        # Thresholds are asked for one cycle ahead, whether or not that word comes right away. All
        # vectors of a batch meet those of one word before the next.
        row  = Signal(range(folding.thresholds.depth))
        slot = Signal(range(folding.batch))
        turn = Signal(range(folding.turns))
        following = Signal.like(row)
        taken = Signal()
        last  = turn == folding.turns - 1
        m.d.comb += taken.eq(accumulate.o.valid & accumulate.o.ready)
        m.d.comb += following.eq(row)
        with m.If(taken):
            m.d.sync += turn.eq(Mux(last, 0, turn + 1))
            m.d.sync += slot.eq(Mux(slot == folding.batch - 1, 0, slot + 1))
            with m.If(slot == folding.batch - 1):
                m.d.comb += following.eq(Mux(row == folding.thresholds.depth - 1, 0, row + 1))
        m.d.sync += row.eq(following)
        m.d.comb += thresholds.en.eq(1)
        m.d.comb += thresholds.addr.eq(following)

        m.d.comb += self.o.valid.eq(accumulate.o.valid & last)
        m.d.comb += accumulate.o.ready.eq(self.o.ready | ~last)
        if folding.sampled:
            m.d.comb += accumulate.samples.eq(self.samples)
        for lane in range(folding.lanes):
            found = accumulate.o.payload[lane]
            m.d.comb += self.sums[lane].eq(
                weighed(found, self.samples) if folding.sampled else found)
            met = thresholds.data.word_select(lane, folding.steps * folding.threshold_bits)
            reached = [self.sums[lane] >= met.word_select(n, folding.threshold_bits)
                       for n in range(folding.steps)]
            number = self.o.payload.word_select(lane, folding.output_bits)
            if folding.turns == 1:
                m.d.comb += number.eq(sum(reached))
                continue
            before = Signal(folding.output_bits, name=f"before_{lane}")
            m.d.comb += number.eq(before + sum(reached))
            with m.If(taken):
                m.d.sync += before.eq(Mux(last, 0, number))
        return m
