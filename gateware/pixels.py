"""Images as the words that an accelerator takes."""

import numpy as np

from model.packing import pack_rows


__all__ = ["pixel_words", "pixel_rows"]


def pixel_words(images, shape, mapping):
    """Words that an accelerator takes for some images, one list after another.

    Where images go in batches, the last of these is marked as the last of a run.
    """
    return [int.from_bytes(row.tobytes(), "little") for row in pixel_rows(images, shape, mapping)]


def pixel_rows(images, shape, mapping):
    """The words of :func:`pixel_words` as rows of bytes, lowest first."""
    pixels = mapping.layers[0].pixels
    padded = np.zeros((len(images), -(-shape.inputs // pixels) * pixels), dtype=np.uint16)
    padded[:, :shape.inputs] = shape.encoder.fed(images)
    bits = shape.built.encoder.bits
    rows = pack_rows(padded, bits, pixels)
    if mapping.batch > 1:
        place = bits * pixels
        rows = np.pad(rows, ((0, 0), (0, place // 8 + 1 - rows.shape[1])))
        rows[-1:, place // 8] |= 1 << place % 8
    return rows
