import numpy as np
import onnx
import pytest
from hypothesis import given, settings, strategies as st
from onnx import TensorProto, numpy_helper

from model import qonnx
from model.agreement import agreement
from model.encoder import BitSerial, Lookup, Threshold
from model.errors import InputError
from model.network import Network
from model.qonnx import Input

from .onnx_graphs import Chain


RNG = np.random.default_rng(0)


def signs(*shape, rng=RNG):
    return np.where(rng.random(shape) < 0.5, -1.0, 1.0)


def entry(*shape):
    """Pixels from 0 to 1 to ±1, at 128."""
    return Chain(*shape).reshape(1, -1).node("Mul", 2.0).node("Sub", 1.0).bipolar()


def load(chain, tmp_path, input=None, **options):
    return qonnx.load(chain.save(tmp_path / "g.onnx"), input, **options)


def refusal(chain, tmp_path, input=None):
    with pytest.raises(InputError) as info:
        load(chain, tmp_path, input)
    assert "\n" not in str(info.value)
    return str(info.value).removeprefix(f"{tmp_path / 'g.onnx'}: ")


def equal(imported, images=300, rng=RNG):
    """Whether network and graph agree in all they have, for random images."""
    network = imported.network
    x = rng.integers(0, 2 ** network.encoder.bits, (images, network.inputs))
    found = agreement(imported, x)
    assert found.images == found.classes == images
    assert found.sums == images * sum(layer.outputs for layer in network.all_layers)
    assert found.activations == images * sum(layer.outputs for layer in network.layers)
    return found.parts == ()


GAMMAS = {"rising": 0.7, "falling": -1.3, "flat": 0.0}


@pytest.mark.parametrize("gamma", GAMMAS.values(), ids=GAMMAS)
@pytest.mark.parametrize("variance", [1e-30, 0.3, 9.0, 1e30])
@pytest.mark.parametrize("offset", [0.0, 1e-7, -1e-7, 3.0, -2.5])
def test_thresholds_are_where_the_graph_switches(gamma, variance, offset, tmp_path):
    """Of every sum that there can be, on both sides of the threshold."""
    weights = np.ones((16, 4))
    weights[:8, 1] = weights[:, 3] = -1
    chain = entry(1, 16).matmul(weights, 1.0).norm(
        np.full(4, gamma), np.full(4, offset), [0.0, 2.0, -2.0, 1.0], np.full(4, variance))
    chain = chain.bipolar().matmul(signs(4, 2), 1.0)
    imported = load(chain, tmp_path)
    step, layer = imported.steps[0], imported.network.layers[0]
    product = imported.graph.products[0]
    sums = np.arange(-16, 17, 2)[:, None] * np.ones(4)
    fires = imported.graph.run(product.nodes, sums) > 0
    np.testing.assert_array_equal(step.acc(sums) >= layer.thresholds, fires)
    np.testing.assert_array_equal(layer.weights, (weights.T > 0) ^ step.flipped[:, None])
    assert step.flipped.any() == (gamma < 0 and fires.any() and not fires.all())
    assert step.undecided == 0 and equal(imported)


def test_zero_is_positive(tmp_path):
    """BipolarQuant takes it for 1, whichever way the sum comes to it."""
    for factor in (1.0, -1.0):
        chain = entry(1, 8).matmul(signs(8, 5), 1.0).node("Mul", factor).bipolar()
        assert equal(load(chain.matmul(signs(5, 2), 1.0), tmp_path))


@pytest.mark.parametrize("follow", [
    lambda chain: chain.quant(1.0, 0.25, signed=1, narrow=0),
    lambda chain: chain.quant(1.0, 0.5),
    lambda chain: chain.quant(1.0, 0.5, zero=0.5, mode="FLOOR"),
    lambda chain: chain.node("MultiThreshold", [[1.5]], out_dtype="UINT1"),
    lambda chain: chain.node("MultiThreshold", np.arange(5.0)[:, None] - 2, out_dtype="BIPOLAR",
                             out_scale=2.0, out_bias=-1.0),
    lambda chain: chain.node("Relu").node("Sub", 2.5).bipolar(),
    lambda chain: chain.node("Add", 0.5).node("Sign"),
    lambda chain: chain.node("Clip", -1.0, 1.0).node("Div", [3.0, -3, 1, 2, -1]).bipolar(0.37),
    lambda chain: chain.node("Sub", 0.5, first=True).bipolar().node("Mul", -3.0),
    lambda chain: chain.bipolar().node("Dropout").node("Identity").reshape(1, 5),
    lambda chain: chain.bipolar().node("Flatten", axis=1),
    lambda chain: chain.node("Relu").qcdq(0, 1, 0.75),
    lambda chain: chain.qcdq(-1, 0, 1.5, kind=np.int8),
    lambda chain: chain.qcdq(3, 4, 1.5, zero=3),
], ids=range(14))
def test_every_way_to_one_bit(follow, tmp_path):
    rng = np.random.default_rng(1)
    chain = follow(entry(1, 9).matmul(signs(9, 5, rng=rng), 1.0))
    imported = load(chain.matmul(signs(5, 3, rng=rng), 1.0), tmp_path)
    assert equal(imported)
    assert imported.network.shape.sizes == (9, 5, 3)


