"""How a network that learns is best laid out on an FPGA."""

from typing import NamedTuple

from model.checks import check_range

from . import learning_area
from .fit import EFFORT
from .learning_folding import LearningFolding


__all__ = ["fit"]


ROOM   = 0.93   # of the look-up tables that there are, which an estimate may reach
PIXELS = (1, 2, 4, 8)
SHARE  = 0.14   # of an image's pixels that are drawn as 1, where nothing better is known


def fit(spec, resources, *, target=None, effort=EFFORT, active=None):
    """The fastest layout that fits :py:`resources`, or the smallest within :py:`target` cycles.

    That is a layout's cycles for an image that drives as many rows as on average, where all neurons
    learn, and not less than it takes to come. If none is within, it is the fastest.

    Counters of the first crossbar go into SPRAM where there is any, and else into block RAM. Where
    even the smallest layout does not fit, that one is returned, and its estimate says what is
    missing.

    Parameters
    ----------
    spec : :class:`model.sign_update.SignUpdate`
    resources : :class:`gateware.mapping.Resources`
    target : :class:`int`, or None
        Cycles that such an image may take.
    effort : :class:`int`
        Look-up tables to stop at even where there are more, because place and route then takes
        minutes to hours; not where there is a target.
    active : :class:`int`, or None
        Rows that an image drives, on average; an eighth or so of all if None.
    """
    if active is None:
        active = round(SHARE * spec.inputs) + spec.bias
    check_range("Active rows", active, 1)
    found = []
    for folding in layouts(spec, resources):
        need = learning_area.estimate(folding, resources)
        fits = not need.excess(resources) and need.luts <= ROOM * resources.luts
        cycles = max(folding.loads, folding.updated(active))
        found.append(Layout(folding, fits, cycles, need.luts))
    if not found:
        raise ValueError("Hidden must be as many neurons as SPRAM has room for, "
                         f"not {spec.hidden!r}")
    smallest = min(found, key=lambda each: each.luts)
    able = [each for each in found if each.fits]
    if target is not None:
        quick = [each for each in able if each.cycles <= target]
        if quick:
            return min(quick, key=lambda each: each.luts).folding
    else:
        able = [each for each in able if each.luts <= effort]
    return min(able, key=lambda each: (each.cycles, each.luts), default=smallest).folding


class Layout(NamedTuple):
    """One that there is to choose from."""

    folding: LearningFolding
    fits: bool
    cycles: int
    luts: int


def layouts(spec, resources):
    """All that there are to choose from."""
    storage = "spram" if resources.spram_blocks else "block"
    for pe in divisors(spec.hidden):
        for rows in divisors(pe):
            for pixels in PIXELS:
                try:
                    yield LearningFolding(spec, pe=pe, rows=rows, pixels=pixels, storage=storage)
                except ValueError:   # it is too wide for SPRAM, or too deep
                    break


def divisors(count):
    return [n for n in range(1, count + 1) if count % n == 0]
