"""Verilog of a component, by way of RTLIL and Yosys."""

import pathlib
import re
import warnings
from typing import Any

from amaranth.back import rtlil

from gateware.family import Target
from model.errors import CheckFailed

from . import tools


__all__ = ["to_rtlil", "to_verilog", "swap_popcounts"]


def to_rtlil(component: Any, name: str, *, family: str = "generic") -> str:
    """RTLIL of a component, the same whoever's machine it is written on.

    With another :py:`family`, made of that family's own cells where the component knows them.
    """
    with warnings.catch_warnings():
        # Amaranth says that a top level without a platform is unusual; ours is one by design.
        text = rtlil.convert(component, name=name, platform=Target(family), emit_src=False)
    return str(text)


def to_verilog(text: str, path: pathlib.Path, *, script: str = "proc; opt_expr; opt_clean") -> None:
    """Write RTLIL :py:`text` as Verilog to :py:`path`, beside which Yosys keeps its log."""
    tools.require("yosys")   # before anything is written
    # Yosys may live in a sandbox that knows this folder alone.
    path.with_suffix(".il").write_text(text)
    # Yosys renames what only it has named: Icarus takes functions called $… for its own.
    job = (f"read_rtlil {path.stem}.il; {script}; "
           f"write_verilog -noattr {path.name}")
    log = path.with_suffix(".yosys.log")
    try:
        tools.run("yosys", "-q", "-l", log.name, "-p", job, folder=path.parent, log=log.name)
    except CheckFailed as error:
        raise CheckFailed(f"{error} (log: {log})") from error


def swap_popcounts(verilog: str) -> str:
    """Replace each popcount by a module that says ``$countones``, which Verilator runs faster.

    Ports and latency stay as :class:`gateware.popcount.Popcount` has them.
    """
    header = re.compile(r"^module (\\\S*\.popcount_\d+ )\(([^;]*)\);\n.*?^endmodule\n", re.M | re.S)

    def module(match: re.Match[str]) -> str:
        widths = dict((name, width or "") for width, name in re.findall(
            r"^  (?:input|output) (\[\d+:0\] )?(\w+);$", match.group(), re.M))
        # Each register of a popcount is one cycle of its latency.
        latency = len(re.findall(r"^  reg ", match.group(), re.M))
        held = [f"held_{n}" for n in range(1, latency)]
        moves = "".join(f" {to} <= {value};" for to, value in zip(
            [*held, "o"], ["$countones(x ^ w)", *held], strict=True))
        return (f"module {match.group(1)}(input clk, input rst, input en, input {widths['x']}x, "
                f"input {widths['w']}w, output reg {widths['o']}o);\n"
                + "".join(f"  reg {widths['o']}{name};\n" for name in held)
                + f"  always @(posedge clk) if (en) begin{moves} end\nendmodule\n")

    return header.sub(module, verilog)
