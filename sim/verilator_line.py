"""A board's top level in Verilator, with a host at its serial line that reckons in bytes."""

import ctypes
import pathlib
from typing import Any

import numpy as np

from . import verilated
from .verilator_engine import verilate


__all__ = ["VerilatorLine"]


HARNESS = pathlib.Path(__file__).with_name("line.cc")

ROOM = 64   # frames heard that a call has room for


class VerilatorLine:
    """A component with the pins :py:`rx` and :py:`tx`, and eight lights :py:`lit`.

    The levels of both pins are driven and looked at in each cycle, at a bit time of the host's own.
    What passes is ten bits a byte, the start bit lowest, as :mod:`sim.wire` has them. Where both
    lines rest and a cycle has left all of the model's state as it was, later ones are only counted:
    they would do the same.

    Parameters
    ----------
    component : :class:`amaranth.lib.wiring.Component`
    bit : :class:`float`
        Cycles in a bit of the host's.
    cache : path, or None
        Where builds are kept; the user's cache folder if None.
    """

    def __init__(self, component: Any, bit: float, *, cache: pathlib.Path | None = None) -> None:
        self._handle: ctypes.c_void_p | None = None
        self._library = library = ctypes.CDLL(str(verilate(
            component, HARNESS, swap=False, cache=cache or verilated.cache_folder())))
        library.line_new.restype = ctypes.c_void_p
        for name in ("line_run", "line_now", "line_waiting"):
            getattr(library, name).restype = ctypes.c_int64
        self._handle = ctypes.c_void_p(library.line_new(ctypes.c_double(bit)))
        self._frames = np.zeros(ROOM, dtype=np.uint16)
        self._begins = np.zeros(ROOM, dtype=np.int64)

    def __del__(self) -> None:
        if self._handle is not None:
            self._library.line_free(self._handle)

    @property
    def cycles(self) -> int:
        """Simulated so far, those included that were only counted."""
        return int(self._library.line_now(self._handle))

    @property
    def waiting(self) -> int:
        """Frames that have been sent and have not begun."""
        return int(self._library.line_waiting(self._handle))

    @property
    def sending(self) -> bool:
        """Whether a frame is on its way to the board, or waits."""
        return bool(self._library.line_sending(self._handle))

    @property
    def hearing(self) -> bool:
        """Whether the board has begun a frame, or holds its line low."""
        return bool(self._library.line_hearing(self._handle))

    @property
    def still(self) -> bool:
        """Whether nothing will ever happen unless something is sent."""
        return bool(self._library.line_still(self._handle))

    @property
    def lit(self) -> int:
        """The lights, a bit each."""
        return int(self._library.line_lit(self._handle))

    def send(self, frame: int, gap: float = 0.0) -> None:
        """Ten bits for the board, after those that wait and :py:`gap` bit times."""
        self._library.line_send(self._handle, frame, ctypes.c_double(gap))

    def cut(self) -> None:
        """Forget what waits."""
        self._library.line_cut(self._handle)

    def run(self, cycles: int) -> list[tuple[int, int]]:
        """Frames that the board has sent, each with the cycle in which it began.

        Ends early where there are many.
        """
        count = self._library.line_run(
            self._handle, ctypes.c_int64(cycles), self._frames.ctypes, self._begins.ctypes,
            ctypes.c_int64(ROOM))
        return list(zip(self._frames[:count].tolist(), self._begins[:count].tolist(), strict=True))
