# amaranth: UnusedElaboratable=no
"""No tool runs twice on the same, and nothing that is not whole is taken for what it is not."""

import dataclasses
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor

import pytest

from boards.build import build
from boards.catalog import BOARDS
from boards.kept import keep
from boards.project import Project
from model.errors import CheckFailed
from sim import tools

from .fake_tools import Echo, nextpnr


ALL = ["yosys", "nextpnr-ice40 1", "icepack"]


def stage(fake, name):
    """The folder of a stage, of the one build there is."""
    found, = (fake.cache / "bitstreams").glob(f"*/{name}")
    return found


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_nothing_is_built_twice(fake, folder):
    first = fake.build(folder)
    assert fake.runs() == ALL and not first.cached
    before, lines = contents(folder), []
    (folder / "top.bin").unlink()
    again = fake.build(folder, progress=lines.append)
    assert fake.runs() == []
    assert lines == ["icebreaker: elaboration", "icebreaker: built before"]
    assert contents(folder) == before
    assert again == dataclasses.replace(first, cached=True, seconds=again.seconds)
    # In another folder, and whether the earlier results are there or not.
    elsewhere = fake.build(folder.parent / "elsewhere")
    assert elsewhere.cached and contents(folder.parent / "elsewhere") == before


@pytest.mark.parametrize("change", ["design", "clock", "tool"])
def test_what_differs_is_built(fake, folder, change, monkeypatch):
    fake.build(folder)
    (folder / "top.bin").write_text("an earlier one")
    fake.runs()
    options = {}
    if change == "design":
        options["top"] = lambda: Echo(width=9)
    elif change == "clock":
        options["board"] = dataclasses.replace(BOARDS["icebreaker"], clock_mhz=30)
    else:
        monkeypatch.setattr(tools, "version", lambda name: "1.3" if name == "icepack" else "1.2")
    assert not fake.build(folder, **options).cached
    assert fake.runs() == ALL and (folder / "top.bin").read_text() == "new 1"


def test_a_tool_without_a_version_is_known_by_its_file(fake, folder, monkeypatch):
    monkeypatch.setattr(tools, "version", lambda name: None)
    fake.build(folder)
    assert fake.build(folder).cached
    fake("icepack", "open('top.bin', 'w').write('another way')")
    assert not fake.build(folder).cached
    assert (folder / "top.bin").read_text() == "another way"


def test_fresh_runs_all_tools_and_takes_their_results(fake, folder):
    fake.build(folder)
    fake.runs()
    fake("icepack", "open('top.bin', 'w').write('other')")   # as no tool of one version should be
    assert not fake.build(folder, fresh=True).cached
    assert fake.runs() == ALL and (folder / "top.bin").read_text() == "other"
    assert fake.build(folder).cached and (folder / "top.bin").read_text() == "other"


@pytest.mark.parametrize("tool, left", [
    ("yosys", ALL), ("nextpnr-ice40", ALL[1:]), ("icepack", ALL[2:])])
