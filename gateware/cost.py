"""What an accelerator costs: cycles exactly, look-up tables and block RAM nearly.

Cycles come from following each word of each image from component to component. What a word meets
depends on the words before it alone, so there is nothing to simulate: a component, handed a word
that is offered in one cycle, knows the cycle in which it is taken, and hands on what follows from
it at once. Each class below has a component's name and says of it only when.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

from model.sense import Sense

from . import spram, wide
from .bus import WORD
from .frames import PAGE, PAGES
from .system import ROWS


__all__ = ["Timing", "timing", "settled", "cycles", "pace", "Estimate", "estimate"]


class Regroup:
    """When words pass a :class:`gateware.regroup.Regroup`."""

    def __init__(self, i_width, o_width, i_words, o_words, sink):
        unit = gcd(i_width, o_width)
        self.i_per, self.o_per = i_width // unit, o_width // unit
        self.i_units, self.o_units = i_words * self.i_per, o_words * self.o_per
        self.sink = sink
        self.count = self.slot = 0
        self.taken = -1   # when the unit before was taken
        self.freed = -1   # when the word before was taken from the output

    def push(self, offered):
        if self.i_per == 1:
            return self.push_unit(offered)
        taken = max(offered, self.taken)
        unit = taken
        for _ in range(self.i_per):
            unit = self.push_unit(unit + 1)
        return taken

    def push_unit(self, offered):
        wanted = self.count < self.o_units
        self.count = (self.count + 1) % self.i_units
        taken = offered
        if self.o_per > 1:
            taken = max(offered, self.freed)
        elif wanted:
            taken = self.sink.push(offered)
        if self.o_per > 1 and wanted:
            self.slot = (self.slot + 1) % self.o_per
            if self.count == 0 or self.slot == 0:
                self.slot = 0
                self.freed = self.sink.push(taken + 1)
        self.taken = taken
        return taken


class Layer:
    """When words pass a layer and the buffer before it.

    That is a :class:`gateware.replay.Replay`, or for batches a :class:`gateware.gather.Gather`. So
    many :py:`units` fill a bank of the buffer; by default words of one vector after another.

    The pipeline stops as a whole, so it has a time of its own, of cycles in which it moves.
    :py:`lost[n]` are the cycles in which it stood still in its first :py:`n` stops, and
    :py:`stops` holds the own time of each, in order.
    """

    def __init__(self, folding, sink, units=None):
        self.folding, self.sink = folding, sink
        self.units = folding.folds * folding.batch if units is None else units
        self.latency = folding.latency
        self.taken = 0       # units of the bank that is filled
        self.free = [0, 0]   # cycle in which each bank can be written again
        self.bank = 0
        self.next = 0        # own time from which the next vector's first word can be taken
        self.left = -1       # cycle in which the vector before left the buffer
        self.stops, self.lost = [], [0]

    def real(self, own):
        return own + self.lost[bisect_right(self.stops, own)]

    def own(self, real):
        return bisect_left(range(real), real, key=self.real)

    def push(self, offered, closes=False):
        taken = max(offered, self.free[self.bank])
        self.taken += 1
        if closes or self.taken == self.units:
            self.taken = 0
            self.work(max(taken + 1, self.left) + 1)
        return taken

    def work(self, valid):
        folding = self.folding
        start = max(self.next, self.own(valid))
        self.next = start + folding.interval
        for group in range(folding.groups):
            done = start + (group + 1) * folding.beats - 1 + self.latency
            for word in range(folding.drain):
                offered = self.real(done + word)
                taken = self.sink.push(offered)
                if taken > offered:
                    self.stops.append(done + word)
                    self.lost.append(self.lost[-1] + taken - offered)
        self.left = self.real(self.next - 1)
        # The last word of the vector is fetched while the one before it is taken.
        fetched = self.next - 1 - folding.planes
        self.free[self.bank] = (valid - 1 if fetched < start else self.real(fetched)) + 1
        self.bank ^= 1


class Transpose:
    """When words pass a :class:`gateware.transpose.Transpose`; its output never waits.

    So many :py:`images` come in all.
    """

    def __init__(self, words, batch, images, sink):
        self.words, self.batch, self.images, self.sink = words, batch, images, sink
        self.taken = 0       # words of the bank that is filled
        self.free = [0, 0]
        self.bank = 0
        self.left = -1       # cycle in which the batch before left

    def push(self, offered):
        taken = max(offered, self.free[self.bank])
        self.taken += 1
        if self.taken == self.words * self.batch:
            self.taken = 0
            vectors = min(self.batch, self.images)
            self.images -= vectors
            valid = max(taken + 1, self.left) + 1
            for word in range(vectors * self.words):
                self.left = valid + word
                self.sink.push(self.left)
            self.free[self.bank] = self.left
            self.bank ^= 1
        return taken


class Scores:
    """When sums become scores; its output never waits."""

    def __init__(self, folding):
        self.classes, self.words = folding.outputs, folding.words
        self.index = 0
        self.done = []   # cycle of each image's last score

    def push(self, offered):
        if self.index == self.classes - 1:
            self.done.append(offered + 1)
        self.index = (self.index + 1) % self.words
        return offered


@dataclass(frozen=True)
class Timing:
    """Cycles for a number of images, from the first word in to the last word out, never stalled.

    :py:`cycles_per_image` is what one more image adds in the long run, on average where they go in
    batches; :py:`latency` is what an image takes on its own.
    """

    images: int
    cycles: int
    cycles_per_image: int | float
    latency: int


def timing(mapping, images):
    """:class:`Timing` of an accelerator that classifies :py:`images` in one run."""
    batch = mapping.batch
    known = settled(mapping)
    full = _done(mapping, known)
    steady = full[-1] - full[-1 - batch]
    more = max(-(-images // batch) - known // batch, 0)
    images_known = images - more * batch
    done = _done(mapping, images_known) if images_known % batch else full
    each = steady / batch if steady % batch else steady // batch
    return Timing(images, done[images_known - 1] + more * steady + 1, each,
                  _done(mapping, 1)[0] + 1 if batch > 1 else full[0] + 1)


def settled(mapping):
    """Images after which each batch takes as long as the one before, whatever went on at first."""
    return 16 * len(mapping.layers) * mapping.batch


def cycles(mapping, images, rounds=1):
    """Cycles of so many runs of some images each, that follow one another."""
    last = mapping.layers[-1]
    if images % mapping.batch == 0:
        return timing(mapping, images * rounds).cycles
    run = timing(mapping, images).cycles
    # After a batch that was not full, all that it had, classes to fill it up included, must leave.
    return run + (rounds - 1) * (run - 2 + last.words - last.outputs)


@lru_cache(maxsize=256)
def _done(mapping, images):
    """Cycle of each image's last score, if so many are classified in one run."""
    layers, batch = mapping.layers, mapping.batch
    sink = scores = Scores(layers[-1])
    if batch > 1:
        sink = Transpose(layers[-1].words, batch, images, sink)
    for n in reversed(range(len(layers))):
        folding = layers[n]
        if n and batch > 1:
            sink = Layer(folding, sink, layers[n - 1].words * batch)
            continue
        sink = Layer(folding, sink)
        if n:
            before = layers[n - 1]
            sink = Regroup(before.lanes, folding.simd, before.words, folding.folds, sink)
    offered = 0
    for image in range(images):
        for word in range(layers[0].folds):
            closes = image == images - 1 and word == layers[0].folds - 1
            offered = sink.push(offered, closes) + 1
    return tuple(scores.done)


