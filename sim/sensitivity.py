"""Which single mistakes in a network's parameters a comparison on some images would notice.

Nothing is drawn and nothing simulated: every single change of every parameter is followed to what
is compared.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from model.accumulate import Accumulate
from model.dense import Dense
from model.errors import InputError
from model.network import Network

from .vectors import coverage


__all__ = ["Noticed", "Sensitivity", "sensitivity"]


CELLS = 1 << 22   # values that are worked on at once


@dataclass(frozen=True, eq=False)
class Noticed:
    """What became of each single change of one kind; arrays of one shape.

    Parameters
    ----------
    probes : array of :class:`bool`
        Whether anything differs that :func:`sim.compare.compare` compares where an engine sees
        accumulators and activations of each layer.
    pins : array of :class:`bool`
        Whether a score differs, on any image, and with it perhaps the class.
    idle : array of :class:`bool`
        Changes that no image whatever could bring to light.
    """

    probes: np.ndarray
    pins: np.ndarray
    idle: np.ndarray

    @property
    def changes(self) -> int:
        """Single changes that there are, idle ones included."""
        return self.probes.size

    @property
    def effective(self) -> int:
        """Changes that some image might bring to light."""
        return int((~self.idle).sum())

    def share(self, where: str) -> float:
        """Part of the effective changes that is noticed with :py:`"probes"` or at the
        :py:`"pins"`; 1 if there are none.
        """
        return int(getattr(self, where).sum()) / self.effective if self.effective else 1.0


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What would be noticed of every single change of every parameter.

    Parameters
    ----------
    images : :class:`int`
    kinds : dict of :class:`Noticed`
        By what is changed:

        - :py:`layerN.weights` and :py:`scores.weights`, outputs × inputs: the network has the other
          weight;
        - :py:`layer0.cells`, or :py:`scores.cells` if there is no other layer, where inputs are
          unsigned: a bit of the weight memory is wrong, but the thresholds and biases made from
          the weights are not. Everywhere else that is the same as a weight;
        - :py:`layerN.thresholds`, outputs × 2: one less, one more, as the hardware compares sums;
        - :py:`scores.bias`, and :py:`scores.gain` where there is a multiplier: the same.
    """

    images: int
    kinds: dict[str, Noticed] = field(repr=False)

    def of(self, parameter: str) -> Noticed:
        """All changes of :py:`"weights"`, :py:`"cells"`, :py:`"thresholds"`, :py:`"bias"` or
        :py:`"gain"`, over all layers.
        """
        kinds = [kind for name, kind in self.kinds.items() if name.endswith(f".{parameter}")]

        def joined(field: str) -> np.ndarray:
            return np.concatenate([np.zeros(0, dtype=bool),
                                   *(getattr(kind, field).ravel() for kind in kinds)])

        return Noticed(joined("probes"), joined("pins"), joined("idle"))


