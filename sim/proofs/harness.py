# amaranth: UnusedElaboratable=no
"""The top of a proof: a component, whatever may surround it, and what is claimed of it."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    ClockDomain,
    Cover,
    Elaboratable,
    Fragment,
    MemoryInstance,
    Module,
    Mux,
    Signal,
    Value,
)
# Amaranth exports no other name for values that a solver chooses.
from amaranth.hdl._ast import AnyConst, AnySeq
from amaranth.utils import ceil_log2


__all__ = ["Harness", "Inside"]


class Inside:
    """Registers, wires and memories of a component by name, for claims about its state.

    Parameters
    ----------
    fragment : :class:`amaranth.hdl.Fragment`
        The component, elaborated.
    ports : set of :class:`int`
        Identities of the signals that are its members: they have names of their own.
    """

    def __init__(self, fragment: Any, ports: set[int]) -> None:
        self._fragment = fragment
        self._members = ports

    def _at(self, path: str) -> Any:
        fragment = self._fragment
        for part in filter(None, path.split(".")):
            fragment = next(sub for sub, name, _ in fragment.subfragments if name == part)
        return fragment

    def __getitem__(self, path: str) -> Any:
        """The one register of that name, or else the one wire: ``"submodule.submodule.name"``."""
        where, _, name = path.rpartition(".")
        statements = self._at(where).statements
        for domains in (set(statements) - {"comb"}, {"comb"} & set(statements)):
            found = {id(signal): signal for domain in sorted(domains)
                     for signal in statements[domain]._lhs_signals()
                     if signal.name == name and id(signal) not in self._members}
            if len(found) == 1:
                return next(iter(found.values()))
        raise KeyError(f"{path} is not the name of one signal")

    def state(self, *names: str, path: str = "fsm_state") -> Any:
        """Whether a state machine is in one of these states."""
        signal = self[path]
        numbers = {}
        for n in range(1 << len(signal)):
            with contextlib.suppress(KeyError):   # no state has this number
                numbers[signal.decoder(n).partition("/")[0]] = n
        return Cat(*(signal == numbers[name] for name in names)).any()

    def memories(self) -> Iterator[tuple[str, Any]]:
        """Each memory with its name."""
        def walk(fragment: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
            if isinstance(fragment, MemoryInstance):
                yield ".".join(path), fragment
            for sub, name, _ in fragment.subfragments:
                yield from walk(sub, (*path, name))
        return walk(self._fragment, ())


class Harness(Elaboratable):
    """Collects submodules, free values, assumptions and claims, and becomes the top of a design.

    Registers start at their initial values and there is no reset, so that a run is all that
    happens from power-up. :py:`m` is the module; its one domain is ``sync``.

    Parameters
    ----------
    folder : :class:`pathlib.Path`
        Where files may be written that it takes to make the design.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.m: Any = Module()
        self.m.domains.sync = sync = ClockDomain(reset_less=True)
        self.clock = sync.clk
        self.claims: list[str] = []
        self.covers: list[str] = []
        self.signals: dict[str, Any] = {}   # of a harness that others go on with, by name
        self.verilog = ""             # more modules, for instances
        self.blank = True             # memories hold at power-up what they are said to
        self.arrays = False           # memories are too large to be registers
        self._ports = [self.clock]    # what stays in the design by name
        self._inside: dict[int, Inside] = {}

    def add(self, component: Any) -> Any:
        """The component, as a submodule."""
        fragment = Fragment.get(component, None)
        members = {id(Value.cast(value)) for _, _, value in component.signature.flatten(component)}
        self._inside[id(component)] = Inside(fragment, members)
        self.m.submodules[f"dut_{len(self._inside)}" if len(self._inside) > 1 else "dut"] = fragment
        return component

    def inside(self, component: Any) -> Inside:
        """What :meth:`add` put in, from the inside."""
        return self._inside[id(component)]

    def row(self, component: Any, memory: str, address: Any) -> Any:
        """A row of a memory of the component as it is now, read through a port of its own."""
        instance = dict(self.inside(component).memories())[memory]
        depth = instance._data.depth
        where = Signal(ceil_log2(depth), name=f"at_{len(self._ports)}")
        found = Signal(Value.cast(instance._read_ports[0]._data).shape(),
                       name=f"row_{len(self._ports)}")
        self._ports.append(found)
        self.m.d.comb += where.eq(address)
        instance.read_port(domain="comb", addr=where, data=found, en=Value.cast(1),
                           transparent_for=())
        return found

    def free(self, shape: Any, name: str) -> Any:
        """A value that may be any in each cycle."""
        return self._chosen(AnySeq, shape, name)

    def constant(self, shape: Any, name: str) -> Any:
        """A value that may be any, and is the same in all cycles."""
        return self._chosen(AnyConst, shape, name)

    def _chosen(self, kind: Any, shape: Any, name: str) -> Any:
        signal = Signal(shape, name=name)
        self.m.d.comb += Value.cast(signal).eq(kind(len(Value.cast(signal))))
        self._ports.append(Value.cast(signal))
        return signal

    def drive(self, signal: Any) -> None:
        """Let an input of a component be any value in each cycle."""
        self.m.d.comb += Value.cast(signal).eq(AnySeq(len(Value.cast(signal))))

    def name(self, name: str, value: Any) -> Any:
        """The value under a name that counterexamples show."""
        signal = Signal(Value.cast(value).shape(), name=name)
        self.m.d.comb += signal.eq(value)
        self._ports.append(signal)
        return signal

    def past(self, value: Any, *, init: int = 0) -> Any:
        """The value in the cycle before; at first, :py:`init`."""
        past = Signal(Value.cast(value).shape(), init=init)
        self.m.d.sync += past.eq(value)
        return past

    def count(self, event: Any, top: int, *, name: str) -> Any:
        """How often the event was there before this cycle, up to :py:`top`, where it stays."""
        count = Signal(range(top + 1), name=name)
        self.m.d.sync += count.eq(Mux(event & (count != top), count + 1, count))
        self._ports.append(count)
        return count

    def assume(self, condition: Any) -> None:
        """Leave out all runs in which the condition does not hold."""
        self.m.d.comb += Assume(condition)

    def claim(self, text: str, condition: Any) -> None:
        """The condition holds in every cycle."""
        holds = Signal(name=f"claim_{len(self.claims)}")
        self.claims.append(text)
        self._ports.append(holds)
        self.m.d.comb += [holds.eq(Value.cast(condition).bool()), Assert(holds)]

    def cover(self, text: str, condition: Any) -> None:
        """There are runs, as long as those looked at, in which the condition comes to hold."""
        seen = Signal(name=f"cover_{len(self.covers)}")
        self.covers.append(text)
        self._ports.append(seen)
        self.m.d.comb += [seen.eq(Value.cast(condition).bool()), Cover(seen)]

    @property
    def ports(self) -> list[Any]:
        return self._ports

    def elaborate(self, platform: Any) -> Any:
        return self.m
