"""What a learner has learned, as a network that any engine runs."""

import numpy as np

from .compend import Compend
from .dense import Dense
from .encoder import BitSerial
from .network import Layer, Network, Output
from .scores import Scores
from .sign_update import Learner


__all__ = ["learned", "scaled", "unit_of"]


PIXEL = 8   # bits


def unit_of(images: np.ndarray) -> int:
    """What a pixel is out of: the least power of two that none of some images is above."""
    return 1 << max(int(images.max(initial=1)) - 1, 0).bit_length()


def scaled(images: np.ndarray, unit: int) -> np.ndarray:
    """Pixels as they are learned, out of 256, but none above 255."""
    return np.minimum(2 ** PIXEL // unit * images.astype(np.int64), 2 ** PIXEL - 1).astype(np.uint8)


def learned(learner: Learner, *, dataset: str = "", class_names: tuple[str, ...] = (),
            bits: int = PIXEL, unit: int = 2 ** PIXEL) -> Network:
    """Network that takes pixels as they are, as if infinitely many bits were drawn of each.

    A pixel p is drawn as 1 with a probability of p/unit, so that what is expected of a hidden sum,
    that many times over, is an integer: rows of pixels weigh p, and those of the bias a unit.
    Counters become weights of as many bits. Scores are doubled where weights have several bits,
    since hidden neurons then give 0 rather than −1. Where a crossbar sees signs of counters, its
    layer is binary.

    Parameters
    ----------
    learner : :class:`model.sign_update.Learner`
        It learned pixels as :func:`scaled` has them.
    dataset, class_names
        As :class:`model.network.Network` has them.
    bits : :class:`int`
        Width of a pixel.
    unit : :class:`int`
        What pixels are out of: a power of two up to 256.
    """
    spec, encoder = learner.spec, BitSerial(bits)
    first, bias = np.split(learner.first.astype(np.int64), [spec.inputs])
    offset = unit * bias.sum(axis=0)
    layer: Layer
    if spec.forward == "integer":
        layer = Compend(first.T, offset, weight_bits=spec.bits, input_bits=bits, activation="sign")
    else:
        offset = unit * np.where(bias < 0, -1, 1).sum(axis=0)
        top = spec.inputs * (2 ** bits - 1)
        layer = Dense(first.T >= 0, (-offset).clip(-top, top + 1), gains=encoder.gains,
                      bipolar=False)
    second, bias = np.split(learner.second.astype(np.int64), [spec.hidden])
    scores: Output
    if spec.forward == "sign":
        scores = Scores(second.T >= 0, np.ones(spec.classes, dtype=np.int64),
                        np.where(bias < 0, -1, 1).sum(axis=0))
    else:
        scores = Compend(2 * second.T, bias.sum(axis=0) - second.sum(axis=0),
                         weight_bits=spec.bits + 1, input_bits=1, activation="linear",
                         detection="none")
    return Network(encoder, (layer,), scores, dataset, class_names)
