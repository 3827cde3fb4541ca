"""A virtual board as an engine: the real driver and pyserial, a simulated line and board."""

import pathlib
from typing import Any

from sim.wire import Wire

from .board import Board
from .driver import Driver
from .driver_engine import DriverEngine
from .virtual import VirtualBoard


__all__ = ["VirtualEngine"]


class VirtualEngine(DriverEngine):
    """Runs all of a board's top level in Verilator, over the pseudo-terminal of its serial port.

    Parameters
    ----------
    board : :class:`boards.board.Board`
    wire : :class:`sim.wire.Wire`
        What happens to bytes on their way.
    cache : path, or None
        Where builds are kept; the user's cache folder if None.
    """

    name = "virtual"

    def __init__(self, board: Board, *, wire: Wire = Wire(),   # noqa: B008
                 cache: pathlib.Path | None = None) -> None:
        super().__init__()
        self._board = board
        self._wire = wire
        self._cache = cache
        self.virtual: VirtualBoard | None = None   # when it is loaded

    def __enter__(self) -> "VirtualEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Switch the board off."""
        driver, virtual = self._driver, self.virtual
        self._driver = self.virtual = None
        if driver is not None:
            driver.close()
        if virtual is not None:
            virtual.close()

    def load(self, accelerator: Any) -> None:
        self.close()
        self._accelerator = accelerator
        self.virtual = virtual = VirtualBoard(self._board, accelerator, wire=self._wire,
                                              cache=self._cache)
        self._driver = Driver(virtual.open(), where=f"{virtual.path}, a virtual {self._board.name}",
                              baud=self._board.baud)
        self._driver.load(accelerator)
