"""The engine at the other end of a serial port."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gateware.control import is_choice, network_id
from model import frame
from model.errors import CheckFailed, InputError
from model.frame import FrameError, Identity, Opcode, Repeated, Run
from sim.engine import Image, Result, Waveform, bus_reads, bus_writes, counts_of, image_of

from .job import Job, seconds
from .line import Line, Traffic
from .serial_port import Port, open_port


__all__ = ["Driver", "Taken", "images_per_second"]


Taken = tuple[tuple[int, ...] | None, ...] | None   # cycles of each image in each layer


class Driver:
    """Runs an accelerator that :class:`gateware.system.System` has put behind a serial port.

    Commands travel as :class:`boards.line.Line` has them; everything a driver sends may be carried
    out twice.

    Parameters
    ----------
    port : :class:`boards.serial_port.Port`
        Its :py:`timeout` must exceed the time of an inference.
    where : :class:`str`
        What to call the port, when there is something to say about it.
    baud : :class:`int`, or None
        Its rate; None where both ends take no time.
    progress : callable, or None
        Given how many images are classified, of how many.
    """

    name = "board"

    def __init__(self, port: Port, *, where: str = "the port", baud: int | None = None,
                 progress: Callable[[int, int], None] | None = None):
        self._line = Line(port, where, baud)
        self._where = where
        self._progress = progress or (lambda done, images: None)
        self._accelerator: Any = None
        self._identity: Identity | None = None

    @property
    def traffic(self) -> Traffic:
        """What has passed over the line."""
        return self._line.traffic

    @classmethod
    def open(cls, path: str, baud: int,
             progress: Callable[[int, int], None] | None = None) -> "Driver":
        """The driver of a board that is connected to this machine."""
        return cls(open_port(path, baud), where=f"{path} at {baud} baud", baud=baud,
                   progress=progress)

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._line.port.close()

    # What an engine does.

    def identify(self) -> Identity:
        """What the board says it is."""
        # How long this answer is, is not known yet; it may be as long as any.
        payload = self._one(Opcode.IDENTIFY, b"", frame.MAX_PAYLOAD)
        try:
            self._identity = Identity.unpack(payload)
        except FrameError as error:
            raise InputError(f"{self._where}: {error}: build the bitstream and flash it again") \
                from error
        self._line.clock_hz = self._identity.clock_hz
        return self._identity

    def load(self, accelerator: Any) -> None:
        """Check that the board's bitstream holds an accelerator, given as such or as a plan."""
        identity = self.identify()
        if identity.hash != accelerator.hash:
            raise InputError(f"{self._where}: the bitstream is of accelerator "
                             f"{identity.hash.hex()}, not {accelerator.hash.hex()}: build and "
                             f"flash the one for this network and board")
        self._accelerator = accelerator

    def holds(self, image: Image) -> bool:
        """Whether the board says that its memories hold an image already."""
        loaded, network = self._words([(self._accelerator.control_address, 2)])
        return bool(loaded & 1) and network == network_id(image)

    def write(self, image: Image) -> None:
        first, *rows, network, last = bus_writes(self._accelerator, image)
        for part in ([first], [*rows, network], [last]):
            self._line.ask(Job([(Opcode.WRITE, frame.write(address, words))], [0])
                      for address, words in _runs(part))

    def choose(self, image: Image) -> None:
        """Have samples drawn, and neurons end early, as an image says; leave its memories alone."""
        for name, region in self._accelerator.memories.items():
            if is_choice(name):
                self._one(Opcode.WRITE, frame.write(region.base, image[name]), 0)

    def read(self) -> Image:
        runs = _runs((address, 0) for address in bus_reads(self._accelerator))
        return image_of(self._accelerator, self._words(
            (address, len(words)) for address, words in runs))

    def infer(self, images: npt.ArrayLike, *, waveform: Waveform | None = None) -> Result:
        """Classify images, as many at a time as the link takes.

        Cycles are those of each time, added up; so :py:`done` holds when an image's time was over.
        """
        if waveform is not None:
            raise InputError("a board shows no waveform: take one with --engine verilator")
        images = np.asarray(images)
        identity = self._known()
        packed = frame.pack_images(self._accelerator.plan.sent(images), identity.bits)
        count = at_a_time(identity)
        jobs = [classify(identity, packed[at:at + count], self._accelerator.cycles)
                for at in range(0, len(packed), count)]
        before = self._counted()
        self._line.ask(
            jobs, lambda done: self._progress(min(done * count, len(packed)), len(packed)))
        counts = counts_of(self._accelerator, before, self._counted())
        runs = [self._run(identity, job) for job in jobs]
        done = np.repeat(np.cumsum([run.cycles for run in runs], dtype=np.int64),
                         [len(run.best) for run in runs])
        scores = np.array([row for run in runs for row in run.scores or ()], dtype=np.int64)
        best = np.array([best for run in runs for best in run.best], dtype=np.int64)
        return Result(scores.reshape(-1, identity.classes), best,
                      int(done[-1]) if len(done) else 0, done, counts=counts)

    def _counted(self) -> list[int]:
        """All counters of layers, where there are any."""
        if not self._accelerator.counters:
            return []
        return self._words((region.base, region.depth)
                           for region in self._accelerator.counters.values())

    def predict(self, images: int, taken: Taken = None) -> int:
        """Cycles that :meth:`infer` should count: those of each command's images, added up.

        :py:`taken` is as :meth:`gateware.plan.Plan.cycles` has it.
        """
        count, cycles = at_a_time(self._known()), self._accelerator.cycles
        if taken is not None and any(taken):
            return int(sum(
                cycles(min(count, images - at), taken=tuple(
                    each and each[at:at + count] for each in taken))
                for at in range(0, images, count)))
        whole, rest = divmod(images, count)
        return int(whole * cycles(count) + (cycles(rest) if rest else 0))

    # What else a link does.

    def repeat(self, images: npt.ArrayLike, rounds: int) -> Repeated:
        """Classify a batch again and again on the board itself, at the accelerator's own rate."""
        identity = self._known()
        packed = frame.pack_images(self._accelerator.plan.sent(np.asarray(images)),
                                   identity.bits)
        if not 1 <= len(packed) <= identity.batch:
            raise InputError(f"{self._where}: a batch must be 1 to {identity.batch} images, "
                             f"not {len(packed)}")
        parts = _parts(b"".join(packed))
        job, = self._line.ask([Job(
            [*((Opcode.INFER, frame.infer(offset, part, run=False)) for offset, part in parts),
             (Opcode.REPEAT, frame.repeat(rounds))], [0] * len(parts) + [2 * frame.WORD],
            {len(parts): self._accelerator.cycles(len(packed), rounds)})])
        return Repeated.unpack(job.answers[-1])

    def echo(self, data: bytes) -> bytes:
        return self._one(Opcode.ECHO, data, len(data))

    def reset(self) -> None:
        """Have the accelerator and the link forget all but their memories."""
        self._one(Opcode.RESET, b"", 0)

    def counters(self) -> dict[frame.Counter, int]:
        words = self._words([(frame.COUNTERS, len(frame.Counter))])
        return dict(zip(frame.Counter, words, strict=True))

    # Commands, and what their answers mean.

    def _known(self) -> Identity:
        if self._identity is None:
            raise RuntimeError("Engine must be loaded before it is used")
        return self._identity

    def _one(self, opcode: Opcode, payload: bytes, size: int) -> bytes:
        job, = self._line.ask([Job([(opcode, payload)], [size])])
        return job.answers[0]

    def _words(self, runs: Iterable[tuple[int, int]]) -> list[int]:
        jobs = self._line.ask(Job([(Opcode.READ, frame.read(address, count))], [count * frame.WORD])
                         for address, count in runs)
        return [word for job in jobs for word in frame.unpack_words(job.answers[0])]

    def _run(self, identity: Identity, job: Job) -> Run:
        scores = identity.most_images(scores=True) > 0
        at, = job.cycles
        try:
            run = Run.unpack(job.answers[at], identity, scores=scores)
        except FrameError as error:
            raise CheckFailed(f"{self._where}: {error}") from error
        if scores:
            return run
        words = [word for answer in job.answers[at + 1:]
                 for word in frame.unpack_words(answer)]
        return Run(run.cycles, run.best, (tuple(
            word - (1 << 32) if word >> 31 else word for word in words),))


