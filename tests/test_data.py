import gzip
import hashlib
import io
import os
import pathlib
import tarfile
import urllib.error
from dataclasses import replace

import numpy as np
import pytest

from model import cifar, data, fetch, idx, mnist
from model.errors import InputError


DATA = pathlib.Path(os.environ.get("OHMBIT_DATA", "nowhere")).absolute()

needs_mnist = pytest.mark.skipif(not (DATA / "mnist").is_dir(),
                                 reason="set OHMBIT_DATA to a folder with mnist/")
needs_fashion = pytest.mark.skipif(not (DATA / "fashion-mnist").is_dir(),
                                   reason="set OHMBIT_DATA to a folder with fashion-mnist/")


def idx_bytes(array):
    array = np.asarray(array, dtype=np.uint8)
    return bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape) \
        + array.tobytes()


def write_mnist(folder, train=5, test=3, suffix=".gz"):
    """Four small files in MNIST's format; return their arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.integers(0, 256, (train, 4, 6)), "y_train": np.arange(train) % 10,
              "x_test": rng.integers(0, 256, (test, 4, 6)), "y_test": np.arange(test) % 10}
    for part, array in arrays.items():
        content = idx_bytes(array)
        if suffix:
            content = gzip.compress(content)
        (folder / f"{mnist.FILES[part]}{suffix}").write_bytes(content)
    return arrays


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No network, an empty cache, nothing in the environment; the URLs that were asked for."""
    asked = []

    def refuse(url, timeout):
        asked.append(url)
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(fetch.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(fetch.platformdirs, "user_cache_path", lambda name: tmp_path / "cache")
    monkeypatch.delenv("OHMBIT_DATA", raising=False)
    return asked


def serve(monkeypatch, content):
    """Answer requests from a dict of URLs; others fail."""
    def urlopen(url, timeout):
        if url not in content:
            raise urllib.error.URLError("no such page")
        return io.BytesIO(content[url])
    monkeypatch.setattr(fetch.urllib.request, "urlopen", urlopen)


def one_line(error, *parts):
    """Whether an error is one line that says all of :py:`parts`."""
    text = str(error.value)
    return "\n" not in text and all(str(part) in text for part in parts)


# ---- digits and iris ----

def test_digits():
    digits = data.load("digits")
    assert (digits.x_train.shape, digits.x_test.shape) == ((1437, 64), (360, 64))
    assert (digits.bits, digits.image_shape, digits.classes) == (5, (8, 8), 10)
    assert digits.x_train.dtype == np.uint8 and digits.x_train.max() == 16
    assert np.bincount(digits.y_test).min() >= 34       # stratified
    again = data.load("digits")
    assert (again.x_test == digits.x_test).all() and (again.y_train == digits.y_train).all()
    # The split is published with every accuracy: it must not move from one version to the next.
    assert hashlib.sha256(digits.x_test.tobytes() + digits.y_test.astype("<i8").tobytes()) \
        .hexdigest().startswith("3ea49a6c5c1f0810")


def test_iris():
    iris = data.load("iris")
    assert (iris.x_train.shape, iris.x_test.shape) == ((120, 4), (30, 4))
    assert (iris.bits, iris.classes, iris.inputs) == (8, 3, 4)
    assert iris.class_names == ("setosa", "versicolor", "virginica")
    assert np.bincount(iris.y_test).tolist() == [10, 10, 10]


def test_training_set_alone_sets_the_ranges_of_iris(monkeypatch):
    monkeypatch.setattr(data, "_split", lambda x, y, size: [x[:50], x[50:], y[:50], y[50:]])
    iris = data.load("iris")
    assert (iris.x_train.min(axis=0) == 0).all() and (iris.x_train.max(axis=0) == 255).all()
    # Petals of the first class are all smaller than the others': these are clipped, not wrapped.
    assert (iris.x_test[:, 2:] == 255).all()


def test_unknown_dataset_lists_the_known():
    with pytest.raises(InputError) as error:
        data.load("imagenet")
    assert one_line(error, "imagenet", "FILE.npz", *data.NAMES)


# ---- datasets in memory ----

@pytest.mark.parametrize("change, kind, message", [
    (dict(x_test=np.ones((2, 3))), TypeError, "x_test must be integers, not float64"),
    (dict(y_test=np.array([0.0, 1.0])), TypeError, "y_test must be integers, not float64"),
    (dict(x_test=np.ones((2, 3, 1), dtype=int)), ValueError, "x_test must have 2 dimension"),
    (dict(x_test=np.full((2, 3), -1)), ValueError, "pixels of x_test must be between 0 and 7"),
    (dict(x_train=np.full((4, 3), 8)), ValueError, "pixels of x_train must be between 0 and 7"),
    (dict(y_test=np.array([0, 2])), ValueError, "labels of y_test must be between 0 and 1"),
    (dict(y_train=np.array([0, -1, 0, 0])), ValueError, "labels of y_train must be between 0 and"),
    (dict(y_test=np.array([0])), ValueError, "x_test and y_test must be equally many, not 2 and 1"),
    (dict(x_train=np.ones((4, 2), dtype=int)), ValueError, "x_train must have 3 pixels an image"),
    (dict(x_test=np.ones((0, 3), dtype=int), y_test=np.ones(0, dtype=int)), ValueError,
     "x_test must hold at least one image"),
    (dict(bits=9), ValueError, "bits must be between 1 and 8, not 9"),
])
def test_dataset_checks_itself(change, kind, message):
    good = data.Dataset("good", np.ones((4, 3), dtype=int), np.zeros(4, dtype=int),
                        np.full((2, 3), 7), np.array([0, 1]), (3,), ("a", "b"), bits=3)
    assert (good.x_test.dtype, good.y_test.dtype) == (np.uint8, np.int64)
    with pytest.raises(kind, match=f"^{message}"):
        replace(good, **change)


@pytest.mark.parametrize("share, count", [(0.25, 1), (0.01, 1), (0.5, 2), (0.99, 3)])
def test_the_last_training_images_can_be_held_out(share, count):
    whole = data.Dataset("whole", np.arange(8).reshape(4, 2), np.array([0, 1, 1, 0]),
                         np.full((2, 2), 7), np.array([0, 1]), (2,), ("a", "b"), bits=3)
    found = whole.held_out(share)
    assert (np.concatenate([found.x_train, found.x_test]) == whole.x_train).all()
    assert (np.concatenate([found.y_train, found.y_test]) == whole.y_train).all()
    assert len(found.y_test) == count
    for wrong in (0, 1, -0.5):
        with pytest.raises(ValueError, match=f"^Share held out must be .* not {wrong}"):
            whole.held_out(wrong)
    with pytest.raises(ValueError, match="^x_test must hold at least one image"):
        found = replace(whole, x_train=whole.x_train[:1], y_train=whole.y_train[:1])
        found.held_out(share)


# ---- IDX ----

@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("how", ["folder", "direct", "variable"])
def test_idx_datasets_from_disk(tmp_path, monkeypatch, offline, suffix, name, how):
    arrays = write_mnist(tmp_path / "d" / ("" if how == "direct" else name), suffix=suffix)
    if how == "variable":
        monkeypatch.setenv("OHMBIT_DATA", str(tmp_path / "d"))
    dataset = data.load(name, None if how == "variable" else tmp_path / "d")
    for part in ("x_train", "x_test"):
        assert (getattr(dataset, part) == arrays[part].reshape(-1, 24)).all()
    assert (dataset.y_train == arrays["y_train"]).all() and dataset.image_shape == (4, 6)
    assert (dataset.name, dataset.bits, dataset.classes) == (name, 8, 10)
    assert not offline      # whatever these files hold, they were the user's own


def test_folder_of_the_name_comes_first(tmp_path):
    write_mnist(tmp_path, test=3)
    write_mnist(tmp_path / "mnist", test=7)
    assert len(data.load("mnist", tmp_path).x_test) == 7


def test_folder_asked_for_hides_the_variable(tmp_path, monkeypatch):
    write_mnist(tmp_path / "a", test=3)
    write_mnist(tmp_path / "b", test=7)
    monkeypatch.setenv("OHMBIT_DATA", str(tmp_path / "b"))
    assert len(data.load("mnist", tmp_path / "a").x_test) == 3


def test_folder_must_exist(tmp_path, monkeypatch):
    with pytest.raises(InputError) as error:
        data.load("mnist", tmp_path / "none")
    assert one_line(error, tmp_path / "none", "--data", "create it")
    monkeypatch.setenv("OHMBIT_DATA", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"\$OHMBIT_DATA must be a folder that exists"):
        data.load("mnist")


def test_missing_file_says_where_from_and_where_to(tmp_path, offline):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError) as error:
        data.load("mnist", tmp_path)
    assert one_line(error, "t10k-labels-idx1-ubyte.gz", "no network", offline[0],
                    tmp_path / "cache" / "data" / "mnist")
    assert offline == [mirror + "t10k-labels-idx1-ubyte.gz" for mirror in mnist.MIRRORS["mnist"]]


