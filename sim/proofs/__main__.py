"""``python -m sim.proofs``: carry proofs out and print what became of them."""

import argparse
import json
import pathlib
import re
import sys
import time

from model.errors import CheckFailed, InputError
from sim import tools

from .catalog import PROOFS
from .prove import Check, Outcome, prove
from .solve import TOOLS


__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 where all held, 1 where something did not, 2 where it cannot be said."""
    parser = argparse.ArgumentParser(prog="python -m sim.proofs", description=(
        "Prove what is claimed of gateware, and see that the same claims are refuted where the "
        "design is wrong. Exits with 1 if a proof fails or a wrong design goes unnoticed."))
    parser.add_argument("names", nargs="*", metavar="NAME", help=(
        "proofs to carry out: whole names, or the first part of them; all if none"))
    parser.add_argument("--list", action="store_true", help="print the names, and prove nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/proofs"),
                        help="where formulas, logs and waveforms go (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        return run(options)
    except (InputError, CheckFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1


def run(options: argparse.Namespace) -> int:
    """What the command does once its options are read."""
    names = chosen(options.names)
    if options.list:
        print("\n".join(names))
        return 0
    for tool in TOOLS:
        tools.require(tool)
    start = time.perf_counter()

    def say(check: Check) -> None:
        if not check.good:
            print(f"{check.proof}: {check.what}: {check.verdict}", file=sys.stderr)

    outcomes = prove([PROOFS[name] for name in names], options.folder.resolve(), say=say)
    elapsed = time.perf_counter() - start
    if options.json:
        print(json.dumps({"proofs": [entry(outcome) for outcome in outcomes],
                          "seconds": round(elapsed, 1),
                          "good": all(outcome.good for outcome in outcomes)}, indent=2))
    elif options.markdown:
        print(markdown(outcomes))
    else:
        print(table(outcomes, elapsed))
    return int(not all(outcome.good for outcome in outcomes))


def chosen(patterns: list[str]) -> list[str]:
    """Names of proofs that are, or begin with, one of some names and a dot."""
    for pattern in patterns:
        if not any(f"{name}.".startswith(f"{pattern}.") for name in PROOFS):
            raise InputError(f"There is no proof {pattern!r}: python -m sim.proofs --list")
    return [name for name in PROOFS if not patterns
            or any(f"{name}.".startswith(f"{pattern}.") for pattern in patterns)]


def entry(outcome: Outcome) -> dict:
    """A proof and what became of it, as JSON has it."""
    proof = outcome.proof
    return {"name": proof.name, "states": proof.states, "assumes": proof.assumes,
            "method": proof.method, "cycles": proof.cycles, "good": outcome.good,
            "seconds": round(outcome.seconds, 2),
            "checks": [{key: value for key, value in vars(check).items() if key != "proof"}
                       | {"seconds": round(check.seconds, 2)} for check in outcome.checks]}


def tally(outcome: Outcome, control: bool) -> str:
    """How many cases were proved, or controls refuted, of how many."""
    checks = [check for check in outcome.checks if check.control == control]
    return f"{sum(check.good for check in checks)}/{len(checks)}"


def table(outcomes: list[Outcome], elapsed: float) -> str:
    """What a terminal shows: a line for each proof, and all there is to know of a failure."""
    lines = []
    for outcome in outcomes:
        proof = outcome.proof
        lines += [f"{'ok  ' if outcome.good else 'FAIL'}  {proof.name}: {proof.states}",
                  f"      assumes: {proof.assumes}",
                  f"      {proof.method}, {proof.cycles} cycles; {outcome.seconds:.1f} s; proved "
                  f"for {tally(outcome, False)} sizes; wrong designs refuted: "
                  f"{tally(outcome, True)}"]
        for n, check in enumerate(check for check in outcome.checks if not check.good):
            lines.append(f"      {'wrong design' if check.control else 'sizes'} {check.what}: "
                         f"{check.verdict}{': ' if check.claim else ''}{check.claim}")
            if check.trace and n == 0:
                lines += [f"        {line}" for line in check.trace.splitlines()]
            if check.trace:
                lines.append(f"      waveform: {check.waveform}")
    good = sum(outcome.good for outcome in outcomes)
    lines.append(f"{good} of {len(outcomes)} proofs hold, each with its wrong designs refuted; "
                 f"{elapsed:.0f} s")
    return "\n".join(lines)


def markdown(outcomes: list[Outcome]) -> str:
    """The table of docs/proofs.md."""
    lines = ["| proof | states | assumes | method | sizes | wrong designs refuted | seconds |",
             "|---|---|---|---|---|---|---|"]
    for outcome in outcomes:
        proof = outcome.proof
        method = f"{proof.method}, {proof.cycles}"
        states, assumes = (re.sub(r"\|", r"\\|", text) for text in (proof.states, proof.assumes))
        lines.append(f"| `{proof.name}` | {states} | {assumes} | {method} | "
                     f"{tally(outcome, False)} | {tally(outcome, True)} | {outcome.seconds:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
