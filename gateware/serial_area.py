"""What a layer of weights of several bits takes of an FPGA before it is synthesized.

As in :mod:`gateware.area`, tables are counted as the gateware has them, and constants were measured
(``python -m bench.area`` measures again).
"""

from functools import lru_cache

from amaranth.utils import bits_for, ceil_log2

from .blocks import buffer, cells, lone, store, weights
from .bus import WORD
from .compend import COUNTS
from .memories import attributes
from .total import stages


__all__ = ["best", "lane", "layer", "ring", "total"]


LUTS_PER_BIT   = {"ice40": 0.94, "ecp5": 0.9}   # of an activation that meets a weight
LUTS_OF_LANE   = {"ice40": -1, "ecp5": 9}       # of its control, beside counters
LUTS_OF_RING   = {"ice40": 88, "ecp5": 38}
LUTS_OF_UNIT   = {"ice40": 120, "ecp5": 60}     # of what keeps lanes together, and of counters
LUTS_OTHERWISE = 60     # of each of these three, on other families

LUTS_OF_STAGE     = 24   # of what goes along with a word, for each register between adders
LUTS_OF_DETECTION = 19   # of a neuron that falls below zero
LUTS_BEYOND       = 1 / 3   # for each bit of a sum that no limit has
LUTS_TO_KEEP      = 0.27 # for each bit that comes, to tell whether all are zeros
LUTS_OF_RESULTS   = 6    # of a PE's memory of results
LUTS_OF_CHOICE    = 0.7  # for each bit of a sum of one PE more
LUTS_OF_SHIFT     = 0.5  # for each bit of a sum and each of a shift
LUTS_OF_REGION    = 20   # of what is on the bus, in the way from there to a host


def small(width, depth, resources):
    """Block RAMs and look-up tables of a memory with :func:`gateware.memories.attributes`."""
    block = attributes(width, depth, resources.family)
    return (cells if block else buffer)(width, depth, resources)


@lru_cache(maxsize=4_096)
def total(count, bits, family):
    """Look-up tables of a :class:`gateware.total.Total`: a cell for each bit of a sum.

    Those of ECP5 are in pairs, and one cell more begins a chain.
    """
    luts = 0
    while count > 1:
        cells = bits + 1
        if family == "ecp5":
            cells += 1 + (cells + 1) % 2
        luts += count // 2 * cells
        count, bits = -(-count // 2), bits + 1
    return luts


def lane(folding, pe, resources):
    """Block RAMs and look-up tables of a :class:`gateware.lane.Lane`."""
    family, region = resources.family, folding.weights(pe)
    memory, luts = weights(region, folding.storage, region.width * region.depth, resources)
    kept, more = store(folding.acc_bits, folding.neurons(pe), resources)
    luts += more + total(folding.simd, folding.input_bits, family)
    luts += LUTS_PER_BIT.get(family, 1) * folding.simd * folding.input_bits
    # The sum, what it starts with, and what is left of that; and what counts.
    luts += 2 * folding.acc_bits + folding.weight_bits
    # An address is added up of others, but for bits that are those of a word's place.
    rows, places = bits_for(region.depth - 1), (folding.folds & -folding.folds).bit_length() - 1
    luts += 2 * rows + 3 * (rows - min(rows, places)) + 2 * bits_for(folding.folds) \
        + 2 * bits_for(folding.neurons(pe)) + bits_for(folding.weight_bits)
    luts += LUTS_OF_STAGE * stages(folding.simd, folding.levels)
    bits = folding.limit.bit_length()
    beyond = (folding.acc_bits - folding.grain - bits) * LUTS_BEYOND
    if folding.detection != "none":
        luts += LUTS_OF_DETECTION + (folding.activation == "sign") * (bits + beyond)
    if folding.detection == "speculative":
        luts += bits + beyond
    return memory + kept, luts + LUTS_OF_LANE.get(family, LUTS_OTHERWISE)


def ring(folding, resources):
    """Block RAMs and look-up tables of a :class:`gateware.ring.Ring`."""
    family = resources.family
    depth, entering = 2 << ceil_log2(folding.folds), folding.pixels * folding.input_bits
    memory, luts = buffer(folding.simd * folding.input_bits, depth, resources)
    if folding.folds > 1:
        more, others = small(bits_for(folding.folds - 1), depth, resources)
        memory, luts = memory + more, luts + others
    luts += lone(entering, family) + total(folding.pixels, folding.input_bits, family)
    luts += lone((folding.simd - folding.pixels) * folding.input_bits, family)
    # Words that are all zeros; what is added up, and kept for either bank.
    luts += entering * LUTS_TO_KEEP + bits_for(folding.top)
    luts += 3 * folding.limit.bit_length()
    return memory, luts + 6 * bits_for(folding.folds) + LUTS_OF_RING.get(family, LUTS_OTHERWISE)


@lru_cache(maxsize=65_536)
def layer(folding, resources):
    """Block RAMs and look-up tables of a :class:`gateware.compend.Compend` and its registers."""
    found = [ring(folding, resources)]
    found += [lane(folding, pe, resources) for pe in range(folding.pe)]
    kept = {"relu": folding.acc_bits + 1, "sign": 1,
            "linear": folding.acc_bits}[folding.activation]
    rows = 2 << bits_for(folding.groups - 1)
    found += [small(kept, rows, resources)] * folding.pe
    # Counters, two of which are of one image as well.
    luts = WORD * (len(COUNTS.members) + 2) + 3 * bits_for(folding.words)
    luts += LUTS_OF_UNIT.get(resources.family, LUTS_OTHERWISE)
    luts += folding.pe * LUTS_OF_RESULTS + LUTS_OF_REGION * len(folding.regions)
    if folding.activation != "sign":
        # Of the PEs that take turns one is chosen; and where there are shifts, a shifter a lane.
        luts += folding.acc_bits * (folding.pe - folding.lanes) * LUTS_OF_CHOICE
    if folding.activation == "relu":
        found.append(store(folding.shifts.width, folding.words, resources))
        luts += folding.lanes * folding.acc_bits * (1 + LUTS_OF_SHIFT * folding.shift_bits)
    return sum(memory for memory, _ in found), luts + sum(each for _, each in found)


def best(folding, score_bits, resources):
    """Look-up tables of a :class:`gateware.best.Best`."""
    return 3 * score_bits + 4 * bits_for(folding.words) + 4
