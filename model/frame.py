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

from cobs import cobs


__all__ = ["Opcode", "Error", "FrameError", "Frame", "Identity", "Run", "Split"]


VERSION = 1            # of the commands; goes up when one is added

DELIMITER = b"\0"
HEADER = 3             # bytes before the payload
MAX_PAYLOAD = 64
CRC = 4                # bytes behind the payload
MIN_FRAME = HEADER + CRC
MAX_FRAME = HEADER + MAX_PAYLOAD + CRC

WORD = 4               # bytes in a word of the address space
ADDRESS = 4            # bytes in an address
MAX_WORDS = 15         # in one WRITE, READ or INFER
BUFFER = 0x8000_0000   # address of the link's image buffer; the scores follow the image's words

OFFSET = 2             # bytes before the words of an INFER
RUN = 0x8000           # added to the offset: classify what the buffer holds
RESULT = 6             # bytes before the scores in the answer to RUN
MAX_SCORES = 14        # in that answer


class Opcode(enum.IntEnum):
    """What a frame asks for. An answer has :py:`ANSWER` added to it."""

    IDENTIFY = 0x01
    WRITE = 0x02
    READ = 0x03
    INFER = 0x04
    ERROR = 0x7F    # only as an answer: nothing was done, and the payload is an `Error`


ANSWER = 0x80


class Error(enum.IntEnum):
    """Why nothing was done."""

    DAMAGED = 1     # the CRC does not hold, or the line lost a bit
    LENGTH = 2      # too long, not as long as it says, or not as long as the command needs
    OPCODE = 3      # no such command
    REPEATED = 4    # the command with this sequence number was the last one that was carried out
    ADDRESS = 5     # nothing lies at an address
    WEIGHTS = 6     # INFER before the weights were written

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
}


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
class Identity:
    """The answer to IDENTIFY: all that a host must know to load images and to read results.

    A host ignores bytes behind those it knows.
    """

    hash: bytes             # of the accelerator: shape and mapping, but no weight
    clock_hz: int
    words: int              # of pixels in an image
    simd: int               # pixels in a word
    bits: int               # in a pixel
    classes: int
    loaded: bool = False    # whether the weights are there
    version: int = VERSION

    LAYOUT = struct.Struct("<BB8sIHHBH")

    def __post_init__(self) -> None:
        if len(self.hash) != 8:
            raise ValueError(f"The hash must be 8 bytes, not {len(self.hash)}")

    @property
    def chunks(self) -> int:
        """Words of the image buffer for a word of pixels."""
        return -(-self.simd * self.bits // (8 * WORD))

    @property
    def buffer_words(self) -> int:
        """Words of the image buffer for an image; the scores lie behind them."""
        return self.words * self.chunks

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.version, self.loaded, self.hash, self.clock_hz, self.words,
                                self.simd, self.bits, self.classes)

    @classmethod
    def unpack(cls, payload: bytes) -> "Identity":
        if len(payload) < cls.LAYOUT.size:
            raise FrameError(f"An identity must be {cls.LAYOUT.size} bytes or more, "
                             f"not {len(payload)}")
        version, loaded, hash, clock_hz, words, simd, bits, classes = \
            cls.LAYOUT.unpack_from(payload)
        return cls(hash, clock_hz, words, simd, bits, classes, bool(loaded & 1), version)


def pack_words(words: Sequence[int]) -> bytes:
    """Words as they lie in a payload; negative ones in two's complement."""
    return b"".join((word & 0xFFFF_FFFF).to_bytes(WORD, "little") for word in words)


def unpack_words(payload: bytes) -> list[int]:
    return [word for word, in struct.iter_unpack("<I", payload)]


def write(address: int, words: Sequence[int]) -> bytes:
    """Payload of WRITE."""
    return address.to_bytes(ADDRESS, "little") + pack_words(words)


def read(address: int, count: int) -> bytes:
    """Payload of READ."""
    return address.to_bytes(ADDRESS, "little") + bytes([count])


def infer(offset: int, words: Sequence[int], *, run: bool) -> bytes:
    """Payload of INFER."""
    return (offset | (RUN if run else 0)).to_bytes(OFFSET, "little") + pack_words(words)


@dataclass(frozen=True)
class Run:
    """The answer to INFER with :py:`RUN`."""

    best: int
    cycles: int                 # from the first pixel word accepted to the last score accepted
    scores: tuple[int, ...]     # of the first classes; READ gives the others

    def pack(self) -> bytes:
        return struct.pack("<HI", self.best, self.cycles) + pack_words(self.scores)

    @classmethod
    def unpack(cls, payload: bytes) -> "Run":
        if len(payload) < RESULT or (len(payload) - RESULT) % WORD:
            raise FrameError(f"A result must be {RESULT} bytes and whole words, "
                             f"not {len(payload)} bytes")
        best, cycles = struct.unpack_from("<HI", payload)
        return cls(best, cycles, tuple(s for s, in struct.iter_unpack("<i", payload[RESULT:])))


class Split:
    """Cuts what a line brings into the bytes between delimiters, across any number of calls."""

    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, line: bytes) -> list[bytes]:
        *frames, self._rest = (self._rest + line).split(DELIMITER)
        return [frame for frame in frames if frame]