@pytest.mark.parametrize("follow, bits, numbers", [
    (lambda chain: chain.quant(2.0, 1.5, signed=1), 2, {0, 1, 2, 3}),
    (lambda chain: chain.quant(2.0, 1.5, signed=1, narrow=1), 2, {0, 1, 2}),
    (lambda chain: chain.node("Relu").quant(2.0, 1.3), 2, {0, 1, 2, 3}),
    (lambda chain: chain.node("Mul", [-1.0, 1, 1, -1, 1]).node("Relu").quant(2.0, 1.3), 2,
     {0, 1, 2, 3}),
    (lambda chain: chain.node("Clip", -1.0, 1.0).quant(3.0, 0.5, signed=1), 2, {0, 1, 2}),
    (lambda chain: chain.quant(4.0, 1.0, signed=1), 4, set(range(11))),
    (lambda chain: chain.node("MultiThreshold", np.arange(7.0)[None] - 3.5, out_dtype="UINT3",
                              out_scale=0.5, out_bias=-1.0), 3, set(range(8))),
    (lambda chain: chain.node("MultiThreshold", [[-4.5, 1, 1.0]], out_dtype="UINT2"), 2, {0, 1, 3}),
    (lambda chain: chain.node("Sign").node("Add", 3.0), 2, {0, 1, 2}),
    (lambda chain: chain, 4, set(range(11))),
], ids=range(10))
def test_every_way_to_few_bits(follow, bits, numbers, tmp_path):
    rng = np.random.default_rng(1)
    # Sums are whole numbers from -5 to 5.
    chain = follow(entry(1, 10).matmul(signs(10, 5, rng=rng), 0.5))
    imported = load(chain.matmul(signs(5, 3, rng=rng), 1.0), tmp_path)
    assert equal(imported)
    network = imported.network
    assert network.shape.few_of(0) == (1, bits) and network.shape.planes_of(1)[1] is False
    seen = network.trace(rng.integers(0, 256, (20_000, 10)))["layer0.values"]
    assert set(np.unique(seen)) == numbers


@pytest.mark.parametrize("weights, bits", [
    ([[-1, 0], [1, 1]], 2), ([[-2, 1], [1, 0]], 2), ([[-3, 1], [2, 2]], 3), ([[7, 1], [0, -8]], 4),
    ([[-127, 5], [127, 1]], 8), ([[-128, 1], [3, 1]], 8), ([[0.5, -0.5], [-2.0, 2.0]], 1),
    ([[0.5, 1.5], [2.0, 0.0]], 3)])
def test_weights_of_few_bits(weights, bits, tmp_path):
    """In two rows of a matrix, each of which may have a step of its own."""
    weights = np.array(weights, dtype=float).T
    chain = entry(1, 2).matmul(weights).node("Add", 0.25).bipolar()
    imported = load(chain.matmul(weights), tmp_path)
    assert equal(imported) and imported.network.shape.few_of(0) == imported.network.shape.few_of(1)
    assert imported.network.shape.few_of(0) == (bits, 1)


def test_weights_that_fall_may_need_a_bit_more(tmp_path):
    """The least of two's complement has no opposite."""
    chain = entry(1, 2).matmul(np.array([[-2.0], [1.0]])).node("Mul", -1.0).node("Add", 0.5)
    imported = load(chain.bipolar().matmul(np.ones((1, 2)), 1.0), tmp_path)
    assert imported.network.layers[0].weights.tolist() == [[2, -1]]
    assert imported.network.layers[0].weight_bits == 3 and equal(imported)
    chain = entry(1, 2).matmul(np.array([[-128.0], [1.0]])).node("Mul", -1.0).bipolar()
    assert refusal(chain.matmul(np.ones((1, 2)), 1.0), tmp_path) == (
        "MatMul_4 has weights from -1 to 128: ohmbit runs 8 bits, from -128 to 127")


