# amaranth: UnusedElaboratable=no

"""Every component as emitted Verilog, in simulators that know nothing of Amaranth."""

import inspect
import pathlib
import sys
import tempfile
import types
from dataclasses import replace

import numpy as np
import pytest
from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from gateware.accumulate import Accumulate
from gateware.dense import Dense
from gateware.popcount import Popcount
from gateware.regroup import Regroup
from gateware.scores import Scores
from model.errors import CheckFailed, InputError
from sim import tools
from sim.cosim import runner
from sim.cosim.case import Case, Step
from sim.cosim.runner import build, missing

from .batch_benches import BATCHES
from .benches import DATAPATH
from .link_benches import LINK
from .input_benches import INPUTS
from .learning_benches import LEARNING
from .memory_benches import MEMORIES
from .serial_benches import SERIAL
from .system_benches import SYSTEM
from .test_architecture import GATEWARE, components


needs_icarus = pytest.mark.skipif(bool(missing("icarus")),
                                  reason=f"cocotb with Icarus Verilog: {missing('icarus')}")
needs_verilator = pytest.mark.skipif(bool(missing("verilator")),
                                     reason=f"cocotb with Verilator: {missing('verilator')}")


BENCHES = {**DATAPATH, **INPUTS, **MEMORIES, **SERIAL, **LEARNING, **BATCHES, **LINK, **SYSTEM}


def made(names):
    return {name: BENCHES[name][1](np.random.default_rng(0)) for name in names}


def run(benches, simulator):
    """What is wrong with each component, by name."""
    rng = np.random.default_rng(1)
    ready = build({name: bench.component for name, bench in benches.items()}, simulator)
    jobs = [(name, bench, case) for name, bench in benches.items()
            for case in bench.cases(name, rng)]
    wrong = {}
    answers = ready.run([case for _, _, case in jobs])
    for (name, bench, case), answer in zip(jobs, answers, strict=True):
        try:
            bench.check(answer)
        except AssertionError as error:
            wrong[name] = f"{error} (waits: {case.stalls})"
    return wrong


def test_every_component_has_a_bench():
    """A component that somebody adds is to be run as emitted Verilog too."""
    assert {of for of, _ in BENCHES.values()} \
        == {component for path in GATEWARE for component in components(path)}


@pytest.mark.parametrize("simulator", [
    pytest.param("icarus", marks=needs_icarus),
    pytest.param("verilator", marks=[needs_verilator, pytest.mark.slow])])
def test_every_component_matches_its_twin(simulator):
    assert run(made(BENCHES), simulator) == {}


MUTANTS = {
    "popcount_70": (Popcount, "pop(adder.b),", "pop(adder.b)[::-1],"),
    "popcount_13": (Popcount, "self.x ^ self.w", "~(self.x ^ self.w)"),
    "accumulate_serial": (Accumulate, "part << 1", "part << 2"),
    "dense_bipolar": (Dense, "self.sums[lane] >= met", "self.sums[lane] > met"),
    "dense_few": (Dense, "before.eq(Mux(last, 0, number))", "before.eq(number)"),
    "regroup_wider": (Regroup, "word >> self._unit", "word >> 1"),
    "scores_plain": (Scores, "score > best_score", "score < best_score"),
}


def mutant(component, old, new):
    """A component's class with one place in its file changed."""
    module = sys.modules[component.__module__]
    source = inspect.getsource(module)
    assert source.count(old) == 1
    changed = types.ModuleType(module.__name__)
    changed.__package__ = module.__package__
    exec(source.replace(old, new), vars(changed))
    return getattr(changed, component.__name__)


@needs_icarus
def test_a_changed_operator_is_noticed():
    # Those that are not changed still hold.
    benches = made([*MUTANTS, "dense_serial", "regroup_narrower"])
    for name, change in MUTANTS.items():
        benches[name].component.__class__ = mutant(*change)
    assert run(benches, "icarus").keys() == MUTANTS.keys()


