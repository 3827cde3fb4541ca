"""ONNX files, looked at before anything of them is executed."""

import contextlib
import math
import os
import pathlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from .errors import InputError


__all__ = ["called", "check", "library", "load", "plain"]


PRODUCTS  = ("MatMul", "Gemm")
OWN       = ("BipolarQuant", "Quant", "MultiThreshold")   # of qonnx, and not of ONNX
ELEMENTS  = ("Mul", "Div", "Add", "Sub")
INTEGERS  = ("QuantizeLinear", "DequantizeLinear")        # to them, and from them
POINTWISE = (*OWN, *ELEMENTS, *INTEGERS, "BatchNormalization", "Sign", "Relu", "Clip", "Cast",
             "Dropout", "Identity")
MOVING    = ("Reshape", "Flatten", "Transpose")
CONSTANT  = ("Constant", "Shape", "Gather", "Unsqueeze", "Squeeze", "Concat", "Pow", "Slice")
ENDS      = ("TopK", "ArgMax", "Softmax", "LogSoftmax")
SUPPORTED = (*PRODUCTS, *POINTWISE, *MOVING, *CONSTANT, *ENDS)

QONNX   = "qonnx.custom_op.general"
DOMAINS = (QONNX, "onnx.brevitas", "finn.custom_op.general", "finn", "")   # that these go by

OLDEST = 7         # opset of ONNX, from which on all nodes mean what they do today
MOST   = 1 << 16   # numbers that an image or a layer may have
CELLS  = 1 << 24   # numbers that a constant may have
IMAGES = 1024      # that a graph may take at once
NODES  = 1000      # that a graph may have
BYTES  = 1 << 28   # that a file may have
SHOWN  = 200       # characters of what a file or a library says


def plain(text: str) -> str:
    """What a file or a library says, as part of one line."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"


def called(node: Any) -> str:
    """A node as messages have it: what it does, and its name in the file."""
    return str(node.name if node.name.startswith(node.op_type) else f"{node.op_type} {node.name}")


@contextlib.contextmanager
def library(where: str, done: str = "executed") -> Iterator[None]:
    """Whatever the libraries raise is about the file; what they warn of is theirs to know."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{where} cannot be {done}: {plain(str(error)) or repr(error)}") from None


def load(path: str | os.PathLike[str]) -> Any:
    """What is in a file, once :func:`check` has been through it."""
    import onnx
    path = pathlib.Path(path)
    if path.stat().st_size > BYTES:
        raise InputError(f"it has more than {BYTES >> 20} MiB")
    with library("its content", "read"):
        model = onnx.ModelProto.FromString(path.read_bytes())
    _check_text(model)
    check(model)
    return model


