"""Dictionaries, lists and numbers as Python prints them, read without running anything.

A parser over Python's syntax tree: only dictionaries, lists, numbers with a sign, nan
and inf are understood, and numpy's scalars and arrays as what they hold.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from typing import Any

from postertui.published.unreadable import UnreadableLogError
from postertui.system.text import describe_error

#: A history of ten thousand epochs is smaller.
MAX_BYTES = 2_000_000
MAX_DEPTH = 16


def parse_literal(text: str) -> Any:
    """The dictionaries, lists and numbers in `text`; numpy's scalars and arrays as what they hold.

    Raises `UnreadableLogError` for anything else, and for what is too large or nested too deep.
    """
    if len(text) > MAX_BYTES:
        raise UnreadableLogError(f"larger than {MAX_BYTES:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
        return _value(tree.body, 0)
    except SyntaxError as error:
        line = f"line {error.lineno}: " if error.lineno else ""
        raise UnreadableLogError(f"{line}not a Python dictionary ({error.msg[:80]})") from None
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        reason = describe_error(error, 100)
        raise UnreadableLogError(f"not a Python dictionary ({reason})") from None


def _value(node: ast.expr, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise UnreadableLogError(f"nested deeper than {MAX_DEPTH}")
    match node:
        case ast.Dict(keys, values):
            return {_key(k): _value(v, depth + 1) for k, v in zip(keys, values, strict=True)}
        case ast.List(items) | ast.Tuple(items):
            return [_value(item, depth + 1) for item in items]
        case ast.Constant(value) if type(value) in (int, float):
            return float(value)  # type: ignore[arg-type]
        case ast.UnaryOp(ast.USub(), operand):
            return -_number(operand, depth + 1)
        case ast.UnaryOp(ast.UAdd(), operand):
            return _number(operand, depth + 1)
        case ast.Name(name) | ast.Attribute(ast.Name("np" | "numpy"), name):
            return _named_number(name, node)
        case ast.Call(function, [argument]):
            return _call(function, argument, depth)
    raise UnreadableLogError(
        f"line {node.lineno}: {_shown(node)} is not a number, list or dictionary"
    )


def _number(node: ast.expr, depth: int) -> float:
    value = _value(node, depth)
    if not isinstance(value, float):
        raise UnreadableLogError(f"line {node.lineno}: {_shown(node)} is not a number")
    return value


def _named_number(name: str, node: ast.expr) -> float:
    match name.lower():
        case "nan":
            return math.nan
        case "inf" | "infinity":
            return math.inf
    raise UnreadableLogError(f"line {node.lineno}: {_shown(node)} is not a number")


_SCALARS = re.compile(r"float(_|16|32|64|128)?|u?int(_|8|16|32|64)?|double|single|longdouble")


def _call(function: ast.expr, argument: ast.expr, depth: int) -> Any:
    """`np.float64(1.0)`, `array([…])` and the like, as numpy prints them."""
    match function:
        case ast.Name(name) | ast.Attribute(ast.Name("np" | "numpy"), name):
            if name == "array":
                return _value(argument, depth + 1)
            if _SCALARS.fullmatch(name):
                match argument:
                    case ast.Constant(str(text)) if text.strip("+-").lower() in ("nan", "inf"):
                        return float(text)
                return _number(argument, depth + 1)
    raise UnreadableLogError(f"line {function.lineno}: {_shown(function)} is not read, nor run")


def _key(node: ast.expr | None) -> str:
    match node:
        case ast.Constant(str(key)):
            return key
    raise UnreadableLogError("a key of its dictionary is not text")


def _shown(node: ast.expr) -> str:
    try:
        text = ast.unparse(node)
    except (ValueError, RecursionError):
        return "something"
    return f"`{text[:40]}`" if text.isprintable() else "something"
