# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.ring import Ring
from model.packing import pack_fields
from sim.bench import feed

from . import strategies
from .traffic import idle_bits, memories, ports, registers, simulate


def kept(image, least):
    """Indices of the words of an image that go round."""
    left_out, indices = 0, []
    for index, word in enumerate(image):
        if any(word) or left_out == len(image) - least:
            indices.append(index)
        else:
            left_out += 1
    return indices


def held_for(dut, images, least, turns, waits, stalls=(0,), *, vcd=None, empty=0, grain=0,
             limit=100):
    """Start each image after some cycles, let it go round for so many words, and look at them.

    So many places of the last word are empty, and nothing comes for them.
    """
    words = []
    for image in images:
        coming = [*np.ravel(image[:-1]), *image[-1][empty:]]
        words += pack_fields(coming, 3, len(dut.i.payload))

    async def producer(ctx):
        await feed(ctx, dut.i, words, stalls)

    async def tb(ctx):
        for image, turn, wait in zip(images, turns, waits, strict=True):
            ctx.set(dut.room, 0)
            for _ in range(wait):
                _, _, start = await ctx.tick().sample(dut.start)
                assert not start
            ctx.set(dut.room, 1)
            start = 0
            for _ in range(limit):
                _, _, start, *about = await ctx.tick().sample(dut.start, dut.rounds, dut.total)
                if start:
                    break
            indices = kept(image, least)
            expected = [len(indices), -(-sum(map(sum, image)) >> grain)]
            assert start and about == expected
            ctx.set(dut.room, turn % 2)   # it does not matter while an image goes round
            for n in range(turn):
                ctx.set(dut.end, n == turn - 1)
                _, _, start, index, word, *about = await ctx.tick().sample(
                    dut.start, dut.index, dut.word, dut.rounds, dut.total)
                assert not start and about == expected
                assert index == indices[n % len(indices)]
                assert list(word) == list(image[index])
            ctx.set(dut.end, 0)

    simulate(dut, tb, producer, vcd=vcd)


images = st.integers(1, 5).flatmap(lambda words: st.lists(st.lists(st.one_of(
    st.just([0, 0]), st.lists(st.integers(0, 7), min_size=2, max_size=2)),
    min_size=words, max_size=words), min_size=1, max_size=5))


@given(data=st.data(), images=images, stalls=strategies.stalls)
def test_words_that_are_not_zero_go_round(data, images, stalls):
    least = data.draw(st.integers(1, len(images[0])))
    turns, waits = (data.draw(st.lists(st.integers(low, 12), min_size=len(images),
                                       max_size=len(images))) for low in (1, 0))
    held_for(Ring(simd=2, bits=3, words=len(images[0]), least=least), images, least, turns, waits,
             stalls)


@given(data=st.data(), simd=st.sampled_from([2, 4, 6]), words=st.integers(1, 4),
       grain=st.integers(0, 4), stalls=strategies.stalls, seed=st.integers(0, 999))
