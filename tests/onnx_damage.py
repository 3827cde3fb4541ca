"""Harm done to ONNX files: to their bytes, and to what protobuf keeps in them."""

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor as Field
from onnx import TensorProto, helper

from model.onnx_check import SUPPORTED

from .onnx_graphs import Chain


__all__ = ["damaged", "graphs"]


HUGE = [0, 1, -1, 2, 255, 256, 4096, 1 << 16, 1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 40,
        (1 << 62) + 1, -(1 << 63), (1 << 63) - 1]
ODD  = [0.0, -0.0, 1.0, -1.0, 0.1, 0.5, 3.7, 255.0, 1e30, -1e30, 3e38, 1e-30, 1e-45, np.nan, np.inf,
        -np.inf]
TEXT = ["", "in", "a\nb", "\x1b[31mred", "x" * 5000, "os", "antigravity", "ai.onnx.ml", "ai.onnx",
        "qonnx.custom_op.general", "finn", "onnx.brevitas", "../g.onnx", "Ω", "None", "BIPOLAR",
        "CN", "NHWC", "FLOOR"]
INTEGERS = (Field.CPPTYPE_INT32, Field.CPPTYPE_INT64, Field.CPPTYPE_UINT32, Field.CPPTYPE_UINT64)


def graphs():
    """Small good files of all kinds of nodes."""
    rng = np.random.default_rng(11)

    def signs(*shape):
        return rng.choice([-1.0, 1.0], shape)

    plain = Chain(1, 12).node("Sub", 0.5).bipolar().matmul(signs(12, 7), 1.0)
    plain.norm(rng.normal(size=7), rng.normal(size=7), rng.normal(size=7), rng.uniform(1, 9, 7))
    plain.bipolar().matmul(signs(7, 5), 0.25).node("Mul", 0.5).node("Add", rng.normal(size=5))

    image = Chain(1, 2, 3, 2).node("Transpose", perm=[0, 2, 3, 1])
    first = image.hidden(image.node("Shape", of="in"), 0, kind="Gather", axis=0)
    target = image.hidden(image.hidden(first, [0], kind="Unsqueeze"), [-1], kind="Concat", axis=0)
    image.node("Reshape", target).quant(8.0, 1 / 255)
    weights = image.bipolar(0.5, of=image.constant(rng.normal(size=(6, 12))))
    image.node("Gemm", weights, rng.integers(-9, 9, 6) / 4, transB=1, alpha=2.0).node("Relu")
    image.node("MultiThreshold", np.sort(rng.uniform(0, 4, (6, 1))), out_dtype="UINT1")
    image.matmul(signs(6, 4)).node("Softmax", axis=1).node("TopK", [2], outputs=2)

    raw = Chain(1, 9, kind=TensorProto.UINT8).node("Cast", to=TensorProto.FLOAT)
    halves = raw.hidden(raw.made(signs(4, 6)), signs(5, 6), kind="Concat", axis=0)
    raw.node("MatMul", halves).node("Clip", -500.0, 500.0).node("Div", [3.0, -3, 1, 2, -1, 4])
    raw.node("Sub", raw.hidden(2.0, -1.0, kind="Pow"), first=True)
    raw.node("Add", raw.hidden(raw.hidden(np.ones((2, 1, 6)), [0], [1], kind="Slice"), [0, 1],
                               kind="Squeeze"), first=True)
    raw.quant(1.0, 0.3, signed=1).node("Dropout").node("Flatten", axis=1)
    raw.node("Gemm", signs(6, 3), [0.5, 1.5, -2.0], beta=2.0).node("ArgMax", axis=1)

    old = Chain(1, 8).node("Sub", 0.3).bipolar().matmul(signs(8, 6), 0.5).node("Add", 0.25)
    old.node("Sign").node("Identity").matmul(signs(6, 3), 1.0)
    model = old.node("LogSoftmax", axis=-1).model()
    for node in model.graph.node:
        node.domain = "onnx.brevitas" if node.domain else ""
    del model.opset_import[1:]
    model.graph.input.extend(helper.make_tensor_value_info(each.name, each.data_type, each.dims)
                             for each in model.graph.initializer)

    few = Chain(1, 9).quant(2.0, 1 / 3)
    for inputs, outputs in ((9, 6), (6, 4)):
        weights = few.quant(3.0, 0.5, signed=1, narrow=1, of=few.constant(
            rng.normal(size=(inputs, outputs))))
        few.node("MatMul", weights).node("Add", rng.normal(size=outputs)).node("Relu")
        few.quant(2.0, 0.7)
    return [plain.model(), image.model(), raw.model(), model, few.model()]


