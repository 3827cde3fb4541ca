"""What an accelerator takes of an FPGA before it is synthesized: look-up tables and memories.

Every component's tables are counted as its gateware has them, bit by bit; what no bit explains,
such as the end of a counter, is a constant. Those were measured (docs/measurements.md says on what,
and ``python -m bench.area`` measures again). On iCE40 a logic cell holds a look-up table, its carry
and its flip-flop, and so a flip-flop that no table of its own stands before takes a cell as well;
on other families flip-flops are free.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import gcd

from amaranth.utils import bits_for, ceil_log2

from model.sense import Sense
from model.stochastic import BITS, FRESH, bits_of

from . import serial_area, spram
from .adder_tree import adder_tree
from .blocks import (
    LUTS_TO_CHOOSE,
    blocks,
    buffer,
    counter,
    lone,
    regroup,
    running_luts,
    store,
    sum_luts,
    weights,
)
from .frames import PAGE, PAGES
from .memories import latency
from .popcount import CHAINS, LONGEST
from .serial_folding import SerialFolding
from .system import room


__all__ = ["Estimate", "estimate", "blocks", "layer", "popcount_luts", "spram_blocks",
           "LUTS_PER_XNOR"]


@dataclass(frozen=True)
class Estimate:
    """Look-up tables, block RAMs and SPRAMs, nearly."""

    luts: int
    memory_blocks: int
    spram_blocks: int = 0

    def excess(self, resources):
        """By how much each resource falls short; nothing where the design fits."""
        short = {"luts": self.luts - resources.luts,
                 "memory": self.memory_blocks - resources.memory_blocks,
                 "spram": self.spram_blocks - resources.spram_blocks}
        return {name: by for name, by in short.items() if by > 0}


LUTS_PER_XNOR = 2.7        # of a plain tree, its XNOR included
LUTS_OF_PIPELINE = 26      # of counters and flags beside their bits
LUTS_OF_BUFFER = 12        # beside its counters
LUTS_OF_BATCHES = 41       # of keeping them apart at both ends
LUTS_OF_SAMPLES = 20       # of the register of how many, and of those that look at it
LUTS_OF_STEP = {"ice40": 1, "ecp5": 1.4}   # of a converter, for each bit of a count
LUTS_OF_PRODUCT = 2.5      # for each bit of one factor and each of the other
LUTS_OF_LINK = {"ice40": 1_680, "ecp5": 1_590}   # with the bus, and the serial port


@lru_cache(maxsize=4_096)
def popcount_luts(width, family, levels=0):
    """Look-up tables of a :class:`gateware.popcount.Popcount`, the register behind it included."""
    if family not in ("ice40", "ecp5"):
        return LUTS_PER_XNOR * width
    tree = adder_tree(width)
    if not tree:
        return 1
    tables = family == "ice40"
    longest = CHAINS[family] if levels else LONGEST
    luts = 0
    # Bits of what no adder has taken yet, and which of those were never in a register.
    waiting = dict.fromkeys(range(width), 1)
    fresh = set(range(width))
    for level, adders in enumerate(tree, 1):
        sums, chains, room = {}, [], 0
        for adder in adders:
            bits = waiting.pop(adder.a) + 1
            places = [adder.b] if adder.carry is None else [adder.b, adder.carry]
            for place in places:
                del waiting[place]
            sums[adder] = bits
            if tables and level == 1:
                # Two tables take one difference in; the others of three are made before.
                luts += 2 if adder.carry is None else 4
                continue
            if bits > room:
                chains.append(0)
                room = longest - 1
                # nextpnr puts the table of a difference into the cell that hands it in.
                luts -= tables and adder.carry in fresh
            room -= bits
            if not tables or chains[-1] or adder.carry is not None:
                chains[-1] += 1
            chains[-1] += bits - 1
            if tables:
                luts += sum(place in fresh for place in places)
        ends = level == len(tree) or (bool(levels) and level % levels == 0)
        for length in chains:
            # A carry that leaves takes a cell of iCE40, and on ECP5 all of them are in pairs.
            luts += length + 1 if tables else length + 2 - length % 2
        if ends and level < len(tree):
            luts += lone(sum(waiting.values()), family)
            fresh.clear()
        waiting |= sums
    return luts


@lru_cache(maxsize=65_536)
def neuron(simd, family, levels, gains, most, bits, dull):
    """Look-up tables of a neuron's count and sum, for one vector.

    Parameters
    ----------
    most : :class:`int`
        The greatest count of a plane.
    bits, dull : :class:`int`
        Bits of a sum that may change, and those below them that never do, nor those of a count.
    """
    luts = popcount_luts(simd, family, levels)
    if gains[0] > 1:
        luts += running_luts(bits_for(most * sum(gains)) - dull, dull, family)
    return luts + running_luts(bits, dull, family)


@lru_cache(maxsize=4_096)
def dull_bits(rows, edge, sense):
    """Bits that are 0 in whatever a tile's counts are taken for, the lowest of them all."""
    common = 0
    for inputs in (rows, edge):
        converter = Sense(inputs, sense)
        if converter.exact:
            return 0
        common = gcd(common, *(value for _, value in converter.steps))
    return (common & -common).bit_length() - 1


