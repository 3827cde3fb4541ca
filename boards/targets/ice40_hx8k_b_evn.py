"""Lattice's iCE40-HX8K breakout board."""

from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

from ..board import Board
from ..ice40 import ICE40


__all__ = ["BOARDS"]


BOARDS = (
    Board(
        name="ice40-hx8k-b-evn",
        family=ICE40,
        platform=ICE40HX8KBEVNPlatform,
        clock_mhz=60,
        baud=3_000_000,   # 12 MHz / 4 in the FT2232H
        uart="the USB socket, second port of the FT2232H",
        # Into the flash, with the jumpers as the board comes.
        loaders=(("openFPGALoader", "-b", "ice40_generic"), ("iceprog",)),
        usb=((0x0403, 0x6010),),
    ),
)
