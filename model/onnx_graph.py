"""Sequential ONNX graphs, cut at their matrix products, and executed by the qonnx package."""

import contextlib
import math
import os
import pathlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError


__all__ = ["Graph", "Product", "read"]


PRODUCTS  = ("MatMul", "Gemm")
POINTWISE = ("BatchNormalization", "BipolarQuant", "Quant", "Sign", "MultiThreshold", "Relu",
             "Clip", "Mul", "Div", "Add", "Sub", "Cast", "Dropout", "Identity")
MOVING    = ("Reshape", "Flatten", "Transpose")
CONSTANT  = ("Constant", "Shape", "Gather", "Unsqueeze", "Squeeze", "Concat", "Pow", "Slice")
ENDS      = ("TopK", "ArgMax", "Softmax", "LogSoftmax")
SUPPORTED = (*PRODUCTS, *POINTWISE, *MOVING, *CONSTANT, *ENDS)

ROWS   = 256       # that are executed at once
MOST   = 1 << 16   # numbers that an image or a layer may have
CELLS  = 1 << 24   # weights that a layer may have
BYTES  = 1 << 28   # that a file may have


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

    Parameters
    ----------
    model : :class:`qonnx.core.modelwrapper.ModelWrapper`
        After qonnx's cleanup, of a batch of :data:`ROWS`.
    names : dict of :class:`str`
        What to call nodes, by their first output.
    """

    def __init__(self, model: Any, names: dict[str, str]):
        self._model = model
        self._names = names
        self._constants: dict[str, np.ndarray] = {}
        self._evaluate()
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
    def input(self) -> str:
        return str(self._model.graph.input[0].name)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image."""
        return tuple(self._model.get_tensor_shape(self.input)[1:])

    @property
    def raw(self) -> bool:
        """Whether the graph takes integers, which are the pixels themselves."""
        return bool(self._input_type.kind in "iub")

    @property
    def _input_type(self) -> np.dtype:
        from onnx.helper import tensor_dtype_to_np_dtype
        return np.dtype(tensor_dtype_to_np_dtype(
            self._model.graph.input[0].type.tensor_type.elem_type))

    def name(self, node: Any) -> str:
        """A node as messages have it: what it does, and its name in the file."""
        given = self._names.get(node.output[0], node.name)
        return given if given.startswith(node.op_type) else f"{node.op_type} {given}"

    def run(self, nodes: Sequence[Any], x: np.ndarray) -> np.ndarray:
        """What consecutive nodes make of values, rows × …: rows × …, as float64."""
        return self.tensors(nodes, x)[-1] if nodes else np.asarray(x, dtype=np.float64)

    def tensors(self, nodes: Sequence[Any], x: np.ndarray) -> list[np.ndarray]:
        """What each of some consecutive nodes gives, for values that come to the first."""
        source = self._dynamic(nodes[0])[0]
        names = [node.output[0] for node in nodes]
        found: list[list[np.ndarray]] = [[] for _ in names]
        shape = tuple(self._model.get_tensor_shape(source)[1:])
        kind = self._input_type if source == self.input else np.dtype(np.float32)
        for start in range(0, len(x), ROWS):
            part = np.zeros((ROWS, *shape), dtype=kind)
            rows = x[start:start + ROWS].reshape(-1, *shape)
            part[:len(rows)] = rows
            context = self._execute({source: part}, nodes)
            for name, values in zip(names, found, strict=True):
                values.append(np.asarray(context[name], dtype=np.float64)[:len(rows)])
                if np.isnan(values[-1]).any():
                    node = next(node for node in nodes if name == node.output[0])
                    raise InputError(f"{self.name(node)} gives what is not a number")
        return [np.concatenate(values) for values in found]

    def _execute(self, given: dict[str, np.ndarray], nodes: Sequence[Any]) -> dict[str, Any]:
        from qonnx.core.onnx_exec import execute_node
        opsets = self._model.get_opset_imports()
        context = {**self._constants, **given}
        for node in nodes:
            # The executor looks at what is there for its shape.
            for name in node.output:
                context[name] = np.zeros(self._model.get_tensor_shape(name) or ())
            with library(self.name(node)), np.errstate(all="ignore"):
                execute_node(node, context, self._model.graph, opsets.get(node.domain, opsets[""]))
        return context

    def _evaluate(self) -> None:
        """Find the values of all tensors that do not depend on the input."""
        from onnx import numpy_helper
        self._constants = {each.name: numpy_helper.to_array(each)
                           for each in self._model.graph.initializer}
        for node in self._model.graph.node:
            if not self._dynamic(node):
                self._constants = self._execute({}, [node])

    def _dynamic(self, node: Any) -> list[str]:
        """Tensors that a node takes which depend on the input."""
        return [name for name in node.input if name and name not in self._constants]

    def _chain(self) -> list[Any]:
        """Nodes from the input to the output, each of which takes what the one before it gives."""
        graph = self._model.graph
        nodes = [node for node in graph.node if self._dynamic(node)]
        tensor, chain = self.input, []
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
        outputs = {output.name for output in graph.output}
        last = chain[-1].output if chain else [self.input]
        if not outputs <= set(last) or len(chain) < len(nodes):
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
        if node.input[0] != dynamic[0] and node.op_type not in ("Add", "Mul", "Sub", "Div"):
            raise InputError(f"{self.name(node)} has its constant first: it must take what comes "
                             "from the input first, as in x · W")
        shape = self._model.get_tensor_shape(node.output[0])
        if not shape or shape[0] != ROWS or math.prod(shape[1:]) > MOST:
            raise InputError(f"{self.name(node)} gives {shape} for {ROWS} images: it must give "
                             f"each image a row, of at most {MOST:,} numbers")

    def _check_flat(self, node: Any) -> None:
        """Only before the first product may anything change places."""
        shapes = [self._model.get_tensor_shape(name) for name in (node.input[0], node.output[0])]
        if node.op_type == "Transpose" or shapes[0] != shapes[1]:
            raise InputError(f"{self.name(node)} moves what a layer gives, {shapes[0][1:]} to "
                             f"{shapes[1][1:]}: ohmbit runs dense layers, one after another")

    def _ends(self, nodes: Sequence[Any]) -> str:
        """How the graph ends, once it is known to keep the greatest score the best."""
        from onnx.helper import get_attribute_value
        for node in nodes:
            given = {each.name: get_attribute_value(each) for each in node.attribute}
            shape = self._model.get_tensor_shape(node.input[0])
            axis = given.get("axis", 0 if node.op_type == "ArgMax" else -1)
            after = node is not nodes[0] and nodes[0].op_type not in ("Softmax", "LogSoftmax")
            if after or node.op_type not in ENDS:
                raise InputError(f"{self.name(node)} comes after {self.name(nodes[0])}, which must "
                                 "be the last node")
            if axis not in (-1, len(shape) - 1) or not given.get("largest", 1) \
                    or given.get("select_last_index", 0):
                raise InputError(f"{self.name(node)} must find the greatest score of an image, the "
                                 "first of those that are equal")
        return nodes[0].op_type if nodes else ""

    def _products(self, nodes: Sequence[Any]) -> Iterator[Product]:
        from onnx.helper import get_attribute_value
        starts = [n for n, node in enumerate(nodes) if node.op_type in PRODUCTS]
        for start, end in zip(starts, [*starts[1:], len(nodes)], strict=True):
            node = nodes[start]
            weights = np.asarray(self._constants[node.input[1]], dtype=np.float64)
            bias = np.zeros(1)
            if node.op_type == "Gemm":
                given = {each.name: get_attribute_value(each) for each in node.attribute}
                if given.get("transA", 0):
                    raise InputError(f"{self.name(node)} has transA, which mixes images")
                weights = (weights if given.get("transB", 0) else weights.T) * given.get("alpha", 1)
                if len(node.input) > 2 and node.input[2]:
                    bias = self._constants[node.input[2]] * given.get("beta", 1)
            else:
                weights = weights.T
            if weights.ndim != 2 or weights.size > CELLS or not weights.size:
                raise InputError(f"{self.name(node)} has weights of shape {weights.shape}: they "
                                 f"must be a matrix of at most {CELLS:,}")
            with library(self.name(node)):
                bias = np.broadcast_to(np.asarray(bias, dtype=np.float64).reshape(-1),
                                       len(weights))
            yield Product(self.name(node), weights, bias, node.output[0],
                          tuple(nodes[start + 1:end]))


