import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from model import onnx_check
from model.errors import InputError
from model.onnx_check import IMAGES, NODES, OLDEST, QONNX, SHOWN, called, library, load, plain

from .onnx_graphs import Chain


def small(**options):
    return Chain(1, 6, **options).node("Sub", 0.5).bipolar().matmul(np.ones((6, 4))).model()


def refusal(change):
    """Why a model is refused once something has changed it."""
    model = small()
    change(model)
    with pytest.raises(InputError) as info:
        onnx_check.check(model)
    assert "\n" not in str(info.value)
    return str(info.value)


def test_brings_models_into_one_form():
    model = small()
    model.graph.node[1].domain, model.graph.node[0].domain = "onnx.brevitas", "ai.onnx"
    model.graph.node[0].name = model.graph.node[1].name = ""
    model.graph.node[2].name = "a\n\x1bb"
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("onnx.brevitas", 1),
                               helper.make_opsetid("ai.onnx", 13)])
    onnx_check.check(model)
    assert [node.domain for node in model.graph.node] == ["", QONNX, ""]
    assert [node.name for node in model.graph.node] == ["0", "1", "a b"]
    assert {each.domain: each.version for each in model.opset_import} == {"": 13, QONNX: 1}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
    assert not model.graph.output[0].type.tensor_type.HasField("shape")
    assert not model.graph.value_info


def test_names_of_nodes_say_what_these_do():
    node = helper.make_node("Relu", ["a"], ["b"], name="7")
    assert called(node) == "Relu 7"
    node.name = "Relu_7"
    assert called(node) == "Relu_7"


def test_what_a_library_says_is_a_line():
    assert plain(" a\n\tb\x00c\x1b[31m ") == "a b c [31m"
    assert plain("x" * (SHOWN + 1)) == "x" * SHOWN + "…" and plain("x" * SHOWN) == "x" * SHOWN
    with pytest.raises(InputError, match="^it cannot be executed: one two$"), library("it"):
        raise RuntimeError("one\ntwo")
    with pytest.raises(InputError, match=r"^it cannot be read: KeyError\(\)$"), \
            library("it", "read"):
        raise KeyError
    with pytest.raises(InputError, match="^known$"), library("it"):
        raise InputError("known")


def node(name, value, number=1):
    return lambda model: setattr(model.graph.node[number], name, value)


def attribute(**given):
    def change(model):
        model.graph.node[0].attribute.append(helper.make_attribute(*next(iter(given.items()))))
    return change


def dims(*sizes):
    def change(model):
        shape = model.graph.input[0].type.tensor_type.shape
        del shape.dim[:]
        for size in sizes:
            shape.dim.add(dim_value=size)
    return change


def tensor(**fields):
    def change(model):
        for name, value in fields.items():
            field = getattr(model.graph.initializer[0], name)
            field.extend(value) if hasattr(field, "extend") \
                else setattr(model.graph.initializer[0], name, value)
    return change


def opsets(*versions):
    def change(model):
        del model.opset_import[:]
        model.opset_import.extend([helper.make_opsetid("", each) for each in versions])
    return change


