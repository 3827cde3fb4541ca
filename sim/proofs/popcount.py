# amaranth: UnusedElaboratable=no
"""Popcounts count, at every width; and the simulator's way of counting is no other.

Widths up to 16 are compared with the definition, all inputs at once, register and enable included.
From there on a count is the sum of two smaller ones: for each width, the adder that
:func:`gateware.popcount.tree` itself builds on top of its two halves is proved to be the sum, and
not to overflow, for all counts that halves so wide can have. By induction on the width, the tree
counts for each width up to :data:`WIDEST`.
"""

import re
from typing import Any
from unittest import mock

from amaranth.hdl import Instance, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.utils import bits_for

import gateware.popcount
import sim.verilog
from gateware.popcount import Popcount

from .change import Change
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


WIDEST = 1024


def total(bits: Any) -> Any:
    """The definition: bits added up one after the other, in a sum that is wide enough for any."""
    result = Value.cast(0)
    for n in range(len(bits)):
        result = (result + bits[n])[:bits_for(len(bits))]
    return result


def definition(h: Harness, *, widths: range) -> None:
    for width in widths:
        dut = h.add(Popcount(width))
        en = h.free(1, f"en_{width}")
        x, w = (h.free(width, f"{name}_{width}") for name in "xw")
        h.m.d.comb += [dut.en.eq(en), dut.x.eq(x), dut.w.eq(w)]
        agree = Signal(width, name=f"agree_{width}")
        h.m.d.comb += agree.eq(~(x ^ w))
        h.claim(f"{width} bits: the places that agree, counted, or the count before",
                dut.o == Mux(h.past(en), h.past(total(agree)), h.past(dut.o)))
        h.cover(f"{width} bits: all places agree", dut.o == width)


def composition(h: Harness, *, widths: range) -> None:
    """Whatever two halves count, the adder that the tree puts on top of them adds it up."""
    for width in widths:
        bits = Signal(width, name=f"bits_{width}")
        halves: list[tuple[int, int, Any]] = []

        def half(part: Any, bits: Any = bits, halves: Any = halves) -> Any:
            if part.value is not bits:
                raise ValueError(f"A half must be a slice of the word, not {part!r}")
            count = h.free(range(len(part) + 1), f"count_{len(bits)}_{len(halves)}")
            h.assume(count <= len(part))
            halves.append((part.start, part.stop, count))
            return count

        tree = gateware.popcount.tree
        with mock.patch.object(gateware.popcount, "tree", half):
            whole = tree(bits)
        ends = [end for _, end, _ in halves]
        h.claim(f"the halves of {width} bits are all of it, each bit once",
                Value.cast([start for start, _, _ in halves] == [0, *ends[:-1]]
                           and ends[-1] == width and len(halves) == 2))
        (_, _, low), (_, _, high) = halves[0], halves[-1]
        exact = Signal(bits_for(2 * WIDEST), name=f"exact_{width}")
        h.m.d.comb += exact.eq(low + high)
        counted = Signal(range(width + 1), name=f"counted_{width}")
        h.m.d.comb += counted.eq(whole)   # as wide as the component's register
        h.claim(f"the sum of the halves of {width} bits", exact == counted)


class Popcounts(wiring.Component):
    """Popcounts of several widths, named as a design has them."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        self._widths = widths
        super().__init__({f"popcount_{n}": Out(Popcount(width).signature)
                          for n, width in enumerate(widths)})

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        for n, width in enumerate(self._widths):
            m.submodules[f"popcount_{n}"] = dut = Popcount(width)
            wiring.connect(m, wiring.flipped(getattr(self, f"popcount_{n}")), dut)
        return m


def swapped(h: Harness, *, widths: tuple[int, ...]) -> None:
    """Both modules as Verilog, side by side."""
    texts = []
    for name in ("shipped", "swapped"):
        path = h.folder / f"{name}.v"
        sim.verilog.to_verilog(sim.verilog.to_rtlil(Popcounts(widths), name), path)
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
        counted = Signal(name=f"counted_{n}")
        h.m.d.sync += counted.eq(counted | en)
        h.claim(f"{width} bits: both count alike from the first count on",
                ~counted | (outputs[0] == outputs[1]))
        h.cover(f"{width} bits: all places agree", counted & (outputs[0] == width))


PROOFS = (
    Proof(
        "popcount.definition",
        "One cycle after an enabled one, the count is the number of places in which both words "
        "agree; otherwise it stays.",
        "nothing", "induction", definition,
        (case(2, widths=range(1, 11)), case(2, widths=range(11, 17)),
         case(2, widths=range(24, 25))),
        (Change("gateware.popcount", "tree(~(self.x ^ self.w))", "tree(self.x ^ self.w)"),
         Change("gateware.popcount", "tree(bits[:half]) + tree(bits[half:])",
                "tree(bits[:half]) | tree(bits[half:])"),
         Change("gateware.popcount", "with m.If(self.en):", "with m.If(self.x[0]):")),
    ),
    Proof(
        "popcount.composition",
        f"At each width from 2 to {WIDEST}, the tree's last adder gives the sum of what its two "
        "halves count, those are all bits of the word, each once, and the register is wide enough.",
        "the halves count no more bits than they have, which is the claim at smaller widths",
        "combinational", composition,
        (case(1, widths=range(2, 257)), case(1, widths=range(257, 641)),
         case(1, widths=range(641, WIDEST + 1))),
        (Change("gateware.popcount", "tree(bits[:half]) + tree(bits[half:])",
                "(tree(bits[:half]) + tree(bits[half:]))[:9]", case=1),
         Change("gateware.popcount", "tree(bits[half:])", "tree(bits[half - 1:])")),
    ),
    Proof(
        "popcount.swapped",
        "The module with $countones that the fast simulator runs counts what the shipped one does.",
        "some cycle was enabled, before which neither output means anything",
        "induction", swapped,
        (case(2, widths=tuple(range(1, 17))), case(2, widths=(32,))),
        (Change("sim.verilog", "$countones(~(x ^ w))", "$countones(x ^ w)"),
         Change("sim.verilog", "always @(posedge clk) if (en) o", "always @(posedge clk) o",
                cycles=4)),
    ),
)
