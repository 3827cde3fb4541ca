"""Whether an imported network computes what its graph does."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .dense import Dense
from .onnx_compare import expected_of
from .onnx_graph import ROWS
from .qonnx import Imported
from .scores import argmax


__all__ = ["Agreement", "Part", "agreement"]


@dataclass(frozen=True)
class Part:
    """A number in which the two part.

    Parameters
    ----------
    node : :class:`str`
        Whose output it is, in the graph; or "class".
    image, neuron : :class:`int`
    got, expected : :class:`int`
        What the network has, and what the graph has, as an integer.
    distance : :class:`int`, or None
        Of an activation, how far the accumulator is from the threshold of that neuron which is
        nearest: 0 or more if it reaches it.
    """

    node: str
    image: int
    neuron: int
    got: int
    expected: int
    distance: int | None = None

    def __str__(self) -> str:
        where = "" if self.distance is None else \
            f", its sum {abs(self.distance)} {'below' if self.distance < 0 else 'above'} the " \
            "threshold"
        return f"{self.node}, image {self.image}, neuron {self.neuron}{where}: {self.got} " \
               f"instead of {self.expected}"


@dataclass(frozen=True)
class Agreement:
    """How many numbers were compared, and in which the two part.

    Parameters
    ----------
    images : :class:`int`
    sums, activations, classes : :class:`int`
        Compared: what products gave, what layers gave, and what images were taken for.
    ties : :class:`int`
        Images with two scores that are equal but for how the graph's last product rounds its sums,
        which makes it take the other class. The network takes the first.
    parts : tuple of :class:`Part`
        For some images at a time from the first layer on.
    """

    images: int
    sums: int
    activations: int
    classes: int
    ties: int
    parts: tuple[Part, ...]


def agreement(imported: Imported, images: np.ndarray) -> Agreement:
    """Execute the graph for images, with the qonnx package, and compare all that comes of them.

    Products are compared as the accumulators that they are nearest to. Which class an image is
    taken for is compared in place of scores, which have the order of the graph's, but other units.

    Parameters
    ----------
    imported : :class:`model.qonnx.Imported`
    images : array of integers, images × pixels
    """
    if not imported.steps:
        return _exported(imported, images)
    graph, network = imported.graph, imported.network
    nodes = graph.chain
    tensors = {node.output[0]: n for n, node in enumerate(nodes)}
    sums = activations = classes = ties = 0
    parts: list[Part] = []
    for start in range(0, len(images), ROWS):
        x = images[start:start + ROWS]
        trace = network.trace(x)
        real = graph.tensors(nodes, imported.input(x))
        for n, (step, product) in enumerate(zip(imported.steps, graph.products, strict=True)):
            layer = network.all_layers[n]
            last = [product.name, *step.following][-1]
            given = real[tensors[[product.output, *(node.output[0] for node in product.nodes)][-1]]]
            name = f"layer{n}" if isinstance(layer, Dense) else "scores"
            acc = trace[f"{name}.acc"]
            sums += acc.size
            parts += _parts(step.name, start, acc, step.acc(real[tensors[product.output]]))
            if isinstance(layer, Dense) and step.levels is not None:
                activations += acc.size
                fired = trace[f"{name}.bits" if layer.output_bits == 1 else f"{name}.values"]
                parts += _parts(last, start, fired, step.levels.index(given),
                                _distances(acc, layer.thresholds))
        # Whatever the last product became.
        classes += len(x)
        scores = trace["scores"]
        best, other = argmax(scores), argmax(given.reshape(scores.shape))
        rows = np.arange(len(x))
        rounded = bool(imported.steps[-1].sums.error.any())
        tied = (best != other) & (scores[rows, best] == scores[rows, other]) & rounded
        ties += int(tied.sum())
        parts += _parts("class", start, best[:, None], np.where(tied, best, other)[:, None])
    return Agreement(len(images), sums, activations, classes, ties, tuple(parts))


def _exported(imported: Imported, images: np.ndarray) -> Agreement:
    """The same of a graph whose tensors have the names that the network's trace has for them."""
    graph, network = imported.graph, imported.network
    counts = {"sums": 0, "activations": 0, "classes": len(images)}
    parts: list[Part] = []
    for start in range(0, len(images), ROWS):
        x = images[start:start + ROWS]
        trace = network.trace(x)
        real = dict(zip((node.output[0] for node in graph.chain),
                        graph.tensors(graph.chain, imported.input(x)), strict=True))
        for name, values in trace.items():
            expected = expected_of(network, name, values)
            counts["sums" if name.endswith(".acc") or name == "scores" else "activations"] \
                += values.size
            parts += _parts(name, start, expected, real[name].reshape(values.shape))
        parts += _parts("class", start, argmax(trace["scores"])[:, None],
                        argmax(real["scores"].reshape(trace["scores"].shape))[:, None])
    return Agreement(len(images), **counts, ties=0, parts=tuple(parts))


def _distances(acc: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How far each accumulator is from the nearest threshold of its neuron."""
    away = acc[..., None] - thresholds.reshape(len(thresholds), -1)
    nearest = abs(away).argmin(axis=-1)
    return np.asarray(np.take_along_axis(away, nearest[..., None], axis=-1)[..., 0])


def _parts(node: str, start: int, got: np.ndarray, expected: np.ndarray,
           distance: np.ndarray | None = None) -> Iterator[Part]:
    expected = expected.reshape(got.shape)
    for image, neuron in np.argwhere(got != expected).tolist():
        yield Part(node, start + image, neuron, int(got[image, neuron]),
                   int(expected[image, neuron]),
                   None if distance is None else int(distance[image, neuron]))
