"""The ULX3S, with four sizes of FPGA."""

from amaranth_boards.ulx3s import (
    ULX3S_12F_Platform,
    ULX3S_25F_Platform,
    ULX3S_45F_Platform,
    ULX3S_85F_Platform,
)

from ..board import Board
from ..ecp5 import ECP5


__all__ = ["BOARDS"]


PLATFORMS = {"12f": ULX3S_12F_Platform, "25f": ULX3S_25F_Platform,
             "45f": ULX3S_45F_Platform, "85f": ULX3S_85F_Platform}


BOARDS = tuple(
    Board(
        name=f"ulx3s-{size}",
        family=ECP5,
        platform=platform,
        clock_mhz=60,
        baud=3_000_000,   # the most that an FT231X makes
        uart="the USB socket US1",
        # Into SRAM: the board's own program is back after the next power-up.
        loaders=(("openFPGALoader", "-b", "ulx3s"),),
        usb=((0x0403, 0x6015),),
    )
    for size, platform in PLATFORMS.items()
)
