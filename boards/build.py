"""Bitstreams, by Yosys, nextpnr and a packer, copied to where they are wanted once they hold."""

import os
import pathlib
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from model.errors import InputError
from model.files import whole

from . import stages
from .board import Board
from .kept import keep
from .project import Project
from .speed import fastest as keep_fastest


__all__ = ["Build", "build"]


@dataclass(frozen=True)
class Build:
    """A bitstream that meets its timing, and the figures of the routed design.

    On an iCE40 :py:`luts` counts logic cells, since a flip-flop alone takes one as well.
    :py:`seed` is that of the placement, one of :py:`seeds`; :py:`cached` says that no tool had to
    run. The board has the clock that was chosen.
    """

    board: Board
    luts: int
    luts_available: int
    memories: int
    memories_available: int
    fmax_mhz: float
    clock_mhz: float
    seed: int
    seeds: int
    cached: bool
    bitstream: pathlib.Path
    seconds: float
    log: pathlib.Path


def build(board: Board, top_factory: Callable[[Board], Any], *,
          build_dir: str | os.PathLike[str], name: str = "top", seeds: int | None = None,
          jobs: int | None = None, fastest: bool = False, fresh: bool = False,
          cache: pathlib.Path | None = None, executor: Executor | None = None,
          progress: Callable[[str], None] | None = None) -> Build:
    """Build a bitstream for :py:`board`.

    The same design gives the same bitstream, byte for byte, wherever it is built; so no tool runs
    twice on the same. While the tools run, and after one has failed, there is no bitstream in
    :py:`build_dir`, so that an earlier one can never pass for this one. The log is there whenever
    a tool has failed, and what the tools wrote is there when all of them have not.

    Where a clock is missed, placement starts again from another seed, three in all; with
    :py:`seeds`, that many are placed in any case, and the fastest of them is taken.

    Parameters
    ----------
    top_factory : callable
        Given the board, makes the elaboratable to build; its domain ``sync`` runs at
        :py:`board.clock_hz`, and its reset ends when the whole FPGA is awake.
    build_dir : path
        Where results go: ``NAME.log``, the bitstream, and what the tools wrote on the way.
    name : :class:`str`
        Name of the design, and of its files.
    seeds : :class:`int`, or None
        Placements to choose from.
    jobs : :class:`int`, or None
        Placements at once; as many as there are processors if None.
    fastest : :class:`bool`
        Choose the clock as well, as :func:`boards.speed.fastest` does.
    fresh : :class:`bool`
        Run all tools, whether they have run before or not.
    cache : path, or None
        Folder that keeps what is built; the user's cache folder if None.
    executor : :class:`concurrent.futures.Executor`, or None
        What makes the placements in place of threads, as :func:`boards.kept.keep` says.
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
    target = pathlib.Path(build_dir)
    bitstream, log = target / (name + board.family.bitstream), target / f"{name}.log"

    say(f"{board.name}: elaboration")
    project = Project(board, top_factory, name=name, cache=cache)
    try:
        target.mkdir(parents=True, exist_ok=True)
        bitstream.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot build in {target}: {error.strerror or error}") from error
    try:
        kept = (keep_fastest if fastest else keep)(project, seeds=seeds, jobs=jobs, fresh=fresh,
                                                   log=log, executor=executor, progress=say)
    except OSError as error:
        raise InputError(f"cannot keep builds in {project.folder.parent}: "
                         f"{error.strerror or error}") from error
    try:
        stages.copy(kept.folder, target, last=bitstream.name)
        with whole(log) as partial:
            partial.write_text(kept.log)
    except OSError as error:
        raise InputError(f"cannot build in {target}: {error.strerror or error}") from error
    family, resources = board.family, board.resources
    return Build(board=kept.board,
                 luts=kept.report.count(family.luts), luts_available=resources.luts,
                 memories=kept.report.count(family.memories),
                 memories_available=resources.memory_blocks,
                 fmax_mhz=round(kept.fmax_mhz, 2), clock_mhz=float(kept.board.clock_hz) / 1e6,
                 seed=kept.seed, seeds=kept.seeds, cached=kept.cached, bitstream=bitstream,
                 seconds=round(time.monotonic() - start, 1), log=log)
