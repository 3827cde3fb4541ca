"""The iCESugar-pro."""

from amaranth_boards.icesugar_pro import ICESugarProPlatform

from ..board import Board
from ..ecp5 import ECP5


__all__ = ["BOARDS"]


BOARDS = (
    Board(
        name="icesugar-pro",
        family=ECP5,
        platform=ICESugarProPlatform,
        clock_mhz=60,
        baud=500_000,   # what the iCESugar's iCELink can do, this one's can as well
        uart="the USB-C socket, serial port of iCELink",
        loaders=(("icesprog",),),
        usb=((0x1d50, 0x602b),),
    ),
)
