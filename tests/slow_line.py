"""A simulated line without a simulator, for tests of what is around it."""

import threading
import time
from collections import deque


__all__ = ["EchoLine"]


class EchoLine:
    """Has the ports of :class:`sim.verilator_line.VerilatorLine`, and sends back what it is sent.

    Each byte comes back :py:`after` cycles after it was sent; :py:`slice_` seconds pass in each
    call that simulates.
    """

    def __init__(self, bit, *, after=500, slice_=0.0):
        self.bit, self.after, self.slice_ = bit, after, slice_
        self.cycles, self.lit, self.calls = 0, 0, 0
        self.stuck = False          # low, from now on
        self.breaks = False         # with an exception
        self.gate = threading.Event()
        self.gate.set()             # cleared, time stands still
        self._in, self._out, self._free = deque(), deque(), 0.0

    @property
    def waiting(self):
        return len(self._in)

    @property
    def sending(self):
        return bool(self._in)

    @property
    def hearing(self):
        return self.stuck

    @property
    def still(self):
        return not self._in and not self._out and not self.stuck

    def send(self, frame, gap=0.0):
        self._free = max(self._free, self.cycles) + (gap + 10) * self.bit
        self._in.append((self._free, frame))

    def cut(self):
        self._in.clear()

    def run(self, cycles):
        assert cycles > 0
        if self.breaks:
            raise ArithmeticError("two and two")
        self.gate.wait(30)   # who cleared it may have failed
        self.calls += 1
        if not self.still:
            time.sleep(self.slice_)
        self.cycles += cycles
        while self._in and self._in[0][0] <= self.cycles:
            came, frame = self._in.popleft()
            self._out.append((int(came) + self.after, frame))
        heard = []
        while self._out and self._out[0][0] + 10 * self.bit <= self.cycles:
            begun, frame = self._out.popleft()
            heard.append((frame, begun))
        return heard + [(0, self.cycles)] * self.stuck
