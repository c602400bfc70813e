"""Numbers and times for narrow columns."""

from __future__ import annotations

import math

from postertui.data.base_rates import always_yes_f


def score(value: float | None, digits: int = 3) -> str:
    """A number in 0..1 without its leading zero: `.412`; `–` where it is undefined."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    if text.startswith("0."):
        return text[1:]
    return text[: digits + 1] if len(text) > digits + 1 else text


def signed(value: float) -> str:
    """`+.012`, `-.300`."""
    return ("-" if value < 0 else "+") + score(abs(value))


def compact(value: float | None) -> str:
    """Any number in at most five characters: `.412`, `1.25`, `18.3`, `1e-3`."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    if size < 0.001 or size >= 100_000:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"[:6]
    if size < 1:
        text = f"{value:.3f}"
        return text.replace("0.", ".", 1)
    if size < 100:
        return f"{value:.2f}" if size < 10 else f"{value:.1f}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """A time span in at most six characters: `9ms`, `0.4s`, `12s`, `3m20`, `2h05`, `3d4h`."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return "–"
    if 0 < seconds < 0.0995:
        return f"{1000 * seconds:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 99.5:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02d}"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours}h"


def throughput(epochs_per_second: float) -> str:
    """`2.5 epochs/s`, `40 epochs/min`, or `12 epochs/h`: the unit that gives a number over one."""
    for factor, unit in ((1, "s"), (60, "min")):
        rate = factor * epochs_per_second
        if rate >= 0.95:
            return f"{rate:.1f} epochs/{unit}" if rate < 9.95 else f"{rate:.0f} epochs/{unit}"
    return f"{3600 * epochs_per_second:.0f} epochs/h"


def always_yes(base_rate: float | None) -> float | None:
    """The F-score of always saying yes; None where the base rate is unknown."""
    return None if base_rate is None else always_yes_f(base_rate)
