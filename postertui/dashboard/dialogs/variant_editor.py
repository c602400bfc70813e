"""The screen on which a new variant is made from an existing one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

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
    name_from_texts,
    parse_value,
    start_texts,
)
from postertui.study import Field, Study, Variant, builtin_studies, save_variant, variant_fields
from postertui.system.errors import UserError
from postertui.system.text import to_single_line


class VariantScreen(ModalScreen[Variant | None]):
    """Every hyper-parameter of `start`, to be changed, named and saved to a study's file."""

    BINDINGS = bindings("variant")

    def __init__(self, study: Study, start: Variant, existing: Mapping[str, Variant]) -> None:
        super().__init__()
        self.study, self.start, self.existing = study, start, existing
        self.fields: dict[str, Field] = {f.name: f for f in variant_fields()}
        self.texts = start_texts(start)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = f"a new variant from {to_single_line(self.start.name, 40)}"
            box.border_subtitle = "Ctrl+S saves, Esc leaves"
            with Horizontal(classes="field"):
                yield Label("name")
                yield Input("", id="variant-name", compact=True, placeholder="from what differs")
                yield Static("letters, digits, dots, dashes", classes="help", markup=False)
            with Horizontal(classes="field"):
                yield Label("find a field")
                yield Input("", id="variant-find", compact=True, placeholder="its first letters")
                yield Static("Enter goes to the first one", classes="help", markup=False)
            with VerticalScroll(can_focus=False):
                for field in self.fields.values():
                    yield from self._row(field)
            with Horizontal(classes="field"):
                yield Label("save to")
                yield Input(str(default_file(self.study)), id="variant-file", compact=True)
                yield Static("a study's file; made if it is not there", classes="help")
            yield Static("", id="variant-status", markup=False)

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
        self.query_one("#variant-find").focus()
        self._check()

    @on(Input.Changed, "#variant-find")
    def _find(self, event: Input.Changed) -> None:
        """Show only the fields with such a name; without any, all of them."""
        matching = find_fields(list(self.fields), event.value)
        for name in self.fields:
            row = self.query_one(f"#field-{name}").parent
            assert row is not None
            row.display = name in matching or not matching

    @on(Input.Submitted, "#variant-find")
    def _go_to_field(self, event: Input.Submitted) -> None:
        matching = find_fields(list(self.fields), event.value)
        if not matching:
            return
        event.input.value = ""
        self.query_one(f"#field-{matching[0]}").focus()

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
        status = self.query_one("#variant-status", Static)
        try:
            variant = self._described_variant()
        except ValueError as error:
            values, problems = check_texts(self.texts, self.start)
            nothing_yet = not values and not problems and not self._is_named
            status.set_class(not nothing_yet, "wrong")
            advice = "change a field; without a name it is called after what differs"
            status.update(advice if nothing_yet else to_single_line(error, 300))
            return
        status.set_class(False, "wrong")
        status.update(
            f"{variant.name}: {to_single_line(what_differs(variant, self.study.base), 200)}"
        )

    @property
    def _is_named(self) -> bool:
        return bool(self.query_one("#variant-name", Input).value.strip())

    @property
    def _chosen_name(self) -> str:
        """The name as typed, or else after what differs."""
        typed = self.query_one("#variant-name", Input).value.strip()
        return typed or name_from_texts(self.texts, start_texts(self.start))

    def _described_variant(self) -> Variant:
        return make_variant(self._chosen_name, self.texts, self.start, self.existing)

    def action_save(self) -> None:
        status = self.query_one("#variant-status", Static)
        target = self.query_one("#variant-file", Input).value.strip()
        try:
            variant = self._described_variant()
            if not target:
                raise ValueError("save to: name a study's file")
            save_variant(Path(target).expanduser(), variant)
        except (ValueError, UserError, OSError) as error:
            status.set_class(True, "wrong")
            status.update(to_single_line(error, 300))
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


def find_fields(names: Sequence[str], text: str) -> list[str]:
    """The names that `text` finds, those that begin with it first; all of them for no text."""
    prefix = text.strip().lower().replace(" ", "_")
    first = [name for name in names if name.startswith(prefix)]
    return first + [name for name in names if prefix in name and name not in first]


def default_file(study: Study) -> Path:
    """The study's own file, or one beside for a study that comes with the program."""
    if study.source and study.name not in builtin_studies():
        return Path(study.source)
    return Path(f"my-{study.name}.toml")
