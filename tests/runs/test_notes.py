"""Notes on runs: one file, changed by several at once, never a reason to stop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from postertui.runs.notes import Note, change_notes, parse_tags, read_notes
from postertui.system.errors import UserError


def test_notes_of_several_at_once_are_all_kept(tmp_path: Path) -> None:
    def note(number: int) -> None:
        change_notes(tmp_path, [f"run-{number}"], lambda _: Note(f"note {number}", ("tag",)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(24)))
    notes = read_notes(tmp_path)
    assert notes == {f"run-{n}": Note(f"note {n}", ("tag",)) for n in range(24)}
    assert not list(tmp_path.glob(".new-*"))


def test_empty_note_is_none(tmp_path: Path) -> None:
    change_notes(tmp_path, ["a", "b"], lambda _: Note("x", pinned=True))
    assert change_notes(tmp_path, ["b"], lambda note: Note(pinned=note.pinned)).keys() == {"a", "b"}
    assert change_notes(tmp_path, ["a"], lambda _: Note()) == {"b": Note(pinned=True)}
    assert read_notes(tmp_path) == {"b": Note(pinned=True)}


def test_damaged_notes_are_told_and_not_overwritten(tmp_path: Path) -> None:
    assert read_notes(tmp_path) == {}
    path = tmp_path / ".notes.json"
    path.write_text('{"runs": {"a": {"text": 5}}}')
    with pytest.raises(UserError, match="not a notes file"):
        read_notes(tmp_path)
    with pytest.raises(UserError):
        change_notes(tmp_path, ["b"], lambda _: Note("x"))
    assert path.read_text() == '{"runs": {"a": {"text": 5}}}'


def test_tags_are_words() -> None:
    assert parse_tags("#good, bad  good (x)") == ("good", "bad", "x")
    assert parse_tags(" ,# ") == ()
