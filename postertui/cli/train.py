"""`postertui train`: queue what is missing and see it through."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from postertui.cli.options import Digits, data_option, json_option, print_json, runs_option
from postertui.cli.streams import say
from postertui.system.errors import UserError
from postertui.system.text import pluralize

if TYPE_CHECKING:
    from postertui.runs.store import Store
    from postertui.study import Study
    from postertui.supervisor.folder import DeviceRequest
    from postertui.supervisor.plan import TrainingPlan


@click.command("train")
@click.option("--study", "study_name", default="milestone4", show_default=True, help="A study.")
@click.option("--variant", "variants", multiple=True, help="A variant's name or a glob (l2-*).")
@click.option("--genre", "genres", multiple=True, help="A genre or a glob; kept however rare.")
@click.option("--all-genres", is_flag=True, help="Keep genres too rare to model.")
@click.option("--seeds", type=click.IntRange(1, 1000), help="How many seeds: 0, 1, 2 and so on.")
@click.option(
    "--rotations",
    type=click.IntRange(1, 10),
    help="Train all again with the cohorts' roles moved on, so many times in all.",
)
@click.option("--epochs", type=click.IntRange(1, 10_000), help="Instead of the variants' own.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="At a time, per GPU or on all cores; kept until another is given.",
)
@click.option(
    "--weights",
    multiple=True,
    default=("imagenet",),
    show_default="imagenet",
    metavar="[NAME=]WHAT",
    help="Pretrained: imagenet, random, a file of VGG16's; resnet50=FILE for a network of its own.",
)
@click.option("--train-cohorts", type=Digits(), help="Digits, e.g. 0,1,3.")
@click.option("--test-cohorts", type=Digits(), help="Digits, e.g. 2.")
@click.option(
    "--val-cohorts",
    type=Digits(or_none=True),
    help="Choices are made on these, e.g. 1; or none.",
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
    "--gpu", type=click.FloatRange(0.01, 8), help="The share of a GPU that a run takes on --on ray."
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    help="What to train on here: `cpu` means it, `gpu` fails without one; kept until another is "
    "given.",
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
        say(note)
    if only_list:
        list_variants(study, variants, as_json=as_json)
        return 0
    from postertui.cli.selection import open_store
    from postertui.data.dataset import Dataset
    from postertui.data.feature_key import FEATURES
    from postertui.data.weight_choices import WeightChoices
    from postertui.supervisor import plan as launch
    from postertui.supervisor import requests
    from postertui.supervisor.trust import check_own_files
    from postertui.system.sharing import share_contents, share_with_group

    study.select(variants)  # a slip in a name is said before weights are fetched
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
        announce=say,
    )
    say_plan(plan, retry=retry_ended)
    say_problems(plan, store)
    if not plan.specs:
        raise UserError("no run matches; `postertui data show` lists the genres", exit_code=3)
    again = plan.ended if retry_ended else ()
    gpu = study.gpu if gpu is None else gpu
    if dry_run:
        if plan.missing or plan.open or again:
            say_obstacles(store, on, gpu, device)
            check_own_files(runs, plan.code_files.values())
        say_duration(plan, store, jobs or 1)
        _print_json(plan, as_json)
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
                say(line)
        if detach:
            say("Training goes on in the background; `postertui` shows it.")
            _print_json(plan, as_json)
            return 0
        from postertui.cli.progress import follow

        watched = [spec.run for spec in (*plan.missing, *plan.open, *again)]
        return follow(store, watched, plan, started=started, as_json=as_json, keep=foreground)
    _print_json(plan, as_json)
    return 1 if plan.ended else 0


def check_detach(*, foreground: bool) -> None:
    """Raise `UserError` where nothing that this command leaves behind would live on."""
    if foreground:
        raise UserError("--detach and --foreground are opposites; give one of them")
    if os.getpid() == 1:
        raise UserError(
            "--detach: this is the first process of a container, which ends with it and takes "
            "the training along; use --foreground"
        )


def check_place(
    runs: Path, on: str | None, gpu: float | None, device: str | None
) -> tuple[str, DeviceRequest | None]:
    """Where to train and on what: as given, or as this folder's runs were trained before.

    Raises `UserError` where that cannot be done, before anything is queued.
    """
    from postertui.supervisor import folder
    from postertui.supervisor.installed import check_trainable

    where = on or folder.read_settings(runs).on or "here"
    if where == "here":
        check_trainable()
        return where, check_device(runs, gpu, device)
    from postertui.supervisor.backends.ray.address import parse_address
    from postertui.supervisor.backends.ray.checks import check_before_training
    from postertui.supervisor.known_clusters import check_known, remember_cluster

    if on is None:
        check_known(runs, where)
    address = parse_address(where)
    say(check_before_training(runs, address, gpu))
    if on is not None:
        remember_cluster(address.text)
    return address.text, None


def say_obstacles(store: Store, on: str | None, gpu: float | None, device: str | None) -> None:
    """What keeps runs from being trained at once, or where one expects it.

    Raises `UserError` where training here would be refused. A cluster is not asked.
    """
    from postertui.supervisor import folder, requests

    if (on or folder.read_settings(store.folder).on or "here") == "here":
        check_device(store.folder, gpu, device)
    open_runs = sum(run.is_waiting for run in store.runs.values())
    if waiting := requests.status(store.folder, open_runs).waiting:
        say(f"Waiting: {waiting}")


def check_device(runs: Path, gpu: float | None, device: str | None) -> DeviceRequest | None:
    """What to train on here; says which GPUs are used, and which are not.

    Raises `UserError` where a GPU was asked for by name and cannot be used.
    """
    from postertui.supervisor import folder
    from postertui.supervisor.backends.devices import find_devices
    from postertui.system.sessions import logout_advice

    request = folder.read_settings(runs).device
    match device:
        case "cpu" | "gpu":
            request = device
        case "auto":
            request = "auto"
        case _ if gpu is not None and request is None:
            # A share of a GPU asks for one.
            request = "gpu"
    choice = find_devices(request, os.environ, runs)
    for warning in choice.warnings:
        say(f"Warning: {warning}")
    if choice.devices:
        say(f"On {', '.join(choice.devices)}.")
    elif request == "cpu" and device is None:
        say("On the CPU, as asked before; --device auto takes a GPU where there is one.")
    if advice := logout_advice():
        say(f"Warning: this machine ends training at logout; `{advice}` lets it go on.")
    return request


def list_variants(study: Study, globs: tuple[str, ...], *, as_json: bool) -> None:
    """The study's variants on standard output: name, and what differs from base."""
    import msgspec

    chosen = study.select(globs)
    if as_json:
        print_json([msgspec.to_builtins(v) for v in chosen])
        return
    base = msgspec.to_builtins(study.base)
    width = max(len(v.name) for v in chosen)
    for variant in chosen:
        values = msgspec.to_builtins(variant)
        changed = [
            f"{key}={_brief(value)}"
            for key, value in values.items()
            if key not in ("name", "family", "code") and value != base.get(key)
        ]
        what = ", ".join(changed) or "the base variant"
        click.echo(f"{variant.name:<{width}}  {what}")


