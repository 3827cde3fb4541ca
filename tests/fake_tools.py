# amaranth: UnusedElaboratable=no
"""Tools of a few lines of Python in the place of Yosys and nextpnr, and a design to hand them."""

import sys

from amaranth.hdl import Cat, Const, Elaboratable, Module, Signal
from amaranth.lib import io, memory

from boards.build import build
from boards.catalog import BOARDS
from boards.project import elaborate
from sim import tools


__all__ = ["Echo", "FakeTools", "nextpnr"]


PYTHON = sys.executable


class Echo(Elaboratable):
    """Answers on the serial port through memories and an adder: a design with a little of all."""

    def __init__(self, memories=1, width=8):
        self.memories = memories
        self.width = width

    def elaborate(self, platform):
        m = Module()
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        count = Signal(9)
        total = Signal(self.width)
        m.d.sync += count.eq(count + 1)
        parity = Const(0, 1)
        for n in range(self.memories):
            rows = [(row + n) * (n + 77) & 0xffff for row in range(1024)]
            m.submodules[f"memory_{n}"] = cells = memory.Memory(shape=16, depth=1024, init=rows)
            port = cells.read_port()
            m.d.comb += port.addr.eq(Cat(count, total[0]))
            parity = parity ^ port.data.xor()
        m.d.sync += total.eq((total << 1) + (total ^ Cat(parity, rx.i)))
        m.d.sync += tx.o.eq(total[-1])
        return m


HEAD = """#!{python} -IS
import sys
with open({runs!r}, "a") as runs:
    seed = sys.argv[sys.argv.index("--seed") + 1:][:1] if "--seed" in sys.argv else []
    runs.write(" ".join([{name!r}, *seed]) + "\\n")
"""
YOSYS = """
open("top.rpt", "w").write("synthesized\\n")
open("top.json", "w").write("{}")
print("yosys was here")
"""
NEXTPNR = """
import json
seed = int(sys.argv[sys.argv.index("--seed") + 1])
mhz = float(sys.argv[sys.argv.index("--freq") + 1])
print("placing seed", seed)
fmax = {reach}
open("top.tim", "w").write("Info: Max frequency for clock 'clk': 999.00 MHz (PASS at 24.00 MHz)\\n")
cells = dict(ICESTORM_LC=dict(used=123, available=5280), ICESTORM_RAM=dict(used=4, available=30))
clock = dict(achieved=fmax, constraint=mhz * 1.000004)
json.dump(dict(fmax=dict(clk=clock), utilization=cells),
          open(sys.argv[sys.argv.index("--report") + 1], "w"))
open("top.asc", "w").write(str(seed))
"""
ICEPACK = """
open("top.bin", "w").write("new " + open("top.asc").read())
"""


def nextpnr(reach):
    """A nextpnr that reaches so many MHz, an expression in ``seed`` and in ``mhz``, those asked."""
    return NEXTPNR.format(reach=reach)


PLANS = {}


def plan(board, top_factory, name):
    """Elaboration, once for each width, as it takes longer than all the tools here do."""
    key = board.name, top_factory(board).width
    if key not in PLANS:
        PLANS[key] = elaborate(board, top_factory, name)
    return PLANS[key]


class FakeTools:
    """Puts a few lines of Python in a tool's place; at first, tools with which all goes well.

    They note in a file when they run; and all of them are version 1.2, whatever they do. With
    ``once``, a design is elaborated no more than once in all tests.
    """

    def __init__(self, folder, monkeypatch, once=False):
        self.folder = folder
        self.cache = folder / "cache"
        self._monkeypatch = monkeypatch
        if once:
            monkeypatch.setattr("boards.project.elaborate", plan)
        monkeypatch.setattr(tools, "version", lambda name: "1.2")
        self("yosys", YOSYS)
        self("nextpnr-ice40", nextpnr("30.5"))
        self("icepack", ICEPACK)

    def __call__(self, name, text):
        path = self.folder / name
        # Isolated and without site-packages, Python starts in no time.
        head = HEAD.format(python=PYTHON, runs=str(self.folder / "runs"), name=name)
        path.write_text(head + text)
        path.chmod(0o755)
        self._monkeypatch.setenv(tools.TOOLS[name].variable, str(path))

    def runs(self):
        """Tools that have run since the last call, each with its seed if it has one."""
        path = self.folder / "runs"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def build(self, folder, top=Echo, board="icebreaker", **options):
        """Build with these tools."""
        chosen = BOARDS[board] if isinstance(board, str) else board
        return build(chosen, lambda board: top(), build_dir=folder,
                     **{"cache": self.cache} | options)
