"""Colours: the app's themes, and the styles of curves and text that go with each.

Curves take their colours from Okabe and Ito's palette, which stays distinct for the common kinds
of colour blindness; pattern and letter distinguish them where there is no colour.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

#: Ends the name of a style that is under the epoch cursor.
CURSOR = "+cursor"


@dataclass(frozen=True)
class Palette:
    """Colours by what they are for. `groups` are those of compared values, in order."""

    dark: bool
    background: str
    surface: str
    panel: str
    text: str
    dim: str
    faint: str
    accent: str
    test: str
    train: str
    above: str
    between: str
    below: str
    groups: tuple[str, ...]


_DARK_GROUPS = ("#56b4e9", "#e69f00", "#2fbf8f", "#f0e442", "#d58fba", "#ef7d45", "#a5b1ff")
_LIGHT_GROUPS = ("#0072b2", "#b36b00", "#007a5a", "#8a7a00", "#a8487f", "#c04a00", "#4a55c8")

PALETTES = {
    "dark": Palette(
        dark=True,
        background="#0f1319",
        surface="#141a22",
        panel="#202938",
        text="#cdd5df",
        dim="#8590a0",
        faint="#4c5767",
        accent="#6cb6ff",
        test="#5ab4f0",
        train="#d9994a",
        above="#79c98b",
        between="#d9b95b",
        below="#e2777f",
        groups=_DARK_GROUPS,
    ),
    "light": Palette(
        dark=False,
        background="#fdfdfb",
        surface="#f3f4f2",
        panel="#dde3ea",
        text="#23282f",
        dim="#667080",
        faint="#b3bac4",
        accent="#0b66b0",
        test="#0b66b0",
        train="#b3610a",
        above="#1d7a3a",
        between="#8a6a00",
        below="#b3261e",
        groups=_LIGHT_GROUPS,
    ),
    "colour-blind": Palette(
        dark=True,
        background="#000000",
        surface="#0b0b0b",
        panel="#2b2b2b",
        text="#ffffff",
        dim="#b4b4b4",
        faint="#707070",
        accent="#56b4e9",
        test="#56b4e9",
        train="#e69f00",
        above="#56b4e9",
        between="#f0e442",
        below="#e69f00",
        groups=("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#ffffff"),
    ),
}


def theme_of(name: str) -> Theme:
    """The Textual theme for the palette `name`."""
    p = PALETTES[name]
    return Theme(
        name=name,
        primary=p.accent,
        secondary=p.train,
        accent=p.accent,
        foreground=p.text,
        background=p.background,
        surface=p.surface,
        panel=p.panel,
        success=p.above,
        warning=p.between,
        error=p.below,
        dark=p.dark,
        variables={
            "border": p.faint,
            "border-blurred": p.faint,
            "block-cursor-background": p.panel,
            "block-cursor-foreground": p.text,
            "block-cursor-text-style": "bold",
            "input-selection-background": f"{p.accent} 35%",
            "scrollbar": p.faint,
            "scrollbar-background": p.surface,
            "footer-background": p.surface,
        },
    )


class ThemeStyles(dict[str, Style]):
    """Style names to rich styles, made when first asked for."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        # By the base's identity, for a style takes long to hash; the base is kept beside, so that
        # no other gets its identity.
        self._over: dict[int, tuple[Style, dict[str, Style]]] = {}

    def use(self, palette: Palette) -> None:
        """Make all styles from `palette` from now on."""
        self.palette = palette
        self.clear()
        self._over.clear()

    def over(self, base: Style, name: str) -> Style:
        """The style `name` on `base`, made once."""
        entry = self._over.get(id(base))
        if entry is None:
            entry = self._over[id(base)] = (base, {})
        style = entry[1].get(name)
        if style is None:
            style = entry[1][name] = base + self[name]
        return style

    def __missing__(self, name: str) -> Style:
        style = self._make(name)
        self[name] = style
        return style

    def _make(self, name: str) -> Style:
        p = self.palette
        if name.endswith(CURSOR):
            return self[name.removesuffix(CURSOR)] + Style(bgcolor=p.panel)
        if name.startswith("group-"):
            return self._group(name)
        fixed = {
            "blank": Style(),
            "on-background": Style(color=p.text, bgcolor=p.background),
            "on-surface": Style(color=p.text, bgcolor=p.surface),
            "text": Style(color=p.text),
            "dim": Style(color=p.dim),
            "faint": Style(color=p.faint),
            "axis": Style(color=_mix(p.dim, p.faint, 0.35)),
            "bold": Style(color=p.text, bold=True),
            "accent": Style(color=p.accent),
            "title": Style(color=p.text, bold=True),
            "selected": Style(color=p.background, bgcolor=p.accent, bold=True),
            "highlight": Style(color=p.text, bgcolor=p.panel, bold=True),
            "cursor-row": Style(
                color=p.text, bgcolor=_mix(p.accent, p.background, 0.68), bold=True
            ),
            "cursor-row-blurred": Style(color=p.text, bgcolor=p.panel),
            "brand": Style(color=p.background, bgcolor=p.accent, bold=True),
            "key": Style(color=p.accent, bgcolor=p.surface, bold=True),
            "bar-fill": Style(bgcolor=p.surface),
            "bar": Style(color=p.dim, bgcolor=p.surface),
            "test": Style(color=p.test),
            "train": Style(color=p.train),
            "test-band": Style(color=_mix(p.test, p.background, 0.65)),
            "train-band": Style(color=_mix(p.train, p.background, 0.65)),
            "base-test": Style(color=_mix(p.test, p.background, 0.45)),
            "base-train": Style(color=_mix(p.train, p.background, 0.5)),
            "always-yes": Style(color=p.dim),
            "zero": Style(color=p.dim),
            "noise": Style(color=_mix(p.faint, p.background, 0.3)),
            "other": Style(color=p.faint),
            "other-train": Style(color=_mix(p.faint, p.background, 0.5)),
            "other-band": Style(color=_mix(p.faint, p.background, 0.6)),
            "above": Style(color=p.above),
            "between": Style(color=p.between),
            "below": Style(color=p.below),
            "running": Style(color=p.accent),
            "queued": Style(color=p.dim),
            "done": Style(color=p.above),
            "failed": Style(color=p.below, bold=True),
            "cancelled": Style(color=p.dim),
            "interrupted": Style(color=p.between),
            "held": Style(color=p.between),
            "cancelling": Style(color=p.between),
            "damaged": Style(color=p.below, bold=True),
            "unreadable": Style(color=p.below),
            "newer": Style(color=p.between),
        }
        return fixed.get(name, Style(color=p.text))

    def _group(self, name: str) -> Style:
        p = self.palette
        colour = p.groups[int(name.split("-")[1]) % len(p.groups)]
        if name.endswith("-band"):
            return Style(color=_mix(colour, p.background, 0.7))
        if name.endswith("-train"):
            return Style(color=_mix(colour, p.background, 0.4))
        return Style(color=colour)


def _mix(colour: str, other: str, share: float) -> str:
    """`colour` with `share` of `other` in it."""
    a, b = Color.parse(colour).get_truecolor(), Color.parse(other).get_truecolor()
    mixed = [round(x + (y - x) * share) for x, y in zip(a, b, strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)
