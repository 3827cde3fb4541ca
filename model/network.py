"""A whole network: an input encoder, dense layers, scores."""

import io
import json
import os
import pathlib
import zipfile
import zlib
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .dense import Dense
from .encoder import BitSerial, Encoder, Threshold
from .errors import InputError
from .files import whole
from .packing import pack64
from .scores import Scores, argmax
from .stochastic import Stochastic


__all__ = ["Network", "Shape"]


FORMATS  = (1, 2)   # the second says how each layer is spread over tiles
ENCODERS = {kind.__name__: kind for kind in (BitSerial, Threshold, Stochastic)}
BLOCK    = 256   # images whose activations stay in cache from layer to layer


@dataclass(frozen=True)
class Shape:
    """All that hardware is made for; networks of one shape can take each other's place in it.

    :py:`sizes` holds the number of inputs, of neurons in each hidden layer, and of classes.
    :py:`tiles` holds :py:`tile_rows` and :py:`sense` of each layer, as
    :class:`model.accumulate.Accumulate` has them; nothing where all layers are exact, whose
    hardware does not depend on it.
    """

    encoder: Encoder
    sizes: tuple[int, ...]
    gain_bits: int
    score_bits: int
    tiles: tuple[tuple[int | None, str | int], ...] = ()

    @property
    def inputs(self) -> int:
        return self.sizes[0]

    @property
    def classes(self) -> int:
        return self.sizes[-1]

    @property
    def apart(self) -> bool:
        """Whether hidden layers take one plane of an image after another."""
        return self.encoder.apart and len(self.sizes) > 2

    @property
    def built(self) -> "Shape":
        """What hardware is built for; at run time it may draw fewer samples."""
        return replace(self, encoder=self.encoder.built)

    def __str__(self) -> str:
        return "-".join(map(str, self.sizes))


