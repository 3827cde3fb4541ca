"""A whole network: an input encoder, dense layers, scores."""

import os
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from . import network_file
from .compend import Compend
from .dense import Dense
from .encoder import BitSerial, Encoder
from .errors import InputError
from .planes import planes_after
from .scores import Scores, argmax
from .shape import Shape


__all__ = ["Network", "Shape"]


BLOCK      = 256   # images whose activations stay in cache from layer to layer
SCORE_BITS = 32


Layer  = Dense | Compend
Output = Scores | Compend


@dataclass(frozen=True, eq=False)
class Network:
    """Encoder, hidden layers and scores, in that order.

    Calling a network gives the class of each image, the lowest index of its greatest score.

    A layer of weights of several bits takes numbers: pixels themselves from the encoder, and bits
    of 0 and 1, or numbers, from a layer. One of binary weights takes planes of bits: of what the
    encoder makes of pixels, or of the numbers that a layer gives; or bits that stand for ±1.

    Parameters
    ----------
    encoder : :class:`model.encoder.Encoder`
        A :class:`model.encoder.BitSerial` where the first layer's weights have several bits.
    layers : tuple of :class:`model.dense.Dense` or :class:`model.compend.Compend`
        May be empty. Each takes as many bits of an activation as the one before it gives.
    scores : :class:`model.scores.Scores` or :class:`model.compend.Compend`
        The latter a linear one with an accumulator of 32 bits at most, whose sums are the scores.
    dataset : :class:`str`
        The dataset that the network was trained on, by name or path; empty if none.
    class_names : tuple of :class:`str`
        One for each class, or none at all.
    """

    encoder: Encoder
    layers: tuple[Layer, ...]
    scores: Output
    dataset: str = ""
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "class_names", tuple(self.class_names))
        self._check_serial()
        *layers, scores = (self._with_planes(n) for n in range(len(self.all_layers)))
        object.__setattr__(self, "layers", tuple(layers))
        object.__setattr__(self, "scores", scores)
        for n, (layer, following) in enumerate(pairwise(self.all_layers)):
            if layer.outputs != following.inputs:
                raise ValueError(f"Layers must chain: layer {n} has {layer.outputs} outputs "
                                 f"and layer {n + 1} takes {following.inputs} inputs")
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"Class names must be one per class ({self.classes}), "
                             f"not {len(self.class_names)}")

    def _check_serial(self) -> None:
        """Whether layers of weights of several bits fit where they are."""
        last = len(self.layers)
        for n, layer in enumerate(self.all_layers):
            binary = not isinstance(layer, Compend) and _binary(layer)
            if self._apart and not binary:
                raise ValueError("Samples must not be kept apart where weights or activations have "
                                 "several bits")
            if not isinstance(layer, Compend):
                continue
            if n == 0 and not isinstance(self.encoder, BitSerial):
                raise ValueError("Encoder must give whole pixels to a layer of weights of several "
                                 f"bits: a BitSerial, not {type(self.encoder).__name__}")
            bits = self.encoder.bits if n == 0 else self.layers[n - 1].output_bits
            if layer.input_bits != bits:
                raise ValueError(f"Activations must have the {bits} bits in layer {n} that come "
                                 f"there, not {layer.input_bits}")
            if (layer.activation == "linear") != (n == last):
                raise ValueError("Activation must be linear in the last layer alone, not "
                                 f"{layer.activation} in layer {n} of {last + 1}")
            if n == last and layer.serial.acc_bits > SCORE_BITS:
                raise ValueError(f"Scores must have at most {SCORE_BITS} bits, "
                                 f"not {layer.serial.acc_bits}")

    def _with_planes(self, n: int) -> Any:
        """A layer as it is, or that of binary weights with the planes that come there."""
        layer = self.all_layers[n]
        if isinstance(layer, Compend):
            return layer
        if self._apart:
            gains = self.encoder.gains if n == len(self.layers) else (1,)
            return replace(layer, gains=gains, bipolar=n > 0 or self.encoder.bipolar)
        gains, bipolar = planes_after(self.encoder, self.layers[n - 1] if n else None)
        return replace(layer, gains=gains, bipolar=bipolar)

    @property
    def all_layers(self) -> tuple[Layer | Output, ...]:
        """The hidden layers and the scores."""
        return (*self.layers, self.scores)

    @property
    def inputs(self) -> int:
        return self.all_layers[0].inputs

    @property
    def classes(self) -> int:
        return self.scores.outputs

    @property
    def shape(self) -> Shape:
        binary = [layer for layer in self.all_layers if not isinstance(layer, Compend)]
        serial = tuple(layer.serial if isinstance(layer, Compend) else None
                       for layer in self.all_layers)
        gain_bits, score_bits = (0, 16 if self.scores.serial.acc_bits <= 16 else SCORE_BITS) \
            if isinstance(self.scores, Compend) else (self.scores.gain_bits, self.scores.score_bits)
        few = tuple((1, 1) if isinstance(layer, Compend) else
                    (layer.weight_bits, layer.output_bits if isinstance(layer, Dense) else 1)
                    for layer in self.all_layers)
        return Shape(self.encoder,
                     (self.inputs, *(layer.outputs for layer in self.all_layers)),
                     gain_bits, score_bits,
                     () if all(layer.exact for layer in binary) else self.tiles,
                     serial if any(serial) else (),
                     few if set(few) != {(1, 1)} else ())

    @property
    def tiles(self) -> tuple[tuple[int | None, str | int], ...]:
        """Rows of a tile, and how it senses, of each layer."""
        return tuple((None, "exact") if isinstance(layer, Compend) else
                     (layer.tile_rows, layer.sense) for layer in self.all_layers)

    @property
    def _apart(self) -> bool:
        return self.encoder.apart and bool(self.layers)

    def binary(self, what: str) -> tuple[tuple[Dense, ...], Scores]:
        """Hidden layers and scores, for :py:`what` asks for binary weights in all of them.

        :exc:`InputError` where some have several bits.
        """
        several = [str(n) for n, layer in enumerate(self.all_layers)
                   if isinstance(layer, Compend) or not _binary(layer)]
        layers = tuple(layer for layer in self.layers if isinstance(layer, Dense))
        if several or isinstance(self.scores, Compend):
            raise InputError(f"{what} is for binary weights and activations, and those of layer "
                             f"{', '.join(several)} have several bits: take a network of binary "
                             "layers")
        return layers, self.scores

    def drawing(self, samples: int) -> "Network":
        """What hardware that is built for this network computes while it draws so many samples."""
        return replace(self, encoder=self.encoder.drawing(samples))

    def detecting(self, detection: str, factor: int | None = None) -> "Network":
        """The same with another detection, as hardware may be told at run time.

        Parameters
        ----------
        detection, factor
            Of all layers of weights of several bits, as :class:`model.compend.Compend` has them;
            each keeps its factor if that is None.
        """
        if not any(isinstance(layer, Compend) for layer in self.layers):
            raise ValueError("Detection can be chosen where hidden layers have weights of several "
                             "bits, and here none has")
        given: dict[str, Any] = {"detection": detection} | (
            {} if factor is None else {"factor": factor})
        return replace(self, layers=tuple(
            replace(layer, **given) if isinstance(layer, Compend) else layer
            for layer in self.layers))

    def into(self, n: int, x: np.ndarray) -> np.ndarray:
        """What a layer takes, for images or for what the layer before it gives of them.

        That is numbers where its weights have several bits, else planes of bits.
        """
        layer = self.all_layers[n]
        if isinstance(layer, Compend):
            return x
        if n == 0:
            planes = self.encoder(x)
            return planes[:, :, None, :] if self._apart else planes
        if self._apart and n == len(self.layers):
            return x
        if len(layer.gains) > 1:
            return BitSerial(len(layer.gains))(x)
        return x[..., None, :] != 0

    def trace(self, images: npt.ArrayLike) -> dict[str, np.ndarray]:
        """Every intermediate: :py:`layerN.acc` and :py:`layerN.bits` of each hidden layer, then
        :py:`scores.acc` and :py:`scores`; each images × outputs. Where planes are kept apart,
        those of hidden layers are images × planes × outputs.

        Where activations are numbers they are :py:`layerN.values`. A :class:`model.compend.Compend`
        has no accumulators here, and as scores :py:`scores` alone.
        """
        x = self._check(images)
        trace: dict[str, np.ndarray] = {}
        for n, layer in enumerate(self.layers):
            seen = self.into(n, x)
            if isinstance(layer, Compend):
                x = layer(seen)
                if layer.activation == "relu":
                    trace[f"layer{n}.values"] = x
                    continue
            else:
                trace[f"layer{n}.acc"] = acc = layer.acc(seen)
                x = layer.fired(acc)
                if layer.output_bits > 1:
                    trace[f"layer{n}.values"] = x
                    continue
            trace[f"layer{n}.bits"] = x = x != 0
        seen = self.into(len(self.layers), x)
        if isinstance(self.scores, Compend):
            trace["scores"] = self.scores(seen)
        else:
            trace["scores.acc"] = acc = self.scores.acc(seen)
            trace["scores"] = self.scores.gain * acc + self.scores.bias
        return trace

    def _check(self, images: npt.ArrayLike) -> np.ndarray:
        images = np.asarray(images)
        if images.shape[1:] != (self.inputs,):
            raise ValueError(f"Images must have {self.inputs} pixels, not shape {images.shape}")
        return self.encoder.check(images)

    def scores_of(self, images: npt.ArrayLike) -> np.ndarray:
        """Scores of each image: images × classes.

        The last of what :meth:`trace` gives, sooner, as nothing else is kept.
        """
        images = self._check(images)
        scores = np.empty((len(images), self.classes), dtype=np.int64)
        for start in range(0, len(images), BLOCK):
            x = images[start:start + BLOCK]
            if self._apart:
                x = self._bits_apart(x)
            else:
                for n, layer in enumerate(self.layers):
                    x = layer(self.into(n, x))
            scores[start:start + BLOCK] = self.scores(self.into(len(self.layers), x))
        return scores

    def _bits_apart(self, images: np.ndarray) -> np.ndarray:
        """Last hidden bits of planes that are kept apart, one after another, to bound memory."""
        planes = self.encoder(images)
        bits = np.empty((*planes.shape[:2], self.scores.inputs), dtype=bool)
        for plane in range(planes.shape[1]):
            x = planes[:, plane]
            for layer in self.layers:
                x = layer(x[:, None, :])
            bits[:, plane] = x
        return bits

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        return argmax(self.scores_of(images))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to an ``.npz`` file, whole or not at all."""
        network_file.write(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Network":
        """Read what :meth:`save` wrote. Anything else is an :class:`InputError`."""
        return network_file.read(path, cls)


def _binary(layer: Dense | Scores) -> bool:
    """Whether a layer has one bit of each."""
    return layer.weight_bits == 1 and (isinstance(layer, Scores) or layer.output_bits == 1)