def pace(before, after):
    """Cycles that a layer takes for a vector at most, given the layer after it.

    Words that are cut into several pieces for the layer after it wait for one another, and what
    is behind them in the pipeline waits too.
    """
    return before.interval + before.words * (before.lanes // gcd(before.lanes, after.simd) - 1)


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


# Measured on synthesized designs; see docs/measurements.md.
LUTS_PER_XNOR = 2.7
LUTS_TO_READ_BACK = 0.7   # for each bit of a row of weights
LUTS_OF_LINK = 1600
LUT_RAMS = 24             # of 16 × 4 bits in look-up tables, which are still cheaper than a block


def blocks(width, depth, resources, *, cut=WORD, small=False):
    """Block RAMs of a memory that is cut into the bus's words, or into others.

    Of what is :py:`small`, the synthesizer may make look-up tables where they can be written.
    """
    total = 0
    for low in range(0, width, cut):
        bits = min(cut, width - low)
        if small and resources.family == "ecp5" and -(-bits // 4) * -(-depth // 16) <= LUT_RAMS:
            continue
        rows = resources.memory_block_bits // resources.memory_block_width
        wide = -(-bits // resources.memory_block_width) * -(-depth // rows)
        # Deep and narrow memories use the other shapes of a block.
        deep = -(-bits * depth // resources.memory_block_bits)
        total += wide if depth <= rows else max(deep, -(-wide // 2))
    return total


def layer(folding, resources):
    """Block RAMs and look-up tables of one layer with its buffers."""
    sum_bits = folding.threshold_bits
    memory = blocks(folding.lanes * sum_bits, folding.words, resources, small=True)
    if folding.storage == "block":
        memory += blocks(folding.pe * folding.simd, folding.rows, resources)
    if folding.storage == "wide":
        memory += wide.blocks(folding.pe * folding.simd, folding.rows)
    luts = folding.pe * ((LUTS_PER_XNOR + LUTS_TO_READ_BACK) * folding.simd + 2 * sum_bits)
    if folding.storage == "logic":
        luts += folding.inputs * folding.outputs / 4
    if folding.serial:
        luts += folding.pe * 2 * (folding.planes + folding.simd.bit_length())
        luts += folding.simd * folding.planes / 2
    if folding.sensing:
        codes = Sense(folding.tile_inputs, folding.sense).top
        luts += folding.pe * folding.tile_inputs.bit_length() * (codes.bit_length() + 1)
    width = folding.simd * (folding.planes if folding.serial else 1)
    memory += blocks(width, 2 * folding.folds, resources, cut=width, small=True)
    return memory, int(luts + 150)


def link(first, resources):
    """Block RAMs and look-up tables of the host link before a first layer.

    Its memories are for frames, images and scores. As many bits of a pixel are reckoned as the
    layer has planes, and of a score with its class as a word has.
    """
    memory = blocks(8, PAGES * PAGE, resources) + blocks(WORD, ROWS, resources) \
        + blocks(first.simd * first.planes, ROWS, resources, cut=first.simd * first.planes)
    return memory, LUTS_OF_LINK


def spram_blocks(folding):
    """SPRAMs of one layer."""
    return spram.blocks(folding.pe * folding.simd) if folding.storage == "spram" else 0


def estimate(mapping, resources):
    """:class:`Estimate` of an accelerator with its host link."""
    costs = [link(mapping.layers[0], resources),
             *(layer(folding, resources) for folding in mapping.layers)]
    return Estimate(sum(luts for _, luts in costs), sum(memory for memory, _ in costs),
                    sum(map(spram_blocks, mapping.layers)))
