"""A study from a parsed TOML document; errors name the line of the key."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

from postertui.study.custom import PARAMETERS, CodeFile, CodeSource, is_reference, resolve
from postertui.study.grids import expand_grid
from postertui.study.studies import Study, overlapping_cohorts, study_fields
from postertui.study.toml_lines import locate_keys
from postertui.study.toml_text import as_toml
from postertui.study.variant_checks import VARIANT_NAME, check_variant
from postertui.study.variants import SharedLayers, Variant, variant_fields
from postertui.system.errors import UserError

#: Keys of a study that are more than one plain value, or name the study.
_OWN_CHECKS = ("name", "genres", "train_cohorts", "test_cohorts", "val_cohorts")
_TABLES = ("base", "variants", "grid")

#: A study's keys of earlier versions, which its files may still have, and their present names.
_FORMER_KEYS = {"share": "runs_access"}


class DocumentReader:
    """Turns a parsed document into a study; errors name the line of the key."""

    def __init__(self, source: str, text: str, owner: int | None) -> None:
        self._source = source
        self._owner = owner
        self._lines = locate_keys(text)
        self._code_files: dict[str, CodeSource] = {}
        self._notes: list[str] = []

    def study(self, document: dict[str, Any]) -> Study:
        """The study. Raises `UserError` naming file, line, key and what is allowed."""
        document = self._current_names(document)
        keys = (*_OWN_CHECKS, *(field.name for field in study_fields()), *_TABLES)
        self._reject_unknown_keys((), document, keys)
        base = self._variant("base", ("base",), self._table(("base",), document), None)
        variants, name = self._variants(document, base), self._name(document)
        train = self._cohorts("train_cohorts", document, (0,))
        test = self._cohorts("test_cohorts", document, (2,))
        validation = self._cohorts("val_cohorts", document, ())
        if overlap := overlapping_cohorts(train, test, validation):
            keys = ("val_cohorts", "test_cohorts", "train_cohorts")
            lists = ", ".join(keys)
            key = next(k for k in keys if k in document and overlap[0] in document[k])
            raise self._error((key,), f"cohort {overlap[0]} is in more than one of {lists}")
        return Study(
            name=name,
            base=base,
            variants=variants,
            genres=self._genres(document),
            train_cohorts=train,
            test_cohorts=test,
            val_cohorts=validation,
            source=self._source,
            code_files=self._code_files,
            notes=tuple(self._notes),
            **self._plain_fields(document),
        )

    def _name(self, document: dict[str, Any]) -> str:
        name = document.get("name", Path(self._source).stem)
        if not isinstance(name, str) or not VARIANT_NAME.fullmatch(name):
            raise self._error(
                ("name",),
                f"{as_toml(name)} is not 1 to 60 letters, digits, dots, dashes or underscores",
            )
        return name

    def _variants(self, document: dict[str, Any], base: Variant) -> dict[str, Variant]:
        """The base, the variants of `[variants.NAME]`, and those of grids, in the file's order."""
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
            for name, values in expand_grid(grid, table).items():
                if name in variants:
                    raise self._error(path, f"makes a variant {name}, which there is already")
                variants[name] = self._variant(name, path, {"family": grid, **values}, base)
        return variants

    def _variant(
        self, name: str, path: tuple[str, ...], values: dict[str, Any], base: Variant | None
    ) -> Variant:
        self._reject_unknown_keys(path, values, tuple(f.name for f in variant_fields()))
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

    def _plain_fields(self, document: dict[str, Any]) -> dict[str, Any]:
        """The values of the study's fields that are one plain value, where the document has any."""
        values = {}
        for field in study_fields():
            if field.name not in document:
                continue
            try:
                values[field.name] = field.check(document[field.name])
            except ValueError as error:
                raise self._error((field.name,), str(error)) from None
        return values

    def _current_names(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with keys of earlier versions under the names that they have now."""
        for old, new in _FORMER_KEYS.items():
            if old not in document:
                continue
            if new in document:
                raise self._error((old,), f"is the former name of {new}; give {new} alone")
            if old == "share" and document[old] in get_args(SharedLayers):
                raise self._error((old,), "is a variant's; write it below [base]")
            self._notes.append(
                f"{self._place((old,))}: {old} is called {new} now; the old name still works"
            )
            if line := self._lines.get((old,)):
                self._lines[(new,)] = line
            document = {new if key == old else key: value for key, value in document.items()}
        return document

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
        return UserError(f"{self._place(path)}: {'.'.join(path)}: {problem}")

    def _place(self, path: tuple[str, ...]) -> str:
        """The file, with the line of the key or of the nearest table that is in it."""
        for length in range(len(path), 0, -1):
            if line := self._lines.get(path[:length]):
                return f"{self._source}:{line}"
        return self._source
