"""The iCESugar."""

from amaranth_boards.icesugar import ICESugarPlatform

from ..board import Board
from ..ice40 import ICE40


__all__ = ["BOARDS"]


BOARDS = (
    Board(
        name="icesugar",
        family=ICE40,
        platform=ICESugarPlatform,
        clock_mhz=24,
        # iCELink is DAPLink on an STM32F1, whose serial port has room for one byte and takes an
        # interrupt for each (source/hic_hal/stm32/stm32f103xb/uart.c): 20 µs between them, and
        # 36 MHz / 72 exactly.
        baud=500_000,
        uart="the USB-C socket, serial port of iCELink",
        loaders=(("icesprog",),),
        usb=((0x1d50, 0x602b),),
    ),
)
