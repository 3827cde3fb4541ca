"""How fast a network can be on an FPGA at best, whatever its mapping, and what bounds it."""

from dataclasses import dataclass

from . import cost


__all__ = ["Bounds", "bounds"]


@dataclass(frozen=True)
class Bounds:
    """Cycles that an image takes at least, by what there is too little of.

    Parameters
    ----------
    weight_bits : :class:`int`
        Bits of all weights, without any that fill up.
    readable_bits : :class:`int`
        Bits that all block RAMs read in a cycle.
    xnors : :class:`int`
        Cells to sense for an image: weights by planes.
    xnors_at_once : :class:`int`
        Cells that all look-up tables sense in a cycle, by what :mod:`gateware.cost` reckons for
        one.
    memory_bits : :class:`int`
        Bits in all block RAMs.
    """

    weight_bits: int
    readable_bits: int
    xnors: int
    xnors_at_once: int
    memory_bits: int

    @property
    def weight_bandwidth(self):
        """Cycles in which all weights can be read once."""
        return self.weight_bits / self.readable_bits

    @property
    def luts(self):
        """Cycles in which all cells can be sensed once for each plane."""
        return self.xnors / self.xnors_at_once

    @property
    def cycles(self):
        """Cycles that no mapping with its weights in block RAM stays below."""
        return max(self.weight_bandwidth, self.luts)

    @property
    def by(self):
        """What bounds it: ``"memory bits"`` where the weights do not even fit, else whatever takes
        more cycles, ``"weight bandwidth"`` or ``"LUTs"``.
        """
        if self.weight_bits > self.memory_bits:
            return "memory bits"
        return "LUTs" if self.luts > self.weight_bandwidth else "weight bandwidth"


def bounds(mapping, resources):
    """:class:`Bounds` of a network, of which the mapping tells the layers, on an FPGA."""
    sizes = [(layer.inputs * layer.outputs, layer.planes) for layer in mapping.layers]
    return Bounds(
        weight_bits=sum(weights for weights, _ in sizes),
        readable_bits=resources.memory_blocks * resources.memory_block_width,
        xnors=sum(weights * planes for weights, planes in sizes),
        xnors_at_once=int(resources.luts / cost.LUTS_PER_XNOR),
        memory_bits=resources.memory_blocks * resources.memory_block_bits)
