"""Lattice's ECP5 Versa board."""

from amaranth_boards.versa_ecp5 import VersaECP5Platform

from ..board import Board
from ..ecp5 import ECP5


__all__ = ["BOARDS"]


BOARDS = (
    Board(
        name="versa-ecp5",
        family=ECP5,
        platform=VersaECP5Platform,
        clock_mhz=75,
        baud=3_000_000,   # 12 MHz / 4 in the FT2232H
        uart="the USB socket, second port of the FT2232H",
        # Into SRAM. The clock generator that shares the JTAG chain is to be left out by jumpers.
        loaders=(("openFPGALoader", "-c", "ft2232"),),
        usb=((0x0403, 0x6010),),
    ),
)
