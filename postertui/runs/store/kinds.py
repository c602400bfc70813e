"""What the specs of thousands of runs have in common, kept and checked once.

They differ in little more than genre and seed; all the rest of a spec is its kind.
"""

from __future__ import annotations

import sys
from operator import itemgetter
from typing import Annotated, Any

import msgspec
from msgspec.msgpack import encode
from msgspec.structs import astuple, replace

from postertui.runs.bounds import MAX_COUNT, Text, Time
from postertui.runs.spec import RunSpec, parse_spec

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

#: What each spec has of its own, within the bounds that `check_spec` sets, and what a kind has.
_OWN: dict[str, tuple[Any, Any]] = {
    "genre": (Text, ""),
    "seed": (Annotated[int, msgspec.Meta(ge=-MAX_COUNT, le=MAX_COUNT)], 0),
    "created": (Time, 0.0),
    "train_base_rate": (_Share | None, None),
    "test_base_rate": (_Share | None, None),
    "val_base_rate": (_Share | None, None),
}

#: Parts that are compared as they are written, and parsed once.
_PARTS = ("variant", "weights", "versions")


def _outline_field(field: msgspec.structs.FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    own_type, _ = _OWN.get(field.name, (field.type, None))
    kind = msgspec.Raw if field.name in _PARTS else own_type
    if field.default is not msgspec.NODEFAULT:
        return field.name, kind, field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, kind, msgspec.Raw(b"{}")
    return field.name, kind


#: A spec of which only what is its own was checked; what follows `_OWN` is of its kind.
_Outline = msgspec.defstruct(
    "_Outline",
    sorted(
        (_outline_field(field) for field in msgspec.structs.fields(RunSpec)),
        key=lambda field: field[0] not in _OWN,
    ),
    kw_only=True,
    gc=False,
)

_OWN_NAMES = _Outline.__struct_fields__[: len(_OWN)]


def _getters(spec: type[msgspec.Struct]) -> tuple[itemgetter[Any], itemgetter[Any]]:
    """Of a spec's values, those that are parts, and the rest of what is its kind's."""
    parts: list[int] = []
    rest: list[int] = []
    for position, name in enumerate(spec.__struct_fields__):
        if name not in _OWN:
            (parts if name in _PARTS else rest).append(position)
    return itemgetter(*parts), itemgetter(*rest)


_spec_parts, _spec_rest = _getters(RunSpec)
_outline_parts, _outline_rest = _getters(_Outline)

_decode_outline = msgspec.json.Decoder(_Outline).decode


def kind_of(spec: RunSpec) -> RunSpec:
    """`spec` without what is its own."""
    return replace(spec, **{name: empty for name, (_, empty) in _OWN.items()})


def parts_key(spec: RunSpec) -> tuple[Any, ...]:
    """What is equal for specs of one kind that share its parts, while they are alive."""
    values = astuple(spec)
    return (*map(id, _spec_parts(values)), *_spec_rest(values))


class SpecKinds:
    """The kinds of the specs that were read so far; their specs share all that is equal."""

    def __init__(self) -> None:
        self._by_outline: dict[tuple[Any, ...], RunSpec] = {}
        self._by_content: dict[bytes, RunSpec] = {}

    def parse(self, data: bytes) -> RunSpec:
        """What `parse_spec` gives for the content of a `run.json`, and raises."""
        try:
            own, key = _outline(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return parse_spec(data)  # It says what is wrong.
        kind = self._by_outline.get(key)
        if kind is None:
            kind = kind_of(parse_spec(data))
            kind = self._by_content.setdefault(encode(kind), kind)
            self._by_outline[key] = kind
        return replace(kind, **own)


def _outline(data: bytes) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """What the spec has of its own, and what stands for the rest. Raises as the decoder does."""
    values = astuple(_decode_outline(data))
    own = dict(zip(_OWN_NAMES, values, strict=False))
    if "\0" in own["genre"]:
        raise ValueError("a NUL")
    own["genre"] = sys.intern(own["genre"])
    return own, (*map(bytes, _outline_parts(values)), *_outline_rest(values))
