"""Lists of genres as Python, NumPy and JSON write them into a cell."""

from __future__ import annotations

import ast
import json
import re
import warnings

from postertui.system.errors import UserError

_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")


def parse_list(text: str, where: str) -> list[str]:
    """The names in a Python or JSON list, of names or of objects with a `name`."""
    inner = text[1:-1].strip()
    if text[0] == "[" and not re.search(r"[\[\]{}]", inner):
        # Of names alone. NumPy writes blanks between them, which Python would take for one name.
        quoted = [a or b for a, b in _QUOTED.findall(inner)]
        rest = _QUOTED.sub("", inner)
        if not re.search(r"[^\s,]", rest):
            return [_unescape(name) for name in quoted]
        return [] if re.fullmatch(r"[\s,]*", inner) else _bare_names(inner, where)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise UserError(f"{where}: {text!r:.60} is not a list that can be read") from None
    if isinstance(value, dict):
        value = [value] if "name" in value else list(value.values())
    names = []
    for item in value if isinstance(value, list | tuple | set) else [value]:
        name = item.get("name") if isinstance(item, dict) else item
        if not isinstance(name, str):
            raise UserError(f"{where}: {text!r:.60} is not a list of names")
        names.append(name)
    return names


def _bare_names(inner: str, where: str) -> list[str]:
    if "'" in inner.strip("'") and inner.startswith(("'", '"')):
        raise UserError(f"{where}: {inner!r:.60} is not a list that can be read")
    return inner.split(",")


def _unescape(name: str) -> str:
    if "\\" not in name:
        return name
    try:
        return str(json.loads(f'"{name}"'))
    except ValueError:
        return name.replace("\\'", "'").replace('\\"', '"')
