"""All proofs there are."""

from . import (
    accumulate,
    cobs,
    dense,
    encoder,
    memories,
    popcount,
    regroup,
    replay,
    scores,
    uart,
)


__all__ = ["PROOFS"]


TOPICS = (popcount, encoder, replay, regroup, accumulate, dense, scores, memories, uart, cobs)

PROOFS = {proof.name: proof for topic in TOPICS for proof in topic.PROOFS}
