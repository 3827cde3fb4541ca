import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.compend import Compend
from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.errors import InputError
from model.network import BLOCK, Network
from model.scores import Scores
from model.stochastic import Stochastic

from . import strategies


def network():
    rng = np.random.default_rng(0)
    encoder = BitSerial(3)
    hidden = Dense(rng.random((5, 70)) < 0.5, rng.integers(-20, 20, 5), gains=encoder.gains,
                   bipolar=False)
    scores = Scores(rng.random((3, 5)) < 0.5, np.array([1, 2, 3]), np.array([0, -1, 1]))
    return Network(encoder, (hidden,), scores, "digits", ("a", "b", "c"))


@given(data=st.data(), network=st.one_of(
    strategies.networks(exact=True),
    strategies.networks(exact=True, encoder=strategies.apart, min_layers=1)))
def test_trace_is_integer_arithmetic(data, network):
    pixels = st.integers(0, 2 ** network.encoder.bits - 1)
    image = st.lists(pixels, min_size=network.inputs, max_size=network.inputs)
    images = np.array(data.draw(st.lists(image, min_size=1, max_size=4)))
    x, encoder, apart = images, network.encoder, False
    if isinstance(encoder, Threshold):
        x = np.where(images >= encoder.level, 1, -1)
    elif isinstance(encoder, Stochastic):
        numbers = encoder.numbers(network.inputs, encoder.samples)
        x = np.stack([np.where(images > each, 1, -1) for each in numbers], axis=1)
        apart = encoder.combine == "scores" and len(network.layers) > 0
        if not apart:
            x = encoder.most // encoder.samples * x.sum(axis=1)
    trace = network.trace(images)
    for n, layer in enumerate(network.layers):
        acc = x @ (2 * layer.weights - 1).T
        assert (trace[f"layer{n}.acc"] == acc).all()
        x = np.where(acc >= layer.thresholds, 1, -1)
        assert (trace[f"layer{n}.bits"] == (x == 1)).all()
    if apart:
        x = encoder.most // encoder.samples * x.sum(axis=1)
    scores = network.scores.gain * (x @ (2 * network.scores.weights - 1).T) + network.scores.bias
    assert (trace["scores"] == scores).all()
    assert (network.scores_of(images) == scores).all()
    assert network(images).tolist() == [row.tolist().index(max(row)) for row in scores]


@given(data=st.data(), network=st.one_of(
    strategies.networks(max_size=9), strategies.networks(max_size=9, encoder=strategies.drawing)))
def test_fewer_samples_weigh_as_much_as_all(data, network):
    """Sums are those of the first samples, times as many as each stands for."""
    encoder = network.encoder
    if not isinstance(encoder, Stochastic):
        with pytest.raises(ValueError, match="^Samples can be chosen where bits are drawn of "):
            network.drawing(1)
        return
    images = np.random.default_rng(0).integers(0, 256, (5, network.inputs))
    samples = data.draw(st.sampled_from([1, 2, 4][:encoder.most.bit_length()]))
    drawn = network.drawing(samples)
    assert drawn.encoder.most == encoder.most and drawn.shape.built == network.shape.built
    alone = Stochastic(samples, generator=encoder.generator, seed=encoder.seed, bank=encoder.bank)
    planes = alone(images)
    assert (drawn.encoder(images) == planes).all()
    each = encoder.most // samples
    trace = drawn.trace(images)
    acc = trace["layer0.acc"] if network.layers else trace["scores.acc"]
    first = network.all_layers[0]
    if network.layers and encoder.apart:
        expected = first.acc(planes[:, :, None, :])
        last = replace(network.scores, gains=(1,) * samples)
        bits = trace[f"layer{len(network.layers) - 1}.bits"]
        assert (trace["scores.acc"] == each * last.acc(bits)).all()
    else:
        expected = each * replace(first, gains=(1,) * samples, **(
            {"thresholds": 0 * first.thresholds} if network.layers else {})).acc(planes)
    assert (acc == expected).all()
    assert (drawn.scores_of(images) == trace["scores"]).all()
    assert (drawn(images) == np.argmax(trace["scores"], axis=1)).all()


def tiled(network, *tiles):
    """The network with other tiles: rows and sense of each layer."""
    ways = [{"tile_rows": rows, "sense": sense} for rows, sense in tiles]
    return replace(network, scores=replace(network.scores, **ways[-1]), layers=tuple(
        replace(layer, **way) for layer, way in zip(network.layers, ways, strict=False)))


