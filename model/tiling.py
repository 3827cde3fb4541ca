"""A network spread over tiles of one size."""

from dataclasses import dataclass, replace

from .bias import Held, hold
from .grid import Grid
from .network import Network


__all__ = ["Tiling", "tile"]


@dataclass(frozen=True, eq=False)
class Tiling:
    """What became of a network.

    Parameters
    ----------
    network : :class:`model.network.Network`
        The network, with layers that are spread over tiles and thresholds that those hold.
    exact : :class:`model.network.Network`
        The one that it was made of, with all layers in one piece and exact.
    grids : tuple of :class:`model.grid.Grid`
        Tiles of each layer, the scores last.
    held : tuple of :class:`model.bias.Held`
        What became of the thresholds of each hidden layer.
    """

    network: Network
    exact: Network
    grids: tuple[Grid, ...]
    held: tuple[Held, ...]


def tile(network: Network, *, rows: int, columns: int, bias_rows: int = 0,
         sense: str | int = "exact") -> Tiling:
    """Spread every layer over tiles.

    Where there are bias rows, thresholds become what their cells hold, as
    :func:`model.bias.hold` has it. The gain and bias of scores stay beside the tiles, since a
    score is needed as a number.

    Parameters
    ----------
    rows, columns, bias_rows, sense
        As :class:`model.grid.Grid` has them.
    """
    whole = _with(network, tile_rows=None, sense="exact")
    grids = tuple(Grid(layer.weights, rows=rows, columns=columns, bias_rows=bias_rows, sense=sense)
                  for layer in whole.all_layers)
    held = tuple(hold(layer, grid)
                 for layer, grid in zip(whole.binary("tiling")[0], grids, strict=False))
    spread = _with(replace(whole, layers=tuple(one.layer for one in held)), tile_rows=rows,
                   sense=sense)
    return Tiling(spread, whole, grids, held)


def _with(network: Network, *, tile_rows: int | None, sense: str | int) -> Network:
    layers, scores = network.binary("tiling")
    return replace(network, scores=replace(scores, tile_rows=tile_rows, sense=sense), layers=tuple(
        replace(layer, tile_rows=tile_rows, sense=sense) for layer in layers))
