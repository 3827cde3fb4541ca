"""Processing element that goes through its neurons plane by plane, at its own pace."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .memories import Store, latency
from .total import Total, stages


__all__ = ["Lane"]


class Lane(wiring.Component):
    """PE of a :class:`gateware.compend.Compend`, with weights of its own.

    The words of an image go by, again and again, one in each cycle. A plane of a neuron takes as
    many as there are, wherever it begins; the sum is doubled before each plane, so that bit 0 of
    it weighs as much as a bit of the plane, and takes in the next bit of what it started with.
    Whether the neuron is done is known :py:`folding.wasted` cycles after a word: from its sign with
    each word of all planes but the first, as from then on it only falls, and from comparisons with
    :py:`low` and :py:`high` after the last word of a plane. Then the lane goes on to its next
    neuron, with whichever word is next, and what it has begun of the old one comes to nothing.

    Parameters
    ----------
    folding : :class:`gateware.serial_folding.SerialFolding`
        Size and parallelism.
    pe : :class:`int`
        Which PE of them.
    weights, preloads : list of :class:`int`, or None
        Memory rows at power-up.

    Members
    -------
    start : :py:`In(1)`
        Begin with the first neuron; words come from the next cycle on.
    rounds : :py:`In(range(folding.folds + 1))`
        Words of the image.
    index : :py:`In(range(folding.folds))`
        Which word goes by.
    word : :py:`In(data.ArrayLayout(folding.input_bits, folding.simd))`
        The word itself, as many cycles later as the memory of weights takes.
    detect : :py:`In(1)`
        Whether neurons may end early. Only where the folding has detection.
    low : :py:`In(range(folding.limit + 1))`
        A neuron is done when its sum is less after a plane. Only where speculation is built.
    high : :py:`In(range(folding.limit + 1))`
        A neuron is done when its sum is not less after a plane. Only for signs. Both are in units
        of 2^:py:`folding.grain`.
    busy : :py:`Out(1)`
        Whether words are still wanted.
    begun : :py:`Out(1)`
        Whether a word that began a plane has come to the sum, and was not in vain.
    done : :py:`Out(1)`
        Whether the sum is that of a neuron that is done, each in turn.
    fires : :py:`Out(1)`
        Whether the neuron was not given up, and its sum is not negative.
    sum : :py:`Out(signed(folding.acc_bits))`
        The sum; all of it where the neuron fires and only ReLU can tell what follows from it.
    weights_bus : :py:`In(bus.Signature(folding.weights(pe).addr_width))`
        The host's access to the weights.
    preloads_bus : :py:`In(bus.Signature(folding.preloads(pe).addr_width))`
        The host's access to what sums start with.
    """

    def __init__(self, folding, pe, *, weights=None, preloads=None):
        self._folding = folding
        self._pe = pe
        self._weights = weights
        self._preloads = preloads
        detects = folding.detection != "none"
        super().__init__({
            "start": In(1),
            "rounds": In(range(folding.folds + 1)),
            "index": In(range(folding.folds)),
            "word": In(data.ArrayLayout(folding.input_bits, folding.simd)),
            **({"detect": In(1)} if detects else {}),
            **({"low": In(range(folding.limit + 1))} if folding.detection == "speculative" else {}),
            **({"high": In(range(folding.limit + 1))} if detects and folding.activation == "sign"
               else {}),
            "busy": Out(1),
            "begun": Out(1),
            "done": Out(1),
            "fires": Out(1),
            "sum": Out(signed(folding.acc_bits)),
            "weights_bus": In(bus.Signature(folding.weights(pe).addr_width)),
            "preloads_bus": In(bus.Signature(folding.preloads(pe).addr_width)),
        })

    def elaborate(self, platform):
        m = Module()
        folding = self._folding
        rows, neurons = folding.weights(self._pe).depth, folding.neurons(self._pe)
        planes = folding.weight_bits
        m.submodules.weights = weights = Store(
            width=folding.simd, depth=rows, init=self._weights, storage=folding.storage)
        m.submodules.preloads = preloads = Store(
            width=folding.acc_bits, depth=neurons, init=self._preloads)
        wiring.connect(m, wiring.flipped(self.weights_bus), weights.bus)
        wiring.connect(m, wiring.flipped(self.preloads_bus), preloads.bus)

        # What goes along with a word.
        flags = data.StructLayout({
            "valid": 1,
            "first": 1,    # of a neuron
            "begins": 1,   # a plane
            "rises": 1,    # is of the first plane
            "ends": 1,     # a plane
            "final": 1,    # ends a neuron
            "tag": folding.tag_bits,
        })

        # Take words: the memory is asked for the weights that they meet.
        tag   = Signal(folding.tag_bits)
        base  = Signal(range(rows))          # row of this plane
        after = Signal(range(rows))          # row of the next neuron, which may come sooner
        left  = Signal(range(folding.folds)) # words of this plane after this one
        plane = Signal(range(planes))        # planes after this one
        more  = Signal(range(neurons))       # neurons after this one
        first  = Signal()                    # of a neuron
        begins = Signal()                    # a plane
        stop   = Signal()                    # what has come to the sum ends its neuron
        asked = Signal(flags)
        m.d.comb += [weights.en.eq(1), weights.addr.eq(base + self.index),
                     asked.valid.eq(self.busy), asked.tag.eq(tag),
                     asked.first.eq(first), asked.begins.eq(begins),
                     asked.rises.eq(plane == planes - 1),
                     asked.ends.eq(left == 0), asked.final.eq((left == 0) & (plane == 0))]
        sums = Signal(flags)                 # of the word that the sum has taken in
        m.d.sync += [first.eq(0), begins.eq(asked.ends), left.eq(left - 1)]
        with m.If(asked.ends):
            m.d.sync += [left.eq(self.rounds - 1), plane.eq(plane - 1),
                         base.eq(base + folding.folds)]
        moves = Signal()
        m.d.comb += moves.eq(self.busy & (asked.final | (stop & (sums.tag == tag))))
        with m.If(moves):
            m.d.sync += [first.eq(1), begins.eq(1), left.eq(self.rounds - 1), plane.eq(planes - 1),
                         more.eq(more - 1), tag.eq(tag + 1), self.busy.eq(more != 0)]
            if folding.detection != "none":
                m.d.sync += [base.eq(after), after.eq(after + planes * folding.folds)]
        with m.If(self.start):
            m.d.sync += [first.eq(1), begins.eq(1), left.eq(self.rounds - 1), plane.eq(planes - 1),
                         base.eq(0), after.eq(planes * folding.folds), more.eq(neurons - 1),
                         self.busy.eq(1)]

        # Multiply and add up.
        m.submodules.added = added = Total(count=folding.simd, bits=folding.input_bits,
                                           levels=folding.levels)
        for n in range(folding.simd):
            m.d.comb += added.i[n].eq(self.word[n] & weights.data[n].replicate(folding.input_bits))
        way = [asked]
        for n in range(latency(folding.storage) + stages(folding.simd, folding.levels)):
            way.append(following := Signal(flags, name=f"flags_{n}"))
            m.d.sync += following.eq(way[-2])
        comes = way[-1]

        # What a sum starts with is asked for one cycle ahead.
        neuron = Signal(range(neurons))
        m.d.comb += [preloads.addr.eq(neuron), preloads.en.eq(way[-2].valid & way[-2].first)]
        with m.If(preloads.en):
            m.d.sync += neuron.eq(Mux(neuron == neurons - 1, 0, neuron + 1))
        preload = preloads.data.as_signed()
        rest = Signal(planes - 1)            # bits of it that weigh less than the plane
        before = Signal.like(self.sum)
        m.d.comb += before.eq(self.sum)
        with m.If(comes.first):
            m.d.comb += before.eq(preload >> planes - 1)
            m.d.sync += rest.eq(preload)
        with m.Elif(comes.begins):
            m.d.comb += before.eq(Cat(rest[-1], self.sum))
            m.d.sync += rest.eq(rest << 1)
        # One adder for both: to take away is to add the opposite, and one more at its carry.
        falls = ~comes.rises
        term = Cat(falls, added.o ^ falls.replicate(len(added.o)), falls).as_signed()
        m.d.sync += self.sum.eq(Cat(1, before).as_signed() + term >> 1)
        m.d.sync += sums.eq(comes)

        # Tell whether that was all.
        over = Signal()                      # of its neuron, what comes now comes to nothing
        counts = Signal()                    # what has come is not in vain
        below  = Signal()
        above  = Signal()
        m.d.comb += counts.eq(sums.valid & (sums.first | ~over))
        m.d.comb += self.begun.eq(counts & sums.begins)
        if folding.detection != "none":
            # Bits that limits do not have tell without a carry chain, and so does a sum's sign.
            bits = folding.limit.bit_length()
            coarse = self.sum >> folding.grain
            kept, beyond = coarse[:bits], coarse[bits:-1].any()
            compared = sums.ends & ~sums.final & self.detect
            m.d.comb += below.eq(self.sum[-1] & (~sums.rises | sums.ends) & self.detect)
            if folding.detection == "speculative":
                with m.If(compared & ~beyond & (kept < self.low)):
                    m.d.comb += below.eq(1)
            if folding.activation == "sign":
                m.d.comb += above.eq(compared & ~self.sum[-1] & (beyond | (kept >= self.high)))
        m.d.comb += [stop.eq(counts & (below | above)), self.done.eq(stop | (counts & sums.final)),
                     self.fires.eq(~below & ~self.sum[-1])]
        with m.If(counts):
            m.d.sync += over.eq(self.done)
        return m
