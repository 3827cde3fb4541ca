"""Which planes of bits come to a layer of binary weights."""

from .compend import Compend, Serial
from .dense import Dense
from .encoder import BitSerial, Encoder


__all__ = ["planes_after"]


def planes_after(encoder: Encoder, before: Dense | Compend | Serial | None) \
        -> tuple[tuple[int, ...], bool]:
    """Gains of the planes that go to a layer of binary weights, and whether they are bipolar.

    They come from the encoder where there is no layer before it. Numbers pass as their own bits.
    """
    if before is None:
        return encoder.gains, encoder.bipolar
    if isinstance(before, Dense) or before.activation == "sign":
        return (1,), True
    return BitSerial(before.output_bits).gains, False
