"""From a network to an accelerator and its memory contents."""

import numpy as np

from model.compend import Compend
from model.dense import Dense
from model.packing import pack_fields
from model.scores import Scores

from .accelerator import Accelerator
from .plan import Plan


__all__ = ["compile", "counted", "image", "taken"]


def compile(shape, mapping, *, image=None, probes=False):
    """The accelerator for networks of a shape.

    Parameters
    ----------
    shape : :class:`model.network.Shape`
        What the network's hardware depends on. No weight is among it.
    mapping : :class:`gateware.mapping.Mapping`
        Parallelism of each layer.
    image : dict of list of :class:`int`, or None
        Memory contents at power-up, as :func:`image` gives them.
    probes : :class:`bool`
        Whether to add an output for each layer, on which a simulator sees what passes.
    """
    return Accelerator(Plan(shape, mapping), image=image, probes=probes)


def image(network, mapping):
    """Contents of every memory of the accelerator that runs :py:`network`: rows, by name."""
    words = {}
    for n, (layer, folding) in enumerate(zip(network.all_layers, mapping.layers, strict=True)):
        if isinstance(layer, Compend):
            words |= {f"layer{n}.{name}": rows for name, rows in folding.image(layer).items()}
            continue
        words[f"layer{n}.weights"] = weight_rows(layer.cells, folding)
        if isinstance(layer, Dense):
            words[f"layer{n}.thresholds"] = threshold_rows(layer, folding)
    if isinstance(network.scores, Scores):
        words["scores.affine"] = affine_rows(network.scores)
    if mapping.layers[0].samples > 1:
        words["samples"] = [network.encoder.samples]
    return words


def counted(network, mapping, images):
    """What each layer of weights of several bits takes for each image, or None of others.

    A :class:`model.schedule.Counts` for each layer, with which its counters agree.
    """
    if not network.shape.serial:
        return (None,) * len(network.all_layers)
    found, x = [], network.encoder.check(images)
    for n, (layer, folding) in enumerate(zip(network.all_layers, mapping.layers, strict=True)):
        seen = network.into(n, x)
        found.append(folding.schedule.counts(layer, seen) if isinstance(layer, Compend) else None)
        if n < len(network.layers):
            x = layer(seen)
    return tuple(found)


def taken(counts):
    """Cycles of each image in each layer, as :func:`gateware.cost.timing` takes them."""
    return tuple(each and tuple(each.cycles.tolist()) for each in counts)


def weight_rows(weights, folding):
    """Rows of a crossbar: for each group of neurons, for each bit of the weights, for each fold of
    the inputs. The weights are cells, bits × outputs × inputs, or outputs × inputs of one bit.
    """
    cells = np.ones((folding.weight_bits, folding.groups * folding.pe,
                     folding.folds * folding.simd), dtype=bool)
    cells[:, :folding.outputs, :folding.inputs] = weights
    rows = cells.reshape(-1, folding.groups, folding.pe, folding.folds, folding.simd)
    return pack_fields(rows.transpose(1, 0, 3, 2, 4), 1, folding.pe * folding.simd)


def threshold_rows(layer, folding):
    """Rows of thresholds of the sums of a layer, as many in each as neurons leave in a cycle."""
    # Neurons that only fill up the last group never fire, and so agree with nothing after.
    thresholds = np.full((folding.words * folding.lanes, folding.turns * folding.steps),
                         folding.top + 1)
    thresholds[:folding.outputs, :folding.stairs] = \
        layer.sum_threshold(layer.thresholds).reshape(folding.outputs, -1)
    rows = thresholds.reshape(folding.words, folding.lanes, folding.turns, folding.steps)
    return pack_fields(rows.transpose(0, 2, 1, 3), folding.threshold_bits,
                       folding.lanes * folding.steps)


def affine_rows(scores):
    """Rows of a bias, the accumulator's offset included, and above it a gain if there is any."""
    bias = (scores.bias << scores.halved) - scores.gain * scores.offset
    bias &= (1 << scores.score_bits) - 1
    gain = scores.gain & (1 << scores.gain_bits) - 1
    return (bias | gain << scores.score_bits).tolist()
