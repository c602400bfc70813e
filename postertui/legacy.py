"""The logs of 2017: what their names say, and what is in them.

A log is a Python dictionary of lists, as Keras' `History.history` printed it, followed by the
confusion counts of the final model. It is read by a parser of our own over Python's syntax tree:
only dictionaries, lists, numbers with a sign, nan and inf are understood, and nothing is run.
"""

from __future__ import annotations

import ast
import math
import os
import re
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postertui.published import GENRES
from postertui.study import ALL_LAYERS, format_strength

#: A history of ten thousand epochs is smaller.
MAX_BYTES = 2_000_000
MAX_DEPTH = 16

#: What Keras called a metric, with or without `val_` before it, to the history table's name.
_METRICS = {
    "loss": "loss",
    "binary_accuracy": "accuracy",
    "accuracy": "accuracy",
    "acc": "accuracy",
    "fscore": "fscore",
}
_SIDES = {"": "train", "val_": "test"}
_REQUIRED = tuple(f"{p}{k}" for p in _SIDES for k in ("loss", "binary_accuracy", "fscore"))

_HOME_LABEL = "L1=1e-5"
_LONG_RUNS = {"anima": "Animation", "comedy": "Comedy", "drama": "Drama"}

_LONG_RUN = re.compile(r"(anima|comedy|drama)_RLROP_100[_-](?P<more>.*)history\.txt")
_FROZEN = re.compile(
    r"model-(?P<genre>\d+)-VGG16-pretrain-(?P<layers>\d+)[_-](?P<more>.*)history\.txt"
)
_MODEL = re.compile(
    r"(?P<scratch>scratch_)?model-(?P<genre>\d+)-(?P<fc1>\d+)-(?P<fc2>\d+)"
    r"(?:-(?P<kind>l[12])_(?P<strength>\d_\de[_+]\d{2,3}|[^-]*)"
    r"|-(?P<named>NoReg|BCE-NoReg|BCE|batch64|batch128)|_(?P<rate>LRS|RLROP))?"
    r"[_-](?P<more>.*)history\.txt"
)
_STRENGTH = re.compile(r"(\d)_(\d)e([_+])(\d{2,3})")
#: In what comes after a rule's part, these would be another rule's.
_OTHER_RULE = re.compile(
    r"(?<![A-Za-z0-9])(l\d+_\d|NoReg|BCE|batch\d|LRS|RLROP|pretrain)", re.IGNORECASE
)

_NAMED = {
    "NoReg": ("regularizer", "NoReg"),
    "BCE": ("BCE loss", _HOME_LABEL),
    "BCE-NoReg": ("BCE loss No Reg", "NoReg"),
    "batch64": ("batch64", _HOME_LABEL),
    "batch128": ("batch128", _HOME_LABEL),
    "LRS": ("LR decay", _HOME_LABEL),
    "RLROP": ("Reduce LR on Plateau", _HOME_LABEL),
}


class UnreadableLogError(Exception):
    """A file that is no log of 2017; the message says why."""


@dataclass(frozen=True)
class LogName:
    """What a log's name says. `more` is what it carries before `history`: a repeated run."""

    genre: str
    family: str
    regularizer: str
    fc1: int
    fc2: int
    more: str = ""


@dataclass(frozen=True)
class Log:
    """One log. `metrics` are lists over epochs, and `counts` the final model's confusion counts.

    Both are under the history table's names; an undefined metric is NaN.
    """

    path: Path
    name: LogName
    metrics: Mapping[str, list[float]]
    counts: Mapping[str, int]

    @property
    def epochs(self) -> int:
        return len(self.metrics["train_loss"])


def read_log(path: Path) -> Log:
    """The log at `path`. Raises `UnreadableLogError` where its name or content is not one's."""
    name = parse_name(path.name)
    metrics, counts = parse_log(_read_text(path))
    return Log(path, name, metrics, counts)


def parse_name(name: str) -> LogName:
    """What a log's file name says, by the rules of 2017.

    Raises `UnreadableLogError` for a name that fits none of them.
    """
    if found := _LONG_RUN.fullmatch(name):
        family, sizes = "100 epochs Reduce LR on Plateau", (256, 256)
        genre, label = _LONG_RUNS[found[1]], _HOME_LABEL
    elif found := _FROZEN.fullmatch(name):
        layers = int(found["layers"][:9])
        if layers > ALL_LAYERS:
            raise UnreadableLogError(
                f"its name says {layers} frozen layers; VGG16 has {ALL_LAYERS}"
            )
        family, sizes = f"VGG w/{layers} frozen layers", (256, 256)
        genre, label = _genre(found["genre"]), _HOME_LABEL
    elif found := _MODEL.fullmatch(name):
        family, label = _setting(found)
        genre, sizes = _genre(found["genre"]), (_size(found["fc1"]), _size(found["fc2"]))
    else:
        raise UnreadableLogError("its name fits none of the rules for logs of 2017")
    if other := _OTHER_RULE.search(found["more"]):
        raise UnreadableLogError(f"its name fits no rule: `{other[0][:20]}` does not belong there")
    return LogName(genre, family, label, *sizes, more=found["more"].strip("-_"))


