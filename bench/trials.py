"""Running tests against a module whose source was changed, without touching a file.

Each trial is a fork of a process that has imported everything but the code under test and what
depends on it: the child imports the changed source in place of the file, runs pytest until a test
fails, and says how it went. So a trial costs what its tests cost, and nothing that it breaks
outlives it.
"""

import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import resource
import select
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any

import hypothesis
import pytest

from model.errors import CheckFailed

from .record import Record


__all__ = ["Trial", "Outcome", "Trials", "Watch"]


OURS   = {"gateware", "sim", "boards", "ohmbit", "tests"}   # what is imported for one change only
MEMORY = 4 << 30   # bytes that a child may use: some changes make a memory enormous
# A test may take so many times as long as unchanged, and so many seconds more: of processor time,
# so that it does not matter what else the machine does.
FACTOR, GRACE = 3, 2
GARBAGE = 100_000   # objects before unused ones are looked for: a fifteenth of the time is saved


@dataclass(frozen=True)
class Trial:
    """Tests to run, and the module to change.

    Parameters
    ----------
    tests : dict of :class:`float`
        Seconds that each test takes on its own, by pytest's name for it.
    module : :class:`str`
        Name with dots.
    source : :class:`str`
        What the module is instead.
    line : :class:`int`
        Where in it.
    """

    tests: dict[str, float] = field(repr=False)
    module: str = ""
    source: str = field(default="", repr=False)
    line: int = 0


@dataclass(frozen=True)
class Outcome:
    """What tests had to say about a change.

    Parameters
    ----------
    kind : :class:`str`
        ``"killed"`` by a test that failed, or ``"timeout"`` by one that went on for too long;
        ``"survived"`` where every test passed.
    by : :class:`str`
        The first test that failed; empty if there was none, or if no test could be run at all.
    seconds : :class:`float`
        Processor time.
    """

    kind: str
    by: str
    seconds: float


