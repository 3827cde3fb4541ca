# amaranth: UnusedElaboratable=no
"""Popcounts count, in each family, at every width; and the simulator's way of counting is no other.

Small widths are compared with the definition, all inputs at once, registers and enable included.
From there on a count is the sum of two smaller ones, and a tree of such sums is right where two
things hold at each width up to :data:`WIDEST`: its last adder takes two numbers and a carry that
count all bits of the word between them, each once; and every chain of adders that a popcount of
that width is built of gives the sum of each adder's operands, whatever these are, in as many bits
as the sum has.
"""

import functools
import re
from typing import Any

from amaranth.hdl import Cat, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.utils import bits_for

import gateware.adder_tree
import gateware.carry_chain
import sim.verilog
from gateware.popcount import CHAINS, LONGEST, Popcount
from sim.synthesis import FAMILIES

from .change import Change
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS", "total"]


WIDEST = 1024
SUM    = 16   # bits of a sum


@functools.cache
def cells(family: str) -> str:
    """What a family's cells do, as Yosys has it: those that popcounts are made of."""
    if family == "generic":
        return ""
    texts = "\n".join(FAMILIES[family].cells().values())
    kinds = ("SB_LUT4",) if family == "ice40" else ("CCU2C", "LUT4", "LUT2")
    found = [re.search(rf"^module {kind}\s*[#(].*?^endmodule", texts, re.M | re.S)
             for kind in kinds]
    # Assignments to unconnected inputs are no part of what a cell does.
    return "`define ICE40_DEFAULT_ASSIGNMENT_0\n" + "\n".join(
        re.sub(r"^\s*specify.*?endspecify$", "", each[0], flags=re.M | re.S)
        for each in found if each)


def total(bits: Any) -> Any:
    """The definition: bits added up one after the other, in a sum that is wide enough for any."""
    result = Value.cast(0)
    for n in range(len(bits)):
        result = (result + bits[n])[:bits_for(len(bits))]
    return result


def definition(h: Harness, *, widths: range, family: str, constant: bool = False) -> None:
    h.verilog = cells(family)
    for width in widths:
        dut = h.add(Popcount(width, family=family, constant=constant))
        en = h.free(1, f"en_{width}")
        x, w = (h.free(width, f"{name}_{width}") for name in "xw")
        h.m.d.comb += [dut.en.eq(en), dut.x.eq(x), dut.w.eq(w)]
        differ = Signal(width, name=f"places_{width}")
        h.m.d.comb += differ.eq(x ^ w)
        h.claim(f"{width} bits: the places that differ, counted, or the count before",
                dut.o == Mux(h.past(en), h.past(total(differ)), h.past(dut.o)))
        h.cover(f"{width} bits: all places differ", dut.o == width)


def pipelined(h: Harness, *, widths: range, family: str, levels: int) -> None:
    h.verilog = cells(family)
    for width in widths:
        dut = h.add(Popcount(width, levels=levels, family=family))
        en = h.free(1, f"en_{width}")
        x, w = (h.free(width, f"{name}_{width}") for name in "xw")
        h.m.d.comb += [dut.en.eq(en), dut.x.eq(x), dut.w.eq(w)]
        count = total(x ^ w)
        for n in range(dut.latency):
            held = Signal(range(width + 1), name=f"held_{width}_{n}")
            h.m.d.sync += held.eq(Mux(en, count, held))
            count = held
        moved = h.count(en, dut.latency, name=f"moved_{width}")
        h.claim(f"{width} bits: the places that differed as many enabled cycles ago, counted",
                (moved != dut.latency) | (dut.o == count))
        h.cover(f"{width} bits: all places differ", (moved == dut.latency) & (dut.o == width))