def parse_log(text: str) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Metrics by epoch and final confusion counts from a log's text.

    The counts are true and false positives and negatives in the order TP TN FP FN, which follows
    from the precision and recall below them. Their second line is of the test cohort, though 2017
    called both `Train`. Raises `UnreadableLogError` where the text is none of a log's.
    """
    end = _end_of_dictionary(text)
    history = _parse_dictionary(text[:end])
    metrics = {}
    for prefix, side in _SIDES.items():
        for key, metric in _METRICS.items():
            if f"{prefix}{key}" in history:
                metrics[f"{side}_{metric}"] = _numbers(f"{prefix}{key}", history)
    if "lr" in history:
        metrics["learning_rate"] = _numbers("lr", history)
    for key in _REQUIRED:
        prefix = "val_" if key.startswith("val_") else ""
        if f"{_SIDES[prefix]}_{_METRICS[key.removeprefix(prefix)]}" not in metrics:
            raise UnreadableLogError(f"has no `{key}`")
    lengths = {name: len(values) for name, values in metrics.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UnreadableLogError(f"its metrics differ in their number of epochs: {told}")
    if not lengths["train_loss"]:
        raise UnreadableLogError("has no epoch")
    return metrics, _counts(text, end)


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
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise UnreadableLogError(f"not a Python dictionary ({reason})") from None


def _read_text(path: Path) -> str:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableLogError("not a regular file")
        if about.st_size > MAX_BYTES:
            raise UnreadableLogError(f"larger than {MAX_BYTES:,} bytes")
        # Without waiting, should a pipe have taken the file's place.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableLogError(error.strerror or str(error)) from None
    if not data.strip():
        raise UnreadableLogError("is empty")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableLogError(f"not text (byte {error.start})") from None


def _setting(found: re.Match[str]) -> tuple[str, str]:
    """Family and Regularizer of a `model-G-A-B…` name."""
    if found["kind"]:
        digits = _STRENGTH.fullmatch(found["strength"])
        if digits is None:
            raise UnreadableLogError(
                f"its name fits no rule: `{found['strength'][:20]}` is no value such as 1_0e_05"
            )
        sign = "-" if digits[3] == "_" else "+"
        value = float(f"{digits[1]}.{digits[2]}e{sign}{digits[4]}")
        kind = found["kind"].upper()
        family, label = f"regularizer {kind}", f"{kind}={format_strength(value)}"
    elif named := found["named"] or found["rate"]:
        family, label = _NAMED[named]
    else:
        family, label = "base", _HOME_LABEL
    if found["scratch"]:
        if family != "base":
            raise UnreadableLogError("its name fits no rule: `scratch` with another setting")
        family = "scratch"
    return family, label


def _genre(number: str) -> str:
    index = int(number[:9])
    if index >= len(GENRES):
        raise UnreadableLogError(f"its name says genre {index}; there are 0 to {len(GENRES) - 1}")
    return GENRES[index]


def _size(number: str) -> int:
    size = int(number[:9])
    if not 1 <= size <= 65536:
        raise UnreadableLogError(f"its name says a layer of {size} units; 1 to 65536 can be")
    return size


def _end_of_dictionary(text: str) -> int:
    """Where the dictionary that `text` begins with ends."""
    if not text.lstrip().startswith("{"):
        raise UnreadableLogError("line 1: does not begin with a dictionary")
    depth, quote = 0, ""
    for found in re.finditer(r"""[][{}()'"]|\\.""", text):
        mark = found[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in "[{(":
            depth += 1
        elif mark in "]})":
            depth -= 1
            if depth == 0:
                return found.end()
    raise UnreadableLogError("cut off: its dictionary is not closed")


def _parse_dictionary(text: str) -> dict[Any, Any]:
    value = parse_literal(text)
    if not isinstance(value, dict):
        raise UnreadableLogError("does not begin with a dictionary")
    return value


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
    raise UnreadableLogError(f"line {node.lineno}: {_shown(node)} is no number, list or dictionary")


def _number(node: ast.expr, depth: int) -> float:
    value = _value(node, depth)
    if not isinstance(value, float):
        raise UnreadableLogError(f"line {node.lineno}: {_shown(node)} is no number")
    return value


def _named_number(name: str, node: ast.expr) -> float:
    match name.lower():
        case "nan":
            return math.nan
        case "inf" | "infinity":
            return math.inf
    raise UnreadableLogError(f"line {node.lineno}: {_shown(node)} is no number")


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


def _numbers(key: str, history: Mapping[str, Any]) -> list[float]:
    values = history[key]
    if not isinstance(values, list) or not all(isinstance(v, float) for v in values):
        raise UnreadableLogError(f"`{key}` is not a list of numbers")
    # What is infinite is as undefined as NaN in a history table.
    return [v if math.isfinite(v) else math.nan for v in values]


_COUNTS = re.compile(r"\w+ conf matrix:\s*(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})")
_SCORES = re.compile(r"\w+ p r f:(\s+(\d+(\.\d*)?(e[-+]?\d+)?|nan)){3}")
_CELLS = ("tp", "tn", "fp", "fn")


def _counts(text: str, start: int) -> dict[str, int]:
    """The confusion counts in what follows the dictionary, which ends at `start`."""
    counts: dict[str, int] = {}
    sides = ["test", "train"]
    for number, raw in enumerate(text[start:].splitlines(), text.count("\n", 0, start) + 1):
        line = raw.strip()
        if not line or _SCORES.fullmatch(line):
            continue
        found = _COUNTS.fullmatch(line)
        if found is None or not sides:
            shown = f"`{line[:40]}`" if line.isprintable() else "it"
            raise UnreadableLogError(f"line {number}: {shown} is not confusion counts")
        side = sides.pop()
        counts |= {f"{side}_{c}": int(v) for c, v in zip(_CELLS, found.groups(), strict=True)}
    return counts


def _shown(node: ast.expr) -> str:
    try:
        text = ast.unparse(node)
    except (ValueError, RecursionError):
        return "something"
    return f"`{text[:40]}`" if text.isprintable() else "something"
