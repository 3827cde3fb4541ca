"""A board that is simulated, behind a serial port that is none: a pseudo-terminal."""

import contextlib
import os
import pathlib
import pty
import select
import threading
import tty
from collections import deque
from dataclasses import dataclass
from typing import Any

from model.errors import InputError
from sim.verilator_line import VerilatorLine
from sim.wire import BITS, Listener, Way, Wire, frame_of

from .board import Board
from .serial_port import Port, open_port
from .pins import Outside
from .top import Top


__all__ = ["VirtualBoard", "VirtualPort"]


SLICE  = 40     # bit times that are simulated between looks at the host
AHEAD  = 32     # bytes that an adapter has in hand; all others are still the host's
LINGER = 0.25   # simulated seconds after which a board that says nothing is left alone


@dataclass
class _Wait:
    """Somebody who wants time to pass: until so many bytes are there, or so long a silence."""

    delivered: int
    silence: int | None   # cycles
    begun: int


class VirtualBoard:
    """All of a board's top level in Verilator, pins included, and a serial port to it.

    The port is the far end of a pseudo-terminal, :py:`path`, which any program may open at any
    baud rate. On the line bytes pass at the board's own, as levels of the pins in each cycle; the
    clock runs at the frequency that the board's PLL makes, and the PLL itself is left out.

    A thread simulates while bytes pass, while the board is at work, and while somebody waits; not
    when nothing would happen. Simulated time stands still meanwhile.

    Parameters
    ----------
    board : :class:`boards.board.Board`
    accelerator : :class:`gateware.accelerator.Accelerator`
    wire : :class:`sim.wire.Wire`
        What happens to bytes on their way.
    cache : path, or None
        Where builds are kept; the user's cache folder if None.
    """

    def __init__(self, board: Board, accelerator: Any, *, wire: Wire = Wire(),   # noqa: B008
                 cache: pathlib.Path | None = None) -> None:
        self.board = board
        self._bit = float(board.clock_hz / board.baud) * (1 + wire.drift)
        self._line = VerilatorLine(Outside(board, Top(board, accelerator)), self._bit, cache=cache)
        self._there, self._back = Way(wire, "there"), Way(wire, "back")
        self._listener = Listener()
        self._free = 0.0                                # when the line back is free again
        self._late: deque[tuple[float, bytes]] = deque()   # bytes on their way, and when they come
        self._active = 0                                # the cycle in which a byte last passed
        self._now = 0
        self._written = self._taken = self._delivered = 0   # bytes, since the cable was plugged in
        self._outgoing = b""                            # what the host's system has no room for
        self._waits: list[_Wait] = []
        self._plugs = 0
        self._master: int | None = None
        self._slave: int | None = None
        self._stuck = False                             # the line back stays low
        self._ended = False
        self._failed: BaseException | None = None
        self._closing = False
        self._pull = False
        self._changed = threading.Condition()
        self._hand, self._bell = os.pipe()              # a byte in it wakes the thread
        self._thread = threading.Thread(target=self._live, name=f"virtual {board.name}",
                                        daemon=True)
        self._thread.start()
        self.plug()

    def __enter__(self) -> "VirtualBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Switch the board off; its port is gone."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._ring()
        self._thread.join()
        with self._changed:
            for end in (self._hand, self._bell):
                os.close(end)
            self._check()

    # What can be seen from outside.

    @property
    def path(self) -> str:
        """The serial port."""
        if self._slave is None:
            raise InputError(f"the virtual {self.board.name} is not connected: plug it in first")
        return os.ttyname(self._slave)

    @property
    def seconds(self) -> float:
        """Simulated so far."""
        return float(self._now / self.board.clock_hz)

    @property
    def lit(self) -> bool:
        """Whether LED 0 is."""
        return bool(self._line.lit & 1)

    @property
    def idle(self) -> bool:
        """Whether nothing is simulated."""
        with self._changed:
            return not self._busy()

    @property
    def harm(self) -> dict[str, Any]:
        """What the line did to bytes, ``there`` and ``back``, as :class:`sim.wire.Harm`."""
        return {"there": self._there.harm, "back": self._back.harm}

    def open(self, *, timeout: float = 1.0) -> "VirtualPort":
        """A port that gives up after some seconds of simulated time."""
        return VirtualPort(self, open_port(self.path, self.board.baud), timeout=timeout)

    def plug(self) -> None:
        """Connect the cable; the port may have another name than before."""
        with self._changed:
            self._check()
            if self._ended:
                raise RuntimeError("Board must not be closed to be plugged in")
            if self._master is not None:
                return
            master, self._slave = pty.openpty()
            # Nobody else holds it open all the time, and where nobody does, there is no port.
            tty.setraw(self._slave)
            os.set_blocking(master, False)
            self._written = self._taken = self._delivered = 0
            self._plugs += 1
            self._master = master
            self._ring()

    def unplug(self) -> None:
        """Pull the cable: whoever has the port open finds it gone; the board runs on."""
        with self._changed:
            self._pull = self._master is not None
            self._ring()
            while self._pull and not self._ended:
                self._changed.wait()

    # What a port asks for.

    def _ring(self) -> None:
        """Have the thread look up; for who holds the lock."""
        if not self._ended:
            os.write(self._bell, b"!")

    @property
    def plugs(self) -> int:
        """How often the cable was plugged in, if it is; else 0."""
        return self._plugs if self._master is not None else 0

    def expect(self, count: int) -> None:
        """Have time for so many more bytes before a silence is one: the host writes them now."""
        with self._changed:
            # Another program may have written before.
            self._written = max(self._written, self._taken) + count

    def flush(self, port: Port) -> int:
        """Empty a port of what has come, and count that."""
        with self._changed:
            port.reset_input_buffer()
            return self._delivered

    def wait(self, delivered: int, silence: float | None) -> int:
        """Let time pass, and count the bytes that have come since the cable was plugged in.

        Parameters
        ----------
        delivered : :class:`int`
            Bytes that are enough.
        silence : :class:`float`, or None
            Simulated seconds in which nothing passes, on either line, that are enough as well;
            0 takes no time.
        """
        with self._changed:
            cycles = None if silence is None else round(silence * self.board.clock_hz)
            wait, plugs = _Wait(delivered, cycles, self._now), self.plugs
            self._waits.append(wait)
            try:
                if not self._over(wait):
                    self._ring()
                while cycles != 0 and 0 < self.plugs == plugs and not self._over(wait):
                    self._changed.wait()
            finally:
                self._waits.remove(wait)
            self._check()
            return self._delivered

    def _check(self) -> None:
        if self._failed is not None:
            raise RuntimeError(f"The virtual {self.board.name} has failed") from self._failed

    # The thread's.

    def _left(self, wait: _Wait) -> float:
        """Cycles that a wait may still take."""
        if wait.silence is None:
            return float("inf")
        return max(wait.begun, self._active) + wait.silence - self._now

    def _over(self, wait: _Wait) -> bool:
        return self._delivered >= wait.delivered or (
            not self._passing() and self._left(wait) <= 0)

    def _passing(self) -> bool:
        """Whether bytes pass over the line."""
        return bool(self._late or self._line.sending
                    or (self._line.hearing and not self._stuck))

    def _busy(self) -> bool:
        if self._passing() or self._listener.busy:
            return True
        if self._taken < self._written:
            # It is on its way from one end of the host's system to the other, and no silence
            # may pass meanwhile.
            return False
        if any(not self._over(wait) and not (self._line.still and wait.silence is None)
               for wait in self._waits):
            return True
        return not self._line.still and \
            self._now < self._active + LINGER * float(self.board.clock_hz)

    def _live(self) -> None:
        try:
            while not self._closing:
                self._turn()
        except BaseException as error:
            self._failed = error    # for whoever asks next
        finally:
            with self._changed:
                self._ended = True
                self._disconnect()
                self._changed.notify_all()

    def _turn(self) -> None:
        """Look at what the host wants, and simulate a slice of time."""
        with self._changed:
            if self._pull:
                self._disconnect()
                self._changed.notify_all()
            busy, master = self._busy(), self._master
        listens = [] if master is None or self._line.waiting >= AHEAD else [master]
        blocked = [master] if master is not None and self._outgoing else []
        readable, _, _ = select.select([self._hand, *listens], blocked, [], 0 if busy else None)
        if self._hand in readable:
            os.read(self._hand, 4096)
        with self._changed:
            if master is not None and master in readable:
                with contextlib.suppress(BlockingIOError):   # the host may think better of it
                    self._take(os.read(master, AHEAD))
            self._deliver()
            busy = self._busy()
            left = [self._left(wait) for wait in self._waits]
        if busy:
            cycles = SLICE * self._bit
            if self._line.still and not self._passing():
                cycles = max([cycles, *(each for each in left if each < float("inf"))])
            frames = self._line.run(int(cycles) + 1)
            with self._changed:
                self._hear(frames)
                self._deliver()

    def _take(self, data: bytes) -> None:
        self._taken += len(data)
        for frame, late in self._there(map(frame_of, data)):
            self._line.send(frame, late)

    def _hear(self, frames: list[tuple[int, int]]) -> None:
        """What left the board, onto the way to the host; and how time went on."""
        self._now = self._line.cycles
        for frame, begun in frames:
            self._stuck = not frame
            if frame:
                self._active = self._now
            for arrived, late in self._back([frame]):
                begins = max(begun + late * self._bit, self._free)
                rests = min(BITS, round((begins - self._free) / self._bit))
                self._free = begins + BITS * self._bit
                data = self._listener((1 << rests) - 1, rests) if self._listener.busy else b""
                data += self._listener(arrived)
                if data:
                    self._late.append((self._free, data))
        if self._listener.busy and self._now >= self._free + BITS * self._bit:
            # A byte that noise began is over for want of another.
            self._late.append((self._now, self._listener((1 << BITS) - 1)))
        if self._line.sending or (self._late and self._late[0][0] <= self._now):
            self._active = self._now

    def _deliver(self) -> None:
        """What is due to the host; and word to those for whom that is enough, or time is up."""
        while self._late and self._late[0][0] <= self._now:
            self._outgoing += self._late.popleft()[1]
        if self._master is None:
            self._outgoing = b""
        elif self._outgoing:
            with contextlib.suppress(BlockingIOError):
                sent = os.write(self._master, self._outgoing)
                self._outgoing = self._outgoing[sent:]
                self._delivered += sent
        if any(map(self._over, self._waits)):
            self._changed.notify_all()

    def _disconnect(self) -> None:
        self._line.cut()
        self._late.clear()
        self._outgoing = b""
        for end in (self._master, self._slave):
            if end is not None:
                os.close(end)
        self._master = self._slave = None
        self._pull = False


