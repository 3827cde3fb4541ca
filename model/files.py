"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator


__all__ = ["whole"]


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Path to write to; what was written becomes :py:`path` when the block ends well.

    The file is written beside its destination, so that the last step is a rename within one file
    system. A full disk, an interrupt or any other exception leaves the destination as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = pathlib.Path(name)
    try:
        yield partial
        # `mkstemp` keeps its files from everyone else, which a result has no need of.
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
