"""The words around the curves: titles of cells, the legend, the values under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postertui.dashboard.charts.cell import LETTERS, Row, Text, ascii_mark
from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.number_format import compact, score
from postertui.dashboard.state.arrangement import Arrangement, Key, compared_value
from postertui.dashboard.state.metrics import F_METRICS, LOWER_IS_BETTER, label_of
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from postertui.dashboard.table.marks import BASELINE_MARKS
from postertui.dashboard.text_width import cells, fit
from postertui.system.text import pluralize

#: A run's verdict against its baseline: `above`, `unclear`, `below` or nothing.
VerdictOf = Callable[[RunView], str]


def value_text(value: float | None, options: ViewOptions) -> str:
    return score(value) if options.metric in F_METRICS else compact(value)


def value_at(run: RunView, side: str, options: ViewOptions, epoch: int | None) -> float | None:
    """The metric at `epoch`, or at the newest one."""
    if epoch is None:
        return run.newest(options.metric, side)
    return run.at(epoch, options.metric, side)


@dataclass(frozen=True)
class Value:
    """What a curve, or the mean of several, is at an epoch. `group` is its compared value."""

    name: str
    group: str
    test: float | None
    train: float | None


def values_at(runs: Sequence[RunView], options: ViewOptions, epoch: int | None) -> list[Value]:
    """A value for each run, or for the mean of each group's, in the order of the legend."""
    value_of = compared_value(options.compare)
    groups: dict[str, list[RunView]] = {}
    for run in sorted(
        runs, key=lambda r: (natural_key(value_of(r)), natural_key(r.variant), r.seed)
    ):
        groups.setdefault(value_of(run), []).append(run)
    rows: list[Value] = []
    for group, members in groups.items():
        sides = [[value_at(r, side, options, epoch) for r in members] for side in ("test", "train")]
        if options.seeds == "mean" and len(members) > 1:
            name = f"{group} ×{len(members)}"
            rows.append(Value(name, group, *(_mean(values) for values in sides)))
            continue
        for run, test, train in zip(members, *sides, strict=True):
            name = run.variant if options.compare in ("seed", "study") else group
            if len(members) > 1 or options.compare == "seed":
                name = f"{name} s{run.seed}"
            rows.append(Value(name, group, test, train))
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [v for v in values if v is not None]
    return sum(finite) / len(finite) if finite else None


def cell_title(
    key: Key,
    runs: Sequence[RunView],
    width: int,
    options: ViewOptions,
    *,
    cursor: int | None,
    selected: bool,
    focused: bool,
    verdict_of: VerdictOf = lambda _: "",
    label: str = "",
) -> Row:
    """The genre (or `label`) at the left, its runs' value or state at the right."""
    label = label or key[0]
    style = ("selected" if focused else "highlight") if selected else "title"
    right = _standing(runs, options, cursor, verdict_of)
    used = sum(cells(text) for text, _ in right)
    name = fit(f" {label} ", min(cells(label) + 2, max(4, width - used - 1)))
    space = width - cells(name) - used
    if space < 0:
        return ((fit(label, width), style),)
    return ((name, style), (" " * space, "blank"), *right)


def _standing(
    runs: Sequence[RunView], options: ViewOptions, cursor: int | None, verdict_of: VerdictOf
) -> tuple[Text, ...]:
    if not runs:
        return (("no run", "faint"),)
    parts: list[Text] = []
    if any(r.dead for r in runs):
        parts.append(("dead ", "failed"))
    if len({r.variant for r in runs}) > 1:
        return (*parts, *_best_of(runs, options, cursor, verdict_of))
    values = [v for r in runs if (v := value_at(r, "test", options, cursor)) is not None]
    if not values:
        if all(r.epoch for r in runs):
            return (*parts, ("–", "dim"))
        state = next((r for r in runs if r.state == "running"), runs[0])
        return (*parts, (state.progress or state.state, state.state))
    mean = sum(values) / len(values)
    trained = [v for r in runs if (v := value_at(r, "train", options, cursor)) is not None]
    if cursor is not None and options.train and trained:
        parts.append((value_text(sum(trained) / len(trained), options) + " ", "train"))
    if options.metric in F_METRICS:
        verdict = verdict_of(runs[0])
        parts.append((value_text(mean, options), verdict or "test"))
        parts.append((BASELINE_MARKS[verdict], verdict or "test"))
    else:
        parts.append((value_text(mean, options), "test"))
    return tuple(parts)


