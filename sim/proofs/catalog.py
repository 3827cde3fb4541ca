"""All proofs there are."""

from . import (
    accelerator,
    accumulate,
    cobs,
    dense,
    encoder,
    exact,
    image_buffer,
    link,
    memories,
    popcount,
    regroup,
    replay,
    scores,
    uart,
)


__all__ = ["PROOFS"]


TOPICS = (popcount, encoder, replay, regroup, accumulate, exact, dense, scores, memories, uart,
          cobs, image_buffer, link, accelerator)

PROOFS = {proof.name: proof for topic in TOPICS for proof in topic.PROOFS}
