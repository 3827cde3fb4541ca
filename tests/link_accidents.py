"""Frames that a link refuses, all with sequence number 9, by what it says."""

from model import frame
from model.frame import Error, Opcode

from .link_bed import WRITE, reaching_too_far, sealed, stuffed


__all__ = ["ACCIDENTS"]


def asked(opcode, payload):
    """A command with whatever payload."""
    return sealed(bytes([opcode, 9, len(payload)]) + payload)


ACCIDENTS = {
    Error.DAMAGED: [
        stuffed(WRITE + b"crc!"),
        (sealed(WRITE)[0], True),
        (sealed(WRITE)[0][:-1], False),
        (sealed(WRITE)[0] + b"\x01", False),
        reaching_too_far(WRITE)],
    Error.LENGTH: [
        sealed(WRITE[:2] + bytes([11]) + WRITE[3:]),
        sealed(WRITE[:2] + bytes([13]) + WRITE[3:]),
        sealed(WRITE[:2] + bytes([10]) + WRITE[3:-2]),
        sealed(WRITE[:2] + bytes([8]) + WRITE[3:]),         # would do for one word
        sealed(WRITE[:2] + bytes([12]) + WRITE[3:-4]),      # wants two
        sealed(WRITE[:2] + bytes([244]) + frame.write(0, range(60))),
        sealed(WRITE[:2] + bytes([4]) + WRITE[3:7]),
        asked(Opcode.READ, frame.read(3, 0)),
        asked(Opcode.READ, frame.read(3, 60)),
        asked(Opcode.RESET, b"\0"),
        asked(Opcode.IDENTIFY, b"\0"),
        asked(Opcode.INFER, bytes(3)),
        asked(Opcode.REPEAT, bytes([1, 0, 0, 0, 0])),
        asked(Opcode.REPEAT, frame.repeat(0)),
        asked(Opcode.REPEAT, frame.repeat(1 << 16)),
        asked(Opcode.REPEAT, frame.repeat((1 << 16) + 1))],
    Error.OPCODE: [
        sealed(bytes([8]) + WRITE[1:]),
        sealed(bytes([Opcode.WRITE | frame.ANSWER]) + WRITE[1:])],
    Error.ADDRESS: [
        asked(Opcode.WRITE, frame.write(31, [5, 6])),
        *(asked(Opcode.WRITE, frame.write(1 << bit, [5, 6])) for bit in (5, 6, 29, 30)),
        asked(Opcode.WRITE, frame.write(frame.RESULTS, [5, 6])),
        asked(Opcode.WRITE, frame.write(frame.COUNTERS, [5, 6])),
        asked(Opcode.READ, frame.read(16, 1)),    # never answered
        asked(Opcode.READ, frame.read(frame.RESULTS + 8, 2)),
        asked(Opcode.READ, frame.read(frame.RESULTS + (1 << 29), 1)),
        asked(Opcode.READ, frame.read(frame.COUNTERS + 1, 3)),
        asked(Opcode.INFER, bytes([0, 0, 0, 4])),
        asked(Opcode.INFER, bytes([0, 0, 0, 0, *range(22)]))],
    Error.IMAGE: [
        asked(Opcode.INFER, bytes([21, 0, 0, 0, 1])),
        asked(Opcode.INFER, bytes([0, 0, 128, 0, 1]))],
}
