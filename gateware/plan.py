"""All that is fixed about an accelerator, short of its logic."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

from model.frame import Layer
from model.network import Shape

from . import bus, cost
from .control import REGISTERS
from .mapping import Mapping, few, sampling, tiling
from .pixels import pixel_rows
from .planned import Placed
from .serial_folding import SerialFolding


__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan(Placed):
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
            serial = self.shape.serial_of(n)
            if (serial is None) == isinstance(folding, SerialFolding) \
                    or (serial is not None and not folding.suits(serial)):
                raise ValueError(f"Mapping must have the weights in layer {n} that the shape has")
            if serial is not None:
                continue
            bits = {"weight_bits": 1, "output_bits": 1} | few(self.shape, n)
            if bits != {name: getattr(folding, name) for name in bits}:
                raise ValueError(f"Mapping must have the bits in layer {n} that the shape has")
            exact = {"tile_rows": None, "sense": "exact"}
            wanted = replace(folding, simd=1, storage="block", **exact | tiling(self.shape, n))
            drawn = {"numbers": None, "passes": (1,)} | sampling(self.shape, n)
            if drawn != {name: getattr(folding, name) for name in drawn}:
                raise ValueError(f"Mapping must draw samples in layer {n} as the shape has it")
            if folding.tiles != wanted.tiles:
                raise ValueError(f"Mapping must have tiles {wanted.tiles} in layer {n}, as the "
                                 f"shape has, not {folding.tiles}")

    @property
    def words(self):
        """Words of pixels in an image."""
        return self.mapping.layers[0].entering

    @property
    def inputs(self):
        """Pixels in an image, as it is sent."""
        return self.shape.inputs

    @property
    def sent_bits(self):
        """Bits of a pixel, as it is sent."""
        return self.shape.encoder.sent_bits

    @property
    def pixels(self):
        """Pixels that come in one cycle."""
        return self.mapping.layers[0].pixels

    @property
    def classes(self):
        return self.shape.classes

    @property
    def score_bits(self):
        return self.shape.score_bits

    @property
    def batch(self):
        """Images that are worked on at once."""
        return self.mapping.batch

    @property
    def learns(self):
        """Whether images come with labels, from which it learns."""
        return False

    @property
    def probed(self):
        """Layers that can have a probe."""
        return self.mapping.layers

    @property
    def in_spram(self):
        """Whether anything is in SPRAM."""
        return any(layer.storage == "spram" for layer in self.mapping.layers)

    @property
    def told(self):
        """Layers as hosts are told of them, each a :class:`model.frame.Layer`."""
        return tuple(Layer(layer.inputs, layer.outputs, layer.pe, layer.simd, layer.planes)
                     for layer in self.mapping.layers)

    def sent(self, images):
        """Pixels of images, as they are sent."""
        return self.shape.encoder.sent(images)

    def rows_of(self, images):
        """Images as they come in, a word in each row of bytes, lowest first."""
        return pixel_rows(images, self.shape, self.mapping)

    def limit(self, images):
        """Cycles after which something must be wrong, if so many images are still inside."""
        return 2 * cost.timing(self.mapping, images).cycles + 100

    @property
    def samples(self):
        """Samples of an image that there is hardware for, of which a host may choose fewer."""
        return self.mapping.layers[0].samples

    @cached_property
    def _placed(self):
        regions = {}
        last = len(self.mapping.layers) - 1
        for n, folding in enumerate(self.mapping.layers):
            regions |= {f"layer{n}.{name}": region for name, region in folding.regions.items()
                        if n < last or name != "thresholds"}
        if self.shape.serial_of(last) is None:
            width = self.shape.gain_bits + self.shape.score_bits
            regions["scores.affine"] = bus.Region(width, self.shape.classes)
        if self.samples > 1:
            regions["samples"] = bus.Region(self.samples.bit_length(), 1)
        regions["control"] = bus.Region(bus.WORD, REGISTERS)
        return bus.place(regions)

    @property
    def memories(self):
        """The same, of that which an image fills."""
        return {name: region for name, region in self.regions.items()
                if name != "control" and not name.endswith(".counts")}

    @property
    def counters(self):
        """Where counters of layers lie, by the number of the layer."""
        return {int(name.removeprefix("layer").removesuffix(".counts")): region
                for name, region in self.regions.items() if name.endswith(".counts")}

    def empty(self, name):
        """Whether a memory has no contents at power-up, whatever there is to give it."""
        layer, _, kind = name.partition(".")
        return kind.startswith("weights") \
            and self.mapping.layers[int(layer.removeprefix("layer"))].storage == "spram"

    @property
    def fills(self):
        """Whether all memories can have their contents from power-up."""
        return not any(self.empty(name) for name in self.memories)

    def cycles(self, images, rounds=1, taken=None):
        """Cycles that some images take, again and again, from the first word to the last.

        Where layers end early that depends on the images; :py:`taken` is what
        :func:`gateware.compiler.taken` finds for them, and without it these are the most.
        """
        return cost.cycles(self.mapping, images, rounds, taken)

    @property
    def hash(self):
        """Eight bytes that tell one hardware from another."""
        built = self.shape.encoder.built
        encoder = {"kind": type(built).__name__, **vars(built)}
        # What most layers do not have is left out, so that they keep the hash from before there
        # was such a thing.
        layers = [[layer.pe, layer.simd, layer.storage,
                   *([{"levels": layer.levels}] if layer.levels else []),
                   *([{"batch": layer.batch}] if layer.batch > 1 else [])]
                  for layer in self.mapping.layers]
        tiles = [self.shape.tiles] if self.shape.tiles else []
        if self.shape.serial:
            tiles = [self.shape.tiles, [vars(layer) if isinstance(layer, SerialFolding) else None
                                        for layer in self.mapping.layers]]
        bits = [{"few": self.shape.few}] if self.shape.few else []
        text = json.dumps([encoder, self.shape.sizes, self.shape.gain_bits, self.shape.score_bits,
                           layers, *tiles, *bits])
        return hashlib.sha256(text.encode()).digest()[:8]
