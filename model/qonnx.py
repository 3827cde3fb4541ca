"""Networks in QONNX files, as Brevitas and FINN exchange them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import onnx_origin
from .accumulate import WEIGHT_BITS, Accumulate
from .dense import OUTPUT_BITS, Dense
from .encoder import BitSerial, Encoder, Lookup, Threshold
from .errors import InputError
from .network import Network
from .onnx_graph import Graph, Product, read
from .ranking import ranking
from .scores import Scores
from .stairs import stairs
from .sums import Sums, finite
from .switches import Switches, switches
from .uniform import ROUNDED, Uniform, uniform


__all__ = ["Imported", "Input", "Step", "load"]


QUANTIZERS = ("Quant", "BipolarQuant", "QuantizeLinear", "Sign", "MultiThreshold")
TABLE      = 1 << 22   # accumulators of a layer that are all looked at
FARTHEST   = 1 << 20   # steps from zero at which activations are still told as they are


@dataclass(frozen=True)
class Input:
    """What a graph is given for a pixel.

    Parameters
    ----------
    bits : :class:`int`
        Width of a pixel.
    divisor : :class:`float`
        The graph takes a pixel over this, in float32.
    level : :class:`int`, or None
        The graph takes 1 for a pixel from here on, and −1 below, instead.
    given : :class:`bool`
        Whether pixels become these very numbers because somebody said so; else the graph must
        quantize them.
    """

    bits: int = 8
    divisor: float = 255.0
    level: int | None = None
    given: bool = False

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        if self.level is not None:
            return np.where(pixels >= self.level, np.float32(1), np.float32(-1))
        return pixels.astype(np.float32) / np.float32(self.divisor)


@dataclass(frozen=True, eq=False)
class Step:
    """A product of the graph as a layer of integers.

    Parameters
    ----------
    name : :class:`str`
        The node.
    following : tuple of :class:`str`
        Nodes that became thresholds, or gains and biases.
    sums : :class:`model.sums.Sums`
    flipped : array of :class:`bool`, outputs
        Neurons whose weights the layer has negated, as what follows falls where their sums rise.
    undecided : :class:`int`
        Places at which the graph switches and the rounding of its product may have a say in it.
        There the sum is taken for exact.
    bipolar : :class:`bool`
        Whether the layer takes ±1 for the two numbers that come.
    levels : :class:`model.uniform.Uniform`, or None
        Numbers that it gives; None where they are scores.
    """

    name: str
    following: tuple[str, ...]
    sums: Sums
    flipped: np.ndarray
    undecided: int
    bipolar: bool
    levels: Uniform | None

    def acc(self, real: np.ndarray) -> np.ndarray:
        """The layer's accumulators where the graph's product gives :py:`real`, rows × outputs."""
        acc = self.sums.acc(real)
        if self.bipolar:
            acc = 2 * acc - self.sums.weights.sum(axis=1)
        return np.where(self.flipped, -acc, acc)


@dataclass(frozen=True, eq=False)
class Imported:
    """A network, and the graph that it was made from.

    Parameters
    ----------
    network : :class:`model.network.Network`
    graph : :class:`model.onnx_graph.Graph`
    input : :class:`Input`
    steps : tuple of :class:`Step`
        One for each product of the graph. None at all where the graph is known to be the export of
        this network.
    """

    network: Network
    graph: Graph
    input: Input
    steps: tuple[Step, ...]


def load(path: str | os.PathLike[str], input: Input | None = None, *, dataset: str = "",
         class_names: Sequence[str] = ()) -> Imported:
    """The network in a QONNX file, whose layers are dense and follow one another.

    Whatever stands between two matrix products is one function of a sum for each neuron, and it is
    executed by the qonnx package, in float32, to find every integer at which its value changes. So
    integer thresholds agree with the graph wherever its own products are exact.

    After Y. Umuroglu and M. Jahre, "Streamlined Deployment for Quantized Neural Networks", 2017,
    who absorb scales and biases into thresholds.

    Parameters
    ----------
    path : path
    input : :class:`Input`, or None
        None is for graphs that take pixels from 0 to 1, and quantize them.
    dataset, class_names
        As :class:`model.network.Network` has them; by default those that the file says, if it was
        exported from a network. Then that very network comes of it, unless it has been changed, or
        :py:`input` is given.
    """
    graph, origin = read(path), onnx_origin.read(path)
    given = input or Input(bits=origin.bits if origin else 8, divisor=1.0 if graph.raw else 255.0)
    if origin and not dataset:
        dataset, class_names = origin.dataset, origin.class_names
    if origin and origin.network and input is None:
        # A graph does not say which of several thresholds that no sum lies between a neuron has,
        # and other gains leave scores in the same order.
        network = replace(origin.network, dataset=dataset, class_names=tuple(class_names))
        return Imported(network, graph, given, ())
    try:
        return _imported(graph, given, dataset, tuple(class_names))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _imported(graph: Graph, input: Input, dataset: str, class_names: tuple[str, ...]) -> Imported:
    encoder, levels, order = _encoder(graph, input)
    layers: list[Dense] = []
    steps = []
    for n, product in enumerate(graph.products):
        weights = product.weights[:, order] if n == 0 else product.weights
        if weights.shape[1] != (len(order) if n == 0 else len(graph.products[n - 1].weights)):
            raise InputError(f"{product.name} takes {weights.shape[1]} numbers, and others come")
        sums = Sums.of(product, weights, levels)
        bipolar = encoder.bipolar if n == 0 else layers[-1].output_bits == 1
        quantized = any(node.op_type in QUANTIZERS for node in product.nodes)
        if n == len(graph.products) - 1 and not quantized:
            scores, step = _scores(graph, product, sums, bipolar=bipolar)
            steps.append(step)
            break
        layer, step, levels = _layer(graph, product, sums, bipolar=bipolar)
        layers.append(layer)
        steps.append(step)
    else:
        scores = _activations(layers[-1], levels)
    # Products have been executed nowhere so far, and a graph that cannot be is none to agree with.
    graph.tensors(graph.chain, input(np.zeros((1, len(order)), dtype=np.int64)))
    try:
        network = Network(encoder, tuple(layers), scores, dataset, class_names)
    except ValueError as error:
        raise InputError(str(error)) from None
    return Imported(network, graph, input, tuple(steps))


def _encoder(graph: Graph, input: Input) -> tuple[Encoder, Uniform, np.ndarray]:
    """What takes pixels, the numbers that it gives, and where the graph has those of each pixel."""
    quantizers = [node for node in graph.entry if node.op_type in QUANTIZERS]
    first = graph.products[0].name
    if not quantizers and not input.given and not graph.raw:
        raise InputError(f"nothing quantizes what comes to {first}: say what pixels become, with "
                         "--input bipolar:LEVEL or --input uint:BITS")
    pixels = np.arange(2 ** input.bits)
    shape = graph.shape
    flat = np.repeat(input(pixels)[:, None], int(np.prod(shape)), axis=1)
    table = finite(graph.run(graph.entry, flat), first).reshape(len(pixels), -1)
    if (table != table[:, :1]).any():
        raise InputError(f"what comes before {first} treats pixels differently, and ohmbit has one "
                         "way for all")
    levels = uniform(table, 2 ** input.bits - 1)
    if levels is None:
        raise InputError(f"what pixels become before {first} are no multiples of one step, of "
                         f"which {2 ** input.bits - 1} reach from the least to the greatest")
    if not levels.most:
        raise InputError(f"all pixels become {levels.low:g} before {first}: is it pixels over "
                         f"{input.divisor:g} that the graph takes?")
    order = _order(graph, input, table[:, 0])
    index = levels.index(table[:, 0])
    if index[0] > index[-1]:
        levels = Uniform(levels.low + levels.step * levels.most, -levels.step, levels.most)
        index = levels.most - index
    if levels.most == 1 and (np.diff(index) >= 0).all():
        return Threshold(int(index.argmax()), bits=input.bits), levels, order
    if (index == pixels).all():
        return BitSerial(input.bits), levels, order
    return Lookup(tuple(index.tolist()), bits=input.bits), levels, order


def _order(graph: Graph, input: Input, table: np.ndarray) -> np.ndarray:
    """At which place in what comes to the first product each pixel is."""
    count = int(np.prod(graph.shape))
    other = int(np.flatnonzero(table != table[0])[0])
    places = np.arange(max(count - 1, 1).bit_length())[:, None]
    images = np.where(np.arange(count) >> places & 1, other, 0)
    seen = graph.run(graph.entry, input(images)).reshape(len(images), -1) == table[other]
    return np.argsort((seen << places).sum(axis=0))


def _layer(graph: Graph, product: Product, sums: Sums, *,
           bipolar: bool) -> tuple[Dense, Step, Uniform]:
    names = tuple(map(graph.name, product.nodes))

    def values(acc: np.ndarray) -> np.ndarray:
        return finite(graph.run(product.nodes, sums(acc)), names[-1] if names else product.name)

    most = (1 << OUTPUT_BITS) - 1
    found = switches(values, sums.low, sums.high, most)
    levels = None if found is None else uniform(found.values, most)
    if levels and not levels.most:
        # What no neuron ever changes is the upper or the lower of two.
        levels = Uniform(min(levels.low, -levels.low), 2 * abs(levels.low) or 1.0, 1)
    if found is None or levels is None:
        raise InputError(f"what follows {product.name} gives more than {most + 1} numbers, or such "
                         "as are not equally far apart: it needs a "
                         f"{', '.join(QUANTIZERS[:-1])} or {QUANTIZERS[-1]} of at most "
                         f"{OUTPUT_BITS} bits")
    _check_monotonic(graph, product, sums, found, values)
    bits = levels.most.bit_length()
    thresholds, falls = stairs(found, levels, sums.low, sums.high, bits)
    weights = np.where(falls[:, None], -sums.weights, sums.weights)
    if bipolar:
        thresholds = 2 * thresholds - weights.sum(axis=1)[:, None]
    made = _cells(product, weights, sums.given)
    reach = made.most
    thresholds = thresholds.clip(-reach, reach + 1)
    layer = Dense(made.weights, thresholds if bits > 1 else thresholds[:, 0], bipolar=bipolar,
                  gains=made.gains, weight_bits=made.weight_bits)
    step = Step(product.name, names, sums, falls, _undecided(graph, product, sums, found), bipolar,
                levels)
    return layer, step, levels


def _cells(product: Product, weights: np.ndarray, given: Uniform) -> Accumulate:
    """Integers as weights of crossbars, of as few bits as they take."""
    gains = BitSerial(given.most.bit_length()).gains
    if (abs(weights) == 1).all():
        return Accumulate(weights > 0, gains=gains)
    bits = 1 + max(int(weights.max()), int(-1 - weights.min()), 1).bit_length()
    if bits > WEIGHT_BITS:
        raise InputError(f"{product.name} has weights from {weights.min()} to {weights.max()}: "
                         f"ohmbit runs {WEIGHT_BITS} bits, from {-1 << WEIGHT_BITS - 1} to "
                         f"{(1 << WEIGHT_BITS - 1) - 1}")
    return Accumulate(weights, gains=gains, weight_bits=bits)


def _check_monotonic(graph: Graph, product: Product, sums: Sums, found: Switches,
                     values: Callable[[np.ndarray], np.ndarray]) -> None:
    """Whether each neuron's function only rises or only falls; else which node is not so."""
    span = int((sums.high - sums.low).max()) + 1
    if span * len(sums.weights) > TABLE or not product.nodes:
        return
    acc = np.minimum(sums.low + np.arange(span)[:, None], sums.high)
    for node, given in zip(product.nodes, graph.tensors(product.nodes, sums(acc)), strict=True):
        steps = np.diff(given.reshape(span, -1), axis=0)
        both = (steps > 0).any(axis=0) & (steps < 0).any(axis=0)
        if both.any():
            raise InputError(f"{graph.name(node)} rises and falls again with the sum of neuron "
                             f"{int(both.argmax())}: what follows a product must do one of both")


