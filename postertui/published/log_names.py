"""The settings in a log's file name, by the rules of 2017."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postertui.published.facts import GENRES
from postertui.published.unreadable import UnreadableLogError
from postertui.study import ALL_LAYERS, format_strength

_BASE_REGULARIZER = "L1=1e-5"
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
#: Behind the part that one rule reads, these would be another rule's.
_MISPLACED_SETTING = re.compile(
    r"(?<![A-Za-z0-9])(l\d+_\d|NoReg|BCE|batch\d|LRS|RLROP|pretrain)", re.IGNORECASE
)

_NAMED = {
    "NoReg": ("regularizer", "NoReg"),
    "BCE": ("BCE loss", _BASE_REGULARIZER),
    "BCE-NoReg": ("BCE loss No Reg", "NoReg"),
    "batch64": ("batch64", _BASE_REGULARIZER),
    "batch128": ("batch128", _BASE_REGULARIZER),
    "LRS": ("LR decay", _BASE_REGULARIZER),
    "RLROP": ("Reduce LR on Plateau", _BASE_REGULARIZER),
}


@dataclass(frozen=True)
class LogName:
    """The settings in a log's name. `more` is what precedes `history`: a repeated run."""

    genre: str
    family: str
    regularizer: str
    fc1: int
    fc2: int
    more: str = ""


def parse_name(name: str) -> LogName:
    """The settings in the file name of a log of 2017.

    Raises
    ------
    UnreadableLogError
        For a name that fits none of the study's rules.
    """
    if match := _LONG_RUN.fullmatch(name):
        family, sizes = "100 epochs Reduce LR on Plateau", (256, 256)
        genre, label = _LONG_RUNS[match[1]], _BASE_REGULARIZER
    elif match := _FROZEN.fullmatch(name):
        layers = int(match["layers"][:9])
        if layers > ALL_LAYERS:
            raise UnreadableLogError(f"{layers} frozen layers in its name; VGG16 has {ALL_LAYERS}")
        family, sizes = f"VGG w/{layers} frozen layers", (256, 256)
        genre, label = _genre(match["genre"]), _BASE_REGULARIZER
    elif match := _MODEL.fullmatch(name):
        family, label = _setting(match)
        genre, sizes = _genre(match["genre"]), (_size(match["fc1"]), _size(match["fc2"]))
    else:
        raise UnreadableLogError("its name fits none of the rules for logs of 2017")
    if other := _MISPLACED_SETTING.search(match["more"]):
        raise UnreadableLogError(f"its name fits no rule: `{other[0][:20]}` does not belong there")
    return LogName(genre, family, label, *sizes, more=match["more"].strip("-_"))


def _setting(match: re.Match[str]) -> tuple[str, str]:
    """Family and Regularizer of a `model-G-A-B…` name."""
    if match["kind"]:
        digits = _STRENGTH.fullmatch(match["strength"])
        if digits is None:
            raise UnreadableLogError(
                f"its name fits no rule: `{match['strength'][:20]}` is not a value such as 1_0e_05"
            )
        sign = "-" if digits[3] == "_" else "+"
        value = float(f"{digits[1]}.{digits[2]}e{sign}{digits[4]}")
        kind = match["kind"].upper()
        family, label = f"regularizer {kind}", f"{kind}={format_strength(value)}"
    elif named := match["named"] or match["rate"]:
        family, label = _NAMED[named]
    else:
        family, label = "base", _BASE_REGULARIZER
    if match["scratch"]:
        if family != "base":
            raise UnreadableLogError("its name fits no rule: `scratch` with another setting")
        family = "scratch"
    return family, label


def _genre(number: str) -> str:
    index = int(number[:9])
    if index >= len(GENRES):
        raise UnreadableLogError(f"genre {index} in its name; they are 0 to {len(GENRES) - 1}")
    return GENRES[index]


def _size(number: str) -> int:
    size = int(number[:9])
    if not 1 <= size <= 65536:
        raise UnreadableLogError(f"a layer of {size} units in its name; 1 to 65536 are possible")
    return size
