"""Which parallelism to give each layer: PE and SIMD, from what an FPGA has."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from . import cost
from .folding import Folding


__all__ = ["Resources", "Mapping", "fit", "uniform"]


@dataclass(frozen=True)
class Resources:
    """What there is to build from.

    Parameters
    ----------
    luts : :class:`int`
        Look-up tables of four inputs.
    memory_blocks : :class:`int`
        Block RAMs.
    memory_block_bits, memory_block_width : :class:`int`
        Bits in a block RAM, and bits that it reads in a cycle.
    family : :class:`str`
        Name of the FPGA family, such as ``"ice40"``.
    spram_blocks : :class:`int`
        Memories of one port, as :class:`gateware.spram.Spram` has them.
    """

    luts: int
    memory_blocks: int
    memory_block_bits: int
    memory_block_width: int
    family: str
    spram_blocks: int = 0


@dataclass(frozen=True)
class Mapping:
    """Parallelism of each layer, the scores last; and what kept it from being greater.

    Parameters
    ----------
    layers : tuple of :class:`gateware.folding.Folding`
    limit : :class:`str`
        ``"luts"`` or ``"memory"``, whichever ran out first; ``"effort"`` where there was more than
        was to be used; ``"layers"`` where more would not make the network faster, ``"target"``
        where that was fast enough; empty if chosen by hand.
    """

    layers: tuple[Folding, ...]
    limit: str = ""

    @property
    def cycles_per_image(self):
        return cost.timing(self, 1).cycles_per_image


def sizes(shape):
    """Inputs, outputs and gains of each layer of a network's shape."""
    for n, (inputs, outputs) in enumerate(pairwise(shape.sizes)):
        yield inputs, outputs, shape.encoder.gains if n == 0 else (1,)


def uniform(shape, *, pe, simd, storage="block"):
    """The same PE, SIMD and memory for every layer; or, of what is a sequence, one for each.

    Of one PE or SIMD for all, a layer gets as much as it has use for. What is meant for a layer
    alone it gets as it is, and :exc:`ValueError` is raised where it has no use for that.
    """
    layers, final = [], len(shape.sizes) - 2
    for n, (inputs, outputs, gains) in enumerate(sizes(shape)):
        width = simd[n] if isinstance(simd, Sequence) else min(simd, inputs)
        kind  = storage if isinstance(storage, str) else storage[n]
        # A class at a time leaves.
        most = min(outputs, -(-inputs // width) * len(gains)) if n == final else outputs
        if isinstance(pe, Sequence):
            folding = Folding(inputs, outputs, gains, pe[n], width, kind)
            if folding.pe > most:
                raise ValueError(f"PE of the last layer must be at most {most} with SIMD {width}, "
                                 f"not {folding.pe}")
        else:
            folding = Folding(inputs, outputs, gains, min(pe, most), width, kind)
        layers.append(folding)
    return Mapping(tuple(layers))


def fit(shape, resources, *, target=None, effort=4_600):
    """The fastest mapping that fits :py:`resources`; or the smallest within :py:`target` cycles.

    Layers share the FPGA so that all are about as fast: for each number of cycles that some layer
    can take, every layer gets the smallest parallelism that is fast enough. One step faster than
    what is returned does not fit; several steps faster might, in rare cases. Where even the
    smallest mapping does not fit, that one is returned, and its estimate says what is missing.

    Parameters
    ----------
    shape : :class:`model.network.Shape`
    resources : :class:`Resources`
    target : :class:`int`, or None
        Cycles an image may take.
    effort : :class:`int`
        Look-up tables to stop at even where there are more, because place and route then takes
        minutes to hours.
    """
    final = len(shape.sizes) - 2
    choices = [list(_foldings(*layer, final=n == final, resources=resources))
               for n, layer in enumerate(sizes(shape))]
    least = max(min(folding.interval for folding, _ in layer) for layer in choices)
    candidates = sorted({folding.interval for layer in choices for folding, _ in layer})
    candidates = [cycles for cycles in candidates if cycles >= max(least, shape.classes)]
    if target is not None:
        candidates = [max((cycles for cycles in candidates if cycles <= target),
                          default=candidates[0])]
    bound = replace(resources, luts=min(resources.luts, effort))

    def short(cycles):
        return cost.estimate(_slowest(choices, cycles), bound).excess(bound)

    # What fits at some speed fits at lower ones, but for few: halving finds where that ends, in a
    # hundredth of the time.
    fastest = bisect.bisect_left(candidates, True, hi=len(candidates) - 1,
                                 key=lambda cycles: not short(cycles))
    limit = "target" if target is not None else "layers"
    if fastest > 0:
        limit = next(iter(short(candidates[fastest - 1])), limit)
        if limit == "luts" and bound.luts < resources.luts:
            limit = "effort"
    return Mapping(_slowest(choices, candidates[fastest]).layers, limit)


def _slowest(choices, cycles):
    """The smallest mapping of which no part takes more cycles."""
    layers = []
    for choice in choices:
        fast = [(folding, size) for folding, size in choice if folding.interval <= cycles]
        if layers:
            fast = [(folding, size) for folding, size in fast
                    if cost.pace(layers[-1], folding) <= cycles] or fast
        layers.append(min(fast, key=lambda option: option[1])[0])
    return Mapping(tuple(layers))


def _foldings(inputs, outputs, gains, *, final, resources):
    """Parallelisms worth looking at, each with the figure by which the least is chosen."""
    simds = sorted({-(-inputs // folds) for folds in range(1, inputs + 1)})
    pes   = sorted({-(-outputs // groups) for groups in range(1, outputs + 1)})
    for simd in simds:
        for pe in pes:
            folding = Folding(inputs, outputs, gains, pe, simd)
            if final and folding.lanes != 1:
                continue
            blocks, luts = cost.layer(folding, resources)
            # Whichever resource is scarcer weighs more.
            yield folding, blocks / resources.memory_blocks + luts / resources.luts
