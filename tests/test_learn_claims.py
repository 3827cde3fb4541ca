"""Verdicts on the claims of learning by signs, and what they rest on."""

import pytest

from bench import learn_claims
from bench.learn_claims import CLAIMS


NAMES = {claim.name: claim for claim in CLAIMS}


@pytest.fixture
def found(monkeypatch):
    """Accuracies by way and decay, to be changed."""
    found = {("steep", 1.2): 94.5, ("steep", 1.5): 94.0, ("steep", 1.8): 93.5,
             ("flat", 1.2): 9.8, ("flat", 1.5): 9.8, ("flat", 1.8): 10.0,
             ("ours", 1.2): 94.0, ("ours", 1.5): 95.25, ("ours", 1.8): 95.0}
    source = {1.2: 94.84, 1.5: 94.3, 1.8: 93.02}
    monkeypatch.setattr(learn_claims, "measured", lambda: [
        {"way": way, "decay": decay, "accuracy": right, "iterations": round(140_000 / decay),
         "source": source[decay]} for (way, decay), right in found.items()])
    return found


@pytest.mark.parametrize("right, held", [(95.8, "held"), (95.9, "not held"), (93.9, "held"),
                                         (93.8, "not held")])
def test_figures_of_the_source_are_found_again(found, right, held):
    found["steep", 1.2] = right
    finding = NAMES["learn-decay-1.2"].measure()
    assert finding.figure == f"{right:.2f} % after 116,667 images" and finding.held == held
    assert finding.why.startswith(f"{right - 94.84:+.2f} points, held if at most 1 either way; ")
    assert NAMES["learn-decay-1.5"].measure().held == NAMES["learn-decay-1.8"].measure().held \
        == "held"


def test_the_printed_filter(found):
    finding = NAMES["learn-filter"].measure()
    assert finding.held == "not held"
    assert finding.figure.startswith("decay 1.2: 9.80 % where it is flat, 94.50 % where it is "
                                     "steep; decay 1.5: ")
    for decay in (1.2, 1.5, 1.8):
        found["flat", decay] = found["steep", decay] - 1
    assert NAMES["learn-filter"].measure().held == "held"
    found["flat", 1.5] -= 0.5
    assert NAMES["learn-filter"].measure().held == "not held"


def test_counters(found):
    finding = NAMES["learn-counters"].measure()
    assert finding.held == "held" and "94.84 %, the best of the source's" in finding.why
    assert "; decay 1.5: 95.25 % after 93,333 images; " in finding.figure
    found["ours", 1.5] = found["ours", 1.8] = 94.8
    assert NAMES["learn-counters"].measure().held == "not held"


def test_speed():
    finding = NAMES["learn-speed"].measure()
    assert (finding.held, finding.figure) == ("not modelled", "")
    assert not NAMES["learn-speed"].command


def test_each_runs_what_its_command_does():
    for claim in CLAIMS[:-1]:
        assert claim.command == "ohmbit bench learn --noises 0 --ways steep,flat,ours"
    assert learn_claims.WAYS == ("steep", "flat", "ours")
