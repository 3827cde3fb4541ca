import json
import pathlib
import zipfile

import numpy as np
import pytest

from model.checkpoint import restore, save
from model.convergence import Convergence
from model.errors import InputError
from model.sign_update import Learner, SignUpdate


SPEC = SignUpdate(6, 5, 3, bits=4, margin=40, noise=9)
RATES = Convergence((256, 90), (30,))


def learner(spec=SPEC, images=0):
    found = Learner(spec, RATES)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (200, 6)), rng.integers(0, 3, 200)
    for _ in found.learn(x[:images], y[:images]):
        pass
    return found, x, y


@pytest.mark.parametrize("images", [0, 20, 71])
def test_all_that_images_change_is_kept(images, tmp_path):
    path = tmp_path / "some.npz"
    first, x, y = learner(images=images)
    save(path, first, {"dataset": "some"})
    second, _, _ = learner()
    restore(path, second, {"dataset": "some"})
    assert second.control == first.control and second.control.samples == images
    for one, other in zip(first.learn(x[images:], y[images:]), second.learn(x[images:], y[images:]),
                          strict=True):
        assert (one.scores == other.scores).all()
    assert first.state().keys() == second.state().keys()
    for name, value in first.state().items():
        assert (second.state()[name] == value).all()


def test_what_goes_on_is_not_what_was_kept(tmp_path):
    """Counters of one learner are not those of another that went on from it."""
    first, x, y = learner(images=10)
    state = first.state()
    second, _, _ = learner()
    second.restore(state)
    kept = first.first.copy()
    for _ in second.learn(x, y):
        pass
    assert (first.first == kept).all()


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "some.npz"
    save(path, learner()[0], {"dataset": "some"})
    for other, about, said in (
            (learner(SignUpdate(6, 5, 3, bits=4, margin=41))[0], {"dataset": "some"},
             "margin 40, not 41, noise 9, not 0"),
            (learner()[0], {"dataset": "other"}, "dataset some, not other")):
        before = other.first.copy()
        with pytest.raises(InputError, match=f"is of other learning \\({said}\\): give it the same "
                                             "options, or delete it to begin anew$"):
            restore(path, other, about)
        assert (other.first == before).all()


def damaged(path, change):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(path, **arrays)


@pytest.mark.parametrize("change", [
    lambda arrays: arrays.pop("copy"), lambda arrays: arrays.pop("ohmbit"),
    lambda arrays: arrays.pop("draws"), lambda arrays: arrays.pop("control"),
    lambda arrays: arrays.update(first=arrays["first"][1:]),
    lambda arrays: arrays.update(second=arrays["second"] * 1.0),
    lambda arrays: arrays.update(second=arrays["second"] + np.int16(100)),
    lambda arrays: arrays.update(draws=arrays["draws"][1:]),
    lambda arrays: arrays.update(control=arrays["control"][1:]),
    lambda arrays: arrays.update(control=arrays["control"] + 9),
    lambda arrays: arrays.update(draws=arrays["draws"] * 0),
    lambda arrays: arrays.update(ohmbit=np.array("{")),
    lambda arrays: arrays.update(ohmbit=np.array("3"))])
def test_damaged_checkpoints_are_refused(change, tmp_path):
    path = tmp_path / "some.npz"
    found = learner(images=5)[0]
    save(path, found, {})
    damaged(path, change)
    with pytest.raises(InputError, match="some.npz is (no checkpoint, or is damaged|of other)"):
        restore(path, found, {})


def test_files_that_are_no_archives_are_refused(tmp_path):
    path = tmp_path / "some.npz"
    for content in b"", b"words", b"PK\x03\x04" + bytes(60):
        path.write_bytes(content)
        with pytest.raises(InputError, match="some.npz is no checkpoint, or is damaged"):
            restore(path, learner()[0], {})
    with pytest.raises(FileNotFoundError):
        restore(pathlib.Path(tmp_path / "none.npz"), learner()[0], {})


def test_the_header_says_the_rule(tmp_path):
    save(tmp_path / "some.npz", learner()[0], {"dataset": "some"})
    with zipfile.ZipFile(tmp_path / "some.npz") as archive:
        assert archive.testzip() is None
    with np.load(tmp_path / "some.npz") as file:
        header = json.loads(str(file["ohmbit"]))
    assert header["format"] == 1 and header["margin"] == 40 and header["until"] == [30]