@given(data=st.data(), network=strategies.networks())
def test_layers_sense_as_they_say(data, network):
    images = data.draw(st.integers(0, 999).map(lambda seed: np.random.default_rng(seed).integers(
        0, 2 ** network.encoder.bits, (5, network.inputs))))
    trace, planes = network.trace(images), network.encoder(images)
    apart = network.shape.apart
    if apart:   # each plane by itself, as an image of its own
        planes = planes.reshape(-1, 1, network.inputs)
    for n, layer in enumerate(network.layers):
        acc = trace[f"layer{n}.acc"].reshape(-1, layer.outputs)
        assert (acc == layer.acc_of(layer.sums(planes))).all()
        planes = (acc >= layer.thresholds)[:, None]
    if apart:
        planes = planes.reshape(5, -1, network.scores.inputs)
    assert (trace["scores.acc"] == network.scores.acc_of(network.scores.sums(planes))).all()


def test_shape_tells_tiles_that_hardware_depends_on():
    assert network().shape.tiles == ()
    # Five inputs have four counts between none and all: seven codes are enough.
    assert tiled(network(), (7, "exact"), (None, 3)).shape == network().shape
    assert tiled(network(), (7, "exact"), (None, 2)).shape.tiles == ((7, "exact"), (None, 2))


@pytest.mark.parametrize("tiles", [
    ((7, "exact"), (None, 2)), ((None, "sign"), (5, 1)), ((128, "exact"), (128, "exact"))])
def test_file_keeps_tiles(tmp_path, tiles):
    saved = tiled(network(), *tiles)
    saved.save(tmp_path / "net.npz")
    loaded = Network.load(tmp_path / "net.npz")
    assert tuple((layer.tile_rows, layer.sense) for layer in loaded.all_layers) == tiles
    assert loaded.shape == saved.shape
    with np.load(tmp_path / "net.npz") as file:
        assert json.loads(str(file["ohmbit"]))["format"] == 2
    network().save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as file:
        header = json.loads(str(file["ohmbit"]))
    assert header["format"] == 1 and "tiles" not in header   # as any ohmbit reads it


@given(data=st.data(), network=strategies.serial_networks())
def test_layers_of_several_bits_take_numbers_and_give_them(data, network):
    encoder = network.encoder
    images = np.random.default_rng(data.draw(st.integers(0, 999))).integers(
        0, 2 ** encoder.bits, (6, network.inputs))
    trace = network.trace(images)
    x, bipolar = images, encoder.bipolar
    if not isinstance(network.all_layers[0], Compend):
        x = (np.array(encoder.gains)[:, None] * np.where(
            encoder(images), 1, -1 if bipolar else 0)).sum(axis=1)
        bipolar = None   # has been seen to
    for n, layer in enumerate(network.all_layers):
        final = n == len(network.layers)
        name = "scores" if final else f"layer{n}"
        if isinstance(layer, Compend):
            # An activation that is a bit is 0 or 1 here.
            x = layer(x)
            kind = name if final else f"{name}.{'values' if layer.activation == 'relu' else 'bits'}"
            bipolar = layer.activation == "sign"
            assert (trace.pop(kind) == x).all()
            continue
        acc = (2 * x - 1 if bipolar else x) @ (2 * layer.weights - 1).T
        assert (trace.pop(f"{name}.acc") == acc).all()
        x = layer.gain * acc + layer.bias if final else (acc >= layer.thresholds).astype(int)
        assert (trace.pop("scores" if final else f"{name}.bits") == x).all()
        bipolar = True
    assert not trace
    assert (network.scores_of(images) == x).all()
    assert (network(images) == np.argmax(x, axis=1)).all()


@given(network=strategies.serial_networks())
def test_file_keeps_layers_of_several_bits(tmp_path_factory, network):
    path = tmp_path_factory.mktemp("nets") / "net.npz"
    network.save(path)
    loaded = Network.load(path)
    assert loaded.shape == network.shape and loaded.encoder == network.encoder
    for layer, other in zip(loaded.all_layers, network.all_layers, strict=True):
        assert type(layer) is type(other)
        for name, value in vars(other).items():
            assert np.array_equal(getattr(layer, name), value), name
    with np.load(path) as file:
        assert json.loads(str(file["ohmbit"]))["format"] == 3


def serial(inputs, outputs, **given_):
    return Compend(np.ones((outputs, inputs), int), np.zeros(outputs, int), **given_)


BINARY = Dense(np.ones((3, 4), bool), np.zeros(3, int))
LAST = serial(3, 2, input_bits=1, activation="linear")


