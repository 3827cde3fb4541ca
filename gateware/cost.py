"""What an accelerator costs: cycles exactly; look-up tables and memories by :mod:`gateware.area`.

Cycles come from following each word of each image through :mod:`gateware.passing`.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

from .area import Estimate, blocks, estimate, layer, spram_blocks
from .passing import Best, Layer, Regroup, Ring, Scores, Tally, Transpose
from .serial_folding import SerialFolding


__all__ = ["Timing", "timing", "settled", "cycles", "pace", "Estimate", "estimate", "blocks",
           "layer", "spram_blocks"]


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


def timing(mapping, images, taken=None):
    """:class:`Timing` of an accelerator that classifies :py:`images` in one run.

    Some layers end early where images allow it. :py:`taken` says for each layer how many cycles
    each of the images took there, or None where that is always the same; without it these are the
    most that there can be.
    """
    if taken is not None and any(taken):
        done = _done(mapping, images, taken)
        added = done[-1] - done[0]
        each = added / (images - 1) if images > 1 else done[0] + 1
        return Timing(images, done[-1] + 1, each, done[0] + 1)
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


def cycles(mapping, images, rounds=1, taken=None):
    """Cycles of so many runs of some images each, that follow one another.

    :py:`taken` is as :func:`timing` has it, of the images of a run.
    """
    if taken is not None and any(taken):
        return timing(mapping, images * rounds,
                      tuple(each and each * rounds for each in taken)).cycles
    last = mapping.layers[-1]
    if images % mapping.batch == 0:
        return timing(mapping, images * rounds).cycles
    run = timing(mapping, images).cycles
    # After a batch that was not full, all that it had, classes to fill it up included, must leave.
    return run + (rounds - 1) * (run - 2 + last.words - last.outputs)


@lru_cache(maxsize=256)
def _done(mapping, images, taken=None):
    """Cycle of each image's last score, if so many are classified in one run."""
    layers, batch = mapping.layers, mapping.batch
    taken = taken or (None,) * len(layers)
    sink = scores = (Best if isinstance(layers[-1], SerialFolding) else Scores)(layers[-1])
    if batch > 1:
        sink = Transpose(layers[-1].words, batch, images, sink)
    passes = len(layers[0].passes)
    if passes > 1:
        sink = Tally(layers[-1].words * batch, passes, sink)
    for n in reversed(range(len(layers))):
        folding = layers[n]
        if n and batch > 1:
            sink = Layer(folding, sink, layers[n - 1].words * batch)
            continue
        sink = Ring(folding, sink, taken[n]) if isinstance(folding, SerialFolding) \
            else Layer(folding, sink, passes=1 if n else passes)
        if n:
            before = layers[n - 1]
            sink = Regroup(before.lanes, folding.pixels, before.words, folding.entering, sink)
    words = layers[0].entering
    offered = 0
    for image in range(images):
        for word in range(words):
            closes = image == images - 1 and word == words - 1
            offered = sink.push(offered, closes) + 1
    return tuple(scores.done)


def pace(before, after):
    """Cycles that a layer takes for a vector at most, given the layer after it.

    A layer of weights of several bits keeps what leaves it apart from what it works on.

    Words that are cut into several pieces for the layer after it wait for one another, and what
    is behind them in the pipeline waits too.
    """
    if isinstance(before, SerialFolding):
        return before.interval
    cut = before.words * (before.lanes // gcd(before.lanes, after.simd) - 1)
    return before.interval + len(before.passes) * cut
