"""Benches of what learns, as :mod:`tests.benches` has those of the datapath."""

import numpy as np

from gateware.conductance import Conductance
from gateware.convergence import Convergence, words
from model import convergence
from model.packing import pack_fields

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


# Of what, and how it is made.
LEARNING = {
    "conductance": (Conductance, lambda rng: conductance(rng, "block")),
    "conductance_spram": (Conductance, lambda rng: conductance(rng, "spram")),
    "convergence": (Convergence, convergence_by_itself),
}