def _best_of(
    runs: Sequence[RunView], options: ViewOptions, cursor: int | None, verdict_of: VerdictOf
) -> tuple[Text, ...]:
    """The best run's value among several variants."""
    valued = [(v, r) for r in runs if (v := value_at(r, "test", options, cursor)) is not None]
    if not valued:
        return ((runs[0].state, runs[0].state) if not runs[0].epoch else ("–", "dim"),)
    pick = min if options.metric in LOWER_IS_BETTER else max
    value, run = pick(valued, key=lambda pair: pair[0])
    of_many = (f"best of {len({r.variant for r in runs})} ", "dim")
    if options.metric not in F_METRICS:
        return (of_many, (value_text(value, options), "text"))
    verdict = verdict_of(run)
    return (
        of_many,
        (value_text(value, options), verdict or "text"),
        (BASELINE_MARKS[verdict], verdict or "text"),
    )


def header(
    options: ViewOptions,
    arrangement: Arrangement,
    page_: str,
    width: int,
    ascii_only: bool,
    *,
    cut: int = 0,
) -> Row:
    """The metric, the legend, how many values are cut, and which page this is."""
    title = " " + label_of(options.metric)
    extras = [
        text
        for text, on in (
            ("log y", options.log_y),
            ("free y", not options.shared_y),
            ("whole y", options.whole_y),
            (f"smooth {options.smoothing:g}", options.smoothing > 0),
            ("mean of seeds", options.seeds == "mean"),
            (f"epochs {options.first_epoch}–{options.last_epoch or ''}", options.first_epoch > 0),
        )
        if on
    ]
    parts: list[Text] = [(title, "bold")]
    if extras:
        parts.append((" " + " · ".join(extras), "accent"))
    parts.append(("  ", "blank"))
    tail = f" {page_} " if page_ else ""
    if cut:
        tail = f" {pluralize(cut, 'value')} beyond ↑↓, Y: all {tail}"
    room = width - sum(cells(t) for t, _ in parts) - cells(tail)
    legend = _legend(options, arrangement, ascii_only) if arrangement.rows else []
    used = 0
    for mark, mark_style, label in legend:
        size = cells(mark) + cells(label) + 3
        if used + size > room:
            break
        parts.extend(((mark + " ", mark_style), (label + "  ", "dim")))
        used += size
    parts.append((" " * max(0, room - used), "blank"))
    parts.append((tail, "dim"))
    return tuple(parts)


def _legend(
    options: ViewOptions, arrangement: Arrangement, ascii_only: bool
) -> list[tuple[str, str, str]]:
    """(mark, its style, label) for each kind of line on the screen."""
    if options.mode == "overlay" and arrangement.groups:
        entries = [
            (LETTERS[i % 26].upper() if ascii_only else LETTERS[i % 26] + "━", f"group-{i}", name)
            for i, name in enumerate(arrangement.groups)
        ]
        if options.train:
            entries.append(("." if ascii_only else "┈", "dim", "train"))
    else:
        entries = [(ascii_mark("test") if ascii_only else "━━", "test", "test")]
        if options.train:
            entries.append((ascii_mark("train") if ascii_only else "┄┄", "train", "train"))
    if options.references and options.metric in F_METRICS:
        entries.append((ascii_mark("base-test") if ascii_only else "╌╌", "base-test", "base rate"))
        entries.append(
            (ascii_mark("always-yes") if ascii_only else "··", "always-yes", "always-yes")
        )
    return entries


def strip(columns: Sequence[str], width: int) -> Row:
    """The compared values above their columns."""
    parts: list[Text] = []
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
    groups: Sequence[str],
    options: ViewOptions,
    cursor: int | None,
    width: int,
) -> Row:
    """The values of the selected cell at the cursor's epoch (or the newest one)."""
    if key is None:
        return (("", "blank"),)
    where = f"epoch {cursor}" if cursor is not None else "newest"
    parts: list[Text] = [(f" {key[0]}", "bold"), (f" {where} ", "dim")]
    overlaid = options.mode == "overlay"
    for value in values_at(runs, options, cursor):
        style = f"group-{groups.index(value.group)}" if overlaid else "test"
        parts.append((f" {value.name}", style if overlaid else "dim"))
        parts.append((f" {value_text(value.test, options)}", style))
        if options.train and value.train is not None:
            train = value_text(value.train, options)
            parts.append((f"/{train}", style + "-train" if overlaid else "train"))
    with_base_rate = next((r for r in runs if r.test_base_rate is not None), None)
    if with_base_rate and options.metric in F_METRICS:
        parts.append((f"  base {score(with_base_rate.test_base_rate)}", "dim"))
    used, fitting = 0, []
    for text, style in parts:
        if used + cells(text) > width:
            break
        fitting.append((text, style))
        used += cells(text)
    return tuple(fitting)
