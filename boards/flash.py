"""Putting a bitstream on a board."""

import os
import pathlib
import subprocess
from collections.abc import Callable

from model.errors import CheckFailed, InputError
from sim import tools

from .board import Board
from .report import last_error


__all__ = ["flash"]


def flash(board: Board, bitstream: str | os.PathLike[str], *,
          progress: Callable[[str], None] | None = None) -> str:
    """Program :py:`board` with whichever loader is here; the name of the loader.

    Raises
    ------
    InputError
        There is no such bitstream, it is another family's, or no loader is here.
    CheckFailed
        The loader failed, for instance because no board is plugged in.
    """
    path = pathlib.Path(bitstream)
    if not path.is_file():
        raise InputError(f"no bitstream {path}: build it first, with --board {board.name}")
    if path.suffix != board.family.bitstream:
        raise InputError(f"{path} is no bitstream for {board.name}: those end in "
                         f"{board.family.bitstream}")
    if not board.loaders:
        raise InputError(f"{board.name} names no program that loads it: use its own, on {path}")
    for name, *options in board.loaders:
        command = tools.find(name)
        if command is None:
            continue
        if progress is not None:
            progress(f"{name}: programming {board.name}")
        result = subprocess.run([*command, *options, str(path.resolve())],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace")
        if result.returncode != 0:
            raise CheckFailed(f"{name} could not program {board.name}: "
                              f"{last_error(result.stdout)}")
        return name
    ways = " or ".join(f"{name} ({tools.TOOLS[name].get})" for name, *_ in board.loaders)
    raise InputError(f"nothing here can program {board.name}: it takes {ways}")
