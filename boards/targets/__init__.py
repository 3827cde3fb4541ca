"""One file for each board: its pins, its clock, its serial port, and what programs it.

:py:`TARGETS` has them by family, and within a family as they were added.
"""

from ..board import Board
from . import (
    butterstick,
    colorlight_5a75b,
    ecpix5,
    ice40_hx8k_b_evn,
    icebreaker,
    icebreaker_bitsy,
    icesugar,
    icesugar_pro,
    orangecrab,
    tang_nano_9k,
    tinyfpga_bx,
    ulx3s,
    upduino_v3,
    versa_ecp5,
)


__all__ = ["TARGETS"]


TARGETS: tuple[Board, ...] = (
    # iCE40
    *icebreaker.BOARDS,
    *icebreaker_bitsy.BOARDS,
    *upduino_v3.BOARDS,
    *icesugar.BOARDS,
    *ice40_hx8k_b_evn.BOARDS,
    *tinyfpga_bx.BOARDS,
    # ECP5
    *ulx3s.BOARDS,
    *orangecrab.BOARDS,
    *colorlight_5a75b.BOARDS,
    *icesugar_pro.BOARDS,
    *ecpix5.BOARDS,
    *butterstick.BOARDS,
    *versa_ecp5.BOARDS,
    # Gowin
    *tang_nano_9k.BOARDS,
)
