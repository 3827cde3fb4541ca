"""Finding a dataset's files on this machine, and fetching those that are not there."""

import hashlib
import http.client
import os
import pathlib
import shutil
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

import platformdirs

from .errors import InputError
from .files import whole
from .idx import unzip


__all__ = ["Source", "cache", "find", "folders"]


TIMEOUT = 20   # seconds without a byte


@dataclass(frozen=True)
class Source:
    """Where a file is published.

    :py:`sha256` is the digest of its content, unzipped where :py:`zipped`, so that a mirror may
    compress it anew.
    """

    name: str
    mirrors: tuple[str, ...]
    sha256: str
    zipped: bool = False

    def accepts(self, data: bytes) -> bool:
        return hashlib.sha256(unzip(data) if self.zipped else data).hexdigest() == self.sha256


def cache() -> pathlib.Path:
    """The folder where what was fetched is kept."""
    return platformdirs.user_cache_path("ohmbit") / "data"


def folders(datasets: Sequence[str], data_dir: str | os.PathLike[str] | None) -> list[pathlib.Path]:
    """Where to look, in this order, for a dataset whose folder has one of the names.

    A folder that was asked for and does not exist is an :class:`InputError`, rather than one more
    place without the file.
    """
    asked, origin = (data_dir, "--data") if data_dir else \
        (os.environ.get("OHMBIT_DATA"), "$OHMBIT_DATA")
    roots = [cache()]
    if asked:
        roots.insert(0, pathlib.Path(asked).expanduser())
        if not roots[0].is_dir():
            raise InputError(f"{asked}: {origin} must be a folder that exists; create it, or leave "
                             "it out")
    return [folder for root in roots
            for folder in (*(root / dataset for dataset in datasets), root)]


def find(source: Source, names: Sequence[str], places: Sequence[pathlib.Path],
         dataset: str) -> pathlib.Path:
    """Path of the first of :py:`names` in the first of :py:`places` that has one of them.

    Otherwise the file is fetched into the cache, where only content of the right digest arrives.
    Files that were already there are taken as they are.
    """
    for place in places:
        for name in names:
            if (place / name).is_file():
                return place / name
    target = cache() / dataset / source.name
    why = []
    for mirror in source.mirrors:
        url = mirror + source.name
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as response, whole(target) as partial:
                with open(partial, "wb") as file:
                    shutil.copyfileobj(response, file)
                if not source.accepts(partial.read_bytes()):
                    raise ValueError("its SHA-256 is not the published file's")
            return target
        except (OSError, ValueError, http.client.HTTPException) as error:
            why.append(f"{url}: {error}")
    raise InputError(f"{dataset}: {names[0]} is not in {places[0]} and could not be fetched "
                     f"({'; '.join(why)}); download it from there and put it in {target.parent}, "
                     "or give its folder with --data")
