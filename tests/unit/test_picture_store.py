"""The store of pictures' files: one is there whole, or not at all."""

import os
from pathlib import Path

import pytest

from jay.pictures.store import FolderStore, place

NAME = "ab" + "0" * 38 + "-160.webp"


def test_a_file_is_kept_below_the_first_letters_of_its_name(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "media")
    store.put(NAME, b"one")
    store.put(NAME, b"one")

    assert store.get(NAME) == b"one" == (tmp_path / "media" / "ab" / NAME).read_bytes()
    assert [name for name, _ in store.names()] == [NAME]
    assert place(NAME) == f"ab/{NAME}"


@pytest.mark.parametrize(("private", "mode"), [(True, 0o700), (False, 0o755)])
def test_who_else_can_read_the_files(tmp_path: Path, *, private: bool, mode: int) -> None:
    before = os.umask(0o022)
    try:
        FolderStore(tmp_path / "data" / "media", private=private).put(NAME, b"one")
    finally:
        os.umask(before)

    media = tmp_path / "data" / "media"
    modes = [path.stat().st_mode & 0o777 for path in (media, media / "ab", media / "ab" / NAME)]
    assert modes == [mode, mode, mode & 0o666]


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "media")

    assert store.get(NAME) is None
    assert list(store.names()) == []
    store.delete(NAME)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    store = FolderStore(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.put(NAME, b"one")

    assert store.get(NAME) is None
    assert list(store.names()) == []


def test_what_a_killed_process_has_left_is_found_and_is_no_picture(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / f"{NAME}.0123.unfinished").write_bytes(b"ha")
    (tmp_path / "ab" / "a note of the operator").write_bytes(b"")

    [(name, _moment)] = store.names()
    store.delete(name)

    assert name.endswith(".unfinished")
    assert list(store.names()) == []
