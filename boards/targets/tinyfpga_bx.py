"""The TinyFPGA BX."""

from amaranth.build import Attrs
from amaranth_boards.resources import UARTResource
from amaranth_boards.tinyfpga_bx import TinyFPGABXPlatform

from ..board import Board
from ..ice40 import ICE40


__all__ = ["BOARDS", "Platform"]


class Platform(TinyFPGABXPlatform):
    """A TinyFPGA BX with a serial port at pins 1 and 2 of its left edge, at 3.3 V.

    Its USB socket leads to the FPGA itself, and only the boot loader speaks USB there. The FPGA
    sends at pin 1 and receives at pin 2, where LiteX has its serial port as well.
    """

    resources = [
        *TinyFPGABXPlatform.resources,
        UARTResource(0, rx="2", tx="1", conn=("gpio", 0),
                     attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)),
    ]


BOARDS = (
    Board(
        name="tinyfpga-bx",
        family=ICE40,
        platform=Platform,
        clock_mhz=40,
        uart="pins 2 (the board receives) and 1 (it sends), with a 3.3 V USB serial adapter",
        # Into the flash, by the boot loader that is there while its LED pulses.
        loaders=(("tinyprog", "-p"),),
    ),
)