class Faulty(wiring.Component):
    """A counter's values as a stream, against the rules."""

    def __init__(self, fault):
        self._fault = fault
        super().__init__({"o": Out(stream.Signature(8)), "late": In(1)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(8)
        m.submodules.cells = cells = memory.Memory(shape=8, depth=3, init=[1, 2, 3])
        port = cells.read_port()
        m.d.sync += count.eq(count + 1)
        m.d.comb += self.o.valid.eq(1)
        if self._fault == "withdrawn":
            m.d.comb += self.o.valid.eq(count[1])
        elif self._fault == "changed":
            m.d.comb += self.o.payload.eq(count)
        elif self._fault == "unknown":
            m.d.comb += port.addr.eq(3)
            m.d.comb += self.o.payload.eq(port.data)
        elif self._fault == "unknown_valid":
            m.d.comb += port.addr.eq(3)
            m.d.comb += self.o.valid.eq(port.data[0])
        elif self._fault == "silent":
            m.d.comb += self.o.valid.eq(0)
        return m


FAULTS = {
    "withdrawn": "withdrawn: o__payload 0x0 was withdrawn at edge 4, before it was taken",
    "changed": "changed: o__payload 0x0 became 0x1 at edge 1, before it was taken",
    "unknown": "unknown: o__payload is XXXXXXXX at edge 0",
    "unknown_valid": "unknown_valid: o__valid is X at edge 0",
    "silent": "silent: not over after 50 cycles; words that passed: o 0; steps: 0 of 0",
    "surplus": "surplus: o offers more than 4 words",
}


@needs_icarus
def test_streams_are_held_to_their_rules(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))    # where the log stays
    ready = build({fault: Faulty(fault) for fault in FAULTS}, "icarus")
    with pytest.raises(CheckFailed) as failed:
        ready.run([Case(fault, drain={"o": 4}, stalls={"o": [5]}, limit=50) for fault in FAULTS])
    said, _, log = str(failed.value).removesuffix(")").rpartition(" (log: ")
    assert said == "; ".join(FAULTS.values())
    assert "StreamError: o__payload 0x0 was withdrawn" in pathlib.Path(log).read_text()


@needs_icarus
def test_a_case_goes_on_where_the_one_before_ended():
    ready = build({"popcount": Popcount(4)}, "icarus")
    count = Case("popcount", steps=[Step({"en": 1, "x": 9, "w": 6}), Step({"en": 0})],
                 watch=["o"])
    look = Case("popcount", watch=["o"], reset=False)
    answers = ready.run([count, look])
    assert answers[0].at_ends("o", 1) == [4, 4]
    assert answers[1].seen["o"] == [4] * look.linger


@needs_icarus
def test_verilog_that_does_not_compile_is_shown(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(runner, "to_verilog", lambda text, path: path.write_text("module bench("))
    with pytest.raises(CheckFailed, match=r"^icarus failed: .*syntax error.* \(log: .*build.log\)"):
        build({"popcount": Popcount(4)}, "icarus", cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("simulator, tool, command", [
    ("icarus", "iverilog", "apt install iverilog"),
    ("icarus", "cocotb", r"pip install 'ohmbit\[cosim\]'"),
    ("verilator", "make", "apt install make")])
def test_what_is_missing_is_named(monkeypatch, tmp_path, simulator, tool, command):
    monkeypatch.delenv(tools.TOOLS[tool].variable, raising=False)
    monkeypatch.setattr(tools, "find", lambda name: None if name == tool else [name])
    assert missing(simulator) == command.replace("\\", "")
    with pytest.raises(InputError, match=f"^{tool} is not here.*: {command}$"):
        build({"popcount": Popcount(4)}, simulator, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_cases_pass_between_processes():
    case = Case("x", {"i": [1 << 99]}, {"o": 2}, {"o": [1]}, ["tap"], [Step({"a": 1}, "b", 2)],
                ["c"], reset=False, linger=0, limit=7)
    assert Case.from_json(case.to_json()) == case
    assert replace(case, steps=[]) != case
