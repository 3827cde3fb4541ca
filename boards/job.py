"""Commands that belong together, and what they are on a line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from model import frame
from model.frame import Frame, Opcode


__all__ = ["Command", "Job", "Sent", "on_line", "seconds"]


OVERHEAD = frame.HEADER + frame.CRC + 2   # bytes on the line besides a payload

Command = tuple[Opcode, bytes]


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
class Sent:
    """A command that is under way."""

    job: Job
    n: int           # which of its commands
    number: int
    line: bytes
    answer: int      # bytes that will come back
    time: int        # bytes that could be sent until they have


def seconds(job: Job, baud: int, clock_hz: int) -> float:
    """Time that each of many equal jobs takes on a line, one following another."""
    sent = [on_line(job, n, 0, baud, clock_hz) for n in range(len(job.commands))]
    return sum(max(len(one.line), before.time)
               for before, one in pairwise([sent[-1], *sent])) * 10 / baud


def on_line(job: Job, n: int, number: int, baud: int | None, clock_hz: int | None) -> Sent:
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
    return Sent(job, n, number, line, answer, time)
