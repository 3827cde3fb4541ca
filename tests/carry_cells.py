"""Cells that popcounts are made of, for Amaranth's simulator, which knows none."""

import contextlib
from unittest import mock

from amaranth import *

from gateware import carry_chain


__all__ = ["CCU2C", "modelled"]


class CCU2C(Elaboratable):
    """Two carry cells of ECP5. Counts in :py:`made` how many there are."""

    made = 0

    def __init__(self, **ports):
        assert ports.pop("p_INJECT1_0") == ports.pop("p_INJECT1_1") == "NO"
        self._tables = [ports.pop(f"p_INIT{half}") for half in range(2)]
        assert [len(table) for table in self._tables] == [16, 16]
        self._inputs = [[ports.pop(f"i_{name}{half}") for name in "ABCD"] for half in range(2)]
        assert all(len(value) == 1 for inputs in self._inputs for value in inputs)
        self._sums = [ports.pop(f"o_S{half}") for half in range(2)]
        self._carry_in = ports.pop("i_CIN", None)
        self._carry_out = ports.pop("o_COUT", Signal())
        assert not ports
        CCU2C.made += 1

    def elaborate(self, platform):
        m = Module()
        if self._carry_in is None:
            # Whatever it is, nobody must care.
            carry = Signal()
            m.d.sync += carry.eq(~carry)
        else:
            carry = self._carry_in
        for table, inputs, total in zip(self._tables, self._inputs, self._sums, strict=True):
            passes, made, following = Signal(), Signal(), Signal()
            m.d.comb += passes.eq(table.bit_select(Cat(inputs), 1))
            m.d.comb += made.eq(table[:4].bit_select(Cat(inputs[:2]), 1))
            m.d.comb += total.eq(passes ^ carry)
            m.d.comb += following.eq(Mux(passes, carry, made))
            carry = following
        m.d.comb += self._carry_out.eq(carry)
        return m


class Table(Elaboratable):
    """The look-up table of iCE40."""

    def __init__(self, *, p_LUT_INIT, o_O, **inputs):
        assert len(p_LUT_INIT) == 16
        self._table, self._output = p_LUT_INIT, o_O
        self._inputs = Cat(inputs.pop(f"i_I{n}") for n in range(4))
        assert not inputs and len(self._inputs) == 4

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self._output.eq(self._table.bit_select(self._inputs, 1))
        return m


def model(kind, **ports):
    """What stands for an :class:`amaranth.hdl.Instance`."""
    return {"CCU2C": CCU2C, "SB_LUT4": Table}[kind](**ports)


@contextlib.contextmanager
def modelled():
    """Has gateware use models in place of cells; what is in the block must elaborate in it."""
    with mock.patch.object(carry_chain, "Instance", model):
        yield
