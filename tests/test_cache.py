"""Folders that are made once, also by several at a time, and never by half."""

import pytest

from sim.cache import keep


def test_made_once(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "file").write_text("whole")

    for _ in range(2):
        folder = keep(tmp_path / "new" / "kept", make)
        assert (folder / "file").read_text() == "whole"
    assert folder == tmp_path / "new" / "kept" and len(made) == 1
    assert list((tmp_path / "new").iterdir()) == [folder]


def test_what_failed_leaves_nothing(tmp_path):
    def make(folder):
        (folder / "file").write_text("half")
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        keep(tmp_path / "kept", make)
    assert not list(tmp_path.iterdir())


def test_the_fastest_wins(tmp_path):
    def make(folder):
        (folder / "file").write_text("slow")
        keep(tmp_path / "kept", lambda folder: (folder / "file").write_text("fast"))

    assert (keep(tmp_path / "kept", make) / "file").read_text() == "fast"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_folder_that_cannot_be_moved_is_an_error(tmp_path):
    folder = tmp_path / "missing"
    with pytest.raises(OSError):
        keep(folder, lambda partial: partial.rename(tmp_path / "elsewhere"))
    assert not folder.exists()
