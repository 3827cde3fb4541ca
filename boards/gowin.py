"""FPGAs from Gowin."""

from .board import Family
from .clock import GowinPLL


__all__ = ["GOWIN"]


def _translate(command: list[str]) -> list[str]:
    """Amaranth 0.5 still calls nextpnr-gowin, which nextpnr-himbaechel has replaced."""
    if command[0] != "nextpnr-gowin":
        return command
    translated, words = ["nextpnr-himbaechel"], iter(command[1:])
    for word in words:
        if word in ("--family", "--cst"):
            translated += ["--vopt", f"{word[2:]}={next(words)}"]
        else:
            translated.append(word)
    return translated


GOWIN = Family(
    name="gowin",
    extra="gowin",
    tools=("yosys", "nextpnr-himbaechel", "gowin_pack"),
    chips={
        "GW1N-9C": (8_640, 26),
        "GW1NR-9C": (8_640, 26),
    },
    memory_bits=18_432,
    memory_width=36,
    # An adder's cell takes a look-up table's place, distributed memory that of four.
    luts={"LUT4": 1, "ALU": 1, "RAM16SDP4": 4},
    memories={"BSRAM": 1},
    bitstream=".fs",
    overrides={},
    chip=lambda platform: platform.family,
    pll=GowinPLL,
    translate=_translate,
)
