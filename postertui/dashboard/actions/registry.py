"""Every action that a key can start, once: bindings, key bar, help, palette and keymap read it.

An action's `command` is Textual's: the method `action_<command>` of the screen or widget whose
bindings it is part of. `do` hands its argument, the action's id, to the screen's `handlers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Action:
    """What a key does. `region` says where it works, `help` adds to the `label` in `?`.

    `keys` are Textual's names with commas between them. Only actions with an `id` can be given
    other keys. With `in_footer` it is in the key bar. `priority` keys come before the focused
    widget's own. What `changes_runs` or their notes, a read-only dashboard does not do.
    """

    region: str
    id: str
    keys: str
    label: str
    command: str = ""
    help: str = ""
    in_footer: bool = False
    priority: bool = False
    system: bool = False
    changes_runs: bool = False

    @property
    def binding(self) -> Binding:
        return Binding(
            self.keys,
            self.command or f"do('{self.id}')",
            self.label,
            show=self.in_footer,
            id=self.id or None,
            tooltip=self.help,
            priority=self.priority,
            system=self.system,
        )

    @property
    def description(self) -> str:
        """The label and, where there is one, its explanation."""
        return f"{self.label}: {self.help}" if self.help else self.label


def _shown(
    region: str, id: str, keys: str, label: str, command: str = "", help: str = ""
) -> Action:
    return Action(region, id, keys, label, command, help, in_footer=True)


def _change(id: str, keys: str, label: str, help: str, *, in_footer: bool = False) -> Action:
    return Action("runs", id, keys, label, help=help, in_footer=in_footer, changes_runs=True)


#: The main screen's regions and those of screens that it opens, with their titles in the help; on
#: the main screen `?` shows all of them in this order.
REGIONS = {
    "main": "everywhere",
    "runs": "runs",
    "watch": "devices and figures",
    "view": "the view",
    "summary": "the summary",
    "table": "the table",
    "grid": "the grid",
    "cell": "one cell",
    "analysis": "compare, leaderboard, bars",
    "run": "one run",
    "launch": "new runs",
}
#: Those whose keys work on the main screen whatever has the focus there; the screen handles them.
MAIN_REGIONS = ("main", "runs", "view", "watch")
#: Regions of parts of a screen and of windows: `?` shows them only on a screen that has them.
PART_REGIONS = {
    "log": "a log",
    "ticks": "a list to tick",
    "variant": "a new variant",
    "filter": "the filter line",
    "checklists": "checklists",
    "saved": "saved filters",
    "picker": "choosing a run",
    "choice": "choosing one of several",
    "figure": "the last figure",
    "preview": "a figure's preview",
    "prompt": "a question",
    "confirm": "a confirmation",
    "help": "this help",
}

ACTIONS: tuple[Action, ...] = (
    # Everywhere
    _shown("app", "app.help", "question_mark", "Help", "help"),
    _shown("app", "app.quit", "q", "Quit", "quit"),
    Action("app", "app.commands", "ctrl+p,colon", "commands", "command_palette",
           "everything by name"),
    Action("app", "app.theme", "T", "theme", "next_theme", "dark, light, colour-blind"),
    Action("app", "app.redraw", "ctrl+l", "redraw", "redraw",
           "the whole screen, if something else wrote on it"),
    Action("app", "app.suspend", "ctrl+z", "suspend", "suspend_process",
           "back to the shell; `fg` returns", system=True),
    Action("app", "app.interrupt", "ctrl+c", "quit", "quit", system=True),
    # The main screen. With priority, or what is typed right behind `/` would go to the table.
    Action("main", "filter.open", "slash", "Filter", in_footer=True, priority=True),
    _shown("main", "filter.checklists", "c", "Choose", help="genres and variants, by ticking"),
    Action("main", "filter.saved", "w", "filters", help="saved filters"),
    Action("main", "main.other", "tab", "table/grid"),
    Action("main", "main.back", "escape", "back",
           help="clears the epoch cursor, then marks, then the filter"),
    # Runs
    _change("run.launch", "n", "New runs", "start the missing runs of a study", in_footer=True),
    _change("run.cancel", "x", "Cancel", "the selected or marked runs", in_footer=True),
    _change("run.retry", "r", "Retry", "failed and cancelled runs"),
    _change("run.undo", "u", "Undo", "the newest request"),
    _change("run.pause", "P", "Pause", "the queue, or let it go on"),
    _change("run.hold", "h", "hold", "let these runs wait, or go on"),
    _change("run.raise", "plus", "raise", "to go earlier"),
    _change("run.lower", "minus", "lower", "to go later"),
    Action("runs", "run.mark", "space", "mark", help="for the next action"),
    Action("runs", "run.mark-all", "asterisk", "mark all", help="that are shown, or none"),
    Action("runs", "run.pin", "p", "pin", help="always shown, on top"),
    _change("run.tags", "number_sign", "tags", "words that filters find with tag:"),
    _change("run.note", "o", "note", "a line about the run"),
    # The view
    _shown("view", "view.summary", "1", "Summary", help="variants against base, genre by genre"),
    _shown("view", "view.curves", "2", "Curves", help="small multiples, and the table"),
    _shown("view", "view.runs", "3", "Runs", help="the table of runs alone"),
    Action("view", "view.analysis-compare", "4", "compare", help="what `compare` prints of this"),
    Action("view", "view.analysis-leaderboard", "5", "leaderboard",
           help="what `leaderboard` prints of this"),
    Action("view", "view.analysis-bars", "6", "bars", help="what `bars` prints of this"),
    _shown("view", "view.metric", "m", "Metric", help="the next metric"),
    Action("view", "view.metric-back", "M", "metric back"),
    _shown("view", "view.overlay", "f", "Overlay", help="facets or all variants in one"),
    Action("view", "view.compare", "v", "compare", help="the column"),
    Action("view", "view.choose-metric", "D", "choose what is drawn", help="then a letter"),
    Action("view", "view.choose-compare", "V", "choose what is compared", help="then a letter"),
    Action("view", "view.choose-sort", "O", "choose the order", help="then a letter"),
    Action("view", "view.delta", "B", "Δ to base", help="curves as differences to base's"),
    Action("view", "view.train", "t", "train on/off"),
    Action("view", "view.references", "b", "base rates"),
    Action("view", "view.shared-y", "y", "shared/free y"),
    Action("view", "view.whole-y", "Y", "whole y range", help="every value, or nearly all"),
    Action("view", "view.log-y", "l", "log y"),
    Action("view", "view.smoothing", "e", "smoothing"),
    Action("view", "view.seeds", "a", "mean of seeds",
           help="each run, or the mean of a setting's seeds"),
    Action("view", "view.epochs", "E", "epochs", help="first to last"),
    Action("view", "view.layout", "z", "Layout", help="table and grid, grid, table"),
    Action("view", "view.more-columns", "equals_sign,greater_than_sign", "more columns"),
    Action("view", "view.fewer-columns", "less_than_sign", "fewer columns"),
    Action("view", "view.epoch-back", "left_square_bracket", "epoch back"),
    Action("view", "view.epoch-on", "right_square_bracket", "epoch on"),
    _shown("view", "view.sort", "s", "Sort", help="by the next column"),
    Action("view", "view.reverse", "S", "reverse sort"),
    Action("view", "view.group", "g", "Group", help="by variant, by genre, not at all"),
    # Figures and devices
    _shown("watch", "figure.draw", "F", "Figure",
           help="the report of exactly what is on the screen"),
    Action("watch", "figure.last", "i", "last figure",
           help="preview it, copy its path or its command"),
    _shown("watch", "watch.devices", "d", "Devices", help="how busy the machine is"),
    # The summary
    Action("summary", "summary.up", "up,k", "up", "move(-1,0)"),
    Action("summary", "summary.down", "down,j", "down", "move(1,0)"),
    Action("summary", "summary.left", "left", "left", "move(0,-1)"),
    Action("summary", "summary.right", "right", "right", "move(0,1)"),
    Action("summary", "summary.page-up", "pageup", "page up", "page(-1,0)"),
    Action("summary", "summary.page-down", "pagedown", "page down", "page(1,0)"),
    Action("summary", "summary.first", "home", "reference", "page(0,-99)"),
    Action("summary", "summary.last", "end", "last variant", "page(0,99)"),
    _shown("summary", "summary.open", "enter", "Open", "open", "the cell's curves, full screen"),
    Action("view", "view.undefined-genres", "U", "genres without test F", help="show or hide them"),
    # The table
    Action("table", "table.up", "up,k", "up", "move(-1)"),
    Action("table", "table.down", "down,j", "down", "move(1)"),
    Action("table", "table.page-up", "pageup", "page up", "page(-1)"),
    Action("table", "table.page-down", "pagedown", "page down", "page(1)"),
    Action("table", "table.first", "home", "first", "end(-1)"),
    Action("table", "table.last", "end,G", "last", "end(1)"),
    _shown("table", "table.open", "enter", "Open", "open", "log, config and curves"),
    # The grid
    Action("grid", "grid.left", "left", "left", "select(0,-1)"),
    Action("grid", "grid.right", "right", "right", "select(0,1)"),
    Action("grid", "grid.up", "up,k", "up", "select(-1,0)"),
    Action("grid", "grid.down", "down,j", "down", "select(1,0)"),
    Action("grid", "grid.page-up", "pageup", "page up", "page(-1)"),
    Action("grid", "grid.page-down", "pagedown", "page down", "page(1)"),
    Action("grid", "grid.first", "home", "first cell", "first"),
    _shown("grid", "grid.open", "enter", "Full screen", "open", "this cell, full screen"),
    # One cell
    _shown("cell", "zoom.back", "escape,q", "Back", "dismiss"),
    _shown("cell", "zoom.epoch-back", "left_square_bracket,left", "Epoch back"),
    _shown("cell", "zoom.epoch-on", "right_square_bracket,right", "Epoch on"),
    _shown("cell", "zoom.next", "n,pagedown", "Next cell"),
    _shown("cell", "zoom.previous", "p,pageup", "Previous cell"),
    _shown("cell", "zoom.metric", "m", "Metric"),
    _shown("cell", "zoom.seeds", "a", "Mean of seeds"),
    _shown("cell", "zoom.figure", "F", "Figure", help="the report of this cell"),
    Action("cell", "zoom.last-figure", "i", "last figure"),
    Action("cell", "zoom.delta", "B", "Δ to base"),
    Action("cell", "zoom.train", "t", "train on/off"),
    Action("cell", "zoom.references", "b", "base rates"),
    Action("cell", "zoom.whole-y", "Y", "whole y range"),
    Action("cell", "zoom.log-y", "l", "log y"),
    Action("cell", "zoom.smoothing", "e", "smoothing"),
    # What compare, leaderboard and bars say
    _shown("analysis", "analysis.back", "escape,q", "Back", "dismiss"),
    _shown("analysis", "analysis.genre", "g", "This genre", help="or all that were shown"),
    _shown("analysis", "analysis.compare", "4", "Compare", "ask('compare')"),
    _shown("analysis", "analysis.leaderboard", "5", "Leaderboard", "ask('leaderboard')"),
    _shown("analysis", "analysis.bars", "6", "Bars", "ask('bars')"),
    Action("analysis", "", "j", "down", "scroll_down"),
    Action("analysis", "", "k", "up", "scroll_up"),
    # One run, and its log
    _shown("run", "run.back", "escape,q", "Back", "dismiss"),
    _shown("run", "run.switch", "tab,i", "Pane", "switch", "log, config, posters"),
    _shown("run", "run.search", "slash", "Search", "search"),
    _shown("run", "run.next-hit", "n", "Next", "next_hit(1)"),
    Action("run", "run.previous-hit", "N", "previous hit", "next_hit(-1)"),
    _shown("run", "run.compare", "d", "Compare", "compare", "its config with another run's"),
    _shown("run", "run.pictures", "v", "Pictures", "pictures", "of the posters it gets wrong"),
    _shown("log", "log.follow", "g", "End", "follow", "of the log, as it grows"),
    Action("log", "", "j", "down", "scroll_down"),
    Action("log", "", "k", "up", "scroll_up"),
    # New runs, and a new variant
    _shown("launch", "launch.start", "ctrl+s,f5", "Start", "start", "queue what is listed"),
    _shown("launch", "launch.back", "escape", "Back", "close"),
    _shown("ticks", "launch.tick", "space", "Tick", "select"),
    _shown("launch", "launch.all", "a", "All/none", "all", "of the list with the focus"),
    _shown("launch", "launch.variant", "n", "New variant", "variant", "made from this one"),
    Action("variant", "variant.save", "ctrl+s,f5", "Save", "save", in_footer=True, priority=True),
    _shown("variant", "variant.back", "escape", "Back", "close"),
    Action("variant", "", "down", "next", "app.focus_next"),
    Action("variant", "", "up", "previous", "app.focus_previous"),
    Action("variant", "", "enter", "next", "app.focus_next"),
    # Filters
    Action("filter", "filter.complete", "tab", "Complete", "accept", in_footer=True,
           priority=True),
    _shown("filter", "filter.keep", "enter", "Keep", "submit"),
    _shown("filter", "filter.back", "escape", "Back", "restore"),
    _shown("filter", "filter.clear", "ctrl+u", "Clear", "clear"),
    _shown("checklists", "check.back", "escape,c", "Back", "dismiss"),
    _shown("checklists", "check.all", "a", "All", "all"),
    _shown("checklists", "check.none", "n", "None", "none"),
    _shown("checklists", "check.only", "o", "Only this", "only"),
    _shown("saved", "saved.back", "escape,w", "Back", "dismiss"),
    _shown("saved", "saved.save", "s", "Save the present filter", "save"),
    _shown("saved", "saved.delete", "d,delete", "Delete", "delete"),
    # Small windows
    _shown("choice", "choice.back", "escape", "Back", "dismiss"),
    _shown("picker", "picker.back", "escape", "Back", "dismiss"),
    Action("picker", "", "down", "down", "move(1)", priority=True),
    Action("picker", "", "up", "up", "move(-1)", priority=True),
    _shown("figure", "figure.preview", "enter,p", "Preview", "preview"),
    _shown("figure", "figure.copy-path", "y", "Copy path", "copy_path"),
    _shown("figure", "figure.copy-command", "c", "Copy command", "copy_command"),
    _shown("figure", "figure.back", "escape,q,i", "Back", "close"),
    _shown("preview", "preview.back", "escape,q,enter", "Back", "dismiss"),
    _shown("prompt", "prompt.back", "escape", "Back", "dismiss"),
    _shown("confirm", "confirm.yes", "y", "Yes", "answer('yes')"),
    _shown("confirm", "confirm.narrower", "q", "Only a part", "answer('narrower')",
           "where the question names one"),
    _shown("confirm", "confirm.no", "n,escape", "No", "answer('no')"),
    _shown("help", "help.close", "escape,question_mark,q", "Close", "dismiss"),
    _shown("help", "help.search", "slash", "Find", "search"),
    Action("help", "", "down,j", "down", "scroll(1)"),
    Action("help", "", "up,k", "up", "scroll(-1)"),
)  # fmt: skip


#: What a read-only dashboard forbids.
CHANGING = frozenset(action.id for action in ACTIONS if action.changes_runs)


def actions_in(*regions: str, read_only: bool = False) -> Iterator[Action]:
    """The actions of `regions`, region by region; with `read_only` those that change nothing."""
    for region in regions:
        for action in ACTIONS:
            if action.region == region and not (read_only and action.changes_runs):
                yield action


def bindings(*regions: str) -> list[BindingType]:
    """What a class of Textual's takes as `BINDINGS`."""
    return [action.binding for action in actions_in(*regions)]
