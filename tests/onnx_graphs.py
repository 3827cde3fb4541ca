"""QONNX graphs for tests, made node by node."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


__all__ = ["Chain"]


QONNX = "qonnx.custom_op.general"


class Chain:
    """A graph that grows at its end.

    Parameters
    ----------
    shape : tuple of :class:`int`
        Of the input, the batch first.
    kind : :class:`int`
        Its ONNX element type.
    """

    def __init__(self, *shape, kind=TensorProto.FLOAT):
        self.shape = shape
        self.kind = kind
        self.tensor = "in"
        self.nodes = []
        self.constants = {}
        self.opsets = {"": 13, QONNX: 1}   # in the order of the file

    def constant(self, values):
        """A tensor's name; of float32, or of int64 where values are integers of no 8 bits."""
        name = f"c{len(self.constants)}"
        values = np.asarray(values)
        if values.dtype not in (np.int8, np.uint8):
            values = values.astype(np.int64 if values.dtype.kind == "i" else np.float32)
        self.constants[name] = values
        return name

    def made(self, values):
        """The name of what a node Constant gives."""
        name = f"k{len(self.nodes)}"
        self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(
            np.asarray(values, dtype=np.float32))))
        return name

    def hidden(self, *constants, kind, **attributes):
        """The name of what a node makes of constants alone."""
        given = [each if isinstance(each, str) else self.constant(each) for each in constants]
        return self.node(kind, *given[1:], of=given[0], **attributes)

    def node(self, kind, *constants, first=False, outputs=1, of=None, name=None, **attributes):
        """Append a node that takes what is there, and constants after that, or before it."""
        own = of or self.tensor
        given = [each if isinstance(each, str) else self.constant(each) for each in constants]
        number = len(self.nodes)
        out = [f"t{number}_{n}" for n in range(outputs)]
        domain = QONNX if kind in ("Quant", "BipolarQuant", "MultiThreshold") else ""
        self.nodes.append(helper.make_node(
            kind, [*given, own] if first else [own, *given], out,
            name=f"{kind}_{number}" if name is None else name, domain=domain, **attributes))
        if of is None:
            self.tensor = out[0]
        return self if of is None else out[0]

    def reshape(self, *shape):
        return self.node("Reshape", shape)

    def quant(self, bits, scale=1.0, *, signed=0, narrow=0, zero=0.0, mode="ROUND", of=None):
        return self.node("Quant", scale, zero, float(bits), of=of, signed=signed, narrow=narrow,
                         rounding_mode=mode)

    def bipolar(self, scale=1.0, of=None):
        return self.node("BipolarQuant", scale, of=of)

    def qcdq(self, low, high, scale=1.0, *, zero=0, kind=np.uint8, axis=1, of=None):
        """What QuantizeLinear, Clip and DequantizeLinear make of it: (low … high) · scale."""
        zeros = np.full(np.shape(scale), zero, dtype=kind)
        quantized = self.node("QuantizeLinear", scale, zeros, of=of, axis=axis)
        clipped = self.node("Clip", kind(low), kind(high), of=of and quantized)
        return self.node("DequantizeLinear", scale, zeros, of=of and clipped, axis=axis)

    def matmul(self, weights, scale=None):
        """A product with weights, inputs × outputs, binary in the graph where they get a scale."""
        weights = self.constant(weights)
        return self.node("MatMul", weights if scale is None else self.bipolar(scale, of=weights))

    def norm(self, gamma, beta, mean, variance, epsilon=1e-5):
        return self.node("BatchNormalization", gamma, beta, mean, variance, epsilon=epsilon)

    def model(self, *outputs):
        """The whole; outputs are the last tensor, or those of these names."""
        graph = helper.make_graph(
            self.nodes, "test", [helper.make_tensor_value_info("in", self.kind, self.shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [self.shape[0], None])
             for name in outputs or (self.tensor,)],
            [numpy_helper.from_array(values, name) for name, values in self.constants.items()])
        opsets = [helper.make_opsetid(*each) for each in self.opsets.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def save(self, path, *outputs):
        onnx.save(self.model(*outputs), path)
        return path
