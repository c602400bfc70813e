"""What a log's file name says, by the rules of 2017."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postertui.published.facts import GENRES
from postertui.published.unreadable import UnreadableLogError
from postertui.study import ALL_LAYERS, format_strength

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


@dataclass(frozen=True)
class LogName:
    """What a log's name says. `more` is what it carries before `history`: a repeated run."""

    genre: str
    family: str
    regularizer: str
    fc1: int
    fc2: int
    more: str = ""


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
