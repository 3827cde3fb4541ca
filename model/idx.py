"""IDX, the format of MNIST's files: a header, then one byte for each pixel or label."""

import gzip
import math
import os
import pathlib
import zlib

import numpy as np

from .errors import InputError


__all__ = ["read", "unzip"]


def unzip(data: bytes) -> bytes:
    """The content of a gzip file, or :py:`data` itself where it is none.

    Raises :class:`ValueError` where the file is damaged or cut short.
    """
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"damaged or cut short ({error})") from None


def read(path: str | os.PathLike[str], dimensions: int) -> np.ndarray:
    """Array of :class:`uint8` with :py:`dimensions` dimensions from an IDX file, gzipped or not.

    The header is believed only where it agrees with the length of the file; anything else is an
    :class:`InputError`.
    """
    try:
        data = unzip(pathlib.Path(path).read_bytes())
        # Two zero bytes, the type of the elements (8: bytes), the number of dimensions, and each
        # dimension as a big-endian 32-bit number.
        magic = bytes((0, 0, 8, dimensions))
        if data[:4] != magic:
            raise ValueError(f"it starts with {data[:4].hex(' ') or 'nothing'}, and an IDX file of "
                             f"bytes in {dimensions} dimensions with {magic.hex(' ')}")
        start = 4 + 4 * dimensions
        if len(data) < start:
            raise ValueError(f"its header is cut short after {len(data)} bytes")
        shape = [int.from_bytes(data[n:n + 4], "big") for n in range(4, start, 4)]
        if math.prod(shape) != len(data) - start:
            raise ValueError(f"its header promises {' x '.join(map(str, shape))} bytes, and "
                             f"{len(data) - start} follow")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a usable IDX file: {error}; get the file again") from None
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