@pytest.mark.parametrize("change, message", [
    (lambda model: model.functions.add(), "it has functions, which ohmbit does not run"),
    (lambda model: model.training_info.add(), "it has training, which ohmbit does not run"),
    (lambda model: model.graph.sparse_initializer.add(),
     "it has sparse tensors, which ohmbit does not run"),
    (lambda model: model.graph.node.extend([model.graph.node[0]] * NODES),
     f"it has {NODES + 3:,} nodes: ohmbit takes at most {NODES:,}"),
    (node("op_type", "Loop\n"), "node BipolarQuant_1 is a 'Loop', and ohmbit knows Add, "),
    (node("domain", "os.path"),
     "BipolarQuant_1 is of the domain 'os.path', which ohmbit does not know"),
    (node("domain", QONNX, 0), f"Sub_0 is of the domain '{QONNX}', which ohmbit does not know"),
    (attribute(body=helper.make_graph([], "g", [], [])),
     "Sub_0 has an attribute body of a kind that ohmbit does not take"),
    (attribute(training_mode=1), "Sub_0 is as in training: export the graph for inference"),
    (attribute(value=helper.make_tensor("v", TensorProto.STRING, [1], [b"a"])),
     "Sub_0 has numbers of type 8, which ohmbit does not take"),
    (lambda model: model.graph.node[0].input.insert(1, ""),
     "Sub_0 leaves out an input or output before another, which the qonnx package does not "
     "execute: give it a value"),
    (lambda model: model.graph.node[0].output.pop(), "Sub_0 leaves out an input or output before"),
    (tensor(data_location=TensorProto.EXTERNAL),
     "tensor c0 is kept in another file: save the graph with all of its numbers in one, as "
     "onnx.save_model does by itself"),
    (tensor(data_type=TensorProto.COMPLEX64),
     f"tensor c0 has numbers of type {TensorProto.COMPLEX64}, which ohmbit does not take"),
    (tensor(dims=[-1]), "tensor c0 is of [-1]: ohmbit takes at most 16,777,216 numbers"),
    (tensor(dims=[1 << 24, 2]), "tensor c0 is of [16777216, 2]: ohmbit takes at most 16,777,216"),
    (tensor(dims=[3]), "tensor c0 cannot be read: "),
    (lambda model: model.graph.node[1].output.__setitem__(0, "t0_0"),
     "it has two tensors of the name 't0_0'"),
    (lambda model: model.graph.initializer.append(model.graph.initializer[0]),
     "it has two tensors of the name 'c0'"),
    (opsets(), "it is of opset none of ONNX: ohmbit takes "),
    (opsets(13, 13), "it is of opset 13, 13 of ONNX: ohmbit takes "),
    (opsets(OLDEST - 1), f"it is of opset {OLDEST - 1} of ONNX: ohmbit takes {OLDEST} to "),
    (opsets(1 << 40), f"it is of opset {1 << 40} of ONNX: ohmbit takes {OLDEST} to "),
    (lambda model: model.graph.input.pop(),
     "it has 0 inputs and 1 outputs: ohmbit runs graphs of one input and one output"),
    (lambda model: model.graph.output.pop(),
     "it has 1 inputs and 0 outputs: ohmbit runs graphs of one input and one output"),
    (dims(6), "its input must have a dimension for images and one for pixels, at least"),
    (dims(1, 0), "its input of [0] must have fixed sizes, of at most 65,536 pixels in all"),
    (dims(1, 1 << 16, 2), "its input of [65536, 2] must have fixed sizes, of at most 65,536 "),
    (dims(IMAGES + 1, 6), f"it takes {IMAGES + 1} images at once: ohmbit takes graphs of at most "),
    (dims(-1, 6), "it takes -1 images at once: ohmbit takes graphs of at most "),
    (lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", TensorProto.BOOL),
     "its input has numbers of type 9: ohmbit gives it floats of 32 bits, or integers"),
    (lambda model: model.graph.node[0].input.__setitem__(0, "nowhere"),
     "its graph cannot be read: "),
])
def test_refuses_in_one_line(change, message):
    assert refusal(change).startswith(message)


def test_largest_of_all_are_taken():
    for change in (dims(IMAGES, 6), dims(0, 6), opsets(OLDEST), tensor(dims=[])):
        model = small()
        change(model)
        onnx_check.check(model)


def test_files_are_read_before_anything_else(tmp_path, monkeypatch):
    path = tmp_path / "g.onnx"
    path.write_bytes(small().SerializeToString())
    assert isinstance(load(path), onnx.ModelProto)
    path.write_bytes(small().SerializeToString().replace(b"BipolarQuant_1", b"\xff" * 14))
    with pytest.raises(InputError, match="^its content cannot be read: a name is no text$"):
        load(path)
    path.write_bytes(b"\xff" * 9)
    with pytest.raises(InputError, match="^its content cannot be read: "):
        load(path)
    monkeypatch.setattr(onnx_check, "BYTES", 8)
    with pytest.raises(InputError, match="^it has more than 0 MiB$"):
        load(path)
