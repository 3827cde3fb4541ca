"""All that is fixed about an accelerator, short of its logic."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

from model.network import Shape

from . import bus, cost
from .control import REGISTERS
from .mapping import Mapping, tiling


__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """What a host has to know of an :class:`gateware.accelerator.Accelerator` to talk to it.

    Parameters
    ----------
    shape : :class:`model.network.Shape`
        Sizes, encoder and widths.
    mapping : :class:`gateware.mapping.Mapping`
        Parallelism of each layer, which must be sensed as the shape says.
    """

    shape: Shape
    mapping: Mapping

    def __post_init__(self):
        for n, folding in enumerate(self.mapping.layers):
            exact = {"tile_rows": None, "sense": "exact"}
            wanted = replace(folding, simd=1, **exact | tiling(self.shape, n))
            if folding.tiles != wanted.tiles:
                raise ValueError(f"Mapping must have tiles {wanted.tiles} in layer {n}, as the "
                                 f"shape has, not {folding.tiles}")

    @property
    def words(self):
        """Words of pixels in an image."""
        return self.mapping.layers[0].folds

    @cached_property
    def _placed(self):
        regions = {}
        for n, folding in enumerate(self.mapping.layers):
            regions[f"layer{n}.weights"] = folding.weights
            if n < len(self.mapping.layers) - 1:
                regions[f"layer{n}.thresholds"] = folding.thresholds
        width = self.shape.gain_bits + self.shape.score_bits
        regions["scores.affine"] = bus.Region(width, self.shape.classes)
        regions["control"] = bus.Region(bus.WORD, REGISTERS)
        return bus.place(regions)

    @property
    def regions(self):
        """Where everything lies on the bus: a :class:`gateware.bus.Region` for each name."""
        return self._placed[0]

    @property
    def addr_width(self):
        return self._placed[1]

    @property
    def memories(self):
        """The same, of that which an image fills."""
        return {name: region for name, region in self.regions.items() if name != "control"}

    @property
    def control_address(self):
        """Address of the registers of :mod:`gateware.control`."""
        return self.regions["control"].base

    def cycles(self, images):
        """Cycles that some images take one after another, from the first word to the last."""
        return cost.timing(self.mapping, images).cycles

    @property
    def hash(self):
        """Eight bytes that tell one hardware from another."""
        encoder = {"kind": type(self.shape.encoder).__name__, **vars(self.shape.encoder)}
        layers = [[layer.pe, layer.simd, layer.storage] for layer in self.mapping.layers]
        # Nothing is added where nothing senses, so that the hash is the one that it was before.
        tiles = [self.shape.tiles] if self.shape.tiles else []
        text = json.dumps([encoder, self.shape.sizes, self.shape.gain_bits, self.shape.score_bits,
                           layers, *tiles])
        return hashlib.sha256(text.encode()).digest()[:8]
