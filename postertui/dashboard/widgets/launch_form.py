"""What is filled in to start runs: a study, its variants and genres, and numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Checkbox, Input, Label, Select, SelectionList
from textual.widgets.selection_list import Selection

from postertui.dashboard.launching.choices import LaunchChoices
from postertui.dashboard.launching.draft import LaunchDraft, check_numbers, what_differs
from postertui.dashboard.launching.memory import LaunchMemory
from postertui.dashboard.number_format import score
from postertui.dashboard.text_width import fit
from postertui.dashboard.widgets.checklist import Checklist
from postertui.system.text import to_single_line

if TYPE_CHECKING:
    from postertui.study import Study, Variant


class TickBox(Checkbox):
    """A checkbox whose tick is more than a colour."""

    def render(self) -> Content:
        return Content(f"{'[x]' if self.value else '[ ]'} {self.label.plain}")


class LaunchForm(Vertical):
    """The fields and the two lists; `draft` is what they say."""

    class Changed(Message):
        """Something else is filled in now."""

    def __init__(self, memory: LaunchMemory) -> None:
        super().__init__()
        self.choices: LaunchChoices | None = None
        self.memory = memory
        self._own_genres: set[str] = set()

    def compose(self) -> ComposeResult:
        with Horizontal(classes="launch-line"):
            yield Label("study")
            yield Select[str]([], id="study", compact=True, allow_blank=True, prompt="…")
            yield Label("weights")
            yield Input("", id="weights", compact=True, placeholder="imagenet, random or a file")
        with Horizontal(classes="launch-line"):
            yield Label("seeds")
            yield Input("", id="seeds", compact=True, restrict=r"[0-9]*")
            yield Label("epochs")
            yield Input("", id="epochs", compact=True, placeholder="own", restrict=r"[0-9]*")
            yield Label("at a time")
            yield Input("", id="jobs", compact=True, restrict=r"[0-9]*")
            yield TickBox("retry failed", id="again", compact=True)
        with Horizontal(id="launch-lists"):
            yield Checklist(id="variants", compact=True)
            yield Checklist(id="genres", compact=True)

    def on_mount(self) -> None:
        self.variant_list.border_title = "variants"
        self.genre_list.border_title = "genres"

    @property
    def variant_list(self) -> SelectionList[str]:
        return self.query_one("#variants", SelectionList)

    @property
    def genre_list(self) -> SelectionList[str]:
        return self.query_one("#genres", SelectionList)

    def offer(self, choices: LaunchChoices) -> None:
        """Offer what there is to choose from."""
        self.choices = choices
        self.query_one("#weights", Input).value = choices.weights
        self.query_one("#jobs", Input).placeholder = str(choices.slots)
        choice = self.query_one("#study", Select)
        choice.set_options([(Content(to_single_line(key, 40)), key) for key in choices.studies])
        remembered = self.memory.study
        choice.value = remembered if remembered in choices.studies else choices.study
        self.variant_list.focus()

    @property
    def study_key(self) -> str:
        """What selects the chosen study; empty before one is."""
        key = self.query_one("#study", Select).value
        return key if isinstance(key, str) else ""

    @property
    def study(self) -> Study | None:
        return self.choices.studies.get(self.study_key) if self.choices is not None else None

    @on(Select.Changed, "#study")
    def _study_chosen(self) -> None:
        study = self.study
        if study is None:
            return
        self.query_one("#seeds", Input).placeholder = str(study.seeds)
        ticked = self.memory.ticked_variants(self.study_key, set(self.variants()))
        self.memory.study = self.study_key
        self._list_variants(study, ticked)
        self._list_genres(study)
        self._notify_changed()

    def variants(self) -> dict[str, Variant]:
        """The study's variants and those made here, by name."""
        study = self.study
        return {
            **(study.variants if study else {}),
            **self.memory.new_variants.get(self.study_key, {}),
        }

    def _list_variants(self, study: Study, ticked: set[str]) -> None:
        box = self.variant_list
        variants = self.variants()
        width = min(24, max(len(name) for name in variants))
        box.clear_options()
        for name, variant in variants.items():
            text = Text(fit(to_single_line(name), width))
            text.append("  " + to_single_line(what_differs(variant, study.base), 120), style="dim")
            box.add_option(Selection(Content.from_rich_text(text), name, name in ticked))
        box.highlighted = 0

    def _list_genres(self, study: Study) -> None:
        assert self.choices is not None
        dataset = self.choices.dataset
        cohorts = [c for c in study.train_cohorts if c in dataset.cohorts]
        study_genres = study.genres if study.genres is not None else dataset.genres
        box = self.genre_list
        ticked_genres = self.memory.genres
        box.clear_options()
        self._own_genres = set()
        for genre in dataset.genres:
            rate = dataset.base_rate(genre, cohorts) if cohorts else None
            rare = rate is not None and rate < study.rarity
            text = Text(fit(to_single_line(genre, 40), 16))
            text.append(f" {score(rate)}" + ("  rare" if rare else ""), style="dim")
            if genre in study_genres and not rare:
                self._own_genres.add(genre)
            chosen = genre in (self._own_genres if ticked_genres is None else ticked_genres)
            box.add_option(Selection(Content.from_rich_text(text), genre, chosen))
        box.highlighted = 0

    @on(SelectionList.SelectedChanged)
    def _remember_ticks(self) -> None:
        """Remember the ticks: a study's own genres are followed until others were ticked."""
        self.memory.variants[self.study_key] = set(self.variant_list.selected)
        genres = set(self.genre_list.selected)
        if self.memory.genres is not None or genres != self._own_genres:
            self.memory.genres = genres
        self._notify_changed()

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _notify_changed(self) -> None:
        self.post_message(self.Changed())

    def count(self) -> None:
        """Say below each list how many are ticked."""
        for box in (self.variant_list, self.genre_list):
            box.border_subtitle = f"{len(box.selected)} of {box.option_count}"

    def draft(self) -> LaunchDraft:
        """The form as it stands. Raises `ValueError` for what is wrong with it."""
        study = self.study
        if study is None:
            raise ValueError("choose a study")
        seeds, epochs, jobs = map(self._text, ("seeds", "epochs", "jobs"))
        numbers = check_numbers(seeds, epochs, jobs, study)
        variants, ticked = self.variants(), _ticked(self.variant_list)
        weights = self._text("weights")
        usable = weights in ("imagenet", "random") or "=" in weights
        if not usable and not Path(weights).expanduser().is_file():
            raise ValueError("weights: imagenet, random or a file of VGG16's weights")
        draft = LaunchDraft(
            study=study,
            variants=tuple(v for name, v in variants.items() if name in ticked),
            genres=_ticked(self.genre_list),
            numbers=numbers,
            weights=weights,
            again=self.query_one("#again", Checkbox).value,
        )
        if not draft.variants or not draft.genres:
            raise ValueError("tick at least one variant and one genre")
        return draft

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def highlighted(self) -> Variant | None:
        """The variant under the cursor; the base where there is none."""
        if self.study is None:
            return None
        at = self.variant_list.highlighted
        if at is None:
            return self.study.base
        return self.variants()[self.variant_list.get_option_at_index(at).value]

    def add(self, variant: Variant) -> None:
        """Offer a variant made here, ticked."""
        assert self.study is not None
        self.memory.new_variants.setdefault(self.study_key, {})[variant.name] = variant
        box = self.variant_list
        self._list_variants(self.study, ticked={*_ticked(box), variant.name})
        box.highlighted = box.option_count - 1
        self._notify_changed()


def _ticked(box: SelectionList[str]) -> tuple[str, ...]:
    """The ticked values, in the order of the list."""
    chosen = set(box.selected)
    options = (box.get_option_at_index(i).value for i in range(box.option_count))
    return tuple(value for value in options if value in chosen)
