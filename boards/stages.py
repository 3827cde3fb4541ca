"""Stages of a build: runs of a tool, each in a folder of its own that is kept once it is whole."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from model.errors import CheckFailed
from sim import tools

from .report import excess


__all__ = ["LOG", "MANIFEST", "Stage", "StageFailed", "StageStuck", "perform", "is_whole",
           "end", "copy"]


LOG      = "kept.log"    # what the tool said
MANIFEST = "kept.json"   # every file of the folder, and its hash
TRIES    = 3             # times that a folder is put in another's place, if others do so as well
LOOK     = 2.0           # seconds between looks at what a tool says
TAIL     = 4_096         # bytes of that to look at


@dataclass(frozen=True)
class Stage:
    """A run of a tool; all that it depends on, and where its result is kept.

    It can be pickled, so that :func:`perform` may run on another machine that has the folders.

    Parameters
    ----------
    folder : path
        Where the result is kept: what was there before the run, and what the tool wrote.
    command : tuple of :class:`str`
        Command line, beginning with the name of a tool in :mod:`sim.tools`.
    check : callable
        Given the folder in which the tool ran; raises :exc:`model.errors.CheckFailed` where the
        tool ended well and yet left no good result.
    source : path, or None
        Folder of an earlier stage, whose files the tool finds in its own.
    files : mapping of :class:`str` to :class:`str` or :class:`bytes`
        Files that it finds there as well.
    fresh : :class:`bool`
        Take the place of a result that is there already.
    group : :class:`str`
        What :func:`end` ends together.
    excess : :class:`str`
        What to say of a design for which the tool finds too few cells.
    stuck : callable, or None
        Given what the tool said last, says why it will never end; nothing while it may. Where it
        will not, it is ended.
    otherwise : tuple of :class:`str`
        Command line that then takes the place of the first, if any.
    """

    folder: pathlib.Path
    command: tuple[str, ...]
    check: Callable[[pathlib.Path], None]
    source: pathlib.Path | None = None
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    fresh: bool = False
    group: str = ""
    excess: str = "too large"
    stuck: Callable[[str], str] | None = None
    otherwise: tuple[str, ...] = ()


class StageFailed(CheckFailed):
    """A tool failed, or left no good result.

    Parameters
    ----------
    what : :class:`str`
        One line that says so.
    said : :class:`str`
        The command line and all that the tool said.
    """

    def __init__(self, what: str, said: str):
        super().__init__(what)
        self.said = said

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.said)   # exceptions pickle their message alone


class StageStuck(StageFailed):
    """A tool would never have ended."""


def perform(stage: Stage) -> None:
    """Run a stage. Its result appears under its name whole, or not at all.

    Several processes may run the same stage at once: the result of the fastest is kept.

    Raises
    ------
    StageFailed
    OSError
        The folders cannot be written.
    """
    parent = stage.folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{stage.folder.name}-", dir=parent) as name:
        partial = pathlib.Path(name) / stage.folder.name
        partial.mkdir()
        if stage.source is not None:
            for path in _files(stage.source):
                _link(path, partial / path.name)
        for file, text in stage.files.items():
            (partial / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        _run(stage, partial)
        manifest = {path.name: _digest(path) for path in _files(partial, and_log=True)}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        _settle(partial, stage)


def is_whole(folder: pathlib.Path) -> bool:
    """Whether a stage's result is there, with every file as the tools left it."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return bool(manifest) and all(_digest(folder / name) == digest
                                      for name, digest in manifest.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def copy(folder: pathlib.Path, target: pathlib.Path, last: str) -> None:
    """Copy a stage's files to another folder; the one named :py:`last` when all others are there.

    Each appears whole or not at all.
    """
    # Beside their places, so that each step which can be seen is a rename.
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target) as name:
        for path in _files(folder):
            shutil.copyfile(path, pathlib.Path(name) / path.name)
        for path in sorted(pathlib.Path(name).iterdir(), key=lambda path: path.name == last):
            os.replace(path, target / path.name)


