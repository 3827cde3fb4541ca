# amaranth: UnusedElaboratable=no
"""Synthesis is that of the boards, and its memories are those that were asked for."""

import re

import numpy as np
import pytest
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from boards import catalog
from boards.project import elaborate
from gateware import bus
from gateware.memories import Store
from sim.synthesis import FAMILIES, Netlist
from sim.verilog import to_rtlil

from .cells import needs_verilator, netlist_words


BUS_WIDTH = 16   # bits of an address, for each store


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-85f"])
def test_the_script_is_the_board_s(name):
    board = catalog.find(name)
    synthesis = FAMILIES[board.family.name]
    plan = elaborate(board, lambda board: Module(), "design")
    text = plan.files["design.ys"]
    board_s, ours = ([" ".join(line.split()) for line in lines.split("\n")
                      if line.strip() and not line.strip().startswith("#")]
                     for lines in (text if isinstance(text, str) else text.decode(),
                                   synthesis.script("design")))
    ours = [line.replace(f" {synthesis.alone}" if synthesis.alone else "", "") for line in ours]
    assert board_s == [*ours, "write_json design.json"]


def test_cells_are_counted():
    netlist = Netlist("module top(i, o);\n  wire [3:0] x;\n  SB_LUT4 #(\n    .LUT_INIT(16'h0001)\n"
                      "  ) \\a.b  (\n    .I0(i)\n  );\n  SB_DFF \\q  (\n    .C(clk)\n  );\n"
                      "  SB_DFF r (\n  );\n  assign o = x;\nendmodule\n")
    assert netlist.cells == {"SB_DFF": 2, "SB_LUT4": 1}


class Stores(wiring.Component):
    """Stores beside each other, with all their inputs in one port and all outputs in another."""

    def __init__(self, sizes, rows):
        self.stores = [Store(width=width, depth=depth, init=init, storage="block")
                       for (width, depth), init in zip(sizes, rows, strict=True)]
        self.inputs = data.ArrayLayout(data.StructLayout(
            {"en": 1, "addr": BUS_WIDTH, "bus_addr": BUS_WIDTH, "r_en": 1, "w_en": 1,
             "w_data": bus.WORD}), len(sizes))
        self.outputs = data.StructLayout({
            f"{name}_{n}": shape for n, (width, _) in enumerate(sizes)
            for name, shape in (("data", width), ("r_valid", 1), ("r_data", bus.WORD))})
        super().__init__({"i": In(self.inputs.size), "o": Out(self.outputs.size)})

    def elaborate(self, platform):
        m = Module()
        i, o = data.View(self.inputs, self.i), data.View(self.outputs, self.o)
        for n, store in enumerate(self.stores):
            m.submodules[f"store_{n}"] = store
            m.d.comb += [
                store.en.eq(i[n].en), store.addr.eq(i[n].addr), store.bus.addr.eq(i[n].bus_addr),
                store.bus.r_en.eq(i[n].r_en), store.bus.w_en.eq(i[n].w_en),
                store.bus.w_data.eq(i[n].w_data), o[f"data_{n}"].eq(store.data),
                o[f"r_valid_{n}"].eq(store.bus.r_valid), o[f"r_data_{n}"].eq(store.bus.r_data)]
        return m


class Rows:
    """What a store does, in plain Python, with words for it to do at random."""

    def __init__(self, region, rows, rng):
        self.region, self.rows, self.rng = region, list(rows), rng
        self.data, self.chunk, self.valid = None, 0, 0

    def out(self):
        if self.data is None:
            return None
        return {"data": self.data, "r_valid": self.valid,
                "r_data": self.data >> bus.WORD * self.chunk & 0xffffffff}

    def step(self, cycle):
        """Inputs of the next cycle; reads where it does not write."""
        region, rng = self.region, self.rng
        row, other = (int(place) for place in rng.integers(0, region.depth, 2))
        chunk = int(rng.integers(0, region.chunks))
        do = "look" if cycle == 0 else rng.choice(["look", "read", "write", "both", "nothing"])
        if do == "both" and row == other:
            do = "write"
        word = int(rng.integers(0, 1 << bus.WORD))
        self.chunk, self.valid = chunk, int(do == "read")
        if do in ("look", "both"):
            self.data = self.rows[other]
        if do == "read":
            self.data = self.rows[row]
        if do in ("write", "both"):
            kept = self.rows[row] & ~(0xffffffff << bus.WORD * chunk)
            self.rows[row] = (kept | word << bus.WORD * chunk) & (1 << region.width) - 1
        return {"en": do in ("look", "both"), "addr": other, "bus_addr": region.address(row, chunk),
                "r_en": do == "read", "w_en": do in ("write", "both"), "w_data": word}


