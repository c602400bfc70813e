"""Student's t, and derivatives of the log-gamma function, without scipy.

`scipy.special` has them all, and takes nearly as long to import as polars and numpy together, which
every comparison would wait for. Tests compare these with it. Formulas: M. Abramowitz and
I. A. Stegun, "Handbook of Mathematical Functions", 1964, by number.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: The series below are for arguments from here on; smaller ones are shifted by recurrence.
_SHIFT = 10
#: From this many degrees of freedom on, the normal with a correction has nine digits of every
#: p-value above 1e-6.
_NEARLY_NORMAL = 1e6
#: From this many degrees of freedom on, the expansion around the normal is near enough to start at.
_EXPANDED = 5
_TINY = 1e-300


def normal_quantile(probability: float) -> float:
    """The quantile of the standard normal; `probability` is above 0 and below 1."""
    return NormalDist().inv_cdf(probability)


def normal_tail(z: float) -> float:
    """The chance that a standard normal is above `z`."""
    return math.erfc(z / math.sqrt(2)) / 2


def tail(t: float, df: float) -> float:
    """The chance that Student's t with `df` degrees of freedom is above `t`, not negative."""
    if df > _NEARLY_NORMAL:  # 26.7.8
        return normal_tail(t * (1 - 1 / (4 * df)) / math.sqrt(1 + t * t / (2 * df)))
    if math.isinf(t):
        return 0.0
    a, b = df / 2, 0.5
    x, rest = df / (df + t * t), t * t / (df + t * t)
    if rest == 0:
        return 0.5
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log(rest) - log_beta)
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a / 2
    return (1 - front * _beta_fraction(rest, b, a) / b) / 2


@functools.lru_cache(maxsize=4096)
def quantile(probability: float, df: float) -> float:
    """The quantile of Student's t; `probability` is above 0 and below 1."""
    if probability < 0.5:
        return -quantile(1 - probability, df)
    above = 1 - probability
    z = normal_quantile(probability)
    expansion = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)  # 26.7.5
    if df > _NEARLY_NORMAL:
        return expansion
    log_scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    # The tail is convex, so that Newton's steps from below, as from `z`, never pass the root.
    t = expansion if df >= _EXPANDED else z
    for _ in range(200):
        density = math.exp(log_scale - (df + 1) / 2 * math.log1p(t * t / df))
        step = (tail(t, df) - above) / density
        t += step
        if abs(step) <= 1e-7 * t:  # the error is of the order of the step's square
            break
    return t


def digamma(x: Floats | float) -> Floats:
    """The logarithmic derivative of the gamma function at positive `x` (6.3.5, 6.3.18)."""
    x = np.asarray(x, dtype=float)
    y = x + _SHIFT
    series = 1 / 12 - (1 / 120 - (1 / 252 - (1 / 240 - 1 / 132 / y**2) / y**2) / y**2) / y**2
    recurrence = sum(1 / (x + k) for k in range(_SHIFT))
    return np.asarray(np.log(y) - 1 / (2 * y) - series / y**2 - recurrence)


def trigamma(x: Floats | float) -> Floats:
    """The derivative of `digamma` at positive `x` (6.4.6, 6.4.12)."""
    x = np.asarray(x, dtype=float)
    y = x + _SHIFT
    series = 1 / 6 - (1 / 30 - (1 / 42 - (1 / 30 - 5 / 66 / y**2) / y**2) / y**2) / y**2
    recurrence = sum(1 / (x + k) ** 2 for k in range(_SHIFT))
    return np.asarray(1 / y + 1 / (2 * y**2) + series / y**3 + recurrence)


def tetragamma(x: Floats | float) -> Floats:
    """The derivative of `trigamma` at positive `x` (6.4.6, 6.4.13)."""
    x = np.asarray(x, dtype=float)
    y = x + _SHIFT
    series = 1 / 2 - (1 / 6 - (1 / 6 - (3 / 10 - 5 / 6 / y**2) / y**2) / y**2) / y**2
    recurrence = sum(2 / (x + k) ** 3 for k in range(_SHIFT))
    return np.asarray(-1 / y**2 - 1 / y**3 - series / y**4 - recurrence)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function (26.5.8), by Lentz's method."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _nonzero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY
