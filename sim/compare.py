"""What an engine answered against the golden model, bit for bit."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.network import Network

from .engine import Result


__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """How many values were looked at, and which of them differ.

    Parameters
    ----------
    images : :class:`int`
    mismatches : dict of :class:`int`
        Values that differ, for everything that the engine could see.
    first : :class:`str`
        The first difference, in words; empty if there is none.
    """

    images: int
    mismatches: dict[str, int]
    first: str

    @property
    def total(self) -> int:
        return sum(self.mismatches.values())

    @property
    def seen(self) -> str:
        """What was compared, in words."""
        return ", ".join(self.mismatches)


def compare(network: Network, images: npt.ArrayLike, result: Result) -> Comparison:
    """Compare accumulators and activations of each layer, scores, and the class chosen.

    An engine that cannot see inside is held to scores and classes alone.
    """
    expected = network.trace(images)
    seen: dict[str, np.ndarray] = {}
    for n, layer in enumerate(network.all_layers):
        name = f"layer{n}" if n < len(network.layers) else "scores"
        if result.trace is not None:
            seen[f"{name}.acc"] = layer.acc_of(result.trace[f"{name}.sums"])
            if n < len(network.layers):
                seen[f"{name}.bits"] = result.trace[f"{name}.bits"]
    seen["scores"] = result.scores
    seen["class"] = result.best[:, None]
    expected["class"] = np.argmax(expected["scores"], axis=1)[:, None]

    mismatches, first = {}, ""
    for name, values in seen.items():
        if values.shape != expected[name].shape:
            raise ValueError(f"{name} must be {expected[name].shape}, not {values.shape}")
        places = np.argwhere(values != expected[name])
        mismatches[name] = len(places)
        if len(places) and not first:
            image, place = (int(index) for index in places[0])
            first = (f"image {image}, {name}[{place}]: {values[image, place]} instead of "
                     f"{expected[name][image, place]}")
    return Comparison(len(np.asarray(images)), mismatches, first)
