"""Commands drawn at random, many at a time, and a line that does them harm."""

from dataclasses import dataclass

import numpy as np

from model import frame
from model.frame import Opcode

from . import link_bed
from .link_line import LOST
from .standin import CONTROL


__all__ = ["Damage", "commands", "sealed", "garbage"]


BITS = 10    # of a byte on the line: a start bit, eight of data, a stop bit


def sealed(body):
    """A body on the line, with the right CRC, whatever else is wrong with it."""
    line, _ = link_bed.sealed(body)
    return line + b"\0"


def commands(draw, bed, count):
    """Bodies of frames: nine out of ten sound, of every opcode; the others ask for too much.

    Parameters
    ----------
    draw : :class:`random.Random`
    """
    identity, bodies, sequence = bed.identity, [], 0
    size, most = identity.image_bytes, identity.buffer_bytes
    depth = identity.batch * identity.classes
    kinds = [Opcode.WRITE] * 4 + [Opcode.READ] * 4 + [Opcode.INFER] * 6 + \
        [Opcode.ECHO] * 3 + [Opcode.REPEAT, Opcode.IDENTIFY, Opcode.RESET]

    def add(opcode, payload):
        nonlocal sequence
        # A number that comes again is refused.
        sequence = sequence + (draw.random() > 0.02) & 0xFF
        # And once in a while, a frame that holds together says something else of its length.
        length = len(payload) if draw.random() > 0.01 else draw.randrange(256)
        bodies.append(bytes([opcode, sequence, length]) + payload)

    while len(bodies) < count:
        opcode, sound = draw.choice(kinds), draw.random() > 0.1
        if not sound and draw.random() < 0.4:
            opcode = draw.choice([*Opcode, 0, 0x42, 0x83])
            add(opcode, draw.randbytes(draw.choice([0, 1, 3, 4, 5, 8, 13, 240])))
        elif opcode == Opcode.WRITE:
            address = draw.randrange(CONTROL + 2) if sound else draw.choice(
                [20, 31, 32, 33, 1 << 15, 1 << 30, frame.RESULTS, frame.COUNTERS, 0xFFFF_FFFF])
            words = [draw.getrandbits(32) for _ in range(draw.choice([1, 1, 2, 3, 8, 59]))]
            words = words[:max(1, 32 - address)] if sound else words
            # Weights are there, for the most part.
            if address <= CONTROL < address + len(words) and draw.random() < 0.9:
                words[CONTROL - address] |= 1
            add(opcode, frame.write(address, words))
        elif opcode == Opcode.READ:
            space = draw.choice([0, frame.RESULTS, frame.COUNTERS])
            there = {0: CONTROL + 2, frame.RESULTS: depth, frame.COUNTERS: 3}[space]
            at = draw.randrange(there)
            words = draw.randint(1, min(there - at, frame.MAX_WORDS)) if sound else \
                draw.choice([0, there - at + 1, 60, 255])
            add(opcode, frame.read(space + at, words))
        elif opcode == Opcode.INFER:
            scores = draw.random() < 0.5
            images = draw.randint(1, max(1, min(identity.batch,
                                                identity.most_images(scores=scores))))
            data = draw.randbytes(images * size)[:frame.MAX_BYTES]
            if not sound:
                add(opcode, frame.infer(draw.choice([0, 1, size, most, most + 1]),
                                        data[:draw.randint(0, len(data))],
                                        run=draw.random() < 0.5, scores=scores))
            elif draw.random() < 0.4:
                cut = draw.randrange(1, len(data)) if len(data) > 1 else 1
                add(opcode, frame.infer(0, data[:cut], run=False))
                add(opcode, frame.infer(cut, data[cut:], run=True, scores=scores))
            else:
                add(opcode, frame.infer(0, data, run=True, scores=scores))
        elif opcode == Opcode.REPEAT:
            add(opcode, frame.repeat(draw.choice([1, 2, 3, 20] if sound
                                                 else [0, 1 << 16, 1 << 31])))
        elif opcode == Opcode.ECHO:
            add(opcode, draw.randbytes(draw.choice([0, 1, 5, 20, 60, 240])))
        else:
            add(opcode, b"")
    return bodies[:count]


@dataclass
class Damage:
    """Does harm to bytes: the same, for the same seed.

    Parameters
    ----------
    rng : :class:`numpy.random.Generator`
    flip : :class:`float`
        Probability that a bit arrives inverted. A byte whose stop bit does is known to be lost; one
        whose start bit does is not noticed.
    drop, double : :class:`float`
        Probability that a byte does not arrive, or arrives twice.
    noise : :class:`float`
        Probability that a byte is said to be lost before one that arrives.
    cut : :class:`float`
        Probability that a frame ends early; half of these lose their delimiter as well.
    """

    rng: np.random.Generator
    flip: float = 1e-3
    drop: float = 1e-3
    double: float = 1e-3
    noise: float = 1e-3
    cut: float = 0.01
    frames: int = 0      # that passed
    damaged: int = 0     # of them

    def __call__(self, line):
        """Items that arrive of some whole frames, or of any other bytes."""
        data, rng = np.frombuffer(line, dtype=np.uint8), self.rng
        size = len(data)
        flips = rng.random((size, BITS)) < self.flip
        stop, start = flips[:, 9], flips[:, 0]
        copies = 1 + (rng.random(size) < self.double).astype(np.int64)
        copies[(rng.random(size) < self.drop) | start] = 0
        ends = np.flatnonzero(data == 0) + 1
        begins = np.concatenate([[0], ends]).astype(np.int64)[:-1]
        for begin, end in zip(begins, ends, strict=True):
            if rng.random() < self.cut:
                copies[rng.integers(begin, end):end - int(rng.integers(2))] = 0
        items = (data ^ np.packbits(flips[:, 1:9], axis=1, bitorder="little")[:, 0]).astype(
            np.uint16)
        items[stop] = LOST
        noise = rng.random(size) < self.noise
        harmed = (items != data) | (copies != 1) | noise
        self.frames += len(ends)
        if len(ends):
            self.damaged += int(np.logical_or.reduceat(harmed[:ends[-1]], begins).sum())
        # Each byte, as often as it arrives, with what is said to be lost before it.
        pairs = np.stack([np.full(size, LOST, dtype=np.uint16), items], axis=1).ravel()
        return np.repeat(pairs, np.stack([noise, copies], axis=1).ravel())


def garbage(rng, count, zeros=0.0):
    """Bytes of no meaning, and so many more zeros among them."""
    data = rng.integers(0, 256, count).astype(np.uint16)
    data[rng.random(count) < zeros] = 0
    return data
