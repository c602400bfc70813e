"""`postertui train`: queue what is missing and see it through."""

from __future__ import annotations

from pathlib import Path

import click

from postertui.cli.options import Digits, data_option, json_option, runs_option
from postertui.cli.plan_text import (
    print_duration,
    print_plan,
    print_plan_json,
    print_problems,
    print_variants,
)
from postertui.cli.streams import print_message
from postertui.cli.training_place import check_detach, check_place, print_obstacles
from postertui.study.studies import MAX_GPUS, MIN_GPUS
from postertui.system.errors import UserError


@click.command("train")
@click.option(
    "--study",
    "study_name",
    default="milestone4",
    show_default=True,
    help="A built-in study, or a TOML file.",
)
@click.option("--variant", "variants", multiple=True, help="A variant's name or a glob (l2-*).")
@click.option("--genre", "genres", multiple=True, help="A genre or a glob; kept however rare.")
@click.option("--all-genres", is_flag=True, help="Keep genres too rare to model.")
@click.option("--seeds", type=click.IntRange(1, 1000), help="How many seeds: 0, 1, 2 and so on.")
@click.option(
    "--rotations",
    type=click.IntRange(1, 10),
    help="Repeat the training with the cohorts' roles rotated, this many times in all.",
)
@click.option("--epochs", type=click.IntRange(1, 10_000), help="Instead of the variants' own.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="Runs at a time, per GPU or on all cores; kept until another is given.",
)
@click.option(
    "--weights",
    multiple=True,
    default=("imagenet",),
    show_default="imagenet",
    metavar="[NAME=]WHAT",
    help="Of the frozen network: imagenet, random, or a file for VGG16; NAME=FILE for another one.",
)
@click.option("--train-cohorts", type=Digits(), help="Digits, e.g. 0,1,3.")
@click.option("--test-cohorts", type=Digits(), help="Digits, e.g. 2.")
@click.option(
    "--val-cohorts",
    type=Digits(or_none=True),
    help="Plateau, early stopping and thresholds go by these, e.g. 1; or none.",
)
@click.option(
    "--keep-weights",
    type=click.Choice(["all", "small", "none"]),
    help="Which runs keep their trained weights; small: up to 16 MB.",
)
@click.option(
    "--mode",
    type=click.Choice(["sound", "published"]),
    help="`published` keeps the arithmetic of 2017, NaN and all.",
)
@click.option(
    "--on", metavar="WHERE", help="ray[:HOST[:PORT]] for a cluster, here to come back from one."
)
@click.option(
    "--gpu",
    type=click.FloatRange(MIN_GPUS, MAX_GPUS),
    help="With --on ray: how many GPUs a run takes, below 1 a share of one.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    help="What to train on here: `cpu` takes no GPU, `gpu` fails without one; kept until another "
    "is given.",
)
@click.option("--retry", "retry_ended", is_flag=True, help="Also those that failed before.")
@click.option("--detach", is_flag=True, help="Return at once; the runs go on.")
@click.option("--foreground", is_flag=True, help="Start nothing that outlives this command.")
@click.option("--list", "only_list", is_flag=True, help="Show the study's variants and return.")
@click.option("--dry-run", is_flag=True, help="Say what would be trained and return.")
@data_option
@runs_option
@json_option
def train_command(
    study_name: str,
    variants: tuple[str, ...],
    genres: tuple[str, ...],
    all_genres: bool,
    seeds: int | None,
    rotations: int | None,
    epochs: int | None,
    jobs: int | None,
    weights: tuple[str, ...],
    train_cohorts: tuple[int, ...] | None,
    test_cohorts: tuple[int, ...] | None,
    val_cohorts: tuple[int, ...] | None,
    keep_weights: str | None,
    mode: str | None,
    on: str | None,
    gpu: float | None,
    device: str | None,
    retry_ended: bool,
    detach: bool,
    foreground: bool,
    only_list: bool,
    dry_run: bool,
    data: Path,
    runs: Path,
    as_json: bool,
) -> int:
    """Train the runs of a study that are missing.

    Asking again trains nothing that is done and attaches to what is running. Ctrl-C stops; what
    is unfinished goes on next time.
    """
    from postertui.study import load_study

    if detach:
        check_detach(foreground=foreground)
    study = load_study(study_name)
    for note in study.notes:
        print_message(note)
    if only_list:
        print_variants(study, variants, as_json=as_json)
        return 0
    from postertui.cli.selection import open_store
    from postertui.data.dataset import Dataset
    from postertui.data.feature_key import FEATURES
    from postertui.data.weight_choices import WeightChoices
    from postertui.supervisor import plan as launch
    from postertui.supervisor import requests
    from postertui.supervisor.trust import check_own_files
    from postertui.system.sharing import share_contents, share_with_group

    study.select(variants)  # a slip in a name is an error before weights are fetched
    dataset = Dataset.open(data)
    store = open_store(runs)
    plan = launch.plan(
        study,
        dataset,
        WeightChoices.parse(weights),
        {name: run.state for name, run in store.runs.items()},
        variants=variants,
        genres=genres,
        seeds=seeds,
        rotations=rotations,
        epochs=epochs,
        train_cohorts=train_cohorts,
        test_cohorts=test_cohorts,
        val_cohorts=val_cohorts,
        keep_weights=keep_weights,  # type: ignore[arg-type]
        mode=mode,  # type: ignore[arg-type]
        all_genres=all_genres,
        announce=print_message,
    )
    print_plan(plan, retry=retry_ended)
    print_problems(plan, store)
    if not plan.specs:
        raise UserError("no run matches; `postertui data show` lists the genres", exit_code=3)
    again = plan.ended if retry_ended else ()
    gpu = study.gpu if gpu is None else gpu
    if dry_run:
        if plan.missing or plan.open or again:
            print_obstacles(store, on, gpu, device)
            check_own_files(runs, plan.code_files.values())
        print_duration(plan, store, jobs or 1)
        print_plan_json(plan, as_json)
        return 0
    if plan.missing or plan.open or again:
        on, request = check_place(runs, on, gpu, device)
        if study.runs_access == "group":
            share_with_group(runs)
            share_contents(data / FEATURES, runs)
        launch.queue(runs, plan.missing, plan.code_files)
        requests.retry(runs, [spec.run for spec in again])
        started = requests.ensure_supervisor(
            runs, jobs=jobs, on=on, gpu=gpu, device=request, keep=foreground
        )
        if not started and on == "here":
            for line in requests.ignored_settings(runs, device=request):
                print_message(line)
        if detach:
            print_message("Training goes on in the background; `postertui` shows it.")
            print_plan_json(plan, as_json)
            return 0
        from postertui.cli.progress import follow

        watched = [spec.run for spec in (*plan.missing, *plan.open, *again)]
        return follow(store, watched, plan, started=started, as_json=as_json, keep=foreground)
    print_plan_json(plan, as_json)
    return 1 if plan.ended else 0
