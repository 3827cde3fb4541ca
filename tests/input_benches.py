# amaranth: UnusedElaboratable=no

"""A bench for what draws bits of pixels; see :mod:`tests.benches`."""

import numpy as np

import gateware.encoder
import gateware.lfsr
import gateware.stochastic
from gateware.samples import Samples
from gateware.tally import Tally
from model.lfsr import Lfsr
from model.packing import pack, pack_fields
from model.stochastic import GENERATORS, Stochastic

from .benches import Script, streams


__all__ = ["INPUTS", "drawn"]


PIXELS, SAMPLES = 22, 4


def stochastic(rng, generator, simd, batch=1, times=None):
    """Two batches of vectors, of which no word ends where they do, but for one."""
    spec = Stochastic(SAMPLES, generator=generator, bank=5, most=2 * SAMPLES)
    component, pixels, bits = drawn(spec, simd, rng.integers(0, 256, (2 * batch, PIXELS)), batch,
                                    times)
    return streams(component, pixels, bits, samples=SAMPLES)


def drawn(spec, simd, images, batch=1, times=None):
    """What draws bits of images, in batches; the words that it takes, and those that it gives."""
    inputs, words = images.shape[1], -(-images.shape[1] // simd)

    def rows(values):
        """Vectors side by side in each word."""
        padded = np.zeros((len(values), words * simd), dtype=values.dtype)
        padded[:, :inputs] = values
        return padded.reshape(-1, batch, words, simd).swapaxes(1, 2).reshape(-1, batch * simd)

    def again(values, count):
        """All words of a batch, so many times."""
        return np.repeat(values.reshape(-1, 1, words, batch * simd), count, axis=1)

    pixels, planes = rows(images), [rows(plane) for plane in spec(images).swapaxes(0, 1)]
    if times is None:
        bits = np.stack(planes, axis=1)
    else:
        pixels = again(pixels, times * spec.samples)
        bits = np.stack([again(plane, times) for plane in planes], axis=1)
    component = gateware.encoder.encoder(spec, simd=simd, inputs=inputs, batch=batch, times=times)
    return component, pack_fields(pixels, spec.bits, batch * simd), pack(bits, batch * simd)


def tally(rng):
    came = rng.integers(0, 8, (3, 4, 5))
    return streams(Tally(top=7, words=5, most=8), came.reshape(-1).tolist(),
                   came.sum(axis=1).reshape(-1).tolist(), samples=4)


def samples():
    script = Script()
    script.step({}, now={"o": 4})
    for value, held in ((2, 2), (1, 1), (3, 1), (8, 8), (16, 8), (0, 8), (1 << 31, 8), (4, 4)):
        script.step({"bus__w_en": 1, "bus__w_data": value}, after={"o": held})
        script.step({"bus__w_en": 0, "bus__w_data": 1, "bus__r_en": 1}, after={"bus__r_valid": 1,
                                                                               "bus__r_data": held})
        script.step({"bus__r_en": 0}, after={"bus__r_valid": 0})
    return script.bench(Samples(most=8, init=4))


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
    **{f"stochastic_apart_{generator.replace('-', '_')}": (
        gateware.stochastic.Stochastic,
        lambda rng, generator=generator, simd=simd: stochastic(rng, generator, simd, 2, 3))
        for generator, simd in zip(GENERATORS, (5, 7, 6, PIXELS, 4), strict=True)},
    "stochastic_batch": (gateware.stochastic.Stochastic,
                         lambda rng: stochastic(rng, "lfsr", 4, batch=3)),
    "samples": (Samples, lambda rng: samples()),
    "tally": (Tally, tally),
    "lfsr": (gateware.lfsr.Lfsr, lambda rng: lfsr(Lfsr(16, seed=0xace1), 1)),
    "lfsr_leaps": (gateware.lfsr.Lfsr, lambda rng: lfsr(Lfsr(33, seed=3), 50)),
}