@contextlib.contextmanager
def library(where: str) -> Iterator[None]:
    """Whatever the libraries raise is about the file; what they warn of is theirs to know."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise InputError(f"{where} cannot be executed: {reason[0] if reason else repr(error)}") \
            from None


def read(path: str | os.PathLike[str]) -> Graph:
    """The graph in an ONNX file, after qonnx's cleanup. Anything else is an :exc:`InputError`."""
    try:
        import onnx
        import onnxruntime
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.transformation.change_batchsize import ChangeBatchSize
        from qonnx.transformation.infer_shapes import InferShapes
        from qonnx.util.cleanup import cleanup_model
    except ImportError as error:
        raise InputError(f"{error.name} is not installed: pip install 'ohmbit[qonnx]'") from None
    onnxruntime.set_default_logger_severity(4)
    path = pathlib.Path(path)
    if path.stat().st_size > BYTES:
        raise InputError(f"{path}: it has more than {BYTES >> 20} MiB")
    try:
        with library("its content"):
            model = onnx.load(path)
        _check(model)
        # Cleanup renames all nodes; what comes out of one is what it does not touch.
        for n, node in enumerate(model.graph.node):
            node.doc_string = node.name or f"{n}"
        with library("qonnx's cleanup"):
            clean = cleanup_model(ModelWrapper(model))
            names = {node.output[0]: node.doc_string for node in clean.graph.node}
            clean = clean.transform(ChangeBatchSize(ROWS)).transform(InferShapes())
        return Graph(clean, names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _check(model: Any) -> None:
    """Whether a model is what ohmbit runs at all, before anything of it is executed."""
    graph = model.graph
    initial = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in initial]
    if len(inputs) != 1 or len(graph.output) < 1:
        raise InputError(f"it has {len(inputs)} inputs and {len(graph.output)} outputs: ohmbit "
                         "runs graphs of one input and one output")
    for node in graph.node:
        if node.op_type not in SUPPORTED:
            name = f" {node.name}" if node.name else ""
            raise InputError(f"node{name} is a {node.op_type!r}, and ohmbit knows "
                             f"{', '.join(sorted(SUPPORTED))}")
    dims = inputs[0].type.tensor_type.shape.dim
    if len(dims) < 2:
        raise InputError("its input must have a dimension for images and one for pixels, at least")
    dims[0].dim_value = 1
    sizes = [dim.dim_value for dim in dims]
    if min(sizes) < 1 or math.prod(sizes) > MOST:
        raise InputError(f"its input of {sizes[1:]} must have fixed sizes, of at most {MOST:,} "
                         "pixels in all")
    for dim in (dim for output in graph.output for dim in output.type.tensor_type.shape.dim[:1]):
        dim.dim_value = 1
