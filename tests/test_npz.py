import pathlib
import zipfile

import numpy as np
import pytest

from model import data
from model.errors import InputError


def one_line(error, *parts):
    """Whether an error is one line that says all of :py:`parts`."""
    text = str(error.value)
    return "\n" not in text and all(str(part) in text for part in parts)


X, Y = np.arange(24).reshape(2, 3, 4), np.array([1, 0])


def test_npz(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x_test=X, y_test=Y)
    dataset = data.load(path)
    assert (dataset.x_test == X.reshape(2, 12)).all() and (dataset.y_test == Y).all()
    assert (dataset.bits, dataset.image_shape, dataset.class_names) == (5, (3, 4), ("0", "1"))
    assert dataset.x_train.shape == (0, 12) and dataset.name == str(path)
    np.savez_compressed(path, x_test=X[:, 0], y_test=Y, x_train=X[:1, 1] * 10, y_train=Y[:1],
                        class_names=["no", "yes", "maybe"], more=np.zeros(3))
    dataset = data.load(str(path))
    assert (dataset.bits, dataset.inputs) == (7, 4)        # the greatest pixel is 70, in x_train
    assert dataset.class_names == ("no", "yes", "maybe")
    np.savez(path, x_test=X > 5, y_test=Y)
    assert data.load(path).bits == 1


@pytest.mark.parametrize("arrays, message", [
    (dict(), "x_test must be there; it holds nothing"),
    (dict(x_test=X), "y_test must be there; it holds x_test"),
    (dict(x_test=X, y_test=Y, x_train=X), "x_train and y_train must be there both or neither"),
    (dict(x_test=X / 2, y_test=Y), "x_test must be integers, not float64"),
    (dict(x_test=X, y_test=Y * 1.0), "labels must be integers, not float64"),
    (dict(x_test=X, y_test=Y * 1.0, class_names=["a", "b"]), "y_test must be integers, not float"),
    (dict(x_test=X - 1, y_test=Y), "pixels of x_test must be between 0 and 255, not -1 to 22"),
    (dict(x_test=X * 12, y_test=Y), "pixels of x_test must be between 0 and 255, not 0 to 276"),
    (dict(x_test=X, y_test=Y, x_train=X + 233, y_train=Y), "pixels of x_train must be between"),
    (dict(x_test=X, y_test=Y - 1), "labels without class_names must be between 0 and 1023, not -1"),
    (dict(x_test=X, y_test=Y * 10 ** 9), "labels without class_names must be between 0 and 1023"),
    (dict(x_test=X, y_test=Y, class_names=["a"]), "labels of y_test must be between 0 and 0"),
    (dict(x_test=X, y_test=Y, class_names=[1, 2]), "class_names must be a list of strings"),
    (dict(x_test=X, y_test=Y[:1]), "x_test and y_test must be equally many, not 2 and 1"),
    (dict(x_test=X, y_test=Y, x_train=X[:, 1:], y_train=Y), "x_train must have 12 pixels an image"),
    (dict(x_test=X[:0], y_test=Y[:0]), "x_test must hold at least one image"),
    (dict(x_test=X[:, :0], y_test=Y), "x_test must have 0 pixels an image, at least one"),
    (dict(x_test=Y, y_test=Y), "x_test must have a row for each image, not 1 dimension"),
    (dict(x_test=X, y_test=Y[:, None]), r"y_test must have 1 dimension\(s\), not 2"),
])
def test_npz_with_wrong_arrays(tmp_path, arrays, message):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=f"^{path}: {message}") as error:
        data.load(path)
    assert one_line(error, "; correct the file")


class Trap:
    """An object that, unpickled, leaves a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def test_npz_with_pickles_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x_test=np.array([Trap(tmp_path / "sprung")]), y_test=Y)
    with pytest.raises(InputError) as error:
        data.load(path)
    assert one_line(error, path, "holds pickled objects, which are never loaded")
    assert not (tmp_path / "sprung").exists()


def npy(header):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize("member", [
    b"", b"text", npy(b"{'descr': '<i8', 'fortran_order': False, 'shape': (9, 9), }\n") + b"short",
    npy(b"{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }\n" % 2 ** 60),
    npy(b"{'descr': (((\n"), npy(b"\xff" * 20),
])
def test_npz_with_damaged_members(tmp_path, member):
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_test.npy", member)
        archive.writestr("y_test.npy", member)
    with pytest.raises(InputError) as error:
        data.load(path)
    assert one_line(error, path)


def test_npz_that_is_none(tmp_path):
    path = tmp_path / "own.npz"
    with pytest.raises(InputError, match="no such file; check the path"):
        data.load(path)
    np.savez(path, x_test=X, y_test=Y)
    whole = path.read_bytes()
    np.save(tmp_path / "one.npy", X)
    for content in (b"", b"text\nand more", whole[:len(whole) // 2], whole[:-30],
                    whole[:200] + bytes(50) + whole[250:], (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(InputError) as error:
            data.load(path)
        assert one_line(error, path, "foreign or cut short", "write it again")
