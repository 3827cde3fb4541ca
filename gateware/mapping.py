"""Which parallelism to give each layer: PE and SIMD, from what an FPGA has."""

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise

from . import cost
from .folding import Folding


__all__ = ["Resources", "Mapping", "fit", "uniform", "identity"]


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
        ``"luts"``, ``"memory"`` or ``"layers"`` where more would not make the network faster;
        empty if chosen by hand.
    """

    layers: tuple[Folding, ...]
    limit: str = ""

    @property
    def cycles_per_image(self):
        return cost.interval(self)


def sizes(shape):
    """Inputs, outputs and gains of each layer of a network's shape."""
    for n, (inputs, outputs) in enumerate(pairwise(shape.sizes)):
        yield inputs, outputs, shape.encoder.gains if n == 0 else (1,)


def uniform(shape, *, pe, simd, storage="block"):
    """The same PE and SIMD for every layer, or as much of them as the layer has use for."""
    layers = []
    for inputs, outputs, gains in sizes(shape):
        width = min(simd, inputs)
        most = outputs if outputs != shape.classes or len(layers) < len(shape.sizes) - 2 \
            else -(-inputs // width) * len(gains)
        layers.append(Folding(inputs, outputs, gains, min(pe, outputs, most), width, storage))
    return Mapping(tuple(layers))


def fit(shape, resources, *, target=None):
    """The fastest mapping that fits :py:`resources`; or the smallest within :py:`target` cycles.

    Layers share the FPGA so that all are about as fast: for each number of cycles that some layer
    can take, every layer gets the smallest parallelism that is fast enough.
    """
    choices = [list(_foldings(*layer, final=n == len(shape.sizes) - 2, resources=resources))
               for n, layer in enumerate(sizes(shape))]
    intervals = sorted({folding.interval for layer in choices for folding, *_ in layer}
                       | {shape.classes})
    floor = max(min(folding.interval for folding, *_ in layer) for layer in choices)

    def best(cycles):
        layers = []
        for layer in choices:
            fast = [choice for choice in layer if choice[0].interval <= cycles]
            if not fast:
                return None
            layers.append(min(fast, key=lambda choice: choice[1])[0])
        return Mapping(tuple(layers))

    # Whatever fits at some speed fits at every lower one, so the fastest is found by halving.
    candidates = [cycles for cycles in intervals
                  if cycles >= max(floor, shape.classes, target or 0)]
    if not candidates:
        candidates = [intervals[-1]]
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        mapping = best(candidates[middle])
        if mapping is not None and not cost.estimate(shape, mapping, resources).excess(resources):
            high = middle
        else:
            low = middle + 1
    mapping = best(candidates[low])
    limit = "layers"
    if low > 0:
        faster = best(candidates[low - 1])
        limit = next(iter(cost.estimate(shape, faster, resources).excess(resources)), "layers")
    elif target is not None:
        limit = "target"
    return Mapping(mapping.layers, limit)


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


def identity(shape, mapping):
    """Eight bytes that tell one hardware from another."""
    encoder = {"kind": type(shape.encoder).__name__, **vars(shape.encoder)}
    layers = [[layer.pe, layer.simd, layer.storage] for layer in mapping.layers]
    text = json.dumps([encoder, shape.sizes, shape.gain_bits, shape.score_bits, layers])
    return hashlib.sha256(text.encode()).digest()[:8]
