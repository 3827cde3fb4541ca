"""What nextpnr says about a design: how much of the FPGA it takes, and how fast it is.

All figures are of the placed and routed design. nextpnr's log gives frequencies twice, and the
first are estimates from before routing; hence only its JSON report is believed.
"""

import json
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from model.errors import CheckFailed


__all__ = ["Report", "excess", "contended"]


@dataclass(frozen=True)
class Report:
    """A report that nextpnr wrote with ``--report``.

    Parameters
    ----------
    clocks : mapping of :class:`str` to pair of :class:`float`
        Frequency reached and frequency asked of each clock, in MHz.
    cells : mapping of :class:`str` to pair of :class:`int`
        Cells taken and cells there of each kind.
    """

    clocks: Mapping[str, tuple[float, float]]
    cells: Mapping[str, tuple[int, int]]

    @classmethod
    def read(cls, path: pathlib.Path) -> "Report":
        try:
            fields = json.loads(path.read_text())
            return cls({name: (clock["achieved"], clock["constraint"])
                        for name, clock in fields["fmax"].items()},
                       {name: (cell["used"], cell["available"])
                        for name, cell in fields["utilization"].items()})
        except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
            raise CheckFailed(f"place and route left no report that can be read: "
                              f"{error}") from error

    def count(self, weights: Mapping[str, int]) -> int:
        """Cells taken, each kind as often as its weight says."""
        return sum(weight * self.cells.get(name, (0, 0))[0] for name, weight in weights.items())

    def fmax_mhz(self, hz: Fraction) -> float:
        """Frequency that the slowest clock which has to run at :py:`hz` reaches."""
        want = float(hz) / 1e6
        # nextpnr rounds periods to picoseconds.
        reached = [fmax for fmax, asked in self.clocks.values() if abs(asked / want - 1) < 0.01]
        if not reached:
            asked = ", ".join(f"{name} at {mhz:g} MHz" for name, (_, mhz) in self.clocks.items())
            raise CheckFailed(f"no clock was timed at {want:g} MHz, only {asked or 'none at all'}")
        return min(reached)

    def met(self, hz: Fraction) -> bool:
        """Whether every clock, and that of :py:`hz` exactly, is as fast as was asked."""
        return self.fmax_mhz(hz) >= float(hz) / 1e6 and \
            all(fmax >= asked for fmax, asked in self.clocks.values())


def excess(log: str) -> dict[str, tuple[int, int]]:
    """Kinds of cells of which nextpnr's log says that there are too few: those needed and there."""
    found = {}
    for name, need, have in re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", log, re.M):
        # Kinds of which none are there at all are variants, placed where another kind goes.
        if int(need) > int(have) > 0:
            found[name] = int(need), int(have)
    return found


ROUND  = re.compile(r"iter=(\d+) wires=\d+ overused=(\d+)")
ROUNDS = 1_000   # of routing

STEP  = re.compile(r"^Info: +(\d+) \| +\d+ +\d+ \| +\d+ +\d+ \| +(\d+)\|", re.M)
STEPS = 20_000    # of routing: enough to tell how it gets on
MOST  = 200_000   # that may be left
MANY  = 20_000    # routes still to be found: with fewer the end is near


def contended(said: str) -> str:
    """Why nextpnr will find no routes, if so, from the end of what it said so far.

    Its second router gives way to nothing but its own costs: now and then two nets go on for ever
    taking a wire from one another. A full chip took 70 rounds. Its first one takes up again what
    another route was in the way of: on a design of 25,000 look-up tables nearly half of its steps
    were of that kind, and it would have taken hours.
    """
    rounds = ROUND.findall(said)
    if rounds and int(rounds[-1][0]) >= ROUNDS:
        return f"after {ROUNDS:,} rounds, {rounds[-1][1]} wires are still wanted by two nets"
    steps = [(int(step), int(left)) for step, left in STEP.findall(said)]
    if not steps or steps[-1][0] < STEPS:
        return ""
    (first, before), (last, left) = steps[0], steps[-1]
    if left * (last - first) <= MOST * (before - left) or left < MANY:
        return ""
    return f"after {last:,} steps, {left:,} routes are still to be found, and hardly fewer"
