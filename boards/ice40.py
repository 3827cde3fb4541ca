"""The iCE40 from Lattice."""

from gateware import spram
from sim.synthesis import FAMILIES

from .board import Family
from .clock import ICE40PLL


__all__ = ["ICE40"]


def _translate(command: list[str]) -> list[str]:
    """Has nextpnr say where each cell went, which the bitstream alone does not tell."""
    if command[0] != "nextpnr-ice40":
        return command
    name = command[command.index("--asc") + 1].removesuffix(".asc")
    return [*command, "--write", f"{name}.routed.json"]


ICE40 = Family(
    name="ice40",
    extra="ice40",
    tools=("yosys", "nextpnr-ice40", "icepack"),
    chips={
        "iCE40LP1K": (1_280, 16),
        "iCE40LP8K": (7_680, 32),
        "iCE40HX1K": (1_280, 16),
        "iCE40HX8K": (7_680, 32),
        "iCE40UP5K": (5_280, 30),
    },
    sprams={"iCE40UP5K": spram.BLOCKS},
    memory_bits=4_096,
    memory_width=16,
    # A cell holds a look-up table and a flip-flop; either takes all of it.
    luts={"ICESTORM_LC": 1},
    memories={"ICESTORM_RAM": 1},
    bitstream=".bin",
    overrides={
        "synth_opts": FAMILIES["ice40"].options,
        # Twice as fast as the default router on a full chip, and a little worse in timing.
        "nextpnr_opts": "--router router2",
    },
    chip=lambda platform: platform.device,
    pll=ICE40PLL,
    translate=_translate,
)
