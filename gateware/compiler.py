"""From a network to an accelerator and its memory contents."""

import numpy as np

from model.packing import pack_fields, pack_rows

from .accelerator import Accelerator
from .plan import Plan


__all__ = ["compile", "image", "pixel_words", "pixel_rows"]


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
        words[f"layer{n}.weights"] = weight_rows(layer.weights, folding)
    for n, (layer, folding) in enumerate(zip(network.layers, mapping.layers, strict=False)):
        words[f"layer{n}.thresholds"] = threshold_rows(layer, folding)
    words["scores.affine"] = affine_rows(network.scores)
    if mapping.layers[0].samples > 1:
        words["samples"] = [network.encoder.samples]
    return words


def weight_rows(weights, folding):
    """Rows of a crossbar: for each group of neurons, for each fold of the inputs."""
    cells = np.ones((folding.groups * folding.pe, folding.folds * folding.simd), dtype=bool)
    cells[:folding.outputs, :folding.inputs] = weights
    rows = cells.reshape(folding.groups, folding.pe, folding.folds, folding.simd)
    return pack_fields(rows.transpose(0, 2, 1, 3), 1, folding.pe * folding.simd)


def threshold_rows(layer, folding):
    """Rows of thresholds of the sums of a layer, as many in each as neurons leave in a cycle."""
    # Neurons that only fill up the last group never fire, and so agree with nothing after.
    thresholds = np.full(folding.words * folding.lanes, folding.top + 1)
    thresholds[:folding.outputs] = layer.sum_threshold(layer.thresholds)
    return pack_fields(thresholds, folding.threshold_bits, folding.lanes)


def affine_rows(scores):
    """Rows of a bias, the accumulator's offset included, and above it a gain if there is any."""
    bias = (scores.bias - scores.gain * scores.offset) & (1 << scores.score_bits) - 1
    gain = scores.gain & (1 << scores.gain_bits) - 1
    return (bias | gain << scores.score_bits).tolist()


def pixel_words(images, shape, mapping):
    """Words that an accelerator takes for some images, one list after another.

    Where images go in batches, the last of these is marked as the last of a run.
    """
    return [int.from_bytes(row.tobytes(), "little") for row in pixel_rows(images, shape, mapping)]


def pixel_rows(images, shape, mapping):
    """The words of :func:`pixel_words` as rows of bytes, lowest first."""
    folding = mapping.layers[0]
    padded = np.zeros((len(images), folding.folds * folding.simd), dtype=np.uint16)
    padded[:, :folding.inputs] = shape.encoder.check(images)
    rows = pack_rows(padded, shape.encoder.bits, folding.simd)
    if mapping.batch > 1:
        place = shape.encoder.bits * folding.simd
        rows = np.pad(rows, ((0, 0), (0, place // 8 + 1 - rows.shape[1])))
        rows[-1:, place // 8] |= 1 << place % 8
    return rows
