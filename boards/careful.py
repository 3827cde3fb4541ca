"""Commands in pieces, for lines so bad that a long frame hardly ever arrives whole."""

from model import frame
from model.frame import Opcode


__all__ = ["pieces"]


# With what frames and answers have besides, and one wrong bit in a thousand, twice as much should
# take a sixth less; with one in two hundred, half as long again.
WORDS = 4                    # of memory in a piece
BYTES = WORDS * frame.WORD   # of images

Piece = tuple[Opcode, bytes, int]   # with its payload, and the size of that of its answer


def pieces(opcode: Opcode, payload: bytes, size: int) -> list[Piece]:
    """Commands that do the same as one, and whose answers make up its answer.

    Parameters
    ----------
    opcode, payload
        The command.
    size : :class:`int`
        Bytes of payload in its answer.
    """
    head = int.from_bytes(payload[:frame.HEAD], "little")
    data = payload[frame.HEAD:]
    if opcode is Opcode.WRITE:
        words = frame.unpack_words(data)
        return [(opcode, frame.write(head + at, words[at:at + WORDS]), 0)
                for at in range(0, len(words), WORDS)]
    if opcode is Opcode.READ:
        counts = [(at, min(WORDS, data[0] - at)) for at in range(0, data[0], WORDS)]
        return [(opcode, frame.read(head + at, count), count * frame.WORD)
                for at, count in counts]
    if opcode is Opcode.INFER:
        offset, run = head % frame.RUN, bool(head & frame.RUN)
        images: list[Piece] = [
            (opcode, frame.infer(offset + at, data[at:at + BYTES], run=False), 0)
            for at in range(0, len(data), BYTES)]
        # To run what is there may be asked for twice; a part of an image may be sent only once.
        last = frame.infer(0, run=True, scores=bool(head & frame.SCORES))
        return [*images, (opcode, last, size)] if run else images
    if opcode is Opcode.ECHO and payload:
        parts = [payload[at:at + BYTES] for at in range(0, len(payload), BYTES)]
        return [(opcode, part, len(part)) for part in parts]
    return [(opcode, payload, size)]
