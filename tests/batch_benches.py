# amaranth: UnusedElaboratable=no

"""A bench for each component that batches of images need; see :mod:`tests.benches`."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gateware.batches import Batches
from gateware.gather import Gather
from gateware.transpose import Transpose
from model.packing import pack_fields

from .benches import Script, streams


__all__ = ["BATCHES"]


def gather(rng, interleaved):
    """Four batches of three vectors of seven units, the last of which is past the end."""
    units = rng.integers(0, 16, (4, 3, 7))
    order = units.transpose(0, 2, 1) if interleaved else units
    words = units[:, :, :6].reshape(4, 3, 3, 2).transpose(0, 2, 1, 3)
    sent = [word for batch in words for _ in range(2) for word in pack_fields(batch, 4, 6)]
    return streams(Gather(width=4, per_word=2, units=7, words=3, times=2, batch=3,
                          interleaved=interleaved), order.reshape(-1).tolist(), sent)


class FullBatches(wiring.Component):
    """A buffer that is told that all batches are full."""

    def __init__(self):
        self.dut = Transpose(width=8, words=5, batch=3)
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        wiring.connect(m, wiring.flipped(self.i), dut.i)
        wiring.connect(m, dut.o, wiring.flipped(self.o))
        m.d.comb += dut.vectors.eq(3)
        return m


def transpose(rng):
    words = rng.integers(0, 256, (4, 5, 3))
    return streams(FullBatches(), words.reshape(-1).tolist(),
                   words.transpose(0, 2, 1).reshape(-1).tolist())


def batches():
    script = Script()
    script.step({"closed": 0, "closing": 3, "left": 0}, now={"hold": 0})
    script.step({"closed": 1}, after={"hold": 0, "vectors": 3})
    script.step({"closing": 2}, after={"hold": 1, "vectors": 3})
    script.step({"closed": 0, "left": 1}, after={"hold": 1, "vectors": 2})
    script.step({"left": 1}, after={"hold": 0})
    script.step({"left": 0, "closed": 1, "closing": 1}, after={"hold": 1, "vectors": 1})
    script.step({"left": 1, "closed": 0}, after={"hold": 0, "vectors": 3})
    return script.bench(Batches(batch=3, most=4))


# Of what, and how it is made.
BATCHES = {
    "gather_turns": (Gather, lambda rng: gather(rng, True)),
    "gather_whole": (Gather, lambda rng: gather(rng, False)),
    "transpose": (Transpose, transpose),
    "batches": (Batches, lambda rng: batches()),
}
