"""Matrix products in floating point, which are exact for integers and take far less time."""

import numpy as np


__all__ = ["products"]


CHUNK = 1000   # vectors multiplied at once, to bound memory


def products(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """W · x for all vectors, … × inputs: … × outputs, exact where these are integers below 2^53."""
    rows = x.reshape(-1, x.shape[-1])
    found = np.empty((len(rows), len(weights)))
    for n in range(0, len(rows), CHUNK):
        found[n:n + CHUNK] = rows[n:n + CHUNK].astype(np.float64) @ weights.T
    return found.reshape(*x.shape[:-1], len(weights))
