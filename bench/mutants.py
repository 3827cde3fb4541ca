"""How many small changes to the gateware its tests notice.

``python -m bench.mutants [COMPONENT …] [--sample N] [--seed S] [--changed REF] [--json]``

Every component is changed in one place at a time (:mod:`bench.mutation`), and each such mutant runs
against the component's own tests, which are the quick ones of ``tests/test_COMPONENT.py``
(:mod:`bench.trials`). Of all mutants that some test could notice, 95 % must be noticed, in a sample
as in the whole. ``bench/equivalent_mutants.toml`` lists those that none could, each with its
reason: at most 2 %, each of them a mutant that there is, and none that a test kills.

A sample holds N mutants of each component. Which, follows from the seed and from what the mutants
say, so that a change to one line leaves the others' places alone.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from model.errors import CheckFailed, InputError

from .mutation import Key, Mutant, mutants
from .trials import Trial, Trials


__all__ = ["measure", "main"]


ROOT  = pathlib.Path(__file__).parent.parent
LEAST = 0.95   # share of all mutants that tests must notice
MOST  = 0.02   # share of them that may be excused


@dataclass
class Tally:
    """What became of a component's mutants."""

    component: str
    killed: int = 0
    timeout: int = 0
    seconds: float = 0.0
    survivors: list[Mutant] = field(default_factory=list)
    equivalent: list[Mutant] = field(default_factory=list)

    @property
    def mutants(self) -> int:
        return self.killed + self.timeout + len(self.survivors) + len(self.equivalent)

    @property
    def score(self) -> float:
        """Share of the mutants that could be killed which were."""
        possible = self.mutants - len(self.equivalent)
        return (self.killed + self.timeout) / possible if possible else 1.0


def equivalents(path: pathlib.Path, known: Iterable[Mutant]) -> dict[Key, str]:
    """Reasons of the mutants that no test could notice, by their keys.

    Parameters
    ----------
    path : :class:`pathlib.Path`
        A TOML file; none excuses nothing.
    known : iterable of :class:`bench.mutation.Mutant`
        All there are: an entry that is none of them is an error.
    """
    if not path.exists():
        return {}
    keys = {mutant.key for mutant in known}
    reasons = {}
    for entry in tomllib.loads(path.read_text()).get("mutant", []):
        key = entry["file"], entry["line"], entry["change"], entry.get("nth", 1)
        if not entry.get("reason"):
            raise CheckFailed(f"{path.name}: {entry['change']!r} must have a reason")
        if key in reasons or key not in keys:
            why = "here twice" if key in reasons else "no mutant"
            raise CheckFailed(f"{path.name}: {entry['change']!r} in {entry['line']!r} of "
                              f"{entry['file']} is {why}: take the entry out")
        reasons[key] = entry["reason"]
    return reasons


def changed_files(root: pathlib.Path, reference: str) -> set[str]:
    """Files of the gateware that differ from a commit."""
    done = subprocess.run(
        ["git", "diff", "--name-only", "--relative", reference, "--", "gateware"],
        cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"--changed must name a commit, not {reference!r}: "
                         f"{done.stderr.strip().splitlines()[-1]}")
    return set(done.stdout.splitlines())


def measure(root: pathlib.Path, components: Sequence[str] = (), *, sample: int | None = None,
            seed: int = 0, changed: str | None = None, jobs: int = 2,
            report: Callable[[Tally], None] = lambda tally: None) -> list[Tally]:
    """Run the mutants of some components, or of all.

    Parameters
    ----------
    root : :class:`pathlib.Path`
        Checkout, with `gateware/` and `tests/`.
    components : list of :class:`str`
        Names of files in `gateware/`; all if empty.
    sample : :class:`int`, or None
        How many of each component; all if None.
    seed : :class:`int`
        Which ones.
    changed : :class:`str`, or None
        Commit: only mutants of components that differ from it.
    jobs : :class:`int`
        How many to run at a time.
    report : function
        Called with each component's as soon as they have run.
    """
    files = {path.stem: path for path in sorted((root / "gateware").glob("*.py"))}
    if unknown := set(components) - set(files):
        raise InputError(f"Component must be one of {', '.join(files)}, not {min(unknown)}")
    found = {name: mutants(path.read_text(), path.relative_to(root).as_posix())
             for name, path in files.items()}
    everything = [mutant for each in found.values() for mutant in each]
    excused = equivalents(root / "bench" / "equivalent_mutants.toml", everything)
    differ = None if changed is None else changed_files(root, changed)
    picked: dict[str, list[Mutant]] = {}
    for name in components or files:
        chosen = found[name]
        if differ is not None:
            chosen = [mutant for mutant in chosen if mutant.file in differ]
        if sample is not None:
            chosen = sorted(chosen, key=lambda mutant: mutant.rank(seed))[:sample]
        if chosen:
            picked[name] = chosen
    trials, tallies = Trials(root, jobs), []
    tests = trials.baseline([f"tests/test_{name}.py" for name in picked])
    for (name, chosen), times in zip(picked.items(), tests, strict=True):
        tallies.append(tally(trials, name, chosen, times, excused))
        report(tallies[-1])
    if len(excused) > MOST * len(everything):
        raise CheckFailed(f"{len(excused)} of {len(everything)} mutants are excused as equivalent: "
                          f"more than {MOST:.0%}")
    return tallies