@pytest.mark.parametrize("last, scores", [
    (lambda chain: chain.bipolar(), {-1, 1}), (lambda chain: chain.bipolar(0.25), {-1, 1}),
    (lambda chain: chain.quant(2.0, 1.0, signed=1), {-2, -1, 0, 1}),
    (lambda chain: chain.quant(2.0, 1.0), {0, 1, 2, 3}),
    (lambda chain: chain.quant(2.0, 1.0).node("Add", 0.3), {0, 1, 2, 3}),
    (lambda chain: chain.bipolar().node("Add", 5.0), {4, 6}),
    (lambda chain: chain.bipolar().node("ArgMax", axis=1), {-1, 1}),
], ids=range(7))
def test_activations_may_end_a_graph(last, scores, tmp_path):
    """Then they are the scores, in whole numbers."""
    rng = np.random.default_rng(3)
    chain = entry(1, 9).matmul(signs(9, 6, rng=rng), 1.0).bipolar()
    imported = load(last(chain.matmul(signs(6, 4, rng=rng), 0.5)), tmp_path)
    network = imported.network
    assert network.shape.sizes == (9, 6, 4, 4) and len(imported.steps) == 2
    x = rng.integers(0, 256, (500, 9))
    assert set(np.unique(network.scores_of(x))) == scores
    found = agreement(imported, x)
    assert found.parts == () and (found.activations, found.classes) == (500 * 10, 500)


def test_activations_of_many_bits_end_nothing(tmp_path):
    chain = entry(1, 40).matmul(signs(40, 4), 1.0).quant(8.0, 1.0, signed=1)
    assert refusal(chain, tmp_path) == (
        "what follows MatMul_5 gives more than 16 numbers, or such as are not equally far apart: "
        "it needs a Quant, BipolarQuant, QuantizeLinear, Sign or MultiThreshold of at most 4 bits")


@pytest.mark.parametrize("end", [
    lambda chain: chain, lambda chain: chain.node("Softmax", axis=-1),
    lambda chain: chain.node("LogSoftmax", axis=1), lambda chain: chain.node("ArgMax", axis=1),
    lambda chain: chain.node("TopK", [1], outputs=2),
    lambda chain: chain.node("Mul", [1.0, 2.5, -0.75]).node("Add", [0.1, 0.0, 0.2]),
    lambda chain: chain.norm([0.5, 0.5, 0.5], [1.0, -1, 0], [1.0, 2, 3], [4.0, 4, 4]),
], ids=range(7))
def test_every_end(end, tmp_path):
    assert equal(load(end(entry(1, 9).matmul(signs(9, 3), 0.125)), tmp_path))


@pytest.mark.parametrize("factor", [1.0, 0.125, 0.3, -0.7])
def test_weights_have_any_scale(factor, tmp_path):
    """One for each neuron, or for all; in a quantizer, or in the weights themselves."""
    for weights, scale in ((signs(8, 5), factor), (signs(8, 5), factor * np.arange(1.0, 6)),
                           (signs(8, 5) * factor, None)):
        chain = entry(1, 8).matmul(weights, scale).node("Add", 0.05 * np.arange(1, 6)).bipolar()
        imported = load(chain.matmul(signs(5, 2), 1.0), tmp_path)
        assert equal(imported)
        assert imported.steps[0].undecided == 0


@pytest.mark.parametrize("scale", [0.25, 0.3, 0.1 * np.arange(1.0, 6)], ids=["0.25", "0.3", "each"])
def test_weights_may_be_integers_until_they_are_scaled(scale, tmp_path):
    """As exporters of quantize-clip-dequantize write them, from floats or as integers."""
    rng = np.random.default_rng(2)
    for written in (rng.choice([-0.9, 0.8], (8, 5)), signs(8, 5, rng=rng).astype(np.int8)):
        chain = entry(1, 8)
        weights = chain.constant(written)
        if written.dtype == np.int8:
            weights = chain.node("DequantizeLinear", scale, np.zeros(np.shape(scale), np.int8),
                                 of=weights, axis=1)
        else:
            weights = chain.qcdq(-1, 1, scale, kind=np.int8, of=weights)
        chain.node("MatMul", weights).node("Add", 0.07).bipolar()
        imported = load(chain.matmul(signs(5, 2, rng=rng), 1.0), tmp_path)
        assert equal(imported, rng=rng)
        np.testing.assert_array_equal(imported.steps[0].sums.weights, np.sign(written).T)


def test_says_where_rounding_decides(tmp_path):
    """Whether as many tenths up as down make zero is not for a threshold to know."""
    chain = entry(1, 10).matmul(signs(10, 6) * 0.1).bipolar()
    imported = load(chain.matmul(signs(6, 2), 1.0), tmp_path)
    assert imported.steps[0].undecided == 6
    # Exact sums decide: none of them is below its threshold by being a little less than zero.
    np.testing.assert_array_equal(
        np.where(imported.steps[0].flipped, 1, 0), imported.network.layers[0].thresholds)


