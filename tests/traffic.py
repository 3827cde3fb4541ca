"""What passes into a layer, in words."""

import numpy as np

from model.packing import pack


__all__ = ["beats"]


def beats(folding, planes):
    """Words that a layer takes for vectors of bits, vectors × planes × inputs."""
    padded = np.zeros((*planes.shape[:2], folding.folds * folding.simd), dtype=bool)
    padded[:, :, :folding.inputs] = planes
    folds = padded.reshape(*planes.shape[:2], folding.folds, folding.simd)
    words = folds.transpose(0, 2, 1, 3)
    return [word for vector in words for _ in range(folding.groups)
            for word in pack(vector, folding.simd)]
