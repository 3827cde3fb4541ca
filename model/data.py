"""The datasets that ohmbit knows by name, and the user's own."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from . import cifar, mnist, npz
from .dataset import Dataset
from .errors import InputError


__all__ = ["Dataset", "load", "NAMES"]


SPLIT = 0   # `random_state` of the fixed splits: any constant, never to be chosen by its results


def load(name_or_path: str | os.PathLike[str],
         data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """A dataset by its name, or from an ``.npz`` file.

    Files are looked for in :py:`data_dir`, else in ``$OHMBIT_DATA``, and then in the user's cache
    folder, each time in a folder of the dataset's name first; what is in none of them is fetched.
    Whatever is wrong with name or files is an :class:`InputError`.
    """
    name = os.fspath(name_or_path)
    if name.lower().endswith(".npz"):
        return npz.read(pathlib.Path(name))
    key = name.lower().replace("_", "-")
    if key not in LOADERS:
        raise InputError(f"{name}: no such dataset; choose {', '.join(NAMES)}, or give a FILE.npz")
    return LOADERS[key](key, data_dir)


def _split(x: np.ndarray, y: np.ndarray, test_size: int) -> list[np.ndarray]:
    from sklearn.model_selection import train_test_split  # takes a second to import
    return train_test_split(x, y, test_size=test_size, stratify=y, random_state=SPLIT)


def _digits(name: str, data_dir: object) -> Dataset:
    """1,797 digits of 8 × 8 pixels, 0 … 16; 360 of them for the test."""
    from sklearn.datasets import load_digits
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = _split(x.astype(np.uint8), y, 360)
    return Dataset(name, x_train, y_train, x_test, y_test, (8, 8), tuple("0123456789"), bits=5)


def _iris(name: str, data_dir: object) -> Dataset:
    """150 flowers, 30 of them for the test.

    Each feature's range in the training set becomes 8 bits; test values beyond it are clipped.
    """
    from sklearn.datasets import load_iris
    iris = load_iris()
    x_train, x_test, y_train, y_test = _split(iris.data, iris.target, 30)
    low, high = x_train.min(axis=0), x_train.max(axis=0)

    def quantize(x: np.ndarray) -> np.ndarray:
        return np.clip(np.rint((x - low) / (high - low) * 255), 0, 255).astype(np.uint8)

    return Dataset(name, quantize(x_train), y_train, quantize(x_test), y_test, (4,),
                   tuple(map(str, iris.target_names)), bits=8)


LOADERS: dict[str, Callable[[str, Any], Dataset]] = {
    "digits": _digits, "iris": _iris, "mnist": mnist.load, "fashion-mnist": mnist.load,
    "cifar10": cifar.load,
}
NAMES = tuple(LOADERS)