def chains(family: str) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    """Every kind of chain in popcounts up to the widest, the first adders being tables or not.

    Of each adder the bits of both numbers and of the carry; 0 for a bit of the word, and -1 for no
    carry.
    """
    tables = family != "ecp5"
    found: dict[Any, Any] = {}
    for width in range(2, WIDEST + 1):
        bits: dict[Any, int] = {}
        for level, adders in enumerate(gateware.adder_tree.adder_tree(width), 1):
            kinds = [(bits.get(adder.a, 0), bits.get(adder.b, 0), -(adder.carry is None))
                     for adder in adders]
            bits |= {adder: max(1, a) + 1 for adder, (a, _, _) in zip(adders, kinds, strict=True)}
            if level > 1 or not tables:
                additions = [gateware.carry_chain.Addition(range(max(1, a)), kind, None)
                             for kind in kinds for a, _, _ in [kind]]
                for length in (CHAINS[family], LONGEST):
                    for chain in gateware.carry_chain.pack(additions, length):
                        found[tuple(addition.b for addition in chain)] = None
    return tuple(found)


def counted(width: int) -> bool:
    """Whether a tree takes each bit of a word once, each sum once, and gives one as wide as due."""
    there: set[Any] = set(range(width))
    bits = dict.fromkeys(there, 1)
    for adders in gateware.adder_tree.adder_tree(width):
        taken = [each for adder in adders for each in (adder.a, adder.b, adder.carry)
                 if each is not None]
        if len(set(taken)) < len(taken) or not there.issuperset(taken):
            return False
        if any(bits[adder.a] < bits[adder.b] for adder in adders):
            return False
        bits |= {adder: bits[adder.a] + 1 for adder in adders}
        there = there.difference(taken) | set(adders)
    return len(there) == 1 and bits[there.pop()] <= bits_for(width)


def composition(h: Harness, *, family: str, part: int) -> None:
    """Every kind of chain, of numbers that may be any; and the trees that need no other."""
    h.verilog = cells(family)
    tables = family != "ecp5"
    for n, chain in enumerate(chains(family)[part::2]):
        additions, sums = [], []
        for k, (a, b, carry) in enumerate(chain):
            operands = []
            for name, bits in (("a", a), ("b", b), ("carry", carry)):
                # A bit of the word is the difference of two.
                free = [h.free(max(1, bits), f"{name}_{n}_{k}_{part}")
                        for part in range(1 if bits or tables else 2)] if bits >= 0 else []
                operands.append(list(zip(*free, strict=True)))
            numbers = [Cat(gateware.carry_chain.value(bit) for bit in each) for each in operands]
            additions.append(gateware.carry_chain.Addition(
                operands[0], operands[1], operands[2][0] if operands[2] else None))
            sums.append((numbers[0] + numbers[1]) + numbers[2])
        found = gateware.carry_chain.in_chains(h.m, additions, family)
        for k, (value, exact) in enumerate(zip(found, sums, strict=True)):
            h.claim(f"adder {k} of chain {chain} gives the sum", value == exact)
    h.claim("every tree takes all bits, each once",
            Value.cast(all(counted(width) for width in range(2, WIDEST + 1))))


def running(h: Harness, *, family: str) -> None:
    """Registers that add up, of every width that a sum may have, and every term's."""
    h.verilog = cells(family)
    fresh = h.free(1, "fresh")
    for bits in range(1, SUM + 1):
        for width in range(1, bits + 1):
            held, term = (h.free(size, f"{name}_{bits}_{width}")
                          for name, size in (("held", bits), ("term", width)))
            h.claim(f"{bits} bits hold a term of {width}, added or alone",
                    gateware.carry_chain.load_or_add(h.m, held, term, fresh, family)
                    == Mux(fresh, term, held + term)[:bits])


