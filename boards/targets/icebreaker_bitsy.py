"""The iCEBreaker Bitsy."""

from amaranth.build import Attrs
from amaranth_boards.icebreaker_bitsy import ICEBreakerBitsyPlatform
from amaranth_boards.resources import UARTResource

from ..board import Board
from ..ice40 import ICE40


__all__ = ["BOARDS", "Platform"]


class Platform(ICEBreakerBitsyPlatform):
    """An iCEBreaker Bitsy with a serial port at the first two pins of its edge, at 3.3 V.

    Its USB socket leads to the FPGA itself, and only the boot loader speaks USB there. The FPGA
    receives at the pin marked 0, and sends at the pin marked 1, as a Teensy does.
    """

    resources = [
        *ICEBreakerBitsyPlatform.resources,
        UARTResource(0, rx="0", tx="1", conn=("edge", 0),
                     attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)),
    ]


BOARDS = (
    Board(
        name="icebreaker-bitsy",
        family=ICE40,
        platform=Platform,
        clock_mhz=24,
        uart="edge pins 0 (the board receives) and 1 (it sends), with a 3.3 V USB serial adapter",
        # Into the flash, by the boot loader that is there while the button was held at power-up.
        loaders=(("dfu-util", "-d", ",1d50:6146", "-a", "0", "-R", "-D"),
                 ("openFPGALoader", "-b", "icebreaker-bitsy")),
    ),
)
