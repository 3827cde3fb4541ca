"""What the command says, and where.

Results and stages are text for people, on standard output; with ``--json`` they move to standard
error, and standard output takes one JSON object and nothing else.
"""

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import rich.console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


__all__ = ["Console", "console"]


PATIENCE = 2.0   # seconds that pass in silence
WIDTH    = 160   # columns of a table that goes to no terminal


class Terminal(rich.console.Console):
    """Where text goes, as lines that rich neither wraps nor takes for markup."""

    def __init__(self, **options: Any) -> None:
        # Paths hold brackets, and lines that were wrapped cannot be searched for.
        super().__init__(markup=False, emoji=False, soft_wrap=True, **options)
        if not self.is_terminal:
            self.width = WIDTH

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


class Console:
    """Output of one command.

    Colour, and progress on what takes longer than :data:`PATIENCE`, are for terminals alone; rich
    honours ``NO_COLOR``.
    """

    def __init__(self) -> None:
        self.configure()

    def configure(self, *, json: bool = False, verbose: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.verbose = verbose
        self.quiet = quiet
        self.answered = False
        self._text = Terminal(stderr=json)
        self._errors = Terminal(stderr=True, highlight=False)

    @property
    def plain(self) -> bool:
        """Whether nothing but ASCII can be shown."""
        return not self._text.encoding.lower().startswith("utf")

    def show(self, what: Any = "") -> None:
        """Something to read: a table, or anything that is a line."""
        if isinstance(what, Table):
            self._text.print(what, soft_wrap=False)
        else:
            self._text.print(str(what))

    def stage(self, line: str) -> None:
        """One line for each thing that begins or has been chosen; none with ``-q``."""
        if not self.quiet:
            self._text.print(line)

    def detail(self, line: str) -> None:
        """A line for ``-v`` alone."""
        if self.verbose:
            self._text.print(line, style="dim")

    def error(self, message: str) -> None:
        """One line, whatever the message."""
        self._errors.print("ohmbit: " + " ".join(message.split()), style="red")

    def result(self, **fields: Any) -> None:
        """The answer for programs, once a command; shown with ``--json`` alone."""
        if self.json and not self.answered:
            sys.stdout.write(json.dumps(fields, default=str) + "\n")
            sys.stdout.flush()
        self.answered = True

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Progress on what happens inside; call the value with how much is done, of how much."""
        bar = Progress(SpinnerColumn("line"), TextColumn("{task.description}", markup=False),
                       BarColumn(), TimeElapsedColumn(), console=self._text, transient=True,
                       disable=self.quiet or not self._text.is_terminal)
        task = bar.add_task(what, total=None)
        timer = threading.Timer(PATIENCE, bar.start)
        timer.daemon = True
        timer.start()
        try:
            yield lambda done, total: bar.update(task, completed=done, total=total)
        finally:
            timer.cancel()
            timer.join()
            bar.stop()


console = Console()
