"""What Yosys synthesized, as an engine: the cells of an FPGA in place of the gateware."""

import pathlib
from collections.abc import Sequence
from typing import Any

from . import verilated
from .synthesis import FAMILIES, Netlist, synthesize
from .verilator_engine import HARNESS, VerilatorEngine
from .verilog import to_rtlil


__all__ = ["NetlistEngine"]


class NetlistEngine(VerilatorEngine):
    """Runs the netlist that Yosys makes of an accelerator, with what Yosys says that its cells do.

    The synthesis is that of the builds for boards, but of the accelerator alone: there are no pads,
    no host link and no clock generator around it. Its probes stay as ports, and so a cell that is
    wrong is named by layer and neuron. The cells of which Yosys has only the ports, block RAM and
    multipliers of an ECP5, are ours. Synthesis and build take from seconds to minutes; then some
    hundred thousand cycles a second.

    Parameters
    ----------
    family : :class:`str`
        FPGAs to synthesize for, one of :data:`sim.synthesis.FAMILIES`.
    cache : path, or None
        Where netlists and builds are kept; the user's cache folder if None.
    """

    def __init__(self, family: str, *, cache: pathlib.Path | None = None) -> None:
        super().__init__(cache=cache)
        if family not in FAMILIES:
            raise ValueError(f"Family must be one of {', '.join(FAMILIES)}, not {family!r}")
        self.name = f"netlist-{family}"
        self.cells: dict[str, int] = {}
        self._family = family

    def netlist(self, accelerator: Any) -> Netlist:
        """The synthesized accelerator; tests change it."""
        return synthesize(to_rtlil(accelerator, "top", family=self._family), self._family,
                          cache=self._cache / "netlists")

    def library(self, accelerator: Any, ports: str, *, trace: bool) -> pathlib.Path:
        netlist = self.netlist(accelerator)
        self.cells = netlist.cells
        synthesis = FAMILIES[self._family]
        files = {"netlist.v": netlist.verilog} | synthesis.cells()

        def write(folder: pathlib.Path) -> Sequence[str]:
            for name, text in files.items():
                (folder / name).write_text(text)
            return list(files)

        return verilated.compile_library(
            write, HARNESS, content=files.values(), ports=ports, trace=trace, cache=self._cache,
            optimize="-O0", options=[f"-D{macro}" for macro in synthesis.defines])
