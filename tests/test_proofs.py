# amaranth: UnusedElaboratable=no

import json
import pathlib
import random
import re
from concurrent.futures import Executor, Future
from dataclasses import replace

import gateware.link
import gateware.replay
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.sim import Simulator

from model.errors import InputError
from sim import tools
from sim.proofs import __main__ as command
from sim.proofs.catalog import PROOFS
from sim.proofs.change import Change
from sim.proofs.environment import Unknown, accept, holds, offer, parts
from sim.proofs.harness import Harness
from sim.proofs.proof import Proof, case
from sim.proofs.prove import prove
from sim.proofs.solve import TOOLS, solve
from sim.proofs.table import Table


ROOT  = pathlib.Path(__file__).parent.parent
BUILD = ROOT / "build" / "test-proofs"    # not under /tmp, which the tools may not see

needs_solver = pytest.mark.skipif(any(tools.find(name) is None for name in TOOLS),
                                  reason="proofs: pip install 'ohmbit[formal]'")

# A second or so for a case; a seed chooses those of every run.
SHORT = ("bus.decoder", "cobs.decoder-rules", "cobs.encoder", "collector.rules",
         "control.registers", "image_buffer.rules", "memories.store", "results.rules",
         "scores.rules")
# Those that `make test-all` carries out whole; of the others it tries one size and one control.
WHOLE = (*SHORT, "image_buffer.image", "popcount.definition", "results.scores")
LONG = tuple(name for name in PROOFS if name not in WHOLE)


class Here(Executor):
    """Runs each call at once, in this process."""

    def submit(self, function, /, *arguments, **options):
        future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


def carry_out(*proofs, name):
    """The outcomes of some proofs, one after the other."""
    return prove(proofs, BUILD / name, executor=Here())


def sample(whole):
    """One control of a proof, chosen by a seed, and the case that it is about."""
    control = random.Random(0).choice(whole.controls)
    return replace(whole, cases=(whole.cases[control.case],), controls=(replace(control, case=0),))


def told(outcomes):
    """All that is wrong with some outcomes."""
    return [(check.what, check.verdict, check.claim) for outcome in outcomes
            for check in outcome.checks if not check.good]


def replay(h, *, words=2, times=2, bound=2):
    """A claim that holds of a word's index if the bound is the number of words."""
    dut = h.add(gateware.replay.Replay(width=1, words=words, times=times))
    offer(h, dut.i)
    given = accept(h, dut.o)
    holds(h, dut.o)
    h.claim("the index is in range", h.inside(dut)["r_index"] < bound)
    h.cover("a word leaves", given)


def late(h, *, cycle):
    """A cover that is reached in one cycle, and a claim that needs to know how."""
    count = Signal(4)
    h.m.d.sync += count.eq(count + (count != 9))
    h.claim("the count is not beyond", count != 15)
    h.cover("the count is there", count == cycle)


def silent(h):
    """No claim at all."""
    h.free(1, "anything")


def proof(harness, *cases, method="bounded", controls=None):
    controls = controls or (Change("gateware.replay", "r_index == words - 1", "r_index == words"),)
    return Proof("test.proof", "Nothing new.", "nothing", method, harness, cases, controls)


@needs_solver
@pytest.mark.parametrize("name", random.Random(0).sample(SHORT, 2))
def test_sample_of_proofs_holds(name):
    assert not told(carry_out(sample(PROOFS[name]), name="sample"))


@needs_solver
@pytest.mark.slow
@pytest.mark.parametrize("name", PROOFS)
def test_proofs_hold_and_wrong_designs_are_refuted(name):
    proof = PROOFS[name]
    assert not told(carry_out(proof if name in WHOLE else sample(proof), name="slow"))


@needs_solver
@pytest.mark.nightly
@pytest.mark.parametrize("name", LONG)
def test_long_proofs_hold(name):
    assert not told(carry_out(PROOFS[name], name="nightly"))


@needs_solver
def test_false_claim_is_refuted_with_its_name_and_a_run():
    outcome, = carry_out(proof(replay, case(8, bound=1)), name="false")
    check, control = outcome.checks
    assert (check.verdict, check.claim) == ("refuted", "the index is in range")
    assert not outcome.good and not check.good
    values = dict(re.findall(r"^(\S+) +(.*)$", check.trace, re.M))
    assert values["r_index"].split()[-1] == "1"
    assert values["cycle"].split() == [str(n) for n in range(len(values["o_ready"].split()))]
    assert pathlib.Path(check.waveform).read_text().startswith("$version")


@needs_solver
def test_design_that_is_wrong_unnoticed_fails():
    same = Change("gateware.replay", "_index == ", "_index >= ")
    outcome, = carry_out(proof(replay, case(8), controls=(
        Change("gateware.replay", "o.ready | ~o.valid", "~o.valid | o.ready"),
    )), name="unnoticed")
    assert [check.verdict for check in outcome.checks] == ["proved", "proved"]
    assert [check.good for check in outcome.checks] == [True, False]
    with pytest.raises(ValueError, match="^gateware.replay must say .* once, not 2 times$"), \
            same.made():
        pass


@needs_solver
def test_what_holds_only_of_states_that_are_reached_is_open_by_induction(tmp_path):
    BUILD.mkdir(parents=True, exist_ok=True)
    for method, verdict in (("bounded", "proved"), ("induction", "open")):
        h = Harness(BUILD)
        late(h, cycle=3)
        assert solve(h, method, 5).verdict == verdict


