# amaranth: UnusedElaboratable=no
"""What surrounds a component with streams: sources and sinks that may wait, and rules."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.hdl._ast import AnySeq
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from .harness import Harness


__all__ = ["Unknown", "parts", "offer", "accept", "holds", "feed", "collect", "progress",
           "in_range"]


class Unknown(wiring.Component):
    """In the place of another component: its outputs may be anything in each cycle.

    What that other one is proved to keep to is assumed of it.

    Parameters
    ----------
    component : :class:`amaranth.lib.wiring.Component`
        The other one.
    """

    def __init__(self, component: Any) -> None:
        super().__init__(component.signature)

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        for _, member, value in self.signature.flatten(self):
            if member.flow == Out:
                m.d.comb += Value.cast(value).eq(AnySeq(len(Value.cast(value))))
        return m


@contextmanager
def parts(module: Any, *, unknown: Sequence[str], shipped: Sequence[str]
          ) -> Iterator[dict[str, Any]]:
    """Meanwhile, what a module makes of some classes is kept by their names.

    Parameters
    ----------
    module
        Where the classes are used.
    unknown : sequence of :class:`str`
        Those with an :class:`Unknown` in their place.
    shipped : sequence of :class:`str`
        Those that are what they are.
    """
    made: dict[str, Any] = {}

    def maker(name: str) -> Any:
        kind = getattr(module, name)

        def make(**options: Any) -> Any:
            made[name] = kind(**options) if name in shipped else Unknown(kind(**options))
            return made[name]
        return make

    with mock.patch.multiple(module, **{name: maker(name) for name in (*unknown, *shipped)}):
        yield made


def offer(h: Harness, stream: Any, *, name: str = "i") -> Any:
    """Offer any word at any time, to the rules: what is offered stays. Returns: taken now."""
    valid = h.free(1, f"{name}_valid")
    payload = h.free(len(Value.cast(stream.payload)), f"{name}_payload")
    waits = h.past(valid & ~stream.ready)
    h.assume(~waits | (valid & (payload == h.past(payload))))
    h.m.d.comb += [stream.valid.eq(valid), Value.cast(stream.payload).eq(payload)]
    return stream.valid & stream.ready


def accept(h: Harness, stream: Any, *, name: str = "o") -> Any:
    """Accept words at any time or not. Returns: taken now."""
    h.m.d.comb += stream.ready.eq(h.free(1, f"{name}_ready"))
    return stream.valid & stream.ready


def holds(h: Harness, stream: Any, *, name: str = "o") -> None:
    """Claim the rule of streams: what is offered stays, payload and all, until it is taken."""
    waits = h.past(stream.valid & ~stream.ready)
    payload = Value.cast(stream.payload)
    h.claim(f"{name}: what is offered stays until it is taken",
            ~waits | (stream.valid & (payload == h.past(payload))))


def feed(h: Harness, stream: Any, words: Sequence[Any], *, when: Any = 1, name: str = "i") -> Any:
    """Offer these words in turn, each at any time, once :py:`when` holds.

    Returns how many were taken before this cycle.
    """
    taken = Signal(range(len(words) + 1), name=f"{name}_taken")
    pending = Signal(name=f"{name}_pending")
    payload = Value.cast(stream.payload)
    m: Module = h.m
    m.d.comb += [
        stream.valid.eq((h.free(1, f"{name}_offers") | pending) & (taken != len(words)) & when),
        payload.eq(Array([*words, words[-1]])[taken]),
    ]
    m.d.sync += pending.eq(stream.valid & ~stream.ready)
    m.d.sync += taken.eq(taken + (stream.valid & stream.ready))
    return taken


def collect(h: Harness, stream: Any, expected: Sequence[Any], *, fields: Any = None,
            name: str = "o") -> Any:
    """Accept at any time, and claim that these words come, in turn, and no others.

    Parameters
    ----------
    fields
        What of the payload is compared; all of it if None.

    Returns how many were taken before this cycle.
    """
    taken = accept(h, stream, name=name)
    done = Signal(range(len(expected) + 1), name=f"{name}_taken")
    payload = Value.cast(stream.payload) if fields is None else Value.cast(fields)
    h.m.d.sync += done.eq(done + taken)
    wanted = h.name(f"{name}_expected", Array([*expected, expected[-1]])[done])
    h.claim(f"{name}: no word too many", ~stream.valid | (done != len(expected)))
    h.claim(f"{name}: each word is the one that was to come", ~stream.valid | (payload == wanted))
    h.cover(f"{name}: all words have come", done == len(expected))
    return done


def progress(h: Harness, moved: Any, willing: Any, cycles: int, *, name: str = "progress") -> None:
    """Claim that among so many cycles in a row with :py:`willing`, one has :py:`moved`."""
    idle = Signal(range(cycles + 1), name=f"{name}_idle")
    h.m.d.sync += idle.eq(Mux(willing & ~moved, idle + 1, 0))
    h.claim(f"{name}: within {cycles} cycles", idle < cycles)


def in_range(h: Harness, component: Any, *, reads: bool = True) -> None:
    """Claim that no memory of the component is written, or read, beyond its last row."""
    for name, memory in h.inside(component).memories():
        depth = memory._data.depth
        for port in memory._write_ports:
            h.claim(f"{name}: writes are in range", ~port._en.any() | (port._addr < depth))
        for port in memory._read_ports if reads else ():
            if port._domain != "comb":
                h.claim(f"{name}: reads are in range", ~port._en.any() | (port._addr < depth))
