"""Appends a variant to a study's file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from postertui.study.custom import PARAMETERS, is_custom
from postertui.study.files import BUILTIN, parse_study
from postertui.study.studies import Study
from postertui.study.toml_text import format_key, format_value
from postertui.study.variants import Variant, variant_fields
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError


def save_variant(path: str | Path, variant: Variant) -> None:
    """Append `variant` to a study's file, which otherwise stays as it is.

    Only what differs from the study's base is written. A new file becomes a study with the 2017
    base.

    Raises
    ------
    UserError
        Where the file is no study, is a built-in one, or has another variant of that name.
    """
    target = Path(path)
    if target.resolve().parent == BUILTIN.resolve():
        raise UserError(f"{target}: built in; save to a file of your own")
    text = _read_or_create(target)
    study = parse_study(text, str(target))
    if (existing := study.variants.get(variant.name)) is not None:
        if existing == variant:
            return
        raise UserError(f"{target}: has a variant {variant.name} already; choose another name")
    addition = variant_toml(variant, study.base, _references(target, variant, study))
    extended = text.rstrip("\n") + "\n\n" + addition
    saved = parse_study(extended, str(target)).variants[variant.name]
    if saved != variant:
        raise UserError(f"{target}: {variant.name} cannot be written as a change of its base")
    write_atomic(target, extended.encode(), durable=True)


def _read_or_create(target: Path) -> str:
    if not target.exists():
        return f'name = "{target.stem}"\n'
    try:
        return target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{target}: cannot be read: {error}") from None


def _references(target: Path, variant: Variant, study: Study) -> dict[str, str]:
    """The user's functions of `variant` as the study in the file `target` has to name them."""
    references = {}
    paths = {source.path.stem: source.path for source in study.code_files.values()}
    for field in PARAMETERS:
        value = getattr(variant, field)
        if not is_custom(value) or value == getattr(study.base, field):
            continue
        name, _, function = value.partition(".")
        if name not in paths:
            raise UserError(f"{target}: names no function of {name}.py yet; add {value} by hand")
        path = os.path.relpath(paths[name], target.parent)
        references[field] = f"{path}:{function}"
    return references


def variant_toml(
    variant: Variant, base: Variant, references: Mapping[str, str] | None = None
) -> str:
    """The table `[variants.NAME]` with what a variant changes about its base.

    Parameters
    ----------
    references
        The user's functions as TOML names them (`FILE.py:FUNCTION`), by field.
    """
    lines = [f"[variants.{format_key(variant.name)}]"]
    for field in variant_fields():
        value = getattr(variant, field.name)
        if field.name == "family":
            if value != variant.name:
                lines.append(f"family = {format_value(value)}")
        elif value != getattr(base, field.name):
            value = (references or {}).get(field.name, value)
            lines.append(f"{field.name} = {format_value(value)}")
    return "\n".join(lines) + "\n"
