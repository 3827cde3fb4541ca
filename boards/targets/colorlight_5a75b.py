"""Colorlight's 5A-75B receiver card, revision 7.0."""

from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform

from ..board import Board
from ..ecp5 import ECP5


__all__ = ["BOARDS"]


BOARDS = (
    Board(
        name="colorlight-5a75b-r7-0",
        family=ECP5,
        platform=Colorlight_5A75B_R70Platform,
        clock_mhz=60,
        # The only pins that no 5 V buffer stands before are those of a button and an LED, and
        # LiteX's platform file for this card has found that the button's capacitor lets no more
        # than this pass for certain.
        baud=9_600,
        uart="J19, KEY+ (the board receives) and DATA_LED- (it sends), "
             "with a 3.3 V USB serial adapter",
        # Into SRAM, with an adapter on the JTAG pads J27, J31, J32 and J30.
        loaders=(("openFPGALoader", "-b", "colorlight", "-c", "ft232"),),
    ),
)
