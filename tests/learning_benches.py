"""Benches of what learns, as :mod:`tests.benches` has those of the datapath."""

from dataclasses import replace

import numpy as np

import model.draws
from gateware.active_rows import ActiveRows
from gateware.class_sums import ClassSums
from gateware.conductance import Conductance
from gateware.convergence import Convergence, words
from gateware.draws import Draws
from gateware.first_crossbar import FirstCrossbar
from gateware.hidden_sums import HiddenSums
from gateware.judge import Judge
from gateware.learning_folding import LearningFolding
from gateware.learning_plan import LearningPlan
from gateware.second_crossbar import SecondCrossbar
from gateware.sign_update import SignUpdate as SignUpdate_
from gateware.trainer import Trainer
from model import convergence
from model.lfsr import Lfsr
from model.packing import pack_fields
from model.sign_update import Learner, SignUpdate

from .benches import Script, streams


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
    folding = LearningFolding(spec, pe=1, pixels=pixels)
    dut = ActiveRows(folding, lfsr=spec.lfsrs["bits"])
    twin, script = model.draws.Draws(spec.lfsrs["bits"]), Script()
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


RULE = SignUpdate(9, 8, 3, bits=5, bias=2, margin=20, filter=16)


def learner_of(rule, images=0):
    """A learner that has learned some images, and others that are to come."""
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 256, (40, rule.inputs)), rng.integers(0, rule.classes, 40).tolist()
    found = Learner(rule, convergence.Convergence((150,)))
    for _ in found.learn(x[:images], y[:images]):
        pass
    return found, x[images:], y[images:]


def whole(make, rule, **layout):
    """The scores of one image after another, which depend on all that was learned before."""
    found, images, labels = learner_of(rule)
    folding = LearningFolding(rule, **layout)
    dut = make(folding, folding.image(found))
    out = []
    for step in found.learn(images, labels):
        out += [int(score) & (1 << folding.score_bits) - 1
                | int(np.argmax(step.scores[:k + 1])) << folding.score_bits
                | (k == rule.classes - 1) << folding.score_bits + (rule.classes - 1).bit_length()
                for k, score in enumerate(step.scores)]
    rows = LearningPlan(folding).rows_of(np.column_stack([images, labels]))
    words = [int.from_bytes(row.tobytes(), "little") for row in rows]
    # A second run would go on with what was learned in the first.
    return replace(streams(dut, words, out), speeds=("waiting",))


def sign_update(rule, **layout):
    return whole(lambda folding, image: SignUpdate_(folding, image=image), rule, **layout)


def trainer(rule, **layout):
    return whole(lambda folding, image: Trainer(LearningPlan(folding), image=image), rule, **layout)


def bits_of(values):
    return sum(int(value) << n for n, value in enumerate(values))


