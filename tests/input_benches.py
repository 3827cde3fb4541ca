# amaranth: UnusedElaboratable=no

"""A bench for what draws bits of pixels; see :mod:`tests.benches`."""

import numpy as np

import gateware.lfsr
import gateware.stochastic
from model.lfsr import Lfsr
from model.packing import pack, pack_fields
from model.stochastic import GENERATORS, Stochastic

from .benches import Script, streams


__all__ = ["INPUTS"]


PIXELS, SAMPLES = 22, 8


def stochastic(rng, generator, simd, batch=1):
    """Two batches of vectors, of which no word ends where they do, but for one."""
    spec, words = Stochastic(SAMPLES, generator=generator, bank=5), -(-PIXELS // simd)
    images = rng.integers(0, 256, (2, batch, PIXELS))

    def rows(values):
        """Vectors side by side in each word."""
        padded = np.zeros((2, batch, words * simd), dtype=values.dtype)
        padded[:, :, :PIXELS] = values
        return padded.reshape(2, batch, words, simd).swapaxes(1, 2).reshape(2, words, -1)

    planes = np.stack([spec(each) for each in images])
    expected = np.stack([rows(planes[:, :, n]) for n in range(SAMPLES)], axis=2)
    component = gateware.stochastic.Stochastic(spec, simd=simd, inputs=PIXELS, batch=batch)
    return streams(component, pack_fields(rows(images), spec.bits, batch * simd),
                   pack(expected, batch * simd))


def lfsr(spec, leap):
    component, script = gateware.lfsr.Lfsr(spec, step=leap), Script()
    at = 0
    for en, restart in [(1, 0)] * 9 + [(0, 0), (1, 0), (0, 1), (1, 0), (1, 1), (0, 0), (1, 0)]:
        at = 0 if restart else at + en
        script.step({"en": en, "restart": restart}, after={"o": spec.after(at * leap)})
    return script.bench(component)


# Of what, and how it is made.
INPUTS = {
    **{f"stochastic_{generator.replace('-', '_')}": (
        gateware.stochastic.Stochastic,
        lambda rng, generator=generator, simd=simd: stochastic(rng, generator, simd))
        for generator, simd in zip(GENERATORS, (5, 7, 6, PIXELS, 4), strict=True)},
    "stochastic_batch": (gateware.stochastic.Stochastic,
                         lambda rng: stochastic(rng, "lfsr", 4, batch=3)),
    "lfsr": (gateware.lfsr.Lfsr, lambda rng: lfsr(Lfsr(16, seed=0xace1), 1)),
    "lfsr_leaps": (gateware.lfsr.Lfsr, lambda rng: lfsr(Lfsr(33, seed=3), 50)),
}