@pytest.mark.parametrize("encoder, layers, scores, message", [
    (Threshold(3), (serial(4, 3, activation="sign"),), LAST,
     "Encoder must give whole pixels to a layer of weights of several bits: a BitSerial, "
     "not Threshold"),
    (Stochastic(2, most=2, combine="scores"), (BINARY,), LAST,
     "Samples must not be kept apart where weights or activations have several bits"),
    (BitSerial(7), (serial(4, 3, activation="sign"),), LAST,
     "Activations must have the 7 bits in layer 0 that come there, not 8"),
    (BitSerial(8), (serial(4, 3, output_bits=2),), LAST,
     "Activations must have the 2 bits in layer 1 that come there, not 1"),
    (BitSerial(8), (BINARY,), replace(LAST, input_bits=2, acc_bits=None),
     "Activations must have the 1 bits in layer 1 that come there, not 2"),
    (BitSerial(8), (serial(4, 3, activation="linear"),), LAST,
     "Activation must be linear in the last layer alone, not linear in layer 0 of 2"),
    (BitSerial(8), (), serial(4, 3, activation="relu"),
     "Activation must be linear in the last layer alone, not relu in layer 0 of 1"),
    (BitSerial(8), (), serial(4, 3, activation="linear", acc_bits=33),
     "Scores must have at most 32 bits, not 33"),
])
def test_layers_of_several_bits_where_they_make_no_sense(encoder, layers, scores, message):
    with pytest.raises(ValueError) as error:
        Network(encoder, layers, scores)
    assert str(error.value) == message


@pytest.mark.parametrize("bits, score_bits", [(16, 16), (17, 32), (32, 32)])
def test_scores_are_as_wide_as_accumulators_at_least(bits, score_bits):
    network = Network(BitSerial(1), (), replace(LAST, acc_bits=bits))
    assert (network.shape.gain_bits, network.shape.score_bits) == (0, score_bits)


@pytest.mark.parametrize("images", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
@pytest.mark.parametrize("sizes", [(70, 3), (65, 129, 3), (64, 33, 63, 2)])
def test_scores_without_a_trace_are_those_with_one(images, sizes):
    rng = np.random.default_rng(images)
    layers = [Dense(rng.random((outputs, inputs)) < 0.5, rng.integers(-9, 9, outputs))
              for inputs, outputs in zip(sizes[:-2], sizes[1:-1], strict=True)]
    scores = Scores(rng.random((sizes[-1], sizes[-2])) < 0.5, rng.integers(-9, 9, sizes[-1]),
                    rng.integers(-9, 9, sizes[-1]))
    for encoder in (BitSerial(3), Threshold(2, bits=3)):
        net = Network(encoder, tuple(layers), scores)
        pixels = rng.integers(0, 8, (images, sizes[0]), dtype=np.uint8)
        expected = net.trace(pixels)["scores"]
        found = net.scores_of(pixels)
        assert found.dtype == expected.dtype and found.shape == expected.shape
        assert (found == expected).all()
        assert (net(pixels) == expected.argmax(axis=1)).all()


@pytest.mark.parametrize("images", [0, BLOCK + 1])
def test_pixels_must_fit_the_encoder(images):
    with pytest.raises(TypeError, match="^Pixels must be integers, not float64$"):
        network()(np.zeros((images, 70)))
    pixels = np.zeros((BLOCK + 1, 70), dtype=np.int64)
    pixels[[0, -1], [1, 2]] = 8, 9
    with pytest.raises(ValueError, match="^Pixels must be between 0 and 7, not 0 to 9$"):
        network()(pixels)


@pytest.mark.parametrize("encoder", [BitSerial(3), Threshold(2, bits=3)])
def test_file_keeps_everything(tmp_path, encoder):
    saved = Network(encoder, (Dense(network().layers[0].weights, np.zeros(5, dtype=int)),),
                    network().scores, "digits", ("a", "b", "c"))
    saved.save(tmp_path / "net.npz")
    loaded = Network.load(tmp_path / "net.npz")
    assert (loaded.shape, loaded.dataset, loaded.class_names) \
        == (saved.shape, "digits", ("a", "b", "c"))
    for before, after in zip(saved.all_layers, loaded.all_layers, strict=True):
        for name, value in vars(before).items():
            assert np.array_equal(value, getattr(after, name)), name
    saved.save(tmp_path / "again.npz")
    assert (tmp_path / "net.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_interrupted_write_leaves_what_was_there(tmp_path, monkeypatch):
    network().save(tmp_path / "net.npz")
    before = (tmp_path / "net.npz").read_bytes()

    def full(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        network().save(tmp_path / "net.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]
    assert (tmp_path / "net.npz").read_bytes() == before


def changed(path, **arrays):
    """Save a network, with some of its arrays replaced or, if None, left out."""
    network().save(path)
    with np.load(path) as file:
        contents = dict(file) | arrays
    np.savez(path, **{name: array for name, array in contents.items() if array is not None})


def header(path, **fields):
    network().save(path)
    with np.load(path) as file:
        return np.array(json.dumps(json.loads(str(file["ohmbit"])) | fields))


BAD = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.write_bytes(b""), "not a network file, or cut short"),
    "text": (lambda path: path.write_text("weights"), "not a network file, or cut short"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1])), "not a network file, or cut sh"),
    "foreign": (lambda path: np.savez(path, a=np.ones(3)), "it was not written by ohmbit"),
    "object": (lambda path: changed(path, ohmbit=np.array([{}], dtype=object)), "never loaded"),
    "format": (lambda path: changed(path, ohmbit=header(path, format=9)), "its format is 9"),
    "encoder": (lambda path: changed(path, ohmbit=header(path, encoder={"kind": "Magic"})),
                "its encoder 'Magic' is unknown"),
    "header": (lambda path: changed(path, ohmbit=np.array("{")), "not a network that ohmbit"),
    "chain": (lambda path: changed(path, ohmbit=header(path, sizes=[70, 5, 4])),
              "weights of 4 x 5 cells are missing or of another size"),
    "missing weights": (lambda path: changed(path, **{"layer1.weights": None}), "layer1.weights"),
    "float": (lambda path: changed(path, **{"layer0.thresholds": np.ones(5)}),
              "Thresholds must be integers, not float64"),
    "range": (lambda path: changed(path, **{"layer0.thresholds": np.full(5, 999)}),
              "Thresholds must be between -490 and 491, not 999 to 999"),
    "tiles": (lambda path: changed(path, ohmbit=header(path, format=2)), "tiles"),
    "serial": (lambda path: changed(path, ohmbit=header(
        path, format=3, tiles=[[None, "exact"]] * 2)), "serial"),
    "serial layers": (lambda path: changed(path, ohmbit=header(
        path, format=3, tiles=[[None, "exact"]] * 2, serial=[None])),
        "serial of 1 layers are there, not of 2"),
    "serial weights": (lambda path: changed(path, ohmbit=header(
        path, format=3, tiles=[[None, "exact"]] * 2,
        serial=[vars(serial(4, 3).serial) | {"factor": 1}, None])),
        "weights of 5 x 70 are missing or of another size"),
    "few tiles": (lambda path: changed(path, ohmbit=header(
        path, format=2, tiles=[[None, "exact"]])),
                  "tiles of 1 layers are there, not of 2"),
    "no tile": (lambda path: changed(path, ohmbit=header(
        path, format=2, tiles=[[0, "exact"], [9, 2]])), "Rows must be at least 1, not 0"),
    "no sense": (lambda path: changed(path, ohmbit=header(
        path, format=2, tiles=[[7, "exact"], [None, 9]])),
                 "Sense must be exact, sign, or 1 to 8 bits, not 9"),
    "names": (lambda path: changed(path, ohmbit=header(path, class_names=["a"])),
              r"Class names must be one per class \(3\), not 1"),
}


