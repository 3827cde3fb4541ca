"""How a layer of multi-bit weights is laid out over its hardware, in space and in time."""

from dataclasses import dataclass
from itertools import count

import numpy as np

from amaranth.utils import bits_for, ceil_log2

from model.checks import check_range
from model.compend import DETECTIONS, MOST_FACTOR, Compend, grain_of
from model.packing import pack_fields
from model.schedule import Schedule

from . import counts, total
from .bus import Region
from .detection import word
from .memories import check, latency


__all__ = ["SerialFolding"]


@dataclass(frozen=True)
class SerialFolding:
    """A layer of :py:`outputs` × :py:`inputs` multi-bit weights on :py:`pe` × :py:`simd` cells.

    Each PE has a memory of its own, with the weights of neurons e, e + PE, e + 2 PE …: those of a
    plane are :py:`folds` rows of :py:`simd` bits, those of a neuron as many planes, the most
    significant first. Neither PE nor SIMD has to divide the layer; cells that fill it up hold 0.

    Parameters
    ----------
    inputs, outputs : :class:`int`
        Size of the layer.
    weight_bits, input_bits, output_bits, acc_bits, activation
        As :class:`model.compend.Compend` has them.
    pe : :class:`int`
        Neurons worked on in one cycle, at most :py:`outputs`.
    simd : :class:`int`
        Activations worked on in one cycle, at most :py:`inputs`.
    detection : :class:`str`
        The most that there is hardware for, as :class:`model.compend.Compend` has it; it can be
        left off at run time.
    skip_zeros : :class:`bool`
        Whether words of zeros are left out.
    storage : :class:`str`
        Where the weights are: one of :data:`gateware.memories.STORAGE`.
    levels : :class:`int`
        Adders between registers, as :class:`gateware.total.Total` has it.
    """

    inputs: int
    outputs: int
    weight_bits: int
    input_bits: int
    output_bits: int
    acc_bits: int
    activation: str
    pe: int
    simd: int
    detection: str = "exact"
    skip_zeros: bool = True
    storage: str = "block"
    levels: int = 0

    def __post_init__(self):
        check_range("PE", self.pe, 1, self.outputs)
        check_range("SIMD", self.simd, 1, self.inputs)
        check_range("Levels", self.levels, 0)
        if self.detection not in DETECTIONS:
            raise ValueError(f"Detection must be one of {', '.join(DETECTIONS)}, "
                             f"not {self.detection!r}")
        if self.activation == "linear" and self.detection != "none":
            raise ValueError("Detection must be none where sums are asked for, "
                             f"not {self.detection!r}")
        check(self.storage, self.simd, self.weights(0).depth)

    @classmethod
    def of(cls, layer: Compend, **given):
        """How a layer is laid out; detection is the layer's unless it is given."""
        return cls(layer.inputs, layer.outputs, layer.weight_bits, layer.input_bits,
                   layer.output_bits, layer.acc_bits, layer.activation,
                   **{"detection": layer.detection} | given)

    batch, passes, samples = 1, (1,), 1   # as a layer of binary weights has them

    def drawing(self, samples):
        """The same hardware, whatever is drawn before it."""
        return self

    @property
    def planes(self):
        """Planes of weights, each of which is taken by itself."""
        return self.weight_bits

    @property
    def pixels(self):
        """Activations that come at once.

        As few as take no longer than a plane of each neuron.
        """
        return next(pixels for pixels in range(1, self.simd + 1) if self.simd % pixels == 0
                    and (pixels == self.simd
                         or -(-self.inputs // pixels) <= self.groups * self.folds))

    @property
    def results(self):
        """What probes and traces call that which leaves a hidden layer."""
        return "values" if self.activation == "relu" else "bits"

    @property
    def entering(self):
        """Words of :py:`pixels` activations that come for an image."""
        return -(-self.inputs // self.pixels)

    @property
    def empty(self):
        """Places of an image's last word that its first activation is behind."""
        return self.folds * self.simd - self.entering * self.pixels

    @property
    def most_cycles(self):
        """Cycles that an image takes if no neuron ends early, and no word is left out."""
        return self.groups * self.weight_bits * self.folds + self.overhead

    interval = most_cycles

    @property
    def folds(self):
        """Words of an image, words of zeros included."""
        return -(-self.inputs // self.simd)

    def suits(self, serial):
        """Whether it is for weights and activations such as a :class:`model.compend.Serial` has."""
        return all(getattr(self, name) == value for name, value in vars(serial).items()
                   if name != "detection")

    @property
    def groups(self):
        """Neurons of the PE that has most."""
        return -(-self.outputs // self.pe)

    def neurons(self, pe):
        """Neurons of a PE."""
        return -(-(self.outputs - pe) // self.pe)

    @property
    def lanes(self):
        """Neurons that leave in one cycle: as few as never make the next image wait."""
        if self.activation == "sign":
            return self.pe
        return next(lanes for lanes in count(1)
                    if self.pe % lanes == 0 and self.pe // lanes <= self.folds)

    @property
    def least(self):
        """Words that go round at least, so that neurons take as long as it takes to send them."""
        return self.pe // self.lanes

    @property
    def words(self):
        """Words of :py:`lanes` neurons that leave for each image."""
        return self.groups * self.least

    @property
    def top(self):
        """The greatest sum of an image's activations."""
        return self.inputs * (2 ** self.input_bits - 1)

    @property
    def grain(self):
        """Bits of a sum of activations that are rounded up, as the golden model has them."""
        return grain_of(self.inputs, self.input_bits)

    @property
    def limit(self):
        """The greatest that sums are compared with, in units of 2^grain."""
        return -(-self.top >> self.grain)

    @property
    def wasted(self):
        """Cycles from a word to what it decides, in which more words of its neuron are taken."""
        return latency(self.storage) + total.stages(self.simd, self.levels) + 1

    @property
    def overhead(self):
        """Cycles between the last PE's last word and the first word of an image that is there."""
        return self.wasted + 3

    @property
    def schedule(self):
        """Which cycles images take: a :class:`model.schedule.Schedule`."""
        return Schedule(pe=self.pe, simd=self.simd, skip_zeros=self.skip_zeros,
                        wasted=self.wasted, overhead=self.overhead, least=self.least)

    @property
    def shift_bits(self):
        """Width of a shift."""
        half = self.top << self.weight_bits - 1
        return bits_for(half.bit_length())

    def weights(self, pe):
        """Size of a PE's memory of weights."""
        return Region(self.simd, self.neurons(pe) * self.weight_bits * self.folds,
                      writable=self.storage != "logic")

    def preloads(self, pe):
        """Size of a PE's memory of what sums start with."""
        return Region(self.acc_bits, self.neurons(pe))

    @property
    def shifts(self):
        """Size of the memory of shifts."""
        return Region(self.lanes * self.shift_bits, self.words)

    @property
    def regions(self):
        """Size of each memory and register that a host writes, by name; and of its counters."""
        regions = {}
        for pe in range(self.pe):
            regions |= {f"weights{pe}": self.weights(pe), f"preloads{pe}": self.preloads(pe)}
        if self.activation == "relu":
            regions["shifts"] = self.shifts
        if self.detection != "none":
            regions["detection"] = Region((2 * MOST_FACTOR + 1).bit_length()
                                          if self.detection == "speculative" else 1, 1)
        return regions | {"counts": counts.REGION}

    def image(self, layer):
        """What memories and registers hold for a layer: rows, by name; those of PE e end in e."""
        if DETECTIONS.index(layer.detection) > DETECTIONS.index(self.detection):
            raise ValueError(f"Detection must be one that this is built for, at most "
                             f"{self.detection}, not {layer.detection}")
        padded = np.zeros((self.weight_bits, layer.outputs, self.folds * self.simd), dtype=bool)
        padded[:, :, :self.inputs] = layer.planes
        final = padded[:, :, (self.folds - 1) * self.simd:]
        final[:] = np.roll(final, self.empty, axis=2)
        image = {}
        for pe in range(self.pe):
            image[f"weights{pe}"] = pack_fields(padded[:, pe::self.pe].swapaxes(0, 1), 1, self.simd)
            image[f"preloads{pe}"] = [int(preload) & (1 << self.acc_bits) - 1
                                      for preload in layer.preload[pe::self.pe]]
        if self.activation == "relu":
            padded = np.zeros(self.groups * self.pe, dtype=np.int64)
            padded[:self.outputs] = layer.shifts
            image["shifts"] = pack_fields(padded, self.shift_bits, self.lanes)
        if self.detection != "none":
            image["detection"] = [word(layer)]
        return image

    @property
    def tag_bits(self):
        """Bits that tell a neuron from those that its lane can have gone on to meanwhile."""
        return ceil_log2(2 + (self.wasted - 1) // (self.weight_bits * self.least))
