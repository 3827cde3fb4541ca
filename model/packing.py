"""Bits to words and back: the one place that decides bit order.

Bit 0 of a word is the first bit of the vector it was packed from, whether the word is one of the
gateware's, of any width, or one of the 64-bit words that the golden model counts in.
"""

import numpy as np
import numpy.typing as npt


__all__ = ["pack", "unpack", "pack_fields", "unpack_fields", "pack64", "disagreements"]


def pack(bits: npt.ArrayLike, width: int) -> list[int]:
    """Split a vector of bits into :py:`width`-bit words; the last is filled up with zeros."""
    return pack_fields(np.asarray(bits, dtype=bool), 1, width)


def unpack(words: list[int], width: int) -> np.ndarray:
    """Join :py:`width`-bit words into a vector of bits."""
    return unpack_fields(words, 1, width).astype(bool)


def pack_fields(values: npt.ArrayLike, bits: int, lanes: int) -> list[int]:
    """Words of :py:`lanes` non-negative integers of :py:`bits` bits, first value lowest."""
    flat = np.asarray(values).reshape(-1)
    padded = np.zeros(-(-flat.size // lanes) * lanes, dtype=np.uint64)
    padded[:flat.size] = flat
    places = (padded[:, None] >> np.arange(bits, dtype=np.uint64) & 1).astype(np.uint8)
    rows = np.packbits(places.reshape(-1, lanes * bits), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def unpack_fields(words: list[int], bits: int, lanes: int) -> np.ndarray:
    """The non-negative integers that :func:`pack_fields` packed, padding included."""
    size = -(-bits * lanes // 8)
    rows = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), dtype=np.uint8)
    places = np.unpackbits(rows.reshape(len(words), size), axis=1, count=bits * lanes,
                           bitorder="little").reshape(-1, bits)
    return places @ (1 << np.arange(bits, dtype=np.int64))


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