GOOD = idx_bytes(np.arange(24).reshape(2, 3, 4))
PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize("content, message", [
    (b"", "starts with nothing"),
    (GOOD[:3], "starts with 00 00 08, and"),
    (b"\x00\x00\x08\x01" + GOOD[4:], "starts with 00 00 08 01, and an IDX file of bytes in 3"),
    (b"\x00\x00\x0d\x03" + GOOD[4:], "starts with 00 00 0d 03"),
    (b"<html>sorry</html>", "starts with 3c 68 74 6d"),
    (GOOD[:11], "header is cut short after 11 bytes"),
    (GOOD[:-1], "promises 2 x 3 x 4 bytes, and 23 follow"),
    (GOOD + b"\x00", "promises 2 x 3 x 4 bytes, and 25 follow"),
    (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "promises 4294967295 x 4294967295 x 4294967295 bytes"),
    (PACKED[:-9], "damaged or cut short"),
    (PACKED[:20] + b"\xff\xff\xff" + PACKED[23:], "damaged or cut short"),
])
def test_idx_that_lies(tmp_path, content, message):
    path = tmp_path / "images"
    path.write_bytes(GOOD)
    assert idx.read(path, 3).shape == (2, 3, 4)
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        idx.read(path, 3)
    assert one_line(error, path, message, "get the file again")


