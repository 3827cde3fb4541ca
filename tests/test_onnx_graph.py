import numpy as np
import onnx
import pytest
from onnx import TensorProto

from model import onnx_graph
from model.errors import InputError

from .onnx_graphs import Chain


SIGNS = np.where(np.random.default_rng(0).random((6, 4)) < 0.5, -1.0, 1.0)


def small(*shape):
    """A graph with one of everything that there is only one of."""
    return Chain(*(shape or (1, 6))).bipolar().matmul(SIGNS, 1.0)


def read(chain, tmp_path, *outputs):
    return onnx_graph.read(chain.save(tmp_path / "g.onnx", *outputs))


def refusal(chain, tmp_path, *outputs):
    with pytest.raises(InputError) as info:
        read(chain, tmp_path, *outputs)
    message = str(info.value)
    assert message.startswith(f"{tmp_path / 'g.onnx'}: ") and "\n" not in message
    return message.partition(": ")[2]


def test_is_cut_at_products(tmp_path):
    chain = Chain(1, 1, 2, 3).reshape(1, -1).node("Mul", 2.0).bipolar().matmul(SIGNS, 0.5) \
        .norm(np.ones(4), np.zeros(4), np.zeros(4), np.ones(4)).bipolar() \
        .node("Gemm", SIGNS[:3, :4], [1.0, 2, 3], transB=1, alpha=0.5, beta=2.0) \
        .node("Softmax", axis=1).node("TopK", [1], outputs=2)
    graph = read(chain, tmp_path)
    assert [node.op_type for node in graph.entry] == ["Reshape", "Mul", "BipolarQuant"]
    first, second = graph.products
    assert [node.op_type for node in first.nodes] == ["BatchNormalization", "BipolarQuant"]
    np.testing.assert_array_equal(first.weights, SIGNS.T / 2)
    np.testing.assert_array_equal(first.bias, np.zeros(4))
    np.testing.assert_array_equal(second.weights, SIGNS[:3, :4] / 2)
    np.testing.assert_array_equal(second.bias, [2, 4, 6])
    assert second.nodes == () and graph.shape == (1, 2, 3) and not graph.raw


def test_nodes_keep_the_names_that_they_have_in_the_file(tmp_path):
    chain = small()
    chain.node("Relu", name="act/1").node("Mul", 2.0, name="")
    graph = read(chain, tmp_path)
    assert graph.products[0].name == "MatMul_2"
    assert [graph.name(node) for node in graph.following] == ["Relu act/1", "Mul 4"]


@pytest.mark.parametrize("rows", [1, onnx_graph.ROWS, onnx_graph.ROWS + 1])
def test_runs_any_number_of_images(rows, tmp_path):
    graph = read(small(), tmp_path)
    x = np.random.default_rng(1).integers(-3, 4, (rows, 6))
    signs, product = graph.tensors(graph.chain, x)
    np.testing.assert_array_equal(signs, np.where(x >= 0, 1, -1))
    np.testing.assert_array_equal(product, signs @ SIGNS)
    np.testing.assert_array_equal(graph.run(graph.chain, x), product)
    np.testing.assert_array_equal(graph.run((), x), x)


def test_pixels_may_be_integers(tmp_path):
    chain = Chain(1, 6, kind=TensorProto.UINT8).node("Cast", to=TensorProto.FLOAT).matmul(SIGNS)
    graph = read(chain, tmp_path)
    assert graph.raw
    np.testing.assert_array_equal(graph.run(graph.chain, np.full((1, 6), 255)),
                                  [255 * SIGNS.sum(axis=0)])


def test_refuses_what_is_not_supported_by_name(tmp_path):
    assert refusal(small().node("Sigmoid", name="act_7"), tmp_path).startswith(
        "node act_7 is a 'Sigmoid', and ohmbit knows Add, ArgMax, BatchNormalization, ")
    assert refusal(Chain(1, 6).bipolar(), tmp_path) == \
        "it has no MatMul or Gemm: ohmbit runs networks of dense layers"


def test_refuses_branches(tmp_path):
    chain = small()
    side = chain.node("Relu", of=chain.tensor)
    assert refusal(chain.node("Add", side), tmp_path) == \
        "Relu_3 and Add_4 take the same numbers: ohmbit runs sequential graphs, without branches"
    chain = small()
    other = chain.tensor
    assert "Mul_3 joins 2 paths" in refusal(chain.node("Mul", other), tmp_path)
    chain = small()
    chain.node("Relu")
    assert "the output does not come" in refusal(chain, tmp_path, chain.nodes[-2].output[0])


@pytest.mark.parametrize("chain, message", [
    (lambda: Chain(1, 6).node("MatMul", SIGNS.T, first=True), "constant first"),
    (lambda: small().reshape(4, 1), "must keep them apart"),
    (lambda: small().node("Transpose", perm=[1, 0]), "gives"),
    (lambda: small().reshape(1, 2, 2), "moves what a layer gives"),
    (lambda: small(4, 6).qcdq(0, 3, np.arange(1.0, 5), axis=0), "QuantizeLinear_3 has 4 scales"),
    (lambda: small().node("Softmax", axis=0), "must find the greatest score of an image"),
    (lambda: small().node("ArgMax", axis=1, select_last_index=1), "must find the greatest score"),
    (lambda: small().node("ArgMax", axis=1).node("Cast", to=TensorProto.FLOAT), "must be the last"),
    (lambda: small().node("Gemm", SIGNS[:4, :4], transA=1), "transA"),
    (lambda: Chain(1, 70000).matmul(np.ones((70000, 1))), "fixed sizes, of at most 65,536 pixels"),
    (lambda: Chain(6).node("Relu"), "a dimension for images and one for pixels"),
])
def test_refuses_what_is_no_chain_of_dense_layers(chain, message, tmp_path):
    assert message in refusal(chain(), tmp_path)


def test_refuses_what_is_no_onnx(tmp_path):
    path = tmp_path / "g.onnx"
    for content in (b"", b"PK\x03\x04", b"\xff" * 100):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"g\.onnx: "):
            onnx_graph.read(path)
    model = small().model()
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("axis", 3))
    del model.graph.node[-1].input[:]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"g\.onnx: "):
        onnx_graph.read(path)
