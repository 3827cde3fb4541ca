"""Bytes drawn from an LFSR, one after another."""

import numpy as np

from .lfsr import Lfsr


__all__ = ["Draws"]


BLOCK = 1 << 18   # states that are made at once


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
        self._states = self._lfsr.run(BLOCK + 1, state)
        self._bytes = self._states.astype(np.uint8)
        self._place = 0

    def take(self, count: int) -> np.ndarray:
        """So many bytes, the first one first."""
        if self._place + count > BLOCK:
            self.state = self.state
        if count > BLOCK:
            raise ValueError(f"Bytes must be at most {BLOCK}, not {count!r}")
        found = self._bytes[self._place:self._place + count]
        self._place += count
        return found
