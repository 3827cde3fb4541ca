"""Estimates of energy: events that are counted exactly, by figures that somebody measured.

``NAME.toml`` beside this file are tables to start from.
"""

import dataclasses
import math
import pathlib
import tomllib
from dataclasses import dataclass
from typing import Any, ClassVar

from gateware.events import Events
from model.errors import InputError


__all__ = ["EVENTS", "TABLES", "Figure", "Estimate", "load", "estimate"]


EVENTS = tuple(field.name for field in dataclasses.fields(Events))
TABLES = {path.stem: path for path in sorted(pathlib.Path(__file__).parent.glob("*.toml"))}


@dataclass(frozen=True)
class Figure:
    """What so many events of one kind take, and who says so; :py:`events` are the kinds."""

    events: ClassVar[tuple[str, ...]] = EVENTS

    event: str
    picojoules: float
    source: str
    per: int = 1

    def __post_init__(self) -> None:
        if self.event not in self.events:
            raise ValueError(f"Event must be one of {', '.join(self.events)}, not {self.event!r}")
        if isinstance(self.picojoules, bool) or not isinstance(self.picojoules, (int, float)):
            raise TypeError(f"Picojoules must be a number, not {self.picojoules!r}")
        if not 0 <= self.picojoules < math.inf:
            raise ValueError(f"Picojoules must be 0 or more, not {self.picojoules!r}")
        if isinstance(self.per, bool) or not isinstance(self.per, int):
            raise TypeError(f"Per must be an integer, not {self.per!r}")
        if self.per < 1:
            raise ValueError(f"Per must be at least 1, not {self.per!r}")
        if not isinstance(self.source, str) or not self.source.strip():
            raise ValueError(f"Source must say where the figure is from, not {self.source!r}")


@dataclass(frozen=True)
class Estimate:
    """Energy of some images, in picojoules, and what was done with it.

    Parameters
    ----------
    picojoules : dict of :class:`float`
        For each event that the table has a figure for.
    operations : :class:`int`
        Two for each weight and plane, as is customary for a multiplication and an addition.
    without : tuple of :class:`str`
        Events that took place and have no figure: they count as nothing.
    """

    picojoules: dict[str, float]
    operations: int
    without: tuple[str, ...]

    @property
    def total(self) -> float:
        return sum(self.picojoules.values())

    @property
    def tops_per_watt(self) -> float | None:
        """Operations for each picojoule; None where there is no energy."""
        return self.operations / self.total if self.total else None


def load(name: str, kind: type[Figure] = Figure) -> tuple[Figure, ...]:
    """Figures of one of :data:`TABLES` or of a TOML file, which has a ``[[figure]]`` for each.

    A figure has an ``event``, ``picojoules``, a ``source``, and ``per``, the number of events that
    this is for, if that is not one. Anything else is an :class:`model.errors.InputError`. Events
    are those of :py:`kind`.
    """
    path = TABLES.get(name, pathlib.Path(name))
    try:
        contents = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; name a table of energies, or one of "
                         f"{', '.join(TABLES)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: not a TOML file: {error}") from None
    rows = contents.pop("figure", None)
    if contents or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{name}: a table of energies has a [[figure]] for each and nothing else")
    return tuple(_figure(f"{name}, figure {n}", row, kind) for n, row in enumerate(rows, 1))


def _figure(where: str, row: dict[str, Any], kind: type[Figure]) -> Figure:
    known = {field.name: field.default is dataclasses.MISSING
             for field in dataclasses.fields(Figure)}
    for key in row:
        if key not in known:
            raise InputError(f"{where}: {key!r} means nothing; there are {', '.join(known)}")
    for key, required in known.items():
        if required and key not in row:
            raise InputError(f"{where} has no {key}: every figure needs one")
    try:
        return kind(**row)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from None


def estimate(figures: tuple[Figure, ...], events: Events, operations: int) -> Estimate:
    """:class:`Estimate` of some events, by figures that add up where an event has several."""
    counts = dataclasses.asdict(events)
    picojoules: dict[str, float] = {}
    for figure in figures:
        picojoules[figure.event] = picojoules.get(figure.event, 0.0) \
            + counts[figure.event] * figure.picojoules / figure.per
    without = tuple(name for name in EVENTS if counts[name] and name not in picojoules)
    return Estimate({name: picojoules[name] for name in EVENTS if name in picojoules}, operations,
                    without)
