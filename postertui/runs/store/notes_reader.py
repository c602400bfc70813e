"""The notes of a folder's runs, kept up to date."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from postertui.runs import layout
from postertui.runs.notes import Note, read_notes
from postertui.runs.store.identity import NO_FILE, FileIdentity, file_identity
from postertui.runs.store.run import Run
from postertui.system.errors import UserError

_NO_NOTE = Note()


class NotesReader:
    """Gives runs their notes, and reads these again when their file has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._notes: dict[str, Note] = {}
        self._identity: FileIdentity | None = None

    def refresh(self, runs: Mapping[str, Run], changed: set[str]) -> set[str]:
        """Give `runs` their notes; the names of those whose note changed.

        `changed` are runs that may be new; others are looked at when the file has changed.
        """
        try:
            identity = file_identity(f"{self._folder}/{layout.NOTES}")
        except OSError:
            identity = NO_FILE
        candidates = self._notes.keys() & changed
        if identity != self._identity:
            self._identity = identity
            try:
                notes = read_notes(self._folder)
            except UserError:
                notes = self._notes  # Runs are shown even where their notes cannot be read.
            candidates = notes.keys() | self._notes.keys()
            self._notes = notes
        changed_notes = set()
        for name in candidates & runs.keys():
            note = self._notes.get(name, _NO_NOTE)
            if note != runs[name].note:
                runs[name].note = note
                changed_notes.add(name)
        return changed_notes