def sensitivity(network: Network, images: npt.ArrayLike) -> Sensitivity:
    """Follow every single change of a parameter through some images.

    Each layer must be exact: where tiles sense anything but their counts, what a change does to a
    sum depends on all else in its tile. Nor may samples of an image be kept apart.

    Takes time and memory in proportion to images × weights; where there are several hidden layers,
    to images × neurons × weights of the layers behind them.
    """
    if network.shape.tiles:
        raise InputError("single changes cannot be followed through tiles that sense anything but "
                         "their counts: take the network whose layers are exact")
    if network.shape.apart:
        raise InputError("single changes cannot be followed to scores that add up samples, as "
                         "those of one may make up for those of another: take a network that adds "
                         "them up in its first layer")
    images = network.encoder.check(images)
    counts = _Changes(network)
    widest = max(layer.weights.size for layer in network.all_layers)
    chunk = max(1, CELLS // widest)
    for start in range(0, len(images), chunk):
        counts.follow(images[start:start + chunk])
    return Sensitivity(len(images), counts.noticed())


class _Changes:
    """What was noticed of each change so far: an array for each kind, of probes and of pins."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.layers, self.scores = network.binary("sensitivity")
        self.names = [*(f"layer{n}" for n in range(len(network.layers))), "scores"]
        self.probes: dict[str, np.ndarray] = {}
        self.pins: dict[str, np.ndarray] = {}
        for name, layer in zip(self.names, (*self.layers, self.scores), strict=True):
            self._add(f"{name}.weights", layer.weights.shape)
            if not layer.bipolar:
                self._add(f"{name}.cells", layer.weights.shape)
            if name != "scores":
                self._add(f"{name}.thresholds", (layer.outputs, 2))
        self._add("scores.bias", (network.classes, 2))
        if network.shape.gain_bits:
            self._add("scores.gain", (network.classes, 2))

    def _add(self, kind: str, shape: tuple[int, ...]) -> None:
        self.probes[kind] = np.zeros(shape, dtype=bool)
        self.pins[kind] = np.zeros(shape, dtype=bool)

    def follow(self, images: np.ndarray) -> None:
        """Note what these images, at least one, show."""
        network, trace = self.network, self.network.trace(images)
        planes, low = network.encoder(images), -1 if network.encoder.bipolar else 0
        x = np.einsum("p,npi->ni", np.array(network.encoder.gains), np.where(planes, 1, low))
        for n, layer in enumerate(self.layers):
            self._follow_layer(n, layer, x, trace)
            x = np.where(trace[f"layer{n}.bits"], 1, -1)
        gain = self.scores.gain
        for kind, change in _lost(self.scores, x).items():
            seen = (change != 0).any(axis=0)
            self.probes[f"scores.{kind}"] |= seen
            self.pins[f"scores.{kind}"] |= seen & (gain != 0)[:, None]
        for seen_by in (self.probes, self.pins):
            seen_by["scores.bias"][:] = True
            if "scores.gain" in seen_by:
                seen_by["scores.gain"] |= (trace["scores.acc"] != 0).any(axis=0)[:, None]

    def _follow_layer(self, n: int, layer: Dense, x: np.ndarray,
                      trace: dict[str, np.ndarray]) -> None:
        acc, matters = trace[f"layer{n}.acc"], self._matters(n, trace)
        margin = acc - layer.thresholds
        sign = np.where(layer.weights, 1, -1)
        for kind, change in _lost(layer, x).items():
            self.probes[f"layer{n}.{kind}"] |= (change != 0).any(axis=0)
            for neuron in range(layer.outputs):
                # Only accumulators this near to the threshold can change sides.
                near = matters[:, neuron] & (abs(margin[:, neuron]) <= abs(change).max())
                before = margin[near, neuron, None]
                toggled = (before - sign[neuron] * change[near] >= 0) != (before >= 0)
                self.pins[f"layer{n}.{kind}"][neuron] |= toggled.any(axis=0)
        sums = (acc + layer.offset) // layer.scale
        limit = layer.sum_threshold(layer.thresholds)
        # One less lets the sum below the threshold fire; one more keeps the threshold from it.
        for side, there in enumerate((sums == limit - 1, sums == limit)):
            self.probes[f"layer{n}.thresholds"][:, side] |= there.any(axis=0)
            self.pins[f"layer{n}.thresholds"][:, side] |= (there & matters).any(axis=0)

    def _matters(self, n: int, trace: dict[str, np.ndarray]) -> np.ndarray:
        """Whether a score changes with the bit of each neuron of a layer: images × neurons."""
        layers, bits = self.layers, trace[f"layer{n}.bits"]
        if n == len(layers) - 1:
            # Each accumulator of the scores changes by 2, and its score by twice the gain.
            return np.full(bits.shape, bool(self.scores.gain.any()))
        following, result = layers[n + 1], np.zeros(bits.shape, dtype=bool)
        sign = np.where(following.weights, 2, -2)
        for neuron in range(layers[n].outputs):
            change = np.where(bits[:, neuron, None], sign[:, neuron], -sign[:, neuron])
            after = trace[f"layer{n + 1}.acc"] - change >= following.thresholds
            differs = np.flatnonzero((after != trace[f"layer{n + 1}.bits"]).any(axis=1))
            result[differs, neuron] = (self._scores(n + 2, after[differs])
                                       != trace["scores"][differs]).any(axis=1)
        return result

    def _scores(self, n: int, bits: np.ndarray) -> np.ndarray:
        """Scores for the bits that enter a layer."""
        for layer in self.layers[n:]:
            bits = layer(bits[:, None, :])
        return self.scores(bits[:, None, :])

    def noticed(self) -> dict[str, Noticed]:
        """All that was noted."""
        possible = coverage(self.network, np.zeros((0, self.network.inputs), dtype=int)).possible
        result = {}
        for kind, probes in self.probes.items():
            name, _, parameter = kind.partition(".")
            idle = np.zeros(probes.shape, dtype=bool)
            if parameter == "thresholds":
                idle = ~possible[self.names.index(name)]
            result[kind] = Noticed(probes, self.pins[kind], idle)
        return result


def _lost(layer: Accumulate, x: np.ndarray) -> dict[str, np.ndarray]:
    """What the other weight, and the other bit in memory, takes from an accumulator of a positive
    weight, and gives to one of a negative: for each input, images × inputs.
    """
    # The other weight brings in −x for x. A wrong bit of memory counts the places in which inputs
    # are clear for those in which they are set, and nobody corrects for that.
    lost = {"weights": 2 * x}
    if not layer.bipolar:
        lost["cells"] = 2 * x - sum(layer.gains)
    return lost
