"""ONNX models that the qonnx package executes node by node, all of whose shapes are known."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import InputError
from .onnx_check import CELLS, called, library, plain


__all__ = ["Model"]


TOTAL = 1 << 26   # numbers in all tensors of a model together
TESTS = 1 << 28   # comparisons that a MultiThreshold may make at once


class Model:
    """A model without the nodes that do not depend on its input, whose values are known instead.

    To evaluate those is for qonnx's cleanup to do. But that executes all nodes as those of the
    opset which a file happens to import first, and leaves the quantizers of weights alone.

    Parameters
    ----------
    model : :class:`onnx.ModelProto`
        As :func:`model.onnx_check.check` leaves it.

    Attributes
    ----------
    nodes : list
        Those that depend on the input.
    shapes : dict of tuple of :class:`int`
        Of tensors, by name, where they are known.
    constants : dict of arrays
        Tensors that do not depend on the input, by name.
    """

    def __init__(self, model: Any):
        from onnx import numpy_helper
        from qonnx.core.modelwrapper import ModelWrapper
        with library("its graph", "read"):
            self._wrapper = ModelWrapper(model)
        self.constants = {each.name: numpy_helper.to_array(each)
                          for each in model.graph.initializer}
        # Old files list constants as inputs, as well.
        inputs = self._wrapper.graph.input
        for each in [each for each in inputs if each.name in self.constants]:
            inputs.remove(each)
        self._infer()
        while self._fold():
            self._infer()

    @property
    def nodes(self) -> list[Any]:
        return list(self._wrapper.graph.node)

    @property
    def input(self) -> str:
        return str(self._wrapper.graph.input[0].name)

    @property
    def outputs(self) -> list[str]:
        return [output.name for output in self._wrapper.graph.output]

    def kind(self, name: str) -> np.dtype:
        """Of the numbers of a tensor."""
        from onnx.helper import tensor_dtype_to_np_dtype
        kind = self._wrapper.get_tensor_valueinfo(name).type.tensor_type.elem_type
        with library(name, "read"):
            return np.dtype(tensor_dtype_to_np_dtype(kind))

    def images(self, count: int) -> None:
        """Make it one of so many images."""
        graph = self._wrapper.graph
        shape = graph.input[0].type.tensor_type.shape
        for node in graph.node:
            if node.op_type == "Reshape":
                self._reshape(node, shape.dim[0].dim_value, count)
        shape.dim[0].dim_value = count
        del graph.value_info[:]
        for output in graph.output:
            output.type.tensor_type.ClearField("shape")
        self._infer()

    def _reshape(self, node: Any, images: int, count: int) -> None:
        """Have a reshape keep images apart, whose number it may have as a constant of its own."""
        target = self.constants.get(node.input[1], np.zeros(0)).copy()
        if target.ndim != 1 or not target.size or target[0] not in (0, -1, images):
            raise InputError(f"{called(node)} makes {plain(str(target.tolist()))} of {images} "
                             "images: it must keep them apart")
        target[0] = count
        node.input[1] = f"{node.output[0]} shape"
        self._add(node.input[1], target)

    def execute(self, nodes: Iterable[Any], given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All constants, what is given, and what consecutive nodes make of that."""
        from qonnx.core.onnx_exec import execute_node
        opsets = self._wrapper.get_opset_imports()
        context = {**self.constants, **given}
        for node in nodes:
            # The executor looks at what is there for its shape.
            for name in node.output:
                context[name] = np.zeros(self.shapes.get(name, ()))
            with library(called(node)), np.errstate(all="ignore"):
                _check_run(node, [context[name] for name in node.input])
                execute_node(node, context, self._wrapper.graph, opsets[node.domain])
        return context

    def _infer(self) -> None:
        """Find what shapes are known without executing anything, and that none is too large."""
        from qonnx.transformation.infer_shapes import InferShapes
        with library("its graph"):
            self._wrapper, _ = InferShapes().apply(self._wrapper)
        graph = self._wrapper.graph
        self.shapes = {name: values.shape for name, values in self.constants.items()}
        for each in (*graph.input, *graph.value_info, *graph.output):
            dims = each.type.tensor_type.shape.dim
            if each.type.tensor_type.HasField("shape") \
                    and all(dim.HasField("dim_value") for dim in dims):
                self.shapes[each.name] = tuple(dim.dim_value for dim in dims)
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        least = min((min(shape, default=0) for shape in self.shapes.values()), default=0)
        if least < 0 or max(sizes, default=0) > CELLS or sum(sizes) > TOTAL:
            raise InputError("its graph has tensors of too many numbers to be executed: "
                             f"{max(sizes):,} in one, and {sum(sizes):,} in all")

    def _fold(self) -> bool:
        """Evaluate nodes of constants, in their order; and whether there were any."""
        graph, done = self._wrapper.graph, []
        for node in graph.node:
            given = {}
            if node.op_type == "Shape" and node.input[0] in self.shapes:
                given = {node.input[0]: np.zeros(self.shapes[node.input[0]],
                                                 dtype=self.kind(node.input[0]))}
            known = all(name in given or name in self.constants for name in node.input)
            if known and all(name in self.shapes for name in node.output):
                context = self.execute([node], given)
                self.constants |= {name: np.asarray(context[name]) for name in node.output}
                done.append(node)
        for node in done:
            graph.node.remove(node)
            for name in node.output:
                self._add(name, self.constants[name])
        return bool(done)

    def _add(self, name: str, values: np.ndarray) -> None:
        self.constants[name] = values
        self._wrapper.set_initializer(name, values)


def _check_run(node: Any, given: list[np.ndarray]) -> None:
    """Whether executing a node is no danger, and always gives the same."""
    shapes = [np.shape(each) for each in given]
    if node.op_type == "Dropout" and any(map(np.any, given[2:])):
        raise InputError(f"{called(node)} drops numbers at random, as in training: export the "
                         "graph for inference")
    if node.op_type == "MultiThreshold" and math.prod(shapes[0]) * shapes[1][-1] > TESTS:
        raise InputError(f"{called(node)} has too many thresholds, {shapes[1]}")
    # Shapes are inferred as if nodes of qonnx gave as many numbers as they take.
    if node.op_type in ("Quant", "BipolarQuant") and np.broadcast_shapes(*shapes) != shapes[0]:
        raise InputError(f"{called(node)} has parameters of {plain(str(shapes[1:]))} for numbers "
                         f"of {shapes[0]}: there must be one of each, or one for each channel")
