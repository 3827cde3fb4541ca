"""What a parameter may be."""

import numpy as np


__all__ = ["check_range"]


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