def _check_text(message: Any) -> None:
    """Whether all strings in a message are text, which protobuf leaves open."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if field.type == field.TYPE_MESSAGE:
                _check_text(each)
            elif field.type == field.TYPE_STRING and not isinstance(each, str):
                raise InputError(f"its content cannot be read: a {field.name} is no text")


def check(model: Any) -> None:
    """Whether a model is what ohmbit runs at all; and bring it into the form which that takes.

    Nodes of qonnx are in one domain, and all nodes have names that can be printed. There are no
    shapes but the input's, which says how many images it is of, one where the file does not. What
    is refused is an :exc:`InputError`.
    """
    import onnx
    graph = model.graph
    for what, there in (("functions", model.functions), ("training", model.training_info),
                        ("sparse tensors", graph.sparse_initializer)):
        if there:
            raise InputError(f"it has {what}, which ohmbit does not run")
    if len(graph.node) > NODES:
        raise InputError(f"it has {len(graph.node):,} nodes: ohmbit takes at most {NODES:,}")
    for n, node in enumerate(graph.node):
        _check_node(node, f"{n}")
    for each in graph.initializer:
        _check_tensor(each, f"tensor {plain(each.name)}")
    _check_names(graph)
    _check_opsets(model)
    _check_input(graph)
    # What a file says of shapes may be wrong, and is known without it; the checker wants some.
    del graph.value_info[:], graph.quantization_annotation[:]
    for output in graph.output:
        output.type.Clear()
        output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        output.type.tensor_type.shape.SetInParent()
    with library("its graph", "read"):
        onnx.checker.check_model(model)
    for output in graph.output:
        output.type.Clear()


def _check_node(node: Any, number: str) -> None:
    node.name = plain(node.name) or number
    given = node.name if node.name != number else ""
    if node.op_type not in SUPPORTED:
        raise InputError(f"node{' ' if given else ''}{given} is a {plain(node.op_type)!r}, and "
                         f"ohmbit knows {', '.join(sorted(SUPPORTED))}")
    where = called(node)
    # The executor imports a module of the domain's name.
    if node.domain not in (DOMAINS if node.op_type in OWN else ("", "ai.onnx")):
        raise InputError(f"{where} is of the domain {plain(node.domain)!r}, which ohmbit does not "
                         "know")
    node.domain = QONNX if node.op_type in OWN else ""
    for attribute in node.attribute:
        # Of graphs, and of tensors that are not dense, no node that is supported has any.
        if attribute.type not in (attribute.FLOAT, attribute.INT, attribute.STRING,
                                  attribute.TENSOR, attribute.FLOATS, attribute.INTS):
            raise InputError(f"{where} has an attribute {plain(attribute.name)} of a kind that "
                             "ohmbit does not take")
        if attribute.type == attribute.TENSOR:
            _check_tensor(attribute.t, where)
        if attribute.name == "training_mode" and attribute.i:
            raise InputError(f"{where} is as in training: export the graph for inference")
    # Those at the end may be left out by an empty name, too.
    for names in (node.input, node.output):
        while names and not names[-1]:
            names.pop()
    if "" in node.input or "" in node.output or not node.output:
        raise InputError(f"{where} leaves out an input or output before another, which the qonnx "
                         "package does not execute: give it a value")


def _check_tensor(tensor: Any, where: str) -> None:
    from onnx import numpy_helper
    known = (tensor.FLOAT, tensor.DOUBLE, tensor.FLOAT16, tensor.BOOL, tensor.INT8, tensor.INT16,
             tensor.INT32, tensor.INT64, tensor.UINT8, tensor.UINT16, tensor.UINT32, tensor.UINT64)
    if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
        raise InputError(f"{where} is kept in another file: save the graph with all of its numbers "
                         "in one, as onnx.save_model does by itself")
    if tensor.data_type not in known:
        raise InputError(f"{where} has numbers of type {tensor.data_type}, which ohmbit does not "
                         "take")
    if min(tensor.dims, default=0) < 0 or math.prod(tensor.dims) > CELLS:
        raise InputError(f"{where} is of {plain(str(list(tensor.dims)))}: ohmbit takes at most "
                         f"{CELLS:,} numbers")
    with library(where, "read"):
        numpy_helper.to_array(tensor)


def _check_names(graph: Any) -> None:
    """Whether each tensor comes from one place."""
    made = [name for node in graph.node for name in node.output]
    initial = [each.name for each in graph.initializer]
    # Files of old list all their tensors as inputs, as well.
    for names in ([*initial, *made], [*(each.name for each in graph.input), *made],
                  [each.name for each in graph.output]):
        double = _twice(names)
        if double is not None:
            raise InputError(f"it has two tensors of the name {plain(double)!r}")


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _check_opsets(model: Any) -> None:
    from onnx.defs import onnx_opset_version
    from onnx.helper import make_opsetid
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    newest = onnx_opset_version()
    if len(versions) != 1 or not OLDEST <= versions[0] <= newest:
        raise InputError(f"it is of opset {', '.join(map(str, versions)) or 'none'} of ONNX: "
                         f"ohmbit takes {OLDEST} to {newest}")
    own = [each.version for each in model.opset_import if each.domain in DOMAINS[:-1]]
    del model.opset_import[:]
    model.opset_import.extend([make_opsetid("", versions[0]),
                               make_opsetid(QONNX, max(own, default=1))])


def _check_input(graph: Any) -> None:
    from onnx import TensorProto
    initial = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in initial]
    if len(inputs) != 1 or len(graph.output) < 1:
        raise InputError(f"it has {len(inputs)} inputs and {len(graph.output)} outputs: ohmbit "
                         "runs graphs of one input and one output")
    kind = inputs[0].type.tensor_type
    dims = kind.shape.dim
    if len(dims) < 2:
        raise InputError("its input must have a dimension for images and one for pixels, at least")
    sizes = [dim.dim_value for dim in dims[1:]]
    if min(sizes) < 1 or math.prod(sizes) > MOST:
        raise InputError(f"its input of {plain(str(sizes))} must have fixed sizes, of at most "
                         f"{MOST:,} pixels in all")
    if not 0 <= dims[0].dim_value <= IMAGES:
        raise InputError(f"it takes {dims[0].dim_value} images at once: ohmbit takes graphs of at "
                         f"most {IMAGES}")
    dims[0].dim_value = dims[0].dim_value or 1
    tensor = TensorProto
    if kind.elem_type not in (tensor.FLOAT, tensor.DOUBLE, tensor.INT8, tensor.INT16, tensor.INT32,
                              tensor.INT64, tensor.UINT8, tensor.UINT16, tensor.UINT32,
                              tensor.UINT64):
        raise InputError(f"its input has numbers of type {kind.elem_type}: ohmbit gives it floats "
                         "of 32 bits, or integers")
