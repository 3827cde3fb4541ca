"""Dense layer of multi-bit weights, plane by plane, that stops once its answer is known."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .checks import check_range
from .products import products


__all__ = ["ACTIVATIONS", "Compend", "DETECTIONS", "LIMITS", "Serial", "grain_of"]


ACTIVATIONS = ("relu", "sign", "linear")
DETECTIONS  = ("none", "exact", "speculative")
LIMITS = 256       # with which sums are compared, and 0
MOST_FACTOR = 4    # eighths: half of the most that is to come, which is what comes on average


@dataclass(frozen=True)
class Serial:
    """What hardware of a layer with weights of several bits is made for, beside its size.

    :py:`detection` is the most that there is hardware for; all others are as :class:`Compend` has
    them.
    """

    weight_bits: int
    input_bits: int
    output_bits: int
    acc_bits: int
    activation: str
    detection: str


@dataclass(frozen=True, eq=False)
class Compend:
    """Fully connected layer with weights of several bits and unsigned activations.

    Weights are in inverted two's complement, w = 2^(B−1) · b_(B−1) − Σ 2^k · b_k over k < B − 1:
    their bits are those of −w in two's complement. Planes of bits are taken one after another, most
    significant first. The first adds to a running sum S, which starts with the bias; as activations
    are not negative, all others take away from it. With p planes to come, of an image whose
    activations add up to Σa, what S ends with is

    - never more than S itself, and
    - never less than S − (2^p − 1) · Σa.

    So a neuron whose answer is zero is done when S falls below what anything else needs (early
    negative detection). One whose answer is a sign is also done when S cannot fall as far as that:
    it is compared with 2^p · Σa, which needs no more than the bits of S from p on. Fewer will do
    where Σa is rounded up: to a multiple of 2^:py:`grain`, of which there are at most
    :data:`LIMITS`.

    Of acc = Σ w · a + bias ``"relu"`` gives the floor of acc / 2^shift, but nothing below 0 or
    above 2^output_bits − 1; ``"sign"`` gives 1 where acc ≥ 0, and 0 elsewhere. A threshold t is a
    bias of −t. ``"linear"`` gives acc itself, of which no plane can be left out.

    After D. Lee, S. Kang, K. Choi, "ComPEND: Computation Pruning through Early Negative Detection
    for ReLU in a Deep Neural Network Accelerator", ICS 2018, for ReLU; speculation after SnaPEA
    (V. Akhlaghi et al., ISCA 2018).

    Parameters
    ----------
    weights : array of integers, outputs × inputs
        Between −(2^(B−1) − 1) and 2^(B−1), where B is :py:`weight_bits`.
    bias : array of integers, outputs
        Within ± :py:`top`, beyond which a neuron would never change.
    weight_bits, input_bits : :class:`int`
        Planes, 2 to 16, and bits of an activation, 1 to 8.
    activation : :class:`str`
        ``"relu"``, ``"sign"`` or ``"linear"``.
    shifts : array of integers, outputs
        By how many bits each sum is divided, 0 to :py:`top`'s bits; only for ``"relu"``.
    output_bits : :class:`int`
        Bits of a result, 1 to 8; 1 for ``"sign"``, and :py:`acc_bits` for ``"linear"``, where
        results are signed.
    detection : :class:`str`
        ``"none"``, as it is for ``"linear"``; ``"exact"``, which changes no result; or
        ``"speculative"``, which takes what is to come for at least :py:`factor` eighths, and at
        most all but so many, of the most that it can be. Then a sum that was given up may have been
        a little above zero.
    factor : :class:`int`
        1 to 4.
    acc_bits : :class:`int`, or None
        Bits of the accumulator, in two's complement; by default as many as hold all sums of any
        weights. Fewer will do where these very weights and biases never need them.
    """

    weights: np.ndarray
    bias: np.ndarray
    weight_bits: int = field(default=8, kw_only=True)
    input_bits: int = field(default=8, kw_only=True)
    activation: str = field(default="relu", kw_only=True)
    shifts: np.ndarray | None = field(default=None, kw_only=True)
    output_bits: int = field(default=8, kw_only=True)
    detection: str = field(default="exact", kw_only=True)
    factor: int = field(default=3, kw_only=True)
    acc_bits: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for what, value, among in (("Activation", self.activation, ACTIVATIONS),
                                   ("Detection", self.detection, DETECTIONS)):
            if value not in among:
                raise ValueError(f"{what} must be one of {', '.join(among)}, not {value!r}")
        check_range("Bits of a weight", self.weight_bits, 2, 16)
        check_range("Bits of an activation", self.input_bits, 1, 8)
        if self.activation == "relu":
            check_range("Bits of a result", self.output_bits, 1, 8)
        check_range("Factor in eighths", self.factor, 1, MOST_FACTOR)
        if self.activation != "relu" and self.shifts is not None:
            raise ValueError(f"Shifts must be None for {self.activation}")
        weights = _integers("Weights", self.weights)
        if weights.ndim != 2 or not weights.size:
            raise ValueError(f"Weights must be outputs x inputs, not of shape {weights.shape}")
        object.__setattr__(self, "weights", weights)
        half = 1 << self.weight_bits - 1
        _within(f"Weights of {self.weight_bits} bits", weights, 1 - half, half)
        given = [("Biases", "bias", -self.top, self.top)]
        if self.activation == "relu":
            given.append(("Shifts", "shifts", 0, self.top.bit_length()))
        for what, name, low, high in given:
            value = getattr(self, name)
            values = _integers(what, np.zeros(self.outputs, int) if value is None else value)
            if values.shape != (self.outputs,):
                raise ValueError(f"{what} must be one per output ({self.outputs}), "
                                 f"not {values.shape}")
            _within(what, values, low, high)
            object.__setattr__(self, name, values)
        if self.acc_bits is None:
            object.__setattr__(self, "acc_bits", self.most_acc_bits)
        check_range("Bits of an accumulator", self.acc_bits, self.least_acc_bits, 64)
        if self.activation == "sign":
            object.__setattr__(self, "output_bits", 1)
        if self.activation == "linear":
            object.__setattr__(self, "output_bits", self.acc_bits)
            object.__setattr__(self, "detection", "none")

    @property
    def inputs(self) -> int:
        return self.weights.shape[1]

    @property
    def outputs(self) -> int:
        return self.weights.shape[0]

    @property
    def serial(self) -> Serial:
        """What its hardware is made for."""
        return Serial(**{each.name: getattr(self, each.name) for each in fields(Serial)})

    @property
    def grain(self) -> int:
        """Bits of Σa that are rounded up for comparisons, as :func:`grain_of` has them."""
        return grain_of(self.inputs, self.input_bits)

    @property
    def top(self) -> int:
        """The greatest that a first plane can add: every bit set, every activation the greatest."""
        return self.inputs * (2 ** self.input_bits - 1) << self.weight_bits - 1

    @cached_property
    def planes(self) -> np.ndarray:
        """Bits of the weights, most significant first: planes × outputs × inputs."""
        places = np.arange(self.weight_bits)[::-1]
        return (-self.weights >> places[:, None, None] & 1).astype(bool)

    @property
    def preload(self) -> np.ndarray:
        """What a running sum starts with, so that it is negative where the result is zero."""
        return self.bias if self.shifts is None else self.bias - (1 << self.shifts)

    @property
    def most_acc_bits(self) -> int:
        """Bits that hold every sum of any weights and biases."""
        return (4 * self.top).bit_length() + 1

    @property
    def least_acc_bits(self) -> int:
        """Bits that hold every sum of these weights and biases, whatever the activations."""
        top = 2 ** self.input_bits - 1
        first, *others = (plane.sum(axis=1) * top << p for plane, p
                          in zip(self.planes, reversed(range(self.weight_bits)), strict=True))
        high, low = self.preload + first, self.preload - sum(others)
        return int(max(high.max(), -1 - low.min(), 0)).bit_length() + 1

    def check(self, x: npt.ArrayLike) -> np.ndarray:
        """Activations, once they are known to be integers that fit the layer."""
        x = _integers("Activations", x)
        if not x.ndim or x.shape[-1] != self.inputs:
            raise ValueError(f"Activations must be {self.inputs}, not of shape {x.shape}")
        if x.size:
            _within("Activations", x, 0, 2 ** self.input_bits - 1)
        return x

    def acc(self, x: npt.ArrayLike) -> np.ndarray:
        """W · x + bias for activations, … × inputs: … × outputs."""
        return products(self.check(x), self.weights).astype(np.int64) + self.bias

    def running(self, x: npt.ArrayLike) -> Iterator[tuple[int, np.ndarray]]:
        """After each plane, how many are to come, and the running sums, … × outputs."""
        x = self.check(x)
        sums = self.preload
        for left, plane in zip(reversed(range(self.weight_bits)), self.planes, strict=True):
            added = products(x, plane).astype(np.int64) << left
            sums = sums + (added if left == self.weight_bits - 1 else -added)
            yield left, sums

    def limits(self, x: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """With which multiples of 2^p sums are compared, p planes to come, for each vector.

        A neuron is done below the first, and where signs are asked for at the second or above.
        """
        total = -(-self.check(x).sum(axis=-1) >> self.grain)
        low = self.factor * total >> 3 if self.detection == "speculative" else 0 * total
        return low << self.grain, total - low << self.grain

    def run(self, x: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Results, and planes that it took to know them; each … × outputs."""
        low, high = (limit[..., None] for limit in self.limits(x))
        run = np.full((*np.shape(x)[:-1], self.outputs), self.weight_bits)
        results = np.zeros_like(run)
        for left, sums in self.running(x):
            going = run == self.weight_bits
            if left == 0:
                results = np.where(going, self.result(sums), results)
            elif self.detection != "none":
                up = sums >> left >= high if self.activation == "sign" else np.False_
                done = going & (up | (sums >> left < low))
                results[done & up] = 1
                run[done] = self.weight_bits - left
        return results, run

    def result(self, sums: np.ndarray) -> np.ndarray:
        """What comes of a running sum after the last plane, … × outputs."""
        if self.activation == "linear":
            return sums
        if self.shifts is None:
            return (sums >= 0).astype(np.int64)
        return ((sums >> self.shifts) + 1).clip(0, 2 ** self.output_bits - 1)

    def __call__(self, x: npt.ArrayLike) -> np.ndarray:
        """Results for activations, … × inputs: … × outputs."""
        return self.run(x)[0]


def grain_of(inputs: int, input_bits: int) -> int:
    """Bits by which sums of so many activations are too fine to tell when neurons are done."""
    return max(0, (inputs * (2 ** input_bits - 1)).bit_length() - LIMITS.bit_length() + 1)


def _integers(what: str, values: npt.ArrayLike) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "iub":
        raise TypeError(f"{what} must be integers, not {values.dtype}")
    return values.astype(np.int64)


def _within(what: str, values: np.ndarray, low: int, high: int) -> None:
    if values.min() < low or values.max() > high:
        raise ValueError(f"{what} must be between {low} and {high}, "
                         f"not {values.min()} to {values.max()}")
