"""The text of `?`: the actions of each region, and what the marks mean."""

from __future__ import annotations

from collections.abc import Sequence

from postertui.dashboard.actions.keymap import Keymap, keys_of
from postertui.dashboard.actions.registry import PART_REGIONS, REGIONS, actions_in
from postertui.dashboard.table.marks import BASELINE_MARKS, STATE_MARKS

#: Title, and lines of (keys, what they do, the action's id where it has one).
Section = tuple[str, Sequence[tuple[str, ...]]]


def help_sections(
    regions: Sequence[str], keymap: Keymap, *, read_only: bool = False
) -> list[Section]:
    """The help, with the user's own keys; first the `regions` of the screen it is asked on."""
    titles = REGIONS | PART_REGIONS
    sections: list[Section] = []
    for region in dict.fromkeys((*regions, *REGIONS)):
        parts = (region, "app") if region == "main" else (region,)
        shown = list(actions_in(*parts, read_only=read_only))
        lines = [(" ".join(keys_of(a, keymap)), a.description, a.id) for a in shown if not a.system]
        sections.append((titles[region], lines))
    return [*sections, *_LEGEND]


_LEGEND: tuple[Section, ...] = (
    ("states", [(mark, state) for state, mark in STATE_MARKS.items()]),
    (
        "your own keys, in ~/.config/postertui/config.toml",
        [
            ("[keys]", "then a line for each, by the names at the right:"),
            ('"view.metric"', '= "f5,M"'),
        ],
    ),
    (
        "test F against its baseline, the all-positive F (always-yes)",
        [
            (BASELINE_MARKS["above"], "above it beyond noise (95 %)"),
            (BASELINE_MARKS["unclear"], "within noise of it"),
            (BASELINE_MARKS["below"], "below it beyond noise"),
        ],
    ),
    (
        "the filter",
        [
            ("comedy", "a bare word matches any text of a run"),
            ("genre:comedy variant:l2-*", "fields, with globs; side by side means and"),
            ("state:running,queued", "any of several"),
            ("test_fscore>.3 fc1=256", "numbers compare"),
            ("and or not ( )", "as anywhere"),
        ],
    ),
)
