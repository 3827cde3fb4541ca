"""CIFAR-10's official binary files: records of a label byte and 3 × 1,024 bytes of pixels."""

import contextlib
import os
import pathlib
import tarfile
import zlib
from collections.abc import Sequence

import numpy as np

from . import fetch
from .dataset import Dataset, checked
from .errors import InputError
from .fetch import Source


__all__ = ["load", "read"]


CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
               "truck")
FOLDERS = ("cifar10", "cifar-10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin")
SOURCE = Source("cifar-10-binary.tar.gz", ("https://www.cs.toronto.edu/~kriz/",),
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")
TRAIN = tuple(f"data_batch_{n}.bin" for n in range(1, 6))
TEST  = ("test_batch.bin",)
SHAPE = (3, 32, 32)                  # colours first, as in the files
RECORD = 1 + 3 * 32 * 32


def load(name: str, data_dir: str | os.PathLike[str] | None) -> Dataset:
    """CIFAR-10; an image's pixels are its red ones, its green ones, its blue ones."""
    path = fetch.find(SOURCE, (*TEST, SOURCE.name), fetch.folders(FOLDERS, data_dir), name)
    if path.name in TEST:
        path = path.parent
    (x_train, y_train), (x_test, y_test) = read(path, TRAIN), read(path, TEST)
    return checked(path, name=name, x_train=x_train, y_train=y_train, x_test=x_test,
                   y_test=y_test, image_shape=SHAPE, class_names=CLASS_NAMES, bits=8)


def read(path: str | os.PathLike[str], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Images × 3,072 pixels and labels from the files called :py:`names`, one after the other.

    :py:`path` is the folder that holds them, or the ``.tar.gz`` in which they are published.
    """
    path = pathlib.Path(path)
    try:
        with contextlib.ExitStack() as stack:
            if path.is_dir():
                parts = [(path / name).read_bytes() for name in names]
            else:
                parts = _members(stack.enter_context(tarfile.open(path)), names)
        for name, part in zip(names, parts, strict=True):
            if not part or len(part) % RECORD:
                raise ValueError(f"{name} has {len(part)} bytes, not a multiple of {RECORD}")
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        why = " ".join(str(error).split())     # tarfile gives one line for each compression
        raise InputError(f"{path}: not CIFAR-10 in binary form: {why}; get it again") from None
    records = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, RECORD)
    return np.ascontiguousarray(records[:, 1:]), records[:, 0].astype(np.int64)


def _members(archive: tarfile.TarFile, names: Sequence[str]) -> list[bytes]:
    """Content of the archive's files, whatever folder they are in; nothing is written to disk."""
    found = {}
    for member in archive:
        name = pathlib.PurePosixPath(member.name).name
        if name in names and member.isfile():
            file = archive.extractfile(member)
            assert file is not None
            found[name] = file.read()
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"it holds no {', '.join(missing)}")
    return [found[name] for name in names]
