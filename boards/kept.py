"""Builds that are kept: no tool runs twice on the same, and what was interrupted goes on."""

import functools
import json
import os
import pathlib
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NoReturn

from model.errors import CheckFailed
from model.files import whole
from sim import tools

from . import stages
from .board import Board
from .project import Project
from .report import Report, contended
from .stages import Stage, StageFailed, StageStuck


__all__ = ["Kept", "TimingMissed", "keep", "processors"]


SEEDS = (1, 2, 3)   # tried until one meets its timing, where no number is asked for


@dataclass(frozen=True)
class Kept:
    """What the tools made of a design, where it is kept.

    Parameters
    ----------
    board : :class:`boards.board.Board`
    folder : path
        All that the tools read and wrote, to be read and copied alone.
    bitstream : path
        The one in it.
    report : :class:`boards.report.Report`
        On the routed design.
    seed, seeds : :class:`int`
        Seed of the placement, and how many placements there were to choose from.
    cached : :class:`bool`
        Whether all of it was there before.
    log : :class:`str`
        What all tools said, those of other placements included.
    """

    board: Board
    folder: pathlib.Path
    bitstream: pathlib.Path
    report: Report
    seed: int
    seeds: int
    cached: bool
    log: str

    @property
    def fmax_mhz(self) -> float:
        return self.report.fmax_mhz(self.board.clock_hz)


class TimingMissed(CheckFailed):
    """No placement is as fast as its clock.

    Parameters
    ----------
    what : :class:`str`
        One line that says so.
    fmax_mhz : :class:`float`
        Frequency that the best one reached.
    """

    def __init__(self, what: str, fmax_mhz: float):
        super().__init__(what)
        self.fmax_mhz = fmax_mhz


def keep(project: Project, *, seeds: int | None = None, jobs: int | None = None,
         fresh: bool = False, log: pathlib.Path | None = None, executor: Executor | None = None,
         progress: Callable[[str], None] | None = None) -> Kept:
    """Have the tools make a bitstream, as far as they have not yet.

    The result of each tool is there as soon as the tool has ended well, and has a hash of every
    file beside it; what is damaged is made again. Several processes may do the same at once.

    Parameters
    ----------
    project : :class:`boards.project.Project`
    seeds : :class:`int`, or None
        Placements to make, of which the fastest is taken; with None they are made one after the
        other until one meets its timing, three at most.
    jobs : :class:`int`, or None
        Placements at once; as many as there are processors if None.
    fresh : :class:`bool`
        Make everything again.
    log : path, or None
        Where what the tools said goes if one fails; beside what is kept if None.
    executor : :class:`concurrent.futures.Executor`, or None
        What makes the placements, in place of :py:`jobs` threads; all its machines must have the
        project's folder.
    progress : callable, or None
        Given a line as each stage starts.

    Raises
    ------
    TimingMissed
        No placement is fast enough.
    CheckFailed
        A tool failed, or the design is too large.
    OSError
        The project's folder cannot be written.
    """
    if seeds is not None and seeds < 1:
        raise ValueError(f"Seeds must be at least 1, not {seeds}")
    say = progress or (lambda line: None)
    record = project.folder / f"seeds-{seeds or 'first'}.json"
    if not fresh and (kept := _read(project, record)) is not None:
        say(f"{project.board.name}: built before")
        return kept
    run = _Run(project, fresh, log or project.folder / f"{project.name}.log", say)
    source = run.synthesis()
    if seeds is None:
        seed, placed = run.first(source)
    else:
        seed, placed = run.best(source, range(1, seeds + 1), jobs or processors(), executor)
    run.pack(seed)
    said = "".join(run.said)
    with whole(record) as partial:
        partial.write_text(json.dumps({"seed": seed, "seeds": placed, "log": said}))
    return _result(project, seed, placed, said, cached=not run.worked)


