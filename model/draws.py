"""Bytes drawn from an LFSR, one after another."""

import numpy as np

from .lfsr import Lfsr


__all__ = ["Draws"]


FIRST = 1 << 8    # states that are made at once, at first; twice as many each time
BLOCK = 1 << 18   # up to these, or more if more are asked for


class Draws:
    """The low byte of each state of an LFSR, a step apart.

    Whoever takes some moves the LFSR as many steps on, so that its state says all there is to say.

    Parameters
    ----------
    lfsr : :class:`model.lfsr.Lfsr`
        Which one; its seed is the state at first.
    """

    def __init__(self, lfsr: Lfsr) -> None:
        self._lfsr = lfsr
        self.state = lfsr.seed

    @property
    def state(self) -> int:
        """That of which the next byte is the lowest."""
        return int(self._states[self._place])

    @state.setter
    def state(self, state: int) -> None:
        if not 0 < state <= self._lfsr.period:
            raise ValueError(f"State must be between 1 and {self._lfsr.period}, not {state!r}")
        self._block = FIRST // 2
        self._fill(state, 0)   # none is made before one is taken

    def _fill(self, state: int, count: int) -> None:
        self._states = self._lfsr.run(count + 1, state)
        self._bytes = self._states.astype(np.uint8)
        self._place = 0

    def take(self, count: int) -> np.ndarray:
        """So many bytes, the first one first."""
        if self._place + count >= len(self._states):
            self._block = min(2 * self._block, BLOCK)
            self._fill(self.state, max(self._block, count))
        found = self._bytes[self._place:self._place + count]
        self._place += count
        return found
