"""Workers: real processes that draw beside each other, and end when they should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postertui.figures.font_cache import font_cache
from postertui.figures.picture import Picture
from postertui.figures.render_pool import RenderJob, RenderOutcome, RenderPool
from postertui.history.selection import History
from postertui.report import ReportRequest, prepare_pictures
from tests.support.figure_tables import seeds


def job(picture: Picture) -> RenderJob:
    return RenderJob(picture, ("png",), {"Title": picture.title}, 40)


@pytest.fixture(scope="module")
def jobs() -> list[RenderJob]:
    table = seeds(2, ("Comedy",))
    pictures, _ = prepare_pictures(
        History(table), ReportRequest(compare=("Regularizer", "seed", "run"))
    )
    return [job(picture) for picture, _ in pictures]


def draw(pool: RenderPool, jobs: list[RenderJob]) -> dict[int, RenderOutcome]:
    outcomes: dict[int, RenderOutcome] = {}

    def done(number: int, outcome: RenderOutcome) -> None:
        assert number not in outcomes
        outcomes[number] = outcome

    pool.draw(jobs, done)
    return outcomes


@pytest.mark.slow
def test_workers_draw_the_bytes_that_one_process_draws_whatever_the_folder(
    jobs: list[RenderJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # A user's own file of the name of one of Python's is no part of the program.
    (tmp_path / "random.py").write_text("raise SystemExit('run from a file')")
    with RenderPool(2) as pool:
        apart = draw(pool, jobs)
    assert apart == draw(RenderPool(0), jobs)
    assert all(isinstance(outcome, dict) for outcome in apart.values())


def test_a_worker_that_dies_costs_its_figure_and_no_other(jobs: list[RenderJob]) -> None:
    with RenderPool(2) as pool:
        pool.start()
        workers = pool.workers
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait()
        outcomes = draw(pool, jobs)
    assert sorted(outcomes) == [0, 1, 2]
    lost = [outcome for outcome in outcomes.values() if isinstance(outcome, str)]
    assert lost == ["the process that drew it died"]
    assert all(worker.returncode is not None for worker in workers)


def test_without_a_home_to_write_to_fonts_are_listed_in_a_folder_that_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/proc/1")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/1/cache")
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    with font_cache():
        folder = Path(os.environ["XDG_CACHE_HOME"])
        assert os.environ["MPLCONFIGDIR"] == str(folder)
        assert folder.is_dir()
    assert not folder.exists()
    assert os.environ["XDG_CACHE_HOME"] == "/proc/1/cache"
    assert "MPLCONFIGDIR" not in os.environ


def test_what_importing_leaves_out_is_there_again_for_others() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from postertui.figures.render_pool import _load_renderer; _load_renderer()\n"
            "from matplotlib import artist, patches\n"
            "class Mark(patches.Patch): 'A class of a user.'\n"
            "Mark.set_width = lambda self, width: 'Set the width.'\n"
            "Mark._update_set_signature_and_docstring()\n"
            "assert 'width' in str(Mark.set.__signature__), Mark.set.__signature__\n"
            "assert 'linewidth' in artist.kwdoc(patches.Patch)\n"
            "assert patches.Patch.set.__doc__ is None\n"
            "from plotnine.doctools import document, make_signature\n"
            "assert document.__module__ == make_signature.__module__ == 'plotnine.doctools'\n",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
