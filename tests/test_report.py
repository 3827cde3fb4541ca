# amaranth: UnusedElaboratable=no
"""Placements for which a router finds no routes."""

import time

import pytest

from boards import stages
from boards.catalog import BOARDS
from boards.project import Project
from boards.report import contended
from model.errors import CheckFailed
from sim import tools

from .fake_tools import Echo, nextpnr


NEVER = """
import time
seed = int(sys.argv[sys.argv.index("--seed") + 1])
if seed in {seeds} and {router!r} in sys.argv:
    log = open("top.tim", "w")
    for n in range(1, {rounds} + 1):
        print(f"Info:     iter={{n}} wires=18597 overused=2 overuse=2 archfail=NA", file=log)
    log.flush()
    time.sleep({seconds})
"""


def never_ends(fake, seeds, router="--router", rounds=1_000, seconds=60):
    fake("nextpnr-ice40", NEVER.format(seeds=seeds, router=router, rounds=rounds, seconds=seconds)
         + nextpnr("30.5"))


@pytest.fixture
def often(monkeypatch):
    """Looks at the tools are frequent."""
    monkeypatch.setattr(stages, "LOOK", 0.1)


def test_a_placement_that_finds_no_routes_gives_way_to_the_next(fake, folder, often):
    never_ends(fake, seeds=[1])
    lines, start = [], time.monotonic()
    found = fake.build(folder, progress=lines.append)
    assert time.monotonic() - start < 30
    assert fake.runs() == ["yosys", *["nextpnr-ice40 1"] * 2, "nextpnr-ice40 2", "icepack"]
    assert (found.seed, found.seeds) == (2, 1)
    assert "nextpnr-ice40 would never end: after 1,000 rounds, 2 wires are still wanted by two " \
           "nets" in lines
    assert "iter=1000 " in (folder / "top.log").read_text()
    assert fake.build(folder).cached
    assert not list(fake.cache.rglob(".*"))


@pytest.mark.parametrize("seeds", [None, 1])
def test_what_one_router_does_not_end_the_other_may(fake, folder, often, seeds):
    never_ends(fake, seeds=[1], router="router2")
    found = fake.build(folder, seeds=seeds)
    assert fake.runs() == ["yosys", *["nextpnr-ice40 1"] * 2, "icepack"]
    assert (found.seed, found.seeds) == (1, 1)
    log = (folder / "top.log").read_text()
    assert log.index("--router router2") < log.index("iter=1000 ") < log.index("--router router1")
    assert fake.build(folder, seeds=seeds).cached


def table(steps, left, each):
    """What nextpnr's first router says of thousands of steps, the last of which leave so much."""
    return "".join(
        f"Info: {1_000 * n:10} | {500 * n:8} {500 * n:10} |  500   500 | "
        f"{left + each * (steps - n):9}|       2.42      45.87|\n"
        for n in range(max(1, steps - 40), steps + 1))


@pytest.mark.parametrize("said, reason", [
    ("", ""),
    (table(24, 100_000, 148),
     "after 24,000 steps, 100,000 routes are still to be found, and hardly fewer"),
    (table(24, 100_000, 0),
     "after 24,000 steps, 100,000 routes are still to be found, and hardly fewer"),
    (table(100, 20_000, 99),
     "after 100,000 steps, 20,000 routes are still to be found, and hardly fewer"),
    (table(100, 20_000, 100), ""),        # a hundred thousand steps more
    (table(19, 100_000, 148), ""),        # too early to tell
    (table(24, 60_000, 800), ""),
    (table(100, 19_999, 0), ""),          # the end is near
    (table(24, 100_000, 148)[:70], ""),   # nothing to compare it with
])
def test_a_router_that_gets_on_too_slowly(said, reason):
    assert contended(said) == reason


@pytest.mark.parametrize("board, router, other", [
    ("icebreaker", "router2", "router1"), ("ulx3s-85f", None, "router2")])
def test_routers(tmp_path, monkeypatch, board, router, other):
    monkeypatch.setattr(tools, "require", lambda name: [__file__])
    project = Project(BOARDS[board], lambda board: Echo(), cache=tmp_path)
    for expected in router, other, router or "router1":   # and back again
        assert project.route.count("--router") == (expected is not None)
        assert expected is None \
            or project.route[project.route.index("--router") + 1] == expected
        project.route = project.reroute


def test_no_placement_finds_routes(fake, folder, often):
    never_ends(fake, seeds=[1, 2, 3])
    with pytest.raises(CheckFailed, match=r"^nextpnr-ice40 would never end: after 1,000 rounds, .*"
                                          r"\(log: .*top.log\)$"):
        fake.build(folder)
    assert (folder / "top.log").read_text().count("iter=1000 ") == 6
    assert not (folder / "top.bin").exists()


def test_the_best_of_those_that_end(fake, folder, often):
    never_ends(fake, seeds=[2])
    found = fake.build(folder, seeds=3)
    assert (found.seed, found.seeds) == (1, 2)


def test_routing_may_take_a_while(fake, folder, often):
    never_ends(fake, seeds=[1], rounds=999, seconds=0.5)
    assert fake.build(folder).seed == 1
