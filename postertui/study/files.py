"""Reads studies from TOML files, with actionable errors, and appends variants to them."""

from __future__ import annotations

import difflib
import itertools
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from postertui.study.custom import (
    PARAMETERS,
    CodeFile,
    Source,
    is_custom,
    is_reference,
    readable,
    resolve,
)
from postertui.study.fields import VARIANT_NAME, as_toml, check_variant, describe_fields
from postertui.study.variants import (
    DEFAULT_RARITY,
    Constant,
    Decay,
    KeepWeights,
    Mode,
    Plateau,
    RandomKey,
    Share,
    Study,
    Variant,
    format_strength,
    overlapping_cohorts,
)
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError

BUILTIN = Path(__file__).parent / "builtin"

_STUDY_KEYS = (
    "name",
    "genres",
    "train_cohorts",
    "test_cohorts",
    "val_cohorts",
    "seeds",
    "random_key",
    "rotations",
    "mode",
    "rarity",
    "gpu",
    "share",
    "keep_weights",
    "base",
    "variants",
    "grid",
)


def builtin_studies() -> list[str]:
    """The names of the studies that come with the program."""
    return sorted(path.stem for path in BUILTIN.glob("*.toml"))


def load_study(name_or_path: str | Path) -> Study:
    """A built-in study by its name, or a TOML file.

    Raises `UserError` naming file, line, key and what is allowed.
    """
    path = Path(name_or_path)
    if str(name_or_path) in builtin_studies():
        path = BUILTIN / f"{name_or_path}.toml"
    elif not path.exists() and path.suffix != ".toml":
        names = ", ".join(builtin_studies())
        raise UserError(f"{path}: no built-in study of that name ({names}) and no such file")
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a study's TOML file") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 text (byte {error.start}); is it a TOML file?"
        ) from None
    return parse_study(text, str(path), owner=path.stat().st_uid)


