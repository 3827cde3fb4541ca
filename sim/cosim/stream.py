"""Streams of a component in a simulator: words in, words out, and the rules for both.

Everything here is told of each rising edge of the clock once, by ``edge``. What is read then is
what flip-flops see at that edge; what is written takes effect behind it. One coroutine for all of
a component's streams, rather than one for each, is what makes a cycle cheap.
"""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any


__all__ = ["StreamError", "level", "Monitor", "Source", "Sink"]


class StreamError(AssertionError):
    """A stream did what no stream may do."""


def level(handle: Any) -> int | None:
    """Value of a port; None where a bit of it is neither 0 nor 1."""
    try:
        return int(handle.value)
    except ValueError:
        return None


class Monitor:
    """Notes what passes on a stream, and holds it to the rules of :mod:`amaranth.lib.stream`.

    What is offered stays, payload and all, until it is taken. There is no X or Z on :py:`valid`;
    nor on :py:`ready` and :py:`payload` while something is offered. A stream without :py:`ready`
    waits for nobody.

    Parameters
    ----------
    ports : callable
        Handle of a port of the component by name, or None where it has no such port.
    name : :class:`str`
        The stream.
    """

    def __init__(self, ports: Callable[[str], Any], name: str) -> None:
        self.name = name
        self.words: list[int] = []
        self.when: list[int] = []
        self._valid, self._ready, self._payload = (
            ports(f"{name}__{part}") for part in ("valid", "ready", "payload"))
        self._held: int | None = None

    @property
    def offered(self) -> bool:
        """Whether a word was offered at the last edge and not taken."""
        return self._held is not None

    def _known(self, part: str, handle: Any, edge: int) -> int:
        value = level(handle)
        if value is None:
            raise StreamError(f"{self.name}__{part} is {handle.value} at edge {edge}")
        return value

    def edge(self, edge: int) -> bool:
        """Look at the stream; whether a word passed."""
        valid = self._known("valid", self._valid, edge)
        if not valid and self._held is None:
            return False
        payload = self._known("payload", self._payload, edge)
        if self._held is not None and (not valid or payload != self._held):
            what = f"became {payload:#x}" if valid else "was withdrawn"
            raise StreamError(f"{self.name}__payload {self._held:#x} {what} at edge {edge}, "
                              "before it was taken")
        taken = self._ready is None or bool(self._known("ready", self._ready, edge))
        self._held = None if taken else payload
        if taken:
            self.words.append(payload)
            self.when.append(edge)
        return taken


class Source(Monitor):
    """Offers words, waiting before each.

    Between words the payload is X, in simulators that know it: nobody may look at it.

    Parameters
    ----------
    payloads : sequence of :class:`int`
        The words.
    stalls : sequence of :class:`int`
        Cycles to wait before each; they repeat.
    """

    def __init__(self, ports: Callable[[str], Any], name: str, payloads: Sequence[int],
                 stalls: Sequence[int] = (0,)) -> None:
        super().__init__(ports, name)
        self._payloads = iter(payloads)
        self._left = len(payloads)
        self._stalls = cycle(stalls)
        self._wait = -1
        self._nothing = "X" * len(self._payload)

    @property
    def done(self) -> bool:
        return self._left == 0

    def start(self) -> None:
        """Go on to the next word, if there is one."""
        self._wait = next(self._stalls) if self._left else -1
        self._offer(self._wait == 0)

    def _offer(self, offer: bool) -> None:
        self._valid.value = offer
        if offer:
            self._payload.value = next(self._payloads)
        else:
            self._payload.value = _logic(self._nothing)

    def edge(self, edge: int) -> bool:
        taken = False
        if self._wait == 0:
            taken = super().edge(edge)
            if taken:
                self._left -= 1
                self.start()
        elif self._wait > 0:
            self._wait -= 1
            if self._wait == 0:
                self._offer(True)
        return taken


class Sink(Monitor):
    """Takes words, waiting before each.

    Parameters
    ----------
    count : :class:`int`
        How many to take.
    stalls : sequence of :class:`int`
        Cycles to wait before each; they repeat.
    """

    def __init__(self, ports: Callable[[str], Any], name: str, count: int,
                 stalls: Sequence[int] = (0,)) -> None:
        super().__init__(ports, name)
        self._left = count
        self._stalls = cycle(stalls)
        self._wait = -1

    @property
    def done(self) -> bool:
        return self._left == 0

    def start(self) -> None:
        """Go on to the next word, if one more is wanted."""
        self._wait = next(self._stalls) if self._left else -1
        self._ready.value = self._wait == 0

    def edge(self, edge: int) -> bool:
        taken = super().edge(edge)
        if taken:
            self._left -= 1
            self.start()
        elif self._wait > 0:
            self._wait -= 1
            self._ready.value = self._wait == 0
        return taken


def _logic(text: str) -> Any:
    # Imported here, as whoever reads the rules need not have cocotb.
    from cocotb.types import Logic, LogicArray

    return Logic(text) if len(text) == 1 else LogicArray(text)