def at_a_time(identity: Identity) -> int:
    """Images that go into one command, with their results in one answer; at least 1."""
    return max(1, min(identity.most_images(scores=True),
                      frame.MAX_BYTES // identity.image_bytes))


def classify(identity: Identity, images: Sequence[bytes], cycles: Callable[[int], int]) -> Job:
    """What to send to have some images classified, at most :func:`at_a_time`.

    Parameters
    ----------
    cycles : callable
        Cycles that so many images take.
    """
    parts = _parts(b"".join(images))
    scores = identity.most_images(scores=True) >= len(images)
    last = len(parts) - 1
    commands = [(Opcode.INFER, frame.infer(offset, part, run=n == last,
                                           scores=scores and n == last))
                for n, (offset, part) in enumerate(parts)]
    sizes = [0] * last + [frame.WORD + len(images) * identity.result_bytes(scores=scores)]
    if not scores:   # too many for an answer
        for first in range(0, identity.classes, frame.MAX_WORDS):
            count = min(frame.MAX_WORDS, identity.classes - first)
            commands.append((Opcode.READ, frame.read(frame.RESULTS + first, count)))
            sizes.append(count * frame.WORD)
    return Job(commands, sizes, {last: cycles(len(images)) + 3 * len(images) * identity.classes})


def images_per_second(identity: Identity, cycles: Callable[[int], int], baud: int) -> float:
    """How many images a second a line lets through, and the accelerator behind it."""
    count = at_a_time(identity)
    job = classify(identity, [bytes(identity.image_bytes)] * count, cycles)
    return count / seconds(job, baud, identity.clock_hz)


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """What goes into each command, and at which offset."""
    return [(at, data[at:at + frame.MAX_BYTES]) for at in range(0, len(data), frame.MAX_BYTES)]


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
