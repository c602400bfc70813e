"""No text from outside controls the terminal, whatever prints it, nor runs in a spreadsheet."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import postertui
from postertui.cli.streams import CleanStream, styled
from postertui.history.spreadsheets import spreadsheet_safe
from postertui.runs import layout
from tests.support.supervisor import make_spec, queue

EVIL = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202e\x08"


@given(parts=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), max_size=5))
def test_control_characters_end_at_the_stream(parts: list[str]) -> None:
    raw = io.BytesIO()
    plain = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    stream = CleanStream(plain)
    for part in parts:
        stream.write(part)
    stream.flush()
    written = raw.getvalue().decode()
    assert not any(ord(c) < 32 and c not in "\n\t" for c in written)
    assert not any(0x7F <= ord(c) < 0xA0 for c in written)
    styled(stream).write("\x1b[1mours\x1b[0m")
    assert raw.getvalue().decode().endswith("\x1b[1mours\x1b[0m")


def run_program(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "postertui", *map(str, words)],
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "--runs", "RUNS"],
        ["runs", "--json", "--runs", "RUNS"],
        ["doctor", "--runs", "RUNS", "--data", "DATA"],
        ["data", "show", "--data", "DATA"],
        ["train", "--study", EVIL, "--data", "DATA", "--runs", "RUNS"],
        ["train", "--study", "STUDY", "--list"],
        ["log", f"genre:{EVIL}", "--runs", "RUNS"],
        ["runs", EVIL, "--runs", "RUNS"],
        [EVIL],
        ["report", "--figure", EVIL, "--runs", "RUNS"],
        ["import", "DATA/labels.csv", "--runs", "RUNS"],
    ],
)
def test_commands(words: list[str], tmp_path: Path) -> None:
    runs, data = tmp_path / "runs", tmp_path / "data"
    queue(runs, make_spec(f"Gen{EVIL}re", study=EVIL))
    [bad] = queue(runs, make_spec("bad"))
    (runs / bad / layout.EVENTS).write_text('{"event":"\\u001b[31m","attempt":"\\u001b[2J"}\n')
    data.mkdir()
    (data / "dataset.json").write_text('{"\\u001b[31m": 1, "genres": ["\\u009b2J"]}')
    (data / "labels.csv").write_text(f"id,{EVIL}\n1,{EVIL}\n")
    study = tmp_path / "study.toml"
    study.write_text('name = "\\u001b[31mx"\n["\\u001b[2J"]\nx = "\\u009b"\n')
    places = {"RUNS": runs, "DATA": data, "STUDY": study, "DATA/labels.csv": data / "labels.csv"}
    result = run_program(*(places.get(word, word) for word in words))
    for output in (result.stdout, result.stderr):
        text = output.decode()
        assert not [c for c in text if ord(c) < 32 and c not in "\n\t"], text
        assert not [c for c in text if 0x7F <= ord(c) < 0xA0], text
        assert "Traceback" not in text


def test_spreadsheets_run_nothing() -> None:
    frame = pl.DataFrame(
        {"genre": ["=1+1", "+x", "-x", "@x", "\t=x", "\x1b[31mred", "Comedy"], "x": [-1.5] * 7}
    )
    safe = spreadsheet_safe(frame)
    assert safe["genre"].to_list() == ["'=1+1", "'+x", "'-x", "'@x", "'\t=x", "[31mred", "Comedy"]
    assert safe["x"].to_list() == [-1.5] * 7


def test_only_streams_knows_the_way_around_itself() -> None:
    """Nothing else writes to the terminal's own streams."""
    package = Path(postertui.__file__).parent
    for path in package.rglob("*.py"):
        names = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
        }
        if "__stdout__" in names or "__stderr__" in names:
            assert path.is_relative_to(package / "dashboard")