def ends(h: Harness) -> None:
    """The first cell of a chain, with the carry in that it has and with any."""
    h.verilog = cells("ecp5")
    pair = [h.free(1, f"second_{n}") for n in range(2)]
    for width in range(3):
        bit = tuple(h.free(1, f"first_{width}_{n}") for n in range(width))
        halves = [gateware.carry_chain.cell([bit] if bit else [], alone=True),
                  gateware.carry_chain.cell([tuple(pair), tuple(pair)])]
        ports = {f"i_{name}{half}": value for half, (_, inputs) in enumerate(halves)
                 for name, value in zip("ABCD", inputs, strict=True)}
        tables = {f"p_INIT{half}": Const(table, 16) for half, (table, _) in enumerate(halves)}
        seen = []
        for n, carry in enumerate((Const(0, 1), h.free(1, f"carry_{width}"))):
            outputs = [Signal(name=f"{name}_{width}_{n}") for name in ("s0", "s1", "cout")]
            seen.append(outputs)
            h.m.submodules[f"cell_{width}_{n}"] = Instance(
                "CCU2C", **ports, **tables, p_INJECT1_0="NO", p_INJECT1_1="NO", i_CIN=carry,
                o_S0=outputs[0], o_S1=outputs[1], o_COUT=outputs[2])
        h.claim(f"{width} inputs: the other sum and the carry out are the same",
                (seen[0][1] == seen[1][1]) & (seen[0][2] == seen[1][2]))
        h.claim(f"{width} inputs: the first sum is 0 where the carry in is", ~seen[0][0])


class Popcounts(wiring.Component):
    """Popcounts of several widths, named as a design has them."""

    def __init__(self, widths: tuple[int, ...], levels: int) -> None:
        self._widths = widths
        self._levels = levels
        super().__init__({f"popcount_{n}": Out(Popcount(width).signature)
                          for n, width in enumerate(widths)})

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        for n, width in enumerate(self._widths):
            m.submodules[f"popcount_{n}"] = dut = Popcount(width, levels=self._levels)
            wiring.connect(m, wiring.flipped(getattr(self, f"popcount_{n}")), dut)
        return m


def swapped(h: Harness, *, widths: tuple[int, ...], levels: int = 0) -> None:
    """Both modules as Verilog, side by side."""
    texts = []
    for name in ("shipped", "swapped"):
        path = h.folder / f"{name}.v"
        sim.verilog.to_verilog(sim.verilog.to_rtlil(Popcounts(widths, levels), name), path)
        texts.append(path.read_text())
    texts[1] = sim.verilog.swap_popcounts(texts[1])
    modules = re.compile(r"^module \\\S*\.popcount_\d+ .*?^endmodule\n", re.M | re.S)
    found = [modules.findall(text) for text in texts]
    h.verilog = "\n".join(found[0] + found[1])
    h.claim("each popcount is a module of its own, and was replaced",
            Value.cast([len(each) for each in found] == [len(widths)] * 2 and all(
                ("$countones" in each) == (n == 1) for n in range(2) for each in found[n])))
    for n, width in enumerate(widths):
        en, x, w = h.free(1, f"en_{n}"), h.free(width, f"x_{n}"), h.free(width, f"w_{n}")
        outputs = []
        for name, text in zip(("shipped", "swapped"), (each[n] for each in found), strict=True):
            o = Signal(range(width + 1), name=f"{name}_{n}")
            outputs.append(o)
            reset = {"i_rst": 0} if re.search(r"\brst\b", text) else {}
            h.m.submodules[f"{name}_{n}"] = Instance(
                f"{name}.popcount_{n}", i_clk=h.clock, i_en=en, i_x=x, i_w=w, o_o=o, **reset)
        latency = Popcount(width, levels=levels).latency
        moved = h.count(en, latency, name=f"moved_{n}")
        h.claim(f"{width} bits: both count alike from the first count on",
                (moved != latency) | (outputs[0] == outputs[1]))
        h.cover(f"{width} bits: all places differ", (moved == latency) & (outputs[0] == width))