SUM = """module \\top
  wire input 1 \\clk
  wire input 2 \\rst
  wire width {width} input 3 \\i
  wire width {more} output 4 \\o
  wire width {more} \\s
  wire width {half} \\x[0]
  wire width {width} \\x
  wire width {half} \\x[1]
  cell $dff \\held
    parameter \\WIDTH {width}
    parameter \\CLK_POLARITY 1'1
    connect \\CLK \\clk
    connect \\D \\i
    connect \\Q \\x
  end
  cell $add \\sum
    parameter \\A_WIDTH {width}
    parameter \\B_WIDTH {width}
    parameter \\Y_WIDTH {more}
    parameter \\A_SIGNED 0
    parameter \\B_SIGNED 0
    connect \\A \\x
    connect \\B \\i
    connect \\Y \\s
  end
  cell $dff \\result
    parameter \\WIDTH {more}
    parameter \\CLK_POLARITY 1'1
    connect \\CLK \\clk
    connect \\D \\s
    connect \\Q \\o
  end
  connect \\x[0] \\x [{half} - 1:0]
  connect \\x[1] \\x [{width} - 1:{half}]
end
"""


@needs_verilator
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("half", [2, 4])
def test_elements_are_not_taken_for_bits(family, half):
    """As they are in ECP5 by Yosys 0.70, which fails at 2 and makes a wrong netlist at 4."""
    width = 2 * half
    text = SUM.replace("{half} - 1", str(half - 1)).replace("{width} - 1", str(width - 1)).format(
        half=half, width=width, more=width + 1)
    _, run = netlist_words(text, family)
    words = [int(word) for word in np.random.default_rng(6).integers(0, 1 << width, 200)]
    assert run(words)[2:] == [a + b for a, b in zip(words, words[1:-1], strict=False)]


@needs_verilator
@pytest.mark.parametrize("family, sizes, modes", [
    # Yosys's own model, and the one that is ours.
    pytest.param("ice40", [(2, 2_048), (4, 1_024), (8, 512), (16, 256)], r"READ_MODE\(2'h(\d)",
                 marks=pytest.mark.nightly),
    pytest.param("ecp5", [(1, 16_384), (2, 8_192), (4, 4_096), (9, 2_048), (18, 1_024),
                          (32, 512)], r"DATA_WIDTH_B\(32'd(\d+)", marks=pytest.mark.slow),
], ids=["ice40", "ecp5"])
def test_block_rams_of_all_widths_keep_what_is_written(family, sizes, modes):
    rng = np.random.default_rng(5)
    sizes = [*sizes, *((int(width), int(depth)) for width, depth in
                       zip(rng.integers(20, 70, 2), rng.integers(2, 250, 2), strict=True))]
    one_of_each = len(sizes) - 2
    rows = [[int.from_bytes(rng.bytes(9), "little") & (1 << width) - 1 for _ in range(depth)]
            for width, depth in sizes]
    dut = Stores(sizes, rows)
    netlist, run = netlist_words(to_rtlil(dut, "top"), family)
    assert len(set(re.findall(modes, netlist.verilog))) == one_of_each
    golden = [Rows(store.region, init, rng) for store, init in zip(dut.stores, rows, strict=True)]
    words, expected = [], []
    for cycle in range(4_000):
        expected.append([each.out() for each in golden])
        words.append(dut.inputs.const([each.step(cycle) for each in golden]).as_value().value)
    for cycle, word in enumerate(run(words)[1:], start=1):
        seen = dut.outputs.from_bits(word & (1 << dut.outputs.size) - 1)
        for n, values in enumerate(expected[cycle]):
            for name, value in values.items():
                assert seen[f"{name}_{n}"] == value, (cycle, sizes[n], name)