def damaged(rng, model):
    """The bytes of a model that came to harm."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    kinds = rng.choice(["bytes", "fields", "graph", "all"], p=[0.2, 0.35, 0.35, 0.1])
    if kinds in ("fields", "all"):
        for _ in range(rng.integers(1, 4)):
            field(rng, model)
    if kinds in ("graph", "all"):
        rng.choice(GRAPHS)(rng, model)
    data = model.SerializeToString()
    return BYTES[rng.integers(len(BYTES))](rng, data) if kinds in ("bytes", "all") else data


def flipped(rng, data):
    data = bytearray(data)
    for place in rng.integers(len(data), size=2 ** rng.integers(0, 6)):
        data[place] ^= 1 << rng.integers(8)
    return bytes(data)


def spans(rng, data, count):
    return np.sort(rng.integers(len(data) + 1, size=count)).tolist()


def truncated(rng, data):
    return data[:rng.integers(len(data))]


def removed(rng, data):
    a, b = spans(rng, data, 2)
    return data[:a] + data[b:]


def doubled(rng, data):
    a, b = spans(rng, data, 2)
    return data[:b] + data[a:]


def swapped(rng, data):
    a, b, c, d = spans(rng, data, 4)
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


BYTES = [flipped, flipped, truncated, removed, doubled, swapped]


def messages(message):
    yield message
    for descriptor, value in message.ListFields():
        if descriptor.cpp_type == Field.CPPTYPE_MESSAGE:
            for each in value if descriptor.is_repeated else [value]:
                yield from messages(each)


def field(rng, model):
    """Another value for one field of any message, or for one of many in it."""
    every = list(messages(model))
    message = every[rng.integers(len(every))]
    there = message.ListFields()
    if not there:
        return
    descriptor, value = there[rng.integers(len(there))]
    name = descriptor.name
    if rng.random() < 0.1:
        message.ClearField(name)
    elif descriptor.is_repeated:
        n, m = rng.integers(len(value), size=2)
        way = rng.integers(4)
        if way == 0:
            del value[n]
        elif way == 1:
            value.append(value[n])
        elif way == 2:
            items = [value[k] for k in range(len(value))]
            items[n], items[m] = items[m], items[n]
            copies = [type(each)() if hasattr(each, "CopyFrom") else each for each in items]
            for copy, each in zip(copies, items, strict=True):
                if hasattr(each, "CopyFrom"):
                    copy.CopyFrom(each)
            del value[:]
            value.extend(copies)
        elif descriptor.cpp_type != Field.CPPTYPE_MESSAGE:
            value[n] = scalar(rng, model, descriptor, value[n])
    elif descriptor.cpp_type == Field.CPPTYPE_MESSAGE:
        others = [each for each in every if each.DESCRIPTOR is value.DESCRIPTOR]
        value.CopyFrom(type(value).FromString(others[rng.integers(len(others))]
                                              .SerializeToString()))
    else:
        setattr(message, name, scalar(rng, model, descriptor, value))


def scalar(rng, model, descriptor, value):
    """Another value of a field's kind, an odd one or one that is near, or that stands elsewhere."""
    if descriptor.cpp_type == Field.CPPTYPE_ENUM:
        return int(rng.choice([each.number for each in descriptor.enum_type.values]))
    if descriptor.cpp_type in INTEGERS:
        small = descriptor.cpp_type in (Field.CPPTYPE_INT32, Field.CPPTYPE_UINT32)
        near = [value + 1, value - 1, value * 2, int(rng.integers(0, 25))]
        given = [*HUGE, *near] if rng.random() < 0.5 else near
        picked = given[rng.integers(len(given))]
        low, high = (-(1 << 31), (1 << 31) - 1) if small else (-(1 << 63), (1 << 63) - 1)
        return min(max(picked, low), high)
    if descriptor.cpp_type in (Field.CPPTYPE_FLOAT, Field.CPPTYPE_DOUBLE):
        return float(rng.choice([*ODD, -value, value * 1.01]))
    if descriptor.type == Field.TYPE_BYTES:
        if not value or rng.random() < 0.2:
            return rng.bytes(rng.integers(0, 20))
        return BYTES[rng.integers(len(BYTES))](rng, value)
    names = [name for node in model.graph.node for name in (*node.output, node.op_type)]
    return str(rng.choice([*TEXT, *names, *SUPPORTED]))


def any_node(rng, model):
    nodes = model.graph.node
    return nodes[rng.integers(len(nodes))]


def any_constant(rng, model):
    constants = model.graph.initializer
    return constants[rng.integers(len(constants))]


def other_input(rng, model):
    """An input that another node gives: branches, cycles, joins and constants that are none."""
    node = any_node(rng, model)
    if node.input:
        names = [name for each in model.graph.node for name in (*each.input, *each.output)]
        node.input[rng.integers(len(node.input))] = str(rng.choice(names))


def swapped_inputs(rng, model):
    node = any_node(rng, model)
    names = [str(name) for name in rng.permutation(node.input)]
    del node.input[:]
    node.input.extend(names)


def other_node(rng, model):
    node = any_node(rng, model)
    node.op_type = str(rng.choice([*SUPPORTED, "Sigmoid", "Loop", "If", "Trunc",
                                    "RandomNormalLike"]))
    if rng.random() < 0.3:
        node.domain = str(rng.choice(TEXT))


