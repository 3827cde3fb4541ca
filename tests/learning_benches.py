"""Benches of what learns, as :mod:`tests.benches` has those of the datapath."""

from gateware.convergence import Convergence, words
from model import convergence

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


# Of what, and how it is made.
LEARNING = {
    "convergence": (Convergence, convergence_by_itself),
}