class _Changed(importlib.machinery.SourceFileLoader, importlib.abc.MetaPathFinder):
    """Finds one module, and loads a source of its own for it."""

    def __init__(self, module: str, path: pathlib.Path, source: str):
        super().__init__(module, str(path))
        self._source = source

    def find_spec(self, name: str, path: object = None,
                  target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec")


class _Hidden(importlib.abc.MetaPathFinder):
    """Lets one module not be found, nor whatever imports it."""

    def __init__(self, module: str):
        self._module = module

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> None:
        if name == self._module:
            raise ImportError(f"{name} is hidden", name=name)


class Watch:
    """Puts promising tests first, gives each its time, and remembers how it went.

    Parameters
    ----------
    trial : :class:`Trial`, or None
        What to try; None lets all tests run, in their own order.
    record : :class:`Record`
        What each test did so far.
    """

    def __init__(self, trial: Trial | None, record: Record):
        self.limits = trial.tests if trial else None
        self.costs = record.costs(trial.line, trial.tests) if trial else {}
        self.times: dict[str, float] = {}
        self.failed = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self) -> None:
        # Conftest has set its own by now. The same trial is to end alike every time, however slow
        # the machine is.
        hypothesis.settings.register_profile(
            "mutants", parent=hypothesis.settings.get_profile("default"), database=None,
            deadline=None, derandomize=True, print_blob=False,
            suppress_health_check=list(hypothesis.HealthCheck))

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.limits is not None:
            known = [item for item in items if item.nodeid in self.limits]
            items[:] = sorted(known, key=lambda item: self.costs[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        if self.limits is not None:
            # What is stuck may never get to a handler, so the signal ends the process.
            signal.setitimer(signal.ITIMER_PROF, FACTOR * self.limits[item.nodeid] + GRACE)
        start = time.process_time()
        result = yield
        self.times[item.nodeid] = time.process_time() - start
        return result

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def ours() -> list[str]:
    """Modules of ours that are imported."""
    return [name for name in sys.modules if name.partition(".")[0] in OURS]


def load(names: Iterable[str]) -> None:
    """Import what can be imported."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


class Trials:
    """Runs trials, some at a time, in forks of this process.

    Of a trial's tests those run first that have noticed most changes thereabouts for their time.
    The order has no say in whether a change is noticed, only in how soon.

    Parameters
    ----------
    root : :class:`pathlib.Path`
        Checkout whose tests run.
    jobs : :class:`int`
        How many at a time.
    """

    def __init__(self, root: pathlib.Path, jobs: int):
        if loaded := ours():
            raise RuntimeError(f"{loaded[0]} must not be imported before it is changed")
        self._root = root
        self._jobs = jobs
        self._record = Record()
        self._used: dict[str, list[str]] = {}   # modules of ours that a file of tests imports
        sys.path.insert(0, str(root))

    def baseline(self, files: Sequence[str]) -> list[dict[str, float]]:
        """Processor seconds of each test in each of some files, which must all pass.

        What they import of others' is imported here too, so that later children need not.
        """
        times: list[dict[str, float]] = [{} for _ in files]
        for n, answer, _ in self._run([(n, None, (file,)) for n, file in enumerate(files)]):
            if answer is None or answer["code"] != 0:
                raise CheckFailed(f"{files[n]} must pass unchanged: run pytest on it")
            load(answer["others"])
            self._used[files[n]] = answer["ours"]
            times[n] = answer["times"]
        return times

    def run(self, trials: Sequence[Trial]) -> Iterator[tuple[int, Outcome]]:
        """Carry out all; which one, and how it went, in the order in which they end.

        All must change the same module.
        """
        work = [(n, trial, tuple(sorted({name.partition("::")[0] for name in trial.tests})))
                for n, trial in enumerate(trials)]
        changed, = {trial.module for trial in trials}
        with self._loaded(changed, {name for _, _, files in work for file in files
                                    for name in self._used[file]}):
            yield from self._outcomes(work)

    @contextlib.contextmanager
    def _loaded(self, changed: str, names: set[str]) -> Iterator[None]:
        """Have modules of ours imported that do not depend on what is changed."""
        hidden = _Hidden(changed)
        sys.meta_path.insert(0, hidden)
        # What tests say to hypothesis, they say when they are imported.
        load(sorted(name for name in names if ".test_" not in name))
        sys.meta_path.remove(hidden)
        try:
            yield
        finally:
            for name in ours():
                del sys.modules[name]

    def _outcomes(self, work: list[tuple[int, Trial | None, tuple[str, ...]]]
                  ) -> Iterator[tuple[int, Outcome]]:
        record = self._record = Record()
        for n, answer, seconds in self._run(work):
            if answer is None:
                yield n, Outcome("timeout", "", seconds)
                continue
            _, trial, _ = work[n]
            assert trial is not None
            record.note(trial.line, answer["times"], answer["failed"])
            yield n, Outcome("killed" if answer["code"] else "survived", answer["failed"], seconds)

    def _run(self, work: list[tuple[int, Trial | None, tuple[str, ...]]]
             ) -> Iterator[tuple[int, dict[str, Any] | None, float]]:
        """Answers of children, None where one did not live to give any; and their seconds."""
        waiting, running = work[::-1], {}
        while waiting or running:
            while waiting and len(running) < self._jobs:
                n, trial, files = waiting.pop()
                reader, writer = os.pipe()
                child = os.fork()
                if child == 0:
                    os.close(reader)
                    self._child(writer, trial, files)
                os.close(writer)
                # The child's own limits count processor time; one that sleeps has those too.
                patience = 600 + (sum(trial.tests.values()) * 4 * FACTOR if trial else 0)
                running[reader] = (n, child, time.monotonic() + patience)
            ready, _, _ = select.select(list(running), [], [], 1)
            for reader, (n, child, end) in list(running.items()):
                if reader not in ready and time.monotonic() < end:
                    continue
                if reader not in ready:
                    os.kill(child, signal.SIGKILL)
                with open(reader, "rb") as pipe:
                    text = pipe.read()
                del running[reader]
                _, _, usage = os.wait4(child, 0)
                yield n, json.loads(text) if text else None, usage.ru_utime + usage.ru_stime

    def _child(self, writer: int, trial: Trial | None, files: tuple[str, ...]) -> None:
        """Run the tests, say how it went, and end."""
        try:
            os.chdir(self._root)
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(silence, stream)
            # Of what is only reserved, tools made of WebAssembly take more.
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            gc.freeze()
            gc.set_threshold(GARBAGE)
            watch = Watch(trial, self._record)
            if trial is not None:
                # Importing what was changed may already go on for ever.
                signal.setitimer(signal.ITIMER_PROF, 5 * GRACE)
                path = self._root.joinpath(*trial.module.split(".")).with_suffix(".py")
                sys.meta_path.insert(0, _Changed(trial.module, path, trial.source))
            code = pytest.main(
                [*files, "-x", "-q", "--tb=no", "--assert=plain", "-o", "addopts=",
                 "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow and not nightly",
                 "--hypothesis-profile=mutants"], plugins=[watch])
            signal.setitimer(signal.ITIMER_PROF, 0)
            answer = {"code": int(code), "failed": watch.failed, "times": watch.times}
            if trial is None:
                # A benchmark may import what is changed, and is left to each child.
                answer |= {"ours": ours(), "others": [
                    name for name in sys.modules if name not in {*ours(), "__main__", "conftest"}
                    and not name.startswith("bench.")]}
            with open(writer, "w") as pipe:
                json.dump(answer, pipe)
        finally:
            os._exit(0)
