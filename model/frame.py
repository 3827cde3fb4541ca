"""The frames that a host and the accelerator's link exchange: the one place that writes them down.

A frame is an opcode, a sequence number, the length of the payload, the payload, and the CRC-32 of
all before it; stuffed (COBS) so that it holds no zero, and ended by a zero. Later versions add
opcodes, errors and fields at the end of an identity; they never change a frame.
"""

import enum
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cobs import cobs


__all__ = ["Opcode", "Error", "Counter", "FrameError", "Frame", "Layer", "Identity", "Run",
           "Repeated", "signature", "Split"]


VERSION = 2            # of the commands; goes up when one is added or means something else

DELIMITER = b"\0"
HEADER = 3             # bytes before the payload
MAX_PAYLOAD = 240      # so that stuffing adds one byte to any frame
CRC = 4                # bytes behind the payload
MIN_FRAME = HEADER + CRC
MAX_FRAME = HEADER + MAX_PAYLOAD + CRC

CLASS = 2              # bytes of a class in an answer

WORD = 4               # bytes in a word of the address space
HEAD = 4               # bytes of an address, an offset or a number of rounds, before all others
MAX_WORDS = 59         # in one WRITE or READ
MAX_BYTES = MAX_PAYLOAD - HEAD   # of images, in one INFER; of results, in one answer

RESULTS  = 0x8000_0000   # address of the scores of the last images
COUNTERS = 0xC000_0000   # address of what the link has counted: see `Counter`

RUN    = 1 << 24       # added to the offset: classify all images in the buffer
SCORES = 1 << 25       # with that: answer scores too
MAX_ROUNDS = 0xFFFF    # of one REPEAT


class Opcode(enum.IntEnum):
    """What a frame asks for. An answer has :py:`ANSWER` added to it."""

    IDENTIFY = 0x01
    WRITE = 0x02
    READ = 0x03
    INFER = 0x04
    REPEAT = 0x05
    ECHO = 0x06
    RESET = 0x07
    ERROR = 0x7F    # only as an answer: nothing was done, and the payload is an `Error`


ANSWER = 0x80


class Error(enum.IntEnum):
    """Why nothing was done."""

    DAMAGED = 1     # the CRC does not hold, or the line lost a bit
    LENGTH = 2      # too long, not as long as it says, or not as long as the command needs
    OPCODE = 3      # no such command
    REPEATED = 4    # the command with this sequence number was the last one that was carried out
    ADDRESS = 5     # nothing lies at an address
    WEIGHTS = 6     # INFER or REPEAT before the weights were written
    IMAGE = 7       # an image is not complete, or this is not its next part: all are forgotten

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Error.DAMAGED: "the frame arrived damaged",
    Error.LENGTH: "the length does not fit the command",
    Error.OPCODE: "the command is unknown",
    Error.REPEATED: "the command has been carried out already",
    Error.ADDRESS: "nothing lies at the address",
    Error.WEIGHTS: "no weights have been written",
    Error.IMAGE: "an image is not complete, or this is not its next part",
}


class Counter(enum.IntEnum):
    """What a link counts, by its place behind :py:`COUNTERS`."""

    IMAGES = 0      # classified; wraps at 2^32
    COMMANDS = 1    # carried out; this and the next wrap at 2^16
    REFUSED = 2


class FrameError(ValueError):
    """Bytes that are no frame."""


@dataclass(frozen=True)
class Frame:
    """One command, or one answer."""

    opcode: int
    sequence: int
    payload: bytes = b""

    def __post_init__(self) -> None:
        for name in ("opcode", "sequence"):
            value = getattr(self, name)
            if not 0 <= value <= 0xFF:
                raise ValueError(f"The {name} of a frame must be a byte, not {value!r}")
        if len(self.payload) > MAX_PAYLOAD:
            raise ValueError(f"The payload of a frame must be at most {MAX_PAYLOAD} bytes, "
                             f"not {len(self.payload)}")

    @property
    def raw(self) -> bytes:
        """The frame before stuffing."""
        body = bytes([self.opcode, self.sequence, len(self.payload)]) + self.payload
        return body + zlib.crc32(body).to_bytes(CRC, "little")

    def encode(self) -> bytes:
        """The frame as it goes over the line, delimiter included."""
        return cobs.encode(self.raw) + DELIMITER

    @classmethod
    def decode(cls, line: bytes) -> "Frame":
        """The frame in the bytes between two delimiters; :exc:`FrameError` if there is none."""
        try:
            raw = cobs.decode(line)
        except cobs.DecodeError as error:
            raise FrameError(f"The frame is not stuffed properly: {error}") from error
        if not MIN_FRAME <= len(raw) <= MAX_FRAME:
            raise FrameError(f"A frame must be {MIN_FRAME} to {MAX_FRAME} bytes, not {len(raw)}")
        body, crc = raw[:-CRC], int.from_bytes(raw[-CRC:], "little")
        if zlib.crc32(body) != crc:
            raise FrameError(f"The CRC must be {zlib.crc32(body):#010x}, not {crc:#010x}")
        if body[2] != len(body) - HEADER:
            raise FrameError(f"The payload must be {body[2]} bytes, not {len(body) - HEADER}")
        return cls(body[0], body[1], body[HEADER:])

    def answer(self, payload: bytes = b"") -> "Frame":
        """What a link says when it has carried the frame out."""
        return Frame(self.opcode | ANSWER, self.sequence, payload)

    def error(self, error: Error) -> "Frame":
        """What a link says when it has not."""
        return Frame(Opcode.ERROR | ANSWER, self.sequence, bytes([error]))


