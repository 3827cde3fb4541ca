"""Pictures: drawn in characters, and read from files for a network to look at."""

import pathlib

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from model.dataset import Dataset
from model.errors import InputError


__all__ = ["draw", "bars", "read"]


SHADES = " ░▒▓█"
PLAIN  = " .:*#"


def draw(image: npt.ArrayLike, top: int, *, plain: bool = False) -> list[str]:
    """Lines of characters, twice as many as pixels in each, since they are twice as high as wide.

    Parameters
    ----------
    image : array of :class:`int`, rows × columns
    top : :class:`int`
        The brightest that a pixel may be.
    plain : :class:`bool`
        Whether to do with ASCII.
    """
    shades = PLAIN if plain else SHADES
    levels = np.asarray(image, dtype=np.int64) * (len(shades) - 1)
    return ["".join(shades[level] * 2 for level in row) for row in -(-levels // top)]


def bars(names: tuple[str, ...], scores: npt.ArrayLike, *, width: int = 30,
         plain: bool = False) -> list[str]:
    """A bar for each class, from the least score to the greatest; the first greatest is marked."""
    scores = np.asarray(scores)
    low, high = int(scores.min()), int(scores.max())
    lengths = [width * (int(score) - low) // max(high - low, 1) for score in scores]
    room, digits = max(map(len, names)), max(len(str(low)), len(str(high)))
    best = int(scores.argmax())
    return [f"{name:>{room}} {score:>{digits}} {('#' if plain else '█') * length}"
            f"{' <' if n == best else ''}"
            for n, (name, score, length) in enumerate(zip(names, scores, lengths, strict=True))]


def read(path: pathlib.Path, dataset: Dataset) -> np.ndarray:
    """The picture as an image of the dataset: of its size, its range, and bright on dark.

    A picture whose border is brighter than the middle grey is taken to be dark on bright, as ink
    is on paper.
    """
    if len(dataset.image_shape) != 2:
        raise InputError(f"{path}: images of {dataset.name} are no grey pictures, so none can be "
                         "read from a file")
    rows, columns = dataset.image_shape
    try:
        with Image.open(path) as opened:
            grey = opened.convert("L").resize((columns, rows), Image.Resampling.BOX)
    except FileNotFoundError:
        raise InputError(f"{path}: no such picture") from None
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a picture that can be read ({error})") from None
    pixels = np.asarray(grey, dtype=np.int64)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if border.mean() > 127:
        pixels = 255 - pixels
    top = int(dataset.x_test.max())
    return ((pixels * top + 127) // 255).astype(dataset.x_test.dtype).reshape(1, -1)