def test_goes_on_where_it_was_interrupted(fake, folder, tool, left):
    good = (fake.folder / tool).read_text().partition('"\\n")\n')[2]
    fake(tool, f"import os, time; open('top.bin', 'w').write('half'); "
               f"os.kill(os.getppid(), {int(signal.SIGINT)}); time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        fake.build(folder)
    assert not list(folder.iterdir())
    assert not list(fake.cache.rglob(".*"))
    fake(tool, good)
    fake.runs()
    lines = []
    result = fake.build(folder, progress=lines.append)
    assert fake.runs() == left
    assert sum(line.endswith(", done before") for line in lines) == 3 - len(left)
    assert not result.cached and result.bitstream.read_text() == "new 1"
    said = result.log.read_text()
    assert [said.count(line) for line in ("yosys was here", "placing seed 1", "$ icepack")] == \
        [1, 1, 1]


def test_what_failed_is_tried_again(fake, folder):
    fake("nextpnr-ice40", "sys.exit('ERROR: out of memory')")
    with pytest.raises(CheckFailed, match=r"^nextpnr-ice40 failed: ERROR: out of memory \(log: "):
        fake.build(folder)
    assert "yosys was here" in (folder / "top.log").read_text()
    fake("nextpnr-ice40", nextpnr("30"))
    fake.runs()
    fake.build(folder)
    assert fake.runs() == ALL[1:]


def test_placements_that_miss_are_kept_as_well(fake, folder):
    fake("nextpnr-ice40", nextpnr("20 + seed"))
    for runs in (["yosys", *(f"nextpnr-ice40 {seed}" for seed in (1, 2, 3))], []):
        with pytest.raises(CheckFailed, match=r"reached 23\.00 MHz, the best of 3 placements"):
            fake.build(folder)
        assert fake.runs() == runs
        assert "placing seed 3" in (folder / "top.log").read_text()


def test_the_fastest_of_several_seeds_is_taken(fake, folder):
    fake("nextpnr-ice40", nextpnr("[25, 20, 31.5, 30][seed - 1]"))
    fake.build(folder)
    assert fake.runs() == ALL
    lines = []
    result = fake.build(folder, seeds=4, jobs=2, progress=lines.append)
    assert sorted(fake.runs()) == ["icepack", *(f"nextpnr-ice40 {seed}" for seed in (2, 3, 4))]
    assert "nextpnr-ice40: place and route, 4 seeds, 1 of them done before" in lines
    assert "seed 2: 20.00 MHz" in lines
    assert (result.seed, result.seeds, result.fmax_mhz) == (3, 4, 31.5)
    assert result.bitstream.read_text() == "new 3"
    assert [result.log.read_text().count(f"placing seed {seed}\n") for seed in (1, 2, 3, 4)] == \
        [1] * 4
    # Each number of seeds has its own answer, from the same placements.
    assert fake.build(folder, seeds=2).seed == 1 and fake.build(folder).seed == 1
    assert fake.runs() == [] and fake.build(folder, seeds=4).cached


def test_seeds_run_at_once(fake, folder):
    # Each waits until all four are there; one after the other they would wait in vain.
    fake("nextpnr-ice40", "import os, time\n"
         f"here = {str(fake.folder / 'here')!r}\n"
         "os.makedirs(here, exist_ok=True)\n"
         "open(os.path.join(here, str(os.getpid())), 'w').close()\n"
         "end = time.monotonic() + 20\n"
         "while len(os.listdir(here)) < 4 and time.monotonic() < end: time.sleep(0.01)\n"
         "assert len(os.listdir(here)) == 4" + nextpnr("30"))
    assert fake.build(folder, seeds=4, jobs=4).seeds == 4


def test_a_seed_that_fails_does_not_lose_the_others(fake, folder):
    fake("nextpnr-ice40", nextpnr("[25, 26, 99][seed - 1]").replace(
        "fmax =", "seed == 3 and sys.exit('ERROR: no route')\nfmax ="))
    lines = []
    result = fake.build(folder, seeds=3, progress=lines.append)
    assert (result.seed, result.seeds) == (2, 2)
    assert "seed 3: nextpnr-ice40 failed: ERROR: no route" in lines
    assert "ERROR: no route" in result.log.read_text()
    with pytest.raises(ValueError, match=r"^Seeds must be at least 1, not 0$"):
        fake.build(folder, seeds=0)


def test_all_seeds_fail_or_miss(fake, folder):
    fake("nextpnr-ice40", "sys.exit(f'ERROR: {sys.argv[sys.argv.index(\"--seed\") + 1]}')")
    with pytest.raises(CheckFailed, match=r"^nextpnr-ice40 failed: ERROR: 1 \(log: "):
        fake.build(folder, seeds=3)
    fake("nextpnr-ice40", nextpnr("20 + seed"))
    with pytest.raises(CheckFailed, match=r"^timing missed: icebreaker runs at 24 MHz, and top "
                                          r"reached 22\.00 MHz, the best of 2 placements"):
        fake.build(folder, seeds=2)
    with pytest.raises(CheckFailed, match=r"reached 21\.00 MHz, in one placement"):
        fake.build(folder, seeds=1)
    assert [path.name for path in folder.iterdir()] == ["top.log"]


def test_interrupt_ends_all_placements(fake, folder):
    pids = fake.folder / "pids"
    pids.mkdir()
    fake("nextpnr-ice40", f"""
import os, time
open(os.path.join({str(pids)!r}, str(os.getpid())), "w").close()
while len(os.listdir({str(pids)!r})) < 2: time.sleep(0.01)
if sys.argv[sys.argv.index("--seed") + 1] == "1": os.kill(os.getppid(), {int(signal.SIGINT)})
time.sleep(60)
""")
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fake.build(folder, seeds=4, jobs=2)
    assert time.monotonic() - start < 20
    assert sorted(fake.runs()) == ["nextpnr-ice40 1", "nextpnr-ice40 2", "yosys"]
    for path in pids.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)
    assert not list(folder.iterdir()) and not list(fake.cache.rglob(".*"))


