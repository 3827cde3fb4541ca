"""What a learner has learned, as a network that any engine runs."""

import numpy as np

from .compend import Compend
from .dense import Dense
from .encoder import BitSerial
from .network import Layer, Network, Output
from .scores import Scores
from .sign_update import Learner


__all__ = ["learned"]


PIXEL = 8   # bits


def learned(learner: Learner, *, dataset: str = "", class_names: tuple[str, ...] = ()) -> Network:
    """Network that takes pixels as they are, as if infinitely many bits were drawn of each.

    A pixel p is drawn as 1 with a probability of p/256, so that what is expected of a hidden sum,
    256 times over, is an integer: rows of pixels weigh p, and those of the bias 256. Counters
    become weights of as many bits. Scores are doubled, since hidden neurons give 0 rather than −1.
    Where a crossbar sees signs of counters, its layer is binary.

    Parameters
    ----------
    learner : :class:`model.sign_update.Learner`
    dataset, class_names
        As :class:`model.network.Network` has them.
    """
    spec, encoder = learner.spec, BitSerial(PIXEL)
    first, bias = np.split(learner.first.astype(np.int64), [spec.inputs])
    offset = 2 ** PIXEL * bias.sum(axis=0)
    layer: Layer
    if spec.forward == "integer":
        layer = Compend(first.T, offset, weight_bits=spec.bits, input_bits=PIXEL, activation="sign")
    else:
        offset = 2 ** PIXEL * np.where(bias < 0, -1, 1).sum(axis=0)
        top = spec.inputs * (2 ** PIXEL - 1)
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
