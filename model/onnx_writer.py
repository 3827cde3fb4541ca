"""Networks as QONNX graphs."""

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import network_file
from .accumulate import Accumulate
from .compend import Compend
from .dense import Dense
from .encoder import BitSerial, Lookup, Threshold
from .errors import InputError
from .files import whole
from .network import Layer, Network, Output
from .scores import Scores


__all__ = ["EXACT", "KEY", "build", "signed", "takes_signs", "write"]


EXACT = 1 << 24   # up to which float32 holds every integer
KEY   = "ohmbit"  # of the metadata that say what a graph was exported from
QONNX = "qonnx.custom_op.general"

CUSTOM = ("Quant", "BipolarQuant", "MultiThreshold")


def write(path: str | os.PathLike[str], model: Any) -> None:
    """Write what :func:`build` made to a file, whole or not at all."""
    with whole(path) as partial:
        partial.write_bytes(model.SerializeToString())


def build(network: Network) -> Any:
    """A graph, as an :class:`onnx.ModelProto`, that computes every number of a network.

    It takes :py:`pixels`, 1 × inputs, of 8 or 16 bits without sign, and gives :py:`scores`,
    1 × classes, in float32. Tensors have the names that :meth:`model.network.Network.trace` has for
    them, and the same values, but that bits are ±1 where the next layer takes them so. All of them
    are integers that float32 holds, or halves and powers of two that it holds, so that nothing is
    rounded, in whatever order anybody adds up. Activations come of thresholds halfway between two
    accumulators.

    Metadata of the key :data:`KEY` are the header of a network's file, as JSON. The same network
    always gives the same graph.

    An :exc:`InputError` where float32 does not hold every sum; where pixels' bits are drawn, or a
    table of them falls; and where layers sense counts as what they are not, or stop by speculation.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise InputError(f"{error.name} is not installed: pip install 'ohmbit[qonnx]'") from None
    pixel = TensorProto.UINT8 if network.encoder.bits <= 8 else TensorProto.UINT16
    chain = _Chain("pixels", network.inputs)
    chain.node("Cast", "encoder.pixels", to=TensorProto.FLOAT)
    match network.encoder:
        case Threshold(level=level):
            chain.fire("encoder", np.array(level), bipolar=True)
        case BitSerial(bits=bits):
            # It changes no pixel, and says how many bits one has.
            chain.quant("encoder.values", bits, signed=False)
        case Lookup(table=table):
            if (np.diff(table) < 0).any():
                raise InputError("its encoder is a table that falls from some pixel to the next, "
                                 "and thresholds of QONNX only rise: export a network whose table "
                                 "does not")
            chain.fire("encoder", np.searchsorted(table, np.arange(1, max(table) + 1))[None],
                       bipolar=False)
        case encoder:
            raise InputError(f"its encoder is a {type(encoder).__name__}, which draws bits of "
                             "pixels, and no node of QONNX does: export a network that was trained "
                             "with another --input")
    for n, layer in enumerate(network.layers):
        _layer(chain, f"layer{n}", layer, bipolar=takes_signs(network.all_layers[n + 1]))
    _scores(chain, network.scores)
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output], f"{kind}_{output.replace('.', '_')}",
                          domain=QONNX if kind in CUSTOM else "", **attributes)
         for kind, inputs, output, attributes in chain.nodes], "network",
        [helper.make_tensor_value_info("pixels", pixel, (1, network.inputs))],
        [helper.make_tensor_value_info(chain.tensor, TensorProto.FLOAT, (1, network.classes))],
        [numpy_helper.from_array(values, name) for name, values in chain.constants.items()],
        value_info=[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                    for name, shape in chain.shapes.items() if name != chain.tensor])
    # The least versions that have all these nodes, which the most programs read.
    model = helper.make_model(graph, producer_name="ohmbit", ir_version=8, opset_imports=[
        helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)])
    helper.set_model_props(model, {KEY: json.dumps(network_file.header_of(network))})
    return model


def signed(layer: Layer | Output) -> np.ndarray:
    """Weights as numbers, outputs × inputs: ±1 where they are bits."""
    weights = layer.weights
    return np.where(weights, 1, -1) if weights.dtype == bool else weights


def takes_signs(layer: Layer | Output) -> bool:
    """Whether bits that come to a layer are ±1, rather than 0 and 1."""
    return isinstance(layer, Accumulate) and layer.bipolar


class _Chain:
    """Nodes, each of which takes what the one before it gives, and their constants by name."""

    def __init__(self, tensor: str, width: int):
        self.tensor = tensor
        self.width = width
        self.nodes: list[tuple[str, list[str], str, dict[str, Any]]] = []
        self.constants: dict[str, np.ndarray] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def constant(self, name: str, values: npt.ArrayLike) -> str:
        self.constants[name] = np.asarray(values, dtype=np.float32)
        return name

    def node(self, kind: str, output: str, *constants: str, of: str = "",
             **attributes: Any) -> None:
        """Append a node that takes what is there, or a constant."""
        self.nodes.append((kind, [of or self.tensor, *constants], output, attributes))
        self.shapes[output] = self.constants[of].shape if of else (1, self.width)
        self.tensor = output if not of else self.tensor

    def quant(self, output: str, bits: int, *, signed: bool, of: str = "") -> None:
        """Integers of so many bits: what is below a number becomes the next one below it."""
        given = {"scale": 1, "zero": 0, "width": bits}
        self.node("Quant", output, *(self.constant(f"{output}.{name}", value)
                                     for name, value in given.items()),
                  of=of, signed=int(signed), narrow=0, rounding_mode="FLOOR")

    def bipolar(self, output: str, of: str = "") -> None:
        """±1, the former for 0 as well."""
        self.node("BipolarQuant", output, self.constant(f"{output}.scale", 1), of=of)

    def product(self, name: str, layer: Layer | Output) -> None:
        """Sums of weights, which show how many bits they have."""
        weights = self.constant(f"{name}.weights", signed(layer).T)
        quantized = f"{name}.quantized"
        if layer.weight_bits == 1:
            self.bipolar(quantized, of=weights)
        else:
            # The greatest weight of a Compend is one that two's complement has not.
            wide = int(layer.weights.max() == 1 << layer.weight_bits - 1)
            self.quant(quantized, layer.weight_bits + wide, signed=True, of=weights)
        self.width = layer.outputs
        self.node("MatMul", f"{name}.acc" if isinstance(layer, Accumulate) else f"{name}.product",
                  quantized)

    def fire(self, name: str, thresholds: np.ndarray, *, bipolar: bool) -> None:
        """Bits, or numbers, of how many integers are reached; of one each, ±1 if bipolar."""
        # No sum is a threshold, and a comparison of either kind says the same.
        halves = self.constant(f"{name}.thresholds", thresholds - 0.5)
        if bipolar:
            self.node("Sub", f"{name}.above", halves)
            self.bipolar(f"{name}.bits")
            return
        many = thresholds.ndim == 2 and thresholds.shape[1] > 1
        if not many:
            halves = self.constant(halves, self.constants[halves].reshape(-1, 1))
        bits = self.constants[halves].shape[1].bit_length()
        self.node("MultiThreshold", f"{name}.{'values' if many else 'bits'}", halves,
                  out_dtype=f"UINT{bits}" if many else "BINARY")


def _layer(chain: _Chain, name: str, layer: Layer, *, bipolar: bool) -> None:
    """Append a hidden layer; the next one takes ±1 for its bits if bipolar."""
    most = _sums(name, layer)
    chain.product(name, layer)
    if isinstance(layer, Dense):
        _check_exact(name, 2 * abs(layer.thresholds) + 1)
        chain.fire(name, layer.thresholds, bipolar=bipolar)
        return
    if layer.detection == "speculative":
        raise InputError(f"{name} stops early by speculation, and no node of QONNX does: export "
                         "what it gives where it does not, with --detection exact")
    if layer.shifts is None:
        _check_exact(name, 2 * abs(layer.bias) + 1)
        chain.fire(name, -layer.bias, bipolar=bipolar)
        return
    _check_exact(name, most + abs(layer.bias))
    chain.node("Add", f"{name}.sum", chain.constant(f"{name}.bias", layer.bias))
    chain.node("Mul", f"{name}.shifted", chain.constant(f"{name}.factors", 0.5 ** layer.shifts))
    chain.node("Relu", f"{name}.relu")
    chain.quant(f"{name}.values", layer.output_bits, signed=False)


def _scores(chain: _Chain, layer: Scores | Compend) -> None:
    most = _sums("scores", layer)
    chain.product("scores", layer)
    gain: np.ndarray | int = 1
    if isinstance(layer, Scores):
        gain = layer.gain
        chain.node("Mul", "scores.scaled", chain.constant("scores.gain", gain))
    _check_exact("scores", most * abs(gain) + abs(layer.bias))
    chain.node("Add", "scores", chain.constant("scores.bias", layer.bias))


def _sums(name: str, layer: Layer | Output) -> np.ndarray:
    """A bound of each output's sum and of each part of it, once float32 is known to hold them."""
    if isinstance(layer, Accumulate):
        if not layer.exact:
            raise InputError(f"{name} is in tiles that do not sense every count as what it is, and "
                             "no node of QONNX does: export the network from which `ohmbit tile` "
                             "made it")
        top = sum(layer.gains)
    else:
        top = 2 ** layer.input_bits - 1
    return _check_exact(name, abs(signed(layer)).sum(axis=1) * top)


def _check_exact(name: str, numbers: np.ndarray | Sequence[int]) -> np.ndarray:
    numbers = np.asarray(numbers)
    if numbers.max() > EXACT:
        raise InputError(f"{name} has numbers of up to {numbers.max():,} units, and float32, in "
                         f"which graphs compute, holds only those up to {EXACT:,}: train a network "
                         "of fewer inputs, or of fewer bits")
    return numbers
