"""Which parallelism each layer has, and what there is to build it from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from model.stochastic import Stochastic

from . import cost
from .folding import Folding, divides
from .serial_folding import SerialFolding


__all__ = ["Resources", "Mapping", "sizes", "sampling", "tiling", "few", "uniform",
           "widths"]


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
        Or :class:`gateware.serial_folding.SerialFolding` where weights have several bits.
    limit : :class:`str`
        ``"luts"``, ``"memory"`` or ``"spram"``, whichever ran out first; ``"effort"`` where there
        was more than was to be used; ``"layers"`` where more would not make the network faster,
        ``"target"`` where that was fast enough; empty if chosen by hand.
    """

    layers: tuple[Folding, ...]
    limit: str = ""

    def __post_init__(self):
        serial = any(isinstance(layer, SerialFolding) for layer in self.layers)
        if serial and any(layer.batch > 1 for layer in self.layers):
            raise ValueError("Batch must be 1 where weights have several bits")
        if len({layer.batch for layer in self.layers}) > 1:
            raise ValueError("Batch must be the same in all layers, not "
                             f"{', '.join(str(layer.batch) for layer in self.layers)}")
        for n, (before, after) in enumerate(pairwise(self.layers)):
            if before.batch > 1 and after.simd % before.lanes:
                raise ValueError(f"SIMD of layer {n + 1} must be a multiple of the {before.lanes} "
                                 f"neurons that leave layer {n} at once, not {after.simd}: images "
                                 "that go in batches are not cut")

    @property
    def batch(self):
        """Images that share each row of weights."""
        return self.layers[0].batch

    @property
    def cycles_per_image(self):
        return cost.timing(self, 1).cycles_per_image

    def drawing(self, samples):
        """The same hardware while it draws so many samples of what it is built for."""
        return replace(self, layers=tuple(layer.drawing(samples) for layer in self.layers))


def sizes(shape):
    """Inputs, outputs and gains of each layer of a network's shape."""
    for n, (inputs, outputs) in enumerate(pairwise(shape.sizes)):
        yield inputs, outputs, shape.planes_of(n)[0]


def tiling(shape, n):
    """How a layer is spread over tiles, as :class:`gateware.folding.Folding` takes it."""
    if not shape.tiles:
        return {}
    rows, sense = shape.tiles[n]
    return {"tile_rows": rows, "sense": sense}


def few(shape, n):
    """Bits of weights and activations, as :class:`gateware.folding.Folding` takes them."""
    weight_bits, output_bits = shape.few_of(n)
    return {"weight_bits": weight_bits, "output_bits": output_bits} if shape.few else {}


def sampling(shape, n):
    """How a layer's planes are drawn, as :class:`gateware.folding.Folding` takes it."""
    if not isinstance(shape.encoder, Stochastic):
        return {}
    return {"numbers": shape.encoder.numbers if n == 0 else None,
            "passes": shape.encoder.gains if shape.apart else (1,)}


def widths(shape):
    """Widths of gains and scores, as :func:`gateware.area.estimate` takes them."""
    return {"gain_bits": shape.gain_bits, "score_bits": shape.score_bits}


def uniform(shape, *, pe, simd, storage="block", levels=0, serial_levels=0, batch=1):
    """The same PE, SIMD and memory for every layer; or, of what is a sequence, one for each.

    Of one PE or SIMD for all, a layer gets as much as it has use for; where its tiles sense, the
    next lower SIMD that divides a tile's rows. What is meant for a layer alone it gets as it is,
    and :exc:`ValueError` is raised where it has no use for that. Layers of weights of several bits
    have :py:`serial_levels`.
    """
    layers, final = [], len(shape.sizes) - 2
    if batch > 1 and shape.serial:
        raise ValueError("Batch must be 1 where weights have several bits")
    for n, (inputs, outputs, gains) in enumerate(sizes(shape)):
        more = {"levels": levels, "batch": batch, **sampling(shape, n), **tiling(shape, n),
                **few(shape, n)}
        width = simd[n] if isinstance(simd, Sequence) else next(
            width for width in range(min(simd, inputs), 0, -1)
            if divides(width, inputs, **tiling(shape, n)))
        kind  = storage if isinstance(storage, str) else storage[n]
        serial = shape.serial_of(n)
        # A class at a time leaves.
        planes = 1 if serial or more.get("numbers") else len(gains)   # at least
        planes *= 1 if serial else shape.few_of(n)[0]
        most = max(1, min(outputs, -(-inputs // width) * planes // batch)) if n == final \
            else outputs
        among = pe[n] if isinstance(pe, Sequence) else min(pe, most)
        folding = Folding(inputs, outputs, gains, among, width, kind, **more) if serial is None \
            else SerialFolding(inputs, outputs, **vars(serial), pe=among, simd=width, storage=kind,
                               levels=serial_levels)
        if folding.pe > most:
            raise ValueError(f"PE of the last layer must be at most {most} with SIMD {width}, "
                             f"not {folding.pe}")
        layers.append(folding)
    return Mapping(tuple(layers))
