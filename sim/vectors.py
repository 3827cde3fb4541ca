"""Images that bring neurons exactly to their thresholds, and exactly one below them.

Random images, and those of a test set, rarely do: a neuron's sum has thousands of values, and a
threshold that is wrong by one shows on two of them alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from model.encoder import Lookup, Threshold
from model.network import Network
from model.stochastic import Stochastic


__all__ = ["Coverage", "boundary", "coverage"]


BATCH   = 128  # candidates that are tried at once
GROUPS  = 4    # sets of neurons that are aimed at in one round
TARGETS = 128  # neurons in such a set
TRIES   = 6    # rounds without a find after which the rest of a deeper layer is given up
WAYS    = 16   # that are gone in one round
STEPS   = 64   # of one way


@dataclass(frozen=True, eq=False)
class Coverage:
    """Which neurons some images bring to their thresholds.

    Each array has a row for each neuron of one hidden layer, and two columns: the sum that is one
    below the threshold, and the threshold. Sums are the hardware's, as
    :meth:`model.accumulate.Accumulate.sums` has them.

    Parameters
    ----------
    possible : tuple of array of :class:`bool`
        What is not known to be out of reach: a sum below 0 or beyond the greatest, or one that the
        neurons before it, some of which may be constant, never add up to.
    reached : tuple of array of :class:`bool`
    dark : array of :class:`bool`, inputs
        Pixels that no image sets, whose weights therefore count for nothing.
    """

    possible: tuple[np.ndarray, ...]
    reached: tuple[np.ndarray, ...]
    dark: np.ndarray

    @property
    def missing(self) -> tuple[np.ndarray, ...]:
        """What is possible, and not reached."""
        return tuple(can & ~has for can, has in zip(self.possible, self.reached, strict=True))


def coverage(network: Network, images: npt.ArrayLike) -> Coverage:
    """What some images reach of a network's thresholds."""
    sums = _Sums(network)
    values = sums.values(images)
    reached = tuple(np.any(side, axis=0) for side in sums.sides(values))
    return Coverage(sums.possible(), reached, np.all(values == 0, axis=0))


def boundary(network: Network, images: npt.ArrayLike, *, seed: int = 0) -> np.ndarray:
    """Images to add to others, so that each neuron meets its threshold and the sum one below it.

    Together they reach all that the first layer can reach, and set every pixel at least once. In
    layers behind it, and where tiles sense anything but their counts, they reach what a search
    finds; :func:`coverage` says how much that is. There are as few as greedy choice makes them:
    what the given images reach already is left out, and an image is made for many neurons at once.

    Parameters
    ----------
    network : :class:`model.network.Network`
    images : array of :class:`int`, images × inputs
        What there is already; may be empty.
    seed : :class:`int`
        The same arguments give the same images.

    Returns
    -------
    Array of :class:`int`, images × inputs, without those given.
    """
    sums, rng = _Sums(network), np.random.default_rng(seed)
    given = sums.values(images)
    missing = [can & ~side.any(axis=0)
               for can, side in zip(sums.possible(), sums.sides(given), strict=True)]
    added = np.zeros((0, network.inputs), dtype=np.int64)
    # More threads would wait for each other, and could round the least squares differently.
    with threadpool_limits(1, user_api="blas"):
        for n in range(len(network.layers)):
            failures = 0
            while missing[n].any() and failures < TRIES:
                candidates = _aim(sums, missing[0], rng) if n == 0 else \
                    np.concatenate(list(_climb(sums, n, missing[n], given, rng)))
                chosen = _choose(sums, candidates, missing)
                added = np.concatenate([added, chosen])
                failures = 0 if len(chosen) else failures + 1
    if not (given.any(axis=0) | added.any(axis=0)).all():
        light = rng.integers(1, sums.most + 1, (1, network.inputs))
        added = np.concatenate([added, light])
    return sums.pixels(added)