def parse_study(text: str, source: str, owner: int | None = None) -> Study:
    """A study from TOML. `source` names the file in errors and gives the default name.

    `owner` is the user whose file it is.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{source}:{line[1]}" if line else source
        raise UserError(f"{where}: not TOML: {error}") from None
    return _Reader(source, text, owner).study(document)


class _Reader:
    """Turns a parsed document into a study; errors name the line of the key."""

    def __init__(self, source: str, text: str, owner: int | None) -> None:
        self._source = source
        self._owner = owner
        self._lines = locate_keys(text)
        self._code_files: dict[str, Source] = {}

    def study(self, document: dict[str, Any]) -> Study:
        self._reject_unknown_keys((), document, _STUDY_KEYS)
        base = self._variant("base", ("base",), self._table(("base",), document), None)
        variants = {"base": base}
        tables = self._table(("variants",), document)
        for name in tables:
            path = ("variants", name)
            if name == "base":
                raise self._error(path, "base is a table of its own: [base]")
            variants[name] = self._variant(name, path, self._table(path, tables), base)
        for grid in self._table(("grid",), document):
            path = ("grid", grid)
            table = self._table(path, document["grid"])
            if empty := [key for key, value in table.items() if value == []]:
                raise self._error((*path, empty[0]), "an empty list makes no variant")
            for key, value in table.items():
                if isinstance(value, list) and any(v in value[:i] for i, v in enumerate(value)):
                    raise self._error((*path, key), f"{as_toml(value)} has a value twice")
            cells = expand_grid(grid, table)
            for name, values in cells.items():
                if name in variants:
                    raise self._error(path, f"makes a variant {name}, which there is already")
                variants[name] = self._variant(name, path, {"family": grid, **values}, base)
        mode = document.get("mode", "sound")
        if mode not in get_args(Mode):
            raise self._error(
                ("mode",), f"{as_toml(mode)} is not one of {', '.join(get_args(Mode))}"
            )
        random_key = document.get("random_key", "seed-genre")
        if random_key not in get_args(RandomKey):
            raise self._error(
                ("random_key",),
                f"{as_toml(random_key)} is not one of {', '.join(get_args(RandomKey))}",
            )
        rarity = document.get("rarity", DEFAULT_RARITY)
        if isinstance(rarity, bool) or not isinstance(rarity, int | float) or not 0 <= rarity < 1:
            raise self._error(("rarity",), f"{as_toml(rarity)} is not a number from 0 to below 1")
        seeds = document.get("seeds", 1)
        if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
            raise self._error(("seeds",), f"{as_toml(seeds)} is not a whole number of at least 1")
        rotations = document.get("rotations", 1)
        if type(rotations) is not int or not 1 <= rotations <= 10:
            raise self._error(
                ("rotations",), f"{as_toml(rotations)} is not a whole number from 1 to 10"
            )
        name = document.get("name", Path(self._source).stem)
        if not isinstance(name, str) or not VARIANT_NAME.fullmatch(name):
            raise self._error(
                ("name",),
                f"{as_toml(name)} is not 1 to 60 letters, digits, dots, dashes or underscores",
            )
        train = self._cohorts("train_cohorts", document, (0,))
        test = self._cohorts("test_cohorts", document, (2,))
        validation = self._cohorts("val_cohorts", document, ())
        if overlap := overlapping_cohorts(train, test, validation):
            keys = ("val_cohorts", "test_cohorts", "train_cohorts")
            lists = ", ".join(keys)
            key = next(k for k in keys if k in document and overlap[0] in document[k])
            raise self._error((key,), f"cohort {overlap[0]} is in more than one of {lists}")
        share = document.get("share")
        if share not in (None, *get_args(Share)):
            raise self._error(("share",), f'{as_toml(share)} is not "group"; leave it out')
        keep_weights = document.get("keep_weights", "small")
        if keep_weights not in get_args(KeepWeights):
            allowed = ", ".join(get_args(KeepWeights))
            raise self._error(("keep_weights",), f"{as_toml(keep_weights)} is not one of {allowed}")
        return Study(
            name=name,
            base=base,
            variants=variants,
            genres=self._genres(document),
            train_cohorts=train,
            test_cohorts=test,
            val_cohorts=validation,
            seeds=seeds,
            random_key=random_key,
            rotations=rotations,
            mode=mode,
            rarity=float(rarity),
            gpu=self._gpu(document),
            share=share,
            keep_weights=keep_weights,
            source=self._source,
            code_files=self._code_files,
        )

    def _variant(
        self, name: str, path: tuple[str, ...], values: dict[str, Any], base: Variant | None
    ) -> Variant:
        self._reject_unknown_keys(path, values, tuple(f.name for f in describe_fields()))
        if base is None:
            values = {"family": "base", **values}
        values, code = self._resolve_functions(path, values)
        try:
            return check_variant(name, values, base, code)
        except ValueError as error:
            key, _, problem = str(error).partition(": ")
            raise self._error(path if key == "name" else (*path, key), problem) from None

    def _resolve_functions(
        self, path: tuple[str, ...], values: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, CodeFile]]:
        """The values with the user's functions as variants have them, and their files by field."""
        resolved, code = dict(values), {}
        for field in PARAMETERS:
            if not is_reference(values.get(field)):
                continue
            try:
                resolved[field], source = resolve(field, values[field], Path(self._source).parent)
            except ValueError as error:
                raise self._error((*path, field), str(error)) from None
            code[field] = source.code_file
            if self._owner is not None:
                source = source._replace(owners=(*source.owners, self._owner))
            self._code_files[source.sha256] = source
        return resolved, code

    def _gpu(self, document: dict[str, Any]) -> float | None:
        gpu = document.get("gpu")
        if gpu is None:
            return None
        if isinstance(gpu, bool) or not isinstance(gpu, int | float) or not 0.01 <= gpu <= 8:
            raise self._error(("gpu",), f"{as_toml(gpu)} is not a number from 0.01 to 8")
        return float(gpu)

    def _genres(self, document: dict[str, Any]) -> tuple[str, ...] | None:
        genres = document.get("genres")
        if genres is None:
            return None
        valid = isinstance(genres, list) and genres and all(isinstance(g, str) for g in genres)
        if not valid or len(set(genres)) < len(genres):
            raise self._error(("genres",), 'not a list of different genres, such as ["Comedy"]')
        return tuple(genres)

    def _cohorts(
        self, key: str, document: dict[str, Any], default: tuple[int, ...]
    ) -> tuple[int, ...]:
        value = document.get(key, default)
        digits = list(value) if isinstance(value, list | tuple) else []
        valid = all(type(d) is int and 0 <= d <= 9 for d in digits) and (digits or not default)
        if not valid or len(set(digits)) < len(digits):
            raise self._error(
                (key,), f"{as_toml(value)} is not a list of different digits from 0 to 9"
            )
        return tuple(digits)

    def _table(self, path: tuple[str, ...], parent: dict[str, Any]) -> dict[str, Any]:
        value = parent.get(path[-1], {})
        if not isinstance(value, dict):
            raise self._error(path, f"{as_toml(value)} is not a table; write [{'.'.join(path)}]")
        return value

    def _reject_unknown_keys(
        self, path: tuple[str, ...], table: dict[str, Any], allowed: tuple[str, ...]
    ) -> None:
        for key in table:
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise self._error(
                    (*path, key), f"unknown key{hint} (allowed: {', '.join(allowed)})"
                )

    def _error(self, path: tuple[str, ...], problem: str) -> UserError:
        for length in range(len(path), 0, -1):
            if line := self._lines.get(path[:length]):
                return UserError(f"{self._source}:{line}: {'.'.join(path)}: {problem}")
        return UserError(f"{self._source}: {'.'.join(path)}: {problem}")


