from dataclasses import replace

import numpy as np
import pytest

from gateware.mapping import Mapping, uniform
from gateware.pixels import pixel_rows, pixel_words
from model.encoder import BitSerial, Lookup
from model.network import Shape


def test_pixels_are_cut_into_words():
    shape = Shape(BitSerial(3), (5, 2), 0, 16)
    words = pixel_words([[1, 2, 3, 4, 5], [7, 0, 6, 1, 7]], shape, uniform(shape, pe=1, simd=2))
    assert words == [0o21, 0o43, 0o5, 0o07, 0o16, 0o7]
    with pytest.raises(ValueError, match="^Pixels must be between 0 and 7, not 1 to 8$"):
        pixel_words([[1, 2, 3, 4, 8]], shape, uniform(shape, pe=1, simd=2))


def test_pixels_are_looked_up_before_they_are_cut():
    shape = Shape(Lookup((5, 1, 2, 7), bits=2), (5, 2), 0, 16)
    words = pixel_words([[0, 1, 2, 3, 0]], shape, uniform(shape, pe=1, simd=2))
    # What only fills up the last word is looked up nowhere.
    assert words == [0o15, 0o72, 0o05]


@pytest.mark.parametrize("bits, simd", [
    (1, 1), (1, 7), (1, 8), (2, 4), (3, 5), (5, 3), (8, 1), (7, 9), (3, 21), (8, 8)])
@pytest.mark.parametrize("batch", [2, 3])
def test_the_last_word_of_a_run_is_marked_where_images_go_in_batches(bits, simd, batch):
    shape = Shape(BitSerial(bits), (30, 2), 0, 16)
    mapping = uniform(shape, pe=1, simd=simd)
    batched = Mapping(tuple(replace(layer, batch=batch) for layer in mapping.layers))
    images = np.random.default_rng(bits).integers(0, 2 ** bits, (3, 30))
    place = bits * simd
    *words, last = pixel_words(images, shape, mapping)
    assert max(*words, last) < 1 << place
    assert pixel_words(images, shape, batched) == [*words, last | 1 << place]
    rows = pixel_rows(images, shape, batched)
    assert rows.shape == (len(words) + 1, -(-(place + 1) // 8))
    assert pixel_rows(images, shape, mapping).shape == (len(words) + 1, -(-place // 8))
