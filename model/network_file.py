"""Networks in files."""

import io
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .compend import Compend
from .dense import Dense
from .encoder import BitSerial, Lookup, Threshold
from .errors import InputError
from .files import whole
from .packing import pack64
from .planes import planes_after
from .scores import Scores
from .stochastic import Stochastic


if TYPE_CHECKING:
    from .network import Network


__all__ = ["FORMATS", "fields", "header_of", "of_layers", "read", "write"]


FORMATS  = (1, 2, 3, 4)   # with tiles; with weights of several bits; with few bits in crossbars
ENCODERS = {kind.__name__: kind for kind in (BitSerial, Lookup, Threshold, Stochastic)}

Kind = TypeVar("Kind")


def header_of(network: "Network") -> dict[str, Any]:
    """What a network's file says of it beside its arrays, for JSON."""
    header: dict[str, Any] = {
        "format": 1, "encoder": {"kind": type(network.encoder).__name__, **vars(network.encoder)},
        "sizes": network.shape.sizes, "dataset": network.dataset,
        "class_names": network.class_names}
    if set(network.tiles) != {(None, "exact")}:
        header |= {"format": 2, "tiles": network.tiles}
    serial = [vars(layer.serial) | {"factor": layer.factor} if isinstance(layer, Compend) else None
              for layer in network.all_layers]
    if any(serial):
        header |= {"format": 3, "serial": serial, "tiles": network.tiles}
    if network.shape.few:
        header |= {"format": 4, "serial": serial, "tiles": network.tiles,
                   "weight_bits": [bits for bits, _ in network.shape.few]}
    return header


def write(path: str | os.PathLike[str], network: "Network") -> None:
    """Write a network to an ``.npz`` file, whole or not at all."""
    arrays = {"ohmbit": np.array(json.dumps(header_of(network)))}
    for n, layer in enumerate(network.all_layers):
        arrays |= {f"layer{n}.{name}": values for name, values in _arrays(layer).items()}
    if isinstance(network.scores, Scores):
        arrays |= {"scores.gain": network.scores.gain, "scores.bias": network.scores.bias}
    with whole(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _arrays(layer: Dense | Scores | Compend) -> dict[str, np.ndarray]:
    if isinstance(layer, Compend):
        shifts = {} if layer.shifts is None else {"shifts": layer.shifts}
        return {"weights": layer.weights.astype("<i4", order="C"), "bias": layer.bias, **shifts}
    thresholds = {"thresholds": layer.thresholds} if isinstance(layer, Dense) else {}
    weights = pack64(layer.weights) if layer.weight_bits == 1 \
        else layer.weights.astype("<i4", order="C")
    return {"weights": weights, **thresholds}


def read(path: str | os.PathLike[str], kind: Callable[..., Kind]) -> Kind:
    """What :func:`write` wrote, as :py:`kind` makes it of a network's fields.

    Anything else is an :class:`InputError`.
    """
    try:
        contents = io.BytesIO(pathlib.Path(path).read_bytes())
        if not zipfile.is_zipfile(contents):
            raise zipfile.BadZipFile("it is no zip archive")
        with np.load(contents, allow_pickle=False) as arrays:
            if "ohmbit" not in arrays.files:
                raise ValueError("it was not written by ohmbit")
            return kind(*fields(json.loads(str(arrays["ohmbit"])), arrays))
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


def fields(header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[Any, ...]:
    """A network's fields, of its header and its arrays.

    Where they are none, one of the errors that Python has for it.
    """
    if header["format"] not in FORMATS:
        raise ValueError(f"its format is {header['format']}, and this ohmbit reads "
                         f"{', '.join(map(str, FORMATS))}")
    pixels = dict(header["encoder"])
    kind = pixels.pop("kind")
    if kind not in ENCODERS:
        raise ValueError(f"its encoder {kind!r} is unknown to this ohmbit")
    encoder = ENCODERS[kind](**pixels)
    pairs = list(pairwise(header["sizes"]))
    given = of_layers(header)
    layers: list[Any] = []
    for n, ((inputs, outputs), (rows, sense), serial, weight_bits) in enumerate(
            zip(pairs, *given.values(), strict=True)):
        weights = arrays[f"layer{n}.weights"]
        if serial is not None:
            layers.append(_serial(weights, arrays, f"layer{n}", (outputs, inputs), serial))
            continue
        gains, bipolar = planes_after(encoder, layers[n - 1] if n else None)
        if weight_bits == 1:
            weights = _unpack64(weights, inputs, outputs)
        elif weights.shape != (outputs, inputs):
            raise ValueError(f"weights of {outputs} x {inputs} are missing or of another size")
        options = {"tile_rows": rows, "sense": sense, "weight_bits": weight_bits}
        layers.append(
            Scores(weights, arrays["scores.gain"], arrays["scores.bias"], **options)
            if n == len(pairs) - 1 else
            Dense(weights, arrays[f"layer{n}.thresholds"], gains=gains, bipolar=bipolar,
                  **options))
    return (encoder, tuple(layers[:-1]), layers[-1], header["dataset"],
            tuple(header["class_names"]))


def of_layers(header: dict[str, Any]) -> dict[str, list[Any]]:
    """What a header says of each layer: tiles, what one of several bits is made for, and bits of a
    weight.
    """
    pairs = list(pairwise(header["sizes"]))
    given: dict[str, list[Any]] = {
        "tiles": [(None, "exact")] * len(pairs) if header["format"] == 1 else header["tiles"],
        "serial": header["serial"] if header["format"] >= 3 else [None] * len(pairs),
        "weight_bits": header["weight_bits"] if header["format"] == 4 else [1] * len(pairs)}
    for name, values in given.items():
        if len(values) != len(pairs):
            raise ValueError(f"{name} of {len(values)} layers are there, not of {len(pairs)}")
    return given


def _serial(weights: np.ndarray, arrays: Mapping[str, np.ndarray], name: str, size: tuple[int, int],
            given: dict[str, Any]) -> Compend:
    if weights.shape != size:
        raise ValueError(f"weights of {size[0]} x {size[1]} are missing or of another size")
    shifts = arrays[f"{name}.shifts"] if given["activation"] == "relu" else None
    return Compend(weights, arrays[f"{name}.bias"], shifts=shifts, **given)


def _unpack64(words: np.ndarray, inputs: int, outputs: int) -> np.ndarray:
    """Undo :func:`model.packing.pack64` for a matrix of weights."""
    if words.dtype != np.dtype("<u8") or words.shape != (outputs, -(-inputs // 64)):
        raise ValueError(f"weights of {outputs} x {inputs} cells are missing or of another size")
    rows = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(rows, axis=1, count=inputs, bitorder="little").astype(bool)