def _read(project: Project, record: pathlib.Path) -> Kept | None:
    """What was made before, if it is still as it was made."""
    try:
        fields = json.loads(record.read_text())
        seed, seeds, said = int(fields["seed"]), int(fields["seeds"]), str(fields["log"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not stages.is_whole(project.stage("bitstream", seed)):
        return None
    return _result(project, seed, seeds, said, cached=True)


def _result(project: Project, seed: int, seeds: int, said: str, *, cached: bool) -> Kept:
    folder = project.stage("bitstream", seed)
    return Kept(project.board, folder, folder / project.bitstream,
                Report.read(folder / project.report), seed, seeds, cached, said)


class _Run:
    """One time that a project's stages are made, or found."""

    def __init__(self, project: Project, fresh: bool, log: pathlib.Path,
                 say: Callable[[str], None]):
        self.project = project
        self.hz = project.board.clock_hz
        self.fresh = fresh
        self.log = log
        self.say = say
        self.said: list[str] = []   # by the tools
        self.worked = False         # whether any had to run
        self.group = uuid.uuid4().hex

    def synthesis(self) -> pathlib.Path:
        """Folder with the netlist."""
        command = self.project.synthesis
        return self.make(self.stage(
            self.project.stage("synthesis"), command,
            functools.partial(_wrote, command[0], "netlist", self.project.netlist),
            files=self.project.files), "synthesis")

    def placement(self, source: pathlib.Path, seed: int) -> Stage:
        # Missed timing is judged here, by the report, and not by how the tool ends.
        options = ["--seed", str(seed), "--freq", f"{float(self.hz) / 1e6:g}",
                   "--timing-allow-fail", "--report", self.project.report]
        return self.stage(self.project.stage("seed", seed), [*self.project.route, *options],
                          functools.partial(_timed, self.project.report, self.hz), source=source,
                          stuck=contended, otherwise=(*self.project.reroute, *options))

    def pack(self, seed: int) -> None:
        command = self.project.pack
        self.make(self.stage(
            self.project.stage("bitstream", seed), command,
            functools.partial(_wrote, command[0], "bitstream", self.project.bitstream),
            source=self.project.stage("seed", seed)), "bitstream")

    def stage(self, folder: pathlib.Path, command: Sequence[str],
              check: Callable[[pathlib.Path], None], **options: Any) -> Stage:
        excess = f"{self.project.name} is too large for {self.project.board.name}"
        return Stage(folder, tuple(command), check, fresh=self.fresh, group=self.group,
                     excess=excess, **options)

    def first(self, source: pathlib.Path) -> tuple[int, int]:
        """The first seed whose placement meets its timing, and how many were placed."""
        reached: list[float] = []
        stuck = ""
        for seed in SEEDS:
            place = self.placement(source, seed)
            try:
                self.make(place, "place and route" + (f", seed {seed}" if seed != SEEDS[0] else ""))
            except StageStuck as error:
                stuck = str(error)
                self.say(stuck)
                continue
            report = self.report(place)
            reached.append(report.fmax_mhz(self.hz))
            if report.met(self.hz):
                return seed, len(reached)
        if not reached:
            self.failed(stuck)
        self.missed(reached)

    def best(self, source: pathlib.Path, seeds: Sequence[int], jobs: int,
             executor: Executor | None) -> tuple[int, int]:
        """The seed whose placement is fastest, and how many were placed."""
        places = {seed: self.placement(source, seed) for seed in seeds}
        missing = {seed: place for seed, place in places.items() if not self.is_here(place)}
        before = len(places) - len(missing)
        self.say(f"{self.project.route[0]}: place and route, "
                 + (f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed")
                 + (f", {before} of them done before" if before else ""))
        failures = self.place(missing, jobs, executor) if missing else {}
        reports = {}
        for seed, place in places.items():
            if seed in failures:
                self.said.append(failures[seed].said)
            else:
                self.said.append((place.folder / stages.LOG).read_text())
                reports[seed] = self.report(place)
        if not reports:
            self.failed(str(failures[min(failures)]))
        met = {seed: report.fmax_mhz(self.hz) for seed, report in reports.items()
               if report.met(self.hz)}
        if not met:
            self.missed([report.fmax_mhz(self.hz) for report in reports.values()])
        return max(met, key=lambda seed: met[seed]), len(reports)

    def place(self, places: dict[int, Stage], jobs: int,
              executor: Executor | None) -> dict[int, StageFailed]:
        """Make several placements at once; the failures among them, by their seeds."""
        self.prepare()
        failures: dict[int, StageFailed] = {}
        with ExitStack() as stack:
            if executor is None:
                # Threads will do, as other programs do the work; and those can be ended.
                executor = stack.enter_context(ThreadPoolExecutor(jobs))
            futures = {executor.submit(stages.perform, place): seed
                       for seed, place in places.items()}
            try:
                for future in as_completed(futures):
                    seed = futures[future]
                    try:
                        future.result()
                        reached = self.report(places[seed]).fmax_mhz(self.hz)
                        self.say(f"seed {seed}: {reached:.2f} MHz")
                    except StageFailed as error:
                        failures[seed] = error
                        self.say(f"seed {seed}: {error}")
            except BaseException:
                for future in futures:
                    future.cancel()
                stages.end(self.group)
                raise
        return failures

    def report(self, place: Stage) -> Report:
        return Report.read(place.folder / self.project.report)

    def is_here(self, stage: Stage) -> bool:
        return not self.fresh and stages.is_whole(stage.folder)

    def make(self, stage: Stage, what: str) -> pathlib.Path:
        """Folder with a stage's result, from before if it is there."""
        if self.is_here(stage):
            self.say(f"{stage.command[0]}: {what}, done before")
        else:
            self.prepare()
            self.say(f"{stage.command[0]}: {what}")
            try:
                stages.perform(stage)
            except StageFailed as error:
                self.said.append(error.said)
                if isinstance(error, StageStuck):
                    raise
                self.failed(str(error))
        self.said.append((stage.folder / stages.LOG).read_text())
        return stage.folder

    def prepare(self) -> None:
        if not self.worked:
            tools.prepare(self.project.board.family.tools, self.say)
        self.worked = True

    def missed(self, reached: list[float]) -> NoReturn:
        self.write_log()
        best = f"the best of {len(reached)} placements" if len(reached) > 1 else "in one placement"
        raise TimingMissed(f"timing missed: {self.project.board.name} runs at "
                           f"{float(self.hz) / 1e6:g} MHz, and {self.project.name} reached "
                           f"{max(reached):.2f} MHz, {best} (log: {self.log})", max(reached))

    def failed(self, what: str) -> NoReturn:
        self.write_log()
        raise CheckFailed(f"{what} (log: {self.log})")

    def write_log(self) -> None:
        with whole(self.log) as partial:
            partial.write_text("".join(self.said))


def _wrote(tool: str, what: str, name: str, folder: pathlib.Path) -> None:
    if not (folder / name).is_file():
        raise CheckFailed(f"{tool} wrote no {what}")


def _timed(report: str, hz: Fraction, folder: pathlib.Path) -> None:
    Report.read(folder / report).fmax_mhz(hz)


def processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:   # not on every system
        return os.cpu_count() or 1
