"""A run's config as lines, and how it differs from another's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from postertui.runs.spec import RunSpec
from postertui.system.text import to_single_line


@dataclass(frozen=True)
class ConfigLine:
    """One setting; `other` is None where there is nothing to compare with."""

    key: str
    value: str
    other: str | None = None

    @property
    def differs(self) -> bool:
        return self.other is not None and self.other != self.value


def config_of(spec: RunSpec) -> dict[str, str]:
    """Every setting of a run by its dotted name, the hyper-parameters first."""
    data: dict[str, Any] = msgspec.to_builtins(spec)
    flat: dict[str, str] = {}
    for key in ("variant", *(k for k in data if k != "variant")):
        _flatten(flat, "" if key == "variant" else key, data[key])
    return flat


def _flatten(into: dict[str, str], prefix: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(
                into, f"{prefix}.{to_single_line(key)}" if prefix else to_single_line(key), inner
            )
    elif isinstance(value, list | tuple):
        into[prefix] = to_single_line(", ".join(map(str, value)))
    else:
        into[prefix] = "–" if value is None else to_single_line(value)


def config_lines(spec: RunSpec, other: RunSpec | None = None) -> list[ConfigLine]:
    """The settings of `spec`; with `other`, those that differ come first."""
    settings = config_of(spec)
    if other is None:
        return [ConfigLine(key, value) for key, value in settings.items()]
    other_settings = config_of(other)
    keys = dict.fromkeys([*settings, *other_settings])
    lines = [ConfigLine(k, settings.get(k, "–"), other_settings.get(k, "–")) for k in keys]
    return sorted(lines, key=lambda e: not e.differs)
