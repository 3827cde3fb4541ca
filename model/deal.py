"""Neurons dealt to processing elements, so that these are done with an image at about one time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import check_range
from .compend import Compend
from .network import Network


__all__ = ["balanced", "dealt", "neurons"]


SWAPS = 20_000   # tried by default; after as many again little is gained
BLOCK = 1000     # images worked on at once, to bound memory


def balanced(layer: Compend, x: npt.ArrayLike, pe: int, *, seed: int = 0,
             swaps: int = SWAPS) -> np.ndarray:
    """Order of a layer's neurons in which PEs share its work evenly: which one goes to each place.

    PE e takes places e, e + PE, e + 2 PE … and its work on an image is the planes that its neurons
    run. An image takes as long as the PE with the most of it, and the mean of that over images is
    made small: neurons are first dealt out by their mean planes, in turn forwards and backwards;
    then those of two PEs are exchanged at random wherever that helps.

    The greater part of the imbalance is in which neurons are busy at the same time, and so the
    second step takes images that are like those to come.

    Parameters
    ----------
    layer : :class:`model.compend.Compend`
    x : array of integers, images × inputs
        Activations that come to the layer, of training images, of which some hundred will do.
    pe : :class:`int`
        At least 1. Beyond the number of neurons, PEs have nothing to do.
    seed, swaps : :class:`int`
        Of the random exchanges, and how many are tried, at least 0.
    """
    check_range("PE", pe, 1)
    check_range("Swaps", swaps, 0)
    x = layer.check(x)
    if x.ndim != 2 or not len(x):
        raise ValueError(f"Activations must be images x inputs, not of shape {x.shape}")
    # Small whole numbers, which floats hold and add up fast.
    run = np.concatenate([layer.run(x[n:n + BLOCK])[1].astype(np.float32)
                          for n in range(0, len(x), BLOCK)]).T
    pe = min(pe, layer.outputs)
    order = np.argsort(-run.mean(axis=1), kind="stable")
    for row in range(pe, layer.outputs, 2 * pe):
        order[row:row + pe] = order[row:row + pe][::-1]
    if pe == 1:
        return order
    busy = np.stack([run[order[e::pe]].sum(axis=0) for e in range(pe)])
    mean = busy.max(axis=0).mean()
    rng = np.random.default_rng(seed)
    for one, other in rng.integers(0, layer.outputs, (swaps, 2)):
        a, b = one % pe, other % pe
        if a == b:
            continue
        moved = run[order[one]] - run[order[other]]
        tried = busy.copy()
        tried[a] -= moved
        tried[b] += moved
        found = tried.max(axis=0).mean()
        if found < mean:
            busy, mean = tried, found
            order[[one, other]] = order[[other, one]]
    return order


def dealt(network: Network, images: npt.ArrayLike, pe: int | Sequence[int], *, seed: int = 0,
          swaps: int = SWAPS) -> Network:
    """The same network, its hidden layers of weights of several bits in a :func:`balanced` order.

    The inputs of the layer after each are put in the same order, so that every score stays what it
    was.

    Parameters
    ----------
    network : :class:`model.network.Network`
        A layer after one of several bits must be exact, whatever tiles it is on.
    images : array of integers, images × inputs
        Training images.
    pe : :class:`int`, or sequence of :class:`int`
        Of all hidden layers, or of each.
    seed, swaps : :class:`int`
        As :func:`balanced` has them.
    """
    each = (pe,) * len(network.layers) if isinstance(pe, int) else tuple(pe)
    if len(each) != len(network.layers):
        raise ValueError(f"PE must be one for each of the {len(network.layers)} hidden layers, "
                         f"not {len(each)}")
    x = network.encoder.check(images)
    layers: list[Any] = list(network.all_layers)
    for n, layer in enumerate(network.layers):
        seen = network.into(n, x)
        x = layer(seen)
        if not isinstance(layer, Compend):
            continue
        if not getattr(layers[n + 1], "exact", True):
            raise ValueError(f"Layer {n + 1} must be exact to have its inputs in another order")
        # Inputs in another order change no neuron's planes.
        order = balanced(layer, seen, each[n], seed=seed, swaps=swaps)
        layers[n] = neurons(layers[n], order)
        layers[n + 1] = replace(layers[n + 1], weights=layers[n + 1].weights[:, order])
    return replace(network, layers=tuple(layers[:-1]), scores=layers[-1])


def neurons(layer: Compend, order: np.ndarray) -> Compend:
    """Neurons of a layer in some order, all of them or only some."""
    return replace(layer, weights=layer.weights[order], bias=layer.bias[order],
                   shifts=None if layer.shifts is None else layer.shifts[order])
