"""MNIST and Fashion-MNIST: two datasets in files of the same names and the same format."""

import hashlib
import math
import os
import pathlib

import numpy as np

from . import fetch, idx
from .dataset import Dataset, checked
from .errors import InputError
from .fetch import Source


__all__ = ["load"]


CLASS_NAMES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                      "Sneaker", "Bag", "Ankle boot"),
}
FILES = {"x_train": "train-images-idx3-ubyte", "y_train": "train-labels-idx1-ubyte",
         "x_test": "t10k-images-idx3-ubyte", "y_test": "t10k-labels-idx1-ubyte"}
MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/",
              "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion-mnist": (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
}
DIGESTS = {   # of the unzipped files
    "mnist": {
        "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "x_train": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "y_train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "x_test": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "y_test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}


def load(name: str, data_dir: str | os.PathLike[str] | None) -> Dataset:
    """MNIST or Fashion-MNIST, whichever :py:`name` says."""
    places = fetch.folders([name], data_dir)
    arrays: dict[str, np.ndarray] = {}
    where = {}
    for part, file in FILES.items():
        source = Source(f"{file}.gz", MIRRORS[name], DIGESTS[name][part], zipped=True)
        where[part] = path = fetch.find(source, (f"{file}.gz", file), places, name)
        arrays[part] = array = idx.read(path, 3 if part.startswith("x") else 1)
        if part == "y_test":
            _check_owner(name, path, array)
    shape = arrays["x_test"].shape[1:]
    for part in ("x_train", "x_test"):
        arrays[part] = arrays[part].reshape(len(arrays[part]), math.prod(arrays[part].shape[1:]))
    return checked(where["x_test"].parent, name=name, **arrays, image_shape=shape,
                   class_names=CLASS_NAMES[name], bits=8)


def _check_owner(name: str, path: pathlib.Path, labels: np.ndarray) -> None:
    """Refuse the other dataset's files: both call theirs the same."""
    content = bytes((0, 0, 8, 1)) + len(labels).to_bytes(4, "big") + labels.tobytes()
    digest = hashlib.sha256(content).hexdigest()
    for other, digests in DIGESTS.items():
        if other != name and digest == digests["y_test"]:
            raise InputError(f"{path}: these are the labels of {other}, not of {name}; keep each "
                             "dataset in a folder of its own name")
