"""`postertui demo`: the whole way on made-up posters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.cli.options import PATH
from postertui.cli.streams import print_message

if TYPE_CHECKING:
    from postertui.cli.demo_study import DemoFolders
    from postertui.data.weights import Weights
    from postertui.supervisor.plan import TrainingPlan


@click.command("demo")
@click.option("--headless", is_flag=True, help="No dashboard: progress, then the report.")
@click.option(
    "--folder",
    type=PATH,
    default=Path("demo"),
    show_default=True,
    help="Where posters, data, runs and reports go; delete it to start over.",
)
@click.option("--jobs", type=click.IntRange(1, 64), help="How many runs at a time.")
def demo_command(headless: bool, folder: Path, jobs: int | None) -> int:
    """Make a small poster set, train two variants of three genres, draw the report.

    Shows the training live in the dashboard, or as lines of progress where there is no terminal.
    Training goes on if you leave the dashboard early.
    """
    from postertui.cli import demo_study as demo
    from postertui.cli.data import build_progress
    from postertui.supervisor import plan as launch
    from postertui.supervisor import requests
    from postertui.supervisor.installed import check_trainable

    check_trainable()
    folders = demo.DemoFolders(folder)
    with build_progress("posters") as progress:
        dataset = demo.make_data(folders, progress)
    weights = demo.demo_weights()
    print_message(f"{folders.data}: {dataset.posters(dataset.cohorts)} made-up posters.")
    print_message(f"Training two variants of three genres: {demo.describe_weights(weights)}.")
    plan = demo.plan_demo(folders, dataset, weights)
    requests.resume(folders.runs) if folders.runs.is_dir() else None
    launch.queue(folders.runs, plan.missing)
    requests.retry(folders.runs, [spec.run for spec in plan.ended])
    if plan.missing or plan.open or plan.ended:
        requests.ensure_supervisor(folders.runs, jobs=jobs)
    if headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
        code = _follow(folders, plan)
    else:
        code = _watch(folders, weights)
    code = code or _report(folders)
    print_message(
        f"`postertui demo` shows them again, `postertui compare --runs {folders.runs}` compares "
        "the two variants."
    )
    return code


def _follow(folders: DemoFolders, plan: TrainingPlan) -> int:
    from postertui.cli.progress import follow
    from postertui.runs.store import Store

    store = Store(folders.runs)
    store.refresh()
    return follow(store, plan.runs, plan, started=True, as_json=False)


def _watch(folders: DemoFolders, weights: Weights) -> int:
    from postertui.cli.demo_study import STUDY
    from postertui.dashboard.setup import Setup
    from postertui.dashboard.start import run_dashboard
    from postertui.runs.store import Store

    run_dashboard(
        Setup(
            runs=folders.runs,
            data=folders.data,
            out=folders.reports,
            study=STUDY,
            notice=f"VGG16 with {'random' if weights.kind == 'random' else 'ImageNet'} weights",
        )
    )
    store = Store(folders.runs)
    store.refresh()
    going_on = sum(run.state in ("queued", "running") for run in store.runs.values())
    if going_on:
        print_message(
            f"{going_on} runs go on in the background; `postertui demo` opens them again."
        )
    return 0


def _report(folders: DemoFolders) -> int:
    """Draw what there is; the figure's path on standard output."""
    from postertui.cli.report import draw_history
    from postertui.report import ReportRequest

    return draw_history(folders.runs, folders.reports, ReportRequest(compare=("Regularizer",)))
