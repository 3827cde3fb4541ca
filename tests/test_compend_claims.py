"""Verdicts on the claims of layers that stop early, and what they rest on."""

import pytest

from bench import compend_claims
from bench.compend_claims import CLAIMS


NAMES = {claim.name: claim for claim in CLAIMS}


@pytest.fixture
def ways(monkeypatch):
    """What 1 and 8 PEs save, to be changed."""
    ways = {1: {"exact": 30.0, "exact dealt": 30.0},
            8: {"lock-step": 2.0, "lock-step grouped": 10.0, "exact": 20.0, "exact dealt": 25.0,
                "speculative dealt": 40.0, "exact dealt zeros": 45.0}}
    rows = {"cycles": [{"layer": layer, "pe": pe, "saved": each if layer == 0 else {}}
                       for pe, each in ways.items() for layer in (0, 1)],
            "planes": [{"exact": 33.3}], "accuracies": [{"lost": 0.04}]}
    monkeypatch.setattr(compend_claims, "measured", lambda: rows)
    return ways


def test_runtime(ways):
    found = NAMES["compend-runtime"].measure()
    assert found.held == "held"
    assert found.figure == (
        "30.0 % fewer cycles on one PE; on 8 PEs 25.0 %, with speculation 40.0 % (-0.04 points of "
        "accuracy), with exact detection and words of zeros left out 45.0 %")
    assert "of whose planes 33.3 % are skipped" in found.why
    ways[8]["exact dealt"] = 16.6
    assert NAMES["compend-runtime"].measure().held == "not held"
    ways[8]["exact dealt"], ways[1]["exact"] = 25.0, 16.6
    assert NAMES["compend-runtime"].measure().held == "not held"


def test_lock_step(ways):
    found = NAMES["compend-lock-step"].measure()
    assert found.held == "not held"
    assert found.figure.startswith("2.0 % in lock-step, 10.0 % with neurons grouped")
    assert found.figure.endswith("20.0 % at their own pace, 25.0 % with neurons dealt to them; "
                                 "one PE: 30.0 %")
    assert "save 90 % of what one does" in found.why
    ways[8]["lock-step grouped"] = 27.0
    assert NAMES["compend-lock-step"].measure().held == "held"


def test_energy():
    found = NAMES["compend-energy"].measure()
    assert (found.held, found.figure) == ("not modelled", "")
    assert not NAMES["compend-energy"].command