def say_plan(plan: TrainingPlan, *, retry: bool) -> None:
    """What there is to do, on standard error."""
    if plan.rare:
        say(
            f"Left out as too rare: {', '.join(plan.rare)} (name them with --genre, or "
            "--all-genres)"
        )
    counts = [
        (len(plan.missing), "new"),
        (len(plan.open), "under way or waiting"),
        (len(plan.done), "done"),
        (len(plan.ended), "failed or cancelled"),
    ]
    parts = ", ".join(f"{count} {what}" for count, what in counts if count)
    say(f"{pluralize(len(plan.specs), 'run')}: {parts or 'none'}")
    grouped = [spec for spec in plan.specs if spec.group]
    if grouped:
        trainings = pluralize(len({spec.unit for spec in grouped}), "training")
        say(f"{len(grouped)} of them share layers with other genres: {trainings} for all of them.")
    for note in plan.notes if plan.missing else ():
        say(note)
    if plan.ended and not retry:
        say("Those that failed or were cancelled are left alone; --retry queues them again.")


def say_problems(plan: TrainingPlan, store: Store) -> None:
    """Which of the plan's runs are there and cannot be read, so that --retry does not help."""
    names = [spec.run for spec in plan.ended if store.runs[spec.run].problem is not None]
    if names:
        say(
            f"{len(names)} of them cannot be read: {store.runs[names[0]].damage}; "
            "`postertui doctor` says more"
        )


def say_duration(plan: TrainingPlan, store: Store, jobs: int) -> None:
    """How long the new runs take, by the epochs of earlier ones, on standard error."""
    from postertui.cli.progress import format_seconds
    from postertui.supervisor.remaining import estimate_new

    seconds = estimate_new(plan.missing, store.runs.values(), jobs)
    if seconds is None:
        say("How long they take is not known before a run like each of them was timed.")
    elif plan.missing:
        say(f"About {format_seconds(seconds)} with {pluralize(jobs, 'job')}.")


def _brief(value: object) -> str:
    from postertui.study import describe_entries

    if isinstance(value, dict):
        rest = ", ".join(f"{k} {v}" for k, v in value.items() if k != "kind")
        return f"{value.get('kind')}" + (f" ({rest})" if rest else "")
    if isinstance(value, list | tuple):
        return describe_entries(value)
    return str(value)


def _print_json(plan: TrainingPlan, as_json: bool) -> None:
    if as_json:
        names = ("missing", "open", "done", "ended")
        groups = {name: [s.run for s in getattr(plan, name)] for name in names}
        print_json({"runs": plan.runs, **groups, "rare": plan.rare})
    sys.stderr.flush()
