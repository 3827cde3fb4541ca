"""How fast counters learn, and when they learn more slowly."""

from dataclasses import dataclass

from .checks import check_range


__all__ = ["ALWAYS", "LEVELS", "Convergence", "Control", "rates"]


ALWAYS = 256   # what a rate is out of: the rate of what is always done
LEVELS = 8     # rates at most
MOST   = 2 ** 32 - 1


def rates(decay: float, levels: int = 4) -> tuple[int, ...]:
    """So many rates, the first of which is always, and each of the others less by a factor."""
    if not 1 < decay <= ALWAYS:
        raise ValueError(f"Decay must be above 1, and at most {ALWAYS}, not {decay!r}")
    check_range("Levels", levels, 1, LEVELS)
    return tuple(max(1, round(ALWAYS / decay ** level)) for level in range(levels))


@dataclass(frozen=True)
class Convergence:
    """Rates that are gone through, level by level, and when one goes on to the next.

    A rate p means that something is done with a probability of p/256. This is the convergence rate
    of B. Li et al., "Training itself" (ASP-DAC 2014), elsewhere the learning rate; there an update
    is made smaller, and here, where a counter has no smaller step than one, rarer.

    By a schedule: level n ends with sample :py:`until[n]`. Or by itself, where there is a
    :py:`window`: of so many samples in a row the errors are counted, and when they are no fewer
    than in the window before, a level ends. The first window has none before it.

    Parameters
    ----------
    rates : tuple of :class:`int`
        1 to 8 of them, each 1 to 256.
    until : tuple of :class:`int`
        Samples after which levels end, ascending: one fewer than rates, or none at all.
    window : :class:`int`, or None
        Samples of a window, if levels end by themselves.
    """

    rates: tuple[int, ...] = (ALWAYS,)
    until: tuple[int, ...] = ()
    window: int | None = None

    def __post_init__(self) -> None:
        check_range("Number of rates", len(self.rates), 1, LEVELS)
        for rate in self.rates:
            check_range("Rates", rate, 1, ALWAYS)
        for end in self.until:
            check_range("Ends of levels", end, 1, MOST)
        if self.window is not None:
            check_range("Window", self.window, 1, MOST)
            if self.until:
                raise ValueError("Levels must end by a schedule or by themselves, not by both")
        elif len(self.until) != len(self.rates) - 1:
            raise ValueError(f"Ends of levels must be {len(self.rates) - 1} for "
                             f"{len(self.rates)} rates, not {len(self.until)}")
        if any(after <= before for before, after in zip(self.until, self.until[1:], strict=False)):
            raise ValueError("Ends of levels must ascend, not "
                             f"{', '.join(str(end) for end in self.until)}")

    @classmethod
    def scheduled(cls, decay: float, samples: int,
                  parts: tuple[float, ...] = (0.34, 0.67, 0.9)) -> "Convergence":
        """Levels that end after these parts of so many samples."""
        ends: list[int] = []
        for part in parts:
            ends.append(max(round(part * samples), 1 + max(ends, default=0)))
        return cls(rates(decay, len(parts) + 1), tuple(ends))


@dataclass
class Control:
    """Where a :class:`Convergence` is; a sample after another moves it.

    Members are what hardware keeps in its memory.
    """

    spec: Convergence
    level: int = 0
    samples: int = 0                          # seen
    counted: int = 0                          # of this window
    errors: int = 0                           # in this window
    before: int = MOST                        # errors in the window before

    @property
    def rate(self) -> int:
        return self.spec.rates[self.level]

    def after(self, error: bool) -> None:
        """A sample was learned, with or without an error."""
        spec = self.spec
        self.samples += 1
        ends = False
        if spec.window is None:
            ends = self.samples in spec.until[self.level:self.level + 1]
        else:
            self.counted += 1
            self.errors += bool(error)
            if self.counted == spec.window:
                ends = self.errors >= self.before
                self.before, self.errors, self.counted = self.errors, 0, 0
        if ends and self.level < len(spec.rates) - 1:
            self.level += 1
