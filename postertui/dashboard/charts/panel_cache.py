"""The panels of the grid's cells, each made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from postertui.dashboard.charts.panels import Panel, panel_of, panel_options
from postertui.dashboard.state.arrangement import Arrangement, Key
from postertui.dashboard.state.delta_basis import DeltaBasis
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions

#: What the curves of a genre and its runs in a cell are compared with.
BasisOf = Callable[[str, Sequence[RunView]], DeltaBasis]


class PanelCache:
    """The panel of each cell of an arrangement, made again only when it would be another one.

    `basis_of` is asked where differences to the reference are drawn.
    """

    def __init__(self) -> None:
        self.arrangement = Arrangement(members={})
        self.runs: Mapping[str, RunView] = {}
        self.options = ViewOptions()
        self.basis_of: BasisOf = lambda _genre, _runs: DeltaBasis()
        self._panels: dict[Key, tuple[tuple[object, ...], Panel]] = {}

    def use(
        self, arrangement: Arrangement, runs: Mapping[str, RunView], options: ViewOptions
    ) -> None:
        """Make panels of these from now on; the caller may change `runs` afterwards."""
        self.arrangement, self.runs, self.options = arrangement, runs, options
        self._panels = {k: entry for k, entry in self._panels.items() if k in arrangement.members}

    def members(self, key: Key | None) -> list[RunView]:
        """The runs of a cell."""
        names = self.arrangement.members.get(key, ()) if key is not None else ()
        return [self.runs[name] for name in names if name in self.runs]

    def __getitem__(self, key: Key) -> Panel:
        runs = self.members(key)
        basis = self.basis_of(key[0], runs) if self.options.delta else None
        source = (*runs, self.arrangement.groups, basis, *panel_options(self.options))
        entry = self._panels.get(key)
        if entry is None or entry[0] != source:
            panel = panel_of(runs, self.arrangement.groups, self.options, basis)
            entry = self._panels[key] = (source, panel)
        return entry[1]
