"""`postertui ensemble`: several variants as one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postertui.cli.analysis_options import epoch_option, load, matching, source_options
from postertui.cli.formats import OutputFormat, format_option, print_sections
from postertui.system.errors import UserError

if TYPE_CHECKING:
    import polars as pl

    from postertui.analysis.blends import BlendKind
    from postertui.history.selection import History

ensemble_option: Callable[..., Any] = click.option(
    "--ensemble",
    "ensembles",
    multiple=True,
    metavar="KIND:A,B,C",
    help="And the ensemble of these variants: average, greedy or stack (see `postertui ensemble`).",
)


@click.command("ensemble")
@source_options
@click.option("--average", metavar="A,B,C", help="The mean of these variants' probabilities.")
@click.option("--greedy", metavar="A,B,C", help="Weights by greedy selection on validation.")
@click.option("--stack", metavar="A,B,C", help="Weights by logistic regression on validation.")
@epoch_option
@format_option
def ensemble_command(
    query: tuple[str, ...],
    runs: Path,
    source: Path | None,
    average: str | None,
    greedy: str | None,
    stack: str | None,
    rule: str | int,
    output: OutputFormat,
) -> None:
    """Several variants as one model, next to the single ones.

    --average, --greedy and --stack blend the probabilities of variants (names or globs), genre by
    genre and seed by seed; weights are chosen on the validation cohort, scores are those of the
    test cohort. With none of them, as in 2017: for each genre the variant with the best training F.
    """
    from postertui.analysis.blends import blend_runs, recipe_of
    from postertui.analysis.ensemble import ensemble
    from postertui.analysis.tables.blends import blend_sections
    from postertui.analysis.tables.ensemble import ensemble_sections

    methods: dict[BlendKind, str | None] = {"average": average, "greedy": greedy, "stack": stack}
    recipes = [recipe_of(kind, text) for kind, text in methods.items() if text is not None]
    history = load(source, runs)
    table = matching(history, query)
    if not recipes:
        print_sections(ensemble_sections(ensemble(table, rule)), output)
        return
    predictions = predictions_of(history, table)
    sections = []
    for recipe in recipes:
        blends = blend_sections(recipe, blend_runs(recipe, predictions))
        if len(recipes) > 1:
            blends = [replace(s, key=f"{recipe.kind}_{s.key}") for s in blends]
        sections += blends
    print_sections(sections, output)


def predictions_of(history: History, table: pl.DataFrame) -> list[Any]:
    """The predictions of the table's runs. Raises `UserError` where a table is all there is."""
    from postertui.predictions.loading import load_runs

    if history.folder is None:
        raise UserError(
            "ensembles are made of predictions, which a history table does not hold; name the runs "
            "folder with --runs"
        )
    return load_runs(history.folder, table["run"].unique(maintain_order=True))[0]


def add_ensembles(history: History, ensembles: Sequence[str]) -> History:
    """The history with a row for each run of the ensembles; see `ensemble_option`."""
    if not ensembles:
        return history
    import polars as pl

    from postertui.analysis.blends import blend_runs, history_rows, parse_recipe

    recipes = [parse_recipe(text) for text in ensembles]
    predictions = predictions_of(history, history.table)
    rows = [history_rows(blend_runs(r, predictions), history.table) for r in recipes]
    table = pl.concat([history.table, *rows], how="diagonal_relaxed")
    records = history.records
    if records is not None:
        # Filters see an ensemble as a run that is done.
        records_by_run = {
            row["run"]: _record(row) for part in rows for row in part.iter_rows(named=True)
        }
        records = {**records, **records_by_run}
    return replace(history, table=table, records=records)


def _record(row: dict[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in row.items() if value is not None} | {
        "state": "done",
        "family": "ensemble",
    }
