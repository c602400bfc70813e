"""A new variant from an existing one: texts as typed, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from postertui.study import Field, Variant, check_variant, variant_fields
from postertui.study.toml_text import format_value


def to_text(value: Any) -> str:
    """A hyper-parameter as the form shows it, which `parse_value` reads back."""
    if isinstance(value, msgspec.Struct):
        table: dict[str, Any] = msgspec.to_builtins(value)
        if len(table) == 1:
            return str(table["kind"])
        inner = ", ".join(
            f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v!r}" for k, v in table.items()
        )
        return "{ " + inner + " }"
    if isinstance(value, tuple):
        is_names = all(isinstance(entry, str) for entry in value)
        return ", ".join(value) if is_names else format_value(value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def parse_value(field: Field, text: str) -> Any:
    """The value of the text typed for `field`. Raises `ValueError` saying what is allowed."""
    return field.parse(text)


def start_texts(variant: Variant) -> dict[str, str]:
    """The form's texts for a new variant like `variant`; its family is left to its new name."""
    texts = {f.name: to_text(getattr(variant, f.name)) for f in variant_fields()}
    texts["family"] = ""
    return texts


def check_texts(texts: Mapping[str, str], base: Variant) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of the fields that read well and differ from `base`; what is wrong with others."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in variant_fields():
        text = texts.get(field.name, "")
        if field.name == "family" and not text.strip():
            continue
        try:
            value = parse_value(field, text)
        except ValueError as error:
            problems[field.name] = str(error)
            continue
        if field.name == "family" or value != getattr(base, field.name):
            values[field.name] = value
    return values, problems


def make_variant(
    name: str, texts: Mapping[str, str], base: Variant, existing: Mapping[str, Variant]
) -> Variant:
    """The variant that the form describes. Raises `ValueError` as `field: what is wrong`.

    Its name must be free among `existing`, and its settings must be no other's: a run is what it
    trains with, so two variants that train the same would be one run.
    """
    values, problems = check_texts(texts, base)
    if problems:
        field, problem = next(iter(problems.items()))
        raise ValueError(f"{field}: {problem}")
    if name in existing:
        raise ValueError(f"name: there is a variant {name} already")
    variant = check_variant(name, values, base)
    for other in existing.values():
        if settings(other) == settings(variant):
            raise ValueError(f"it would train exactly what {other.name} trains; change a field")
    return variant


def name_from_texts(texts: Mapping[str, str], start: Mapping[str, str]) -> str:
    """A name that says what differs from `start`: `lr-3e-3`; empty where nothing does."""
    words = []
    for field in variant_fields():
        text = texts.get(field.name, "").strip()
        if field.name == "family" or text == start[field.name]:
            continue
        parts = field.name.split("_")
        short = "".join(part[0] for part in parts) if len(parts) > 1 else field.name
        words.append(f"{short}-{text}")
    return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)).strip("-.")[:60]


def settings(variant: Variant) -> dict[str, Any]:
    """What a variant trains with, whatever it is called."""
    table: dict[str, Any] = msgspec.to_builtins(variant)
    del table["name"], table["family"]
    return table
