"""Bits to words and back: the one place that decides bit order.

Bit 0 of a word is the first bit of the vector it was packed from, whether the word is one of the
gateware's, of any width, or one of the 64-bit words that the golden model counts in.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


__all__ = ["pack", "unpack", "pack_fields", "unpack_fields", "pack_rows", "rows_of", "fields",
           "pack64", "disagreements"]


def pack(bits: npt.ArrayLike, width: int) -> list[int]:
    """Split a vector of bits into :py:`width`-bit words; the last is filled up with zeros."""
    return pack_fields(np.asarray(bits, dtype=bool), 1, width)


def unpack(words: list[int], width: int) -> np.ndarray:
    """Join :py:`width`-bit words into a vector of bits."""
    return unpack_fields(words, 1, width).astype(bool)


def pack_fields(values: npt.ArrayLike, bits: int, lanes: int) -> list[int]:
    """Words of :py:`lanes` non-negative integers of :py:`bits` bits, first value lowest."""
    return [int.from_bytes(row.tobytes(), "little") for row in pack_rows(values, bits, lanes)]


def unpack_fields(words: Sequence[int], bits: int, lanes: int) -> np.ndarray:
    """The non-negative integers that :func:`pack_fields` packed, padding included."""
    return fields(rows_of(words, bits * lanes), bits, lanes).reshape(-1)


def pack_rows(values: npt.ArrayLike, bits: int, lanes: int) -> np.ndarray:
    """The words of :func:`pack_fields` as rows of bytes, lowest first."""
    flat = np.asarray(values).reshape(-1)
    size = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    padded = np.zeros(-(-flat.size // lanes) * lanes, dtype=f"<u{size}")
    padded[:flat.size] = flat
    places = np.unpackbits(padded.view(np.uint8).reshape(-1, size), axis=1, count=bits,
                           bitorder="little")
    return np.packbits(places.reshape(-1, lanes * bits), axis=1, bitorder="little")


def rows_of(words: Sequence[int], width: int) -> np.ndarray:
    """Words of :py:`width` bits as rows of bytes, lowest first."""
    size = -(-width // 8)
    joined = b"".join(word.to_bytes(size, "little") for word in words)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(words), size)


def fields(rows: np.ndarray, bits: int, lanes: int, *, above: int = 0) -> np.ndarray:
    """Non-negative integers in rows of bytes, lowest first: rows × :py:`lanes`.

    Parameters
    ----------
    rows : array of :class:`numpy.uint8`, words × bytes
    bits, lanes : :class:`int`
        Width of an integer, at most 63 bits, and how many there are in a row.
    above : :class:`int`
        Bits of a row below the first of them.
    """
    if bits == 1:
        places = np.unpackbits(rows, axis=1, count=above + lanes, bitorder="little")
        return places[:, above:].astype(np.int64)
    values = np.zeros((len(rows), lanes), dtype=np.int64)
    for lane in range(lanes):
        low = above + lane * bits
        for byte in range(low // 8, -(-(low + bits) // 8)):
            place, part = 8 * byte - low, rows[:, byte].astype(np.int64)
            values[:, lane] |= part << place if place >= 0 else part >> -place
    return values & (1 << bits) - 1


def pack64(bits: npt.ArrayLike) -> np.ndarray:
    """Bits along the last axis as 64-bit words, the last filled up with zeros."""
    packed = np.packbits(np.asarray(bits, dtype=bool), axis=-1, bitorder="little")
    words = np.zeros((*packed.shape[:-1], -(-packed.shape[-1] // 8) * 8), dtype=np.uint8)
    words[..., :packed.shape[-1]] = packed
    return words.view(np.dtype("<u8"))


TILE = 1 << 15   # words compared at once: few enough that they stay in a core's own cache
RUN  = 3         # words whose disagreements add up to no more than a byte holds


def disagreements(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Places in which each packed row of :py:`x` differs from each packed row of :py:`weights`."""
    rows, columns = x.reshape(-1, x.shape[-1]), np.ascontiguousarray(weights.T)
    counts = np.empty((len(rows), len(weights)), dtype=np.int64)
    height = min(max(1, TILE // len(weights)), max(1, len(rows)))
    # Results go where the ones before went, since fresh memory costs as much as the work in it.
    differing = np.empty((height, len(weights)), dtype=x.dtype)
    count, part = np.empty((2, *differing.shape), dtype=np.uint8)
    total = np.empty(differing.shape, dtype=np.uint32)
    for start in range(0, len(rows), height):
        block = rows[start:start + height]
        d, c, p, t = (each[:len(block)] for each in (differing, count, part, total))
        t.fill(0)
        for first in range(0, len(columns), RUN):
            p.fill(0)
            for word in range(first, min(first + RUN, len(columns))):
                np.bitwise_xor(block[:, word, None], columns[word], out=d)
                np.bitwise_count(d, out=c)
                np.add(p, c, out=p)
            np.add(t, p, out=t)
        counts[start:start + height] = t
    return counts.reshape(*x.shape[:-1], len(weights))
