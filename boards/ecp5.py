"""The ECP5 from Lattice."""

from sim.synthesis import FAMILIES

from .board import Family
from .clock import ECP5PLL


__all__ = ["ECP5"]


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
        "script_after_synth": FAMILIES["ecp5"].last,
        "ecppack_opts": "--compress",
    },
    chip=lambda platform: platform.device,
    pll=ECP5PLL,
)
