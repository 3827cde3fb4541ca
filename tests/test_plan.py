from dataclasses import replace

import pytest

from gateware import cost
from gateware.mapping import Mapping, uniform
from gateware.plan import Plan
from model.compend import Serial
from model.encoder import BitSerial, Lookup, Threshold
from model.network import Shape
from model.stochastic import COMBINE, Stochastic


LARGE = Shape(BitSerial(5), (64, 12, 10), 16, 32)
SMALL = Shape(Threshold(3, bits=4), (7, 3), 0, 16)


@pytest.mark.parametrize("shape, pe, simd, sizes, addr_width, control", [
    (LARGE, 3, 5, {
        "layer0.weights": (15, 52, 0x00), "layer0.thresholds": (11, 12, 0x60),
        "layer1.weights": (15, 12, 0x70), "scores.affine": (48, 10, 0x40),
        "control": (32, 2, 0x80)}, 8, 0x80),
    (SMALL, 1, 2, {
        "layer0.weights": (2, 12, 0x00), "scores.affine": (16, 3, 0x10),
        "control": (32, 2, 0x14)}, 5, 0x14),
])
def test_places_of_all_memories(shape, pe, simd, sizes, addr_width, control):
    plan = Plan(shape, uniform(shape, pe=pe, simd=simd))
    assert {name: (region.width, region.depth, region.base)
            for name, region in plan.regions.items()} == sizes
    assert (plan.addr_width, plan.control_address) == (addr_width, control)
    assert list(plan.memories) == list(sizes)[:-1]    # an image does not fill the registers
    assert all(plan.memories[name] is plan.regions[name] for name in plan.memories)
    assert plan.words == -(-shape.inputs // simd)


def test_hash_tells_hardware_apart():
    mapping = uniform(LARGE, pe=1, simd=1)
    plans = [Plan(LARGE, uniform(LARGE, pe=pe, simd=simd)) for pe in (1, 2) for simd in (1, 2)]
    plans += [Plan(Shape(BitSerial(5), (64, 12, 10), 16, 16), mapping),
              Plan(Shape(BitSerial(5), (64, 12, 10), 0, 32), mapping),
              Plan(Shape(Threshold(1, bits=5), (64, 12, 10), 16, 32), mapping),
              Plan(Shape(Threshold(2, bits=5), (64, 12, 10), 16, 32), mapping),
              Plan(LARGE, uniform(LARGE, pe=1, simd=1, storage="logic")),
              Plan(LARGE, uniform(LARGE, pe=1, simd=1, storage=("spram", "block"))),
              *(Plan(LARGE, Mapping(tuple(replace(layer, **more) for layer in mapping.layers)))
                for more in ({"levels": 1}, {"levels": 2}, {"batch": 2}, {"batch": 3}))]
    for tiles in (((8, 2), (8, 2)), ((8, 2), (8, "sign")), ((16, 2), (8, 2))):
        shape = replace(LARGE, tiles=tiles)
        plans.append(Plan(shape, uniform(shape, pe=1, simd=1)))
    assert len({plan.hash for plan in plans}) == len(plans)
    assert Plan(LARGE, mapping).hash == plans[0].hash


@pytest.mark.parametrize("combine", COMBINE)
def test_samples_are_chosen_and_not_built(combine):
    def planned(spec):
        shape = Shape(spec, (64, 12, 10), 0, 16)
        return Plan(shape, uniform(shape, pe=1, simd=4))

    spec = Stochastic(4, combine=combine)
    plan = planned(spec)
    drawn = Plan(replace(plan.shape, encoder=spec.drawing(2)), plan.mapping.drawing(2))
    assert drawn.hash == plan.hash and drawn.regions.keys() == plan.regions.keys()
    assert (drawn.samples, plan.samples) == (4, 4)
    region = plan.memories["samples"]
    assert (region.width, region.depth, region.writable) == (3, 1, True)
    assert drawn.memories["samples"].base == region.base
    assert plan.cycles(1) - drawn.cycles(1) == 12 * 16 * 2
    others = [planned(Stochastic(count, combine=each)) for count in (4, 8) for each in COMBINE]
    assert len({each.hash for each in others}) == 4 and plan.hash in {each.hash for each in others}
    assert "samples" not in planned(Stochastic(1, combine=combine)).regions
    # What the shape draws in one number of samples, the mapping cannot in another.
    with pytest.raises(ValueError, match="^Mapping must draw samples in layer 0 as the shape has "):
        Plan(Shape(Threshold(9), (64, 12, 10), 0, 16), plan.mapping)


def test_what_cannot_be_filled_at_power_up():
    plan = Plan(LARGE, uniform(LARGE, pe=1, simd=1, storage=("block", "spram")))
    assert [name for name in plan.memories if plan.empty(name)] == ["layer1.weights"]
    assert not plan.fills
    assert Plan(LARGE, uniform(LARGE, pe=1, simd=1)).fills


def test_whether_anything_is_in_spram():
    for storage, found in (("spram", True), (("spram", "block"), True), (("block", "spram"), True),
                           ("block", False), ("logic", False)):
        mapping = uniform(LARGE, pe=1, simd=1, storage=storage)
        assert Plan(LARGE, mapping).in_spram == found


def test_cycles_are_those_of_one_round_unless_said():
    plan = Plan(LARGE, uniform(LARGE, pe=3, simd=5))
    cycles = [cost.cycles(plan.mapping, 4, rounds) for rounds in (1, 2, 3)]
    assert plan.cycles(4) == cycles[0] < cycles[1] < cycles[2]
    assert [plan.cycles(4, rounds) for rounds in (1, 2, 3)] == cycles


def test_hash_is_that_of_boards_programmed_before():
    plan = Plan(LARGE, uniform(LARGE, pe=3, simd=5))
    assert plan.hash == bytes.fromhex("eaf16ce52b1be6d3")


@pytest.mark.parametrize("of, mapped, message", [
    ((), ((8, 2), (None, "exact")), r"tiles None in layer 0, as the shape has, not \(8, 2\)$"),
    (((8, 2), (8, 2)), (), r"tiles \(8, 2\) in layer 0, as the shape has, not None$"),
    (((8, 2), (6, 2)), ((8, 2), (6, "sign")), r"tiles \(6, 2\) in layer 1, .* \(6, 'sign'\)$"),
    (((8, 2), (6, 2)), ((16, 2), (6, 2)), r"tiles \(8, 2\) in layer 0, .* not \(16, 2\)$"),
])
def test_tiles_must_be_those_of_the_shape(of, mapped, message):
    shape, other = replace(LARGE, tiles=of), replace(LARGE, tiles=mapped)
    with pytest.raises(ValueError, match=f"^Mapping must have {message}"):
        Plan(shape, uniform(other, pe=1, simd=1))
    for fits in (shape, replace(LARGE, tiles=((9, 2), (None, "exact")))):
        Plan(fits, uniform(fits, pe=3, simd=7))
    # What makes no difference may differ.
    Plan(LARGE, uniform(replace(LARGE, tiles=((8, "exact"), (3, 2))), pe=1, simd=1))


SERIAL = Shape(BitSerial(5), (64, 12, 10), 0, 16,
               serial=(Serial(4, 5, 3, 20, "relu", "speculative"), None))


def test_places_of_layers_of_several_bits():
    plan = Plan(SERIAL, uniform(SERIAL, pe=2, simd=16))
    assert {name: (region.width, region.depth) for name, region in plan.regions.items()} == {
        **{f"layer0.weights{pe}": (16, 6 * 4 * 4) for pe in range(2)},
        **{f"layer0.preloads{pe}": (20, 6) for pe in range(2)},
        "layer0.shifts": (4, 12), "layer0.detection": (4, 1), "layer0.counts": (32, 3),
        "layer1.weights": (24, 5), "scores.affine": (16, 10), "control": (32, 2)}
    assert set(plan.regions) - set(plan.memories) == {"layer0.counts", "control"}
    assert plan.counters == {0: plan.regions["layer0.counts"]}
    assert not plan.counters[0].writable
    mapping = uniform(SERIAL, pe=2, simd=16, storage=("spram", "block"))
    stored = Plan(SERIAL, mapping)
    assert [name for name in stored.memories if stored.empty(name)] \
        == ["layer0.weights0", "layer0.weights1"]
    assert plan.fills and not stored.fills


def test_scores_of_several_bits_have_no_gains():
    linear = Serial(4, 3, 20, 20, "linear", "none")
    shape = replace(SERIAL, serial=(SERIAL.serial[0], linear), score_bits=32)
    plan = Plan(shape, uniform(shape, pe=1, simd=16))
    assert [name for name in plan.regions if name.startswith(("layer1", "scores"))] \
        == ["layer1.weights0", "layer1.preloads0", "layer1.counts"]
    assert sorted(plan.counters) == [0, 1]


def test_hash_tells_layers_of_several_bits_apart():
    mapping = uniform(SERIAL, pe=1, simd=16)
    first = mapping.layers[0]
    plans = [Plan(SERIAL, Mapping((replace(first, **more), mapping.layers[1]))) for more in (
        {}, {"pe": 2}, {"simd": 8}, {"storage": "spram"}, {"levels": 1}, {"skip_zeros": False},
        {"detection": "exact"}, {"detection": "none"})]
    for more in ({"weight_bits": 5}, {"acc_bits": 21}, {"output_bits": 2},
                 {"activation": "sign", "output_bits": 1}):
        shape = replace(SERIAL, serial=(replace(SERIAL.serial[0], **more), None))
        plans.append(Plan(shape, uniform(shape, pe=1, simd=16)))
    assert len({plan.hash for plan in plans}) == len(plans)
    # How a layer detects is chosen at run time; what there is hardware for is the mapping's.
    told = replace(SERIAL, serial=(replace(SERIAL.serial[0], detection="none"), None))
    assert Plan(told, mapping).hash == Plan(SERIAL, mapping).hash


FEW = Shape(BitSerial(2), (64, 32, 10), 0, 16, few=((2, 3), (1, 1)))


def test_hash_tells_layers_of_few_bits_apart():
    shapes = [FEW, replace(FEW, few=()), replace(FEW, few=((2, 2), (1, 1))),
              replace(FEW, few=((3, 3), (1, 1))), replace(FEW, few=((2, 3), (2, 1)))]
    assert len({Plan(shape, uniform(shape, pe=1, simd=16)).hash for shape in shapes}) == 5


def test_pixels_that_are_looked_up_need_no_other_hardware():
    table = Lookup((0, 3, 1, 2), bits=2)
    plans = [Plan(replace(FEW, encoder=encoder), uniform(FEW, pe=1, simd=16))
             for encoder in (BitSerial(2), table)]
    assert plans[0].hash == plans[1].hash and plans[1].sent_bits == 2
    assert plans[1].sent([[1] * 64]).tolist() == [[3] * 64]


def test_places_of_layers_of_few_bits():
    plan = Plan(FEW, uniform(FEW, pe=4, simd=32))
    # Of three bits with 64 inputs, sums take eight; of a neuron in eight cycles seven thresholds.
    assert {name: (region.width, region.depth) for name, region in plan.regions.items()
            if name.startswith("layer0")} \
        == {"layer0.weights": (4 * 32, 32), "layer0.thresholds": (4 * 10, 64)}


@pytest.mark.parametrize("shape, other", [
    (FEW, replace(FEW, few=((2, 2), (1, 1)))), (FEW, replace(FEW, few=((3, 3), (1, 1)))),
    (FEW, replace(FEW, few=())), (replace(FEW, few=()), FEW)])
def test_layers_must_have_the_bits_that_the_shape_has(shape, other):
    with pytest.raises(ValueError, match="^Mapping must have the bits in layer 0 that the shape "
                                         "has$"):
        Plan(shape, uniform(other, pe=1, simd=16))


@pytest.mark.parametrize("shape, other", [
    (SERIAL, LARGE), (LARGE, SERIAL),
    (SERIAL, replace(SERIAL, serial=(replace(SERIAL.serial[0], weight_bits=5), None)))])
def test_weights_must_have_the_bits_that_the_shape_has(shape, other):
    with pytest.raises(ValueError, match="^Mapping must have the weights in layer 0 that the "
                                         "shape has$"):
        Plan(shape, uniform(other, pe=1, simd=16))
