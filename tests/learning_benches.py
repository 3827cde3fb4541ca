"""Benches of what learns, as :mod:`tests.benches` has those of the datapath."""

import numpy as np

import model.draws
from gateware.active_rows import ActiveRows
from gateware.conductance import Conductance
from gateware.convergence import Convergence, words
from gateware.draws import Draws
from model import convergence
from model.lfsr import Lfsr
from model.packing import pack_fields
from model.sign_update import SignUpdate

from .benches import Script


__all__ = ["LEARNING"]


def convergence_by_itself(rng):
    """Levels that end, and a host that reads what has become of all, and writes another rate."""
    control = convergence.Control(convergence.Convergence((256, 90, 7), window=3))
    script = Script()
    script.step(now={"idle": 0})
    script.step(times=3, after={"idle": 1, "rate": 256})
    for error in rng.random(16) < 0.5:
        script.step({"sample": 1, "error": int(error)}, now={"idle": 1})
        control.after(error)
        script.step({"sample": 0}, times=9, after={"idle": 1, "rate": control.rate})
    for address, word in enumerate(words(control)):
        script.read(address, word)
    script.write(control.level, 5)
    script.step(times=4, after={"idle": 1, "rate": 5})
    return script.bench(Convergence(init=words(convergence.Control(control.spec))))


def conductance(rng, storage):
    """Every word read and pulsed, in blocks one after another at once; then what is left of each.

    Counters go up to their ends, and to and fro.
    """
    count, bits, depth = 5, 6, 3
    counters, script = rng.integers(-31, 32, (depth, count)), Script()
    dut = Conductance(count=count, bits=bits, depth=depth, storage=storage)
    for n, row in enumerate(pack_fields(counters & 63, bits, count)):
        script.write(n, row)
    shown = None
    for n in range(3 * 40):
        steps = rng.integers(-1, 2, count) if n % 2 else np.sign(counters[n % depth])
        levels = {"en": 1, "addr": (n + 1) % depth}
        now = {}
        if shown is not None:
            now["data"] = pack_fields(counters[[shown]] & 63, bits, count)[0]
            counters[shown] = (counters[shown] + steps).clip(-31, 31)
            pulse = {"pulse": 1, "up": pack_fields(steps[None] > 0, 1, count)[0],
                     "down": pack_fields(steps[None] < 0, 1, count)[0]}
            if storage == "block":
                levels |= pulse
            else:
                script.step({"en": 0} | pulse, now=now)
                levels |= {"pulse": 0}
                now = {}
        script.step(levels, now=now)
        shown = (n + 1) % depth
    script.step({"en": 0, "pulse": 0})
    for n, row in enumerate(pack_fields(counters & 63, bits, count)):
        script.read(n, row)
    return script.bench(dut)


def active_rows(rng):
    """Images of which many words are dark, each gone through twice."""
    spec, pixels = SignUpdate(21, 1, 2, bias=3), 4
    dut, twin, script = ActiveRows(spec, pixels=pixels), model.draws.Draws(spec.lfsrs["bits"]), \
        Script()
    for image in rng.integers(0, 256, (3, 21)) * np.repeat(rng.random((3, 7)) < 0.4, 3, axis=1):
        rows = [*np.flatnonzero(image > twin.take(21)).tolist(), 24, 25, 26]
        padded = np.zeros((1, 24), dtype=int)
        padded[0, :21] = image
        for word in pack_fields(padded, 8, pixels):
            script.step({"end": 0, "i__valid": 1, "i__payload": word}, now={"i__ready": 1})
        script.step({"i__valid": 0}, now={"full": 0}, after={"full": 1})
        for _ in range(2):
            script.step({"start": 1})
            script.step({"start": 0}, now={"o__valid": 0})
            for n, row in enumerate(rows):
                told = row | (n == len(rows) - 1) << 5
                script.step({"o__ready": 0}, now={"o__valid": 1, "o__payload": told})
                script.step({"o__ready": 1}, now={"o__valid": 1, "o__payload": told})
        script.step({"end": 1, "o__ready": 0}, now={"full": 1}, after={"full": 0})
    script.step({"end": 0})
    return script.bench(dut)


def draws():
    """All bytes, or but a few; and a host that reads the state, and writes another."""
    lfsr, script = Lfsr(32, seed=0xACE1), Script()
    twin = model.draws.Draws(lfsr)
    for few in (0, 1, 1, 0, 0):
        state = twin.state
        script.step({"en": 1, "few": few},
                    now={"o": pack_fields(twin.take(5)[None], 8, 5)[0]})
        twin.state = state
        twin.take(3 if few else 5)
    script.step({"en": 0})
    script.read(0, twin.state)
    script.write(0, 0)
    script.read(0, twin.state)
    script.write(0, 77)
    script.read(0, 77)
    return script.bench(Draws(lfsr, count=5, fewer=3))


# Of what, and how it is made.
LEARNING = {
    "active_rows": (ActiveRows, active_rows),
    "draws": (Draws, lambda rng: draws()),
    "conductance": (Conductance, lambda rng: conductance(rng, "block")),
    "conductance_spram": (Conductance, lambda rng: conductance(rng, "spram")),
    "convergence": (Convergence, convergence_by_itself),
}
