"""All proofs there are."""

from . import (
    accelerator,
    access,
    accumulate,
    batches,
    cobs,
    compend,
    conductance,
    control,
    dense,
    encoder,
    exact,
    first_crossbar,
    frames,
    gather,
    image_buffer,
    lane,
    link,
    memories,
    popcount,
    regroup,
    replay,
    result_bytes,
    results,
    ring,
    scores,
    tally,
    transpose,
    uart,
)


__all__ = ["PROOFS"]


TOPICS = (popcount, encoder, replay, gather, regroup, transpose, batches, accumulate, exact,
          dense, compend, lane, ring, conductance, first_crossbar, scores, tally, memories, control,
          uart, cobs, image_buffer, results, result_bytes, frames, access, link, accelerator)

PROOFS = {proof.name: proof for topic in TOPICS for proof in topic.PROOFS}
