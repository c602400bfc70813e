"""Files of functions of the user's own, and runs that name them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from postertui.data.dataset import Dataset
from postertui.runs.spec import RunSpec
from postertui.study import CodeFile
from postertui.study.custom import CodeSource, readable
from postertui.system.trusted_files import trusted_files
from tests.support.training_data import make_spec

DOCS = Path(__file__).parents[2] / "docs/extending.md"


def documented_functions() -> str:
    """The code of `docs/extending.md`, in one file."""
    blocks: list[list[str]] = [[]]
    for line in DOCS.read_text().splitlines():
        if line.startswith("    ") or not line.strip():
            blocks[-1].append(line)
        else:
            blocks.append([])
    texts = [textwrap.dedent("\n".join(block)).strip() for block in blocks]
    return "\n\n\n".join(text for text in texts if text.startswith("from keras"))


def source_of(text: str, name: str = "mine") -> CodeSource:
    """The file as a study would have read it."""
    return CodeSource(Path(f"{name}.py"), textwrap.dedent(text).encode(), (0,), 0o600)


def is_trusted(sha256: str) -> bool:
    """Whether this user lets that content be executed. Raises `UserError`."""
    return any(entry.sha256 == sha256 for entry in trusted_files())


def custom_spec(dataset: Dataset, text: str, **fields: Any) -> tuple[RunSpec, dict[str, bytes]]:
    """A run whose `fields` name functions of the file `mine.py`, and the files of its code."""
    source = source_of(text)
    fields = {k: readable(v) if isinstance(v, str) else v for k, v in fields.items()}
    code = (CodeFile("mine", source.sha256),)
    return make_spec(dataset, code=code, **fields), {"mine": source.data}
