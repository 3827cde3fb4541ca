"""Shares of images, each in a simulator of its own, against one simulator with all of them."""

import functools
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from gateware import cost
from gateware.compiler import compile, counted, image, taken
from gateware.folding import Folding
from gateware.mapping import Mapping, uniform
from model.compend import Compend
from model.encoder import BitSerial, Threshold
from model.errors import CheckFailed
from model.network import Network
from model.scores import Scores
from sim import shards
from sim.compare import compare
from sim.verilator_engine import VerilatorEngine

from .test_verilator_engine import needs_verilator, network


# Small, as each build takes seconds; their layers wait for one another.
NETWORKS = {
    "bit-serial": (BitSerial(3), (7, 19, 4, 2), 1, ((14, 2), (1, 3), (2, 1))),
    "threshold": (Threshold(3, bits=3), (16, 19, 5), 99, ((10, 2), (1, 3))),
    "batches": (Threshold(3, bits=3), (16, 19, 5), 99, ((10, 2), (1, 5)), 3),
}


class Here(Executor):
    """Runs what it is given at once, and remembers it."""

    def __init__(self, change=lambda result: result):
        self.calls, self.change = [], change

    def submit(self, function, *arguments):
        self.calls.append(arguments)
        future = Future()
        try:
            future.set_result(self.change(function(*arguments)))
        except Exception as error:
            future.set_exception(error)
        return future


@functools.cache
def loaded(name, probes=True):
    encoder, sizes, gain, parallel, batch = (*NETWORKS[name], 1)[:5]
    net = network(encoder, sizes, 1, gain)
    gains = [encoder.gains, *[(1,)] * 9]
    mapping = Mapping(tuple(Folding(*pair, g, pe, simd, batch=batch) for pair, g, (pe, simd) in zip(
        zip(sizes[:-1], sizes[1:], strict=True), gains, parallel, strict=False)))
    engine = VerilatorEngine()
    engine.load(compile(net.shape, mapping, probes=probes))
    engine.write(image(net, mapping))
    return engine, net, mapping


def pixels(net, images):
    return np.random.default_rng(images).integers(0, 2 ** net.encoder.bits, (images, net.inputs))


def same(one, other):
    assert one.cycles == other.cycles and isinstance(one.cycles, int)
    assert one.batch == other.batch
    for name in ("scores", "best", "done"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("trace", "when"):
        left, right = getattr(one, name), getattr(other, name)
        assert left is right is None or left.keys() == right.keys()
        for key in left or ():
            assert np.array_equal(left[key], right[key]), (name, key)


@needs_verilator
@pytest.mark.parametrize("name, probes", [("bit-serial", True), ("threshold", True),
                                          ("threshold", False), ("batches", True)])
def test_result_is_that_of_one_simulator(name, probes):
    engine, net, mapping = loaded(name, probes)
    lead = cost.settled(mapping)
    for images, jobs, count in ((30 * lead + 11, 2, 3), (40 * lead, 2, 4), (50 * lead, 2, 4),
                                (50 * lead, 3, 5), (20 * lead - 1, 2, 0), (50 * lead, 1, 0)):
        batch, executor = pixels(net, images), Here()
        result = shards.infer(engine, batch, jobs=jobs, executor=executor, least=1)
        assert len(executor.calls) == count
        given = [len(arguments[4]) for arguments in executor.calls]
        assert sum(given) == (images + (count - 1) * lead if count else 0)
        same(result, engine.infer(batch))
        assert result.cycles == cost.timing(mapping, images).cycles
        assert compare(net, batch, result).total == 0


@needs_verilator
def test_shares_count_their_own_images():
    rng = np.random.default_rng(0)
    first = Compend(rng.integers(-7, 9, (9, 12)), rng.integers(-99, 99, 9), weight_bits=4,
                    input_bits=3, activation="sign")
    last = Scores(rng.random((4, 9)) < 0.5, np.ones(4, int), np.zeros(4, int))
    net = Network(BitSerial(3), (first,), last)
    mapping = uniform(net.shape, pe=3, simd=4)
    engine = VerilatorEngine()
    engine.load(compile(net.shape, mapping, probes=True))
    engine.write(image(net, mapping))
    batch = pixels(net, 1_000)
    result = shards.infer(engine, batch, jobs=2, executor=(executor := Here()), least=1)
    assert len(executor.calls) > 1
    alone = engine.infer(batch)
    same(result, alone)
    counts = counted(net, mapping, batch)
    assert result.cycles == cost.timing(mapping, 1_000, taken(counts)).cycles
    for seen in (result, alone):
        assert seen.counts.keys() == {"layer0.counts"}
        assert seen.counts["layer0.counts"].tolist() == [
            counts[0].cycles.sum(), counts[0].planes_run.sum(), counts[0].planes_skipped.sum()]
        assert compare(net, batch, seen, counted=counts).total == 0


@needs_verilator
def test_small_shares_are_not_worth_a_process():
    engine, net, mapping = loaded("threshold")
    each = cost.timing(mapping, 1).cycles_per_image
    batch = pixels(net, 1_000)
    for least, count in ((500 * each, 2), (500 * each + 1, 0)):
        shards.infer(engine, batch, jobs=2, executor=(executor := Here()), least=least)
        assert len(executor.calls) == count
    with pytest.raises(ValueError, match="^Jobs must be at least 1, not 0$"):
        shards.infer(engine, batch, jobs=0)


@needs_verilator
def test_a_cycle_too_many_in_a_share_is_one_of_the_whole():
    engine, net, mapping = loaded("threshold")
    batch = pixels(net, 1_000)

    def late(result):
        result.done[-1] += 1
        return result

    result = shards.infer(engine, batch, jobs=2, executor=(executor := Here(late)), least=1)
    # Whatever comes after a share that is late is as late; that of the last one is in `done` alone.
    assert result.cycles == cost.timing(mapping, 1_000).cycles + len(executor.calls) - 1


@needs_verilator
def test_processes_share_images():
    engine, net, mapping = loaded("bit-serial")
    batch = pixels(net, 1_000)
    same(shards.infer(engine, batch, jobs=2, least=1), engine.infer(batch))


@needs_verilator
def test_a_simulator_that_stands_still_is_told_of(monkeypatch):
    engine, net, mapping = loaded("threshold")

    def still(*arguments):
        raise TimeoutError("1 of 2 scores after 3 cycles")

    monkeypatch.setattr(shards, "run", still)
    with pytest.raises(TimeoutError, match="1 of 2 scores"):
        shards.infer(engine, pixels(net, 1_000), jobs=2, executor=Here(), least=1)


@needs_verilator
def test_a_process_that_dies_is_told_of(monkeypatch):
    engine, net, mapping = loaded("threshold")

    def killed(*arguments):
        raise BrokenProcessPool

    monkeypatch.setattr(shards, "run", killed)
    with pytest.raises(CheckFailed, match="a process that simulated .* ended"):
        shards.infer(engine, pixels(net, 1_000), jobs=2, executor=Here(), least=1)


@needs_verilator
def test_engine_must_be_loaded():
    with pytest.raises(RuntimeError, match="^Engine must be loaded before it is used$"):
        shards.infer(VerilatorEngine(), np.zeros((9, 4), dtype=int), jobs=2)
