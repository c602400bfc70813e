"""Values as TOML: in messages, and as they are written to a study's file."""

from __future__ import annotations

import re
from typing import Any

import msgspec


def as_toml(value: Any) -> str:
    """A value that was read from TOML, for a message: nothing is escaped."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def format_value(value: Any) -> str:
    """A hyper-parameter's value as a study's file has it."""
    if isinstance(value, tuple) and all(isinstance(entry, str) for entry in value):
        return "[" + ", ".join(map(format_value, value)) + "]"
    if isinstance(value, tuple):
        entries = (f"{format_key(name)} = {format_value(entry)}" for name, entry in value)
        return "{ " + ", ".join(entries) + " }"
    if isinstance(value, msgspec.Struct):
        table = msgspec.to_builtins(value)
        return "{ " + ", ".join(f"{k} = {format_value(v)}" for k, v in table.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def format_key(name: str) -> str:
    """A name as a key of TOML, in quotes where it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else format_value(name)