@lru_cache(maxsize=4_096)
def sense_luts(planes, words, rows, edge, sense, family):
    """Look-up tables of a :class:`gateware.sense.Sense`."""
    bits = bits_for(rows)
    luts = 0
    if words > 1:
        luts += bits + sum_luts(bits, family) + lone(bits * planes, family)
    for inputs in {rows, edge}:
        converter = Sense(inputs, sense)
        if not converter.exact:
            luts += LUTS_OF_STEP.get(family, 1) * bits * converter.top
    return luts


def layer(folding, resources):
    """Block RAMs and look-up tables of one layer with its buffer, weights and thresholds."""
    if isinstance(folding, SerialFolding):
        memory, luts = serial_area.layer(folding, resources)
        return memory, int(luts)
    memory, luts = sums(folding, resources, None)
    more, compared = compare(folding, resources)
    return memory + more, int(luts + compared)


@lru_cache(maxsize=65_536)
def sums(folding, resources, unit):
    """Block RAMs and look-up tables of a layer up to its sums, the buffer before it included.

    Parameters
    ----------
    unit : :class:`int`, or None
        Bits that come into the buffer at once where vectors go in batches; None for a whole word.
    """
    family, vectors = resources.family, folding.pe * folding.batch
    most, dull, sensed = folding.simd, 0, 0
    if folding.sensing:
        tile = folding.tile_inputs, folding.edge_inputs, folding.sense
        most, dull = folding.tile_inputs, dull_bits(*tile)
        sensed = sense_luts(folding.planes, folding.tile_folds, *tile, family) + 1
    bits, lanes = bits_for(folding.top) - dull, folding.lanes
    each = sensed + neuron(folding.simd, family, folding.levels, folding.gains, most, bits, dull)
    # Sums that leave move up, but for the last ones, which come from the adders alone.
    luts = vectors * each + (vectors - lanes) * bits + lanes * lone(bits, family)
    # Inputs wait for the memory, as their opposites.
    lines = folding.simd * folding.batch
    luts += lines * (latency(folding.storage) if family == "ice40" else 1)
    if folding.serial:
        luts += lines * folding.planes
    luts += LUTS_OF_PIPELINE + sum(map(bits_for, (
        folding.rows - 1, folding.folds - 1, folding.planes - 1, folding.drain)))
    if folding.weight_bits > 1:
        luts += planes_of_weights(folding, bits, family)
    if folding.numbers is not None:
        luts += drawing(folding, family)
    memory = 0
    kept = weights(folding.weights, folding.storage, folding.inputs * folding.outputs, resources)
    for count, more in (kept, before(folding, resources, unit)):
        memory, luts = memory + count, luts + more
    return memory, luts


