"""Gradients against differences of what they are of."""

import numpy as np
import pytest


__all__ = ["hold_to_slopes"]


STEP, EVERY = 1e-6, 7   # of a difference; and of the places in an array that are looked at


def hold_to_slopes(points, gradients, loss):
    """Each gradient of :py:`loss()` is its slope at some places of the array that it belongs to."""
    for point, gradient in zip(points, gradients, strict=True):
        for index in list(np.ndindex(point.shape))[::EVERY]:
            slope, value = 0.0, point[index]
            for side in (1, -1):
                point[index] = value + side * STEP
                slope += side * loss() / (2 * STEP)
            point[index] = value
            assert gradient[index] == pytest.approx(slope, rel=2e-3, abs=2e-5)
