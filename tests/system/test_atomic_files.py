"""A file is the old one or the new one, with the mode it should have, and no draft stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postertui.system.atomic_files import atomic_writer, write_atomic


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_modes(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "private", b"a")
        write_atomic(tmp_path / "shared", b"a", private=False, durable=True)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "private"), mode(tmp_path / "shared")) == (0o600, 0o640)
    (tmp_path / "private").chmod(0o664)
    write_atomic(tmp_path / "private", b"new")
    assert (mode(tmp_path / "private"), (tmp_path / "private").read_bytes()) == (0o664, b"new")


def test_what_goes_wrong_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_writer(path) as draft:
        draft.write_bytes(b"half")
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_atomic(tmp_path / "folder", b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