class VirtualPort:
    """pyserial's own port to a virtual board; only that it reckons in the board's time.

    A read gives up when nothing has passed over the line for :py:`timeout` simulated seconds, so
    that a slow machine never makes a time-out. A board at rest takes no time to be waited for.

    Parameters
    ----------
    board : :class:`VirtualBoard`
    port : :class:`boards.serial_port.Port`
        What was opened at the board's path.
    timeout : :class:`float`, or None
        0 reads what is there, and None waits for ever.
    """

    def __init__(self, board: VirtualBoard, port: Port, *, timeout: float | None = 1.0) -> None:
        self.timeout = timeout
        self._board = board
        self._port = port
        self._plugs = board.plugs
        self._taken = board.flush(port)   # bytes, of those that have come

    @property
    def seconds(self) -> float:
        """Time that has passed on the board."""
        return self._board.seconds

    @property
    def in_waiting(self) -> int:
        return self._port.in_waiting

    def write(self, data: bytes, /) -> int | None:
        self._board.expect(len(data))
        return self._port.write(data)

    def read(self, size: int = 1, /) -> bytes:
        came = self._board.wait(self._taken + size, self.timeout)
        # What has come is read from a port on which it may not have arrived yet; where the cable
        # was pulled out, pyserial finds that the port has gone.
        gone = self._board.plugs != self._plugs
        data = self._port.read(1 if gone else min(size, came - self._taken))
        self._taken += len(data)
        return data

    def reset_input_buffer(self) -> None:
        self._taken = self._board.flush(self._port)

    def close(self) -> None:
        self._port.close()
