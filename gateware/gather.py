"""Buffer that puts the vectors of a batch side by side."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .replay import send


__all__ = ["Gather"]


class Gather(wiring.Component):
    """Takes a batch of vectors once and sends it :py:`times` times, all vectors at once.

    What :class:`gateware.replay.Replay` is for one vector: two banks take turns, so that one batch
    is taken while the one before is sent. The throughput is a unit a cycle in, and a word of every
    vector a cycle out. The first word is valid two cycles after the last unit of its batch was
    taken. A bank is free again in the cycle in which its batch's last word becomes valid.

    Parameters
    ----------
    width : :class:`int`
        Bits in a unit.
    per_word : :class:`int`
        Units in a word out.
    units : :class:`int`
        Units in a vector in. Those past the last word out are dropped; what lacks to it is zeros.
    words : :class:`int`
        Words in a vector out.
    times : :class:`int`
        How often to send each batch.
    batch : :class:`int`
        Vectors in a batch.
    interleaved : :class:`bool`
        Whether the first units of all vectors come before their second ones, rather than all of a
        vector's before the next vector.
    most : :class:`int`
        Samples of a vector at most, for each of which it is sent so often; a power of two.

    Members
    -------
    samples : :py:`In(range(most + 1))`
        How many, a power of two; stays while there is anything here. Not where :py:`most` is 1.
    i : :py:`In(stream.Signature(width))`
        Vectors.
    last : :py:`In(1)`
        With the last unit of a vector: the batch closes after it, full or not. What it lacks are
        vectors of an earlier batch. Not where vectors are interleaved.
    closed : :py:`Out(1)`
        High in the cycle in which a batch's last unit is taken.
    vectors : :py:`Out(range(batch + 1))`
        How many vectors it then has.
    o : :py:`Out(stream.Signature(per_word * width * batch))`
        Words of all vectors, first vector lowest.
    """

    def __init__(self, *, width, per_word, units, words, times, batch, interleaved, most=1):
        for name, value in (("Width", width), ("Units of a word", per_word), ("Units", units),
                            ("Words", words), ("Times", times), ("Batch", batch),
                            ("Most samples", most)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if units <= (words - 1) * per_word:
            raise ValueError(f"Vectors of {words} words of {per_word} units must be longer than "
                             f"{words - 1} words, not {units} units")
        self._width = width
        self._per_word = per_word
        self._units = units
        self._words = words
        self._times = times
        self._batch = batch
        self._interleaved = interleaved
        super().__init__({
            **({"samples": In(range(most + 1))} if most > 1 else {}),
            "i": In(stream.Signature(width)),
            "last": In(1),
            "closed": Out(1),
            "vectors": Out(range(batch + 1)),
            "o": Out(stream.Signature(per_word * width * batch)),
        })

    def elaborate(self, platform):
        m = Module()
        index_bits = ceil_log2(self._words)
        m.submodules.banks = banks = memory.Memory(
            shape=len(self.o.payload), depth=(1 << index_bits) + self._words, init=[])
        w_port = banks.write_port(granularity=self._width)
        r_port = banks.read_port()

        full = Signal(2)

        # Take. Each unit of a row is written by itself.
        w_bank = Signal()
        word   = Signal(range(-(-self._units // self._per_word)))
        part   = Signal(range(self._per_word))
        slot   = Signal(range(self._batch))
        taken  = Signal()
        final  = Signal()   # unit of its vector
        m.d.comb += self.i.ready.eq(~full.word_select(w_bank, 1))
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        m.d.comb += final.eq(word * self._per_word + part == self._units - 1)
        m.d.comb += self.vectors.eq(slot + 1)
        m.d.comb += w_port.addr.eq(Cat(word[:index_bits], w_bank))
        m.d.comb += w_port.data.eq(self.i.payload.replicate(self._per_word * self._batch))
        with m.If(taken & (word < self._words)):
            m.d.comb += w_port.en.eq(1 << (slot * self._per_word + part))

        def next_unit():
            m.d.sync += part.eq(part + 1)
            with m.If(part == self._per_word - 1):
                m.d.sync += [part.eq(0), word.eq(word + 1)]
            with m.If(final):
                m.d.sync += [part.eq(0), word.eq(0)]

        def next_slot(ends):
            m.d.sync += slot.eq(slot + 1)
            with m.If(ends):
                m.d.sync += slot.eq(0)

        with m.If(taken):
            round_ = slot == self._batch - 1
            if self._interleaved:
                next_slot(round_)
                with m.If(round_):
                    next_unit()
                m.d.comb += self.closed.eq(final & round_)
            else:
                next_unit()
                with m.If(final):
                    next_slot(round_ | self.last)
                m.d.comb += self.closed.eq(final & (round_ | self.last))
        with m.If(self.closed):
            m.d.sync += w_bank.eq(~w_bank)
            m.d.sync += full.word_select(w_bank, 1).eq(1)

        send(m, self.o, r_port, full, words=self._words, times=self._times,
             samples=getattr(self, "samples", None))
        return m