def test_idx_files_must_fit_each_other(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx_bytes([1, 2]))
    with pytest.raises(InputError, match="x_test and y_test must be equally many, not 3 and 2"):
        data.load("mnist", tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx_bytes([1, 2, 10]))
    with pytest.raises(InputError, match="labels of y_test must be between 0 and 9, not 1 to 10"):
        data.load("mnist", tmp_path)
    write_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(idx_bytes(np.zeros((5, 4, 5))))
    with pytest.raises(InputError, match="x_train must have 24 pixels an image, .* not 20"):
        data.load("mnist", tmp_path)


def test_files_of_the_other_dataset(tmp_path, monkeypatch):
    write_mnist(tmp_path)
    labels = gzip.decompress((tmp_path / "t10k-labels-idx1-ubyte.gz").read_bytes())
    monkeypatch.setitem(mnist.DIGESTS["mnist"], "y_test", hashlib.sha256(labels).hexdigest())
    assert data.load("mnist", tmp_path).name == "mnist"
    with pytest.raises(InputError, match="these are the labels of mnist, not of fashion-mnist"):
        data.load("fashion-mnist", tmp_path)


@needs_mnist
def test_mnist_itself():
    dataset = data.load("mnist", DATA)
    assert (dataset.x_train.shape, dataset.x_test.shape) == ((60000, 784), (10000, 784))
    assert dataset.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    for part, file in mnist.FILES.items():
        assert fetch.Source("", (), mnist.DIGESTS["mnist"][part], zipped=True).accepts(
            (DATA / "mnist" / f"{file}.gz").read_bytes())


@needs_fashion
def test_fashion_mnist_itself():
    dataset = data.load("fashion_mnist", DATA)
    assert round(dataset.x_train.mean(), 3) == 72.940      # as its authors publish it
    assert dataset.class_names[dataset.y_test[0]] == "Ankle boot"


# ---- fetching ----

@pytest.fixture
def source():
    content = b"the published content"
    return fetch.Source("file.gz", ("https://a/", "https://b/"),
                        hashlib.sha256(content).hexdigest(), zipped=True), content


def test_fetched_from_the_first_mirror_that_works(tmp_path, monkeypatch, source):
    source, content = source
    # Another compression of the same content is the same file.
    for level in (1, 9):
        packed = gzip.compress(content, level, mtime=level)
        serve(monkeypatch, {"https://a/file.gz": b"an error page", "https://b/file.gz": packed})
        path = fetch.find(source, ("file.gz",), (), "set")
        assert path == tmp_path / "cache" / "data" / "set" / "file.gz"
        assert path.read_bytes() == packed
        path.unlink()
    assert not list(path.parent.iterdir())


