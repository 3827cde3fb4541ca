"""What is proved: statements, what they assume, and how they could be seen to be wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .change import Change
from .solve import METHODS


__all__ = ["Case", "Proof", "case"]


@dataclass(frozen=True)
class Case:
    """Sizes for which a statement is proved, and how many cycles that takes.

    Parameters
    ----------
    cycles : :class:`int`
        As :func:`sim.proofs.solve.solve` has it.
    sizes : dict
        What the harness is made with.
    """

    cycles: int
    sizes: dict[str, Any]

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.sizes.items()) or "one size"


def case(cycles: int, **sizes: Any) -> Case:
    """A :class:`Case`."""
    return Case(cycles, sizes)


@dataclass(frozen=True)
class Proof:
    """One statement about one component.

    Parameters
    ----------
    name : :class:`str`
        ``component.what``.
    states : :class:`str`
        What holds, in a sentence.
    assumes : :class:`str`
        Of what surrounds the component; all that is not named may be anything in each cycle.
    method : :class:`str`
        One of :data:`sim.proofs.solve.METHODS`.
    harness : callable
        Puts component and claims into a :class:`sim.proofs.harness.Harness`; takes the sizes of a
        case by name.
    cases : tuple of :class:`Case`
        Sizes, each proved by itself.
    controls : tuple of :class:`sim.proofs.change.Change`
        With each of these the design is wrong, and the claims must be refuted by a run.
    """

    name: str
    states: str
    assumes: str
    method: str
    harness: Callable[..., None]
    cases: tuple[Case, ...]
    controls: tuple[Change, ...]

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"Method must be one of {', '.join(METHODS)}, not {self.method!r}")
        if not self.cases or not self.controls:
            raise ValueError(f"Proof {self.name} must have a case and a control")

    @property
    def cycles(self) -> str:
        """Cycles of all cases, as text: ``10`` or ``10–24``."""
        numbers = [case.cycles for case in self.cases]
        return f"{min(numbers)}" + (f"–{max(numbers)}" if len(set(numbers)) > 1 else "")