def _files(folder: pathlib.Path, and_log: bool = False) -> list[pathlib.Path]:
    """What tools read and wrote in a folder."""
    # Amaranth's own scripts are not used.
    return sorted(path for path in folder.iterdir()
                  if path.is_file() and path.name != MANIFEST
                  and (and_log or path.name != LOG) and not path.name.startswith("build_"))


def _link(path: pathlib.Path, place: pathlib.Path) -> None:
    """The same file in a second place; tools read what they are given, and write other files."""
    try:
        os.link(path, place)
    except OSError:   # a file system without links
        shutil.copyfile(path, place)


def _digest(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settle(partial: pathlib.Path, stage: Stage) -> None:
    """Put a whole folder in its place, unless another process has."""
    for attempt in range(TRIES):
        try:
            os.replace(partial, stage.folder)
            return
        except OSError:
            if not stage.folder.exists() or attempt == TRIES - 1:
                raise
        if not stage.fresh and is_whole(stage.folder):
            return
        with contextlib.suppress(FileNotFoundError):
            os.replace(stage.folder, partial.parent / f"old-{attempt}")


def _run(stage: Stage, folder: pathlib.Path) -> None:
    """Run the tool and judge what it left; what it said goes to the log."""
    status, answer, never = _attempt(stage, stage.command, folder)
    said = f"$ {' '.join(stage.command)}\n{answer}"
    if never and stage.otherwise:
        status, answer, never = _attempt(stage, stage.otherwise, folder)
        said += f"$ {' '.join(stage.otherwise)}\n{answer}"
    (folder / LOG).write_text(said)
    if never:
        raise StageStuck(f"{stage.command[0]} would never end: {never}", said)
    try:
        if status != 0:
            raise CheckFailed(_reason(stage, answer))
        stage.check(folder)
    except CheckFailed as error:
        raise StageFailed(str(error), said) from error


def _attempt(stage: Stage, command: Sequence[str], folder: pathlib.Path) -> tuple[int, str, str]:
    """Run a command line: its exit status, what it said, and why it would never have ended."""
    # Yosys in WebAssembly loses its output after it has run ABC, but not its own log.
    parts = [folder / name for option, name in zip(command, command[1:], strict=False)
             if option in ("-l", "--log")]
    parts.append(folder / "output")
    never = ""

    def look() -> bool:
        nonlocal never
        never = stage.stuck("".join(map(_tail, parts))) if stage.stuck is not None else ""
        return bool(never)

    with open(parts[-1], "wb") as output:
        status = _execute([*tools.require(command[0]), *command[1:]], folder, output, stage.group,
                          look)
    answer = "".join(part.read_text(errors="replace") for part in parts if part.is_file())
    for part in parts:
        part.unlink(missing_ok=True)
    return status, answer, never


def _tail(path: pathlib.Path) -> str:
    """The end of a file that may not be there yet."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _reason(stage: Stage, answer: str) -> str:
    over = ", ".join(f"{need:,} of {have:,} {cell} ({need - have:,} too many)"
                     for cell, (need, have) in excess(answer).items())
    return f"{stage.excess}: it takes {over}" if over else \
        f"{stage.command[0]} failed: {tools.last_error(answer)}"


_lock = threading.Lock()
_running: dict[str, list[subprocess.Popen[bytes]]] = {}   # tools of each group, in this process
_ended: set[str] = set()


def end(group: str) -> None:
    """End all tools of a group that run in this process, and start no more of them."""
    with _lock:
        _ended.add(group)
        for process in _running.get(group, ()):
            process.kill()


def _execute(command: list[str], folder: pathlib.Path, output: IO[bytes], group: str,
             look: Callable[[], bool]) -> int:
    """Run a tool to its end, or end it when a look says so; its exit status."""
    with _lock:
        if group in _ended:
            return -1
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT)
        _running.setdefault(group, []).append(process)
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK)
            if look():
                process.kill()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        with _lock:
            _running[group].remove(process)
            if not _running[group]:
                del _running[group]