PROOFS = (
    Proof(
        "popcount.definition",
        "One cycle after an enabled one, the count is the number of places in which both words "
        "differ; otherwise it stays. So in each family's own cells, and with tables for constant "
        "weights.",
        "nothing", "induction", definition,
        (case(2, widths=range(1, 11), family="generic"),
         case(2, widths=range(11, 17), family="generic"),
         case(2, widths=range(24, 25), family="generic"),
         case(2, widths=range(1, 15), family="ice40"),
         case(2, widths=range(1, 11), family="ecp5"),
         case(2, widths=range(11, 17), family="ecp5"),
         case(2, widths=range(1, 15), family="ecp5", constant=True)),
        (Change("gateware.popcount", "differ.eq(self.x ^ self.w)", "differ.eq(self.x | self.w)"),
         Change("gateware.carry_chain", "a & b | carry & (a ^ b)", "a & b | carry & a"),
         Change("gateware.popcount", "with m.If(self.en):", "with m.If(self.x[0]):"),
         Change("gateware.carry_chain", "p_LUT_INIT=C(0xff00, 16)", "p_LUT_INIT=C(0xff01, 16)",
                case=3),
         Change("gateware.carry_chain", "(index & used).bit_count() & 1",
                "(index & used).bit_count() % 3 & 1", case=4))),
    Proof(
        "popcount.pipelined",
        "With registers between the adders, the count is that of the word as many enabled cycles "
        "ago as the latency says.",
        "nothing", "bounded", pipelined,
        (case(6, widths=range(1, 14), family="generic", levels=1),
         case(6, widths=range(4, 14), family="ecp5", levels=1),
         case(6, widths=range(16, 18), family="ecp5", levels=2)),
        (Change("gateware.popcount", "level % self._levels == 0", "level % self._levels == 1",
                case=2),
         Change("gateware.popcount", "for key, number in numbers.items()}",
                "for key, number in reversed(numbers.items())}", case=1))),
    Proof(
        "popcount.composition",
        f"At each width from 2 to {WIDEST}, the tree of adders takes all bits of the word and all "
        "sums but the last, each once, and its sum is no wider than the register; and each chain "
        "of adders, as popcounts of these widths are made of, gives the sum of every adder's two "
        "numbers and carry.",
        "an adder's numbers count the bits that it is made of, which is the claim for adders "
        "before it",
        "combinational", composition,
        tuple(case(1, family=family, part=part) for family in ("generic", "ice40", "ecp5")
              for part in range(2)),
        (Change("gateware.carry_chain", "total = Signal(len(a) + 1)", "total = Signal(len(a))"),
         Change("gateware.adder_tree", "number(first + a, b), carry", "number(first, b), carry"),
         Change("gateware.carry_chain", "i_I3=last[-1]", "i_I3=last[-2]", case=2),
         Change("gateware.carry_chain", "if alone else table", "if False else table", case=4))),
    Proof(
        "popcount.running",
        f"A register of up to {SUM} bits next holds the sum of what it held and a term of as many "
        "bits or fewer, or the term alone, modulo its width, in the cells of ECP5 as well.",
        "nothing", "combinational", running,
        (case(1, family="generic"), case(1, family="ecp5")),
        (Change("gateware.carry_chain", "index >> 2 & ~index >> 3 & 1", "index >> 2 & 1", case=1),
         Change("gateware.carry_chain", "index & 1 ^ (index >> 2", "1 & (index >> 2", case=1),
         Change("gateware.carry_chain", "Mux(fresh, term, held + term)",
                "Mux(fresh, held + term, held)"))),
    Proof(
        "popcount.ends",
        "What the cell that begins a chain on ECP5 gives does not depend on its carry in, which "
        "synthesis leaves unknown, but for a sum that nothing looks at.",
        "nothing", "combinational", ends, (case(1),),
        (Change("gateware.carry_chain", "table & 0xf if alone", "table if alone"),)),
    Proof(
        "popcount.swapped",
        "The module with $countones that the fast simulator runs counts what the shipped one does.",
        "as many cycles were enabled as the latency says, before which neither output means "
        "anything",
        "bounded", swapped,
        (case(3, widths=tuple(range(1, 17))), case(3, widths=(32,)),
         case(7, widths=(1, 3, 4, 7, 8, 13), levels=1)),
        (Change("sim.verilog", "$countones(x ^ w)", "$countones(x | w)"),
         Change("sim.verilog", "always @(posedge clk) if (en) begin", "always @(posedge clk) begin",
                cycles=4),
         Change("sim.verilog", '[*held, "o"], ["$countones(x ^ w)", *held]',
                '[*held[1:], "o"], ["$countones(x ^ w)", *held[1:]]', case=2))),
)
