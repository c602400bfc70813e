"""Colours: ggplot2's default hues, and the Okabe-Ito set made for colour-blind readers.

`hue_palette` follows R's `scales::hue_pal`: n hues of CIE-LUV, chroma 100, luminance 65, from 15°.
"""

from __future__ import annotations

import math
from typing import Literal

Palette = Literal["hue", "okabe-ito"]

OKABE_ITO = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip

_WHITE = (95.047, 100.0, 108.883)
_CHROMA, _LUMINANCE, _FIRST_HUE = 100.0, 65.0, 15.0


def palette_colours(palette: Palette, n: int) -> list[str]:
    """`n` colours as `#RRGGBB`. Okabe-Ito has eight; beyond them it is continued with hues."""
    if palette == "hue":
        return hue_palette(n)
    return [*OKABE_ITO[:n], *hue_palette(max(0, n - len(OKABE_ITO)))]


def hue_palette(n: int) -> list[str]:
    """ggplot2's default colours for `n` levels."""
    return [_hcl(_FIRST_HUE + 360.0 * i / n) for i in range(n)]


def _hcl(hue: float) -> str:
    x_white, y_white, z_white = _WHITE
    scale = x_white + 15 * y_white + 3 * z_white
    u_white, v_white = 4 * x_white / scale, 9 * y_white / scale
    luminous = y_white * ((_LUMINANCE + 16) / 116) ** 3
    angle = math.radians(hue)
    u = _CHROMA * math.cos(angle) / (13 * _LUMINANCE) + u_white
    v = _CHROMA * math.sin(angle) / (13 * _LUMINANCE) + v_white
    x = 9 * luminous * u / (4 * v)
    z = -x / 3 - 5 * luminous + 3 * luminous / v
    x, y, z = x / y_white, luminous / y_white, z / y_white
    linear = (
        3.240479 * x - 1.537150 * y - 0.498535 * z,
        -0.969256 * x + 1.875992 * y + 0.041556 * z,
        0.055648 * x - 0.204043 * y + 1.057311 * z,
    )
    return "#" + "".join(f"{int(255 * min(max(_gamma(c), 0.0), 1.0) + 0.5):02X}" for c in linear)


def _gamma(value: float) -> float:
    if value <= 0.00304:
        return 12.92 * value
    return float(1.055 * value ** (1 / 2.4) - 0.055)