@dataclass(frozen=True, eq=False)
class Network:
    """Encoder, hidden layers and scores, in that order.

    Calling a network gives the class of each image, the lowest index of its greatest score.

    Parameters
    ----------
    encoder : :class:`model.encoder.Encoder`
    layers : tuple of :class:`model.dense.Dense`
        May be empty. The first layer takes its planes from the encoder.
    scores : :class:`model.scores.Scores`
    dataset : :class:`str`
        The dataset that the network was trained on, by name or path; empty if none.
    class_names : tuple of :class:`str`
        One for each class, or none at all.
    """

    encoder: Encoder
    layers: tuple[Dense, ...]
    scores: Scores
    dataset: str = ""
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        gains, bipolar = self.encoder.gains, self.encoder.bipolar
        layers, scores = tuple(self.layers), replace(self.scores, gains=(1,), bipolar=True)
        if layers:
            layers = (replace(layers[0], gains=(1,) if self._apart else gains, bipolar=bipolar),
                      *layers[1:])
        if self._apart:
            scores = replace(scores, gains=gains)
        elif not layers:
            scores = replace(scores, gains=gains, bipolar=bipolar)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "class_names", tuple(self.class_names))
        for n, (layer, following) in enumerate(pairwise(self.all_layers)):
            if layer.outputs != following.inputs:
                raise ValueError(f"Layers must chain: layer {n} has {layer.outputs} outputs "
                                 f"and layer {n + 1} takes {following.inputs} inputs")
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"Class names must be one per class ({self.classes}), "
                             f"not {len(self.class_names)}")

    @property
    def all_layers(self) -> tuple[Dense | Scores, ...]:
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
        return Shape(self.encoder,
                     (self.inputs, *(layer.outputs for layer in self.all_layers)),
                     self.scores.gain_bits, self.scores.score_bits,
                     () if all(layer.exact for layer in self.all_layers) else self._tiles)

    @property
    def _tiles(self) -> tuple[tuple[int | None, str | int], ...]:
        return tuple((layer.tile_rows, layer.sense) for layer in self.all_layers)

    @property
    def _apart(self) -> bool:
        return self.encoder.apart and bool(self.layers)

    def drawing(self, samples: int) -> "Network":
        """What hardware that is built for this network computes while it draws so many samples."""
        return replace(self, encoder=self.encoder.drawing(samples))

    def trace(self, images: npt.ArrayLike) -> dict[str, np.ndarray]:
        """Every intermediate: :py:`layerN.acc` and :py:`layerN.bits` of each hidden layer, then
        :py:`scores.acc` and :py:`scores`; each images × outputs. Where planes are kept apart,
        those of hidden layers are images × planes × outputs.
        """
        planes = self.encoder(self._check(images))
        if self._apart:
            planes = planes[:, :, None, :]
        trace: dict[str, np.ndarray] = {}
        for n, layer in enumerate(self.layers):
            trace[f"layer{n}.acc"] = acc = layer.acc(planes)
            trace[f"layer{n}.bits"] = bits = acc >= layer.thresholds
            planes = bits[..., None, :]
        if self._apart:
            planes = planes[:, :, 0]
        trace["scores.acc"] = acc = self.scores.acc(planes)
        trace["scores"] = self.scores.gain * acc + self.scores.bias
        return trace

    def _check(self, images: npt.ArrayLike) -> np.ndarray:
        images = np.asarray(images)
        if images.shape[1:] != (self.inputs,):
            raise ValueError(f"Images must have {self.inputs} pixels, not shape {images.shape}")
        return images

    def scores_of(self, images: npt.ArrayLike) -> np.ndarray:
        """Scores of each image: images × classes.

        The last of what :meth:`trace` gives, sooner, as nothing else is kept.
        """
        images = self.encoder.check(self._check(images))
        scores = np.empty((len(images), self.classes), dtype=np.int64)
        for start in range(0, len(images), BLOCK):
            planes = self.encoder(images[start:start + BLOCK])
            if self._apart:
                scores[start:start + BLOCK] = self._scores_apart(planes)
                continue
            for layer in self.layers:
                planes = layer(planes)[:, None, :]
            scores[start:start + BLOCK] = self.scores(planes)
        return scores

    def _scores_apart(self, planes: np.ndarray) -> np.ndarray:
        """Scores for planes that are kept apart, one of them after another, to bound memory."""
        bits = np.empty((*planes.shape[:2], self.scores.inputs), dtype=bool)
        for plane in range(planes.shape[1]):
            x = planes[:, plane:plane + 1]
            for layer in self.layers:
                x = layer(x)[:, None, :]
            bits[:, plane] = x[:, 0]
        return self.scores(bits)

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        return argmax(self.scores_of(images))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to an ``.npz`` file, whole or not at all."""
        tiles = {"tiles": self._tiles} if set(self._tiles) != {(None, "exact")} else {}
        header = {"format": FORMATS[bool(tiles)], **tiles,
                  "encoder": {"kind": type(self.encoder).__name__, **vars(self.encoder)},
                  "sizes": self.shape.sizes, "dataset": self.dataset,
                  "class_names": self.class_names}
        arrays = {"ohmbit": np.array(json.dumps(header)),
                  "scores.gain": self.scores.gain, "scores.bias": self.scores.bias}
        for n, layer in enumerate(self.all_layers):
            arrays[f"layer{n}.weights"] = pack64(layer.weights)
        for n, layer in enumerate(self.layers):
            arrays[f"layer{n}.thresholds"] = layer.thresholds
        with whole(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Network":
        """Read what :meth:`save` wrote. Anything else is an :class:`InputError`."""
        try:
            contents = io.BytesIO(pathlib.Path(path).read_bytes())
            if not zipfile.is_zipfile(contents):
                raise zipfile.BadZipFile("it is no zip archive")
            with np.load(contents, allow_pickle=False) as arrays:
                return cls._from_arrays(arrays)
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; `ohmbit train DATASET -o {path}` makes "
                             "one") from None
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"{path}: not a network file, or cut short ({error}); train or copy "
                             "it again") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = "it holds pickled objects, which are never loaded" \
                if "allow_pickle" in str(error) else str(error).strip("'\"")
            raise InputError(f"{path}: not a network that ohmbit can use: {why}") from None

    @classmethod
    def _from_arrays(cls, arrays: "np.lib.npyio.NpzFile") -> "Network":
        if "ohmbit" not in arrays.files:
            raise ValueError("it was not written by ohmbit")
        header = json.loads(str(arrays["ohmbit"]))
        if header["format"] not in FORMATS:
            raise ValueError(f"its format is {header['format']}, and this ohmbit reads "
                             f"{' and '.join(map(str, FORMATS))}")
        kind = header["encoder"].pop("kind")
        if kind not in ENCODERS:
            raise ValueError(f"its encoder {kind!r} is unknown to this ohmbit")
        sizes = header["sizes"]
        weights = [_unpack64(arrays[f"layer{n}.weights"], inputs, outputs)
                   for n, (inputs, outputs) in enumerate(pairwise(sizes))]
        encoder = ENCODERS[kind](**header["encoder"])
        tiles = [(None, "exact")] * len(weights) if header["format"] == 1 else header["tiles"]
        if len(tiles) != len(weights):
            raise ValueError(f"tiles of {len(tiles)} layers are there, not of {len(weights)}")
        ways: list[Any] = [{"tile_rows": rows, "sense": sense} for rows, sense in tiles]
        layers = tuple(Dense(w, arrays[f"layer{n}.thresholds"],
                             gains=encoder.gains if n == 0 else (1,),
                             bipolar=encoder.bipolar if n == 0 else True, **way)
                       for n, (w, way) in enumerate(zip(weights[:-1], ways, strict=False)))
        scores = Scores(weights[-1], arrays["scores.gain"], arrays["scores.bias"], **ways[-1])
        return cls(encoder, layers, scores, header["dataset"], tuple(header["class_names"]))


def _unpack64(words: np.ndarray, inputs: int, outputs: int) -> np.ndarray:
    """Undo :func:`model.packing.pack64` for a matrix of weights."""
    if words.dtype != np.dtype("<u8") or words.shape != (outputs, -(-inputs // 64)):
        raise ValueError(f"weights of {outputs} x {inputs} cells are missing or of another size")
    rows = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(rows, axis=1, count=inputs, bitorder="little").astype(bool)
