"""Keys by the names that are on them."""

from __future__ import annotations

_SYMBOLS = {
    "question_mark": "?",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "Esc",
    "enter": "Enter",
    "tab": "Tab",
    "space": "Space",
    "plus": "+",
    "minus": "-",
    "full_stop": ".",
    "comma": ",",
    "number_sign": "#",
    "asterisk": "*",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "equals_sign": "=",
    "exclamation_mark": "!",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "home": "Home",
    "end": "End",
    "backspace": "Bksp",
    "colon": ":",
}


def show_key(key: str) -> str:
    """Textual's name of a key as it is printed on it: `Ctrl+P`, `?`, `Enter`."""
    if "+" in key and key != "+":
        *modifiers, last = key.split("+")
        return "+".join(m.title() for m in modifiers) + "+" + _SYMBOLS.get(last, last).upper()
    return _SYMBOLS.get(key, key)
