"""The ECPIX-5, with two sizes of FPGA."""

from amaranth_boards.ecpix5 import ECPIX545Platform, ECPIX585Platform

from ..board import Board
from ..ecp5 import ECP5


__all__ = ["BOARDS"]


BOARDS = tuple(
    Board(
        name=f"ecpix5-{size}",
        family=ECP5,
        platform=platform,
        clock_mhz=90,
        baud=3_000_000,   # 12 MHz / 4 in the FT2232H
        uart="the micro USB socket, second port of the FT2232H",
        # Into SRAM: the board's own program is back after the next power-up.
        loaders=(("openFPGALoader", "-b", "ecpix5"),),
        usb=((0x0403, 0x6010),),
    )
    for size, platform in (("45f", ECPIX545Platform), ("85f", ECPIX585Platform))
)
