"""What others claim of such hardware, beside what is measured here: docs/claims.md.

``python -m bench.claims [--only NAME,NAME] [--write] [--page FILE] [--json]``

Each claim in :data:`CLAIMS` is measured by running the benchmark that it names, and the findings
are printed. With ``--write`` they go to the page, where claims that were not measured now keep what
is said of them there. It takes some minutes, and ``OHMBIT_DATA`` or a connection for the images.
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table

from model.errors import CheckFailed, InputError
from model.files import whole

from . import compend_claims, learn_claims, stochastic_claims, technique_claims
from .claim import VERDICTS, Claim, Finding


__all__ = ["CLAIMS", "main", "page", "said"]


# In the order of the page.
CLAIMS = {claim.name: claim for claim in (
    *stochastic_claims.CLAIMS,
    *technique_claims.CLAIMS,
    *compend_claims.CLAIMS,
    *learn_claims.CLAIMS,
)}

COLUMNS  = ("name", "source", "claim", "command", "figure", "held", "why")
PAGE     = pathlib.Path(__file__).parent.parent / "docs" / "claims.md"
HEAD     = """# Claims

What others claim of such hardware, and what is measured here. `ohmbit bench claims --write` wrote
this page: it ran the benchmarks that the commands name, and typed no figure in. With `--only NAME`
it runs some of them, and the others keep what is said of them. Of a claim that is *not modelled*
nothing here measures anything.

"""
NOT_RUN  = Finding("", "not run", "")


def page(findings: Mapping[str, Finding]) -> str:
    """The page that says so much; claims without a finding were not run."""
    rows = [COLUMNS, ["---"] * len(COLUMNS),
            *(cells(claim, findings.get(claim.name, NOT_RUN)) for claim in CLAIMS.values())]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def cells(claim: Claim, finding: Finding) -> tuple[str, ...]:
    """A claim's row, by :data:`COLUMNS`."""
    commands = ", ".join(f"`{each}`" for each in claim.command.split("; ") if each)
    return (f"`{claim.name}`", claim.source, claim.claim, commands, finding.figure, finding.held,
            finding.why)


def said(text: str) -> dict[str, Finding]:
    """What a page says of the claims that there are."""
    found = {}
    for line in text.splitlines():
        row = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
        name = row[0].strip("`")
        if len(row) == len(COLUMNS) and name in CLAIMS and row[5] in VERDICTS:
            found[name] = Finding(*row[4:])
    return found


def table(findings: Mapping[str, Finding]) -> Table:
    table = Table(*COLUMNS, box=box.MARKDOWN)
    for name, finding in findings.items():
        table.add_row(*cells(CLAIMS[name], finding))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.claims", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", action="append", default=[],
                        help="claims to measure, all if not given: NAME, or NAME,NAME")
    parser.add_argument("--write", action="store_true", help="put it on the page")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE, help="another page")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    names = [name for given in options.only for name in given.split(",")] or list(CLAIMS)
    try:
        for name in names:
            if name not in CLAIMS:
                raise InputError(f"no claim {name!r}: there are {', '.join(CLAIMS)}")
        findings = {}
        for name in names:
            start = time.perf_counter()
            findings[name] = CLAIMS[name].measure()
            print(f"{name}: {findings[name].held}, {time.perf_counter() - start:.1f} s",
                  file=sys.stderr)
    except (InputError, CheckFailed) as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, CheckFailed) else 2
    if options.write:
        old = options.page.read_text(encoding="utf-8") if options.page.exists() else ""
        with whole(options.page) as path:
            path.write_text(page(said(old) | findings), encoding="utf-8")
    if options.json:
        print(json.dumps([{"name": name, "source": CLAIMS[name].source,
                           "claim": CLAIMS[name].claim, "command": CLAIMS[name].command}
                          | asdict(finding) for name, finding in findings.items()]))
    else:
        Console(width=None if sys.stdout.isatty() else 200).print(table(findings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
