"""Counterexamples: what a run's signals were, cycle by cycle."""

import pathlib
import re


__all__ = ["Trace"]


# What the solver adds, what a harness is made of, rows of memories, and parts of what is shown.
HIDDEN = re.compile(r"[$<]|^smt_|^claim_|^cover_|^past$|^(dut\.)?(at|row)_\d+$|\bclk$|\brst$")


class Trace:
    """The waveform that a solver gave, as numbers.

    Parameters
    ----------
    path : :class:`pathlib.Path`
        Value change dump that yosys-smtbmc wrote.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._values: dict[str, list[int]] = {}
        names: dict[str, list[str]] = {}
        scopes: list[str] = []
        now: dict[str, int] = {}
        for line in path.read_text().splitlines():
            words = line.split()
            if not words:
                continue
            if words[0] == "$scope":
                scopes.append(words[2])
            elif words[0] == "$upscope":
                scopes.pop()
            elif words[0] == "$var":
                name = ".".join([*scopes[1:], words[4]]).replace("\\", "")
                names.setdefault(words[3], []).append(name)
            elif words[0].startswith("#"):
                self._keep(names, now)
            elif found := re.fullmatch(r"b(\S+) (\S+)", line):
                now[found[2]] = int(re.sub("[^01]", "0", found[1]), 2)
            elif line[0] in "01":
                now[line[1:]] = int(line[0])
        self._clock(names)

    def _keep(self, names: dict[str, list[str]], now: dict[str, int]) -> None:
        for code, value in now.items():
            for name in names.get(code, ()):
                self._values.setdefault(name, []).append(value)

    def _clock(self, names: dict[str, list[str]]) -> None:
        """Keep one column for each cycle, of which the dump has one for each edge."""
        steps = self._values.get("smt_step", [])
        columns = [n for n, step in enumerate(steps) if n == 0 or steps[n - 1] != step]
        self._values = {name: [values[n] for n in columns if n < len(values)]
                        for name, values in self._values.items()}

    @property
    def cycles(self) -> int:
        return len(self._values.get("smt_step", ()))

    def last(self, name: str) -> int | None:
        """A signal's value in the last cycle; None if there is no such signal."""
        values = self._values.get(name)
        return values[-1] if values else None

    def __str__(self) -> str:
        return self.table()

    def table(self, cycles: int = 10) -> str:
        """The last cycles, of signals of the harness and of the component's ports."""
        start = max(0, self.cycles - cycles)
        shown = {"cycle": [str(n) for n in range(start, self.cycles)]}
        for name in sorted(self._values, key=lambda name: (name.count("."), name)):
            values = [f"{value:x}" for value in self._values[name][start:]]
            own = name.rpartition(".")[2]
            # Of the component, what moves and is not seen from outside under the same name.
            told = name.startswith("dut") and (len(set(values)) == 1 or shown.get(own) == values)
            if not (HIDDEN.search(name) or name.count(".") > 1 or told):
                shown[name] = values
        left = max(map(len, shown))
        wide = max(len(value) for values in shown.values() for value in values)
        return "\n".join(f"{name:{left}}  " + " ".join(f"{value:>{wide}}" for value in values)
                         for name, values in shown.items())
