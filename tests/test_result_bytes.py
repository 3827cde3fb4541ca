# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from gateware.result_bytes import ResultBytes
from model.frame import Identity, Repeated, Run

from . import strategies
from .traffic import idle_bits, ports, simulate, widths


# Classes, bits of a score, images there is room for.
SIZES = {"narrow": (3, 20, 3), "one": (1, 4, 1), "whole": (4, 32, 2), "many": (2, 9, 8)}
sizes = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)


class Bed:
    """Bytes of results, and the memory that they are read from."""

    def __init__(self, size):
        self.classes, bits, self.batch = size
        self.identity = Identity(hash=bytes(8), clock_hz=1, control=0, inputs=1, bits=1,
                                 classes=self.classes, score_bits=bits, batch=self.batch)
        self.dut = ResultBytes(classes=self.classes, batch=self.batch,
                               score_bytes=self.identity.score_bytes, best=range(self.classes))
        self.scores, self.best = [], []

    def draw(self, rng):
        """As many scores and classes as there is room for."""
        most = 1 << self.identity.score_bits - 1
        scores = rng.integers(-most, most, (self.batch, self.classes))
        scores.flat[0], scores.flat[-1] = -most, most - 1
        self.scores, self.best = scores.tolist(), rng.integers(0, self.classes, self.batch).tolist()

    async def memory(self, ctx):
        dut = self.dut
        while True:
            _, _, address = await ctx.tick().sample(dut.addr)
            image, place = divmod(address, self.classes)
            if image < self.batch:
                ctx.set(dut.score, self.scores[image][place])
                # It is only there with an image's last score.
                last = place == self.classes - 1
                ctx.set(dut.best, self.best[image] if last else self.classes - 1 - self.best[image])

    def run(self, jobs, *, o_stalls=(0,), vcd=None):
        """Bytes that come of each job, and cycles; a job is (images, shown, repeated, ...)."""
        dut, found = self.dut, []

        async def testbench(ctx):
            for images, shown, repeated, cycles, digest in jobs:
                for name, value in (("images", images), ("shown", shown), ("repeated", repeated),
                                    ("cycles", cycles), ("digest", digest), ("start", 1)):
                    ctx.set(getattr(dut, name), value)
                await ctx.tick()
                ctx.set(dut.start, 0)
                size = 8 if repeated else 4 + images * self.identity.result_bytes(scores=shown)
                data, spent = [], 0
                stalls = [*o_stalls]
                ready = wait = 0
                while len(data) < size:
                    assert spent < 10_000
                    ready = wait == 0
                    ctx.set(dut.o.ready, ready)
                    _, _, valid, byte, done = await ctx.tick().sample(
                        dut.o.valid, dut.o.payload, dut.done)
                    spent += 1
                    if valid and ready:
                        data.append(byte)
                        stalls = stalls[1:] + stalls[:1]
                        wait = stalls[0]
                    elif wait:
                        wait -= 1
                    assert done == (valid and ready and len(data) == size)
                ctx.set(dut.o.ready, 1)
                for _ in range(5):
                    _, _, valid, done = await ctx.tick().sample(dut.o.valid, dut.done)
                    assert not valid and not done
                found.append((bytes(data), spent))

        simulate(dut, testbench, self.memory, vcd=vcd)
        return found


@sizes
@settings(max_examples=10)
@given(seed=st.integers(0, 2 ** 32 - 1), data=st.data(), o_stalls=strategies.stalls)
def test_bytes_are_those_of_the_model(size, seed, data, o_stalls):
    bed = Bed(size)
    bed.draw(np.random.default_rng(seed))
    words = st.integers(0, 0xFFFF_FFFF)
    jobs = [(data.draw(st.integers(1, bed.batch)), data.draw(st.booleans()),
             data.draw(st.booleans()), data.draw(words), data.draw(words)) for _ in range(3)]
    for (told, _), (images, shown, repeated, cycles, digest) in zip(
            bed.run(jobs, o_stalls=o_stalls), jobs, strict=True):
        scores = tuple(map(tuple, bed.scores[:images])) if shown else None
        assert told == (Repeated(cycles, digest).pack() if repeated else
                        Run(cycles, tuple(bed.best[:images]), scores).pack(bed.identity))


@sizes
def test_bytes_take_so_many_cycles(size):
    bed = Bed(size)
    bed.draw(np.random.default_rng(0))
    scores, each = bed.classes * bed.batch, bed.identity.score_bytes
    jobs = [(bed.batch, shown, repeated, 1, 2)
            for shown, repeated in ((True, False), (False, False), (False, True))]
    took = [spent for _, spent in bed.run(jobs)]
    # After the last score of an image its class comes at once, and after the last of all nothing.
    assert took == [4 + scores * (each + 1) + 2 * bed.batch - 1,
                    4 + scores * 2 + 2 * bed.batch - 1, 8]


def test_members_are_as_wide_as_they_have_to_be(tmp_path):
    bed = Bed(SIZES["narrow"])
    assert ports(bed.dut) == {
        "start": 1, "repeated": 1, "shown": 1, "images": 2, "cycles": 32, "digest": 32, "addr": 4,
        "score": 32, "best": 2, "o_payload": 8, "o_valid": 1, "o_ready": 1, "done": 1}
    bed.draw(np.random.default_rng(0))
    bed.run([(3, True, False, 0, 0), (3, False, True, 0, 0)], vcd=tmp_path / "vcd")
    found = widths(tmp_path / "vcd")
    assert (found["left"], found["step"]) == ({2}, {3})
    assert not {name for name in idle_bits(tmp_path / "vcd") if name in {"left", "step"}}


def test_sizes_that_are_powers_of_two(tmp_path):
    bed = Bed(SIZES["whole"])
    assert (ports(bed.dut)["addr"], ports(bed.dut)["images"]) == (3, 2)
    bed.draw(np.random.default_rng(0))
    bed.run([(1, False, False, 0, 0)], vcd=tmp_path / "vcd")
    assert widths(tmp_path / "vcd")["left"] == {2}


@pytest.mark.parametrize("score_bytes", [0, 5])
def test_scores_must_fit_a_word(score_bytes):
    with pytest.raises(ValueError, match=f"^Scores must be 1 to 4 bytes, not {score_bytes}$"):
        ResultBytes(classes=2, batch=1, score_bytes=score_bytes, best=range(2))
