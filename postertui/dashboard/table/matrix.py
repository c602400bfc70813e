"""The summary as a table: genres down, variants across, a difference to the reference in each cell.

Verdicts and differences are the analysis'. A cell whose runs have not reached the common epoch
shows the difference at the last epoch that they share with the reference, without a verdict.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.number_format import score, signed
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.summary import REFERENCE, Difference, Margin, StudySummary
from postertui.dashboard.table.marks import (
    BASELINE_MARKS,
    DIFFERENCE_MARKS,
    DIFFERENCE_STYLES,
    STATE_MARKS,
)
from postertui.dashboard.text_width import StyledText, cut_middle
from postertui.history.metric_names import lower_is_better
from postertui.runs.state_words import STATE_WORDS
from postertui.system.text import pluralize

Setting = tuple[str, str]  # genre, variant

_GOING_ON = ("running", "interrupted")
#: States in the order in which one speaks for a cell without values.
_STATES = (*STATE_WORDS,)


@dataclass(frozen=True)
class Matrix:
    """What the summary shows of the shown `runs` by setting."""

    summary: StudySummary
    genres: tuple[str, ...]
    variants: tuple[str, ...]
    hidden_genres: tuple[str, ...]
    runs: Mapping[Setting, Sequence[RunView]]
    metric: str = "f"

    def cell(self, genre: str, variant: str) -> tuple[StyledText, StyledText]:
        """The difference in thousandths, and its mark."""
        difference = self.summary.differences.get((genre, variant))
        if difference is not None:
            style = DIFFERENCE_STYLES.get(difference.verdict, "dim")
            verdict_mark = DIFFERENCE_MARKS.get(difference.verdict, " ")
            return (thousandths(difference.difference), style), (verdict_mark, style)
        runs = self.runs.get((genre, variant), ())
        if not runs:
            return ("", "faint"), (" ", "faint")
        live = self.live_difference(genre, variant)
        state = min((r.standing for r in runs), key=_STATES.index)
        mark = (STATE_MARKS.get(state, "?") if state != "done" else " ", state)
        if live is not None:
            return (thousandths(live[0]), "dim"), mark
        if any(r.dead for r in runs):
            return ("dead", "failed"), (" ", "failed")
        return ("–", "dim"), mark

    def live_difference(self, genre: str, variant: str) -> tuple[float, int] | None:
        """The difference of means at the last epoch that both sides have, and that epoch.

        Of runs that still go on alone: why ended ones are not compared is the analysis' verdict.
        """
        own, reference = (self.runs.get((genre, v), ()) for v in (variant, REFERENCE))
        if not own or not reference or not any(r.state in _GOING_ON for r in own):
            return None
        epoch = min(max(r.epoch for r in own), max(r.epoch for r in reference))
        means = []
        for runs in (own, reference):
            values = [v for r in runs if (v := r.at(epoch, self.metric)) is not None]
            if not values:
                return None
            means.append(sum(values) / len(values))
        return means[0] - means[1], epoch

    def margin(self, genre: str, variant: str = REFERENCE) -> Margin | None:
        return self.summary.margins.get((genre, variant))

    def counts(self, variant: str) -> tuple[int, int]:
        """In how many of the shown genres the variant is better, and worse."""
        verdicts = Counter(
            d.verdict
            for genre in self.genres
            if (d := self.summary.differences.get((genre, variant))) is not None
        )
        return verdicts["better"], verdicts["worse"]

    def baseline_counts(self) -> Counter[str]:
        """Verdicts of the reference over the shown genres."""
        return Counter(m.verdict for g in self.genres if (m := self.margin(g)) is not None)

    def sentences(
        self, genre: str, variant: str, width: int = 200
    ) -> tuple[StyledText, StyledText]:
        """What is known of the genre, and of the variant in it; shorter where `width` is small."""
        whole = self._genre_sentence(genre)
        if len(whole[0]) > width:
            whole = self._genre_sentence(genre, short=True)
        return whole, self._cell_sentence(genre, variant)

    def _genre_sentence(self, genre: str, *, short: bool = False) -> StyledText:
        margin = self.margin(genre)
        if margin is None and not self.summary.metric:
            text, style = self.summary.problem or "computing …", "dim"
        elif margin is None:
            text, style = f"{REFERENCE} has no {self.summary.metric} here yet", "dim"
        else:
            value, mark = score(margin.value), BASELINE_MARKS[margin.verdict]
            text = f"{REFERENCE} {value}, {margin.sentence}"
            if short:
                text = f"{REFERENCE} {value}{mark} {margin.short_sentence}"
            style = margin.verdict
        cells = {
            variant: d
            for variant in self.variants
            if (d := self.summary.differences.get((genre, variant))) is not None
        }
        better = [v for v, d in cells.items() if d.verdict == "better"]
        if better:
            text += f"; better: {', '.join(better)}"
        elif cells:
            text += "; none better"
        return f"{genre}: {text}", style

    def _cell_sentence(self, genre: str, variant: str) -> StyledText:
        if variant == REFERENCE:
            return self._best_sentence(genre), "dim"
        difference = self.summary.differences.get((genre, variant))
        if difference is not None:
            return f"{variant}: {self._describe(difference)}", DIFFERENCE_STYLES.get(
                difference.verdict, "dim"
            )
        runs = self.runs.get((genre, variant), ())
        if not runs:
            return f"{variant}: no run of {genre}", "dim"
        live = self.live_difference(genre, variant)
        states = Counter(r.state for r in runs)
        state = ", ".join(f"{n} {s}" if len(runs) > 1 else s for s, n in states.items())
        if live is None:
            return f"{variant}: {state}, no value to compare at epoch {self.summary.epoch}", "dim"
        return f"{variant}: {state}, {signed(live[0])} at epoch {live[1]}, no verdict yet", "dim"

    def _best_sentence(self, genre: str) -> str:
        cells = [
            (d.difference, variant)
            for variant in self.variants
            if (d := self.summary.differences.get((genre, variant))) is not None
        ]
        if not cells:
            return self.summary.problem
        _, best = min(cells) if lower_is_better(self.summary.metric) else max(cells)
        return f"best: {best}, {self._describe(self.summary.differences[genre, best])}"

    def _describe(self, d: Difference) -> str:
        interval = ""
        if d.low is not None and d.high is not None:
            interval = f" ({signed(d.low)} to {signed(d.high)})"
        p = ""
        if d.p_adjusted is not None:
            value = "<.001" if d.p_adjusted < 0.001 else f"{score(d.p_adjusted)}"
            p = f", p {value} of {self.summary.comparisons} (Holm)"
        seeds = f", {pluralize(d.pairs, 'seed')}" if d.pairs != 1 else ""
        return f"{score(d.value)}, {signed(d.difference)}{interval}{p}: {d.verdict}{seeds}"


def thousandths(value: float) -> str:
    """`-46`: a difference in units of .001."""
    return f"{round(1000 * value):+d}"


def make_matrix(
    summary: StudySummary, runs: Iterable[RunView], metric: str, *, all_genres: bool = False
) -> Matrix:
    """The matrix of the shown `runs`; `all_genres` adds those without a defined value."""
    settings: dict[Setting, list[RunView]] = {}
    for run in runs:
        settings.setdefault((run.genre, run.variant), []).append(run)
    rates = {genre: members[0].test_base_rate or 0.0 for (genre, _), members in settings.items()}
    present = set(rates)
    defined = set(summary.genres)
    ranked = (*summary.genres, *summary.undefined_genres)
    order = [g for g in ranked if g in present]
    order += sorted(present - set(ranked), key=lambda g: (-rates[g], natural_key(g)))
    hidden = () if all_genres else tuple(
        g for g in order if g not in defined and g in summary.undefined_genres
    )  # fmt: skip
    first = {variant: members[0] for (_, variant), members in reversed(settings.items())}
    base = first.get(REFERENCE)
    variants = sorted(
        (v for v in first if v != REFERENCE), key=lambda v: _change_order(first[v], base)
    )
    return Matrix(
        summary=summary,
        genres=tuple(g for g in order if g not in hidden),
        variants=tuple(variants),
        hidden_genres=hidden,
        runs=settings,
        metric=metric,
    )


def _change_order(run: RunView, base: RunView | None) -> tuple[object, ...]:
    """Variants by what they change: the regularizer, the layers, the rest by family."""
    kind = 2
    if base is not None and run.fc == base.fc and run.regularizer != base.regularizer:
        kind = 0 if "loss" not in run.family.lower() else 2
    elif base is not None and run.fc != base.fc and run.family == base.family:
        kind = 1
    return (kind, natural_key(run.family) if kind == 2 else (), natural_key(run.variant))


#: After a dash that is no exponent's.
_DASH = re.compile(r"(?<=-)(?<!\de-)")


def wrap_name(name: str, width: int, lines: int) -> list[str]:
    """A variant's name on `lines` lines of `width`, broken at its dashes, cut in its middle."""
    words = _DASH.split(name)
    rows = [""]
    for word in words:
        if rows[-1] and len(rows[-1]) + len(word) > width and len(rows) < lines:
            rows.append("")
        rows[-1] += word
    rows = [cut_middle(row, width) for row in rows]
    return [""] * (lines - len(rows)) + rows
