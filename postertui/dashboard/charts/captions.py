"""The words around the grid: the legend, the pages, the values under the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from postertui.dashboard.charts.cell import Row
from postertui.dashboard.charts.highlights import LETTERS, Highlights
from postertui.dashboard.charts.plot import ascii_mark
from postertui.dashboard.charts.values import Value, value_text, values_at
from postertui.dashboard.number_format import score
from postertui.dashboard.state.arrangement import Key
from postertui.dashboard.state.metrics import F_METRICS, label_of
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import REFERENCE
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.text_width import StyledText, cells, fit
from postertui.system.text import pluralize


def header(
    options: ViewOptions,
    highlights: Highlights,
    page_: str,
    width: int,
    ascii_only: bool,
    *,
    cut: int = 0,
) -> Row:
    """The metric, the legend, how many values are cut, and which page this is.

    What the legend leaves out is counted.
    """
    title = " " + label_of(options.metric) + (f", Δ to {REFERENCE}" if options.delta else "")
    extras = [
        text
        for text, on in (
            ("log y", options.log_y and not options.delta),
            ("free y", not options.shared_y and options.mode == "facet"),
            ("whole y", options.whole_y),
            (f"smooth {options.smoothing:g}", options.smoothing > 0),
            ("mean of seeds", options.seeds == "mean"),
            (f"epochs {options.first_epoch}–{options.last_epoch or ''}", options.first_epoch > 0),
        )
        if on
    ]
    parts: list[StyledText] = [(title, "bold")]
    if extras:
        parts.append((" " + " · ".join(extras), "accent"))
    parts.append(("  ", "blank"))
    tail = f" {page_} " if page_ else ""
    if cut:
        tail = f" {pluralize(cut, 'value')} beyond ↑↓, Y: all {tail}"
    room = width - sum(cells(t) for t, _ in parts) - cells(tail)
    entries = _legend(options, highlights, ascii_only) if highlights.groups else []
    legend, used = _fitting(entries, room, highlights.others if options.mode == "overlay" else 0)
    parts += legend
    parts.append((" " * max(0, room - used), "blank"))
    parts.append((tail, "dim"))
    return tuple(parts)


def _fitting(
    entries: Sequence[tuple[str, str, str]], room: int, grey: int
) -> tuple[list[StyledText], int]:
    """The entries of the legend that have room, how many have none or are grey, and the width."""
    shown, note = list(entries), ""
    while True:
        left_out = len(entries) - len(shown)
        notes = [f"+{left_out}"] if left_out else []
        notes += [f"{grey} more grey"] if grey else []
        note = " ".join(notes)
        used = sum(cells(mark) + cells(label) + 3 for mark, _, label in shown) + cells(note)
        if used <= room or not shown:
            break
        shown.pop()
    if used > room:
        return [], 0
    parts: list[StyledText] = []
    for mark, style, label in shown:
        parts += [(mark + " ", style), (label + "  ", "dim")]
    return [*parts, (note, "dim")], used


def _legend(
    options: ViewOptions, highlights: Highlights, ascii_only: bool
) -> list[tuple[str, str, str]]:
    """(mark, its style, label) for each kind of line on the screen."""
    if options.mode == "overlay":
        entries = [
            (LETTERS[i].upper() if ascii_only else LETTERS[i] + "━", f"group-{i}", name)
            for i, name in enumerate(highlights.names)
        ]
        if options.train and not options.delta:
            entries.append(("." if ascii_only else "┈", "dim", "train"))
    else:
        entries = [(ascii_mark("test") if ascii_only else "━━", "test", "test")]
        if options.train and not options.delta:
            entries.append((ascii_mark("train") if ascii_only else "┄┄", "train", "train"))
    if options.delta:
        entries.append((ascii_mark("zero") if ascii_only else "╌╌", "zero", REFERENCE))
        if not ascii_only:
            entries.append(("⢕⢕", "noise", "noise"))
    elif options.references and options.metric in F_METRICS:
        entries.append((ascii_mark("base-test") if ascii_only else "╌╌", "base-test", "base rate"))
        entries.append(
            (ascii_mark("always-yes") if ascii_only else "··", "always-yes", "always-yes")
        )
    return entries


def strip(columns: Sequence[str], width: int) -> Row:
    """The compared values above their columns."""
    parts: list[StyledText] = []
    for value in columns:
        text = fit(value, min(width, cells(value)))
        left = (width - cells(text)) // 2
        parts.append((" " * left + text + " " * (width - cells(text) - left + 1), "accent"))
    return tuple(parts)


def page(offset: tuple[int, int], visible: tuple[int, int], total: tuple[int, int]) -> str:
    """Which rows and columns are in sight, where that is not all of them."""
    parts = []
    for start, size, whole, arrow in zip(offset, visible, total, "↓→", strict=True):
        if whole > size:
            stop = min(whole, start + size)
            shown = f"{start + 1}–{stop}" if stop > start + 1 else f"{stop}"
            parts.append(f"{arrow}{shown}/{whole}")
    return " ".join(parts)


def readout(
    key: Key | None,
    runs: Sequence[RunView],
    highlights: Highlights,
    options: ViewOptions,
    cursor: int | None,
    width: int,
) -> Row:
    """The values of the selected cell at the cursor's epoch (or the newest one).

    Those in full colour go first, and what has no room is counted.

    Parameters
    ----------
    key
        The selected cell; None for none.
    runs
        Its runs.
    cursor
        The epoch under the cursor; None for the newest one.
    width
        Of the line, in characters.
    """
    if key is None:
        return (("", "blank"),)
    where = f"epoch {cursor}" if cursor is not None else "newest"
    where += ", test/train" if options.train else ", test"
    head: list[StyledText] = [(f" {key[0]}", "bold"), (f" {where} ", "dim")]
    values = values_at(runs, options, cursor)
    overlaid = options.mode == "overlay"
    if overlaid:
        names = highlights.names
        values.sort(key=lambda v: names.index(v.group) if v.group in names else len(names))
    used = sum(cells(text) for text, _ in head)
    for number, value in enumerate(values):
        entry = _readout_entry(value, options, highlights, overlaid=overlaid)
        size = sum(cells(text) for text, _ in entry)
        remaining = len(values) - number
        # The last one needs no room for how many follow.
        if used + size > width - (0 if remaining == 1 else len(f" +{remaining - 1}")):
            more = f" +{remaining}"
            head.append((fit(more, min(width - used, len(more))), "dim"))
            break
        head += entry
        used += size
    with_base_rate = next((r for r in runs if r.test_base_rate is not None), None)
    if with_base_rate and options.metric in F_METRICS:
        base_rate = f"  base rate {score(with_base_rate.test_base_rate)}"
        if used + len(base_rate) <= width:
            head.append((base_rate, "dim"))
    return tuple(head)


def _readout_entry(
    value: Value, options: ViewOptions, highlights: Highlights, *, overlaid: bool
) -> list[StyledText]:
    style = highlights.style(value.group) if overlaid else "test"
    parts = [
        (f" {value.name}", style if overlaid else "dim"),
        (f" {value_text(value.test, options)}", style),
    ]
    if options.train and value.train is not None:
        train = value_text(value.train, options)
        parts.append((f"/{train}", style + "-train" if overlaid else "train"))
    return parts