def first_crossbar(storage):
    """Sums of an image's rows, pulses for some of them, and what has become of all counters."""
    found, images, _ = learner_of(RULE)
    folding = LearningFolding(RULE, pe=4, rows=2, pixels=2, storage=storage)
    image = folding.image(found)
    dut = FirstCrossbar(folding, image={
        name: image[name] for name in ("first", "draws_bits", "draws_rows")
        if name != "first" or storage == "block"})
    script, rng = Script(), np.random.default_rng(0)
    if storage == "spram":
        for address, word in enumerate(image["first"]):
            script.step({"first_bus__addr": address, "first_bus__w_data": word,
                         "first_bus__w_en": 1})
        script.step({"first_bus__w_en": 0})
    for pixels in images[:3]:
        padded = np.zeros((1, 10), dtype=int)
        padded[0, :9] = pixels
        for word in pack_fields(padded, 8, 2):
            script.step({"end": 0, "i__valid": 1, "i__payload": word}, until="i__ready")
        script.step({"i__valid": 0}, until="full")
        active = np.concatenate([np.flatnonzero(pixels > found.draws["bits"].take(9)), [9, 10]])
        sums = found.first[active].sum(axis=0, dtype=np.int32)
        script.step({"forward": 1})
        for group in range(2):
            ours = sums[4 * group:4 * group + 4]
            script.step({"forward": 0}, until="sums_en", now={
                "sums_group": group, "signs": bits_of(ours >= 0),
                "near": bits_of((ours >= -16) & (ours < 16)), "done": group})
        # The second group alone changes, and then both.
        steps = np.concatenate([np.zeros(4, dtype=int), rng.choice([-1, 1], 4)])
        script.step({"update": 1, "rate": 150, "changed": 2, "up": bits_of(steps[4:] > 0),
                     "down": bits_of(steps[4:] < 0)})
        script.step({"update": 0}, until="done")
        rows = active[found.draws["rows"].take(len(active)) < 150]
        found.first[rows] = (found.first[rows] + steps).clip(-15, 15)
        script.step({"update": 1, "rate": 256, "changed": 3})
        script.step({"update": 0}, until="done")
        both = np.tile(steps[4:], 2)
        found.first[active] = (found.first[active] + both).clip(-15, 15)
        script.step({"end": 1}, after={"full": 0})
    script.step({"end": 0})
    for name in ("first", "draws_bits", "draws_rows"):
        for address, word in enumerate(folding.image(found)[name]):
            script.step({f"{name}_bus__addr": address, f"{name}_bus__r_en": 1})
            script.step({f"{name}_bus__r_en": 0}, until=f"{name}_bus__r_valid",
                        now={f"{name}_bus__r_data": word})
    return script.bench(dut)


def second_crossbar():
    """Scores of hidden neurons, changes of them, pulses that are in part lost, and what is left."""
    rule = replace(RULE, noise=90)
    found, _, _ = learner_of(rule, images=30)
    folding = LearningFolding(rule, pe=4, rows=4)
    names = ("second", "copy", "draws_pulses", "draws_faults")
    image = folding.image(found)
    dut = SecondCrossbar(folding, image={name: image[name] for name in names})
    script, rng = Script(), np.random.default_rng(0)
    for label, rival in ((0, 2), (2, 1), (1, 0)):
        signs, near = rng.random(4) < 0.5, rng.random(4) < 0.7
        # Both groups have the same, as they stay on the inputs.
        plus = np.where([*signs, *signs, 1, 1], 1, -1)
        scores = plus @ found.second.astype(int)
        script.step({"signs": bits_of(signs), "near": bits_of(near), "label": label,
                     "rival": rival, "rate": 150, "scoring": 1})
        script.step({"scoring": 0}, until="done", now={
            "scores": pack_fields(scores[None] & (1 << folding.score_bits) - 1,
                                  folding.score_bits, 3)[0]})
        errors = np.sign(found.copy[:8, label] - found.copy[:8, rival]) * np.tile(near, 2)
        script.step({"learning": 1})
        for group in range(2):
            ours = errors[4 * group:4 * group + 4]
            script.step({"learning": 0}, until="changes_en", now={
                "changes_group": group, "up": bits_of(ours > 0), "down": bits_of(ours < 0)})
        script.step(until="done")
        found.pulse_second(label, rival, plus.astype(np.int16), 150)
    for name in names:
        for address, word in enumerate(folding.image(found)[name]):
            for chunk in range(folding.regions[name].chunks):
                script.step({f"{name}_bus__addr": folding.regions[name].address(address, chunk),
                             f"{name}_bus__r_en": 1})
                script.step({f"{name}_bus__r_en": 0}, until=f"{name}_bus__r_valid",
                            now={f"{name}_bus__r_data": word >> 32 * chunk & 0xFFFF_FFFF})
    return script.bench(dut)


def hidden_sums(rng):
    script, sums = Script(), np.zeros(3, dtype=int)
    for n in range(20):
        counters = rng.integers(-8, 8, 3)
        if n % 5 == 0:
            script.step({"en": 0, "clear": 1}, after={"signs": 7, "near": 7})
            sums = 0 * sums
        sums = sums + counters
        script.step({"en": 1, "clear": 0,
                     "counters": pack_fields(counters[None] & 15, 4, 3)[0]},
                    after={"signs": bits_of(sums >= 0), "near": bits_of((sums >= -8) & (sums < 8))})
        script.step({"en": 0, "counters": 0x777})
    return script.bench(HiddenSums(count=3, bits=4, sum_bits=7, filter=8))


