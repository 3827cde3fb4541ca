"""What an engine answered against the golden model, or against another engine, bit for bit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gateware.compend import COUNTS
from model.compend import Compend
from model.network import Network

from .engine import Result


__all__ = ["Difference", "Comparison", "compare"]


@dataclass(frozen=True)
class Difference:
    """A place in which two answers part.

    Parameters
    ----------
    name : :class:`str`
        What differs: :py:`layerN.acc`, :py:`layerN.bits` or :py:`layerN.values`,
        :py:`scores.acc`, :py:`scores` or :py:`class`; or :py:`layerN.counts`, of all images
        together, as if they were those of the first.
    image, place : :class:`int`
        Index of the image, and of the neuron or class in it.
    sample : :class:`int`, or None
        Index of the sample, where those of an image are kept apart.
    got, expected : :class:`int`
    cycle : :class:`int`, or None
        When it passed, as :class:`sim.engine.Result` counts; None if the engine cannot tell.
    """

    name: str
    image: int
    place: int
    got: int
    expected: int
    cycle: int | None = None
    sample: int | None = None

    def __str__(self) -> str:
        when = "" if self.cycle is None else f", cycle {self.cycle:,}"
        sample = "" if self.sample is None else f", sample {self.sample}"
        return (f"image {self.image}{sample}, {self.name}[{self.place}]{when}: {self.got} instead "
                f"of {self.expected}")


@dataclass(frozen=True)
class Comparison:
    """How many values were looked at, and which of them differ.

    Parameters
    ----------
    images : :class:`int`
    mismatches : dict of :class:`int`
        Values that differ, for everything that the engine could see.
    where : :class:`Difference`, or None
        The first difference: of the first layer that has one, the first image.
    """

    images: int
    mismatches: dict[str, int]
    where: Difference | None

    @property
    def first(self) -> str:
        """The first difference, in words; empty if there is none."""
        return "" if self.where is None else str(self.where)

    @property
    def total(self) -> int:
        return sum(self.mismatches.values())

    @property
    def seen(self) -> str:
        """What was compared, in words."""
        return ", ".join(self.mismatches)


def compare(network: Network, images: npt.ArrayLike, result: Result,
            against: Result | None = None, counted: Sequence[Any] = ()) -> Comparison:
    """Compare accumulators and activations of each layer, scores, and the class chosen.

    An engine that cannot see inside is held to scores and classes alone.

    Parameters
    ----------
    network : :class:`model.network.Network`
    images : array of :class:`int`, images × inputs
    result : :class:`sim.engine.Result`
        What an engine saw of them.
    against : :class:`sim.engine.Result`, or None
        What another engine saw, which is then what is expected, as far as both see; the golden
        model's :meth:`model.network.Network.trace` if None.
    counted : sequence of :class:`model.schedule.Counts` or None
        What layers should count, as :func:`gateware.compiler.counted` has it, to be compared with
        what the accelerator counted; that is left out where there are none.
    """
    seen = _values(network, result)
    if against is None:
        expected = dict(network.trace(images))
        expected["class"] = np.argmax(expected["scores"], axis=1)[:, None]
        expected |= {f"layer{n}.counts": np.array([[
            getattr(counts, name).sum() for name in COUNTS.members]])
            for n, counts in enumerate(counted) if counts is not None}
        if not counted:
            seen = {name: values for name, values in seen.items() if not name.endswith(".counts")}
    else:
        expected = _values(network, against)
        seen = {name: values for name, values in seen.items() if name in expected}

    mismatches, where = {}, None
    for name, values in seen.items():
        if values.shape != expected[name].shape:
            raise ValueError(f"{name} must be {expected[name].shape}, not {values.shape}")
        places = np.argwhere(values != expected[name])
        mismatches[name] = len(places)
        if len(places) and where is None:
            at = tuple(int(index) for index in places[0])
            where = Difference(name, at[0], at[-1], int(values[at]), int(expected[name][at]),
                               _cycle(result.when, name, at), at[1] if len(at) > 2 else None)
    return Comparison(len(np.asarray(images)), mismatches, where)


def _values(network: Network, result: Result) -> dict[str, np.ndarray]:
    """All that a result says, as the golden model puts it, in the order in which it comes to be."""
    values: dict[str, np.ndarray] = {}
    for n, layer in enumerate(network.all_layers if result.trace is not None else ()):
        assert result.trace is not None
        name = f"layer{n}" if n < len(network.layers) else "scores"
        if not isinstance(layer, Compend):
            values[f"{name}.acc"] = layer.acc_of(result.trace[f"{name}.sums"])
        for seen in (f"{name}.bits", f"{name}.values"):
            if seen in result.trace:
                values[seen] = result.trace[seen]
    return values | {"scores": result.scores, "class": result.best[:, None]} \
        | {name: counts[None] for name, counts in result.counts.items()}


def _cycle(when: Mapping[str, np.ndarray] | None, name: str, at: tuple[int, ...]) -> int | None:
    stamps = (when or {}).get(name.replace(".acc", ".sums"))
    return None if stamps is None else int(stamps[at])
