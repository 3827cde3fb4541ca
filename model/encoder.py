"""Pixels to planes of bits."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from .checks import check_range


__all__ = ["Encoder", "BitSerial", "Lookup", "Threshold"]


@dataclass(frozen=True)
class Encoder:
    """What is common to all encoders: pixels of :py:`bits` bits in, :py:`planes` planes out.

    A layer adds up its planes weighted by :py:`gains`, most significant plane first. A clear bit
    stands for −1 where the encoder is :py:`bipolar`, and for 0 where it is not. Where planes are to
    stay :py:`apart`, that layer is the last one, and those before it take one plane at a time.
    """

    bipolar: ClassVar[bool]

    bits: int

    @property
    def gains(self) -> tuple[int, ...]:
        raise NotImplementedError

    @property
    def apart(self) -> bool:
        return False

    def drawing(self, samples: int) -> "Encoder":
        """The same with so many samples, as hardware that is built for more draws at run time."""
        raise ValueError("Samples can be chosen where bits are drawn of pixels, "
                         f"not for {type(self).__name__}")

    @property
    def built(self) -> "Encoder":
        """What hardware is built for; at run time it may draw fewer samples."""
        return self

    @property
    def planes(self) -> int:
        return len(self.gains)

    def check(self, images: npt.ArrayLike) -> np.ndarray:
        """The images, once they are known to be integers that fit the encoder."""
        images = np.asarray(images)
        if images.ndim != 2:
            raise ValueError("Images must be a matrix with a row for each, "
                             f"not {images.ndim}-dimensional")
        if images.dtype.kind not in "iub":
            raise TypeError(f"Pixels must be integers, not {images.dtype}")
        top = 2 ** self.bits - 1
        if images.size and (images.min() < 0 or images.max() > top):
            raise ValueError(f"Pixels must be between 0 and {top}, "
                             f"not {images.min()} to {images.max()}")
        return images

    def fed(self, images: npt.ArrayLike) -> np.ndarray:
        """The images as hardware is fed with them, images × inputs: pixels of :py:`built`."""
        return self.check(images)

    @property
    def sent_bits(self) -> int:
        """Bits of a pixel that an encoder cannot do without; these go over a line."""
        return self.bits

    def sent(self, images: npt.ArrayLike) -> np.ndarray:
        """The images as they go over a line, images × inputs, of :py:`sent_bits` a pixel."""
        return self.check(images)

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        """Bits of the images: images × planes × inputs."""
        raise NotImplementedError


@dataclass(frozen=True)
class BitSerial(Encoder):
    """A pixel's own bits, so that the first layer is exact.

    Plane p holds bit :py:`bits - 1 - p` of each pixel and weighs as much as that bit; Σ g_p · x_p
    is the pixel itself. Parameters: :py:`bits`, 1 to 16.
    """

    bipolar = False

    def __post_init__(self) -> None:
        check_range("Bits of a pixel", self.bits, 1, 16)

    @property
    def gains(self) -> tuple[int, ...]:
        return tuple(1 << k for k in reversed(range(self.bits)))

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        places = np.arange(self.bits)[::-1]
        return (self.check(images)[:, None, :] >> places[:, None] & 1).astype(bool)


@dataclass(frozen=True)
class Lookup(Encoder):
    """Whatever number a table has for a pixel, as its own bits.

    Hosts look it up, and hardware is that of a :class:`BitSerial` of as many bits as the greatest
    of these numbers. Parameters: :py:`table`, numbers from 0 to 255 for each pixel in turn, not all
    of them 0; :py:`bits`, 1 to 16, the width of a pixel.
    """

    bipolar = False

    bits: int = field(default=8, kw_only=True)
    table: tuple[int, ...]

    def __post_init__(self) -> None:
        check_range("Bits of a pixel", self.bits, 1, 16)
        table = tuple(int(number) for number in self.table)
        if len(table) != 2 ** self.bits or min(table) < 0 or not 1 <= max(table) <= 255:
            raise ValueError(f"Table must have a number from 0 to 255 for each of {2 ** self.bits} "
                             f"pixels, not {len(table)} from {min(table, default=0)} to "
                             f"{max(table, default=0)}")
        object.__setattr__(self, "table", table)

    def __str__(self) -> str:
        return f"Lookup(bits={self.bits}, numbers={max(self.table) + 1})"

    @property
    def built(self) -> BitSerial:
        return BitSerial(max(self.table).bit_length())

    @property
    def gains(self) -> tuple[int, ...]:
        return self.built.gains

    def fed(self, images: npt.ArrayLike) -> np.ndarray:
        return np.asarray(self.table)[self.check(images)]

    @property
    def sent_bits(self) -> int:
        return self.built.bits

    def sent(self, images: npt.ArrayLike) -> np.ndarray:
        return self.fed(images)

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        return self.built(self.fed(images))


@dataclass(frozen=True)
class Threshold(Encoder):
    """One plane: +1 where a pixel reaches :py:`level`, −1 elsewhere.

    Parameters: :py:`level`, 1 to 2^bits − 1, so that a pixel of 0, which also fills up the last
    word of an image, is always −1; :py:`bits`, 1 to 16, the width of a pixel.
    """

    bipolar = True

    bits: int = field(default=8, kw_only=True)
    level: int

    def __post_init__(self) -> None:
        check_range("Bits of a pixel", self.bits, 1, 16)
        check_range("Level", self.level, 1, 2 ** self.bits - 1)

    @property
    def gains(self) -> tuple[int, ...]:
        return (1,)

    @property
    def sent_bits(self) -> int:
        return 1

    def sent(self, images: npt.ArrayLike) -> np.ndarray:
        return (self.check(images) >= self.level).astype(np.int64)

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        return (self.check(images) >= self.level)[:, None, :]
