"""Means, differences and their intervals in words: as many digits as the interval is worth."""

from __future__ import annotations

import math

from .figures.notation import number
from .report_tables import measured, told_in

SHARES = ("ratio", "share", "probability")
"""Units of measures that are told in per cent."""
_TWO = 3.0
"""A half-width that begins with less than this is told with two digits."""


def mean_told(mean: float, low: float, high: float, unit: str) -> str:
    """Return a mean and its interval, the unit once; the mean alone where no interval is known.

    Example:
        >>> mean_told(0.5, 0.45, 0.55, "ratio"), mean_told(2.0, float("nan"), float("nan"), "s")
        ('50% (45 to 55)', '2 s')
        >>> mean_told(63_443.2, 62_880.0, 64_010.0, "USD/h")
        '63,400 USD/h (62,900 to 64,000)'
    """
    if not _known(low, high):
        return _minus(f"{mean:,.4g}" if not unit and math.isfinite(mean) else measured(mean, unit))
    size, name = _unit(mean, unit)
    ends = _ends(low, high, size)
    return f"{_fixed(mean, low, high, size)}{name} ({ends})"


def span_told(low: float, high: float, unit: str) -> str:
    """Return an interval, its unit once; empty where it is not known or has no width.

    Example:
        >>> span_told(900.0, 1100.0, "USD/h"), span_told(0.0, 0.0, "s")
        ('900 to 1,100 USD/h', '')
    """
    if not _known(low, high):
        return ""
    size, name = _unit(0.5 * (low + high), unit)
    return f"{_ends(low, high, size)}{name}"


def change_told(mean: float, low: float, high: float, unit: str) -> str:
    """Return a difference with its sign and its interval; of shares, in points of a hundred.

    Example:
        >>> change_told(-0.053, -0.06, -0.04, "ratio"), change_told(1234.0, 1200.0, 1300.0, "USD/h")
        ('−5.3 points (−6.0 to −4.0)', '+1,230 USD/h (1,200 to 1,300)')
    """
    sign = "+" if mean > 0.0 else ""
    size, name = _change_unit(mean, unit)
    if not _known(low, high):
        return f"{sign}{number(mean / size)}{name}"
    return f"{sign}{_fixed(mean, low, high, size)}{name} ({_ends(low, high, size)})"


def change_span(mean: float, low: float, high: float, unit: str) -> tuple[str, str]:
    """Return a difference and its interval, the unit with the first; "" for one that isn't known.

    Example:
        >>> change_span(-2.5, -3.0, -2.0, "USD/h")
        ('−2.5 USD/h', '−3.0 to −2.0')
    """
    text, _, ends = change_told(mean, low, high, unit).partition(" (")
    return text.removeprefix("+"), ends.removesuffix(")")


def _known(low: float, high: float) -> bool:
    return math.isfinite(low) and math.isfinite(high) and low != high


def _unit(value: float, unit: str) -> tuple[float, str]:
    """Return the size and the name of what a measure is told in; one of one's own has none."""
    return told_in(value, unit) if unit else (1.0, "")


def _change_unit(value: float, unit: str) -> tuple[float, str]:
    return (0.01, " points") if unit in SHARES else _unit(value, unit)


def _fixed(value: float, low: float, high: float, size: float) -> str:
    """Return a value to the digit from which on its interval leaves it unknown."""
    half = 0.5 * abs(high - low) / size
    power = math.floor(math.log10(half))
    places = -power + (1 if half / 10.0**power < _TWO else 0)
    text = f"{round(value / size, places):,.{max(places, 0)}f}"
    return _minus("0" if not text.strip("-0.,") else text)


def _ends(low: float, high: float, size: float) -> str:
    return " to ".join(_fixed(end, low, high, size) for end in (low, high))


def _minus(text: str) -> str:
    return text.replace("-", "−")
