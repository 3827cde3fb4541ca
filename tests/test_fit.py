import inspect
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from gateware import area, cost
from gateware.bus import WORD
from gateware.fit import BATCHES, DEEPEST, EFFORT, ROOM, fit
from gateware.folding import Folding
from gateware.mapping import Mapping, Resources, few, sampling, sizes, uniform, widths
from gateware.serial_folding import SerialFolding
from model.compend import Serial
from model.encoder import BitSerial, Threshold
from model.network import Shape
from model.stochastic import Stochastic

from . import strategies


ICE40 = Resources(5_280, 30, 4_096, 16, "ice40")
UP5K  = Resources(5_280, 30, 4_096, 16, "ice40", spram_blocks=4)
ECP5  = Resources(24_288, 56, 18_432, 36, "ecp5")
DEMO  = Shape(BitSerial(5), (64, 128, 10), 0, 16)
MNIST = Shape(Threshold(128), (784, 300, 10), 0, 16)


def shape_of(encoder, *sizes):
    return Shape(encoder, sizes, 0, 16)


def brute_force(shape, resources, target, effort, batch=1):
    """What `fit` may choose, from all there is, one number of cycles after another."""
    def worth(count):   # what one less would take more rounds than
        return [n for n in range(1, count + 1) if n == 1 or -(-count // (n - 1)) > -(-count // n)]

    def folded(n, inputs, outputs, gains, pe, simd):
        serial = shape.serial_of(n)
        if serial is None:
            return Folding(inputs, outputs, gains, pe, simd, batch=batch, **sampling(shape, n),
                           **few(shape, n))
        return SerialFolding(inputs, outputs, **vars(serial), pe=pe, simd=simd,
                             levels=2 if resources.family == "ice40" else 0)

    every = [[folded(n, inputs, outputs, gains, pe, simd)
              for simd in worth(inputs) if -(-inputs // simd) * len(gains) >= batch
              for pe in worth(outputs)]
             for n, (inputs, outputs, gains) in enumerate(sizes(shape))]
    every[-1] = [folding for folding in every[-1] if folding.lanes == 1]
    steps = []
    for cycles in sorted({folding.interval for layer in every for folding in layer}):
        if cycles < shape.classes:
            continue
        options = []
        for weigh in (lambda blocks, look: blocks / resources.memory_blocks + look / resources.luts,
                      lambda blocks, look: (blocks, look), lambda blocks, look: (look, blocks)):
            chosen = []

            def size(folding, chosen=chosen, weigh=weigh):
                parts = [cost.layer(folding, resources)]
                if not chosen:   # the host's link keeps words of pixels
                    parts.append(area.link(folding, shape.classes, WORD, resources))
                return weigh(*map(sum, zip(*parts, strict=True)))

            for layer in every:
                fast = [folding for folding in layer if folding.interval <= cycles
                        and (batch == 1 or not chosen or folding.simd % chosen[-1].lanes == 0)]
                keeping = [folding for folding in fast
                           if not chosen or cost.pace(chosen[-1], folding) <= cycles]
                if not fast:
                    break
                chosen.append(min(keeping or fast, key=size))
            options.append(chosen)
        if len(options[0]) == len(every):
            steps.append((cycles, options))

    smallest_of_all = cost.estimate(Mapping(tuple(steps[-1][1][-1])), resources,
                                    **widths(shape))
    room = resources.luts if shape.binary else int(ROOM * resources.luts)
    luts = min(room, max(effort, smallest_of_all.luts))
    slowest = None
    previous = None
    able = []
    for cycles, options in steps:
        most = luts if target is None else room
        needs = [cost.estimate(Mapping(tuple(chosen)), resources, **widths(shape))
                 for chosen in options]
        shorts = [{"luts": need.luts > most, "memory": need.memory_blocks > resources.memory_blocks}
                  for need in needs]
        # The first that fits, or the first of all.
        place = next((n for n, short in enumerate(shorts) if not any(short.values())), 0)
        mapping, short = Mapping(tuple(options[place])), shorts[place]
        if target is not None:
            if slowest is None or cycles <= target * batch:
                slowest = Mapping(mapping.layers, "target")
            continue
        slowest = Mapping(mapping.layers, previous or "layers")
        if not any(short.values()):
            # Of these, the first is the fastest. Now and then a slower one fits no more, since
            # the smallest of all takes more of one resource and less of the other.
            if previous is not None or not able:
                able.append(slowest)
            previous = None
        else:
            previous = "memory" if not short["luts"] else \
                "effort" if luts < room else "luts"
    return able or [slowest]


@given(data=st.data(), encoder=strategies.encoders,
       chain=st.lists(st.integers(1, 9), min_size=2, max_size=4),
       target=st.one_of(st.none(), st.none(), st.integers(1, 300)))
def test_fit_is_the_fastest_that_fits_nearby(data, encoder, chain, target):
    luts = data.draw(st.integers(1_100, 3_000))
    resources = Resources(luts, data.draw(st.integers(1, 40)), 4_096, 16, "ice40")
    effort = data.draw(st.sampled_from([luts - 500, luts - 1, luts, luts + 1]))
    shape = shape_of(encoder, *chain)
    assert fit(shape, resources, target=target, effort=effort) \
        in brute_force(shape, resources, target, effort)


@pytest.mark.parametrize("encoder, chain, luts, blocks", [
    # One step more than the fastest is the fastest there is.
    (BitSerial(4), (2, 8, 1), 1_436, 37), (Threshold(1, bits=2), (7, 5, 1), 2_940, 10),
    # Three classes at once would suit the layer before, but one at a time leaves.
    (Threshold(1, bits=2), (6, 7, 5), 2_258, 34), (Threshold(1, bits=2), (7, 7, 5), 2_111, 11),
])
def test_fit_where_a_choice_is_close(encoder, chain, luts, blocks):
    resources = Resources(luts, blocks, 4_096, 16, "ice40")
    shape = shape_of(encoder, *chain)
    assert fit(shape, resources) == brute_force(shape, resources, None, EFFORT)[0]


@pytest.mark.parametrize("encoder, chain, luts, blocks, target, batch", [
    # A layer that waits for words of the one before it, whatever else is as fast.
    (BitSerial(4), (8, 8, 7, 6), 9_000, 100, None, 1),
    (BitSerial(2), (4, 7, 6), 9_000, 100, None, 1), (Threshold(1), (8, 7, 4), 2_549, 8, None, 1),
    # One step less than the fastest is the fastest that fits.
    (BitSerial(4), (9, 3), 2_626, 7, None, 1), (BitSerial(2), (2, 5, 1), 2_111, 9, None, 1),
    # Nothing is fast enough.
    (BitSerial(4), (2, 5, 2), 2_176, 14, 3, 1), (BitSerial(4), (7, 3, 8), 9_000, 100, 3, 3),
    (BitSerial(2), (5, 3, 4, 8), 2_394, 10, 5, 3),
    # Words are parts of the next layer's.
    (BitSerial(2), (1, 3, 9, 2), 2_417, 10, None, 2), (Threshold(1), (7, 5, 4), 2_679, 10, None, 2),
    (BitSerial(4), (6, 9, 8, 7), 9_000, 100, None, 2),
])
def test_fit_where_a_choice_is_close_to_another(encoder, chain, luts, blocks, target, batch):
    resources = Resources(luts, blocks, 4_096, 16, "ice40")
    shape = shape_of(encoder, *chain)
    expected = brute_force(shape, resources, target, EFFORT, batch)[0]
    assert fit(shape, resources, target=target, batch=batch) == expected


@pytest.mark.parametrize("encoder, chain, luts, blocks, target", [
    (BitSerial(4), (1, 4), 9_000, 100, None), (BitSerial(4), (4, 4, 2, 9), 9_000, 100, None),
    (BitSerial(2), (6, 8, 4, 6), 2_582, 6, None), (BitSerial(4), (1, 7), 2_507, 12, 28),
    (BitSerial(4), (4, 4), 9_000, 100, 16)])
def test_the_first_of_equally_good_batches_is_taken(encoder, chain, luts, blocks, target):
    resources = Resources(luts, blocks, 4_096, 16, "ice40")
    shape, found = shape_of(encoder, *chain), []
    for batch in BATCHES:
        try:
            found.append(fit(shape, resources, target=target, batch=batch))
        except ValueError:
            break
    good = [mapping for mapping in found if fits(mapping, resources)
            and target is not None and cycles(mapping) <= target]
    best = max(found, key=lambda mapping: (fits(mapping, resources), -cycles(mapping)))
    assert fit(shape, resources, target=target, batch=None) == [*good, best][0]


def test_batches_that_are_tried():
    assert BATCHES == (1, 2, 4, 8, 16)


def test_effort_is_6000_look_up_tables():
    assert inspect.signature(fit).parameters["effort"].default == EFFORT == 6_000
    large = Resources(50_000, 200, 18_432, 36, "ecp5")
    shape = shape_of(BitSerial(5), 64, 128, 10)
    assert fit(shape, large) == fit(shape, large, effort=EFFORT)
    need = cost.estimate(fit(shape, large), large).luts
    assert need <= EFFORT and fit(shape, large).limit == "effort"


@pytest.mark.parametrize("sizes", [(64, 128, 10), (4, 16, 3), (784, 64, 64, 10), (7, 3)])
@pytest.mark.parametrize("luts", [3_000, 5_280, 40_000])
def test_fit_is_within_its_resources(sizes, luts):
    resources = Resources(luts, 200, 18_432, 36, "ecp5")
    shape = shape_of(BitSerial(5), *sizes)
    mapping = fit(shape, resources)
    assert not cost.estimate(mapping, resources).excess(resources)
    assert mapping.limit in ("luts", "memory", "layers", "effort")
    assert mapping.limit != "luts" or luts <= EFFORT
    # What it says ran out is what one step more would have run out of.
    assert [f.interval for f in mapping.layers] \
        == [f.interval for f in fit(shape, resources, target=mapping.cycles_per_image).layers]


def test_fit_of_the_demo_is_folded():
    mapping = fit(DEMO, ICE40)
    assert mapping.cycles_per_image <= 250
    assert mapping.limit == "memory"


def test_fit_is_faster_with_more():
    small, large = (fit(DEMO, Resources(luts, 200, 18_432, 36, "ecp5")) for luts in (2_500, 8_000))
    assert large.cycles_per_image < small.cycles_per_image


def test_too_large_a_network_says_by_how_much():
    shape = shape_of(BitSerial(8), 784, 512, 10)
    excess = cost.estimate(fit(shape, ICE40), ICE40).excess(ICE40)
    assert excess["memory"] > 0


def cycles(mapping):
    return max(layer.interval for layer in mapping.layers) / mapping.batch


def fits(mapping, resources):
    return not cost.estimate(mapping, resources).excess(resources)


def test_weights_too_many_for_block_ram_go_into_spram():
    mapping = fit(MNIST, UP5K)
    assert [layer.storage for layer in mapping.layers] == ["spram", "block"]
    assert fits(mapping, UP5K)
    # Of 64 bits that are read in a cycle no more than a twentieth is lost.
    assert 784 * 300 / 64 <= cycles(mapping) <= 784 * 300 / 61
    assert not fits(fit(MNIST, ICE40), ICE40)
    # No more than there is, of which a second layer may want some.
    assert cost.estimate(fit(shape_of(Threshold(1), 784, 256, 256, 10), UP5K), UP5K) \
        .spram_blocks <= 4


def test_images_that_share_weights_are_faster_where_memory_is_the_limit():
    mapping = fit(MNIST, UP5K, batch=None)
    assert mapping.batch in BATCHES and fits(mapping, UP5K)
    assert cycles(mapping) <= cycles(fit(MNIST, UP5K)) / 4
    for batch in BATCHES:
        assert cycles(mapping) <= cycles(fit(MNIST, UP5K, batch=batch))
    assert {layer.batch for layer in mapping.layers} == {mapping.batch}


def test_no_more_images_than_a_target_takes():
    alone = cycles(fit(MNIST, UP5K))
    assert fit(MNIST, UP5K, batch=None, target=int(alone) + 1).batch == 1
    several = fit(MNIST, UP5K, batch=None, target=int(alone) - 1)
    assert several.batch == 2 and cycles(several) <= alone - 1
    assert fit(MNIST, UP5K, batch=2, target=5_000).batch == 2


def test_too_many_images_for_small_layers_are_refused():
    with pytest.raises(ValueError, match="^Batch must be smaller than 16 for layers as small as "):
        fit(shape_of(Threshold(1), 4, 3, 2), UP5K, batch=16)
    with pytest.raises(ValueError, match="^Batch must be smaller than 3 for layers as small as "):
        fit(shape_of(Threshold(1), 9, 2, 9), UP5K, batch=3)
    assert fit(shape_of(Threshold(1), 4, 3, 2), UP5K, batch=None).batch <= 2
    # Planes that are drawn one behind another are the hardware's own, and bring no other words.
    drawn = Shape(Stochastic(2), (5, 9, 9), 0, 16)
    assert fit(drawn, UP5K, batch=5).batch == 5
    with pytest.raises(ValueError, match="^Batch must be smaller than 6 for layers as small as "):
        fit(drawn, UP5K, batch=6)


def test_block_ram_is_wide_where_it_runs_out():
    mapping = fit(MNIST, ECP5, effort=20_000)
    assert "wide" in {layer.storage for layer in mapping.layers} and fits(mapping, ECP5)
    assert {layer.levels for layer in mapping.layers} == {2}
    # 36 bits from each of 56 blocks; others wait for pixels, thresholds and the host.
    assert cycles(mapping) <= 784 * 300 / (0.8 * 56 * 36)
    plenty = fit(MNIST, ECP5)
    assert plenty.limit == "effort" and {layer.storage for layer in plenty.layers} == {"block"}
    assert {layer.storage for layer in fit(MNIST, ECP5, target=1_000).layers} == {"block"}
    assert {layer.levels for layer in fit(MNIST, UP5K).layers} == {0}


@pytest.mark.parametrize("tiles, simds, least", [
    # The smallest of all is not the narrowest where counters are shorter for wider words.
    (((16, 2), (8, "sign")), ({1, 2, 4, 8, 16}, {1, 2, 4, 8}), 4),
    (((63, 2), (None, "sign")), ({1, 3, 7, 9, 21, 63}, set(range(1, 13))), 1),
])
def test_fit_words_end_where_tiles_do(tiles, simds, least):
    shape = replace(shape_of(BitSerial(2), 64, 12, 10), tiles=tiles)
    mapping = fit(shape, ICE40)
    assert tuple((layer.tile_rows, layer.sense) for layer in mapping.layers) == tiles
    assert all(layer.simd in able for layer, able in zip(mapping.layers, simds, strict=True))
    # Every SIMD that a tile allows is tried.
    shape = replace(shape, sizes=(64, 2), tiles=tiles[:1])
    fast = fit(shape, Resources(10 ** 6, 10 ** 4, 4_096, 16, "ice40"), effort=10 ** 6)
    assert fast.layers[0].simd == max(simds[0])
    assert fit(shape, ICE40, target=10 ** 6).layers[0].simd == least


SERIAL = Shape(BitSerial(8), (784, 128, 10), 0, 16,
               serial=(Serial(8, 8, 1, 28, "sign", "exact"), None))


@given(data=st.data(), chain=st.tuples(*[st.integers(1, 9)] * 3), target=st.one_of(
    st.none(), st.none(), st.integers(20, 300)))
def test_fit_of_several_bits_is_the_fastest_that_fits_nearby(data, chain, target):
    family = data.draw(st.sampled_from(["ice40", "gowin"]))
    luts = data.draw(st.integers(1_500, 4_000))
    resources = Resources(luts, data.draw(st.integers(1, 60)), 4_096, 16, family)
    effort = data.draw(st.sampled_from([luts - 1_000, int(ROOM * luts), luts]))
    kinds = data.draw(st.sampled_from([
        (Serial(4, 8, 1, 16, "sign", "exact"), None),
        (Serial(4, 8, 8, 16, "relu", "exact"), Serial(4, 8, 20, 20, "linear", "none"))]))
    shape = Shape(BitSerial(8), chain, 0, 20, serial=kinds)
    assert fit(shape, resources, target=target, effort=effort) \
        in brute_force(shape, resources, target, effort)


@given(data=st.data(), chain=st.tuples(*[st.integers(1, 9)] * 3), target=st.one_of(
    st.none(), st.none(), st.integers(1, 300)))
def test_fit_of_few_bits_is_the_fastest_that_fits_nearby(data, chain, target):
    luts = data.draw(st.integers(1_500, 4_000))
    resources = Resources(luts, data.draw(st.integers(1, 60)), 4_096, 16, "ice40")
    effort = data.draw(st.sampled_from([luts - 1_000, luts]))
    bits = data.draw(st.tuples(*[st.tuples(st.integers(1, 4), st.integers(1, 4))] * 2))
    shape = replace(shape_of(BitSerial(2), *chain), few=(bits[0], (bits[1][0], 1)),
                    gain_bits=data.draw(st.sampled_from([0, 16])))
    assert fit(shape, resources, target=target, effort=effort) \
        in brute_force(shape, resources, target, effort)


def test_images_of_few_bits_go_alone():
    shape = replace(shape_of(BitSerial(2), 64, 32, 10), few=((2, 2), (2, 1)))
    with pytest.raises(ValueError, match="^Batch must be 1 where weights or activations have "
                                         "several bits$"):
        fit(shape, ICE40, batch=2)
    assert fit(shape, ICE40, batch=None) == fit(shape, ICE40)


def test_weights_of_several_bits_go_where_there_is_room():
    mapping = fit(SERIAL, UP5K)
    first = mapping.layers[0]
    assert first.storage == "spram" and not cost.estimate(mapping, UP5K).excess(UP5K)
    assert first.detection == "exact" and first.levels == 2
    assert cost.estimate(mapping, UP5K).luts <= ROOM * UP5K.luts
    # A step faster does not fit.
    faster = fit(SERIAL, UP5K, target=mapping.layers[0].interval - 1, effort=10 ** 6)
    assert cost.estimate(faster, UP5K).excess(UP5K)
    assert faster.layers[0].interval < first.interval
    large = fit(SERIAL, replace(ECP5, memory_blocks=208, luts=83_640))
    assert large.layers[0].interval < first.interval and large.layers[0].levels == 1
    with pytest.raises(ValueError, match="^Batch must be 1 where weights have several bits$"):
        fit(SERIAL, UP5K, batch=2)
    assert fit(SERIAL, UP5K, batch=None) == mapping


def test_effort_is_what_the_smallest_takes_where_that_is_more():
    shape = Shape(BitSerial(8), (784, 300, 10), 0, 16,
                  serial=(Serial(8, 8, 1, 28, "sign", "exact"), None))
    large = replace(ECP5, memory_blocks=208, luts=83_640)
    mapping = fit(shape, large)
    luts = cost.estimate(mapping, large).luts
    assert luts > EFFORT and mapping.limit == "effort"
    # No other of the slow ones takes fewer, and what is faster takes more.
    others = [uniform(shape, pe=(pe, 1), simd=(simd, 1), levels=2, serial_levels=1)
              for pe in range(1, 9) for simd in range(98 // pe, 150)]
    assert mapping.layers[0] == min((other.layers[0] for other in others
                                     if other.layers[0].weights(0).depth <= DEEPEST),
                                    key=lambda layer: cost.layer(layer, large)[1])
    assert fit(shape, large, effort=luts) == mapping == fit(shape, large, effort=1)
    faster = fit(shape, large, target=mapping.cycles_per_image - 1)
    assert cost.estimate(faster, large).luts > luts
    assert fit(shape, replace(large, luts=luts - 1)).limit == "luts"


def test_memories_of_weights_have_no_more_rows_than_a_block_can_choose_from():
    shape = Shape(BitSerial(8), (784, 256, 10), 0, 16,
                  serial=(Serial(8, 8, 1, 28, "sign", "exact"), None))
    first = fit(shape, replace(ECP5, memory_blocks=208, luts=83_640)).layers[0]
    assert first.weights(0).depth == DEEPEST == 16_384


def test_scores_of_several_bits_leave_one_at_a_time():
    shape = Shape(BitSerial(8), (20, 30, 10), 0, 32, serial=(
        Serial(8, 8, 8, 24, "relu", "exact"), Serial(8, 8, 26, 26, "linear", "none")))
    mapping = fit(shape, ECP5)
    assert mapping.layers[1].lanes == 1 and mapping.layers[1].inputs == 30
    assert not cost.estimate(mapping, ECP5).excess(ECP5)
