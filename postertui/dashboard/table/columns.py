"""The columns of the table of runs: what each shows, how wide it is, how it sorts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postertui.dashboard.natural_order import natural_key
from postertui.dashboard.number_format import always_yes, duration, score
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.table.marks import BASELINE_MARKS, STATE_MARKS
from postertui.dashboard.table.sparkline import sparkline
from postertui.dashboard.text_width import StyledText
from postertui.runs.state_words import STATE_WORDS


@dataclass(frozen=True)
class RunFacts:
    """What the table shows beyond the runs: their verdict against the baseline, and what remains.

    `remaining_of` gives seconds, None where nothing remains or it is unknown.
    """

    verdict_of: Callable[[RunView], str] = lambda _: ""
    remaining_of: Callable[[RunView], float | None] = lambda _: None


NO_FACTS = RunFacts()


@dataclass(frozen=True)
class RunColumn:
    """One column. `rank` says which columns go first where there is no room for all (1 stays).

    `text` gives text and style, `facts_text` those that depend on what is known beyond the run
    itself; `key` and `facts_key` sort, the highest value first where `best_first`. `width` is
    fixed, unless `stretch` lets it grow up to its longest text.
    """

    id: str
    title: str
    width: int
    rank: int
    text: Callable[[RunView], StyledText]
    key: Callable[[RunView], object]
    right: bool = False
    stretch: bool = False
    help: str = ""
    best_first: bool = False
    facts_text: Callable[[RunView, RunFacts], StyledText] | None = None
    facts_key: Callable[[RunView, RunFacts], object] | None = None

    def cell(self, run: RunView, facts: RunFacts = NO_FACTS) -> StyledText:
        """Text and style for `run`."""
        return self.text(run) if self.facts_text is None else self.facts_text(run, facts)

    def sort_key(self, run: RunView, facts: RunFacts = NO_FACTS) -> object:
        """By what `run` is sorted."""
        return self.key(run) if self.facts_key is None else self.facts_key(run, facts)

    @property
    def is_dynamic(self) -> bool:
        """Whether a run's place in the order changes as it trains."""
        return self.id not in ("genre", "variant", "seed", "yes", "base", "tags")


def _epoch(run: RunView) -> StyledText:
    if run.progress:
        return "feat.", "dim"
    return f"{run.epoch}/{run.epochs or '?'}", "text" if run.state == "running" else "dim"


def _newest(run: RunView, facts: RunFacts) -> StyledText:
    if run.dead:
        return "dead", "failed"
    return score(run.newest()), facts.verdict_of(run) or "text"


def _verdict_mark(run: RunView, facts: RunFacts) -> StyledText:
    verdict = facts.verdict_of(run)
    return BASELINE_MARKS[verdict], verdict or "dim"


def _remaining(run: RunView, facts: RunFacts) -> StyledText:
    remaining = facts.remaining_of(run)
    return (duration(remaining) if remaining is not None else ""), "dim"


_VERDICTS = ("above", "unclear", "below", "")


def _best(run: RunView) -> StyledText:
    epoch = run.best_epoch()
    return (f"{score(run.best())}@{epoch}", "text") if epoch is not None else ("–", "dim")


def _dead(run: RunView) -> StyledText:
    return ("dead", "failed") if run.dead else ("", "dim")


def _note(run: RunView) -> StyledText:
    return " ".join(f"#{tag}" for tag in run.tags), "accent"


def _number(value: float | None) -> tuple[bool, float]:
    return (value is None, value if value is not None else 0.0)


_STATES = (*STATE_WORDS,)

COLUMNS: tuple[RunColumn, ...] = (
    RunColumn(
        "state",
        "",
        1,
        1,
        lambda r: (STATE_MARKS.get(r.standing, "?"), r.standing),
        lambda r: _STATES.index(r.standing),
        help=" ".join(f"{mark} {word}" for word, mark in STATE_MARKS.items()),
    ),
    RunColumn(
        "genre",
        "genre",
        7,
        1,
        lambda r: (r.genre, "text"),
        lambda r: natural_key(r.genre),
        stretch=True,
    ),
    RunColumn(
        "variant",
        "variant",
        8,
        1,
        lambda r: (r.variant, "text"),
        lambda r: natural_key(r.variant),
        stretch=True,
    ),
    RunColumn("seed", "seed", 4, 3, lambda r: (str(r.seed), "dim"), lambda r: r.seed, right=True),
    RunColumn(
        "epoch",
        "epoch",
        7,
        2,
        _epoch,
        lambda r: (r.epoch / r.epochs if r.epochs else 0.0, r.epoch),
        right=True,
        help="finished epochs of those asked for",
    ),
    RunColumn(
        "newest",
        "F",
        4,
        1,
        lambda r: (score(r.newest()), "text"),
        lambda r: _number(r.newest()),
        right=True,
        help="test F at the newest epoch (soft where there is one)",
        best_first=True,
        facts_text=_newest,
    ),
    RunColumn(
        "bar",
        "",
        1,
        1,
        lambda _: (" ", "dim"),
        lambda _: 0,
        help="▲ above its baseline ? within noise of it ▼ below it",
        facts_text=_verdict_mark,
        facts_key=lambda r, facts: _VERDICTS.index(facts.verdict_of(r)),
    ),
    RunColumn(
        "best",
        "best@ep",
        7,
        4,
        _best,
        lambda r: _number(r.best()),
        right=True,
        help="the best test F over the epochs, and its epoch",
        best_first=True,
    ),
    RunColumn(
        "trend",
        "epochs",
        8,
        7,
        lambda r: (sparkline(r.values("test", "f"), 8), "test"),
        lambda r: r.epoch,
        help="test F epoch by epoch",
    ),
    RunColumn(
        "yes",
        "yes",
        4,
        5,
        lambda r: (score(always_yes(r.test_base_rate)), "dim"),
        lambda r: _number(r.test_base_rate),
        right=True,
        help="F of the all-positive baseline",
    ),
    RunColumn(
        "base",
        "base",
        4,
        8,
        lambda r: (score(r.test_base_rate), "dim"),
        lambda r: _number(r.test_base_rate),
        right=True,
        help="the base rate of the test cohort",
    ),
    RunColumn("dead", "", 4, 9, _dead, lambda r: not r.dead, help="weights have become NaN"),
    RunColumn(
        "seconds",
        "s/ep",
        5,
        7,
        lambda r: (duration(r.seconds), "dim"),
        lambda r: _number(r.seconds),
        right=True,
        help="seconds an epoch takes",
    ),
    RunColumn(
        "remaining",
        "left",
        5,
        6,
        lambda _: ("", "dim"),
        lambda _: (True, 0.0),
        right=True,
        help="work that is left of this run",
        facts_text=_remaining,
        facts_key=lambda r, facts: _number(facts.remaining_of(r)),
    ),
    RunColumn("device", "device", 6, 10, lambda r: (r.device, "dim"), lambda r: r.device),
    RunColumn("tags", "tags", 8, 11, _note, lambda r: r.tags or ("~",)),
)
BY_ID = {column.id: column for column in COLUMNS}