def before(folding, resources, unit):
    """Block RAMs and look-up tables of the buffer before a layer."""
    width = folding.simd * folding.batch * folding.pixel_bits
    depth = (1 << ceil_log2(folding.folds)) + folding.folds
    luts = 2 * counter(folding.folds) + counter(folding.times) + LUTS_OF_BUFFER
    if folding.numbers is not None:
        luts += counter(sum(folding.passes))
    units = 1
    if folding.batch > 1:
        units = width // (unit or width // folding.batch)
        luts += counter(folding.batch) + counter(units // folding.batch) + units + LUTS_OF_BUFFER
    memory, more = buffer(width, depth, resources, units)
    return memory, luts + more


def drawing(folding, family):
    """Look-up tables of a :class:`gateware.stochastic.Stochastic` before a layer.

    A bit of a number is an exclusive or of some bits of a state, and so is a bit of the next state.
    """
    numbers, words = folding.numbers, folding.folds
    lfsr, compared = numbers.lfsr, sum_luts(BITS, family) + 1
    luts = folding.simd * folding.batch * compared + counter(folding.samples) + counter(words)
    if sum(folding.passes) > 1:
        luts += counter(folding.times)
    if folding.samples > 1:
        luts += LUTS_OF_SAMPLES + folding.samples.bit_length()
    if numbers.generator == "vdc":
        return luts
    if numbers.generator == "vdc-xor":
        # Each sum of an index takes a table a bit, and so does each exclusive or of four.
        bits, apart = bits_of(folding.inputs), folding.simd // (folding.simd & -folding.simd)
        return luts + bits + BITS * 2 + (apart - 1) * (bits + BITS * -(-(bits // 2 + 1) // 3))
    if numbers.generator == "lfsr":
        leaps = range(folding.simd)
        moves = [folding.simd, folding.simd, folding.inputs]
    else:
        bank = numbers.generator == "lfsr-bank"
        leaps = range(0, numbers.spread * numbers.bank, numbers.spread) if bank else [0]
        moves = [FRESH]
        turns = min(numbers.period // gcd(numbers.period, folding.simd), words)
        luts += counter(turns) + LUTS_TO_CHOOSE * BITS * folding.simd * (turns - 1)
    luts += sum(xors(lfsr, move, lfsr.width) + lfsr.width for move in moves)
    return luts + sum(xors(lfsr, leap, BITS) for leap in leaps)


@lru_cache(maxsize=4_096)
def xors(lfsr, steps, bits):
    """Look-up tables of the lowest bits of a state so many steps ahead."""
    matrix = lfsr.matrix(steps)
    inputs = [sum(image >> place & 1 for image in matrix) for place in range(bits)]
    return sum(-(-(count - 1) // 3) for count in inputs)


def planes_of_weights(folding, bits, family):
    """Look-up tables of weights of several bits, beside those of a neuron: what doubles its sum, a
    bit line of clear cells, and what adds that as sums leave.
    """
    luts = folding.pe * bits + folding.lanes * sum_luts(bits, family)
    clear = bits_for(folding.inputs * sum(folding.gains))
    return luts + counter(folding.weight_bits) + 2 * clear \
        + neuron(folding.simd, family, folding.levels, folding.gains, folding.simd, clear, 0)


def compare(folding, resources):
    """Block RAMs and look-up tables of a layer's thresholds, and what compares sums with them."""
    bits, steps = folding.threshold_bits, folding.steps
    memory, luts = store(folding.thresholds.width, folding.thresholds.depth, resources)
    if folding.sampled:
        luts += folding.lanes * weighed(bits, folding.samples)
    if folding.output_bits > 1:
        # Of what is reached a number is made, cycle by cycle.
        luts += folding.lanes * (steps - 1 + 2 * folding.output_bits) + counter(folding.turns)
    return memory, luts + folding.lanes * steps * (sum_luts(bits, resources.family) + 1) \
        + counter(folding.thresholds.depth) + counter(folding.batch)


def weighed(bits, samples):
    """Look-up tables of a sum that is shifted by one of as many places as there are samples."""
    choices = samples.bit_length()
    return bits * -(-(2 * choices - 1) // 3)


def scores(folding, resources, gain_bits, score_bits):
    """Block RAMs and look-up tables behind the last layer's sums."""
    family, bits, passes = resources.family, bits_for(folding.total), sum(folding.passes)
    memory, luts = store(gain_bits + score_bits, folding.outputs, resources)
    if folding.samples > 1:
        luts += weighed(bits, folding.samples)
    if passes > 1:
        words = folding.words * folding.batch
        more, chosen = buffer(bits, words, resources)
        memory += more
        luts += chosen + sum_luts(bits, family) + bits + 2 * counter(words) + counter(passes)
    # One is added up and one compared, and the best one and the sum stay.
    luts += 2 * sum_luts(score_bits, family) + lone(score_bits + bits, family)
    luts += 4 * bits_for(folding.outputs - 1) + 12
    if gain_bits and family != "ecp5":   # which has multipliers
        luts += LUTS_OF_PRODUCT * gain_bits * bits
    if folding.batch > 1:
        depth = 2 << ceil_log2(folding.words) + ceil_log2(folding.batch)
        more, chosen = buffer(bits, depth, resources)
        memory += more
        luts += chosen + 2 * (counter(folding.words) + counter(folding.batch)) + LUTS_OF_BATCHES
    return memory, luts


def link(first, classes, result_bits, resources):
    """Block RAMs and look-up tables of the host link before a first layer.

    Its memories are for frames, for images, of which as many bits of a pixel are reckoned as the
    layer has planes, but all where bits are drawn, and for results, each a score and a class.
    """
    if isinstance(first, SerialFolding):
        sent = first.input_bits
    else:
        sent = first.planes if first.numbers is None else BITS
    width, words = first.pixels * sent, first.entering
    images = room(words, classes, first.batch)
    found = [buffer(bits, depth, resources) for bits, depth in (
        (8, PAGES * PAGE), (result_bits, images * classes), (width, images * words))]
    memory, luts = map(sum, zip(*found, strict=True))
    return memory, luts + LUTS_OF_LINK.get(resources.family, LUTS_OF_LINK["ecp5"]) \
        + regroup(8, -(-first.inputs * sent // 8), width)


def spram_blocks(folding):
    """SPRAMs of one layer."""
    if folding.storage != "spram":
        return 0
    if isinstance(folding, SerialFolding):   # of which each PE has its own
        return folding.pe * spram.blocks(folding.simd)
    return spram.blocks(folding.pe * folding.simd)


def estimate(mapping, resources, *, gain_bits=0, score_bits=16):
    """:class:`Estimate` of an accelerator with its host link.

    Parameters
    ----------
    mapping : :class:`gateware.mapping.Mapping`
    resources : :class:`gateware.mapping.Resources`
    gain_bits, score_bits : :class:`int`
        Widths, as :class:`model.network.Shape` has them.
    """
    layers = mapping.layers
    result_bits = score_bits + bits_for(layers[-1].outputs - 1)
    costs = [link(layers[0], layers[-1].outputs, result_bits, resources)]
    if isinstance(layers[-1], SerialFolding):
        costs.append((0, serial_area.best(layers[-1], score_bits, resources)))
    else:
        costs.append(scores(layers[-1], resources, gain_bits, score_bits))
    for folding, before in zip(layers, (None, *layers), strict=False):
        unit = before and before.lanes
        costs.append(serial_area.layer(folding, resources) if isinstance(folding, SerialFolding)
                     else sums(folding, resources, unit))
    for folding, following in pairwise(layers):
        bits = folding.output_bits
        if not isinstance(folding, SerialFolding):
            costs.append(compare(folding, resources))
        if mapping.batch == 1:
            costs.append((0, regroup(folding.lanes * bits, folding.words,
                                     following.pixels * bits)))
    return Estimate(int(sum(luts for _, luts in costs)), sum(memory for memory, _ in costs),
                    sum(map(spram_blocks, layers)))
