import numpy as np
import pytest

from sim.pins import SimulatedPort, levels


class Line:
    """Pins of which the one that is listened to goes its own way."""

    def __init__(self, line, rest):
        self._line, self._rest = np.asarray(line, dtype=np.uint8), rest

    def run(self, rx):
        now, self._line = self._line[:len(rx)], self._line[len(rx):]
        return np.concatenate([now, np.full(len(rx) - len(now), self._rest, dtype=np.uint8)])


@pytest.mark.parametrize("level", [0, 1])
def test_a_line_that_stands_still_is_given_up(level):
    """Whichever its level is, and though it may look like the start of a byte."""
    port = SimulatedPort(Line([1] * 50, level), 20, patience=1_000)
    assert port.read(1) == b"" and 1_000 <= port.cycles <= 1_400


def test_a_byte_of_zeros_is_worth_waiting_for():
    line = np.concatenate([np.ones(77, dtype=np.uint8), levels(b"\0\xff\0", 20)])
    assert SimulatedPort(Line(line, 1), 20, patience=80).read(3) == b"\0\xff\0"
