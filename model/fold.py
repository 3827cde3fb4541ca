"""Batch normalisation and sign, folded into one integer threshold per neuron."""

import numpy as np
import numpy.typing as npt


__all__ = ["fold"]


def fold(weights: npt.ArrayLike, mean: npt.ArrayLike, std: npt.ArrayLike, gamma: npt.ArrayLike,
         beta: npt.ArrayLike, *, gain: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Weights and thresholds of neurons that fire where γ · (acc − mean) / std + β ≥ 0.

    The thresholds agree with that expression, evaluated in float64 from left to right, for every
    integer acc that the neuron can reach. They are found by bisection on the expression itself:
    solving it for acc would round differently, and could miss by one.

    Where γ is negative the comparison points the other way, so the neuron's weights are inverted
    instead, which negates its acc. Where γ is zero only the sign of β counts.

    Parameters
    ----------
    weights : array of :class:`bool`, outputs × inputs
    mean, std, gamma, beta : array of :class:`float`, outputs, or one value for all
        Finite; :py:`std` greater than zero.
    gain : :class:`int`
        Sum of the gains of the input's planes. No acc is further than inputs · gain from zero.

    Returns
    -------
    weights : array of :class:`bool`, outputs × inputs
    thresholds : array of :class:`int64`, outputs
        From −inputs · gain, which always fires, to inputs · gain + 1, which never does.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or weights.dtype != bool:
        raise TypeError(f"Weights must be a matrix of bool, not {weights.ndim}-dimensional "
                        f"{weights.dtype}")
    outputs, inputs = weights.shape
    values = []
    for name, value in (("mean", mean), ("std", std), ("gamma", gamma), ("beta", beta)):
        array = np.asarray(value, dtype=np.float64)
        if array.shape not in ((), (outputs,)):
            raise ValueError(f"{name} must be one per output ({outputs}), not {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite")
        values.append(np.broadcast_to(array, outputs))
    mean, std, gamma, beta = values
    if (std <= 0).any():
        raise ValueError(f"std must be greater than 0, not {std.min()}")

    inverted = gamma < 0
    sign = np.where(inverted, -1.0, 1.0)

    def fires(acc: np.ndarray) -> np.ndarray:
        # Each operation rounds monotonically, hence so does the whole; an overflow to infinity
        # keeps its sign and is as good as any other great number.
        with np.errstate(over="ignore", under="ignore"):
            return gamma * (sign * acc - mean) / std + beta >= 0

    # No acc below `low` fires, and all from `high` up do, as far as they can be reached.
    low  = np.full(outputs, -inputs * gain, dtype=np.int64)
    high = np.full(outputs, inputs * gain + 1, dtype=np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        found = fires(middle)
        high = np.where(found, middle, high)
        low  = np.where(found | (low == high), low, middle + 1)
    return weights ^ inverted[:, None], high
