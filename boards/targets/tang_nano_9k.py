"""The Tang Nano 9K."""

from amaranth_boards.tang_nano_9k import TangNano9kPlatform

from ..board import Board
from ..gowin import GOWIN


__all__ = ["BOARDS"]


BOARDS = (
    Board(
        name="tang-nano-9k",
        family=GOWIN,
        platform=TangNano9kPlatform,
        clock_mhz=45,
        # The BL702 has been seen to do 3 Mbaud, and to fail at 1 with old drivers
        # (sipeed/TangNano-9K-example, issues 7 and 29).
        baud=1_000_000,
        uart="the USB-C socket, second port of the BL702, which passes for an FTDI chip",
        # Into SRAM: the board's own program is back after the next power-up.
        loaders=(("openFPGALoader", "-b", "tangnano9k"),),
        usb=((0x0403, 0x6010),),
    ),
)
