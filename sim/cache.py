"""Folders that are made once and kept."""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable


__all__ = ["keep"]


def keep(folder: pathlib.Path, make: Callable[[pathlib.Path], None]) -> pathlib.Path:
    """The folder :py:`folder`, which :py:`make` fills unless it is there.

    It fills another one beside it, which takes the place of :py:`folder` when it is whole; what
    several processes make at once is that of the fastest.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        make(partial)
        try:
            os.replace(partial, folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
