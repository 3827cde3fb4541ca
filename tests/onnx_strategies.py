"""Random QONNX graphs of all nodes that ohmbit knows, as their writers put them together."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto

from model.qonnx import Input

from .onnx_graphs import QONNX, Chain


__all__ = ["Case", "sequential_graphs"]


@dataclass
class Case:
    """A graph that is being drawn, what pixels are to become, and of how many bits it may be."""

    draw: object
    rng: np.random.Generator
    few: bool
    chain: Chain | None = None
    input: Input | None = None
    sizes: list[int] = field(default_factory=list)
    channels: int = 0
    end: str = ""

    def one(self, *values):
        """One of some values, the first if it is made small."""
        return self.draw(st.sampled_from(values))

    def maybe(self):
        return self.draw(st.booleans())

    def flag(self):
        return int(self.maybe())

    def signs(self, *shape):
        return self.rng.choice([-1.0, 1.0], shape)


@st.composite
def sequential_graphs(draw, few=False):
    """A :class:`Case` whose graph ohmbit imports, but for what it cannot know.

    Parameters
    ----------
    few : :class:`bool`
        Whether weights and activations have 1 to 4 bits; else they have one.
    """
    case = Case(draw, np.random.default_rng(draw(st.integers(0, 2 ** 32 - 1))), few)
    case.sizes = draw(st.lists(st.integers(1, 20), min_size=2, max_size=4))
    entry(case)
    for n, outputs in enumerate(case.sizes[1:]):
        last = n == len(case.sizes) - 2
        product(case, case.sizes[n], outputs, exact=last)
        if not last:
            follow(case, case.sizes[n], outputs)
            activation(case, outputs)
    end(case, case.sizes[-1])
    opsets = [("", case.one(13, 14, 15, 17, 18)), (QONNX, 1)]
    case.chain.opsets = dict(opsets if case.maybe() else opsets[::-1])
    return case


def constant(case, values):
    """A tensor of these values, as itself or as what nodes of constants give."""
    chain, values = case.chain, np.asarray(values, dtype=np.float64)
    way = case.one("itself", "itself", "Constant", "Identity", "Cast", "Div", "Unsqueeze",
                   "Squeeze", "Concat", "Gather", "Slice", "Pow")
    if way in ("Identity", "Dropout"):
        return chain.hidden(values, kind=way)
    if way == "Constant":
        return chain.made(values)
    if way == "Cast":
        return chain.hidden(chain.hidden(values, kind="Cast", to=TensorProto.DOUBLE), kind="Cast",
                            to=TensorProto.FLOAT)
    if way == "Div":
        return chain.hidden(values * 4, [4.0] if values.ndim else 4.0, kind="Div")
    if way == "Unsqueeze" and values.ndim and values.shape[0] == 1:
        return chain.hidden(values[0], [0], kind="Unsqueeze")
    if way == "Squeeze":
        return chain.hidden(values[None], [0], kind="Squeeze")
    if way == "Concat" and values.ndim and len(values) > 1:
        return chain.hidden(values[:1], values[1:], kind="Concat", axis=0)
    if way == "Gather":
        return chain.hidden(np.stack([values + 1, values]), 1, kind="Gather", axis=0)
    if way == "Slice" and values.ndim:
        return chain.hidden(np.concatenate([values, values]), [0], [len(values)], kind="Slice")
    if way == "Pow" and values.ndim == 0 and values > 0 and np.log2(values) % 1 == 0:
        return chain.hidden(2.0, np.log2(values), kind="Pow")
    return chain.constant(values)


def entry(case):
    """Pixels of an image of some shape, flat, and quantized."""
    pixels = case.sizes[0]
    shape = case.one((pixels,), (1, pixels), (pixels, 1), (1, 1, pixels))
    for width in (2, 3):
        if pixels % width == 0 and case.maybe():
            shape = (1, pixels // width, width)
    whole = case.one("bipolar", "bits", "signed", "coarse", "raw", "said")
    chain = case.chain = Chain(1, *shape, kind=TensorProto.UINT8 if whole == "raw"
                               else TensorProto.FLOAT)
    if whole == "raw":
        chain.node("Cast", to=TensorProto.FLOAT)
    early = case.maybe()
    if early:
        flat(case, shape)
    if whole == "bipolar":
        bipolar_pixels(case)
    elif whole == "said":
        case.input = case.one(Input(level=90, given=True), Input(bits=5, divisor=1.0, given=True),
                              Input(divisor=100.0, given=True))
    elif whole == "coarse":
        bits = case.draw(st.integers(2, 7))
        chain.node("Sub", constant(case, case.one(0.0, 0.25)))
        chain.quant(float(bits), constant(case, case.one(1.0, 2.0, -0.5) / 2 ** bits),
                    signed=case.flag(), mode=case.one("ROUND", "FLOOR", "CEIL"))
    elif whole == "bits" or whole == "signed":
        bits = case.draw(st.integers(1, 8))
        most = 2 ** bits - 1
        unit = case.one(1 / most, 1.0, 0.25)
        case.input = Input(bits=bits, divisor=most)
        chain.node("Mul", constant(case, most * unit), first=case.maybe())
        signed = whole == "signed" and bits > 1
        if signed:
            chain.node("Sub", constant(case, 2 ** (bits - 1) * unit))
        chain.quant(float(bits), constant(case, unit), signed=int(signed), mode=case.one(
            "ROUND", "HALF_UP", "HALF_DOWN"))
    if not early:
        flat(case, shape)


def flat(case, shape):
    """Rows of all pixels, those perhaps in another order."""
    chain, size = case.chain, int(np.prod(shape))
    if len(shape) == 3 and case.maybe():
        chain.node("Transpose", perm=case.one([0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2]))
    way = case.one("Reshape", "Flatten", "view", "none", "zero", "whole")
    if way == "Flatten":
        chain.node("Flatten", axis=1)
    elif way == "view":
        images = chain.hidden(chain.node("Shape", of=chain.tensor), 0, kind="Gather", axis=0)
        target = chain.hidden(chain.hidden(images, [0], kind="Unsqueeze"), [-1], kind="Concat",
                              axis=0)
        chain.node("Reshape", target)
    elif way != "none" or len(shape) > 1:
        to = {"Reshape": (1, -1), "zero": (0, -1), "whole": (1, size)}
        chain.reshape(*to.get(way, (-1, size)))


def bipolar_pixels(case):
    """Two numbers, from a level on which no pixel is."""
    chain, level = case.chain, case.draw(st.integers(0, 254)) + 0.5
    way = case.one("Sub", "Sub first", "Mul", "Div", "Add", "Clip")
    if way == "Mul":
        chain.node("Mul", constant(case, 2.0), first=case.maybe())
        level *= 2
    elif way == "Div":
        chain.node("Div", constant(case, -0.25))
        level *= -4
    elif way == "Add":
        chain.node("Add", constant(case, [1.0]), first=case.maybe())
        level += 255
    elif way == "Clip":
        chain.node("Clip", 0.0, 1.0)
    middle = constant(case, level / 255)
    chain.node("Sub", middle, first=way == "Sub first")
    two(case, 1, 2.0 ** -10)


def two(case, channels, grain):
    """What makes two numbers of those of some channels, of which most are no less than a grain."""
    chain, scale = case.chain, case.one(1.0, 0.5, 2.0, 0.3)
    way = case.one("BipolarQuant", "Sign", "signed", "unsigned", "MultiThreshold", "thresholds")
    if way == "BipolarQuant":
        chain.bipolar(constant(case, scale))
    elif way == "Sign":
        # Nothing but zero is its third number.
        chain.node("Add", constant(case, np.pi * grain / 100)).node("Sign")
    elif way == "signed":
        chain.quant(1.0, constant(case, scale), signed=1, narrow=case.flag())
    elif way == "unsigned":
        chain.quant(1.0, constant(case, scale * grain), mode=case.one(
            "ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_EVEN", "HALF_UP", "HALF_DOWN"))
    elif way == "MultiThreshold":
        chain.node("MultiThreshold", constant(case, [[0.0]]), out_dtype="BIPOLAR",
                   out_scale=2 * scale, out_bias=-scale)
    else:
        chain.node("MultiThreshold", constant(case, case.rng.normal(size=(channels, 1)) * grain),
                   out_dtype="UINT1", **case.one({}, {"data_layout": "NC"}))


def product(case, inputs, outputs, *, exact):
    """A dense layer, whose weights are exact in float32 or not."""
    chain = case.chain
    gemm, transposed = case.maybe(), case.maybe()
    shape = (outputs, inputs) if transposed else (inputs, outputs)
    powers = [1.0, 0.5, 0.25, 4.0]
    scale = case.one(*powers) if exact or case.maybe() else case.one(0.3, 0.7, -1.1)
    if not exact and case.maybe():
        scale = scale * case.rng.choice(powers, (outputs, 1) if transposed else (1, outputs))
    weights = quantized(case, shape, scale)
    if not gemm:
        if transposed:
            weights = chain.hidden(weights, kind="Transpose", perm=[1, 0])
        chain.node("MatMul", weights)
        return
    bias = [constant(case, case.rng.integers(-8, 9, case.one((outputs,), (1, outputs), (1,))) / 4)
            ] if case.maybe() else []
    options = case.one({}, {"alpha": 0.5}, {"beta": 2.0}, {"alpha": -2.0, "beta": 0.5})
    chain.node("Gemm", weights, *bias, transB=int(transposed), **options)


def quantized(case, shape, scale):
    """Weights that a quantizer makes of reals, or that are what they are."""
    chain = case.chain
    bits = case.draw(st.integers(1, 4)) if case.few else 1
    way = case.one("quantizer", "constant", "product", "integers")
    if bits > 1:
        narrow = case.flag()
        most = 2 ** (bits - 1) - 1
        if way == "quantizer":
            reals = constant(case, case.rng.normal(size=shape) * most)
            return chain.quant(float(bits), constant(case, scale), signed=1, narrow=narrow,
                               of=reals)
        whole = case.rng.integers(-most - 1 + narrow, most + 1, shape).astype(float)
    else:
        if way == "quantizer":
            reals = constant(case, case.rng.normal(size=shape))
            if case.maybe():
                return chain.quant(1.0, constant(case, scale), signed=1, of=reals)
            return chain.bipolar(constant(case, scale), of=reals)
        whole = case.signs(*shape)
    if way == "product":
        return chain.hidden(constant(case, whole), constant(case, scale), kind="Mul")
    if way == "integers" and np.ndim(scale) == 0:
        given = chain.hidden(whole.astype(np.int64), kind="Cast", to=TensorProto.FLOAT)
        return chain.hidden(given, constant(case, scale), kind="Div" if scale == 1 else "Mul")
    return constant(case, whole * scale)


def channels(case, values):
    """One number for all channels, or one for each, in the shapes that nodes take."""
    each = case.rng.choice(values, case.channels)
    return case.one(lambda: each[0], lambda: each[:1], lambda: each, lambda: each[None])()


def norm(case, outputs, spread=None):
    chain, rng = case.chain, case.rng
    spread = spread or case.one(1.0, 1e-3, 1e3, 0.0, -1.0)
    gamma = rng.normal(size=outputs) * spread
    gamma[rng.random(outputs) < 0.1] = 0.0
    variance = case.one(1.0, 1e-30, 1e30, 1e-6) * rng.uniform(0.1, 40, outputs)
    chain.node("BatchNormalization", *(constant(case, each) for each in (
        gamma, rng.normal(size=outputs), rng.normal(0, 3, outputs), variance)),
        epsilon=case.one(1e-5, 1e-3))


def follow(case, inputs, outputs):
    """What only rises or falls, between a product and its activation."""
    chain = case.chain
    case.channels = outputs
    kinds = ("norm", "Relu", "Mul", "Div", "Add", "Sub", "Sub first", "Clip", "idle", "moved")
    for kind in case.draw(st.lists(st.sampled_from(kinds), max_size=4)):
        if kind == "norm":
            norm(case, outputs)
        elif kind == "Relu":
            chain.node("Relu").node("Sub", constant(case, case.rng.uniform(0, inputs ** 0.5)))
        elif kind in ("Mul", "Div"):
            values = constant(case, channels(case, [-2.0, -0.5, 0.3, 1.7]))
            chain.node(kind, values, first=kind == "Mul" and case.maybe())
        elif kind in ("Add", "Sub"):
            values = constant(case, channels(case, [-1.0, 0.125, 0.3, 2.0]))
            chain.node(kind, values, first=kind == "Add" and case.maybe())
        elif kind == "Sub first":
            chain.node("Sub", constant(case, channels(case, [0.0, 0.5])), first=True)
        elif kind == "Clip":
            chain.node("Clip", -3.0, 4.0)
        elif kind == "idle":
            chain.node(case.one("Identity", "Dropout"))
        else:
            chain.node("Flatten", axis=1) if case.maybe() else chain.reshape(1, outputs)


def activation(case, outputs):
    """What the next product takes."""
    bits = case.draw(st.integers(1, 4)) if case.few else 1
    if bits == 1:
        two(case, case.one(1, outputs), 1.0)
    elif case.maybe():
        signed = case.flag()
        if case.maybe():
            half = 2 ** (bits - 1) if signed else 0
            case.chain.qcdq(-half, 2 ** bits - 1 - half, case.one(1.0, 0.5, 0.3),
                            kind=np.int8 if signed else np.uint8)
            return
        case.chain.quant(float(bits), constant(case, case.one(1.0, 0.5, 0.3)), signed=signed,
                         narrow=case.flag(), mode=case.one("ROUND", "FLOOR", "CEIL", "HALF_UP"))
    else:
        steps = np.sort(case.rng.normal(0, 3, (case.one(1, outputs), 2 ** bits - 1)))
        case.chain.node("MultiThreshold", constant(case, steps), out_dtype=f"UINT{bits}",
                        out_scale=case.one(1.0, 0.5), out_bias=case.one(0.0, -1.0))


def end(case, classes):
    """Scores, or what is made of them at last."""
    chain = case.chain
    case.channels = classes
    kind = case.one("none", "Mul", "Div", "Add", "norm", "both")
    if kind in ("Mul", "both"):
        chain.node("Mul", constant(case, case.one(0.5, 0.1, [2.0], -1.0)))
    if kind == "Div":
        chain.node("Div", constant(case, np.full((1, classes), 0.5)))
    if kind in ("Add", "both"):
        chain.node("Add", constant(case, case.rng.integers(-4, 5, classes) / 2))
    if kind == "norm":
        chain.node("BatchNormalization", *(constant(case, np.full(classes, value))
                                           for value in (0.7, 0.1, 2.0, 9.0)))
    case.end = case.one("", "Softmax", "LogSoftmax", "ArgMax", "TopK", "Softmax TopK")
    for node in case.end.split():
        if node == "ArgMax":
            chain.node("ArgMax", axis=case.one(1, -1), keepdims=case.flag())
        elif node == "TopK":
            chain.node("TopK", [case.draw(st.integers(1, classes))], outputs=2)
        else:
            chain.node(node, axis=case.one(1, -1))
