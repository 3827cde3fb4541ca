"""What a parameter may be."""

import math

import numpy as np


__all__ = ["check_range", "check_real"]


def check_range(what: str, value: object, low: int, high: int | None = None) -> None:
    """:exc:`TypeError` unless it is an integer, and :exc:`ValueError` unless it is in a range.

    Without :py:`high` it may be as great as it likes.
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{what} must be an integer, not {value!r}")
    if high is None and value < low:
        raise ValueError(f"{what} must be at least {low}, not {value!r}")
    if high is not None and not low <= value <= high:
        raise ValueError(f"{what} must be between {low} and {high}, not {value!r}")


def check_real(what: str, value: object, low: float, high: float | None = None) -> None:
    """As :func:`check_range`, for numbers that need not be integers, but finite."""
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool):
        raise TypeError(f"{what} must be a number, not {value!r}")
    if high is None and not low <= value < math.inf:
        raise ValueError(f"{what} must be at least {low} and finite, not {value!r}")
    if high is not None and not low <= value <= high:
        raise ValueError(f"{what} must be between {low} and {high}, not {value!r}")
