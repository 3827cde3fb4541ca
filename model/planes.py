"""Which planes of bits come to a layer of binary weights."""

from .compend import Compend, Serial
from .dense import Dense
from .encoder import BitSerial, Encoder


__all__ = ["planes_after"]


def planes_after(encoder: Encoder, before: Dense | Compend | Serial | int | None) \
        -> tuple[tuple[int, ...], bool]:
    """Gains of the planes that go to a layer of crossbars, and whether they are bipolar.

    They come from the encoder where there is no layer before it. Numbers pass as their own bits;
    of a :class:`model.dense.Dense`, how many it gives will do.
    """
    if before is None:
        return encoder.gains, encoder.bipolar
    bits = before if isinstance(before, int) else before.output_bits
    if bits == 1 and not (isinstance(before, Compend | Serial) and before.activation == "relu"):
        return (1,), True
    return BitSerial(bits).gains, False
