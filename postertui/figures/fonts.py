"""Fonts for letters that the default font does not have.

The default font comes with matplotlib, so that a figure is the same on every machine. Only where a
text has letters that it lacks are other installed fonts put behind it, the same ones for the same
set of fonts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

#: The font of all figures, which matplotlib brings along.
FONT = "DejaVu Sans"

#: The first letter of a block of Unicode, the block's end, and the package that has a font for it
#: on Debian and its like.
_PACKAGES: tuple[tuple[int, int, str], ...] = (
    (0x0590, 0x05FF, "fonts-noto-core"),
    (0x0600, 0x08FF, "fonts-noto-core"),
    (0x0900, 0x0FFF, "fonts-noto-core"),
    (0x1000, 0x10FF, "fonts-noto-core"),
    (0x1100, 0x11FF, "fonts-noto-cjk"),
    (0x2E80, 0x9FFF, "fonts-noto-cjk"),
    (0xA960, 0xA97F, "fonts-noto-cjk"),
    (0xAC00, 0xD7FF, "fonts-noto-cjk"),
    (0xF900, 0xFAFF, "fonts-noto-cjk"),
    (0xFF00, 0xFFEF, "fonts-noto-cjk"),
    (0x1F000, 0x1FAFF, "fonts-symbola"),
    (0x20000, 0x3FFFF, "fonts-noto-cjk"),
)
_OTHER_PACKAGE = "fonts-noto-core"

#: Fonts that have little more than boxes for everything.
_NO_FONTS = ("Last Resort", "LastResort", "Adobe Blank", "Unifont Upper")


@dataclass(frozen=True)
class FontChoice:
    """The families to draw with, the default first, and the letters that none of them has."""

    families: tuple[str, ...]
    missing: str


def choose_fonts(texts: Iterable[str]) -> FontChoice:
    """Fonts that together have the letters of `texts`, the fewest that will do.

    Of several fonts with as many of the letters, the one whose name comes first is taken.
    """
    needed = {ord(c) for text in texts for c in text if _is_drawn(c)} - _letters_of_default()
    families = [FONT]
    if needed:
        candidates = {
            family: letters & needed for family, letters in _installed().items() if letters & needed
        }
        while needed and candidates:
            best = max(sorted(candidates), key=lambda family: len(candidates[family] & needed))
            if not candidates[best] & needed:
                break
            families.append(best)
            needed -= candidates.pop(best)
    return FontChoice(tuple(families), "".join(map(chr, sorted(needed))))


def describe_missing(missing: str, texts: Iterable[str]) -> str:
    """One line for letters that no installed font has: which, of which texts, and a remedy."""
    affected = [text for text in dict.fromkeys(texts) if set(text) & set(missing)]
    shown = ", ".join(f"`{text[:30]}`" for text in affected[:5])
    shown += " …" if len(affected) > 5 else ""
    packages = ", ".join(dict.fromkeys(_package(ord(letter)) for letter in missing))
    letters = missing[:12] + ("…" if len(missing) > 12 else "")
    return (
        f"no installed font has the letters {letters} of {shown}; install one, such as the package "
        f"{packages}"
    )


def _is_drawn(letter: str) -> bool:
    """Whether a letter needs a shape: joiners, selectors and blanks do not."""
    unseen = ("Cc", "Cf", "Cn", "Cs", "Mn")
    return not letter.isspace() and unicodedata.category(letter) not in unseen


def _package(letter: int) -> str:
    return next((name for low, high, name in _PACKAGES if low <= letter <= high), _OTHER_PACKAGE)


@cache
def _letters_of_default() -> frozenset[int]:
    return frozenset(FT2Font(font_manager.findfont(FONT)).get_charmap())


@cache
def _installed() -> dict[str, frozenset[int]]:
    """The letters of each installed font that matplotlib can draw, by family."""
    letters: dict[str, frozenset[int]] = {}
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda e: (e.name, e.fname)):
        if entry.name in letters or entry.name == FONT or entry.name in _NO_FONTS:
            continue
        if entry.style != "normal" or entry.name.startswith(("DejaVu", "STIX", "cm", "Last")):
            continue
        try:
            font = FT2Font(entry.fname)
            # A font of coloured pictures has no outlines that could be drawn.
            is_outline = font.num_glyphs > 0 and not (font.num_fixed_sizes and not font.scalable)
        except (OSError, RuntimeError):
            continue
        if is_outline:
            letters[entry.name] = frozenset(font.get_charmap())
    return letters


def missing_note(texts: Iterable[str]) -> str:
    """`describe_missing` for what cannot be drawn of `texts`; empty where all can."""
    texts = list(texts)
    missing = choose_fonts(texts).missing
    return describe_missing(missing, texts) if missing else ""
