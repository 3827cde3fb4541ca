"""Putting a bitstream on a board."""

import contextlib
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator

from model.errors import CheckFailed, InputError
from sim import tools

from .board import Board


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
        with _as_taken(name, path) as file:
            result = subprocess.run([*command, *options, str(file.resolve())],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, errors="replace")
        if result.returncode != 0:
            # iceprog says what was wrong, and then this.
            said = re.sub(r"^ABORT\.$", "", result.stdout, flags=re.M)
            raise CheckFailed(f"{name} could not program {board.name}: {tools.last_error(said)}")
        return name
    ways = " or ".join(f"{name} ({tools.TOOLS[name].get})" for name, *_ in board.loaders)
    raise InputError(f"nothing here can program {board.name}: it takes {ways}")


@contextlib.contextmanager
def _as_taken(loader: str, bitstream: pathlib.Path) -> Iterator[pathlib.Path]:
    """The file that a loader takes: a bitstream, or one with a suffix for DFU."""
    if loader != "dfu-util":
        yield bitstream
        return
    # dfu-util warns that later versions will refuse a file without. The numbers are wildcards, as
    # the loader's command line says which device is meant.
    data = bitstream.read_bytes()
    data += struct.pack("<4H3sB", 0xffff, 0xffff, 0xffff, 0x0100, b"UFD", 16)
    data += struct.pack("<I", zlib.crc32(data) ^ 0xffff_ffff)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{bitstream.stem}.dfu"
        path.write_bytes(data)
        yield path
