"""What memories, counters and adders take of an FPGA: block RAMs, and look-up tables."""

from functools import lru_cache
from math import gcd

from amaranth.utils import bits_for

from . import wide
from .bus import WORD, Region


__all__ = ["access", "blocks", "buffer", "cells", "counter", "cut", "lone", "regroup",
           "running_luts", "store", "sum_luts", "tables", "weights"]


LUTS_TO_READ_BACK = 0.73   # for each bit of a row that is chosen from several words of the bus
LUTS_ON_BUS = 0.6          # for each bit of one that is a word itself
LUTS_TO_WRITE = 1          # for each word of a row
LUTS_TO_CHOOSE = 0.75      # for each bit that is chosen from one block RAM more
LUTS_OF_TABLES = 6         # for four bits of sixteen words, and what writes them
LUTS_OF_CONSTANT = 0.25    # for each weight that never changes

WEIGHT = {"ice40": 64, "ecp5": 128}   # of a block RAM to Yosys, where a flip-flop is 1
DEEP   = 16   # words of a memory of look-up tables


@lru_cache(maxsize=65_536)
def cells(width, depth, resources):
    """Block RAMs of a memory, and look-up tables that choose between them.

    Yosys chooses the shape by what it weighs: a block, and half a bit that is chosen from two.
    """
    weight = WEIGHT.get(resources.family, 128)
    rows = resources.memory_block_bits // resources.memory_block_width
    found = []
    for shrink in range(resources.memory_block_width.bit_length() - (resources.family == "ice40")):
        wide = -(-width // (resources.memory_block_width >> shrink))
        deep = -(-depth // (rows << shrink))
        found.append((weight * wide * deep + width * (deep - 1) / 2, wide * deep, deep))
    _, count, deep = min(found)
    return count, LUTS_TO_CHOOSE * width * (deep - 1)


def blocks(width, depth, resources):
    """Block RAMs of a memory that is cut into the bus's words."""
    return cut(cells, width, depth, resources)[0]


def cut(kind, width, depth, resources):
    """Block RAMs and look-up tables of a memory that is cut into the bus's words."""
    whole, rest = divmod(width, WORD)
    memory, luts = kind(WORD, depth, resources)
    more, others = kind(rest, depth, resources) if rest else (0, 0)
    return whole * memory + more, whole * luts + others


def tables(width, depth, family):
    """What Yosys weighs a memory that is in no block RAM, and its look-up tables.

    That is flip-flops on iCE40. On others a table holds sixteen bits.
    """
    if family == "ice40":
        bits = width * depth
        return bits, bits + LUTS_TO_CHOOSE * width * (depth - 1) + depth
    parts = -(-depth // DEEP)
    count = parts * -(-width // 4)
    choices = (width + 1) * (parts - 1)
    return 4 * count + choices / 2, LUTS_OF_TABLES * count + choices


def buffer(width, depth, resources, units=1):
    """Block RAMs and look-up tables of a memory that the synthesizer puts where it costs less.

    Each of so many :py:`units` of a row is written by itself.
    """
    count, luts = cells(width, depth, resources)
    unit = width // units
    if units > 1 and resources.family != "ice40":
        # Which has an enable for each bit, while others have one for nine, and four in a block.
        count = max(count, -(-units * -(-unit // 9) // 4))
    weight, instead = tables(unit, depth, resources.family)
    if units * weight <= WEIGHT.get(resources.family, 0) * count:
        return 0, units * instead
    return count, luts


def store(width, depth, resources):
    """Block RAMs and look-up tables of a :class:`gateware.memories.Store`, weights excepted."""
    memory, luts = cut(buffer, width, depth, resources)
    return memory, luts + access(Region(width, depth))


def weights(region, storage, count, resources):
    """Block RAMs and look-up tables of a store of so many bits of weights, in a kind of memory."""
    memory, luts = 0, access(region)
    if storage == "block":
        memory, more = cut(cells, region.width, region.depth, resources)
        luts += more
    elif storage == "wide" and resources.family == "ecp5":
        memory = wide.blocks(region.width, region.depth)
    elif storage == "wide":
        memory = sum(cells(piece.width, region.depth, resources)[0]
                     for piece in wide.pieces(region.width))
        luts += lone(region.width, resources.family)   # a register that is in the block elsewhere
    elif storage == "logic":
        luts += LUTS_OF_CONSTANT * count
    elif storage == "distributed":
        luts += tables(region.width, region.depth, resources.family)[1]
    elif storage == "auto":
        memory, more = cut(buffer, region.width, region.depth, resources)
        luts += more
    return memory, luts


def access(region):
    """Look-up tables by which a host reaches a store."""
    each = LUTS_TO_READ_BACK if region.chunks > 1 else LUTS_ON_BUS
    return each * region.width + LUTS_TO_WRITE * region.chunks + region.addr_width + 3


def lone(bits, family):
    """Tables for flip-flops that have none before them."""
    return bits if family == "ice40" else 0


def sum_luts(bits, family):
    """Tables of an adder: on ECP5 in pairs, and one pair more brings the first carry in."""
    return bits + bits % 2 + 2 if family == "ecp5" else bits


def running_luts(bits, dull, family):
    """Tables of a register that adds up, of so many bits above :py:`dull` ones; ECP5's in pairs."""
    return 2 * ((bits + dull) // 2 + 1) if family == "ecp5" else bits


def counter(values):
    """Look-up tables of a counter that starts again after so many values."""
    return 2 * bits_for(values - 1) + 1 if values > 1 else 0


def regroup(i_width, i_words, o_width):
    """Look-up tables of a :class:`gateware.regroup.Regroup`."""
    unit = gcd(i_width, o_width)
    i_per, o_per = i_width // unit, o_width // unit
    luts = counter(i_words * i_per) + 5
    if i_per > 1:
        luts += i_width + counter(i_per)
    if o_per > 1:
        luts += o_width + (1 if unit == 1 else 2) * o_per + counter(o_per)
    return luts
