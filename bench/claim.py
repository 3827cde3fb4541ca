"""A claim of somebody's, and what was found of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


__all__ = ["VERDICTS", "Claim", "Finding"]


VERDICTS = ("held", "not held", "not modelled", "not run")


@dataclass(frozen=True)
class Finding:
    """What was measured of a claim, in a line each.

    Parameters
    ----------
    figure : :class:`str`
        With units, and with what it cost.
    held : :class:`str`
        One of :data:`VERDICTS`.
    why : :class:`str`
        What the verdict rests on.
    """

    figure: str
    held: str
    why: str

    def __post_init__(self) -> None:
        if self.held not in VERDICTS:
            raise ValueError(f"Held must be one of {', '.join(VERDICTS)}, not {self.held!r}")
        _check(self)


@dataclass(frozen=True)
class Claim:
    """What somebody claims, and what measures it.

    Parameters
    ----------
    name : :class:`str`
        What ``--only`` calls it.
    source, claim : :class:`str`
        Who says it, where and when; and what.
    command : :class:`str`
        The command that prints the figures; empty where there is none.
    measure : callable
        Runs what that runs.
    """

    name: str
    source: str
    claim: str
    command: str
    measure: Callable[[], Finding]

    def __post_init__(self) -> None:
        _check(self)


def _check(row: Any) -> None:
    """Whatever would not fit into a cell of the table is a :exc:`ValueError`."""
    for name, value in vars(row).items():
        if isinstance(value, str) and {"|", "\n"} & set(value):
            raise ValueError(f"{name.capitalize()} must be one line without |, not {value!r}")