def tally(trials: Trials, name: str, chosen: Sequence[Mutant], tests: dict[str, float],
          excused: dict[Key, str]) -> Tally:
    """Run mutants of one component, which is all that a mutant changes."""
    result = Tally(name)
    outcomes = dict(trials.run([Trial(tests, f"gateware.{name}", mutant.source, mutant.line)
                                for mutant in chosen]))
    for n, outcome in sorted(outcomes.items()):
        mutant = chosen[n]
        result.seconds += outcome.seconds
        if outcome.kind == "survived":
            (result.equivalent if mutant.key in excused else result.survivors).append(mutant)
            continue
        if mutant.key in excused:
            raise CheckFailed(f"{mutant} is excused as equivalent, but {outcome.by or 'a test'} "
                              "notices it: take the entry out")
        setattr(result, outcome.kind, getattr(result, outcome.kind) + 1)
    return result


def total(tallies: Sequence[Tally]) -> Tally:
    """All of them as one."""
    return Tally("all", sum(each.killed for each in tallies),
                 sum(each.timeout for each in tallies), sum(each.seconds for each in tallies),
                 [mutant for each in tallies for mutant in each.survivors],
                 [mutant for each in tallies for mutant in each.equivalent])


def row(tally: Tally) -> dict[str, Any]:
    return {"component": tally.component, "mutants": tally.mutants, "killed": tally.killed,
            "timeout": tally.timeout, "survived": len(tally.survivors),
            "equivalent": len(tally.equivalent), "score": round(tally.score, 4),
            "seconds": round(tally.seconds, 1)}


def table(tallies: Sequence[Tally], seconds: float) -> Table:
    table = Table(title=f"Mutants of gateware/, in {seconds:,.0f} s")
    for name in ("component", "mutants", "killed", "timeout", "survived", "equivalent", "score",
                 "seconds"):
        table.add_column(name, no_wrap=name == "component")
    for tally in [*tallies, total(tallies)]:
        table.add_row(tally.component, *map(str, (
            tally.mutants, tally.killed, tally.timeout, len(tally.survivors),
            len(tally.equivalent))), f"{tally.score:.1%}", f"{tally.seconds:.0f}",
            end_section=tally is tallies[-1])
    return table


def progress(tally: Tally) -> None:
    """A component's survivors, while others still run."""
    print(f"{tally.component}: {len(tally.survivors)} of {tally.mutants} survived",
          *tally.survivors, sep="\n  ", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.mutants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("component", nargs="*", help="file in gateware/; all if none is named")
    parser.add_argument("--sample", type=int, default=None, help="mutants of each component")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--changed", metavar="REF", default=None,
                        help="only components that differ from this commit")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT,
                        help="checkout to look at; the one that this file is in by default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if min(options.jobs, options.sample or 1) < 1:
        parser.error("--jobs and --sample must be at least 1")
    start = time.monotonic()
    try:
        tallies = measure(options.root.resolve(), options.component, sample=options.sample,
                          seed=options.seed, changed=options.changed, jobs=options.jobs,
                          report=progress if not options.json else lambda tally: None)
    except (InputError, CheckFailed) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    everything = total(tallies)
    if options.json:
        print(json.dumps({"components": list(map(row, tallies)), "all": row(everything),
                          "survivors": list(map(str, everything.survivors))}))
    elif not tallies:
        print("No mutant was asked for: no component of gateware/ differs")
    else:
        Console().print(table(tallies, time.monotonic() - start))
    if everything.score < LEAST:
        print(f"Tests must notice {LEAST:.0%} of the mutants, not {everything.score:.1%}",
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
