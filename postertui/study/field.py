"""What a field of a study or a variant may hold, from how its class declares it.

`fc1: Annotated[int, Described("first dense layer's width", minimum=1)] = 256` is all there is to
declare: name, type and default are the class's own, the rest stands beside them. TOML files and
forms are checked through `Field`. Decoding a stored run is not: older runs stay readable when a
limit changes.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from postertui.study.custom import is_custom
from postertui.study.layer_rates import RATES_HELP, check_rates
from postertui.study.toml_text import as_toml

FieldKind = Literal["int", "float", "choice", "text", "bool", "schedule", "rates", "names"]


class Described(msgspec.Struct, frozen=True):
    """What a field's annotation adds to its type.

    Attributes
    ----------
    help
        A line for the form.
    minimum, maximum
        Inclusive, unless `exclusive_minimum` or `exclusive_maximum`.
    choices
        The allowed texts, where the type itself does not list them.
    is_custom
        Whether a function of the user's is a choice, too.
    is_original
        Whether the digest of every run contains the field, even at its default. A field of later
        versions is in it only where it differs, so that older runs keep their names.
    form
        What is allowed, in words, where that does not follow from the others.
    """

    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    choices: tuple[str, ...] = ()
    is_custom: bool = False
    is_original: bool = False
    form: str = ""


class Field(Described, frozen=True, kw_only=True):
    """A declared field: its name, kind and default, and its description.

    `tables` are the classes of a schedule, one of which its table describes.
    """

    name: str
    kind: FieldKind
    default: Any = None
    tables: tuple[type[msgspec.Struct], ...] = ()

    @property
    def allowed(self) -> str:
        """The allowed values as text, for error messages and hints."""
        if self.form:
            return self.form
        if self.kind == "choice":
            custom = ", or FILE.py:FUNCTION" if self.is_custom else ""
            return "one of " + ", ".join(self.choices) + custom
        if self.kind == "text":
            return "text"
        if self.kind == "bool":
            return "true or false"
        if self.kind == "rates":
            return RATES_HELP
        if self.kind == "names":
            return 'a list of different names, such as ["year", "country"]'
        noun = "a whole number" if self.kind == "int" else "a number"
        if self.minimum is not None and self.maximum is not None:
            below = "below " if self.exclusive_maximum else ""
            return f"{noun} from {self.minimum:g} to {below}{self.maximum:g}"
        if self.minimum is not None:
            return f"{noun} {'above' if self.exclusive_minimum else 'of at least'} {self.minimum:g}"
        return noun

    def check(self, value: Any) -> Any:
        """`value` in its proper type. Raises `ValueError`, saying what is allowed."""
        match self.kind:
            case "choice":
                valid = value in self.choices or (self.is_custom and is_custom(value))
            case "text":
                valid = isinstance(value, str) and value.isprintable()
                valid = valid and (value.strip() != "" or value == self.default)
            case "bool":
                valid = isinstance(value, bool)
            case "schedule":
                return self._check_table(value)
            case "rates" if isinstance(value, dict | tuple):
                return check_rates(value)
            case "names":
                return self._check_names(value)
            case _:
                valid = self._is_number(value)
                if valid and self.kind != "int":
                    value = float(value)
        if not valid:
            raise ValueError(f"{as_toml(value)} is not {self.allowed}")
        return value

    def parse(self, text: str) -> Any:
        """The value of typed text. Raises `ValueError`, saying what is allowed."""
        import tomllib

        value: Any = text.strip()
        try:
            if self.kind in ("schedule", "rates") and value.startswith("{"):
                value = tomllib.loads(f"value = {value}")["value"]
            elif self.kind == "int":
                value = int(value)
            elif self.kind in ("float", "rates"):
                value = float(value)
            elif self.kind == "names":
                value = [name.strip() for name in value.split(",") if name.strip()]
            elif self.kind == "bool":
                value = {"true": True, "false": False}[value.lower()]
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"not a table: {error}") from None
        except (ValueError, KeyError):
            raise ValueError(f"{as_toml(value)} is not {self.allowed}") from None
        return self.check(value)

    def _check_table(self, value: Any) -> Any:
        """One of `tables`, from its kind's name or from a table with `kind`."""
        if isinstance(value, self.tables):
            return value
        table = {"kind": value} if isinstance(value, str) else value
        by_kind = {t.__struct_config__.tag: t for t in self.tables}
        kind = table.get("kind") if isinstance(table, dict) else None
        if not isinstance(kind, str) or kind not in by_kind:
            raise ValueError(f"{as_toml(value)} is not {self.allowed}")
        fields = {field.name: field for field in declared_fields(by_kind[kind])}
        values = {}
        for key, entry in table.items():
            if key == "kind":
                continue
            if key not in fields:
                allowed = ", ".join(["kind", *fields])
                raise ValueError(f"unknown key {key} of a {kind} schedule (allowed: {allowed})")
            try:
                values[key] = fields[key].check(entry)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
        return by_kind[kind](**values)

    def _check_names(self, value: Any) -> tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        valid = isinstance(names, list | tuple) and all(
            isinstance(name, str) and name.isprintable() and name.strip() for name in names
        )
        if not valid or len(set(names)) < len(names):
            raise ValueError(f"{as_toml(value)} is not {self.allowed}")
        return tuple(names)

    def _is_number(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "int" and not isinstance(value, int):
            return False
        if not math.isfinite(value):
            return False
        if self.minimum is not None:
            too_small = value <= self.minimum if self.exclusive_minimum else value < self.minimum
            if too_small:
                return False
        if self.maximum is None:
            return True
        return value < self.maximum if self.exclusive_maximum else value <= self.maximum


@lru_cache(maxsize=16)
def declared_fields(declaration: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The described fields of a class, in its order; those without a description are left out."""
    fields = []
    for info in msgspec.structs.fields(declaration):
        described = next(
            (m for m in getattr(info.type, "__metadata__", ()) if isinstance(m, Described)), None
        )
        if described is None:
            continue
        values = {name: getattr(described, name) for name in described.__struct_fields__}
        kind, choices, tables = _kind_of(info.type, described)
        values |= {"choices": choices, "tables": tables}
        fields.append(Field(name=info.name, kind=kind, default=info.default, **values))
    return tuple(fields)


def _kind_of(
    annotation: Any, described: Described
) -> tuple[FieldKind, tuple[str, ...], tuple[type[msgspec.Struct], ...]]:
    """The kind of a field from its type, its choices, and the classes of its tables."""
    if described.choices:
        return "choice", described.choices, ()
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = (
        get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    )
    members = tuple(m for m in members if m is not NoneType)
    if len(members) > 1:
        if all(isinstance(m, type) and issubclass(m, msgspec.Struct) for m in members):
            return "schedule", (), members
        return "rates", (), ()
    (plain,) = members
    if get_origin(plain) is Literal:
        return "choice", get_args(plain), ()
    if get_origin(plain) is tuple:
        return "names", (), ()
    kinds: dict[Any, FieldKind] = {bool: "bool", int: "int", float: "float", str: "text"}
    return kinds[plain], (), ()
