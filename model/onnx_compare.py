"""Whether an exported graph computes what its network does."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .network import Network
from .onnx_writer import takes_signs


__all__ = ["Comparison", "compare", "expected_of"]


ROWS = 256   # images that are executed at once


@dataclass(frozen=True)
class Comparison:
    """How many numbers of how many images were compared, and in which the two part.

    Parameters
    ----------
    images, numbers : :class:`int`
    mismatches : :class:`int`
    first : :class:`str`
        The first difference, in words; empty if there is none.
    """

    images: int
    numbers: int
    mismatches: int
    first: str = ""


def compare(model: Any, network: Network, images: np.ndarray) -> Comparison:
    """Execute a graph of :func:`model.onnx_writer.build` with the qonnx package, in float32, and
    compare every number of the network's trace with the tensor of its name.

    Parameters
    ----------
    model : :class:`onnx.ModelProto`
    network : :class:`model.network.Network`
    images : array of integers, images × inputs
    """
    try:
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.change_batchsize import ChangeBatchSize
        from qonnx.transformation.infer_shapes import InferShapes
    except ImportError as error:
        raise InputError(f"{error.name} is not installed: pip install 'ohmbit[qonnx]'") from None
    rows = max(1, min(ROWS, len(images)))
    wrapped = ModelWrapper(model, make_deepcopy=True).transform(ChangeBatchSize(rows)) \
        .transform(InferShapes())
    kind = np.uint8 if network.encoder.bits <= 8 else np.uint16
    numbers, mismatches, first = 0, 0, ""
    for start in range(0, len(images), rows):
        part = images[start:start + rows]
        given = np.zeros((rows, network.inputs), dtype=kind)
        given[:len(part)] = part
        found = execute_onnx(wrapped, {"pixels": given}, return_full_exec_context=True)
        for name, values in network.trace(part).items():
            got = found[name][:len(part)]
            expected = expected_of(network, name, values)
            wrong = np.argwhere(got != expected)
            numbers += values.size
            mismatches += len(wrong)
            if len(wrong) and not first:
                image, neuron = wrong[0].tolist()
                first = f"{name}, image {start + image}, neuron {neuron}: " \
                        f"{got[image, neuron]:g} instead of {expected[image, neuron]}"
    return Comparison(len(images), numbers, mismatches, first)


def expected_of(network: Network, name: str, values: np.ndarray) -> np.ndarray:
    """What an exported graph has for a part of a network's trace."""
    values, bits = values.astype(np.int64), values.dtype == bool
    if not bits:
        return values
    n = int(name.removeprefix("layer").removesuffix(".bits"))
    return 2 * values - 1 if takes_signs(network.all_layers[n + 1]) else values
