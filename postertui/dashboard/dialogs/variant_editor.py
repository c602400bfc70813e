"""The screen on which a new variant is made from an existing one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label, Static

from postertui.dashboard.actions.registry import bindings
from postertui.dashboard.launching.draft import what_differs
from postertui.dashboard.launching.variant_texts import (
    check_texts,
    make_variant,
    parse_value,
    start_texts,
)
from postertui.study import Field, Study, Variant, builtin_studies, describe_fields, save_variant
from postertui.system.errors import UserError
from postertui.system.text import to_single_line

if TYPE_CHECKING:
    pass


class VariantScreen(ModalScreen[Variant | None]):
    """Every hyper-parameter of `start`, to be changed, named and saved to a study's file."""

    BINDINGS = bindings("variant")

    def __init__(self, study: Study, start: Variant, taken: Mapping[str, Variant]) -> None:
        super().__init__()
        self.study, self.start, self.taken = study, start, taken
        self.fields: dict[str, Field] = {f.name: f for f in describe_fields()}
        self.texts = start_texts(start)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = f"a new variant from {to_single_line(self.start.name, 40)}"
            box.border_subtitle = "Ctrl+S saves, Esc leaves"
            with Horizontal(classes="field"):
                yield Label("name")
                yield Input("", id="variant-name", compact=True, placeholder="a name of its own")
                yield Static("letters, digits, dots, dashes", classes="help", markup=False)
            with VerticalScroll(can_focus=False):
                for field in self.fields.values():
                    yield from self._row(field)
            with Horizontal(classes="field"):
                yield Label("save to")
                yield Input(str(default_file(self.study)), id="variant-file", compact=True)
                yield Static("a study's file; made if it is not there", classes="help")
            yield Static("", id="variant-say", markup=False)

    def _row(self, field: Field) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label(field.name.replace("_", " "))
            suggester = SuggestFromList(field.choices) if field.choices else None
            placeholder = "its name" if field.name == "family" else ""
            yield Input(
                self.texts[field.name],
                id=f"field-{field.name}",
                compact=True,
                select_on_focus=True,
                suggester=suggester,
                placeholder=placeholder,
            )
            yield Static(hint(field), classes="help", markup=False)

    def on_mount(self) -> None:
        self.query_one("#variant-name").focus()
        self._check()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        name = (event.input.id or "").removeprefix("field-")
        if (field := self.fields.get(name)) is not None:
            self.texts[name] = event.value
            problem = ""
            if name != "family" or event.value.strip():
                try:
                    parse_value(field, event.value)
                except ValueError as error:
                    problem = to_single_line(error, 200)
            help_ = event.input.parent.query_one(".help", Static) if event.input.parent else None
            if help_ is not None:
                help_.update(problem or hint(field))
                help_.set_class(bool(problem), "wrong")
            usual = start_texts(self.start)[name]
            event.input.set_class(event.value.strip() != usual, "changed")
        self._check()

    def _check(self) -> None:
        """Say what the variant would be, or what is still wrong with it."""
        say = self.query_one("#variant-say", Static)
        try:
            variant = self._made()
        except ValueError as error:
            nothing_yet = not self._named and not check_texts(self.texts, self.start)[1]
            say.set_class(not nothing_yet, "wrong")
            say.update("give it a name, and change what is to differ" if nothing_yet
                       else to_single_line(error, 300))  # fmt: skip
            return
        say.set_class(False, "wrong")
        say.update(f"{variant.name}: {to_single_line(what_differs(variant, self.study.base), 200)}")

    @property
    def _named(self) -> str:
        return self.query_one("#variant-name", Input).value.strip()

    def _made(self) -> Variant:
        return make_variant(self._named, self.texts, self.start, self.taken)

    def action_save(self) -> None:
        say = self.query_one("#variant-say", Static)
        target = self.query_one("#variant-file", Input).value.strip()
        try:
            variant = self._made()
            if not target:
                raise ValueError("save to: name a study's file")
            save_variant(Path(target).expanduser(), variant)
        except (ValueError, UserError, OSError) as error:
            say.set_class(True, "wrong")
            say.update(to_single_line(error, 300))
            return
        self.app.notify(f"saved {variant.name} to {to_single_line(target, 100)}", markup=False)
        self.dismiss(variant)

    def action_close(self) -> None:
        self.dismiss(None)


def hint(field: Field) -> str:
    """What a field means and what it takes, in a line."""
    if field.kind == "choice":
        return ", ".join(field.choices)
    if field.kind == "schedule":
        return "constant, decay, plateau or { kind = … }"
    return field.help


def default_file(study: Study) -> Path:
    """The study's own file, or one beside for a study that comes with the program."""
    if study.source and study.name not in builtin_studies():
        return Path(study.source)
    return Path(f"my-{study.name}.toml")
