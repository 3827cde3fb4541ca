"""A serial line that does harm to what passes over it."""

import random
from collections.abc import Iterable
from dataclasses import dataclass


__all__ = ["BITS", "Wire", "Harm", "Way", "Listener", "frame_of"]


BITS = 10   # of a byte on the line: a start bit, which is low, eight of data, a stop bit


def frame_of(byte: int) -> int:
    """The bits of a byte as the line has them, the first lowest."""
    return byte << 1 | 1 << BITS - 1


@dataclass(frozen=True)
class Wire:
    """What a line does to bytes, in both directions alike.

    Parameters
    ----------
    flip : :class:`float`
        Probability that a bit arrives inverted, start and stop bits included.
    drop, double : :class:`float`
        Probability that a byte does not arrive, or arrives twice.
    delay : :class:`float`
        Bit times by which a byte may be late at most.
    drift : :class:`float`
        By how much the host's bits are longer than they should be: 0.01 is one per cent.
    seed : :class:`int`
        The same bytes suffer the same harm, whenever they pass.
    """

    flip: float = 0.0
    drop: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    drift: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("flip", "drop", "double"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Wire's {name} must be a probability, not "
                                 f"{getattr(self, name)!r}")
        if self.delay < 0:
            raise ValueError(f"Wire's delay must be 0 bit times or more, not {self.delay!r}")
        if abs(self.drift) >= 0.5:
            raise ValueError(f"Wire's drift must be less than half a bit, not {self.drift!r}")


@dataclass
class Harm:
    """What a line did in one direction: bytes that were to pass, and those it meddled with."""

    passed: int = 0
    flipped: int = 0    # bits
    dropped: int = 0
    doubled: int = 0
    delayed: int = 0


class Way:
    """One direction of a line.

    Parameters
    ----------
    wire : :class:`Wire`
    name : :class:`str`
        Two of different names suffer differently.
    """

    def __init__(self, wire: Wire, name: str) -> None:
        self.harm = Harm()
        self._wire = wire
        self._random = random.Random(f"{wire.seed} {name}")

    def __call__(self, frames: Iterable[int]) -> list[tuple[int, float]]:
        """Frames as they arrive, each with the bit times by which it is late."""
        wire, draw, harm = self._wire, self._random.random, self.harm
        arrived = []
        for frame in frames:
            harm.passed += 1
            if draw() < wire.drop:
                harm.dropped += 1
                continue
            copies = 1 + (draw() < wire.double)
            harm.doubled += copies - 1
            for _ in range(copies):
                flips = sum((draw() < wire.flip) << n for n in range(BITS)) if wire.flip else 0
                late = wire.delay * draw()
                harm.flipped += flips.bit_count()
                harm.delayed += late > 0
                arrived.append((frame ^ flips, late))
        return arrived


class Listener:
    """Finds bytes in bits, as the receiver at a host's end does.

    A byte begins with the first low bit, wherever that comes from, and is dropped unless its stop
    bit is high.
    """

    def __init__(self) -> None:
        self._bits: list[int] = []

    @property
    def busy(self) -> bool:
        """Whether a byte has begun and is not over."""
        return bool(self._bits)

    def __call__(self, bits: int, count: int = BITS) -> bytes:
        """The bytes that are over with these bits, the first lowest."""
        if not self._bits and count == BITS and not bits & 1 and bits >> BITS - 1:
            return bytes([bits >> 1 & 0xFF])   # as it nearly always is
        self._bits += [bits >> n & 1 for n in range(count)]
        found = bytearray()
        while 0 in self._bits:
            del self._bits[:self._bits.index(0)]
            if len(self._bits) < BITS:
                return bytes(found)
            byte, self._bits = self._bits[:BITS], self._bits[BITS:]
            if byte[-1]:
                found.append(sum(bit << n for n, bit in enumerate(byte[1:-1])))
        self._bits.clear()
        return bytes(found)
