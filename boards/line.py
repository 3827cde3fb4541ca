"""Commands on their way over a serial port, and their answers on the way back."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import serial

from model import frame
from model.errors import CheckFailed, InputError
from model.frame import Error, Frame, FrameError, Opcode

from .serial_port import Port


__all__ = ["Traffic", "Job", "seconds", "Line"]


TRIES  = 8        # of each job, and so many times in a row that nothing comes at all
FLIGHT = 200      # commands under way, of 256 that numbers tell apart
AHEAD  = 16_384   # bytes sent ahead of their answers
BEHIND = 3_072    # bytes of answers that may come meanwhile; an operating system keeps 4,096

OVERHEAD = frame.HEADER + frame.CRC + 2   # bytes on the line besides a payload

Command = tuple[Opcode, bytes]


@dataclass
class Traffic:
    """What has passed over a line.

    Parameters
    ----------
    sent, received : :class:`int`
        Bytes, fillers included.
    again : :class:`int`
        Commands that were sent once more.
    seconds : :class:`float`
        Time in which the driver had something to send or to wait for.
    """

    sent: int = 0
    received: int = 0
    again: int = 0
    seconds: float = 0.0

    def clear(self) -> None:
        """Begin to count again."""
        self.sent = self.received = self.again = 0
        self.seconds = 0.0

    def share(self, baud: int) -> float:
        """How much of the time the busier of both directions was in use."""
        return 10 * max(self.sent, self.received) / baud / self.seconds if self.seconds else 0.0


@dataclass(eq=False)
class Job:
    """Commands that are carried out one right after another, and all again if one was not.

    Parameters
    ----------
    commands : sequence of pairs of :class:`model.frame.Opcode` and :class:`bytes`
        With their payloads. Each may be carried out twice without harm.
    sizes : sequence of :class:`int`
        Bytes of payload in the answer to each.
    cycles : dict of :class:`int`
        Cycles that a command takes besides, by its place.
    answers : list of :class:`bytes`
        Payloads, once it is done.
    """

    commands: Sequence[Command]
    sizes: Sequence[int]
    cycles: dict[int, int] = field(default_factory=dict)
    answers: list[bytes] = field(default_factory=list)
    tries: int = 0


@dataclass(frozen=True, eq=False)
class _Sent:
    """A command that is under way."""

    job: Job
    n: int           # which of its commands
    line: bytes
    answer: int      # bytes that will come back
    time: int        # bytes that could be sent until they have


class Line:
    """A serial port on which commands follow one another without waiting for answers.

    So it is never idle. Where the answer to a command takes longer than the next command takes to
    arrive, zeros before that, which mean nothing, fill the time until the link has room again. What
    was damaged on the way is sent again.

    Parameters
    ----------
    port : :class:`boards.serial_port.Port`
        Its :py:`timeout` must exceed the time of an inference.
    where : :class:`str`
        What to call the port, when there is something to say about it.
    baud : :class:`int`, or None
        Its rate; None where both ends take no time.
    """

    def __init__(self, port: Port, where: str, baud: int | None):
        self.port = port
        self.where = where
        self.baud = baud
        self.clock_hz: int | None = None   # of the board, once it is known
        self.traffic = Traffic()
        self._numbers = itertools.count()
        self._split = frame.Split()
        self._heard = False                # a whole answer, ever
        self._waiting: deque[Job] = deque()
        self._next: dict[int, _Sent] = {}     # the first of them, ready to be sent
        self._air: deque[int] = deque()       # numbers that may still be answered, in order
        self._owed = 0                        # bytes to send before the link has room for more
        self._flight: dict[int, _Sent] = {}   # by number, in the order of sending
        self._trouble = ""
        self._silent = 0                   # times in a row that nothing came
        port.reset_input_buffer()

    def ask(self, jobs: Iterable[Job], progress: Callable[[int], None] = lambda done: None
            ) -> list[Job]:
        """Have all jobs done; they, with their answers.

        Parameters
        ----------
        progress : callable
            Given the number of jobs that are done.
        """
        every = list(jobs)
        self._waiting, self._next, self._flight = deque(every), {}, {}
        self._trouble, self._silent = "", 0
        start, done = self._seconds(), 0
        try:
            while self._waiting or self._flight:
                self._send()
                for line in self._listen():
                    done += self._take(line)
                progress(done)
        except (serial.SerialException, OSError) as error:
            raise InputError(f"{self.where} has gone: is the board still connected?") from error
        finally:
            self.traffic.seconds += self._seconds() - start
        return every

    def _seconds(self) -> float:
        """Time that passes at the other end of the port."""
        seconds: float | None = getattr(self.port, "seconds", None)
        return time.monotonic() if seconds is None else seconds

    def _prepare(self, job: Job) -> dict[int, _Sent]:
        """The commands of a job as they go over the line, by number."""
        return {(number := next(self._numbers) & 0xFF): _sent(
            job, n, number, self.baud, self.clock_hz) for n in range(len(job.commands))}

    def _send(self) -> None:
        """Send as many jobs as may be under way."""
        line = b""
        if not self._air:
            self._owed = 0
            if self._silent or not self._heard:
                line += frame.DELIMITER     # ends whatever the line held before
        while self._waiting:
            self._next = self._next or self._prepare(self._waiting[0])
            under_way = [*self._flight.values(), *self._next.values()]
            if self._air and (len(self._air) + len(self._next) > FLIGHT
                              or sum(max(len(one.line), one.time) for one in under_way) > AHEAD
                              or sum(one.answer for one in under_way) > BEHIND):
                break
            self._waiting.popleft().answers.clear()
            self._flight |= self._next
            self._air += self._next
            for one in self._next.values():
                line += bytes(max(0, self._owed - len(one.line))) + one.line
                self._owed = one.time
            self._next = {}
        if line:
            self.port.write(line)
            self.traffic.sent += len(line)

    def _listen(self) -> list[bytes]:
        """What came between two delimiters; nothing at all loses everything under way."""
        data = self.port.read(max(1, self.port.in_waiting))
        self.traffic.received += len(data)
        if data:
            self._silent = 0
            return self._split(data)
        self._silent += 1
        self._air.clear()
        if self._silent == TRIES:
            self._give_up()
        self._lose(list(self._flight.values()))
        return []

    def _take(self, line: bytes) -> bool:
        """Make something of an answer; whether a job is done with it."""
        try:
            answer = Frame.decode(line)
        except FrameError:
            self._trouble = "frames arrive damaged"
            return False
        self._heard = True
        # Answers come in order.
        while answer.sequence in self._air and self._air.popleft() != answer.sequence:
            pass
        one = self._flight.get(answer.sequence)
        if one is None:
            return False     # of what is given up, or the number itself was damaged
        before = list(itertools.takewhile(lambda other: other is not one, self._flight.values()))
        if before:
            self._trouble = self._trouble or "an answer stayed away"
            self._lose(before)
        if answer.sequence not in self._flight:
            return False     # it belongs to a job of which something was lost
        if not self._judge(one, answer):
            self._trouble = "frames arrive damaged"
            self._lose([one])
            return False
        del self._flight[answer.sequence]
        one.job.answers.append(answer.payload)
        return len(one.job.answers) == len(one.job.commands)

    def _judge(self, one: _Sent, answer: Frame) -> bool:
        """Whether a command was carried out, or may be once it is sent again."""
        opcode, _ = one.job.commands[one.n]
        if answer.opcode == opcode | frame.ANSWER:
            return True
        error = _error(answer)
        # Where a delimiter was lost, two frames look like one of the wrong length.
        if error in (Error.DAMAGED, Error.LENGTH, Error.REPEATED, Error.IMAGE):
            return False
        if error is Error.WEIGHTS:
            raise InputError(f"{self.where}: the accelerator has no weights: write an image first")
        meaning = error.meaning if error is not None else f"it answered {answer.opcode:#04x}"
        raise CheckFailed(f"{self.where}: {opcode.name} was refused: {meaning}")

    def _lose(self, lost: Sequence[_Sent]) -> None:
        """Have the jobs of some commands done again, all of each, before all others."""
        jobs = list(dict.fromkeys(one.job for one in lost))
        self._flight = {number: one for number, one in self._flight.items() if one.job not in jobs}
        for job in jobs:
            job.tries += 1
            if job.tries == TRIES:
                self._give_up()
        self.traffic.again += sum(len(job.commands) for job in jobs)
        self._waiting.extendleft(reversed(jobs))
        self._next = {}

    def _give_up(self) -> None:
        """Say what was wrong all the time."""
        trouble = self._trouble
        if self._split.rest:
            trouble = f"the answer broke off after {len(self._split.rest)} bytes"
        if not trouble and not self._heard:
            raise InputError(f"Nothing answers on {self.where}: is the board's bitstream loaded, "
                             f"and is this its port and its baud rate?")
        raise CheckFailed(f"{self.where}: {trouble or 'the answer stayed away'}: is the cable "
                          f"sound, and the baud rate right?")


def seconds(job: Job, baud: int, clock_hz: int) -> float:
    """Time that each of many equal jobs takes on a line, one following another."""
    sent = [_sent(job, n, 0, baud, clock_hz) for n in range(len(job.commands))]
    return sum(max(len(one.line), before.time)
               for before, one in pairwise([sent[-1], *sent])) * 10 / baud


def _sent(job: Job, n: int, number: int, baud: int | None, clock_hz: int | None) -> _Sent:
    """A command as it goes over a line."""
    opcode, payload = job.commands[n]
    line = Frame(opcode, number, payload).encode()
    answer = time = job.sizes[n] + OVERHEAD
    if baud is None:
        time = 0
    elif clock_hz is not None:
        # Cycles as `gateware.link.Link` states them, and bytes that the line could carry meanwhile.
        cycles = 16 * len(line) + 7 * answer + 60 + job.cycles.get(n, 0)
        time += 1 + cycles * baud // (10 * clock_hz)
    return _Sent(job, n, line, answer, time)


def _error(answer: Frame) -> Error | None:
    if answer.opcode != Opcode.ERROR | frame.ANSWER or not answer.payload:
        return None
    return Error(answer.payload[0]) if answer.payload[0] in list(Error) else None