def _undecided(graph: Graph, product: Product, sums: Sums, found: Switches) -> int:
    """At how many switches the value would be another if the sum were off by as much as it may."""
    count = 0
    for place, side, value in ((found.place, -1, found.after), (found.place - 1, 1, found.before)):
        real = np.repeat(sums(sums.low)[None], max(len(place), 1), axis=0)
        rows = np.arange(len(place))
        real[rows, found.which] = sums.scale[found.which] * place + sums.offset[found.which] \
            + side * np.sign(sums.scale[found.which]) * sums.error[found.which]
        count += int((graph.run(product.nodes, real)[rows, found.which] != value).sum())
    return count


def _scores(graph: Graph, product: Product, sums: Sums, *, bipolar: bool) -> tuple[Scores, Step]:
    names = tuple(map(graph.name, product.nodes))

    def values(acc: np.ndarray) -> np.ndarray:
        return finite(graph.run(product.nodes, sums(acc)), names[-1] if names else product.name)

    made = _cells(product, sums.weights, sums.given)
    if int((sums.high - sums.low).max()) * made.outputs > TABLE:
        raise InputError(f"{product.name} has sums of too wide a range")
    gain, bias = ranking(values, sums.low, sums.high, product.name,
                         sums.error / abs(sums.scale))
    if bipolar:
        # Twice the score, as an accumulator of ±1 is twice one of 0 and 1 but for a constant.
        bias = 2 * bias + gain * sums.weights.sum(axis=1)
    # What all have in common decides nothing.
    scores = Scores(made.weights, gain, bias - bias.min(), bipolar=bipolar, gains=made.gains,
                    weight_bits=made.weight_bits)
    return scores, Step(product.name, names, sums, flipped=np.zeros(made.outputs, dtype=bool),
                        undecided=0, bipolar=bipolar, levels=None)


def _activations(layer: Dense, levels: Uniform) -> Scores:
    """Scores that are the activations of a layer: what it gives, and nothing else added to that.

    They are what the graph gives where that is whole numbers, and else count its levels.
    """
    bipolar = layer.output_bits == 1
    unit = levels.step / 2 if bipolar else levels.step
    base = levels.low + unit if bipolar else levels.low
    bias = int(np.rint(base / unit))
    whole = abs(bias) < FARTHEST and abs(bias * unit - base) <= ROUNDED * (abs(base) + unit)
    ones = np.ones(layer.outputs, dtype=np.int64)
    return Scores(np.diag(ones), ones, bias * ones if whole else 0 * ones, weight_bits=2,
                  bipolar=bipolar, gains=BitSerial(layer.output_bits).gains)