def test_pixels_in_any_order(tmp_path):
    chain = Chain(1, 2, 3, 4).node("Transpose", perm=[0, 2, 3, 1]).node("Sub", 0.5).bipolar(0.5)
    chain = chain.node("Flatten", axis=1).matmul(signs(24, 5), 1.0).bipolar()
    assert equal(load(chain.matmul(signs(5, 3), 1.0), tmp_path))


@pytest.mark.parametrize("chain, encoder", [
    (lambda: Chain(1, 7).node("Sub", 0.3).bipolar(), Threshold(77)),
    (lambda: Chain(1, 7).node("Sub", 0.3, first=True).bipolar(), Threshold(77)),
    (lambda: Chain(1, 7).quant(1.0, 1.0), Threshold(128)),
    (lambda: Chain(1, 7).quant(8.0, 1 / 255), BitSerial(8)),
    (lambda: Chain(1, 7).node("Mul", 2.0).node("Sub", 1.0).quant(8.0, 1 / 127.5, zero=127.5),
     BitSerial(8)),
    (lambda: Chain(1, 7).node("Mul", -1.0).quant(8.0, 1 / 255, zero=255.0), BitSerial(8)),
    (lambda: Chain(1, 7, kind=TensorProto.UINT8).node("Cast", to=TensorProto.FLOAT), BitSerial(8)),
    (lambda: Chain(1, 7).quant(2.0, 1 / 3), Lookup(tuple((np.arange(256) * 3 + 127) // 255))),
    (lambda: Chain(1, 7).quant(8.0, 1 / 256, signed=1),
     Lookup(tuple(np.minimum(np.arange(256), 127)))),
    (lambda: Chain(1, 7).node("Mul", -1.0).quant(3.0, 1 / 4, mode="FLOOR", zero=4.0),
     Lookup(tuple(-(-np.arange(256) * 4 // 255)))),
    (lambda: Chain(1, 7).qcdq(0, 255, 1 / 255), BitSerial(8)),
    (lambda: Chain(1, 7).qcdq(-128, 127, 1 / 255, zero=-128, kind=np.int8), BitSerial(8)),
    (lambda: Chain(1, 7).qcdq(0, 1, 0.5), Threshold(64)),
], ids=range(13))
def test_the_encoder_does_what_the_graph_does_with_pixels(chain, encoder, tmp_path):
    chain = chain().matmul(signs(7, 9), 1.0).node("Add", 0.25 - np.arange(9)).bipolar()
    imported = load(chain.matmul(signs(9, 3), 1.0), tmp_path)
    network = imported.network
    x = np.repeat(np.arange(256)[:, None], 7, axis=1)
    assert (type(network.encoder), network.encoder.bits) == (type(encoder), 8)
    if not isinstance(encoder, Threshold):
        assert network.encoder == encoder
    if isinstance(encoder, Threshold):
        before = imported.graph.run(imported.graph.entry, imported.input(x))
        level, = np.flatnonzero(np.diff(before[:, 0])) + 1
        assert network.encoder == Threshold(int(level))
    assert agreement(imported, x).parts == () and equal(imported)


def test_what_pixels_become_may_be_said(tmp_path):
    chain = Chain(1, 7).matmul(signs(7, 9), 1.0).node("Add", 0.503).bipolar()
    chain.matmul(signs(9, 3), 1.0)
    assert refusal(chain, tmp_path) == (
        "nothing quantizes what comes to MatMul_1: say what pixels become, with --input "
        "bipolar:LEVEL or --input uint:BITS")
    for input, encoder in ((Input(level=90, given=True), Threshold(90)),
                           (Input(bits=5, divisor=1.0, given=True), BitSerial(5)),
                           (Input(divisor=100.0, given=True), BitSerial(8))):
        imported = load(chain, tmp_path, input)
        assert imported.network.encoder == encoder and equal(imported)


@pytest.mark.parametrize("chain, message", [
    (lambda: entry(1, 18).matmul(signs(18, 4), 1.0).matmul(signs(4, 2), 1.0),
     "what follows MatMul_5 gives more than 16 numbers, or such as are not equally far apart: it "
     "needs a Quant, BipolarQuant, QuantizeLinear, Sign or MultiThreshold of at most 4 bits"),
    (lambda: entry(1, 8).matmul(RNG.normal(size=(8, 4))),
     "weights of MatMul_4, in output 0, are no multiples of one number: quantize them, to at most "
     "8 bits"),
    (lambda: entry(1, 8).matmul(signs(8, 4), 1.0).norm(np.ones(4), np.ones(4), np.ones(4),
                                                       [1, 1, -1.0, 1]).bipolar()
     .matmul(signs(4, 2), 1.0), "BatchNormalization_6 gives what is not a number"),
    (lambda: entry(1, 8).matmul(signs(8, 4), 1.0).node("Add", 0.5).node("Div", 1.0, first=True)
     .bipolar().matmul(signs(4, 2), 1.0),
     "Div_7 rises and falls again with the sum of neuron 0: what follows a product must do one of "
     "both"),
    (lambda: Chain(1, 8).node("Sub", np.arange(8.0) / 8).bipolar().matmul(signs(8, 4), 1.0),
     "what comes before MatMul_3 treats pixels differently, and ohmbit has one way for all"),
    (lambda: Chain(1, 8).node("Add", 1.0).bipolar().matmul(signs(8, 4), 1.0),
     "all pixels become 1 before MatMul_3: is it pixels over 255 that the graph takes?"),
], ids=range(6))
def test_refuses_by_name(chain, message, tmp_path):
    assert refusal(chain(), tmp_path) == message


def test_a_graph_that_cannot_be_executed_is_none(tmp_path):
    """The product has numbers of two types, and nothing but the product takes both."""
    model = entry(1, 8).matmul(signs(8, 4)).model()
    weights, = (each for each in model.graph.initializer if list(each.dims) == [8, 4])
    weights.CopyFrom(numpy_helper.from_array(np.ones((8, 4)), weights.name))
    onnx.save(model, tmp_path / "g.onnx")
    with pytest.raises(InputError, match="MatMul_4 cannot be executed: .*bound to different types"):
        qonnx.load(tmp_path / "g.onnx")


def test_a_network_remembers_its_dataset(tmp_path):
    imported = load(entry(1, 8).matmul(signs(8, 2), 1.0), tmp_path, dataset="ours",
                    class_names=("no", "yes"))
    imported.network.save(tmp_path / "net.npz")
    again = Network.load(tmp_path / "net.npz")
    assert (again.dataset, again.class_names) == ("ours", ("no", "yes"))


@st.composite
def binary_graphs(draw):
    """Networks of one-bit weights and activations, as their writers scale and normalise them."""
    rng = np.random.default_rng(draw(st.integers(0, 2 ** 32 - 1)))
    sizes = draw(st.lists(st.integers(1, 20), min_size=2, max_size=4))
    scales = st.sampled_from([1.0, 0.5, 0.25, 4.0])
    chain = entry(1, sizes[0])
    for n, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weights = rng.normal(size=(inputs, outputs))
        kind = draw(st.sampled_from(["MatMul", "Gemm", "Gemm transposed"]))
        if kind == "MatMul":
            chain.matmul(weights, draw(scales))
        else:
            transposed = kind != "Gemm"
            given = chain.bipolar(draw(scales), of=chain.constant(
                weights.T if transposed else weights))
            chain.node("Gemm", given, *([rng.integers(-8, 9, outputs) / 4]
                                        if draw(st.booleans()) else []), transB=int(transposed))
        if n == len(sizes) - 2:
            break
        for kind in draw(st.lists(st.sampled_from(["norm", "Relu", "Mul", "Div", "Add", "Sub"]),
                                  max_size=3)):
            if kind == "norm":
                chain.norm(rng.normal(size=outputs) * draw(st.sampled_from([0.0, 1.0, 1e-3, 1e3])),
                           rng.normal(size=outputs), rng.normal(0, inputs ** 0.5, outputs),
                           rng.uniform(0.1, 2 * inputs, outputs))
            elif kind == "Relu":
                chain.node("Relu").node("Sub", rng.uniform(0, inputs ** 0.5))
            else:
                values = rng.choice([-2.0, -0.5, 0.3, 1.7], outputs)
                chain.node(kind, values if draw(st.booleans()) else values[0])
        chain.bipolar(draw(scales))
    if draw(st.booleans()):
        chain.node("Mul", draw(scales)).node("Add", rng.integers(-4, 5, sizes[-1]) / 2)
    if draw(st.booleans()):
        chain.node("Softmax", axis=-1)
    return chain


@given(chain=binary_graphs(), seed=st.integers(0, 2 ** 32 - 1))
@settings(max_examples=60)
def test_random_graphs_agree(chain, seed, tmp_path_factory):
    imported = load(chain, tmp_path_factory.mktemp("random"))
    assert sum(step.undecided for step in imported.steps) == 0
    assert equal(imported, 64, np.random.default_rng(seed))
