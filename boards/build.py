"""Bitstreams, by Yosys, nextpnr and a packer, run one after the other in a folder of their own."""

import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from amaranth.build import ResourceError
from amaranth.hdl import ClockDomain, Module

from model.errors import CheckFailed, InputError
from sim import tools
from sim.synthesis import NO_COLLISIONS

from .board import Board
from .report import Report, excess, last_error


__all__ = ["Build", "build", "fingerprint"]


SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Build:
    """A bitstream that meets its timing, and the figures of the routed design.

    On an iCE40 :py:`luts` counts logic cells, since a flip-flop alone takes one as well.
    """

    board: Board
    luts: int
    luts_available: int
    memories: int
    memories_available: int
    fmax_mhz: float
    clock_mhz: float
    bitstream: pathlib.Path
    seconds: float
    log: pathlib.Path


def build(board: Board, top_factory: Callable[[Board], Any], *,
          build_dir: str | os.PathLike[str], name: str = "top",
          progress: Callable[[str], None] | None = None) -> Build:
    """Build a bitstream for :py:`board`.

    The same design gives the same bitstream, byte for byte, wherever it is built. The tools run
    in a fresh folder; from when they start until all has held there is no bitstream in
    :py:`build_dir`, so that an earlier one can never pass for this one. The log is there whenever
    a tool has failed, and what the tools wrote is there when all of them have not.

    Where a clock is missed, placement starts again from another seed, three in all.

    Parameters
    ----------
    top_factory : callable
        Given the board, makes the elaboratable to build; its domain ``sync`` runs at
        :py:`board.clock_hz`, and its reset ends when the whole FPGA is awake.
    build_dir : path
        Where results go: ``NAME.log``, the bitstream, and what the tools wrote on the way.
    name : :class:`str`
        Name of the design, and of its files.
    progress : callable, or None
        Given a line as each stage starts.

    Raises
    ------
    InputError
        A tool is not here, or :py:`build_dir` cannot be written.
    CheckFailed
        A tool failed, the design is too large, or a clock was missed.
    """
    start = time.monotonic()
    say = progress or (lambda line: None)
    if not name.isidentifier() or not name.isascii():
        raise ValueError(f"Name must be a plain identifier, not {name!r}")
    try:
        for tool in board.family.tools:
            tools.require(tool)
    except InputError as error:
        raise InputError(f"{error} (for {board.name}, all of it: {board.get})") from error
    tools.prepare(board.family.tools, say)

    say(f"{board.name}: elaboration")
    plan = _plan(board, top_factory, name)
    target = pathlib.Path(build_dir)
    bitstream = target / (name + board.family.bitstream)
    try:
        target.mkdir(parents=True, exist_ok=True)
        bitstream.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=target) as folder:
            work = pathlib.Path(folder)
            plan.extract(work)
            run = _Run(board, name, work, target / f"{name}.log", say)
            report = run()
            for file in sorted(work.iterdir(), key=lambda file: file.name == bitstream.name):
                if not file.name.startswith("build_"):   # Amaranth's scripts, which were not used
                    os.replace(file, target / file.name)
    except OSError as error:
        raise InputError(f"cannot build in {target}: {error.strerror or error}") from error
    resources = board.resources
    return Build(board=board,
                 luts=report.count(board.family.luts), luts_available=resources.luts,
                 memories=report.count(board.family.memories),
                 memories_available=resources.memory_blocks,
                 fmax_mhz=round(report.fmax_mhz(board.clock_hz), 2),
                 clock_mhz=float(board.clock_hz) / 1e6,
                 bitstream=bitstream, seconds=round(time.monotonic() - start, 1),
                 log=target / f"{name}.log")


