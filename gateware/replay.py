"""Buffer that repeats vectors."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2


__all__ = ["Replay", "send"]


def send(m, o, r_port, full, *, words, times, samples=None):
    """Read what is in two banks, one after the other, and offer each :py:`times` times.

    A bank is read where its bit of :py:`full` is set, which is cleared as its last word is read.
    The banks are :py:`words` rows each, the second from the next power of two on. Where there are
    :py:`samples`, each is offered so many times :py:`times` times.
    """
    r_bank  = Signal()
    r_index = Signal(range(words))
    r_times = Signal(range(times))
    advance = Signal()
    round_ = final = r_times == times - 1
    if samples is not None:
        r_sample = Signal(len(samples) - 1)
        final = round_ & (r_sample + 1 == samples)
    m.d.comb += advance.eq(o.ready | ~o.valid)
    m.d.comb += r_port.en.eq(advance)
    m.d.comb += r_port.addr.eq(Cat(r_index[:ceil_log2(words)], r_bank))
    m.d.comb += o.payload.eq(r_port.data)
    with m.If(advance):
        m.d.sync += o.valid.eq(full.bit_select(r_bank, 1))
        with m.If(full.bit_select(r_bank, 1)):
            m.d.sync += r_index.eq(r_index + 1)
            with m.If(r_index == words - 1):
                m.d.sync += r_index.eq(0)
                m.d.sync += r_times.eq(r_times + 1)
                with m.If(round_):
                    m.d.sync += r_times.eq(0)
                    if samples is not None:
                        m.d.sync += r_sample.eq(r_sample + 1)
                with m.If(final):
                    if samples is not None:
                        m.d.sync += r_sample.eq(0)
                    m.d.sync += r_bank.eq(~r_bank)
                    m.d.sync += full.bit_select(r_bank, 1).eq(0)


class Replay(wiring.Component):
    """Takes a vector once and sends it :py:`times` times, one for each group of neurons.

    Two banks take turns, so that one vector is taken while the one before is sent; nothing waits
    as long as a vector's words arrive faster than it is sent. The throughput is one word a cycle
    on either side. The first word is valid two cycles after the last word of its vector was taken.
    A bank is free again in the cycle in which its vector's last word becomes valid.

    Parameters
    ----------
    width : :class:`int`
        Bits in a word.
    words : :class:`int`
        Words in a vector.
    times : :class:`int`
        How often to send each vector.
    most : :class:`int`
        Samples of a vector at most, for each of which it is sent so often; a power of two.

    Members
    -------
    samples : :py:`In(range(most + 1))`
        How many, a power of two; stays while there is anything here. Not where :py:`most` is 1.
    i : :py:`In(stream.Signature(width))`
        Vectors.
    o : :py:`Out(stream.Signature(width))`
        The same, repeated.
    """

    def __init__(self, *, width, words, times, most=1):
        for name, value in (("Width", width), ("Words", words), ("Times", times),
                            ("Most samples", most)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self._words = words
        self._times = times
        super().__init__({
            **({"samples": In(range(most + 1))} if most > 1 else {}),
            "i": In(stream.Signature(width)),
            "o": Out(stream.Signature(width)),
        })

    def elaborate(self, platform):
        m = Module()
        index_bits = ceil_log2(self._words)
        m.submodules.banks = banks = memory.Memory(
            shape=self.i.payload.shape(), depth=(1 << index_bits) + self._words, init=[])
        w_port = banks.write_port()
        r_port = banks.read_port()

        full = Signal(2)

        w_bank  = Signal()
        w_index = Signal(range(self._words))
        m.d.comb += self.i.ready.eq(~full.bit_select(w_bank, 1))
        m.d.comb += w_port.en.eq(self.i.valid & self.i.ready)
        m.d.comb += w_port.addr.eq(Cat(w_index[:index_bits], w_bank))
        m.d.comb += w_port.data.eq(self.i.payload)
        with m.If(w_port.en):
            m.d.sync += w_index.eq(w_index + 1)
            with m.If(w_index == self._words - 1):
                m.d.sync += w_index.eq(0)
                m.d.sync += w_bank.eq(~w_bank)
                m.d.sync += full.bit_select(w_bank, 1).eq(1)

        send(m, self.o, r_port, full, words=self._words, times=self._times,
             samples=getattr(self, "samples", None))
        return m