@pytest.mark.parametrize("make, message", BAD.values(), ids=BAD)
def test_bad_file_is_one_clear_line(tmp_path, make, message):
    path = tmp_path / "net.npz"
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        Network.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_file_cut_short_is_refused(tmp_path, share):
    network().save(tmp_path / "net.npz")
    whole = (tmp_path / "net.npz").read_bytes()
    (tmp_path / "net.npz").write_bytes(whole[:int(share * len(whole))])
    with pytest.raises(InputError, match="not a network file, or cut short"):
        Network.load(tmp_path / "net.npz")


def test_damaged_file_is_refused(tmp_path):
    network().save(tmp_path / "net.npz")
    whole = (tmp_path / "net.npz").read_bytes()
    images = np.random.default_rng(0).integers(0, 8, (20, 70))
    refused = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        (tmp_path / "net.npz").write_bytes(damaged)
        try:
            loaded = Network.load(tmp_path / "net.npz")
        except InputError:
            refused += 1
        else:   # the archive says some things twice, and a few not at all
            assert (loaded.scores_of(images) == network().scores_of(images)).all()
    assert refused > len(whole) / 7 / 3


def test_layers_must_chain():
    with pytest.raises(ValueError, match="^Layers must chain: layer 0 has 5 outputs and layer 1 "
                                         "takes 6 inputs$"):
        Network(BitSerial(3), network().layers,
                Scores(np.ones((2, 6), dtype=bool), np.ones(2, dtype=int), np.zeros(2, dtype=int)))


def test_images_must_have_the_right_size():
    with pytest.raises(ValueError, match=r"^Images must have 70 pixels, not shape \(1, 71\)$"):
        network()(np.zeros((1, 71), dtype=np.uint8))