def class_sums(rng):
    script, scores = Script(), np.zeros(2, dtype=int)
    for n in range(12):
        counters, plus = rng.integers(-8, 8, (3, 2)), rng.random(3) < 0.5
        rows = 2 if n % 4 == 3 else 3
        word = (np.where(plus, 1, -1)[:, None] * counters)[:rows].sum(axis=0)
        scores = word + (0 if n % 4 == 0 else scores)
        script.step({"en": 1, "first": int(n % 4 == 0), "last": int(rows == 2),
                     "signs": bits_of(plus),
                     "counters": pack_fields(counters.reshape(1, 6) & 15, 4, 6)[0]})
        script.step({"en": 0, "signs": 0},
                    after={"scores": pack_fields(scores[None] & 0x1FF, 9, 2)[0]})
    return script.bench(ClassSums(rows=3, classes=2, bits=4, few=2, score_bits=9))


def judge(rng):
    """One image after another, whose scores leave now and then."""
    script = Script()
    for label in (0, 3, 1, 200, 2):
        scores = rng.integers(-9, 10, 4)
        script.step({"start": 1, "label": label,
                     "scores": pack_fields(scores[None] & 31, 5, 4)[0], "o__ready": 0})
        for k in range(4):
            best = int(np.argmax(scores[:k + 1]))
            payload = int(scores[k]) & 31 | best << 5 | (k == 3) << 7
            if k == 3:
                script.step({"o__ready": 0, "start": 0}, now={"o__valid": 0})
                break
            script.step({"start": 0, "o__ready": 0}, now={"o__valid": 1, "o__payload": payload})
            script.step({"o__ready": 1}, now={"o__valid": 1, "o__payload": payload})
        others = scores.copy()
        if label < 4:
            others[label] = -99
        learns = label < 4 and scores[label] - others.max() < 4
        script.step({"o__ready": 0}, now={"done": 1, "learns": int(learns), "o__valid": 0} | (
            {"rival": int(others.argmax()), "wrong": int(np.argmax(scores) != label)}
            if label < 4 else {}))
        script.step({"release": 1}, now={"o__valid": 1, "o__payload": payload, "busy": 1})
        script.step({"release": 0, "o__ready": 1}, now={"o__valid": 1, "o__payload": payload})
        script.step({"o__ready": 0}, now={"busy": 0, "o__valid": 0})
    return script.bench(Judge(classes=4, score_bits=5, margin=4))


# Of what, and how it is made.
LEARNING = {
    "sign_update": (SignUpdate_, lambda rng: sign_update(RULE, pe=4, rows=2, pixels=2)),
    "sign_update_signs": (SignUpdate_, lambda rng: sign_update(
        replace(RULE, forward="sign", margin=5, filter=4), pe=8, rows=4, pixels=1)),
    "trainer": (Trainer, lambda rng: trainer(RULE, pe=2, rows=1, pixels=4)),
    "first_crossbar": (FirstCrossbar, lambda rng: first_crossbar("block")),
    "first_crossbar_spram": (FirstCrossbar, lambda rng: first_crossbar("spram")),
    "second_crossbar": (SecondCrossbar, lambda rng: second_crossbar()),
    "hidden_sums": (HiddenSums, hidden_sums),
    "class_sums": (ClassSums, class_sums),
    "judge": (Judge, judge),
    "active_rows": (ActiveRows, active_rows),
    "draws": (Draws, lambda rng: draws()),
    "conductance": (Conductance, lambda rng: conductance(rng, "block")),
    "conductance_spram": (Conductance, lambda rng: conductance(rng, "spram")),
    "convergence": (Convergence, convergence_by_itself),
}
