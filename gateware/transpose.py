"""Buffer that puts the vectors of a batch one behind another."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


__all__ = ["Transpose"]


class Transpose(wiring.Component):
    """Takes the words of a batch, first words of all vectors first, and sends vector after vector.

    Two banks take turns, so that one batch is taken while the one before is sent. The throughput
    is one word a cycle on either side. The first word is valid two cycles after the last word of
    its batch was taken. A bank is free again in the cycle in which its batch's last word becomes
    valid.

    Parameters
    ----------
    width : :class:`int`
        Bits in a word.
    words : :class:`int`
        Words in a vector.
    batch : :class:`int`
        Vectors in a batch.

    Members
    -------
    i : :py:`In(stream.Signature(width))`
        Words of a batch: as many as :py:`batch` vectors have.
    vectors : :py:`In(range(batch + 1))`
        How many vectors to send of the batch that is sent; the others are dropped. It stays while
        there is a batch here.
    left : :py:`Out(1)`
        High for a cycle in which the last word of a batch is read, so that it becomes valid in the
        next.
    o : :py:`Out(stream.Signature(width))`
        Vectors.
    """

    def __init__(self, *, width, words, batch):
        for name, value in (("Width", width), ("Words", words), ("Batch", batch)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self._words = words
        self._batch = batch
        super().__init__({
            "i": In(stream.Signature(width)),
            "vectors": In(range(batch + 1)),
            "left": Out(1),
            "o": Out(stream.Signature(width)),
        })

    def elaborate(self, platform):
        m = Module()
        index_bits, slot_bits = ceil_log2(self._words), ceil_log2(self._batch)
        # Places of words that no vector has lie between; a power of two spares a multiplier.
        m.submodules.banks = banks = memory.Memory(
            shape=len(self.i.payload), depth=2 << index_bits + slot_bits, init=[])
        w_port = banks.write_port()
        r_port = banks.read_port()

        full = Signal(2)

        w_bank  = Signal()
        w_index = Signal(range(self._words))
        w_slot  = Signal(range(self._batch))
        m.d.comb += self.i.ready.eq(~full.word_select(w_bank, 1))
        m.d.comb += w_port.en.eq(self.i.valid & self.i.ready)
        m.d.comb += w_port.addr.eq(Cat(w_index, w_slot, w_bank))
        m.d.comb += w_port.data.eq(self.i.payload)
        with m.If(w_port.en):
            m.d.sync += w_slot.eq(w_slot + 1)
            with m.If(w_slot == self._batch - 1):
                m.d.sync += w_slot.eq(0)
                m.d.sync += w_index.eq(w_index + 1)
                with m.If(w_index == self._words - 1):
                    m.d.sync += w_index.eq(0)
                    m.d.sync += w_bank.eq(~w_bank)
                    m.d.sync += full.word_select(w_bank, 1).eq(1)

        r_bank  = Signal()
        r_index = Signal(range(self._words))
        r_slot  = Signal(range(self._batch))
        there   = Signal()
        m.d.comb += there.eq(full.word_select(r_bank, 1))
        m.d.comb += r_port.en.eq(self.o.ready | ~self.o.valid)
        m.d.comb += r_port.addr.eq(Cat(r_index, r_slot, r_bank))
        m.d.comb += self.o.payload.eq(r_port.data)
        with m.If(r_port.en):
            m.d.sync += self.o.valid.eq(there)
            with m.If(there):
                m.d.sync += r_index.eq(r_index + 1)
                with m.If(r_index == self._words - 1):
                    m.d.sync += r_index.eq(0)
                    m.d.sync += r_slot.eq(r_slot + 1)
                    with m.If(r_slot == self.vectors - 1):
                        m.d.sync += r_slot.eq(0)
                        m.d.sync += r_bank.eq(~r_bank)
                        m.d.sync += full.word_select(r_bank, 1).eq(0)
                        m.d.comb += self.left.eq(1)
        return m
