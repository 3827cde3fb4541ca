"""All that hardware for a network is made for."""

from dataclasses import dataclass, replace

from .compend import Serial
from .encoder import Encoder
from .planes import planes_after


__all__ = ["Shape"]


@dataclass(frozen=True)
class Shape:
    """All that hardware is made for; networks of one shape can take each other's place in it.

    :py:`sizes` holds the number of inputs, of neurons in each hidden layer, and of classes.
    :py:`tiles` holds :py:`tile_rows` and :py:`sense` of each layer, as
    :class:`model.accumulate.Accumulate` has them; nothing where all layers are exact, whose
    hardware does not depend on it. :py:`serial` says of each layer what a
    :class:`model.compend.Compend` needs, or None of others; it is empty where there are no such.
    :py:`few` holds bits of a weight and of an activation of the others; it is empty where all
    are 1.
    """

    encoder: Encoder
    sizes: tuple[int, ...]
    gain_bits: int
    score_bits: int
    tiles: tuple[tuple[int | None, str | int], ...] = ()
    serial: tuple[Serial | None, ...] = ()
    few: tuple[tuple[int, int], ...] = ()

    @property
    def inputs(self) -> int:
        return self.sizes[0]

    @property
    def classes(self) -> int:
        return self.sizes[-1]

    @property
    def apart(self) -> bool:
        """Whether hidden layers take one plane of an image after another."""
        return self.encoder.apart and len(self.sizes) > 2

    @property
    def binary(self) -> bool:
        """Whether all weights and activations have one bit."""
        return not self.serial and not self.few

    @property
    def built(self) -> "Shape":
        """What hardware is built for; at run time it may draw fewer samples."""
        return replace(self, encoder=self.encoder.built)

    def serial_of(self, n: int) -> Serial | None:
        """What a :class:`model.compend.Compend` needs, or None where a layer is something else."""
        return self.serial[n] if self.serial else None

    def few_of(self, n: int) -> tuple[int, int]:
        """Bits of a weight and of an activation of a layer of crossbars."""
        return self.few[n] if self.few else (1, 1)

    def planes_of(self, n: int) -> tuple[tuple[int, ...], bool]:
        """Gains of the planes that a layer of crossbars takes, and whether they are bipolar.

        Where planes are kept apart, each has a pass of its own.
        """
        if n and self.serial_of(n - 1) is None:
            return planes_after(self.encoder, self.few_of(n - 1)[1])
        gains, bipolar = planes_after(self.encoder, self.serial_of(n - 1) if n else None)
        return (1,) if self.apart else gains, bipolar

    def __str__(self) -> str:
        return "-".join(map(str, self.sizes))
