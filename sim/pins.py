"""A simulated board's serial port, down to the level of each pin in each cycle."""

from collections import deque
from typing import Any, Protocol

import numpy as np
from amaranth.sim import Simulator


__all__ = ["Pins", "AmaranthPins", "SimulatedPort", "levels", "Listener"]


class Pins(Protocol):
    """Anything with the pins :py:`rx` and :py:`tx` that can be run for some cycles."""

    def run(self, rx: np.ndarray) -> np.ndarray:
        """Level of :py:`tx` in each cycle, given that of :py:`rx` (arrays of 0 and 1)."""


class AmaranthPins:
    """A component in Amaranth's simulator.

    Parameters
    ----------
    component : :class:`gateware.system.System`
        Or anything else with :py:`rx` and :py:`tx`.
    """

    def __init__(self, component: Any):
        self._component = component
        self._rx: deque[int] = deque()
        self._tx: list[int] = []
        self._simulator = Simulator(component)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._drive)

    def watch(self, testbench: Any) -> None:
        """Have a testbench see each cycle as well; before the first."""
        self._simulator.add_testbench(testbench, background=True)

    async def _drive(self, ctx: Any) -> None:
        while True:
            if self._rx:
                ctx.set(self._component.rx, self._rx.popleft())
            _, _, tx = await ctx.tick().sample(self._component.tx)
            self._tx.append(tx)

    def run(self, rx: np.ndarray) -> np.ndarray:
        self._rx.extend(rx.tolist())
        while len(self._tx) < len(rx):
            self._simulator.advance()
        tx, self._tx = self._tx, []
        return np.array(tx, dtype=np.uint8)


def levels(data: bytes, divisor: float) -> np.ndarray:
    """Level of a line in each cycle while bytes pass over it at :py:`divisor` cycles a bit."""
    octets = np.frombuffer(data, dtype=np.uint8)
    bits = np.ones((len(octets), 10), dtype=np.uint8)
    bits[:, 0] = 0
    bits[:, 1:9] = np.unpackbits(octets[:, None], axis=1, bitorder="little")
    edges = np.round(np.arange(bits.size + 1) * divisor).astype(int)
    return np.repeat(bits.reshape(-1), np.diff(edges))


class Listener:
    """Finds the bytes in the levels of a line, however they are cut into calls.

    Parameters
    ----------
    divisor : :class:`float`
        Cycles a bit.
    """

    def __init__(self, divisor: float):
        self._middles = np.round((np.arange(10) + 0.5) * divisor - 0.5).astype(int)
        self._rest = np.ones(0, dtype=np.uint8)

    @property
    def busy(self) -> bool:
        """Whether a byte has begun and is not over."""
        return len(self._rest) > 0

    def __call__(self, line: np.ndarray) -> bytes:
        line = np.concatenate([self._rest, line])
        found, at = bytearray(), 0
        while True:
            falls = np.flatnonzero(line[at:] == 0)
            if not len(falls):
                at = len(line)
                break
            start = at + int(falls[0])
            if start + self._middles[-1] >= len(line):
                at = start
                break
            start_bit, *bits, stop = line[start + self._middles]
            at = start + int(self._middles[-1])
            if not start_bit and stop:
                found += np.packbits(np.array(bits, dtype=np.uint8), bitorder="little").tobytes()
        self._rest = line[at:]
        return bytes(found)


class SimulatedPort:
    """A serial port, as pyserial's :class:`Serial`, with simulated pins at its other end.

    What is written passes over the line while somebody reads. Time is counted in cycles, since a
    simulator may take any time for one: a read gives up when nothing has moved on either line for
    :py:`patience` cycles, whatever :py:`timeout` says, and at once if that is zero.

    Parameters
    ----------
    pins : :class:`Pins`
        What is at the other end.
    divisor : :class:`float`
        Cycles a bit.
    patience : :class:`int`
        Cycles, more than an inference takes.
    """

    def __init__(self, pins: Pins, divisor: float, *, patience: int = 20_000):
        self.port = "simulated"
        self.timeout: float | None = None
        self.cycles = 0                    # simulated so far
        self._pins = pins
        self._divisor = divisor
        self._patience = patience
        self._listener = Listener(divisor)
        self._sent = np.ones(0, dtype=np.uint8)
        self._received = bytearray()

    @property
    def in_waiting(self) -> int:
        return len(self._received)

    def write(self, data: bytes) -> int:
        self._sent = np.concatenate([self._sent, levels(data, self._divisor)])
        return len(data)

    def read(self, size: int = 1) -> bytes:
        batch = int(10 * self._divisor)
        silent = 0
        while len(self._received) < size and self.timeout != 0 and silent < self._patience:
            rx, self._sent = self._sent[:batch], self._sent[batch:]
            idle = np.ones(batch - len(rx), dtype=np.uint8)
            line = self._pins.run(np.concatenate([rx, idle]))
            found = self._listener(line)
            self._received += found
            self.cycles += batch
            # No byte is low for as long as all of a batch; what stays low says nothing.
            busy = self._listener.busy and line.any()
            silent = 0 if len(rx) or found or busy else silent + batch
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def reset_input_buffer(self) -> None:
        self._received.clear()

    def close(self) -> None:
        pass
