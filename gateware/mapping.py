"""Which parallelism to give each layer: PE and SIMD, from what an FPGA has."""

import bisect
from dataclasses import dataclass, replace
from itertools import pairwise

from . import cost
from .folding import Folding, divides


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
    """

    luts: int
    memory_blocks: int
    memory_block_bits: int
    memory_block_width: int
    family: str


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


def tiling(shape, n):
    """How a layer is spread over tiles, as :class:`gateware.folding.Folding` takes it."""
    if not shape.tiles:
        return {}
    rows, sense = shape.tiles[n]
    return {"tile_rows": rows, "sense": sense}


def uniform(shape, *, pe, simd, storage="block"):
    """The same PE and SIMD for every layer, or as much of them as the layer has use for.

    Where a layer's tiles sense, its SIMD is the next lower one that divides a tile's rows.
    """
    layers = []
    for n, (inputs, outputs, gains) in enumerate(sizes(shape)):
        tiles = tiling(shape, n)
        width = next(width for width in range(min(simd, inputs), 0, -1)
                     if divides(width, inputs, **tiles))
        most = outputs
        if n == len(shape.sizes) - 2:   # a class at a time leaves
            most = min(outputs, -(-inputs // width) * len(gains))
        layers.append(Folding(inputs, outputs, gains, min(pe, most), width, storage, **tiles))
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
    choices = [list(_foldings(*layer, final=n == final, resources=resources,
                              tiles=tiling(shape, n)))
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


def _foldings(inputs, outputs, gains, *, final, resources, tiles):
    """Parallelisms worth looking at, each with the figure by which the least is chosen."""
    simds = sorted({-(-inputs // folds) for folds in range(1, inputs + 1)})
    if not all(divides(simd, inputs, **tiles) for simd in simds):
        # Tiles are smaller than the layer here, and so are words.
        simds = [simd for simd in range(1, inputs) if divides(simd, inputs, **tiles)]
    pes   = sorted({-(-outputs // groups) for groups in range(1, outputs + 1)})
    for simd in simds:
        for pe in pes:
            folding = Folding(inputs, outputs, gains, pe, simd, **tiles)
            if final and folding.lanes != 1:
                continue
            blocks, luts = cost.layer(folding, resources)
            # Whichever resource is scarcer weighs more.
            yield folding, blocks / resources.memory_blocks + luts / resources.luts
