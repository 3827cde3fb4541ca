"""The design that goes onto a board."""

from contextlib import suppress
from typing import Any

from amaranth.build import ResourceError
from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib import io

from gateware.system import System

from .board import Board


__all__ = ["Top"]


class Top(Elaboratable):
    """An accelerator behind a board's serial port, and its LEDs.

    Where there are enough of them, the first show the class of the last image in binary, lowest bit
    first, and the one behind those is lit when the weights are there. Where there are fewer, the
    first is lit then.

    Parameters
    ----------
    board : :class:`boards.board.Board`
    accelerator : :class:`gateware.accelerator.Accelerator`
    """

    def __init__(self, board: Board, accelerator: Any):
        self.system = System(accelerator, divisor=board.divisor, clock_hz=round(board.clock_hz))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.system = system = self.system
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += system.rx.eq(rx.i)
        m.d.comb += tx.o.eq(system.tx)
        leds = []
        with suppress(ResourceError):   # some boards have none, or one of several colours
            for n in range(1 + len(system.best)):
                leds.append(io.Buffer("o", platform.request("led", n, dir="-")))
        shown = Signal(len(leds))
        for n, led in enumerate(leds):
            m.submodules[f"led_{n}"] = led
            m.d.comb += led.o.eq(shown[n])
        if len(leds) > len(system.best):
            m.d.comb += shown.eq(Cat(Mux(system.any_best, system.best, 0), system.loaded))
        elif leds:
            m.d.comb += shown[0].eq(system.loaded)
        return m