def fingerprint(board: Board, top_factory: Callable[[Board], Any], *, name: str = "top") -> str:
    """Hash of all that decides what :func:`build` makes: the design, options, versions of tools."""
    plan = _plan(board, top_factory, name)
    commands = [board.family.translate(command)
                for command in json.loads(plan.files[f"build_{name}.json"])["commands"]]
    versions = [tools.version(tool) for tool in board.family.tools]
    text = json.dumps([plan.digest().hex(), commands, versions, SEEDS, float(board.clock_hz)])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _plan(board: Board, top_factory: Callable[[Board], Any], name: str) -> Any:
    platform = board.platform()
    m = Module()
    if (clock := board.clock()) is not None:
        m.domains.sync = ClockDomain()
        m.submodules.clock = clock
    m.submodules.design = top_factory(board)
    try:
        # Source lines would put the paths of this machine into the files.
        return platform.prepare(m, name, emit_src=False, script_after_read=NO_COLLISIONS,
                                **board.family.overrides)
    except ResourceError as error:
        raise InputError(f"{board.name} lacks something that the design needs: {error}") from error


class _Run:
    """One run of all tools in a folder, and the log of it."""

    def __init__(self, board: Board, name: str, work: pathlib.Path, log: pathlib.Path,
                 say: Callable[[str], None]):
        self.board, self.name, self.work, self.log, self.say = board, name, work, log, say
        self.written = work / log.name

    def __call__(self) -> Report:
        """Run all tools; the routed design's report."""
        commands = json.loads((self.work / f"build_{self.name}.json").read_text())["commands"]
        synthesis, route, pack = (self.board.family.translate(command) for command in commands)
        self.say(f"{synthesis[0]}: synthesis")
        self.tool(synthesis)
        report = self.route(route)
        self.say(f"{pack[0]}: bitstream")
        self.tool(pack)
        if not (self.work / (self.name + self.board.family.bitstream)).is_file():
            raise self.failed(f"{pack[0]} wrote no bitstream")
        return report

    def route(self, command: list[str]) -> Report:
        """Place and route from one seed after another, until every clock is fast enough."""
        hz = self.board.clock_hz
        reached: list[float] = []
        for seed in SEEDS:
            self.say(f"{command[0]}: place and route" + (f", seed {seed}" if reached else ""))
            path = self.work / f"{self.name}.report.json"
            path.unlink(missing_ok=True)
            # Missed timing is judged here, by the report, and not by how the tool ends.
            self.tool([*command, "--seed", str(seed), "--freq", f"{float(hz) / 1e6:g}",
                       "--timing-allow-fail", "--report", path.name])
            try:
                report = Report.read(path)
                reached.append(report.fmax_mhz(hz))
            except CheckFailed as error:
                raise self.failed(str(error)) from error
            if report.met(hz):
                return report
        raise self.failed(f"timing missed: {self.board.name} runs at {float(hz) / 1e6:g} MHz, and "
                          f"{self.name} reached {max(reached):.2f} MHz, the best of "
                          f"{len(SEEDS)} placements")

    def tool(self, command: list[str]) -> None:
        """Run one tool in the folder; what it said goes to the log."""
        # Yosys in WebAssembly loses its output after it has run ABC, but not its own log.
        parts = [self.work / name for option, name in zip(command, command[1:], strict=False)
                 if option in ("-l", "--log")]
        parts.append(self.work / "output")
        for part in parts:
            part.unlink(missing_ok=True)
        try:
            with open(parts[-1], "wb") as output:
                status = _execute([*tools.require(command[0]), *command[1:]], self.work, output)
        finally:
            said = "".join(part.read_text(errors="replace") for part in parts if part.is_file())
            with open(self.written, "a") as log:
                log.write(f"$ {' '.join(command)}\n{said}")
            for part in parts:
                part.unlink(missing_ok=True)
        if status != 0:
            over = ", ".join(f"{need:,} of {have:,} {cell} ({need - have:,} too many)"
                             for cell, (need, have) in excess(said).items())
            if over:
                raise self.failed(f"{self.name} is too large for {self.board.name}: it takes "
                                  f"{over}")
            raise self.failed(f"{command[0]} failed: {last_error(said)}")

    def failed(self, what: str) -> CheckFailed:
        """The exception to raise, once the log is where it says."""
        os.replace(self.written, self.log)
        return CheckFailed(f"{what} (log: {self.log})")


def _execute(command: list[str], folder: pathlib.Path, output: IO[bytes]) -> int:
    """Run a tool to its end, or end it; its exit status."""
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                          stderr=subprocess.STDOUT) as process:
        try:
            return process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
