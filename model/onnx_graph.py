"""Sequential ONNX graphs, cut at their matrix products, and executed by the qonnx package."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .onnx_check import (
    CELLS, CONSTANT, ELEMENTS, ENDS, INTEGERS, MOST, MOVING, POINTWISE, PRODUCTS, called, load)
from .onnx_model import Model


__all__ = ["Graph", "Product", "read"]


ROWS = 256   # that are executed at once


@dataclass(frozen=True, eq=False)
class Product:
    """A matrix product, and what happens to its sums before the next.

    Parameters
    ----------
    name : :class:`str`
        The node, as messages have it.
    weights : array of :class:`float`, outputs × inputs
    bias : array of :class:`float`, outputs
        What a ``Gemm`` adds.
    output : :class:`str`
        Tensor of the sums.
    nodes : tuple
        ONNX nodes that follow, in their order.
    """

    name: str
    weights: np.ndarray
    bias: np.ndarray
    output: str
    nodes: tuple[Any, ...]


class Graph:
    """A chain of nodes from one input to one output: some that shape the input, then products, each
    with those that follow it.

    Every figure comes from the qonnx package's executor, which runs one node after another in
    float32, so that no arithmetic of a node is written down here.
    """

    def __init__(self, model: Model):
        self._model = model
        model.images(ROWS)
        chain = self._chain()
        first = next((n for n, node in enumerate(chain) if node.op_type in PRODUCTS), None)
        if first is None:
            raise InputError("it has no MatMul or Gemm: ohmbit runs networks of dense layers")
        last = next((n for n, node in enumerate(chain) if node.op_type in ENDS), len(chain))
        self.chain = tuple(chain[:last])
        self.end = self._ends(chain[last:])
        self.entry = tuple(chain[:first])
        self.products = tuple(self._products(chain[first:last]))
        for node in self.following:
            if node.op_type in MOVING:
                self._check_flat(node)

    @property
    def following(self) -> tuple[Any, ...]:
        """Nodes that follow some product."""
        return tuple(node for product in self.products for node in product.nodes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image."""
        return self._model.shapes[self._model.input][1:]

    @property
    def raw(self) -> bool:
        """Whether the graph takes integers, which are the pixels themselves."""
        return self._model.kind(self._model.input).kind in "iu"

    def name(self, node: Any) -> str:
        """A node as messages have it."""
        return called(node)

    def run(self, nodes: Sequence[Any], x: np.ndarray) -> np.ndarray:
        """What consecutive nodes make of values, rows × …, in float32; as float64."""
        return self.tensors(nodes, x)[-1] if nodes else \
            np.asarray(np.float32(x), dtype=np.float64)

    def tensors(self, nodes: Sequence[Any], x: np.ndarray) -> list[np.ndarray]:
        """What each of some consecutive nodes gives, for values that come to the first."""
        source = self._dynamic(nodes[0])[0]
        names = [node.output[0] for node in nodes]
        found: list[list[np.ndarray]] = [[] for _ in names]
        shape, kind = self._model.shapes[source][1:], self._model.kind(source)
        for start in range(0, len(x), ROWS):
            part = np.zeros((ROWS, *shape), dtype=kind)
            rows = x[start:start + ROWS].reshape(-1, *shape)
            with np.errstate(all="ignore"):
                part[:len(rows)] = rows
            if kind.kind in "iu" and (part[:len(rows)] != rows).any():
                raise InputError(f"its input of {kind} does not hold pixels of {rows.min():g} to "
                                 f"{rows.max():g}")
            context = self._model.execute(nodes, {source: part})
            for name, values in zip(names, found, strict=True):
                values.append(np.asarray(context[name], dtype=np.float64)[:len(rows)])
                if np.isnan(values[-1]).any():
                    node = next(node for node in nodes if name == node.output[0])
                    raise InputError(f"{self.name(node)} gives what is not a number")
        return [np.concatenate(values) for values in found]

    def _dynamic(self, node: Any) -> list[str]:
        """Tensors that a node takes which depend on the input."""
        return [name for name in node.input if name and name not in self._model.constants]

    def _chain(self) -> list[Any]:
        """Nodes from the input to the output, each of which takes what the one before it gives."""
        nodes = self._model.nodes
        tensor, chain = self._model.input, []
        while True:
            takers = [node for node in nodes if tensor in node.input]
            if not takers:
                break
            if len(takers) > 1:
                raise InputError(f"{self.name(takers[0])} and {self.name(takers[1])} take the same "
                                 "numbers: ohmbit runs sequential graphs, without branches")
            node, = takers
            self._check_node(node)
            chain.append(node)
            tensor = node.output[0]
        last = chain[-1].output if chain else [tensor]
        if not set(self._model.outputs) <= set(last) or len(chain) < len(nodes):
            lost = next((node for node in nodes if node not in chain), None)
            what = "the output" if lost is None else self.name(lost)
            raise InputError(f"{what} does not come of a chain of nodes from the input: ohmbit "
                             "runs sequential graphs")
        return chain

    def _check_node(self, node: Any) -> None:
        dynamic = self._dynamic(node)
        if len(dynamic) > 1:
            raise InputError(f"{self.name(node)} joins {len(dynamic)} paths: ohmbit runs "
                             "sequential graphs, without residual connections")
        if node.input[0] != dynamic[0] and node.op_type not in ELEMENTS:
            raise InputError(f"{self.name(node)} has its constant first: it must take what comes "
                             "from the input first, as in x · W")
        if node.op_type in CONSTANT:
            raise InputError(f"{self.name(node)} takes what comes from the input: it may only take "
                             "constants")
        before, after = (self._model.shapes.get(name) for name in (dynamic[0], node.output[0]))
        if node.op_type == "Gemm" and _attributes(node).get("transA", 0):
            raise InputError(f"{self.name(node)} has transA, which mixes images")
        mixed = node.op_type == "Transpose" and _attributes(node).get("perm", [1])[0] != 0
        if mixed or not before or not after or after[0] != ROWS or math.prod(after[1:]) > MOST:
            raise InputError(f"{self.name(node)} gives {after} for {ROWS} images: it must give "
                             f"each image a row, of at most {MOST:,} numbers")
        if node.op_type in POINTWISE:
            self._check_pointwise(node, before)

    def _check_pointwise(self, node: Any, shape: tuple[int, ...]) -> None:
        """Whether it does the same to each image, and to one number after another."""
        one = (1, *shape[1:])
        for name in node.input:
            values = self._model.constants.get(name)
            if values is not None and node.op_type in (*ELEMENTS, "Quant", "BipolarQuant") \
                    and not _fits(values.shape, one):
                raise InputError(f"{self.name(node)} has a constant of {values.shape} for numbers "
                                 f"of {one}: it may have one for all, or one for each channel")
        scale = self._model.constants.get(node.input[1]) if node.op_type in INTEGERS else None
        if scale is not None and scale.size > 1 \
                and _attributes(node).get("axis", 1) % len(shape) != 1:
            raise InputError(f"{self.name(node)} has {scale.size} scales, not one for all or one "
                             "for each channel")
        layout = _attributes(node).get("data_layout", b"")
        if node.op_type == "MultiThreshold" and layout.startswith(b"C"):
            raise InputError(f"{self.name(node)} has thresholds for images, not for channels")

    def _check_flat(self, node: Any) -> None:
        """Only before the first product may anything change places."""
        shapes = [self._model.shapes[name] for name in (node.input[0], node.output[0])]
        if node.op_type == "Transpose" or shapes[0] != shapes[1]:
            raise InputError(f"{self.name(node)} moves what a layer gives, {shapes[0][1:]} to "
                             f"{shapes[1][1:]}: ohmbit runs dense layers, one after another")

    def _ends(self, nodes: Sequence[Any]) -> str:
        """How the graph ends, once it is known to keep the greatest score the best."""
        for before, node in zip([None, *nodes], nodes, strict=False):
            given = _attributes(node)
            shape = self._model.shapes[node.input[0]]
            axis = given.get("axis", 0 if node.op_type == "ArgMax" else -1)
            after = before is not None and before.op_type not in ("Softmax", "LogSoftmax")
            if after or node.op_type not in ENDS:
                raise InputError(f"{self.name(node)} comes after {self.name(before)}, which must "
                                 "be the last node")
            if axis not in (-1, len(shape) - 1) or not given.get("largest", 1) \
                    or not given.get("sorted", 1) or given.get("select_last_index", 0):
                raise InputError(f"{self.name(node)} must find the greatest score of an image, the "
                                 "first of those that are equal")
        return nodes[0].op_type if nodes else ""

    def _products(self, nodes: Sequence[Any]) -> Iterator[Product]:
        starts = [n for n, node in enumerate(nodes) if node.op_type in PRODUCTS]
        for start, end in zip(starts, [*starts[1:], len(nodes)], strict=True):
            node = nodes[start]
            weights = np.asarray(self._model.constants[node.input[1]], dtype=np.float64)
            bias = np.zeros(1)
            if node.op_type == "Gemm":
                given = _attributes(node)
                weights = (weights if given.get("transB", 0) else weights.T) * given.get("alpha", 1)
                if len(node.input) > 2:
                    bias = self._model.constants[node.input[2]] * given.get("beta", 1)
            else:
                weights = weights.T
            if weights.ndim != 2 or weights.size > CELLS or not weights.size:
                raise InputError(f"{self.name(node)} has weights of shape {weights.shape}: they "
                                 f"must be a matrix of at most {CELLS:,}")
            if not _fits(bias.shape, (1, len(weights))):
                raise InputError(f"{self.name(node)} has a bias of {bias.shape} for {len(weights)} "
                                 "sums of an image")
            if self._model.kind(node.output[0]) != np.float32:
                raise InputError(f"{self.name(node)} gives numbers of "
                                 f"{self._model.kind(node.output[0])}, and not floats of 32 bits")
            bias = np.broadcast_to(np.asarray(bias, dtype=np.float64).reshape(-1), len(weights))
            yield Product(self.name(node), weights, bias, node.output[0],
                          tuple(nodes[start + 1:end]))


def _attributes(node: Any) -> dict[str, Any]:
    from onnx.helper import get_attribute_value
    return {each.name: get_attribute_value(each) for each in node.attribute}


def _fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether numbers of a shape can be repeated to make the whole, and no more than that."""
    return len(shape) <= len(whole) and all(
        size in (1, most) for size, most in zip(shape[::-1], whole[::-1], strict=False))


def read(path: str | os.PathLike[str]) -> Graph:
    """The graph in an ONNX file. Anything else is an :exc:`InputError`."""
    try:
        import onnxruntime
        import qonnx.core.onnx_exec  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error.name} is not installed: pip install 'ohmbit[qonnx]'") from None
    onnxruntime.set_default_logger_severity(4)
    try:
        return Graph(Model(load(path)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