def test_words_are_made_of_what_comes_a_little_at_a_time(data, simd, words, grain, stalls, seed):
    pixels = data.draw(st.sampled_from([each for each in (1, 2, 3) if simd % each == 0]))
    empty = pixels * data.draw(st.integers(0, simd // pixels - 1))
    least = data.draw(st.integers(1, words))
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 8, (3, words, simd)) * (rng.random((3, words, 1)) < 0.5)
    images[:, -1, :empty] = 0
    dut = Ring(simd=simd, bits=3, words=words, pixels=pixels, least=least, grain=grain,
               entering=(words * simd - empty) // pixels)
    # Of 24 activations each may come seven cycles after the one before.
    held_for(dut, images.tolist(), least, [5, 1, 9], [0, 30, 2], stalls, empty=empty, grain=grain,
             limit=200)


@pytest.mark.parametrize("given_, message", [
    ({"pixels": 3}, "Pixels must divide the 4 activations of a word, not 3"),
    ({"pixels": 5}, "Pixels must be between 1 and 4, not 5"),
    ({"pixels": 2, "entering": 4}, "Entering must be between 5 and 6, not 4"),
    ({"pixels": 2, "entering": 7}, "Entering must be between 5 and 6, not 7"),
    ({"grain": -1}, "Grain must be at least 0, not -1")])
def test_what_comes_must_fill_the_words(given_, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Ring(simd=4, bits=2, words=3, **given_)


@pytest.mark.parametrize("simd, pixels, entering, grain, widths", [
    (4, 1, 9, 2, {"part": 2, "held": 9, "came": 4, "total": 5}),
    (4, 2, 5, 0, {"part": 1, "held": 6, "came": 3, "total": 7}),
    (6, 2, 8, 3, {"part": 2, "held": 12, "came": 3, "total": 4})])
def test_what_is_held_of_a_word_is_no_more_than_has_come(simd, pixels, entering, grain, widths):
    dut = Ring(simd=simd, bits=3, words=3, pixels=pixels, entering=entering, grain=grain)
    found = {name: width for name, (width, _) in registers(dut).items()}
    assert {name: found[name] for name in ("part", "held", "came")} == {
        name: widths[name] for name in ("part", "held", "came")}
    assert ports(dut)["total"] == widths["total"] and found["totals"] == 2 * widths["total"]
    assert registers(dut)["added"] == (
        ((entering - 1) * pixels * 7 + 2 ** grain - 1).bit_length(), 2 ** grain - 1)


def test_an_image_can_start_two_cycles_after_its_last_word_and_another_be_there():
    dut, seen = Ring(simd=1, bits=1, words=3), []

    async def producer(ctx):
        await feed(ctx, dut.i, [1] * 9)

    async def tb(ctx):
        for cycle in range(15):
            ctx.set(dut.room, cycle != 10)
            ctx.set(dut.end, cycle in (9, 12))
            _, _, taken, start = await ctx.tick().sample(dut.i.valid & dut.i.ready, dut.start)
            seen.append((taken, start))

    simulate(dut, tb, producer)
    taken, started = zip(*seen, strict=True)
    assert [n for n, each in enumerate(taken) if each] == [0, 1, 2, 3, 4, 5, 10, 11, 12]
    assert [n for n, each in enumerate(started) if each] == [4, 11, 14]


def test_nothing_is_wider_than_it_has_to_be(tmp_path):
    dut = Ring(simd=2, bits=3, words=5)
    assert ports(dut) == {"i_payload": 6, "i_valid": 1, "i_ready": 1, "room": 1, "end": 1,
                          "start": 1, "word": 6, "index": 3, "rounds": 3, "total": 7}
    assert memories(dut) == {"words": (6, 16), "indices": (3, 16)}
    rng = np.random.default_rng(0)
    words = (rng.integers(0, 8, (40, 5, 2)) * (rng.random((40, 5, 1)) < 0.5)).tolist()
    held_for(dut, [[[0, 0]] * 5, *words, *[[[7, 7]] * 5] * 3], 1, [9] * 44, [9, 0] * 22,
             vcd=tmp_path / "vcd")
    assert set(idle_bits(tmp_path / "vcd")) <= {"en"}   # always read


@pytest.mark.parametrize("simd, bits, words, least", [
    (1, 1, 3, 1), (1, 1, 4, 1), (1, 1, 5, 2), (2, 3, 4, 4), (3, 1, 8, 1), (1, 2, 7, 3),
    (1, 1, 9, 1), (1, 1, 1, 1)])
def test_registers_hold_what_they_may_be_and_no_more(simd, bits, words, least):
    dut, most = Ring(simd=simd, bits=bits, words=words, least=least), simd * (2 ** bits - 1)
    found = ports(dut)
    index, rounds, total = (top.bit_length() for top in (words - 1, words, words * most))
    assert [found[name] for name in ("index", "rounds", "total")] == [index, rounds, total]
    widths = {"rounds": 2 * rounds, "totals": 2 * total, "full": 2, "bank": 1, "turn": 1,
              "seen": simd * bits + 3, "going": 1, "index": index, "kept": index,
              "out": (words - least).bit_length(), "added": ((words - 1) * most).bit_length()}
    # Of no bits at all are those that could only be 0.
    assert {name: width for name, (width, start) in registers(dut).items()
            if name in widths and not start} == {
                name: width for name, width in widths.items() if width}


def test_a_single_word_has_no_index_to_keep():
    assert memories(Ring(simd=2, bits=3, words=1)) == {"words": (6, 2)}


@pytest.mark.parametrize("name, said", [("simd", "SIMD"), ("bits", "Bits"), ("words", "Words"),
                                        ("least", "Least")])
def test_bad_sizes(name, said):
    sizes = {"simd": 2, "bits": 2, "words": 2, "least": 1}
    with pytest.raises(ValueError, match=f"^{said} must be at least 1, not 0$"):
        Ring(**sizes | {name: 0})
    with pytest.raises(TypeError, match=f"^{said} must be an integer, not 1.5$"):
        Ring(**sizes | {name: 1.5})


def test_no_more_words_can_be_kept_than_there_are():
    with pytest.raises(ValueError,
                       match="^Least must be at most the 3 words of an image, not 4$"):
        Ring(simd=1, bits=1, words=3, least=4)
