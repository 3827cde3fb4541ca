"""Boards with an ECP5 from Lattice."""

from amaranth_boards.ulx3s import ULX3S_25F_Platform, ULX3S_85F_Platform

from sim.synthesis import FAMILIES

from .board import Board, Family
from .clock import ECP5PLL


__all__ = ["ECP5", "BOARDS"]


ECP5 = Family(
    name="ecp5",
    extra="ecp5",
    tools=("yosys", "nextpnr-ecp5", "ecppack"),
    chips={
        "LFE5U-12F": (24_288, 56),   # a 25F under another name
        "LFE5U-25F": (24_288, 56),
        "LFE5U-45F": (43_848, 108),
        "LFE5U-85F": (83_640, 208),
        "LFE5UM-25F": (24_288, 56),
        "LFE5UM-45F": (43_848, 108),
        "LFE5UM-85F": (83_640, 208),
        "LFE5UM5G-25F": (24_288, 56),
        "LFE5UM5G-45F": (43_848, 108),
        "LFE5UM5G-85F": (83_640, 208),
    },
    memory_bits=18_432,
    memory_width=36,
    luts={"TRELLIS_COMB": 1},
    memories={"DP16KD": 1},
    bitstream=".bit",
    overrides={
        "synth_opts": FAMILIES["ecp5"].options,
        "ecppack_opts": "--compress",
    },
    chip=lambda platform: platform.device,
    pll=ECP5PLL,
)


BOARDS = tuple(
    Board(
        name=f"ulx3s-{size}",
        family=ECP5,
        platform=platform,
        clock_mhz=50,
        baud=921_600,
        # Into SRAM: the board's own program is back after the next power-up.
        loaders=(("openFPGALoader", "-b", "ulx3s"),),
        usb=((0x0403, 0x6015),),
    )
    for size, platform in (("25f", ULX3S_25F_Platform), ("85f", ULX3S_85F_Platform))
)
