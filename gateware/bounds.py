"""How fast a network can be on an FPGA at best, and what bounds it."""

from dataclasses import dataclass

from . import area, spram
from .serial_folding import SerialFolding


__all__ = ["WIDE", "Bounds", "bounds"]


WIDE = 255   # bits of a popcount in which a cell takes little


@dataclass(frozen=True)
class Bounds:
    """Cycles that an image takes at least, by what there is too little of.

    Weights are read in parallel from all memories of the kind that the mapping has them in: block
    RAM, or SPRAM.

    Parameters
    ----------
    weight_bits : :class:`int`
        Bits of all weights, without any that fill up.
    xnors : :class:`int`
        Cells to sense for an image: weights by planes; of weights of several bits each bit, with
        each bit of an activation.
    weight_bandwidth : :class:`float`
        Cycles in which all weights can be read once, shared among the images of a batch.
    luts : :class:`float`
        Cycles in which all cells can be sensed, with as many look-up tables for each as a popcount
        of :data:`WIDE` bits takes.
    memory_bits : :class:`int`
        Bits in all memories of those kinds.
    fits : :class:`bool`
        Whether the weights fit the memories.
    """

    weight_bits: int
    xnors: int
    weight_bandwidth: float
    luts: float
    memory_bits: int
    fits: bool

    @property
    def cycles(self):
        """Cycles that no mapping with its weights in those memories, and that batch, goes below."""
        return max(self.weight_bandwidth, self.luts)

    @property
    def by(self):
        """What bounds it: ``"memory bits"`` where the weights do not even fit, else whatever takes
        more cycles, ``"weight bandwidth"`` or ``"LUTs"``.
        """
        if not self.fits:
            return "memory bits"
        return "LUTs" if self.luts > self.weight_bandwidth else "weight bandwidth"


def bounds(mapping, resources):
    """:class:`Bounds` of a network on an FPGA, for the memories and the batch of a mapping."""
    # Each pass of an image reads all weights again.
    # A plane of weights that is left out is not, here.
    passes = len(mapping.layers[0].passes)
    xnors = passes * sum(layer.inputs * layer.outputs * layer.weight_bits
                         * (layer.input_bits if isinstance(layer, SerialFolding) else layer.planes)
                         for layer in mapping.layers)
    kinds = {
        "block": (resources.memory_blocks * resources.memory_block_width,
                  resources.memory_blocks * resources.memory_block_bits),
        "spram": (resources.spram_blocks * spram.WIDTH,
                  resources.spram_blocks * spram.WIDTH * spram.DEPTH)}
    weights = dict.fromkeys(kinds, 0)
    for layer in mapping.layers:
        weights["spram" if layer.storage == "spram" else "block"] += \
            layer.inputs * layer.outputs * layer.weight_bits
    used = {kind: bits for kind, bits in weights.items() if bits}
    return Bounds(
        weight_bits=sum(weights.values()), xnors=xnors,
        weight_bandwidth=max(bits / kinds[kind][0] if kinds[kind][0] else float("inf")
                             for kind, bits in used.items()) * passes / mapping.batch,
        luts=xnors * area.popcount_luts(WIDE, resources.family) / WIDE / resources.luts,
        memory_bits=sum(kinds[kind][1] for kind in used),
        fits=all(bits <= kinds[kind][1] for kind, bits in used.items()))