class _Sums:
    """A network seen as sums of values that go from 0 to the most there is.

    With v the value of a pixel, or a bit, and m the most it can be, a sum adds v for each positive
    weight and m − v for each negative one, whatever the encoder. Where tiles sense anything but
    their counts, that is what a sum is near to; :meth:`forward` has it as it is. Where samples of
    an image are kept apart, only the first is looked at, and pixels are as good as bits.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.apart = network.shape.apart
        self.most = 1 if self.apart else sum(network.encoder.gains)
        self.layers, _ = network.binary("looking for images at thresholds")
        self.signs, self.offsets, self.thresholds = [], [], []
        for n, layer in enumerate(self.layers):
            self.signs.append(np.where(layer.weights, 1.0, -1.0))
            self.offsets.append((self.most if n == 0 else 1) * (~layer.weights).sum(axis=1))
            self.thresholds.append(layer.sum_threshold(layer.thresholds))

    def values(self, images: npt.ArrayLike) -> np.ndarray:
        """What the first layer makes of pixels."""
        encoder = self.network.encoder
        pixels = encoder.check(images)
        if isinstance(encoder, Stochastic):
            planes = self.planes(pixels)
            return np.asarray((self.most // planes.shape[1]) * planes.sum(axis=1))
        return (pixels >= encoder.level if isinstance(encoder, Threshold)
                else encoder.fed(pixels)).astype(np.int64)

    def planes(self, pixels: npt.ArrayLike) -> np.ndarray:
        """What the first layer sees of pixels."""
        planes = self.network.encoder(pixels)
        return planes[:, :1] if self.apart else planes

    def pixels(self, values: np.ndarray) -> np.ndarray:
        """Pixels that have these values; they are at the limit between two where there is one.

        Where bits are drawn, or looked up, some values may be out of a pixel's reach: the next one
        is taken.
        """
        encoder = self.network.encoder
        if self.apart:
            return 255 * values
        if isinstance(encoder, Stochastic):
            values = values // encoder.gains[0]
            numbers = encoder.numbers(self.network.inputs, encoder.samples).astype(np.int64)
            least = np.sort(numbers, axis=0).clip(0, 254) + 1
            least = np.concatenate([np.zeros_like(least[:1]), least])
            return np.asarray(np.take_along_axis(least, values, axis=0))
        if isinstance(encoder, Lookup):
            distance = abs(np.array(encoder.table)[:, None] - np.arange(self.most + 1))
            return np.asarray(distance.argmin(axis=0))[values]
        return encoder.level - 1 + values if isinstance(encoder, Threshold) else values

    def within_reach(self, values: np.ndarray) -> np.ndarray:
        """Values that pixels can have, in place of these."""
        return self.values(self.pixels(values))

    def forward(self, values: np.ndarray, depth: int | None = None) -> list[np.ndarray]:
        """Sums of so many layers, images × neurons each. Floating point holds them exactly."""
        result, x = [], values.astype(np.float64)
        for layer, sign, offset, threshold in list(zip(
                self.layers, self.signs, self.offsets, self.thresholds,
                strict=True))[:depth]:
            if layer.exact:
                result.append(x @ sign.T + offset)
            else:
                result.append(layer.sums(x[:, None, :] != 0 if result
                                         else self.planes(self.pixels(values))))
            x = (result[-1] >= threshold).astype(np.float64)
        return result

    def sides(self, values: np.ndarray) -> list[np.ndarray]:
        """Whether each neuron is one below its threshold, and at it: images × neurons × 2."""
        return [np.stack([sums == threshold - 1, sums == threshold], axis=2)
                for sums, threshold in zip(self.forward(values), self.thresholds, strict=True)]

    def possible(self) -> tuple[np.ndarray, ...]:
        """What each layer could reach if all inputs that are not constant were free."""
        result = []
        low, high = np.zeros(self.network.inputs), np.full(self.network.inputs, self.most)
        for layer, sign, offset, threshold in zip(self.layers, self.signs, self.offsets,
                                                  self.thresholds, strict=True):
            up, down = np.maximum(sign, 0), np.maximum(-sign, 0)
            least = up @ low - down @ high + offset
            greatest = up @ high - down @ low + offset
            if not layer.exact:   # a converter may turn a sum either way, but not out of its range
                least, greatest = np.zeros_like(least), np.full_like(greatest, layer.top)
            sides = np.stack([threshold - 1, threshold], axis=1)
            result.append((sides >= least[:, None]) & (sides <= greatest[:, None]))
            low, high = (least >= threshold).astype(float), (greatest >= threshold).astype(float)
        return tuple(result)


def _aim(sums: _Sums, missing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values that bring as many neurons of the first layer as may be to what is missing.

    All accumulators of an image are even, or all are odd, since one step of one pixel changes each
    of them by one: what is aimed at must agree in that.
    """
    sign, offset, most = sums.signs[0], sums.offsets[0], sums.most
    neurons, sides = np.nonzero(missing)
    wanted = sums.thresholds[0][neurons] - 1 + sides - offset[neurons]
    candidates = []
    for _ in range(GROUPS):
        pick = rng.integers(len(wanted))
        alike = np.flatnonzero((wanted - wanted[pick]) % 2 == 0)
        limit = min(TARGETS, sign.shape[1] // 2)
        alike = np.unique(np.append(rng.permutation(alike)[:limit], pick))
        rows, target = sign[neurons[alike]], wanted[alike]
        inverse = np.linalg.pinv(rows)
        values = rng.uniform(0, most, (BATCH, sign.shape[1]))
        for _ in range(8):
            values = np.clip(values + (target - values @ rows.T) @ inverse.T, 0, most)
        values = np.floor(values + rng.random(values.shape)).clip(0, most).astype(np.int64)
        # One neuron of each image is brought to its target for certain.
        sure = rng.integers(len(alike), size=BATCH)
        distance = target[sure] - (values * rows[sure]).sum(axis=1)
        step = np.where(distance[:, None] > 0, rows[sure], -rows[sure])
        end = np.where(step > 0, most, 0)
        order = rng.permuted(np.tile(np.arange(sign.shape[1]), (BATCH, 1)), axis=1)
        candidates.append(_towards(values, end, order, abs(distance)))
    return np.concatenate(candidates)


def _towards(start: np.ndarray, end: np.ndarray, order: np.ndarray,
             steps: np.ndarray) -> np.ndarray:
    """Images that lie so many steps of single values from one image on the way to another."""
    way = np.take_along_axis(abs(end - start), order, axis=1)
    done = np.clip(steps[:, None] - (np.cumsum(way, axis=1) - way), 0, way).astype(np.int64)
    moved = np.zeros_like(done)
    np.put_along_axis(moved, order, done, axis=1)
    return np.where(end > start, start + moved, start - moved)


def _climb(sums: _Sums, n: int, missing: np.ndarray, given: np.ndarray,
           rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Values on whose way some neurons of a deeper layer come nearer to what is missing.

    Each way starts at the nearest of some images, and goes on with the nearest of its variants.
    """
    inputs = sums.network.inputs
    pool = np.concatenate([rng.permutation(given)[:BATCH],
                           rng.integers(0, sums.most + 1, (BATCH, inputs))])
    yield pool
    start = sums.forward(pool, n + 1)[n]
    for neuron, side in rng.permutation(np.argwhere(missing))[:WAYS]:
        wanted = sums.thresholds[n][neuron] - 1 + side
        images, distances = pool, abs(start[:, neuron] - wanted)
        for _ in range(STEPS):
            # Variants of one pixel, and of up to half of them.
            share = np.geomspace(1 / inputs, 0.5, BATCH)[:, None]
            images = np.where(rng.random((BATCH, inputs)) < share,
                              rng.integers(0, sums.most + 1, (BATCH, inputs)),
                              images[np.argmin(distances)])
            yield images
            distances = abs(sums.forward(images, n + 1)[n][:, neuron] - wanted)
            if not distances.all():
                break


def _choose(sums: _Sums, candidates: np.ndarray, missing: list[np.ndarray]) -> np.ndarray:
    """The candidates that reach most of what is missing; strikes that off."""
    candidates = sums.within_reach(candidates)
    sides = sums.sides(candidates)
    chosen: list[int] = []
    enough = 1
    while True:
        gains = sum((side & gap).sum(axis=(1, 2)) for side, gap in zip(sides, missing, strict=True))
        best = int(np.argmax(gains))
        if gains[best] < enough:
            return candidates[chosen]
        # Another round finds better ones than those that reach little of what is left.
        enough = enough if chosen else max(1, int(gains[best]) // 2)
        chosen.append(best)
        for side, gap in zip(sides, missing, strict=True):
            gap &= ~side[best]
