"""Commands on their way over a serial port, and their answers on the way back."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import serial

from model import frame
from model.errors import CheckFailed, InputError
from model.frame import Error, Frame, FrameError, Opcode

from .careful import pieces
from .job import Job, Sent, on_line
from .serial_port import Port


__all__ = ["Traffic", "Line"]


TRIES  = 8        # of each job, and so many times in a row that nothing comes
FIRST  = 40       # of each job, until anything was ever heard
ALONE  = 400      # of a command in a short frame, and nothing else under way
QUIET  = 40       # times in a row that nothing comes of it
GRACE  = 0.1      # seconds that it may take besides; if it takes more, it is only sent again
FLIGHT = 200      # commands under way, of 256 that numbers tell apart
AHEAD  = 16_384   # bytes sent ahead of their answers
BEHIND = 3_072    # bytes of answers that may come meanwhile; an operating system keeps 4,096


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


class Line:
    """A serial port on which commands follow one another without waiting for answers.

    So it is never idle. Where the answer to a command takes longer than the next command takes to
    arrive, zeros before that, which mean nothing, fill the time until the link has room again. What
    was damaged on the way is sent again; what is damaged again and again, in short frames, one at
    a time, until one of the jobs passes without damage.

    Parameters
    ----------
    port : :class:`boards.serial_port.Port`
        Its :py:`timeout` is how late an answer may be. To that is added what frames take on the
        line, and commands on the board.
    where : :class:`str`
        What to call the port, when there is something to say about it.
    baud : :class:`int`, or None
        Its rate; None where both ends take no time.
    """

    def __init__(self, port: Port, where: str, baud: int | None):
        self.port = port
        self._late = port.timeout
        self.where = where
        self.baud = baud
        self.clock_hz: int | None = None   # of the board, once it is known
        self.traffic = Traffic()
        self._numbers = itertools.count()
        self._split = frame.Split()
        self._heard = False                # a whole answer, ever
        self._waiting: deque[Job] = deque()
        self._next: dict[int, Sent] = {}     # the first of them, ready to be sent
        self._air: deque[int] = deque()       # numbers that may still be answered, in order
        self._owed = 0                        # bytes to send before the link has room for more
        self._flight: dict[int, Sent] = {}   # by number, in the order of sending
        self._trouble = ""
        self._silent = 0                   # times in a row that nothing came
        self._bad = False                  # long frames hardly ever arrive
        self._longest = 0                  # time of a command and its answer, in bytes
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
        self._trouble, self._silent, self._bad, self._longest = "", 0, False, 0
        start, done = self._seconds(), 0
        try:
            while self._waiting or self._flight:
                if self._bad:
                    self._carefully(self._waiting.popleft())
                    done += 1
                    progress(done)
                    continue
                self._send()
                for line in self._listen():
                    done += self._take(line)
                progress(done)
        except (serial.SerialException, OSError) as error:
            raise InputError(f"{self.where} has gone: is the board still connected?") from error
        finally:
            self.traffic.seconds += self._seconds() - start
        self._allow(0)
        return every

    def _allow(self, bytes_: int, late: float | None = None) -> None:
        """Have an answer come so many bytes of time after what came last, and a little later."""
        late = self._late if late is None else late
        if self._late is not None and late is not None:
            late += 0 if self.baud is None else bytes_ * 10 / self.baud
            if self.port.timeout != late:   # which a system has to be told
                self.port.timeout = late

    def _seconds(self) -> float:
        """Time that passes at the other end of the port."""
        seconds: float | None = getattr(self.port, "seconds", None)
        return time.monotonic() if seconds is None else seconds

    def _prepare(self, job: Job) -> dict[int, Sent]:
        """The commands of a job as they go over the line, by number."""
        return {(number := next(self._numbers) & 0xFF): on_line(
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
                self._longest = max(self._longest, len(one.line) + one.time)
                line += bytes(max(0, self._owed - len(one.line))) + one.line
                self._owed = one.time
            self._next = {}
        if line:
            self._allow(self._longest)
            self._write(line)

    def _write(self, line: bytes) -> None:
        self.port.write(line)
        self.traffic.sent += len(line)

    def _read(self) -> list[bytes] | None:
        """What came between two delimiters; None if nothing came."""
        data = self.port.read(max(1, self.port.in_waiting))
        self.traffic.received += len(data)
        if data:
            return self._split(data)
        self._silent += 1
        return None

    def _listen(self) -> list[bytes]:
        """What came between two delimiters; nothing at all loses everything under way."""
        lines = self._read()
        if lines is not None:
            return lines
        self._air.clear()
        if self._silent == TRIES:
            self._give_up()
        self._lose(list(self._flight.values()))
        return []

    def _take(self, line: bytes) -> bool:
        """Make something of an answer; whether a job is done with it."""
        answer = self._decode(line)
        if answer is None:
            return False
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

    def _decode(self, line: bytes) -> Frame | None:
        """An answer that arrived whole, if it did."""
        try:
            answer = Frame.decode(line)
        except FrameError:
            self._trouble = "frames arrive damaged"
            if self._heard:      # else it may be anything
                self._silent = 0
            return None
        self._heard, self._silent = True, 0
        return answer

    def _judge(self, one: Sent, answer: Frame) -> bool:
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

    def _lose(self, lost: Sequence[Sent]) -> None:
        """Have the jobs of some commands done again, all of each, before all others."""
        jobs = list(dict.fromkeys(one.job for one in lost))
        self._flight = {number: one for number, one in self._flight.items() if one.job not in jobs}
        for job in jobs:
            job.tries += 1
            if job.tries >= TRIES and self._heard:
                self._bad = True
            elif job.tries == FIRST:
                self._give_up()
        if self._bad:
            # All that is under way comes to nothing.
            jobs += [job for job in dict.fromkeys(one.job for one in self._flight.values())
                     if job not in jobs]
            self._flight = {}
        self.traffic.again += sum(len(job.commands) for job in jobs)
        self._waiting.extendleft(reversed(jobs))
        self._next = {}

    # On a bad line.

    def _carefully(self, job: Job) -> None:
        """Have a job done in short frames."""
        if self._air:     # what a slow line and a system hold may take long to pass
            while self._read() is not None:
                pass
            self._air.clear()
            self._silent = 0
        before = self.traffic.again
        for _ in range(TRIES):
            # Once this is answered, what was under way is over, and the last number is known.
            self._alone(Opcode.ECHO, b"", 0, 0)
            job.answers.clear()
            for n, (opcode, payload) in enumerate(job.commands):
                answers = [self._alone(*piece, job.cycles.get(n, 0))
                           for piece in pieces(opcode, payload, job.sizes[n])]
                if None in answers:    # images were forgotten
                    break
                job.answers.append(b"".join(answer for answer in answers if answer is not None))
            else:
                self._bad = self.traffic.again > before
                return
        self._give_up()

    def _alone(self, opcode: Opcode, payload: bytes, size: int, cycles: int) -> bytes | None:
        """The answer to a command with nothing else under way; None if images were forgotten.

        Where it is enough to know that it was carried out, it keeps its number: a link that has
        done so already says that, and does not do it twice. An answer to another number came
        before, so that no older command is meant.
        """
        job = Job([(opcode, payload)], [size], {0: cycles})
        brings = size > 0 or opcode not in (Opcode.WRITE, Opcode.INFER)
        one = self._numbered(job)
        for _ in range(ALONE):
            answer = self._exchange(one)
            error = None if answer is None else _error(answer)
            if error is Error.REPEATED and not brings:
                return b""
            if error is Error.IMAGE:
                return None
            if answer is not None and self._judge(one, answer):
                return answer.payload
            self.traffic.again += 1
            if brings:
                one = self._numbered(job)
        self._give_up()

    def _numbered(self, job: Job) -> Sent:
        one, = self._prepare(job).values()
        return one

    def _exchange(self, one: Sent) -> Frame | None:
        """What is answered to a single command; None if it must be sent again."""
        self._allow(len(one.line) + one.time, GRACE)
        # A delimiter that is damaged costs a time-out; one more, nearly nothing.
        self._write(frame.DELIMITER + one.line + frame.DELIMITER)
        while (lines := self._read()) is not None:
            for answer in map(self._decode, lines):
                if answer is not None and answer.sequence == one.number:
                    return answer
                if answer is not None and _error(answer) in (Error.DAMAGED, Error.LENGTH):
                    return None     # the number was part of the damage
        if self._silent == QUIET:
            self._give_up()
        return None

    def _give_up(self) -> NoReturn:
        """Say what was wrong all the time."""
        trouble = self._trouble
        if self._split.rest:
            trouble = f"the answer broke off after {len(self._split.rest)} bytes"
        if not trouble and not self._heard:
            raise InputError(f"Nothing answers on {self.where}: is the board's bitstream loaded, "
                             f"and is this its port and its baud rate?")
        raise CheckFailed(f"{self.where}: {trouble or 'the answer stayed away'}: is the cable "
                          f"sound, and the baud rate right?")


def _error(answer: Frame) -> Error | None:
    if answer.opcode != Opcode.ERROR | frame.ANSWER or not answer.payload:
        return None
    return Error(answer.payload[0]) if answer.payload[0] in list(Error) else None