def expand_grid(name: str, table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The variants of `[grid.NAME]`: one for each combination of its lists' values, by name.

    `[grid.reg]` with `strength = [1e-6, 1e-5]` makes `reg-1e-6` and `reg-1e-5`; with several lists
    the values follow each other in the table's order. Other values are common to all.
    """
    names = {field.name for field in describe_fields() if field.kind == "names"}
    lists = {
        key: value
        for key, value in table.items()
        if isinstance(value, list)
        # A list of names is one value; a list of such lists are several.
        and (key not in names or all(isinstance(item, list) for item in value))
    }
    common = {key: value for key, value in table.items() if key not in lists}
    variants = {}
    for values in itertools.product(*lists.values()):
        words = [name, *(_grid_word(value) for value in values)]
        variants["-".join(words)] = common | dict(zip(lists, values, strict=True))
    return variants


def _grid_word(value: Any) -> str:
    """A value as part of a variant's name."""
    if isinstance(value, dict):
        return value.get("kind") or "-".join(_grid_word(v) for pair in value.items() for v in pair)
    if isinstance(value, list):
        return "-".join(map(_grid_word, value)) or "all"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format_strength(value) if 0 < value < 0.01 else f"{value:g}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", readable(str(value)))


_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"^\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"^\s*({_DOTTED})\s*=")


def locate_keys(text: str) -> dict[tuple[str, ...], int]:
    """The line, from 1, of the first mention of each key or table of a TOML document."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _split_key(header[1])
            path = table
        elif assignment := _ASSIGNMENT.match(line):
            path = table + _split_key(assignment[1])
        else:
            continue
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], number)
    return lines


def _split_key(dotted: str) -> tuple[str, ...]:
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in re.findall(_KEY, dotted))


def save_variant(path: str | Path, variant: Variant) -> None:
    """Append `variant` to a study's file, which otherwise stays as it is.

    Only what differs from the study's base is written. A new file becomes a study with the 2017
    base. Raises `UserError` where the file is no study, is a built-in one, or has another variant
    of that name.
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
    """The table `[variants.NAME]` with what `variant` changes about `base`.

    `references` are the user's functions as TOML names them, by field.
    """
    lines = [f"[variants.{_key(variant.name)}]"]
    for field in describe_fields():
        value = getattr(variant, field.name)
        if field.name == "family":
            if value != variant.name:
                lines.append(f"family = {format_value(value)}")
        elif value != getattr(base, field.name):
            value = (references or {}).get(field.name, value)
            lines.append(f"{field.name} = {format_value(value)}")
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    """A name as a key of TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else format_value(name)


def format_value(value: Any) -> str:
    """A hyper-parameter's value as TOML."""
    if isinstance(value, tuple) and all(isinstance(entry, str) for entry in value):
        return "[" + ", ".join(map(format_value, value)) + "]"
    if isinstance(value, tuple):
        entries = (f"{_key(name)} = {format_value(entry)}" for name, entry in value)
        return "{ " + ", ".join(entries) + " }"
    if isinstance(value, Constant | Decay | Plateau):
        table = msgspec.to_builtins(value)
        return "{ " + ", ".join(f"{k} = {format_value(v)}" for k, v in table.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