@dataclass(frozen=True)
class Layer:
    """A layer, as far as an identity tells of it."""

    inputs: int
    outputs: int
    pe: int
    simd: int
    planes: int

    LAYOUT = struct.Struct("<HHHHB")


@dataclass(frozen=True)
class Identity:
    """The answer to IDENTIFY: all that a host must know to load images and to read results.

    A host ignores bytes behind those it knows.
    """

    hash: bytes             # of the accelerator: shape and mapping, but no weight
    clock_hz: int
    control: int            # address of the registers: see `gateware.control`
    inputs: int             # pixels in an image
    bits: int               # of a pixel, as it is sent
    classes: int
    score_bits: int
    batch: int              # images that the buffer has room for
    layers: tuple[Layer, ...] = ()   # as many of them as there is room to tell of
    loaded: bool = False    # whether the weights are there
    learns: bool = False    # whether the last pixel of an image is its label
    version: int = VERSION

    LAYOUT = struct.Struct("<BB8sIIIBHBHB")
    MAX_LAYERS = (MAX_PAYLOAD - LAYOUT.size) // Layer.LAYOUT.size

    def __post_init__(self) -> None:
        if len(self.hash) != 8:
            raise ValueError(f"The hash must be 8 bytes, not {len(self.hash)}")

    @property
    def image_bytes(self) -> int:
        """Bytes in which an image is sent."""
        return -(-self.inputs * self.bits // 8)

    @property
    def buffer_bytes(self) -> int:
        """Bytes of images that the buffer has room for."""
        return self.batch * self.image_bytes

    @property
    def score_bytes(self) -> int:
        """Bytes of a score in the answer to RUN."""
        return -(-self.score_bits // 8)

    def result_bytes(self, *, scores: bool) -> int:
        """Bytes for an image in the answer to RUN."""
        return CLASS + (self.classes * self.score_bytes if scores else 0)

    def most_images(self, *, scores: bool) -> int:
        """Images for which an answer to RUN has room."""
        return min(self.batch, MAX_BYTES // self.result_bytes(scores=scores))

    def pack(self) -> bytes:
        layers = self.layers[:self.MAX_LAYERS]
        return self.LAYOUT.pack(
            self.version, self.loaded | self.learns << 1, self.hash, self.clock_hz, self.control,
            self.inputs, self.bits, self.classes, self.score_bits, self.batch, len(layers)
        ) + b"".join(Layer.LAYOUT.pack(layer.inputs, layer.outputs, layer.pe, layer.simd,
                                       layer.planes) for layer in layers)

    @classmethod
    def unpack(cls, payload: bytes) -> "Identity":
        if payload and payload[0] < VERSION:
            raise FrameError(f"The link must speak version {VERSION}, not {payload[0]}")
        if len(payload) < cls.LAYOUT.size or \
                len(payload) < cls.LAYOUT.size + payload[cls.LAYOUT.size - 1] * Layer.LAYOUT.size:
            raise FrameError(f"An identity must be {cls.LAYOUT.size} bytes or more, with those of "
                             f"its layers, not {len(payload)}")
        version, loaded, hash, clock_hz, control, inputs, bits, classes, score_bits, batch, count \
            = cls.LAYOUT.unpack_from(payload)
        layers = tuple(Layer(*Layer.LAYOUT.unpack_from(
            payload, cls.LAYOUT.size + n * Layer.LAYOUT.size)) for n in range(count))
        return cls(hash, clock_hz, control, inputs, bits, classes, score_bits, batch, layers,
                   bool(loaded & 1), bool(loaded & 2), version)


def pack_words(words: Sequence[int]) -> bytes:
    """Words as they lie in a payload; negative ones in two's complement."""
    return b"".join((word & 0xFFFF_FFFF).to_bytes(WORD, "little") for word in words)


def unpack_words(payload: bytes) -> list[int]:
    return [word for word, in struct.iter_unpack("<I", payload)]


def write(address: int, words: Sequence[int]) -> bytes:
    """Payload of WRITE."""
    return address.to_bytes(HEAD, "little") + pack_words(words)


def read(address: int, count: int) -> bytes:
    """Payload of READ."""
    return address.to_bytes(HEAD, "little") + bytes([count])


def infer(offset: int, data: bytes = b"", *, run: bool, scores: bool = False) -> bytes:
    """Payload of INFER."""
    flags = (RUN if run else 0) | (SCORES if scores else 0)
    return (offset | flags).to_bytes(HEAD, "little") + data


def repeat(rounds: int) -> bytes:
    """Payload of REPEAT."""
    return rounds.to_bytes(HEAD, "little")


def pack_images(pixels: npt.NDArray[np.integer], bits: int) -> list[bytes]:
    """Images as they are sent: :py:`bits` of each pixel, lowest first, without gaps."""
    count, inputs = pixels.shape
    planes = (pixels[:, :, None] >> np.arange(bits) & 1).astype(np.uint8)
    packed = np.packbits(planes.reshape(count, inputs * bits), axis=1, bitorder="little")
    return [row.tobytes() for row in packed]


@dataclass(frozen=True)
class Run:
    """The answer to INFER with :py:`RUN`."""

    cycles: int                            # from the first word of pixels to the last score
    best: tuple[int, ...]                  # of each image
    scores: tuple[tuple[int, ...], ...] | None = None

    def pack(self, identity: Identity) -> bytes:
        size = identity.score_bytes
        results = b""
        for n, best in enumerate(self.best):
            for score in self.scores[n] if self.scores is not None else ():
                results += score.to_bytes(size, "little", signed=True)
            results += best.to_bytes(CLASS, "little")
        return self.cycles.to_bytes(WORD, "little") + results

    @classmethod
    def unpack(cls, payload: bytes, identity: Identity, *, scores: bool) -> "Run":
        size, each = identity.score_bytes, identity.result_bytes(scores=scores)
        results = payload[WORD:]
        if len(payload) < WORD or len(results) % each:
            raise FrameError(f"A result must be {WORD} bytes, and {each} for each image, not "
                             f"{len(payload)} bytes")
        images = [results[at:at + each] for at in range(0, len(results), each)]
        return cls(int.from_bytes(payload[:WORD], "little"),
                   tuple(int.from_bytes(image[-CLASS:], "little") for image in images),
                   tuple(tuple(int.from_bytes(image[at:at + size], "little", signed=True)
                               for at in range(0, each - CLASS, size))
                         for image in images) if scores else None)


@dataclass(frozen=True)
class Repeated:
    """The answer to REPEAT."""

    cycles: int
    signature: int   # of all results: see `signature`

    def pack(self) -> bytes:
        return pack_words([self.cycles, self.signature])

    @classmethod
    def unpack(cls, payload: bytes) -> "Repeated":
        if len(payload) != 2 * WORD:
            raise FrameError(f"A repetition's result must be {2 * WORD} bytes, not {len(payload)}")
        return cls(*unpack_words(payload))


POLYNOMIAL = 0x04C1_1DB7   # that of the CRC-32, with its top bit left out: primitive


def signature(scores: npt.NDArray[np.integer], best: npt.NDArray[np.integer],
              rounds: int = 1) -> int:
    """What a signature register holds after all results, some rounds of them.

    Any single wrong score or class changes it, and so do all but one in 2^32 of other mistakes. The
    register is multiplied by x in GF(2^32) for each score, and the score added; with an image's
    last score its class as well, 16 bits further up.

    Parameters
    ----------
    scores : array of :class:`int`, images × classes
    best : array of :class:`int`, images
    rounds : :class:`int`
        How often all of them come.
    """
    block, shift = 0, 1   # a round multiplies by `shift`, and adds `block`
    for row, number in zip(scores.tolist(), best.tolist(), strict=True):
        for n, score in enumerate(row):
            word = score ^ (number << 16 if n == len(row) - 1 else 0)
            block, shift = _times_x(block) ^ word & 0xFFFF_FFFF, _times_x(shift)
    total, factor = 0, 1   # of the rounds so far
    for bit in f"{rounds:b}":
        total, factor = _times(factor, total) ^ total, _times(factor, factor)
        if bit == "1":
            total, factor = _times(shift, total) ^ block, _times(factor, shift)
    return total


def _times_x(value: int) -> int:
    return value << 1 & 0xFFFF_FFFF ^ (POLYNOMIAL if value >> 31 else 0)


def _times(left: int, right: int) -> int:
    product = 0
    for bit in reversed(range(32)):
        product = _times_x(product) ^ (left if right >> bit & 1 else 0)
    return product


class Split:
    """Cuts what a line brings into the bytes between delimiters, across any number of calls."""

    def __init__(self) -> None:
        self.rest = b""   # what no delimiter has ended yet

    def __call__(self, line: bytes) -> list[bytes]:
        *frames, self.rest = (self.rest + line).split(DELIMITER)
        return [frame for frame in frames if frame]
