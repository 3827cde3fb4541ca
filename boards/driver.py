"""The engine at the other end of a serial port."""

import errno
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import serial
from serial.tools import list_ports

from gateware.compiler import pixel_words
from model import frame
from model.errors import CheckFailed, InputError
from model.frame import Error, Frame, FrameError, Identity, Opcode, Run
from sim.engine import Image, Result, bus_reads, bus_writes, image_of


__all__ = ["Port", "Driver", "open_port"]


TRIES = 6      # of each command
BURST = 32     # commands in flight that end before the next has arrived
PAIR  = 2      # others: a link has room for one that waits

Command = tuple[Opcode, bytes]


class Port(Protocol):
    """What a driver needs of pyserial's :class:`Serial`."""

    timeout: float | None

    @property
    def in_waiting(self) -> int: ...
    def write(self, data: bytes, /) -> int | None: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def reset_input_buffer(self) -> None: ...
    def close(self) -> None: ...


def open_port(path: str, baud: int, *, timeout: float = 1.0) -> Port:
    """A serial port; :exc:`InputError` says why there is none."""
    try:
        return serial.Serial(path, baud, timeout=timeout, exclusive=True)
    except (serial.SerialException, OSError) as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise InputError(f"{path} may not be opened: add yourself to the group that owns it "
                             f"(`sudo usermod -a -G dialout $USER`, then log in again), or install "
                             f"the board's udev rule") from error
        if error.errno in (errno.EBUSY, errno.EAGAIN):
            raise InputError(f"{path} is in use by another program: close that first") from error
        there = ", ".join(sorted(port.device for port in list_ports.comports())) or "none"
        raise InputError(f"{path} is no serial port; there are: {there}") from error


