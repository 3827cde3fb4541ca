"""The ``ohmbit`` command, called as a user would, within this process."""

import json
import pathlib
from dataclasses import dataclass

import numpy as np
import pytest

from boards.build import Build
from boards.line import Traffic
from model.dense import Dense
from model.encoder import BitSerial, Lookup
from model.network import Network
from model.scores import Scores
from model.stochastic import Stochastic
from ohmbit.command import main
from sim import tools
from sim.engine import Result


__all__ = ["GoldenBoard", "Outcome", "call", "drawing_network", "few_network", "pretended",
           "random_network", "without"]


@dataclass
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one object on standard output."""
        return json.loads(self.out)

    @property
    def refusal(self):
        """The one line that bad input is answered with."""
        assert self.code == 2
        return self.line

    @property
    def line(self):
        """The one line on standard error."""
        assert self.err.startswith("ohmbit: ") and self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1 and "Traceback" not in self.err, self.err
        return self.err.removeprefix("ohmbit: ").removesuffix("\n")


def call(capsys, *arguments):
    """Run the command."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    return Outcome(code, *capsys.readouterr())


def random_network(*sizes, bits=5, dataset="digits", seed=0):
    """A network of random bits, whose neurons are about as often on as off."""
    rng = np.random.default_rng(seed)
    encoder, layers = BitSerial(bits), []
    for n, (inputs, outputs) in enumerate(zip(sizes[:-2], sizes[1:-1], strict=True)):
        weights = rng.random((outputs, inputs)) < 0.5
        middle = (2 * weights.sum(axis=1) - inputs) * (2 ** bits - 1) // 4
        layers.append(Dense(weights, middle if n == 0 else np.zeros(outputs, dtype=np.int64),
                            gains=encoder.gains if n == 0 else (1,), bipolar=n > 0))
    scores = Scores(rng.random((sizes[-1], sizes[-2])) < 0.5, np.ones(sizes[-1], dtype=np.int64),
                    rng.integers(-9, 10, sizes[-1]))
    return Network(encoder, tuple(layers), scores, dataset)


def few_network(*sizes, dataset="digits", seed=0):
    """A network of random numbers: pixels of 5 bits looked up in a table, weights and activations
    of two bits.
    """
    rng = np.random.default_rng(seed)
    encoder, layers = Lookup(tuple(np.arange(32) // 8), bits=5), []
    for n, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        weights = rng.integers(-2, 2, (outputs, inputs))
        if n == len(sizes) - 2:
            scores = Scores(weights, np.ones(outputs, dtype=np.int64),
                            rng.integers(-9, 10, outputs), weight_bits=2)
            return Network(encoder, tuple(layers), scores, dataset)
        stairs = np.array([-1, 0, 1]) * int(inputs ** 0.5) + rng.integers(-2, 3, (outputs, 1))
        layers.append(Dense(weights, stairs - inputs // 2, weight_bits=2))


def drawing_network(*sizes, samples, combine="layer", dataset="digits", seed=0):
    """A network of random bits that draws some of pixels that are mostly dark."""
    rng = np.random.default_rng(seed)
    encoder = Stochastic(samples, generator="lfsr-rotate", combine=combine)
    layers = [Dense(rng.random((outputs, inputs)) < 0.5,
                    rng.integers(-9, 10, outputs) if n else np.full(outputs, -inputs // 3),
                    gains=encoder.gains if n == 0 and combine == "layer" else (1,))
              for n, (inputs, outputs) in enumerate(zip(sizes[:-2], sizes[1:-1], strict=True))]
    scores = Scores(rng.random((sizes[-1], sizes[-2])) < 0.5, np.ones(sizes[-1], dtype=np.int64),
                    rng.integers(-9, 10, sizes[-1]))
    return Network(encoder, tuple(layers), scores, dataset)


def without(monkeypatch: pytest.MonkeyPatch, *names):
    """Make some tools absent."""
    find = tools.find
    monkeypatch.setattr(tools, "find", lambda name: None if name in names else find(name))


class GoldenBoard:
    """A driver whose board is the golden model."""

    golden, wrong = None, 0   # `random_network(64, 12, 10)` if None

    @classmethod
    def open(cls, path, baud, progress):
        board = cls()
        board.asked = [(path, baud)]
        board.progress = progress
        board.traffic = Traffic()
        board.held = None
        return board

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def load(self, plan):
        self.shape = plan.shape

    def holds(self, image):
        return image == self.held

    def write(self, image):
        self.held = image
        assert set(image) == {"layer0.weights", "layer0.thresholds", "layer1.weights",
                              "scores.affine"}

    def infer(self, images):
        scores = (self.golden or random_network(64, 12, 10)).scores_of(images) + self.wrong
        self.progress(len(images), len(images))
        self.traffic.seconds += 0.5
        return Result(scores, scores.argmax(axis=1), 100 * len(images),
                      100 * np.arange(1, len(images) + 1))


def pretended(board, build_dir, name):
    """What a build makes, by tools that take no time."""
    path = pathlib.Path(build_dir) / (name + board.family.bitstream)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"bits")
    return Build(
        board=board, luts=3000, luts_available=5280, memories=20, memories_available=30,
        fmax_mhz=30.5, clock_mhz=float(board.clock_hz) / 1e6, seed=2, seeds=3, cached=False,
        bitstream=path, seconds=1.0, log=path)
