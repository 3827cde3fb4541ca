"""Every board by its name, and boards of one's own by their file."""

import importlib.util
import pathlib
import re
import sys
from typing import Any

from amaranth.build import Platform
from amaranth.vendor import GowinPlatform, LatticeECP5Platform, LatticeICE40Platform

from model.errors import InputError

from . import ecp5, gowin, ice40
from .board import Board
from .targets import TARGETS


__all__ = ["BOARDS", "find"]


BOARDS = {board.name: board for board in TARGETS}

RATES = (1_000_000, 115_200)   # for boards of one's own

FAMILIES = (
    (LatticeICE40Platform, ice40.ICE40),
    (LatticeECP5Platform, ecp5.ECP5),
    (GowinPlatform, gowin.GOWIN),
)


def find(name: str) -> Board:
    """Board of that name; or, for ``FILE.py:NAME``, the one that a file defines.

    What the file defines may be a :class:`boards.board.Board`, or a class of Amaranth platforms
    with a resource ``uart`` 0; such a board runs at its crystal's own frequency, with its serial
    port at the first of :py:`RATES` that goes with it.
    """
    file, colon, member = name.rpartition(":")
    if colon and file.endswith(".py"):
        return _own(pathlib.Path(file), member)
    wanted = name.lower().replace("_", "-")
    if wanted in BOARDS:
        return BOARDS[wanted]
    sizes = [known for known in BOARDS if known.startswith(wanted + "-")] if wanted else []
    if len(sizes) > 1:
        raise InputError(f"board {name!r} comes in several sizes: {', '.join(sizes)}")
    raise InputError(f"no board {name!r}: there are {', '.join(BOARDS)}, "
                     f"and FILE.py:CLASS for one of your own")


def _own(path: pathlib.Path, member: str) -> Board:
    spec = importlib.util.spec_from_file_location(f"_board_{path.stem}", path)
    assert spec is not None and spec.loader is not None   # they are for any path that ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module   # dataclasses look themselves up
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as error:
        raise InputError(f"no board file {error.filename}") from error
    except Exception as error:
        raise InputError(f"board file {path} cannot be read: "
                         f"{type(error).__name__}: {error}") from error
    found: Any = getattr(module, member, None)
    if isinstance(found, Board):
        return found
    if not (isinstance(found, type) and issubclass(found, Platform)):
        raise InputError(f"board file {path} has no Board and no Amaranth platform "
                         f"called {member!r}")
    for kind, family in FAMILIES:
        if issubclass(found, kind):
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", found.__name__.removesuffix("Platform"))
            name = words.strip("-_").replace("_", "-").lower()
            failed: Exception | None = None
            for baud in RATES:
                try:
                    return Board(name, family, found, baud=baud)
                except (AttributeError, LookupError, ValueError) as error:
                    failed = error
            raise InputError(f"board {path}:{member} cannot be used: {failed}") from failed
    raise InputError(f"board {path}:{member} must have an iCE40, an ECP5 or a Gowin FPGA")