class Driver:
    """Runs an accelerator that :class:`gateware.system.System` has put behind a serial port.

    A command that a noisy line damaged is sent again. Images are classified one at a time, so the
    cycles of a :class:`sim.engine.Result` are those of each image alone, added up.

    Parameters
    ----------
    port : :class:`Port`
        Its :py:`timeout` must exceed the time of an inference.
    where : :class:`str`
        What to call the port, when there is something to say about it.
    """

    name = "board"

    def __init__(self, port: Port, *, where: str = "the port"):
        self._port = port
        self._where = where
        self._sequence = itertools.count()
        self._heard = False        # a whole answer, ever
        self._accelerator: Any = None
        self._identity: Identity | None = None
        port.reset_input_buffer()

    @classmethod
    def open(cls, path: str, baud: int) -> "Driver":
        """The driver of a board that is connected to this machine."""
        return cls(open_port(path, baud), where=f"{path} at {baud} baud")

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._port.close()

    # What an engine does.

    def identify(self) -> Identity:
        """What the board says it is."""
        answer, = self._ask([(Opcode.IDENTIFY, b"")])
        try:
            return Identity.unpack(answer)
        except FrameError as error:
            raise CheckFailed(f"{self._where}: {error}") from error

    def load(self, accelerator: Any) -> None:
        """Check that the board's bitstream holds an accelerator, given as such or as a plan."""
        identity = self.identify()
        if identity.version < frame.VERSION:
            raise InputError(f"{self._where}: the bitstream speaks version {identity.version} of "
                             f"the host link, not {frame.VERSION}: build and flash it again")
        if identity.hash != accelerator.hash:
            raise InputError(f"{self._where}: the bitstream is of accelerator "
                             f"{identity.hash.hex()}, not {accelerator.hash.hex()}: build and "
                             f"flash the one for this network and board")
        self._accelerator = accelerator
        self._identity = identity

    def write(self, image: Image) -> None:
        begin, *rows, end = bus_writes(self._accelerator, image)
        for part in ([begin], rows, [end]):
            self._ask([(Opcode.WRITE, frame.write(address, words))
                       for address, words in _runs(part)])

    def read(self) -> Image:
        runs = _runs((address, 0) for address in bus_reads(self._accelerator))
        return image_of(self._accelerator, self._words(
            (address, len(words)) for address, words in runs))

    def infer(self, images: npt.ArrayLike) -> Result:
        identity, shape = self._identity, self._accelerator.shape
        assert identity is not None
        images = np.asarray(images)
        words = pixel_words(images, shape, self._accelerator.mapping)
        runs = [self._run(identity, words[at:at + identity.words])
                for at in range(0, len(words), identity.words)]
        done = np.cumsum([run.cycles for run in runs])
        scores = np.array([run.scores for run in runs], dtype=np.int64)
        return Result(scores.reshape(-1, shape.classes), np.array([run.best for run in runs]),
                      int(done[-1]) if len(runs) else 0, done)

    def _run(self, identity: Identity, pixels: Sequence[int]) -> Run:
        words = [word >> 32 * chunk & 0xFFFF_FFFF
                 for word in pixels for chunk in range(identity.chunks)]
        offsets = range(0, len(words), frame.MAX_WORDS)
        *_, answer = self._ask([
            (Opcode.INFER, frame.infer(offset, words[offset:offset + frame.MAX_WORDS],
                                       run=offset == offsets[-1])) for offset in offsets])
        run = Run.unpack(answer)
        start, left = frame.BUFFER + identity.buffer_words, range(len(run.scores), identity.classes)
        others = self._words((start + first, min(frame.MAX_WORDS, left.stop - first))
                             for first in left[::frame.MAX_WORDS])
        return Run(run.best, run.cycles, (*run.scores, *(
            word - (1 << 32) if word >> 31 else word for word in others)))

    # How commands travel.

    def _words(self, runs: Iterable[tuple[int, int]]) -> list[int]:
        answers = self._ask([(Opcode.READ, frame.read(address, count)) for address, count in runs])
        return [word for answer in answers for word in frame.unpack_words(answer)]

    def _ask(self, commands: Sequence[Command]) -> list[bytes]:
        """Payloads of the answers to some commands, carried out in this order."""
        answers: list[bytes] = []
        while len(answers) < len(commands):
            burst = PAIR if commands[len(answers)][0] is Opcode.READ else BURST
            answers += self._burst(commands[len(answers):len(answers) + burst])
        return answers

    def _burst(self, commands: Sequence[Command]) -> list[bytes]:
        """Send some commands at once; all those from the first that failed on again."""
        frames = [self._numbered(*command) for command in commands]
        answers: list[bytes] = []
        trouble, tries = "", 0
        while tries < TRIES:
            waiting = frames[len(answers):]
            line = b"".join(sent.encode() for sent in waiting)
            if tries or not self._heard:
                line = frame.DELIMITER + line     # ends whatever the line held before
            try:
                self._port.write(line)
                heard, trouble = self._listen(waiting)
            except (serial.SerialException, OSError) as error:
                raise InputError(f"{self._where} has gone: is the board still connected?") \
                    from error
            for sent in waiting:
                answer = self._judge(sent, heard.get(sent.sequence))
                if answer is None:
                    break
                answers.append(answer)
            if len(answers) == len(frames):
                return answers
            tries = 1 if len(frames) - len(answers) < len(waiting) else tries + 1
            # What failed keeps its number, so that it is not done twice, unless its answer brings
            # something. What came behind it may have been done too early, and answers to that
            # must not be taken for those that will come.
            failed = frames[len(answers)]
            if failed.sequence in heard:
                trouble = "frames arrive damaged"
            first = len(answers) + (not _brings_something(failed))
            frames[first:] = [self._numbered(*command) for command in commands[first:]]
        if not trouble and not self._heard:
            raise InputError(f"Nothing answers on {self._where}: is the board's bitstream loaded, "
                             f"and is this its port and its baud rate?")
        raise CheckFailed(f"{self._where}: {trouble or 'the answer stayed away'}: is the cable "
                          f"sound, and the baud rate right?")

    def _numbered(self, opcode: Opcode, payload: bytes) -> Frame:
        return Frame(opcode, next(self._sequence) & 0xFF, payload)

    def _listen(self, frames: Sequence[Frame]) -> tuple[dict[int, Frame], str]:
        """Answers by sequence number, until all are there or none comes; and what was wrong."""
        asked = {sent.sequence: sent.opcode | frame.ANSWER for sent in frames}
        heard: dict[int, Frame] = {}
        split, damaged, tail = frame.Split(), 0, b""
        while len(heard) + damaged < len(frames) and frames[-1].sequence not in heard:
            data = self._port.read(max(1, self._port.in_waiting))
            if not data:
                break
            tail = (tail + data).rpartition(frame.DELIMITER)[2]
            for line in split(data):
                try:
                    answer = Frame.decode(line)
                except FrameError:
                    damaged += 1
                    continue
                self._heard = True
                if asked.get(answer.sequence) == answer.opcode or \
                        (answer.sequence in asked and _error(answer)):
                    heard[answer.sequence] = answer
                elif _error(answer) is Error.DAMAGED:
                    damaged += 1       # the number was part of the damage
        if tail:
            return heard, f"the answer broke off after {len(tail)} bytes"
        return heard, "frames arrive damaged" if damaged else ""

    def _judge(self, sent: Frame, answer: Frame | None) -> bytes | None:
        """Payload of an answer; None if the command must be sent again."""
        if answer is None:
            return None
        if answer.opcode == sent.opcode | frame.ANSWER:
            return answer.payload
        error = _error(answer)
        if error is Error.REPEATED and not _brings_something(sent):
            return b""
        # Where a delimiter was lost, two frames look like one of the wrong length.
        if error in (Error.DAMAGED, Error.LENGTH, Error.REPEATED):
            return None
        if error is Error.WEIGHTS:
            raise InputError(f"{self._where}: the accelerator has no weights: write an image first")
        assert error is not None
        raise CheckFailed(f"{self._where}: {Opcode(sent.opcode).name} was refused: {error.meaning}")


def _error(answer: Frame | None) -> Error | None:
    if answer is None or answer.opcode != Opcode.ERROR | frame.ANSWER or not answer.payload:
        return None
    return Error(answer.payload[0]) if answer.payload[0] in list(Error) else None


def _brings_something(sent: Frame) -> bool:
    """Whether an answer says more than that a command was carried out."""
    if sent.opcode == Opcode.INFER:
        return bool(int.from_bytes(sent.payload[:frame.OFFSET], "little") & frame.RUN)
    return sent.opcode != Opcode.WRITE


def _runs(writes: Iterable[tuple[int, int]]) -> list[tuple[int, list[int]]]:
    """Words at neighbouring addresses together, as many as a frame takes."""
    runs: list[tuple[int, list[int]]] = []
    for address, word in writes:
        if runs and runs[-1][0] + len(runs[-1][1]) == address \
                and len(runs[-1][1]) < frame.MAX_WORDS:
            runs[-1][1].append(word)
        else:
            runs.append((address, [word]))
    return runs
