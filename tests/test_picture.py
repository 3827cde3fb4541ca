import numpy as np
import pytest
from PIL import Image

from model.dataset import Dataset
from model.errors import InputError
from ohmbit import picture


DATASET = Dataset("dots", np.zeros((0, 4), dtype=np.uint8), np.zeros(0, dtype=int),
                  np.array([[0, 16, 8, 4]], dtype=np.uint8), np.array([0]), (2, 2), ("only",), 5)


@pytest.mark.parametrize("plain, lines", [(False, ["  ██", "▒▒░░"]), (True, ["  ##", "::.."])])
def test_draw(plain, lines):
    assert picture.draw([[0, 16], [8, 4]], 16, plain=plain) == lines


def test_bars():
    assert picture.bars(("a", "bc", "d"), [-5, 5, 5], width=4) == \
        [" a -5 ", "bc  5 ████ <", " d  5 ████"]
    assert picture.bars(("a", "b"), [3, 3], width=4, plain=True) == ["a 3  <", "b 3 "]


def picture_of(path, pixels, scale=6):
    Image.fromarray(np.kron(np.array(pixels, dtype=np.uint8), np.ones((scale, scale), np.uint8))) \
        .save(path)


def test_read(tmp_path):
    path = tmp_path / "digit.png"
    picture_of(path, [[0, 255], [128, 0]])
    assert picture.read(path, DATASET).tolist() == [[0, 16, 8, 0]]
    picture_of(path, [[255, 0], [255, 255]])   # ink on paper
    image = picture.read(path, DATASET)
    assert image.tolist() == [[0, 16, 0, 0]] and image.dtype == np.uint8


def test_read_needs_images_of_rows_and_columns(tmp_path):
    flat = Dataset("flat", DATASET.x_train, DATASET.y_train, DATASET.x_test, DATASET.y_test, (4,),
                   ("only",), 5)
    with pytest.raises(InputError, match="images of flat are no grey pictures"):
        picture.read(tmp_path / "any.png", flat)
