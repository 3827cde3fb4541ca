"""A whole system in Verilator, down to the level of its two pins in each cycle."""

import ctypes
import pathlib
from typing import Any

import numpy as np

from . import verilated
from .verilator_engine import verilate


__all__ = ["VerilatorPins"]


HARNESS = pathlib.Path(__file__).with_name("pins.cc")


class VerilatorPins:
    """A component with the pins :py:`rx` and :py:`tx`, as :class:`sim.pins.Pins` wants it.

    Runs what would go onto a board, adder trees included, at some hundred thousand cycles a second.

    Parameters
    ----------
    component : :class:`gateware.system.System`
        Or anything else with :py:`rx` and :py:`tx`.
    cache : path, or None
        Where builds are kept; the user's cache folder if None.
    """

    def __init__(self, component: Any, *, cache: pathlib.Path | None = None) -> None:
        self._handle: ctypes.c_void_p | None = None
        self._library = ctypes.CDLL(str(verilate(component, HARNESS, swap=False,
                                                 cache=cache or verilated.cache_folder())))
        self._library.pins_new.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(self._library.pins_new())

    def __del__(self) -> None:
        if self._handle is not None:
            self._library.pins_free(self._handle)

    def run(self, rx: np.ndarray) -> np.ndarray:
        rx = np.ascontiguousarray(rx, dtype=np.uint8)
        tx = np.zeros_like(rx)
        self._library.pins_run(self._handle, rx.ctypes, tx.ctypes, ctypes.c_int64(len(rx)))
        return tx
