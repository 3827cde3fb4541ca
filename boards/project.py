"""Designs made ready for the tools of a board."""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import platformdirs
from amaranth.build import ResourceError
from amaranth.hdl import ClockDomain, Module

from model.errors import InputError
from sim import tools
from sim.synthesis import BEFORE

from .board import Board


__all__ = ["Project", "elaborate"]


FORMAT = 1   # of what is kept


class Project:
    """A design made ready for a board's tools.

    What the tools make of it is kept, in a folder that is named by a hash of all that decides it:
    the design, the options, the clock, and the versions of the tools. Each tool's result is there
    as soon as the tool has ended, so that what was interrupted goes on where it was.

    Parameters
    ----------
    board : :class:`boards.board.Board`
    top_factory : callable
        Given the board, makes the elaboratable to build.
    name : :class:`str`
        Name of the design, and of its files.
    cache : path, or None
        Folder that keeps what is built; the user's cache folder if None.

    Attributes
    ----------
    folder : path
        Where results are kept; its name is the hash.
    files : mapping of :class:`str` to :class:`str` or :class:`bytes`
        What synthesis reads.
    synthesis, route, pack : list of :class:`str`
        The tools' command lines, as for one seed alone and no frequency.

    Raises
    ------
    InputError
        A tool is not here, or the board lacks something that the design needs.
    """

    def __init__(self, board: Board, top_factory: Callable[[Board], Any], *, name: str = "top",
                 cache: pathlib.Path | None = None):
        if not name.isidentifier() or not name.isascii():
            raise ValueError(f"Name must be a plain identifier, not {name!r}")
        try:
            programs = {tool: tools.require(tool) for tool in board.family.tools}
        except InputError as error:
            raise InputError(f"{error} (for {board.name}, all of it: {board.get})") from error
        self.board = board
        self.name = name
        self._top_factory = top_factory
        self._cache = cache or platformdirs.user_cache_path("ohmbit")
        plan = elaborate(board, top_factory, name)
        self.files = dict(plan.files)
        # Some platforms have commands beyond these three, which only prepare for programming.
        self.synthesis, self.route, self.pack = (
            board.family.translate(command)
            for command in json.loads(self.files[f"build_{name}.json"])["commands"][:3])
        text = json.dumps([FORMAT, plan.digest().hex(), self.synthesis, self.route, self.pack,
                           [_version(tool, program) for tool, program in programs.items()],
                           float(board.clock_hz)])
        self.folder = \
            self._cache / "bitstreams" / hashlib.sha256(text.encode()).hexdigest()[:24]

    def on(self, board: Board) -> "Project":
        """The same design for another board, or for the same one with another clock."""
        return type(self)(board, self._top_factory, name=self.name, cache=self._cache)

    def stage(self, name: str, seed: int | None = None) -> pathlib.Path:
        """Folder that keeps the result of a stage, for a seed if it depends on one."""
        return self.folder / (name if seed is None else f"{name}-{seed}")

    @property
    def netlist(self) -> str:
        """Name of the file that goes from synthesis to place and route."""
        return self.route[self.route.index("--json") + 1]

    @property
    def reroute(self) -> list[str]:
        """The command line of :py:`route` with the other of nextpnr's two routers."""
        if "--router" not in self.route:
            return [*self.route, "--router", "router2"]
        place = self.route.index("--router") + 1
        other = "router1" if self.route[place] == "router2" else "router2"
        return [*self.route[:place], other, *self.route[place + 1:]]

    @property
    def bitstream(self) -> str:
        """Name of the bitstream's file."""
        return self.name + self.board.family.bitstream

    @property
    def report(self) -> str:
        """Name of the file that says how a placement turned out."""
        return f"{self.name}.report.json"


def _version(tool: str, command: list[str]) -> list[Any]:
    """What tells a tool from others in its place: its version, or the file if it does not say."""
    version = tools.version(tool)
    if version is not None:
        return [tool, version, *command[1:]]
    told = os.stat(command[0])
    return [tool, *command, told.st_size, told.st_mtime_ns]


def elaborate(board: Board, top_factory: Callable[[Board], Any], name: str) -> Any:
    """Amaranth's plan of a build: all files that tools read, and their command lines."""
    platform = board.platform()
    m = Module()
    if (clock := board.clock()) is not None:
        m.domains.sync = ClockDomain()
        m.submodules.clock = clock
    m.submodules.design = top_factory(board)
    try:
        # Source lines would put the paths of this machine into the files.
        return platform.prepare(m, name, emit_src=False, script_after_read=BEFORE,
                                **board.family.overrides)
    except ResourceError as error:
        raise InputError(f"{board.name} lacks something that the design needs: {error}") from error
