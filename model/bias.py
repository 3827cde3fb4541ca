"""Thresholds that the cells of bias rows hold."""

from dataclasses import dataclass, replace

import numpy as np

from .dense import Dense
from .grid import Grid


__all__ = ["Held", "hold"]


@dataclass(frozen=True, eq=False)
class Held:
    """A layer whose thresholds are what cells hold, and how that came about.

    Parameters
    ----------
    layer : :class:`model.dense.Dense`
        The layer, with the thresholds that are held.
    set_cells : array of :class:`int`, outputs
        How many of an output's bias cells hold a set bit.
    saturated : array of :class:`bool`, outputs
        Thresholds beyond what the cells can hold.
    rounded : array of :class:`bool`, outputs
        Others that are between two that they can hold.
    """

    layer: Dense
    set_cells: np.ndarray
    saturated: np.ndarray
    rounded: np.ndarray


def hold(layer: Dense, grid: Grid) -> Held:
    """Replace a layer's thresholds by the nearest ones that bias cells of a grid hold.

    An output has K of these cells, the bias rows of each tile down, and their inputs are always
    set, in every plane. With s of them set they add B = Σ g · (2 · s − K) to its accumulator, and
    the neuron fires when acc + B ≥ 0: its threshold is −B. What is nearest is decided on sums, as
    :meth:`model.accumulate.Accumulate.sum_threshold` has them before it clips, the lower one of
    two equally near. Beyond s = 0 and s = K thresholds saturate.

    Where inputs are bipolar, every threshold between the two is held, since accumulators go in
    steps of 2 as B does. Where they are unsigned planes, B goes in steps of 2 · Σ g and
    accumulators in steps of 1, and thresholds are rounded.
    """
    if not grid.bias_rows:
        none = np.zeros(layer.outputs, dtype=bool)
        return Held(layer, none.astype(np.int64), none, none)
    cells = grid.bias_cells
    unit = sum(layer.gains)
    offers = unit * (cells - 2 * np.arange(cells + 1))   # thresholds by set cells, falling
    offset = layer.offset[:, None]
    wanted = -(-(layer.thresholds[:, None] + offset) // layer.scale)
    held = -(-(offers + offset) // layer.scale)
    # From the back, so that the first of equals is the lower threshold.
    choice = cells - np.argmin(abs(held - wanted)[:, ::-1], axis=1)
    beyond = (wanted[:, 0] > held[:, 0]) | (wanted[:, 0] < held[:, -1])
    differs = np.take_along_axis(held, choice[:, None], axis=1)[:, 0] != wanted[:, 0]
    thresholds = np.clip(offers[choice], -layer.top, layer.top + 1)
    return Held(replace(layer, thresholds=thresholds), choice, beyond, differs & ~beyond)
