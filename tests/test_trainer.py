# amaranth: UnusedElaboratable=no

import os
import pathlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from gateware.control import network_id
from gateware.learning_folding import LearningFolding
from gateware.learning_plan import LearningPlan
from gateware.trainer import Trainer
from model import data
from model.convergence import Convergence
from model.learned import scaled
from model.sign_update import FORWARDS, Learner, SignUpdate
from sim.amaranth_engine import AmaranthEngine
from sim.verilator_engine import VerilatorEngine

from .traffic import ports, simulate


needs_mnist = pytest.mark.skipif("OHMBIT_DATA" not in os.environ,
                                 reason="MNIST: set OHMBIT_DATA to a folder with mnist/")

SPEC = SignUpdate(9, 8, 3, bits=4, bias=2, margin=30, filter=16)


def same(engine, plan, learner, images, labels):
    """Have an engine and the model learn images, and compare all there is, cycles included."""
    result = engine.infer(np.column_stack([images, labels]))
    steps = list(learner.learn(images, labels))
    assert result.scores.tolist() == [step.scores.tolist() for step in steps]
    assert result.best.tolist() == [step.scores.argmax() for step in steps]
    assert engine.read() == plan.folding.image(learner)
    taken = tuple(plan.folding.cycles(step) for step in steps)
    assert result.cycles == plan.cycles(len(images), taken=(taken,)) <= plan.cycles(len(images))
    assert result.done.tolist() == [plan.cycles(n + 1, taken=(taken[:n + 1],))
                                    for n in range(len(images))]
    return steps


@settings(max_examples=12)
@given(forward=st.sampled_from(FORWARDS), noise=st.sampled_from([0, 90]),
       inputs=st.integers(1, 9), layout=st.sampled_from([
           {"pe": 4, "rows": 2, "pixels": 2}, {"pe": 8, "pixels": 4}, {"pe": 1, "pixels": 1},
           {"pe": 2, "storage": "spram", "pixels": 8}]), seed=st.integers(0, 99))
def test_gateware_matches_model(forward, noise, inputs, layout, seed):
    spec = replace(SPEC, forward=forward, noise=noise, inputs=inputs)
    plan, rng = LearningPlan(LearningFolding(spec, **layout)), np.random.default_rng(seed)
    learner = Learner(spec, Convergence((256, 90), (6,)))
    empty = not plan.fills or seed % 2
    engine = AmaranthEngine()
    start = plan.folding.image(learner)
    engine.load(Trainer(plan, image=None if empty else start))
    if empty:
        engine.write(start)
    for _ in range(2):   # and go on from there
        images = rng.integers(0, 256, (6, inputs)) * (rng.random((6, inputs)) < 0.6)
        same(engine, plan, learner, images, rng.integers(0, 4, 6))


def in_verilator(plan, learner, images, labels, each):
    """Have a Verilog model learn images, and compare all there is after so many each time."""
    engine = VerilatorEngine()
    engine.load(Trainer(plan))
    engine.write(plan.folding.image(learner))
    return [step for at in range(0, len(labels), each)
            for step in same(engine, plan, learner, images[at:at + each], labels[at:at + each])]


@pytest.mark.slow
@pytest.mark.parametrize("count, each", [(200, 1), (1_437, 1_437)])
def test_digits_are_learned_alike(count, each):
    """64-128-10: some compared after every one, an image of ten without a label; and an epoch."""
    images = data.load("digits")
    spec = SignUpdate(64, 128, 10, margin=300, filter=256)
    plan = LearningPlan(LearningFolding(spec, pe=8, storage="spram"))
    learner, labels = Learner(spec, Convergence.scheduled(2, count)), images.y_train[:count]
    if each == 1:
        labels = np.where(np.arange(count) % 10 == 9, 255, labels)
    steps = in_verilator(plan, learner, scaled(images.x_train[:count], 16), labels, each)
    assert sum(step.learned for step in steps) > len(steps) / 2
    assert learner.control.samples == (labels < 10).sum()


@pytest.mark.slow
@needs_mnist
@pytest.mark.parametrize("count, each", [
    (100, 50), pytest.param(5_000, 1_000, marks=pytest.mark.nightly)])
def test_mnist_is_learned_alike_at_300_neurons(count, each):
    images = data.load("mnist")
    spec = SignUpdate(784, 300, 10)
    plan = LearningPlan(LearningFolding(spec, pe=300, rows=4, pixels=2))
    learner = Learner(spec, Convergence.scheduled(2, count))
    in_verilator(plan, learner, images.x_train[:count], images.y_train[:count], each)
    assert learner.control.level == 3


def test_it_is_the_same_in_every_process():
    text = """
from gateware.learning_folding import LearningFolding
from gateware.learning_plan import LearningPlan
from gateware.trainer import Trainer
from model.sign_update import SignUpdate
from sim.verilog import to_rtlil
print(to_rtlil(Trainer(LearningPlan(LearningFolding(SignUpdate(4, 2, 2, noise=1), 1))), "top"))
"""
    root = pathlib.Path(__file__).parent.parent
    written = {subprocess.run([sys.executable, "-c", text], cwd=root, capture_output=True,
                              env=os.environ | {"PYTHONHASHSEED": str(seed)}, check=True).stdout
               for seed in range(3)}
    assert len(written) == 1


def test_what_there_is():
    plan = LearningPlan(LearningFolding(SPEC, pe=4, rows=2, pixels=2))
    image = plan.folding.image(Learner(SPEC))
    dut = Trainer(plan, image=image)
    assert ports(dut) == {
        "i_payload": 16, "i_valid": 1, "i_ready": 1, "o_payload": 11, "o_valid": 1, "o_ready": 1,
        "bus_addr": 7, "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1, "bus_r_data": 32,
        "bus_r_valid": 1, "loaded": 1}
    assert (dut.plan, dut.image, dut.words, dut.hash) == (plan, image, 6, plan.hash)
    assert (dut.memories, dut.counters) == (plan.memories, {})
    assert dut.cycles(2, 2) == plan.cycles(4)


@pytest.mark.parametrize("storage, given_, loaded", [
    ("block", True, 1), ("block", False, 0), ("spram", True, 0)])
def test_counters_are_there_from_power_up_where_they_can_be(storage, given_, loaded):
    plan = LearningPlan(LearningFolding(SPEC, pe=4, storage=storage))
    image = plan.folding.image(Learner(SPEC)) if given_ else None
    engine = AmaranthEngine()
    engine.load(Trainer(plan, image=image))
    assert engine._words([plan.control_address, plan.control_address + 1]) \
        == [loaded, network_id(image)]
    if loaded:
        assert engine.read() == image
    dut = Trainer(plan, image=image)

    async def tb(ctx):
        await ctx.tick()
        assert ctx.get(dut.loaded) == loaded

    simulate(dut, tb)
