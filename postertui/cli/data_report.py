"""How posters and labels were read: what `data build` prints before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postertui.system.text import pluralize, strip_control_chars

if TYPE_CHECKING:
    from postertui.data.details.info import DetailsInfo
    from postertui.data.posters.inputs import PosterInputs

#: How many files, ids and rows are named on the screen; left-out.csv has them all.
_NAMED = 10

#: How many genres are listed on the screen.
_GENRES = 30

Pairs = Sequence[tuple[str, str]]


def describe_inputs(inputs: PosterInputs) -> str:
    """What was understood of posters and labels, for people."""
    from postertui.data.posters.genres import describe_joining

    files, labels, summary = inputs.files, inputs.labels, inputs.labels.summary
    columns = ", ".join(f"`{c}`" for c in summary.genre_columns[:6])
    columns += " …" if len(summary.genre_columns) > 6 else ""
    lines = [
        f"posters: {pluralize(files.seen, 'file')} in {files.root}, {len(files):,} with an id",
        f"labels: {pluralize(summary.rows, 'row')} in {labels.path}, {summary.encoding.upper()}"
        + (f", separated by {summary.separator}" if summary.separator else ""),
        f"  ids in `{summary.id_column}`; {pluralize(len(labels.genres), 'genre')} in {columns}"
        f", {describe_joining(summary.joined)}",
    ]
    if summary.repeated:
        lines.append(f"  {pluralize(summary.repeated, 'equal row')} of an id already read")
    if summary.ignored:
        more = " …" if len(summary.ignored) > 12 else ""
        lines.append(f"  passed over: {', '.join(n[:40] for n in summary.ignored[:12])}{more}")
    lines += [f"  {note}" for note in summary.notes]
    counts = sorted(summary.counts, key=lambda pair: -pair[1])
    shown = ", ".join(f"{genre} {count:,}" for genre, count in counts[:_GENRES])
    lines.append(f"  {shown}" + (f" and {len(counts) - _GENRES} more" * (len(counts) > _GENRES)))
    lines.append(f"matched: {pluralize(len(inputs.labelled), 'poster')} with labels")
    lines += [f"  {i}: {', '.join(genres) or 'no genre'}" for i, genres in summary.sample]
    if inputs.details is not None:
        lines.append(inputs.details.describe())
    return "\n".join(strip_control_chars(line) for line in lines)


def describe_details(info: DetailsInfo) -> str:
    """What is known of a data folder's posters beside their images, for people."""
    columns = ", ".join(f"{name} ({kind})" for name, kind in info.columns.items())
    lines = [f"details of {pluralize(info.posters, 'poster')}: {columns}"]
    lines += [
        f"  {name} gives {genre} away: it is used only where a variant's `details` name it"
        for name, genre in info.gives_away.items()
    ]
    return "\n".join(strip_control_chars(line) for line in lines)


def inputs_json(inputs: PosterInputs) -> dict[str, Any]:
    """What was understood of posters and labels, for programs."""
    summary = inputs.labels.summary
    return {
        "files": inputs.files.seen,
        "posters": len(inputs.files),
        "rows": summary.rows,
        "encoding": summary.encoding,
        "separator": summary.separator,
        "id_column": summary.id_column,
        "genre_columns": summary.genre_columns,
        "joined_by": summary.joined,
        "passed_over": summary.ignored,
        "repeated_rows": summary.repeated,
        "genres": dict(summary.counts),
        "matched": len(inputs.labelled),
        "sample": [{"id": i, "genres": genres} for i, genres in summary.sample],
        "notes": summary.notes,
    }


def left_out_json(inputs: PosterInputs, unreadable: Pairs) -> dict[str, Any]:
    """What was left out, for programs."""
    files = inputs.files.left_out
    return {
        "unreadable": [{"poster": p, "reason": r} for p, r in unreadable],
        "files": [{"file": p, "reason": r} for p, r in files],
        "label_rows": [{"row": p, "reason": r} for p, r in inputs.labels.summary.left_out],
        "posters_without_label": len(inputs.unlabelled),
        "labels_without_poster": len(inputs.posterless),
        "posters_without_id": sum(reason == "its name is not an id" for _, reason in files),
    }


def print_left_out(inputs: PosterInputs, unreadable: Pairs, data: Path | None) -> None:
    """Print on standard error what was left out, the first few of each kind by name.

    `data` is the folder whose left-out.csv has all, where one was written.
    """
    rows = inputs.labels.summary.left_out
    _print("poster", "could not be read", [f"{p}: {r}" for p, r in unreadable], data)
    _print("file", "not used", [f"{p}: {r}" for p, r in inputs.files.left_out], data)
    _print("row of labels", "not used", [f"{p}: {r}" for p, r in rows], data)
    _print("poster", "without a label", list(map(str, inputs.unlabelled)), data)
    _print("label", "without a poster", list(map(str, inputs.posterless)), data)


def _print(noun: str, what: str, items: list[str], data: Path | None) -> None:
    if not items:
        return
    plural = noun.replace("row", "rows", 1) if noun.startswith("row") else f"{noun}s"
    count = f"{len(items):,} {noun if len(items) == 1 else plural}"
    click.echo(f"{count} {what}, left out:", err=True)
    for item in items[:_NAMED]:
        click.echo(f"  {strip_control_chars(item)}", err=True)
    if len(items) > _NAMED:
        where = f", see {data / 'left-out.csv'}" if data is not None else ""
        click.echo(f"  and {len(items) - _NAMED:,} more{where}", err=True)
