"""Cycles of layers that stop once their answer is known, by what is detected and who waits."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gateware.serial_folding import SerialFolding
from model.compend import DETECTIONS, Compend
from model.deal import balanced, dealt, neurons
from model.network import Network


__all__ = ["FACTOR", "cycles", "inside", "lock_step"]


FACTOR = 3   # of speculation, in eighths


def inside(network: Network, x: np.ndarray) -> Iterator[tuple[Compend, np.ndarray]]:
    """Hidden layers, and what comes to each of them."""
    for n, layer in enumerate(network.layers):
        seen = network.into(n, x)
        assert isinstance(layer, Compend)
        yield layer, seen
        x = layer(seen)


def lock_step(folding: Any, layer: Compend, x: np.ndarray) -> np.ndarray:
    """Cycles of each image on such hardware if PEs began their next neurons together."""
    schedule = replace(folding.schedule, overhead=0)
    groups = [neurons(layer, np.arange(first, min(first + folding.pe, layer.outputs)))
              for first in range(0, layer.outputs, folding.pe)]
    return folding.overhead + sum(schedule.counts(group, x).cycles for group in groups)


def cycles(network: Network, x_train: np.ndarray, x: np.ndarray, pe: int, simd: int) \
        -> list[dict[str, float]]:
    """Mean cycles an image of each hidden layer, by way.

    Ways are ``none``, ``exact`` and ``speculative``, each followed by ``dealt`` or not, where
    something is detected, and by ``zeros`` where words of these are left out; and ``lock-step``,
    followed by ``grouped`` or not.

    Parameters
    ----------
    network
        All of whose hidden layers detect exactly.
    x_train, x
        Images to deal and to group neurons by, and those that cycles are of.
    pe, simd
        Of all hidden layers.
    """
    found: list[dict[str, float]] = [{} for _ in network.layers]
    # One PE takes all neurons whatever their order.
    orders = {"": network, " dealt": dealt(network, x_train, pe) if pe > 1 else network}
    for order, each in orders.items():
        for detection in DETECTIONS:
            if order and detection == "none":
                continue
            layers = inside(each.detecting(detection, FACTOR), x)
            for ways, (layer, seen) in zip(found, layers, strict=True):
                for zeros in (False, True):
                    folding = SerialFolding.of(layer, pe=pe, simd=simd, skip_zeros=zeros)
                    way = f"{detection}{order}{' zeros' if zeros else ''}"
                    ways[way] = ways[way.replace(order, "")] if order and pe == 1 else \
                        folding.most_cycles if way == "none" else \
                        float(folding.schedule.counts(layer, seen).cycles.mean())
    inputs = zip(inside(network, x_train), inside(network, x), strict=True)
    for ways, ((layer, seen_before), (_, seen)) in zip(found, inputs, strict=True):
        folding = SerialFolding.of(layer, pe=pe, simd=simd, skip_zeros=False)
        # Dealt to one PE, neurons are in the order of their mean planes.
        grouped = neurons(layer, balanced(layer, seen_before, 1))
        for way, ordered in (("lock-step", layer), ("lock-step grouped", grouped)):
            ways[way] = float(lock_step(folding, ordered, seen).mean())
    return found