@needs_solver
def test_bound_that_is_too_low_to_see_anything_is_no_proof():
    (BUILD / "late").mkdir(parents=True, exist_ok=True)
    for cycle, verdict in ((4, "proved"), (5, "unreached")):
        h = Harness(BUILD / "late")
        late(h, cycle=cycle)
        answer = solve(h, "bounded", 5)
        assert (answer.verdict, "the count is there" in answer.claim) == (
            verdict, verdict == "unreached")


@needs_solver
def test_unknown_component_may_do_anything():
    (BUILD / "unknown").mkdir(parents=True, exist_ok=True)
    h = Harness(BUILD / "unknown")
    dut = h.add(Unknown(gateware.replay.Replay(width=2, words=2, times=2)))
    offer(h, dut.i)
    accept(h, dut.o)
    for value in (0, 3):
        h.cover(f"{value} is offered", dut.o.valid & ~dut.i.valid & (dut.o.payload == value))
    holds(h, dut.o)
    answer = solve(h, "bounded", 3)
    assert (answer.verdict, answer.claim) == (
        "refuted", "o: what is offered stays until it is taken")


def test_parts_are_kept_by_name_and_let_go():
    before = gateware.link.Access, gateware.link.Counters
    with parts(gateware.link, unknown=("Access",), shipped=("Counters",)) as made:
        one, other = gateware.link.Access(addr_width=3, writable=2), gateware.link.Counters()
    assert made == {"Access": one, "Counters": other}
    assert isinstance(one, Unknown)
    assert set(one.signature.members) == set(
        before[0](addr_width=3, writable=2).signature.members)
    assert type(other) is before[1]
    assert (gateware.link.Access, gateware.link.Counters) == before


@needs_solver
def test_proof_without_a_claim_is_none():
    with pytest.raises(ValueError, match="^Proof test.proof must make a claim$"):
        carry_out(proof(silent, case(1)), name="silent")


def test_changes_are_undone():
    before = gateware.replay.Replay
    change = Change("gateware.replay", "return m", "return None")
    import gateware.accelerator as user
    with change.made():
        assert user.Replay is not before
        assert user.Replay.__module__ == "gateware.replay"
    assert user.Replay is before


def test_proofs_and_their_methods_are_checked():
    with pytest.raises(ValueError, match="^Method must be one of .*, not 'guess'$"):
        proof(silent, case(1), method="guess")
    with pytest.raises(ValueError, match="^Proof test.proof must have a case and a control$"):
        proof(silent)


def test_every_change_finds_its_place():
    for each in PROOFS.values():
        for change in each.controls:
            with change.made():
                assert str(change).startswith(change.module)
            assert 0 <= change.case < len(each.cases)


def test_tables_answer_what_they_were_given():
    values = [[3, 1, 4], [1, 5, 0]]
    top, row, column, found = Module(), Signal(1), Signal(2), Signal(4)
    top.d.comb += found.eq(Table(values)[row, column])

    async def look(ctx):
        for n, line in enumerate(values):
            for k, value in enumerate(line):
                ctx.set(Cat(row, column), n | k << 1)
                assert ctx.get(found) == value

    sim = Simulator(top)
    sim.add_testbench(look)
    sim.run()


@needs_solver
def test_command_prints_json_and_succeeds(capsys, monkeypatch):
    monkeypatch.setattr(command, "prove", lambda proofs, folder, **_: prove(
        proofs, BUILD / "json", executor=Here()))
    assert command.main(["cobs.decoder-rules", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["good"] is True
    entry, = answer["proofs"]
    assert entry["name"] == "cobs.decoder-rules" and entry["method"] == "induction"
    assert [check["verdict"] for check in entry["checks"]] == ["proved", "refuted", "refuted"]


def failed(proofs, folder, **_):
    """What :func:`sim.proofs.prove.prove` answers where a claim is refuted."""
    from sim.proofs.prove import Check, Outcome
    return [Outcome(proofs[0], (Check(proofs[0].name, "one size", False, "refuted", "a claim",
                                      "cycle  0", "base.vcd", 0.1),))]


@needs_solver
def test_command_fails_and_shows_the_run(capsys, monkeypatch):
    monkeypatch.setattr(command, "prove", failed)
    assert command.main(["bus.decoder"]) == 1
    shown = capsys.readouterr().out
    assert "FAIL  bus.decoder" in shown
    assert "refuted: a claim" in shown and "cycle  0" in shown and "base.vcd" in shown


def test_command_refuses_unknown_names(capsys):
    assert command.main(["no.such"]) == 2
    assert capsys.readouterr().err == \
        "error: There is no proof 'no.such': python -m sim.proofs --list\n"
    assert command.main(["--list", "cobs"]) == 0
    assert capsys.readouterr().out.split() == ["cobs.encoder", "cobs.decoder", "cobs.decoder-rules"]


def test_command_says_how_to_get_the_solver(capsys, monkeypatch):
    monkeypatch.setenv("BOOLECTOR", "")
    monkeypatch.setattr(tools, "find", lambda name: None)
    assert command.main(["bus.decoder"]) == 2
    assert "pip install 'ohmbit[" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"pip install 'ohmbit\[formal\]'"):
        tools.require("boolector")


def test_page_lists_the_proofs_there_are():
    rows = re.findall(r"^\| `([\w.-]+)` \| (.*?) \| (.*?) \| (.*?) \|",
                      (ROOT / "docs" / "proofs.md").read_text(), re.M)
    assert rows == [(each.name, each.states, each.assumes, f"{each.method}, {each.cycles}")
                    for each in PROOFS.values()]
