"""Pixels to bits drawn with a probability: the stochastic-bitstream input."""

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .encoder import Encoder
from .lfsr import Lfsr


__all__ = ["BITS", "COMBINE", "FRESH", "GENERATORS", "PLACES", "Numbers", "Stochastic", "bipolar",
           "bits_of"]


COMBINE    = ("layer", "scores")
GENERATORS = ("lfsr", "lfsr-rotate", "lfsr-bank", "vdc", "vdc-xor")

BITS   = 8      # of a pixel, and of a number that it is compared with
WIDTH  = 16     # of the LFSRs
PLACES = 16     # by which lfsr-rotate can turn its state
FRESH  = 8      # steps after which none of the low bits are what they were
SEED   = 0xace1
BANK   = 16


@dataclass(frozen=True)
class Numbers:
    """Numbers of 8 bits, one for each pixel and sample; they depend on these and on nothing else.

    ==================  ==========================================================================
    ``"lfsr"``          One LFSR of 16 bits that makes one step a pixel, and goes on from sample to
                        sample; its low byte.
    ``"lfsr-rotate"``   One LFSR that makes eight steps a sample; its state turned right by the
                        pixel's index modulo 16, and of that the low byte.
    ``"lfsr-bank"``     :py:`bank` LFSRs that make eight steps a sample, evenly apart on their one
                        cycle; a pixel takes that of its index modulo :py:`bank`, and its low byte.
    ``"vdc"``           The sample's index, its bits turned round, and 128/T added, T being the
                        number of samples: the sequence of van der Corput (1935), each number in the
                        middle of its interval. The same for all pixels.
    ``"vdc-xor"``       The sample's index, its bits turned round, with a fixed mask for each pixel:
                        the exclusive or of a byte for each bit that is set in the pixel's index,
                        which are the low bytes of an LFSR eight steps apart. Being linear, it takes
                        no gates of its own where words have a power of two of pixels.
    ==================  ==========================================================================

    Parameters
    ----------
    generator : :class:`str`
        One of :data:`GENERATORS`.
    seed : :class:`int`
        Of the LFSR, 1 to 65,535. ``"vdc"`` has none, and does not look at it.
    bank : :class:`int`
        LFSRs of ``"lfsr-bank"``, 1 to 256.
    """

    generator: str
    seed: int = SEED
    bank: int = BANK

    def __post_init__(self) -> None:
        if self.generator not in GENERATORS:
            raise ValueError(f"Generator must be one of {', '.join(GENERATORS)}, "
                             f"not {self.generator!r}")
        Lfsr(WIDTH, seed=self.seed)
        if not isinstance(self.bank, int) or isinstance(self.bank, bool):
            raise TypeError(f"LFSRs of a bank must be an integer, not {self.bank!r}")
        if not 1 <= self.bank <= 256:
            raise ValueError(f"LFSRs of a bank must be between 1 and 256, not {self.bank!r}")

    @property
    def lfsr(self) -> Lfsr:
        return Lfsr(WIDTH, seed=self.seed)

    @property
    def spread(self) -> int:
        """Steps between one LFSR of a bank and the next."""
        return self.lfsr.period // self.bank

    @property
    def period(self) -> int:
        """Pixels after which numbers come again in each sample, where these share a state."""
        return {"lfsr-rotate": PLACES, "lfsr-bank": self.bank}[self.generator]

    def masks(self, bits: int) -> list[int]:
        """What each bit of a pixel's index adds to its mask."""
        states = self.lfsr.states(FRESH * (1 + np.arange(bits))) & np.uint64(255)
        return [int(mask) for mask in states]

    @lru_cache(maxsize=16)   # noqa: B019 - they are few and small
    def __call__(self, pixels: int, samples: int) -> np.ndarray:
        """All numbers, samples × pixels."""
        sample, pixel = np.arange(samples)[:, None], np.arange(pixels)
        if self.generator == "lfsr":
            found = self.lfsr.states(sample * pixels + pixel)
        elif self.generator == "lfsr-rotate":
            state, turn = self.lfsr.states(FRESH * sample), (pixel % PLACES).astype(np.uint64)
            found = state >> turn | state << np.uint64(WIDTH) - turn
        elif self.generator == "lfsr-bank":
            found = self.lfsr.states(FRESH * sample + self.spread * (pixel % self.bank))
        else:
            turned = np.array([reverse(n) for n in range(samples)], dtype=np.uint64)[:, None]
            if self.generator == "vdc":
                found = turned + np.uint64(128 // samples) + np.zeros(pixels, dtype=np.uint64)
            else:
                masks = np.zeros(pixels, dtype=np.uint64)
                for bit, mask in enumerate(self.masks(bits_of(pixels))):
                    masks ^= np.where(pixel >> bit & 1, np.uint64(mask), np.uint64(0))
                found = turned ^ masks
        numbers = (found & np.uint64(255)).astype(np.uint8)
        numbers.flags.writeable = False   # whoever asks next gets the same
        return numbers


def bits_of(pixels: int) -> int:
    """Bits of the index of one of so many pixels."""
    return (pixels - 1).bit_length()


def reverse(index: int) -> int:
    """An index below 256 with its eight bits turned round."""
    return int(f"{index:08b}"[::-1], 2)


def bipolar(values: npt.ArrayLike) -> np.ndarray:
    """Pixels that stand for values in [−1, 1].

    A pixel p is drawn as +1 with a probability of p/256, and so stands for x = p/128 − 1, which is
    P(+1) = (x + 1) / 2. The nearest pixel is taken; 255, the greatest, for what is nearer to 1.
    """
    values = np.asarray(values, dtype=np.float64)
    if not (abs(values) <= 1).all():
        raise ValueError(f"Values must be between -1 and 1, not {values.min()} to {values.max()}")
    return np.rint(128 * (values + 1)).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Stochastic(Encoder):
    """As many bits of each pixel as there are :py:`samples`, set with a probability of pixel / 256.

    A bit is set where the pixel is greater than the number that :class:`Numbers` has for it and for
    the sample. All planes weigh the same, and a clear bit stands for −1: a stochastic bitstream of
    each pixel's value in [−1, 1], as :func:`bipolar` has it (T. Hirtzlin et al., Stochastic
    Computing for Hardware Implementation of Binarized Neural Networks, 2019). A pixel of 0, which
    also fills up the last word of an image, is always −1.

    ============  ================================================================================
    ``"layer"``   The first layer adds up its counts of all samples, and applies its threshold once.
    ``"scores"``  The network runs once a sample, and the scores add up the counts of all samples.
    ============  ================================================================================

    Where fewer samples are drawn than there could be, each weighs as much as those that it stands
    for, so that sums and thresholds are those of :py:`most` samples.

    Parameters
    ----------
    samples : :class:`int`
        T, a power of two, 1 to 256.
    generator, seed, bank
        As :class:`Numbers` has them.
    combine : :class:`str`
        One of :data:`COMBINE`; where there is no hidden layer they are the same.
    most : :class:`int`, or None
        Samples that hardware is built for, of which it draws :py:`samples` at run time: a power of
        two, from these to 256; as many as these if None.
    bits : :class:`int`
        Width of a pixel, which must be 8.
    """

    bipolar = True

    bits: int = field(default=BITS, kw_only=True)
    samples: int
    generator: str = field(default="vdc", kw_only=True)
    seed: int = field(default=SEED, kw_only=True)
    bank: int = field(default=BANK, kw_only=True)
    combine: str = field(default="layer", kw_only=True)
    most: int = field(default=None, kw_only=True)   # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.bits != BITS:
            raise ValueError(f"Bits of a pixel must be {BITS} where bits are drawn, "
                             f"not {self.bits!r}: scale the images to 0 … 255")
        _check_samples("Samples", self.samples)
        if self.most is None:
            object.__setattr__(self, "most", self.samples)
        _check_samples("The most samples", self.most)
        if self.samples > self.most:
            raise ValueError(f"Samples must be at most {self.most}, for which this is built, "
                             f"not {self.samples!r}")
        if self.combine not in COMBINE:
            raise ValueError(f"Samples are combined by {' or '.join(COMBINE)}, "
                             f"not {self.combine!r}")
        Numbers(self.generator, self.seed, self.bank)   # says what is wrong with these

    def drawing(self, samples: int) -> "Stochastic":
        return replace(self, samples=samples)

    @property
    def built(self) -> "Stochastic":
        return self.drawing(self.most)

    @property
    def numbers(self) -> Numbers:
        return Numbers(self.generator, self.seed, self.bank)

    @property
    def gains(self) -> tuple[int, ...]:
        return (self.most // self.samples,) * self.samples

    @property
    def apart(self) -> bool:
        return self.combine == "scores"

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        images = self.check(images)
        return images[:, None, :] > self.numbers(images.shape[1], self.samples)


def _check_samples(what: str, samples: int) -> None:
    if not isinstance(samples, int) or isinstance(samples, bool):
        raise TypeError(f"{what} must be an integer, not {samples!r}")
    if not 1 <= samples <= 256 or samples & samples - 1:
        raise ValueError(f"{what} must be a power of two from 1 to 256, not {samples!r}")
