"""What a trainer takes of an FPGA before it is synthesized: look-up tables and memories.

As :mod:`gateware.area` has it of accelerators. Constants are measured; ``python -m
bench.learning_area`` measures again.
"""

from functools import lru_cache

from amaranth.utils import bits_for, ceil_log2

from . import bus, convergence, spram
from .area import LUTS_OF_LINK, Estimate, xors
from .blocks import LUTS_TO_CHOOSE, access, buffer, cells, counter, cut, lone, regroup, running_luts
from .frames import PAGE, PAGES
from .learning_plan import LearningPlan
from .system import room


__all__ = ["estimate"]


LUTS_TO_SATURATE = 7   # of a counter: whether it is at either end, and whether it moves
LUTS_TO_GIVE = 4       # of pulses to a counter: the right class, or its rival, and which way
LUTS_OF_CONTROL = {"ice40": 790, "ecp5": 830}   # convergence, the order of things, the bus


def conductance(count, bits, depth, storage, resources):
    """Block RAMs and look-up tables of a :class:`gateware.conductance.Conductance`."""
    region = bus.Region(count * bits, depth)
    memory, luts = (0, 0) if storage == "spram" else cut(cells, region.width, depth, resources)
    # A counter and its step are added, and what the host writes is chosen in their place.
    each = running_luts(bits, 0, resources.family) + bits + LUTS_TO_SATURATE
    return memory, luts + count * each + access(region)


def choice(width, count):
    """Look-up tables that choose one of so many words."""
    return LUTS_TO_CHOOSE * width * (count - 1)


@lru_cache(maxsize=256)
def drawing(lfsr, count):
    """Look-up tables that draw so many bytes in a cycle, and let a host at the state."""
    return sum(xors(lfsr, n, 8) for n in range(1, count)) + xors(lfsr, count, 32) + 40


def first(folding, resources):
    """Block RAMs and look-up tables of the first crossbar, and of its rows."""
    spec, family = folding.spec, resources.family
    memory, luts = conductance(folding.pe, spec.bits, folding.groups * folding.lines,
                               folding.storage, resources)
    high = folding.sum_bits - spec.filter.bit_length() + 1   # bits that say which is near zero
    luts += folding.pe * (running_luts(folding.sum_bits, 0, family) + 2 * -(-(high - 1) // 3))
    word = folding.pixels + bits_for(folding.loads - 1) + 1
    kept, more = buffer(word, 2 << ceil_log2(folding.loads), resources)
    luts += more + word + 12 * folding.pixels + 3 * counter(folding.loads)
    luts += drawing(spec.lfsrs["bits"], folding.pixels) + drawing(spec.lfsrs["rows"], 1)
    if folding.groups > 1:
        for width in (2 * folding.pe, 2 * folding.pe):
            beside, more = buffer(width, folding.groups, resources)
            memory, luts = memory + beside, luts + more
        luts += 4 * folding.groups
    return memory + kept, luts


def second(folding, resources):
    """Block RAMs and look-up tables of the second crossbar, its copy, and what judges scores."""
    spec, family = folding.spec, resources.family
    rows, classes, bits = folding.rows, spec.classes, spec.bits
    memory, luts = conductance(rows * classes, bits, folding.words, "block", resources)
    memory, luts = 2 * memory, 2 * luts + (2 if spec.noise else 1) * LUTS_TO_GIVE * rows * classes
    term = 2 if spec.forward == "sign" else bits + 1
    luts += classes * (rows * running_luts(term, 0, family)
                       + running_luts(folding.score_bits, 0, family))
    luts += rows * (2 * choice(bits, classes) + 2 * bits + 8)
    luts += choice(folding.score_bits, classes) + 6 * folding.score_bits
    luts += drawing(spec.lfsrs["pulses"], 2 * rows) * (2 if spec.noise else 1)
    luts += lone(2 * (folding.pe - rows), family)
    return memory, luts


def link(folding, resources):
    """Block RAMs and look-up tables of the host link."""
    plan = LearningPlan(folding)
    width, images = 8 * folding.pixels, room(plan.words, plan.classes, 1)
    result = plan.score_bits + bits_for(plan.classes - 1)
    found = [buffer(bits, depth, resources) for bits, depth in (
        (8, PAGES * PAGE), (result, images * plan.classes), (width, images * plan.words))]
    memory, luts = map(sum, zip(*found, strict=True))
    return memory, luts + LUTS_OF_LINK.get(resources.family, LUTS_OF_LINK["ecp5"]) \
        + regroup(8, plan.inputs, width)


def estimate(folding, resources):
    """:class:`gateware.area.Estimate` of a trainer with its host link.

    Parameters
    ----------
    folding : :class:`gateware.learning_folding.LearningFolding`
    resources : :class:`gateware.mapping.Resources`
    """
    parts = [part(folding, resources) for part in (first, second, link)]
    parts.append(buffer(bus.WORD, convergence.REGION.depth, resources))
    luts = sum(luts for _, luts in parts)
    luts += LUTS_OF_CONTROL.get(resources.family, LUTS_OF_CONTROL["ecp5"])
    sprams = 0 if folding.storage != "spram" else spram.blocks(folding.pe * folding.spec.bits)
    return Estimate(int(luts), sum(memory for memory, _ in parts), sprams)
