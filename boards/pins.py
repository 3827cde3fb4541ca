"""A board's top level with simulated pins, which are as the board's platform describes them."""

from typing import Any

from amaranth.hdl import Const, Elaboratable, Fragment, Module
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

from .board import Board


__all__ = ["SimulatedPlatform", "Outside"]


LIGHTS = 8


class SimulatedPlatform:
    """Stands in for a board's Amaranth platform, and hands out pins that a simulator can reach.

    Which pins there are, their directions and which of them are inverted is asked of the real one.

    Parameters
    ----------
    board : :class:`boards.board.Board`
    """

    def __init__(self, board: Board) -> None:
        self._real = board.platform()
        self.requested: dict[tuple[str, int], dict[str, io.SimulationPort]] = {}

    def request(self, name: str, number: int = 0, *, dir: str) -> Any:
        """The pins of a resource: a port, or one for each subsignal."""
        if dir != "-":
            raise ValueError(f"Direction must be '-', which leaves buffers to the design, "
                             f"not {dir!r}")
        real = self._real.request(name, number, dir="-")
        ports = self.requested.setdefault((name, number), {})
        if isinstance(real, io.PortLike):
            ports[""] = _like(real, f"{name}_{number}")
            return ports[""]
        for part, port in vars(real).items():
            ports[part] = _like(port, f"{name}_{number}__{part}")
            setattr(real, part, ports[part])
        return real


def _like(real: Any, name: str) -> io.SimulationPort:
    return io.SimulationPort(real.direction, len(real), invert=real.invert, name=name)


class Outside(wiring.Component):
    """A board's top level, and what is around its pins.

    The clock is whatever drives the domain ``sync``: the PLL is the one thing left out. Levels are
    those that the design sees, whether a pin is inverted or not. Inputs that nobody drives rest at
    0.

    Parameters
    ----------
    board : :class:`boards.board.Board`
    top : :class:`amaranth.hdl.Elaboratable`
        What is built for it.

    Members
    -------
    rx : :py:`In(1, init=1)`
        To the board's ``uart``.
    tx : :py:`Out(1, init=1)`
        From it.
    lit : :py:`Out(8)`
        The board's ``led`` 0 and so on, as far as the design has asked for them.
    """

    def __init__(self, board: Board, top: Elaboratable) -> None:
        self._board = board
        self._top = top
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "lit": Out(LIGHTS)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pins = SimulatedPlatform(self._board)
        # At once, since the pins are there when the design has asked for them.
        m.submodules.top = Fragment.get(self._top, pins)
        for (name, number), ports in pins.requested.items():
            for part, port in ports.items():
                inverted = Const(sum(bit << n for n, bit in enumerate(port.invert)), len(port))
                if (name, number, part) == ("uart", 0, "tx"):
                    m.d.comb += self.tx.eq(port.o ^ inverted)
                elif name == "led" and not part and number < LIGHTS:
                    m.d.comb += self.lit[number].eq((port.o ^ inverted).any())
                elif port.direction is not io.Direction.Output:
                    level = self.rx if (name, number, part) == ("uart", 0, "rx") else 0
                    m.d.comb += port.i.eq(level ^ inverted)
        return m
