"""Datasets of one's own: arrays in a NumPy ``.npz`` file."""

import math
import pathlib
import zipfile

import numpy as np
import numpy.typing as npt

from .dataset import Dataset, check_range, checked
from .errors import InputError


__all__ = ["read"]


MAX_CLASSES = 1024


def read(path: pathlib.Path) -> Dataset:
    """Dataset from arrays :py:`x_test`, :py:`y_test` and optionally :py:`x_train`, :py:`y_train`,
    :py:`class_names`. Pixels are as wide as the greatest of them needs.
    """
    arrays = _arrays(path)
    try:
        for name in ("x_test", "y_test"):
            if name not in arrays:
                raise ValueError(f"{name} must be there; it holds {', '.join(arrays) or 'nothing'}")
        if ("x_train" in arrays) != ("y_train" in arrays):
            raise ValueError("x_train and y_train must be there both or neither")
        x_test, y_test = arrays["x_test"], arrays["y_test"]
        x_train = arrays.get("x_train", x_test[:0])
        y_train = arrays.get("y_train", y_test[:0])
        for name, x in (("x_test", x_test), ("x_train", x_train)):
            if x.ndim < 2:
                raise ValueError(f"{name} must have a row for each image, "
                                 f"not {x.ndim} dimension(s)")
            if x.dtype.kind not in "iub":
                raise TypeError(f"{name} must be integers, not {x.dtype} (ohmbit.bipolar makes "
                                "pixels of values from -1 to 1)")
            check_range(f"pixels of {name}", x, 255)
        bits = max(int(x.max(initial=0)) for x in (x_train, x_test)).bit_length()
        names = _class_names(arrays.get("class_names"), y_train, y_test)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}; correct the file") from None
    return checked(path, name=str(path), x_train=_flat(x_train), y_train=y_train,
                   x_test=_flat(x_test), y_test=y_test, image_shape=x_test.shape[1:],
                   class_names=names, bits=max(bits, 1))


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """What is in an ``.npz`` file, as far as a dataset may have it."""
    wanted = {"x_train", "y_train", "x_test", "y_test", "class_names"}
    try:
        with open(path, "rb") as file:
            # NumPy takes any file that is no archive for a pickle.
            if not zipfile.is_zipfile(file):
                raise zipfile.BadZipFile("no zip archive")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files if name in wanted}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):   # NumPy hands over other members as bytes
                raise TypeError(f"{name} is no array")
        return arrays
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    # Bytes from elsewhere can make zipfile, zlib and NumPy's header parser raise nearly anything.
    except Exception as error:
        what = " ".join(str(error).split()) or type(error).__name__
        if "pickle" in what:
            raise InputError(f"{path}: it holds pickled objects, which are never loaded; save "
                             "plain arrays") from None
        raise InputError(f"{path}: foreign or cut short ({what}); write it again with "
                         "numpy.savez") from None


def _class_names(names: np.ndarray | None, *labels: npt.ArrayLike) -> tuple[str, ...]:
    """The names given, or else a number for each class up to the greatest label."""
    if names is not None:
        if names.ndim != 1 or names.dtype.kind != "U" or not len(names):
            raise TypeError(f"class_names must be a list of strings, not {names.ndim}-dimensional "
                            f"{names.dtype}")
        return tuple(map(str, names))
    for array in map(np.asarray, labels):
        if array.dtype.kind not in "iub":
            raise TypeError(f"labels must be integers, not {array.dtype}")
        check_range("labels without class_names", array, MAX_CLASSES - 1)
    return tuple(map(str, range(1 + max(int(np.max(array, initial=0)) for array in labels))))


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), math.prod(images.shape[1:]))
