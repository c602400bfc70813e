"""What an action acts on: marks that are seen, questions where a run is not, words for states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from postertui.cli import cli
from postertui.dashboard.table.marks import STATE_MARKS
from postertui.dashboard.terminal.theme import PALETTES, ThemeStyles
from postertui.runs.state_words import STATE_WORDS, state_word
from postertui.supervisor import requests
from tests.support.dashboard_driver import LARGE, SMALL, both_sizes, dashboard
from tests.support.dashboard_runs import MadeRuns
from tests.support.supervisor import states


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeRuns]:
    """Thirty runs of a genre that wait, and one that trains; no supervisor is started."""
    monkeypatch.setattr(requests, "ensure_supervisor", lambda *_, **__: True)
    made = MadeRuns(tmp_path / "runs")
    for seed in range(30):
        made.add("Comedy", seed=seed)
    made.add("Western", state="running", epochs=2)
    yield made
    made.close()


def command_line(*words: str) -> str:
    """What `postertui` prints, to both streams."""
    done = CliRunner().invoke(cli, list(words), standalone_mode=False)
    assert done.exception is None, done.exception
    return done.output


def test_every_word_has_a_mark_or_is_a_problem_and_a_colour() -> None:
    assert STATE_WORDS.keys() - STATE_MARKS.keys() == {"unreadable", "newer", "damaged"}
    plain = ThemeStyles(PALETTES["dark"])["no such style"]
    assert all(ThemeStyles(PALETTES["dark"])[word] != plain for word in STATE_WORDS)


@pytest.mark.parametrize(
    ("state", "asked", "word"),
    [
        ("queued", {}, "queued"),
        ("queued", {"held": True}, "held"),
        ("interrupted", {"held": True}, "held"),
        ("running", {"held": True}, "running"),
        ("running", {"cancelling": True, "held": True}, "cancelling"),
        ("done", {"cancelling": True}, "done"),
        ("failed", {"problem": "damaged"}, "damaged"),
    ],
)
def test_one_word_for_how_a_run_stands(state: str, asked: dict[str, bool], word: str) -> None:
    assert state_word(state, **asked) == word  # type: ignore[arg-type]
    assert word in STATE_WORDS


@both_sizes
async def test_held_is_the_word_in_dashboard_command_line_and_message(
    made: MadeRuns, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "ensure_supervisor", lambda *_, **__: True)
    async with dashboard(made.folder, size, filter="drama no-reg") as d:
        await d.press("h")
        await d.shows("held Drama · no-reg (h releases)")
        await d.until(lambda: "1 held" in d.lines[0], "counted in the first line")
        assert any(line.strip().startswith("=") for line in d.lines)
        await d.press("enter")
        await d.shows("held")
        await d.press("escape")
        listed = command_line("runs", "--runs", str(made.folder), "state:held")
        assert [line.split()[0] for line in listed.splitlines()[1:2]] == ["held"]
        assert "1 run: 1 held" in listed
        await d.press("h")
        await d.shows("released Drama · no-reg")
        paused = command_line("pause", "--runs", str(made.folder), "drama no-reg")
        assert "1 run: 1 held" in paused
        released = command_line("resume", "--runs", str(made.folder), "drama no-reg")
        assert "1 run: 1 released" in released


async def test_a_marked_run_out_of_sight_is_asked_about(many: MadeRuns) -> None:
    async with dashboard(many.folder, SMALL, layout="table") as d:
        await d.press("home", "space", "space", "end")
        for key, question in (("h", "Hold"), ("plus", "Raise"), ("x", "Cancel")):
            await d.press(key)
            await d.shows(f"{question} Comedy · base and 1 more?")
            await d.shows("2 of the 2 runs are not on the screen")
            await d.press("n")
        assert set(states(many.folder).values()) == {"queued", "running"}
        assert not list(many.folder.glob("*/paused"))
        # Where they are seen, nothing is asked.
        await d.press("home", "h")
        await d.shows("held Comedy · base and 1 more (h releases)")
        assert len(list(many.folder.glob("*/paused"))) == 2


async def test_one_run_of_several_seeds_is_named_by_its_seed(many: MadeRuns) -> None:
    async with dashboard(many.folder, SMALL, layout="table") as d:
        await d.press("home", "down", "number_sign")
        await d.shows("Tags of Comedy · base seed 1")
        await d.press("escape", "end", "o")
        await d.shows("Note on Western · base")
        assert "seed 0" not in d.text


async def test_queued_runs_are_cancelled_and_the_running_one_goes_on(many: MadeRuns) -> None:
    async with dashboard(many.folder, LARGE, layout="table") as d:
        await d.press("asterisk", "x")
        await d.shows("1 running, 30 waiting.")
        buttons = next(line for line in d.lines if "Cancel all (y)" in line)
        assert "Only the 30 waiting (q)" in buttons and "Keep (n)" in buttons
        await d.press("q")
        await d.until(
            lambda: sorted(states(many.folder).values()) == ["cancelled"] * 30 + ["running"],
            "the queued ones cancelled",
        )
        assert not list(many.folder.glob("western*/cancel"))
        await d.shows("cancelled Comedy · base and 29 more (u undoes)")
        await d.press("u")
        await d.shows("took back the cancel of Comedy · base and 29 more")


@both_sizes
async def test_in_the_summary_marks_are_of_what_is_under_its_cursor(
    made: MadeRuns, size: tuple[int, int]
) -> None:
    async with dashboard(made.folder, size, layout="summary") as d:
        await d.until(lambda: d.app.main.matrix.matrix.genres, "the matrix")
        first = d.app.main.matrix.matrix.genres[0]
        await d.press("space")
        # At the row's head the whole genre is meant, in a cell only its runs.
        assert {r.genre for r in d.app.model.marked_runs} == {first}
        assert len(d.app.model.marked) == 3
        assert "3 marked" in d.lines[0]
        assert any(f"●{first}" in line for line in d.lines)
        await d.press("right", "space")
        assert len(d.app.model.marked) == 4
        await d.press("escape")
        assert "●" not in "\n".join(d.lines[2:8])
