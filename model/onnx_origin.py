"""Which network a graph was exported from."""

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import network_file
from .errors import InputError
from .network import Network
from .onnx_writer import KEY, build
from .packing import pack64


__all__ = ["Origin", "read"]


# What numbers and arrays that somebody has changed may lead to.
BROKEN = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, InputError)


@dataclass(frozen=True, eq=False)
class Origin:
    """What a graph that :func:`model.onnx_writer.write` wrote says of its network.

    Parameters
    ----------
    bits : :class:`int`
        Of a pixel.
    dataset, class_names
        As :class:`model.network.Network` has them.
    network : :class:`model.network.Network`, or None
        The one whose export is this very graph; None where the graph is no longer what was written.
    """

    bits: int
    dataset: str
    class_names: tuple[str, ...]
    network: Network | None


def read(path: str | os.PathLike[str]) -> Origin | None:
    """What a file that is an ONNX model says; None where it is no export.

    An :exc:`InputError` where it says it in a way that export does not.
    """
    import onnx
    model = onnx.load(path)
    said = {each.key: each.value for each in model.metadata_props}
    if KEY not in said:
        return None
    try:
        header = json.loads(said[KEY])
        bits, dataset = header["encoder"]["bits"], header["dataset"]
        class_names = tuple(header["class_names"])
        if type(bits) is not int or not 1 <= bits <= 16 \
                or not all(isinstance(text, str) for text in (dataset, *class_names)):
            raise ValueError("of other kinds")
    except (KeyError, TypeError, ValueError, RecursionError):
        raise InputError(f"{path}: its metadata {KEY!r} are not what `ohmbit export` writes: "
                         "export the network again, or remove them") from None
    return Origin(bits, dataset, class_names, _network(header, model.graph))


def _network(header: dict[str, Any], graph: Any) -> Network | None:
    """A network whose export is this graph, which it is known to be by exporting it."""
    from onnx import numpy_helper
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    try:
        with np.errstate(all="ignore"):
            network = Network(*network_file.fields(header, _arrays(header, constants)))
        return network if build(network).graph == graph else None
    except BROKEN:
        return None


def _arrays(header: dict[str, Any], constants: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A graph's constants as a network's file has them."""
    arrays = {}
    given = network_file.of_layers(header)
    last = len(given["serial"]) - 1
    for n, (serial, bits) in enumerate(zip(given["serial"], given["weight_bits"], strict=True)):
        name = "scores" if n == last else f"layer{n}"
        weights = constants[f"{name}.weights"].T
        arrays[f"layer{n}.weights"] = weights.astype(np.int64) if serial or bits > 1 \
            else pack64(weights > 0)
        if f"{name}.thresholds" in constants:
            thresholds = (constants[f"{name}.thresholds"] + 0.5).astype(np.int64)
            if thresholds.shape[1:] == (1,):
                thresholds = thresholds[:, 0]
            arrays |= {f"layer{n}.thresholds": thresholds, f"layer{n}.bias": -thresholds}
        if f"{name}.bias" in constants:
            arrays[f"layer{n}.bias"] = constants[f"{name}.bias"].astype(np.int64)
        if f"{name}.factors" in constants:
            arrays[f"layer{n}.shifts"] = -np.log2(constants[f"{name}.factors"]).astype(np.int64)
    return arrays | {name: constants[name].astype(np.int64) for name in ("scores.gain",
                                                                        "scores.bias")
                     if name in constants}