DAMAGE = {
    "changed": lambda folder: (folder / "top.bin").write_text("worn"),
    "cut": lambda folder: (folder / "top.bin").write_text("new"),
    "lost": lambda folder: (folder / "top.bin").unlink(),
    "half-written": lambda folder: (folder / "kept.json").unlink(),
    "no manifest": lambda folder: (folder / "kept.json").write_text("{"),
    "an empty one": lambda folder: (folder / "kept.json").write_text("{}"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_made_again(fake, folder, damage):
    fake.build(folder)
    fake.runs()
    DAMAGE[damage](stage(fake, "bitstream-1"))
    result = fake.build(folder)
    assert fake.runs() == ["icepack"] and not result.cached
    assert result.bitstream.read_text() == "new 1"
    assert fake.build(folder).cached


def test_damage_is_traced_to_where_it_is(fake, folder):
    fake.build(folder)
    fake.runs()
    # The later stages share this file with the one that wrote it.
    (stage(fake, "synthesis") / "top.json").write_text("worn")
    fake.build(folder)
    assert fake.runs() == ALL
    record = stage(fake, "seeds-first.json")
    for text in ("", "[]", '{"seed": 9, "seeds": 1, "log": ""}'):
        record.write_text(text)
        assert fake.build(folder).cached
        assert json.loads(record.read_text())["seed"] == 1
    assert fake.runs() == []


def build_again(folder, cache, results):
    result = build(BOARDS["icebreaker"], lambda board: Echo(), build_dir=folder, cache=cache,
                   seeds=2, fresh=os.getpid() % 2 == 0)
    results.put(result.bitstream.read_text())


def test_two_at_once_do_no_harm(fake, folder):
    fake("nextpnr-ice40", nextpnr("30 + seed"))
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=build_again, args=(
        folder.parent / f"build{n}", fake.cache, results)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 3
    assert {results.get(timeout=9) for _ in processes} == {"new 2"}
    assert not list(fake.cache.rglob(".*")), "what is left of those that came second"
    fake.runs()
    assert fake.build(folder, seeds=2).cached and fake.runs() == []


class Recorder(Executor):
    """An executor that does as it is told at once, and remembers what."""

    def __init__(self):
        self.tasks = []

    def submit(self, task, /, *arguments):
        self.tasks.append((task, arguments))
        future = Future()
        future.set_result(task(*arguments))
        return future


def test_placements_go_to_any_executor(fake, folder):
    recorder = Recorder()
    fake.build(folder, seeds=2, executor=recorder)
    assert len(recorder.tasks) == 2
    fake("nextpnr-ice40", nextpnr("[25, 26, 99][seed - 1]").replace(
        "fmax =", "seed == 3 and sys.exit('ERROR: no route')\nfmax ="))
    # To another process and back, failures as well.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        result = fake.build(folder, seeds=3, executor=pool, fresh=True)
    assert (result.seed, result.seeds) == (2, 2) and "no route" in result.log.read_text()


def test_kept_alone(fake):
    project = Project(BOARDS["icebreaker"], lambda board: Echo(), cache=fake.cache)
    first, again = keep(project), keep(project)
    assert not first.cached and again == dataclasses.replace(first, cached=True)
    assert first.bitstream.read_text() == "new 1" and first.fmax_mhz == 30.5
    assert {"top.json", "top.asc", "top.report.json"} <= contents(first.folder).keys()
    fake("icepack", "sys.exit(1)")
    with pytest.raises(CheckFailed) as error:
        keep(project, fresh=True)
    assert str(error.value).endswith(f"(log: {project.folder / 'top.log'})")


@pytest.mark.slow
def test_real_tools_run_once(tmp_path):
    board = BOARDS["icebreaker"]
    for tool in board.family.tools:
        if tools.find(tool) is None:
            pytest.skip(f"{tool} is not here: {board.get}")
    # Where tools in a sandbox see it, which temporary folders are not.
    cache = pathlib.Path(__file__).parent.parent / "build" / "test-kept"
    shutil.rmtree(cache, ignore_errors=True)
    try:
        first, again, fresh = (
            build(board, lambda board: Echo(), build_dir=tmp_path / where, cache=cache, seeds=2,
                  fresh=where == "fresh") for where in ("first", "again", "fresh"))
        assert (first.cached, again.cached, fresh.cached) == (False, True, False)
        assert first.bitstream.read_bytes() == again.bitstream.read_bytes() == \
            fresh.bitstream.read_bytes()
        assert first.log.read_text() == again.log.read_text()
        assert first.log.read_text().count("$ nextpnr-ice40") == 2
        assert first.seeds == 2 and first.fmax_mhz == fresh.fmax_mhz > first.clock_mhz
        assert not list(cache.rglob(".*"))
    finally:
        shutil.rmtree(cache)
