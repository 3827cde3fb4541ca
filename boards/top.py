"""The design that goes onto a board."""

from typing import Any

from amaranth.build import ResourceError
from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from gateware.system import System

from .board import Board


__all__ = ["Top"]


class Top(Elaboratable):
    """An accelerator behind a board's serial port; an LED, if there is one, is lit when the weights
    are there.

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
        try:
            pin = platform.request("led", 0, dir="-")
        except ResourceError:   # some boards have none, or one of several colours
            return m
        m.submodules.led = led = io.Buffer("o", pin)
        m.d.comb += led.o.eq(system.accelerator.loaded)
        return m