def test_fetched_once(tmp_path, monkeypatch, offline, source):
    source, content = source
    serve(monkeypatch, {"https://a/file.gz": gzip.compress(content)})
    path = fetch.find(source, ("file.gz",), (), "set")
    serve(monkeypatch, {})
    assert fetch.find(source, ("file.gz",), fetch.folders(["set"], None), "set") == path


@pytest.mark.parametrize("content", [
    b"", b"an error page", gzip.compress(b"other content"),
    gzip.compress(b"the published content")[:-5],
], ids=["empty", "error page", "other content", "cut short"])
def test_wrong_content_is_not_kept(tmp_path, monkeypatch, source, content):
    source, _ = source
    serve(monkeypatch, {"https://a/file.gz": content})
    with pytest.raises(InputError) as error:
        fetch.find(source, ("file.gz",), (tmp_path / "here",), "set")
    assert one_line(error, "file.gz is not in", tmp_path / "here", "https://a/file.gz",
                    "https://b/file.gz: <urlopen error no such page>", "--data")
    assert not list((tmp_path / "cache" / "data" / "set").iterdir())


def test_connection_that_breaks_leaves_nothing(tmp_path, monkeypatch, source):
    source, _ = source

    class Broken(io.BytesIO):
        def read(self, *args):
            raise ConnectionResetError("reset by peer")

    monkeypatch.setattr(fetch.urllib.request, "urlopen", lambda url, timeout: Broken())
    with pytest.raises(InputError, match="reset by peer"):
        fetch.find(source, ("file.gz",), (tmp_path,), "set")
    assert not list((tmp_path / "cache" / "data" / "set").iterdir())


# ---- CIFAR-10 ----

def write_cifar(folder, count=2):
    """The six files, with pixels that tell file and record apart."""
    folder.mkdir(parents=True, exist_ok=True)
    records = np.zeros((count, cifar.RECORD), dtype=np.uint8)
    for n, name in enumerate((*cifar.TRAIN, *cifar.TEST)):
        records[:, 0] = n
        records[:, 1] = np.arange(count)
        records[:, -1] = 10 + n
        (folder / name).write_bytes(records.tobytes())


def pack_cifar(folder, path):
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, arcname="cifar-10-batches-bin")


@pytest.mark.parametrize("place", ["", "cifar10", "cifar-10-batches-bin", "archive"])
def test_cifar10(tmp_path, place):
    folder = tmp_path / ("files" if place == "archive" else f"d/{place}")
    write_cifar(folder)
    (tmp_path / "d").mkdir(exist_ok=True)
    if place == "archive":
        pack_cifar(folder, tmp_path / "d" / "cifar-10-binary.tar.gz")
    dataset = data.load("cifar10", tmp_path / "d")
    assert dataset.x_train.shape == (10, 3072) and dataset.image_shape == (3, 32, 32)
    assert dataset.y_train.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert dataset.y_test.tolist() == [5, 5] and dataset.class_names[5] == "dog"
    assert dataset.x_train[:, -1].tolist() == [10, 10, 11, 11, 12, 12, 13, 13, 14, 14]
    assert dataset.x_test[:, 0].tolist() == [0, 1]


def test_cifar10_that_is_damaged(tmp_path):
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").write_bytes(bytes(cifar.RECORD + 1))
    with pytest.raises(InputError, match="data_batch_3.bin has 3074 bytes, not a multiple of 3073"):
        data.load("cifar10", tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(InputError, match="No such file .*data_batch_3.bin.*; get it again"):
        data.load("cifar10", tmp_path)
    pack_cifar(tmp_path, tmp_path / "incomplete.tar.gz")
    with pytest.raises(InputError, match="incomplete.tar.gz: .* it holds no data_batch_3.bin"):
        cifar.read(tmp_path / "incomplete.tar.gz", cifar.TRAIN)
    write_cifar(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(b"\x0a" + bytes(cifar.RECORD - 1))
    with pytest.raises(InputError, match="labels of y_test must be between 0 and 9, not 10 to 10"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize("damage", [lambda content: content[:len(content) // 2],
                                    lambda content: b"no archive", lambda content: b""])
def test_cifar10_archive_that_is_damaged(tmp_path, damage):
    write_cifar(tmp_path / "files")
    path = tmp_path / "cifar-10-binary.tar.gz"
    pack_cifar(tmp_path / "files", path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError) as error:
        data.load("cifar10", tmp_path)
    assert one_line(error, path, "not CIFAR-10 in binary form", "get it again")
