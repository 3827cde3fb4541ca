"""Images of small integers with a class for each."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .errors import InputError


__all__ = ["Dataset", "check_range", "checked"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and their classes, to train with and to test with.

    Parameters
    ----------
    name : :class:`str`
    x_train, x_test : array of integers, images × inputs
        Pixels, 0 … 2^bits − 1; kept as :class:`uint8`. There may be no training images.
    y_train, y_test : array of integers, images
        Classes; kept as :class:`int64`.
    image_shape : tuple of :class:`int`
        How the inputs of one image are arranged.
    class_names : tuple of :class:`str`
    bits : :class:`int`
        Width of a pixel, 1 to 8.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    image_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise ValueError(f"bits must be between 1 and 8, not {self.bits!r}")
        inputs = math.prod(self.image_shape)
        for part in ("test", "train"):
            x, y = np.asarray(getattr(self, f"x_{part}")), np.asarray(getattr(self, f"y_{part}"))
            for name, array, dimensions in ((f"x_{part}", x, 2), (f"y_{part}", y, 1)):
                if array.dtype.kind not in "iub":
                    raise TypeError(f"{name} must be integers, not {array.dtype}")
                if array.ndim != dimensions:
                    raise ValueError(f"{name} must have {dimensions} dimension(s), "
                                     f"not {array.ndim}")
            if len(x) != len(y):
                raise ValueError(f"x_{part} and y_{part} must be equally many, "
                                 f"not {len(x)} and {len(y)}")
            if not inputs or x.shape[1] != inputs:
                raise ValueError(f"x_{part} must have {inputs} pixels an image, at least one, "
                                 f"not {x.shape[1]}")
            check_range(f"pixels of x_{part}", x, 2 ** self.bits - 1)
            check_range(f"labels of y_{part}", y, self.classes - 1)
            object.__setattr__(self, f"x_{part}", x.astype(np.uint8, copy=False))
            object.__setattr__(self, f"y_{part}", y.astype(np.int64, copy=False))
        if not len(self.x_test):
            raise ValueError("x_test must hold at least one image")

    def check_training(self) -> None:
        """:exc:`model.errors.InputError` where there are no training images."""
        if not len(self.x_train):
            raise InputError(f"{self.name}: it has no training images; add x_train and y_train")

    def held_out(self, share: float) -> "Dataset":
        """The training images alone, of which the last, so large a share, are to test with."""
        if not 0 < share < 1:
            raise ValueError(f"Share held out must be between 0 and 1, and neither, not {share!r}")
        count = len(self.x_train)
        kept = max(count - max(round(share * count), 1), 1)
        return replace(self, x_train=self.x_train[:kept], y_train=self.y_train[:kept],
                       x_test=self.x_train[kept:], y_test=self.y_train[kept:])

    @property
    def inputs(self) -> int:
        return self.x_test.shape[1]

    @property
    def classes(self) -> int:
        return len(self.class_names)


def check_range(what: str, array: np.ndarray, top: int) -> None:
    """Raise :class:`ValueError` unless all of :py:`array` is between 0 and :py:`top`."""
    if array.size and (array.min() < 0 or array.max() > top):
        raise ValueError(f"{what} must be between 0 and {top}, "
                         f"not {array.min()} to {array.max()}")


def checked(where: object, **fields: Any) -> Dataset:
    """A dataset from the files at :py:`where`; its faults are the user's to mend."""
    try:
        return Dataset(**fields)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}; correct the file") from None
