"""How fast a design may run: clocks other than a board's own, and the fastest that holds."""

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from model.errors import InputError

from .board import Board
from .kept import Kept, TimingMissed, keep
from .project import Project


__all__ = ["MARGIN", "clocked", "fastest"]


MARGIN = Fraction(1, 50)   # of a reached frequency that is left unused, and least gain worth a try
TRIES  = 5                 # clocks that are tried, the board's own included


def clocked(board: Board, mhz: float) -> Board:
    """The board with another clock, the nearest that its PLL makes.

    Raises
    ------
    InputError
        It has no PLL, or none that makes such a clock; or the baud rate would be off.
    """
    if not 0 < mhz < 10_000:
        raise InputError(f"a clock must have some MHz, not {mhz:g}")
    if board.pll is None and mhz * 1e6 != board.crystal_hz:
        raise InputError(f"{board.name} has no PLL: it runs at its oscillator's "
                         f"{board.crystal_hz / 1e6:g} MHz, not at {mhz:g} MHz")
    try:
        return dataclasses.replace(board, clock_mhz=mhz)
    except ValueError as error:
        raise InputError(f"{board.name} at {mhz:g} MHz: {error}") from error


def fastest(project: Project, *, progress: Callable[[str], None] | None = None,
            **options: Any) -> Kept:
    """Build for the fastest clock that the board's PLL makes and the design meets.

    The board's own clock comes first. The frequency that the routed design reaches there, less
    :data:`MARGIN`, gives the next clock, for which all is built anew, since the PLL and the serial
    port's divisor depend on it. A clock that is met may lead to a faster one, and one that is
    missed to a slower one, until no gain is left, :data:`TRIES` clocks in all.

    Parameters
    ----------
    project : :class:`boards.project.Project`
    options
        Those of :func:`boards.kept.keep`.

    Raises
    ------
    InputError
        The board has no PLL.
    TimingMissed
        No clock that was tried is met.
    """
    say = progress or (lambda line: None)
    board = project.board
    if board.pll is None:
        raise InputError(f"{board.name} has no PLL: it runs at its oscillator's "
                         f"{board.crystal_hz / 1e6:g} MHz, and no other clock can be chosen")
    best: Kept | None = None
    missed: TimingMissed | None = None
    worked = False
    limit = Fraction(10**12)   # above any clock
    for left in reversed(range(TRIES)):
        try:
            kept = keep(project, progress=progress, **options)
            best, worked = kept, worked or not kept.cached
            reached = kept.fmax_mhz
        except TimingMissed as error:
            missed, worked = error, True
            reached = error.fmax_mhz
            limit = project.board.clock_hz - 1
        usable = min(limit, Fraction(reached) * 1_000_000 * (1 - MARGIN))
        least = best.board.clock_hz * (1 + MARGIN) if best is not None else Fraction(0)
        candidate = _between(board, least, usable)
        if candidate is None or not left:
            break
        say(f"{board.name}: {reached:.2f} MHz reached, next at "
            f"{float(candidate.clock_hz) / 1e6:g} MHz")
        project = project.on(candidate)
    if best is None:
        assert missed is not None   # one or the other ends each try
        raise missed
    return dataclasses.replace(best, cached=not worked)


def _between(board: Board, least: Fraction, most: Fraction) -> Board | None:
    """The board with the fastest clock between two that it can have."""
    assert board.pll is not None
    able = {hz for _, hz in board.pll.choices(board.crystal_hz)}
    for hz in sorted((hz for hz in able | {Fraction(board.crystal_hz)} if least <= hz <= most),
                     reverse=True):
        try:
            return dataclasses.replace(board, clock_mhz=float(hz) / 1e6)
        except ValueError:   # its baud rate is no fraction of this one
            continue
    return None
