import numpy as np
import pytest
from onnx import TensorProto, helper

from model import onnx_check, onnx_model
from model.errors import InputError
from model.onnx_model import Model

from .onnx_graphs import QONNX, Chain


def model(chain):
    made = chain.model()
    onnx_check.check(made)
    return Model(made)


def refusal(chain, images=4):
    with pytest.raises(InputError) as info:
        model(chain).images(images)
    assert "\n" not in str(info.value)
    return str(info.value)


def test_nodes_of_constants_are_values():
    chain = Chain(1, 6).node("Sub", 0.5)
    weights = chain.bipolar(0.25, of=chain.constant(np.linspace(-1, 1, 12).reshape(6, 2)))
    chain.node("MatMul", weights).node("Mul", chain.hidden(2.0, -1.0, kind="Pow"))
    found = model(chain)
    assert [node.op_type for node in found.nodes] == ["Sub", "MatMul", "Mul"]
    assert (abs(found.constants[weights]) == 0.25).all()
    assert found.constants[found.nodes[2].input[1]] == 0.5
    assert found.shapes["in"] == (1, 6) and found.shapes[found.outputs[0]] == (1, 2)
    assert found.kind("in") == np.float32


def test_reshapes_keep_images_apart_however_many_there_are():
    chain = Chain(1, 2, 3).reshape(1, 6)
    first = chain.hidden(chain.node("Shape", of=chain.tensor), 0, kind="Gather", axis=0)
    chain.node("Reshape", chain.hidden(chain.hidden(first, [0], kind="Unsqueeze"), [-1],
                                       kind="Concat", axis=0))
    found = model(chain)
    found.images(5)
    assert found.shapes["in"] == (5, 2, 3) and found.shapes[found.outputs[0]] == (5, 6)
    x = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    context = found.execute(found.nodes, {"in": x})
    np.testing.assert_array_equal(context[found.outputs[0]], x.reshape(5, 6))
    for target in ((6, 1), (2, 3), (7,)):
        assert refusal(Chain(1, 2, 3).reshape(*target)).endswith(
            "of 1 images: it must keep them apart")


def test_constants_are_evaluated_as_of_the_opset_of_onnx():
    """Whichever opset a file imports first."""
    for order in ({"": 13, QONNX: 1}, {QONNX: 1, "": 13}):
        chain = Chain(1, 6)
        chain.opsets = order
        axes = chain.hidden(np.ones((1, 6)), [0], kind="Squeeze")
        found = model(chain.node("Mul", axes))
        assert found.constants[axes].shape == (6,)


def test_old_files_list_constants_as_inputs():
    made = Chain(1, 6).node("Mul", 2.0).model()
    made.graph.input.append(helper.make_tensor_value_info("c0", TensorProto.FLOAT, []))
    onnx_check.check(made)
    assert Model(made).input == "in"


@pytest.mark.parametrize("chain, message", [
    (lambda: Chain(1, 6).node("Dropout", 0.5, True), "Dropout_0 drops numbers at random"),
    (lambda: Chain(1, 6).quant(2.0, np.ones(5)), "Quant_0 cannot be executed: shape mismatch"),
    (lambda: Chain(1, 6).quant(2.0, np.ones((3, 4, 6))),
     "Quant_0 has parameters of [(3, 4, 6), (), ()] for numbers of (4, 6): there must be one of "
     "each, or one for each channel"),
    (lambda: Chain(1, 6).bipolar(np.ones((3, 4, 6))), "BipolarQuant_0 has parameters of"),
])
def test_what_is_dangerous_or_random_is_not_executed(chain, message):
    found = model(chain())
    found.images(4)
    with pytest.raises(InputError) as info:
        found.execute(found.nodes, {"in": np.zeros(found.shapes["in"], np.float32)})
    assert str(info.value).startswith(message) and "\n" not in str(info.value)


def test_thresholds_are_compared_with_so_many_numbers_at_once(monkeypatch):
    found = model(Chain(1, 6).node("MultiThreshold", np.arange(3.0)[None]))
    x = {"in": np.zeros((1, 6), np.float32)}
    found.execute(found.nodes, x)
    monkeypatch.setattr(onnx_model, "TESTS", 17)
    with pytest.raises(InputError, match=r"^MultiThreshold_0 has too many thresholds, \(1, 3\)$"):
        found.execute(found.nodes, x)


@pytest.mark.parametrize("limit, value", [("CELLS", 23), ("TOTAL", 30)])
def test_tensors_have_their_sizes(limit, value, monkeypatch):
    monkeypatch.setattr(onnx_model, limit, value)
    assert refusal(Chain(1, 6).node("Mul", 2.0).node("Sub", 1.0)).startswith(
        "its graph has tensors of too many numbers to be executed: 24 in one, and ")


def test_constants_that_swell_are_not_made():
    chain = Chain(1, 6)
    name = chain.constant(np.ones(6))
    for _ in range(40):
        name = chain.node("Concat", name, of=name, axis=0)
    with pytest.raises(InputError, match="tensors of too many numbers"):
        model(chain.node("Mul", name))
