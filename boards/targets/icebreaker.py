"""The iCEBreaker."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from ..board import Board
from ..ice40 import ICE40


__all__ = ["BOARDS"]


BOARDS = (
    Board(
        name="icebreaker",
        family=ICE40,
        platform=ICEBreakerPlatform,
        clock_mhz=24,
        baud=3_000_000,   # 12 MHz / 4 in the FT2232H
        uart="the USB socket, second port of the FT2232H",
        # Over SPI, which means the flash: an iCEBreaker's FPGA is not on a JTAG chain.
        loaders=(("openFPGALoader", "-b", "ice40_generic"), ("iceprog",)),
        usb=((0x0403, 0x6010),),
    ),
)