def doubled_node(rng, model):
    """It follows itself, so that what it does is done twice."""
    nodes = list(model.graph.node)
    n = rng.integers(len(nodes))
    again = onnx.NodeProto.FromString(nodes[n].SerializeToString())
    if again.input:
        again.input[0], again.output[0] = nodes[n].output[0], "again"
        for node in nodes[n + 1:]:
            node.input[:] = ["again" if name == nodes[n].output[0] else name
                             for name in node.input]
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:n + 1], again, *nodes[n + 1:]])


def lost_node(rng, model):
    """What followed it takes what it took."""
    nodes = model.graph.node
    n = rng.integers(len(nodes))
    for node in nodes:
        if nodes[n].input:
            node.input[:] = [nodes[n].input[0] if name == nodes[n].output[0] else name
                             for name in node.input]
    del nodes[n]


def odd_numbers(rng, model):
    """Constants that hold anything, some of which an importer must take for what it is."""
    tensor = any_constant(rng, model)
    values = onnx.numpy_helper.to_array(tensor).copy()
    if values.dtype.kind == "f" and values.size:
        values.flat[rng.integers(values.size)] = rng.choice(ODD)
        if rng.random() < 0.3:
            values *= rng.choice([2.0, 0.3, -1.0, 1e-20, 1e20])
    elif values.size:
        values.flat[rng.integers(values.size)] = rng.choice([-1, 0, 1, 2, 256, 1 << 30, 1 << 62])
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def other_type(rng, model):
    tensor = any_constant(rng, model)
    values = onnx.numpy_helper.to_array(tensor)
    kind = rng.choice(["float64", "float16", "int8", "int32", "uint8", "bool", "int64", "float32"])
    with np.errstate(all="ignore"):
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(kind), tensor.name))


def other_shape(rng, model):
    """A constant that is larger, or of another number of dimensions."""
    tensor = any_constant(rng, model)
    values = onnx.numpy_helper.to_array(tensor)
    way = rng.integers(5)
    if way == 0:
        values = values[None]
    elif way == 1:
        values = values.reshape(-1)
    elif way == 2:
        values = np.repeat(values[None], rng.choice([2, 7, 256]), axis=0)
    elif way == 3:
        values = values.T
    else:
        values = np.broadcast_to(values, (1 << 14, *values.shape))
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


def swollen(rng, model):
    """Constants that nodes make of small ones, and that are too large for any machine."""
    graph, node = model.graph, any_node(rng, model)
    if not node.input:
        return
    name, made = node.input[-1], []
    for n in range(40):
        made.append(helper.make_node("Concat", [name, name], [f"big{n}"], axis=0)
                    if rng.random() < 0.5 else
                    helper.make_node("Unsqueeze", [name, "axes"], [f"big{n}"]))
        name = f"big{n}"
    if rng.random() < 0.5:
        graph.initializer.append(helper.make_tensor("column", TensorProto.FLOAT, (60000, 1),
                                                    np.zeros(60000)))
        graph.initializer.append(helper.make_tensor("row", TensorProto.FLOAT, (1, 60000),
                                                    np.zeros(60000)))
        name = "outer"
        made = [helper.make_node(str(rng.choice(["Add", "MatMul", "Pow"])), ["column", "row"],
                                 [name])]
    node.input[-1] = name
    nodes = [*made, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def elsewhere(rng, model):
    """Numbers in another file."""
    tensor = any_constant(rng, model)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", str(rng.choice(["/etc/passwd", "../g.onnx", "case.onnx"]))),
                       ("offset", "0"), ("length", str(rng.choice(HUGE)))):
        tensor.external_data.add(key=key, value=value)


def foreign(rng, model):
    """What no graph of a network has: functions, graphs in nodes, sparse tensors, training."""
    node, way = any_node(rng, model), rng.integers(5)
    if way == 0:
        model.functions.add(name="f", domain="g", node=[node], input=["x"], output=["y"])
        node.op_type, node.domain = "f", "g"
    elif way == 1:
        node.attribute.append(helper.make_attribute("body", model.graph))
    elif way == 2:
        values = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
        places = helper.make_tensor("w places", TensorProto.INT64, [1], [3])
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 40]))
    elif way == 3:
        model.training_info.add(algorithm=model.graph)
    else:
        node.attribute.append(helper.make_attribute(
            str(rng.choice(["training_mode", "axis", "perm", "alpha", "to", "signed"])),
            rng.choice([-1, 1, 0, 2, 1 << 40]).item()))


def other_opset(rng, model):
    opsets = model.opset_import
    each = opsets[rng.integers(len(opsets))] if opsets else opsets.add()
    each.version = int(rng.choice([-1, 0, 1, 6, 7, 8, 9, 10, 11, 12, 14, 17, 20, 25, 99, 1 << 40]))
    if rng.random() < 0.3:
        opsets.add(domain=str(rng.choice(TEXT)), version=1)


def other_image(rng, model):
    dims = model.graph.input[0].type.tensor_type.shape.dim
    if dims:
        dims[rng.integers(len(dims))].dim_value = int(rng.choice([*HUGE, 2, 3, 7, 12]))


GRAPHS = [other_input, swapped_inputs, other_node, doubled_node, lost_node, odd_numbers,
          odd_numbers, other_type, other_shape, swollen, elsewhere, foreign, other_opset,
          other_image]
