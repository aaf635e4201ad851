"""Means, differences and their intervals in words."""

from __future__ import annotations

import math

from .report_tables import measured, told_in

SHARES = ("ratio", "share", "probability")
"""Units of measures that are told in per cent."""


def mean_told(mean: float, low: float, high: float, unit: str) -> str:
    """Return a mean and its interval; the mean alone where no interval is known.

    Example:
        >>> mean_told(0.5, 0.45, 0.55, "ratio"), mean_told(2.0, float("nan"), float("nan"), "s")
        ('50% (45% to 55%)', '2 s')
    """
    text, ends = _minus(_plain(mean, unit)), span_told(low, high, unit)
    return f"{text} ({ends})" if ends else text


def span_told(low: float, high: float, unit: str) -> str:
    """Return an interval, its unit once; empty where it is not known or has no width.

    Example:
        >>> span_told(900.0, 1100.0, "USD/h"), span_told(0.0, 0.0, "s")
        ('900 to 1,100 USD/h', '')
    """
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return ""
    first, last = _plain(low, unit), _plain(high, unit)
    name = "" if unit in SHARES else told_in(high, unit)[1] if unit else ""
    return _minus(f"{first.removesuffix(name)} to {last}")


def change_told(mean: float, low: float, high: float, unit: str) -> str:
    """Return a difference with its sign and its interval; of shares, in points of a hundred.

    Example:
        >>> change_told(-0.053, -0.06, -0.04, "ratio"), change_told(1234.0, 1200.0, 1300.0, "USD/h")
        ('−5.3 points (−6 to −4)', '+1,230 USD/h (1,200 to 1,300)')
    """
    ends = change_span(low, high, unit)
    text = f"{'+' if mean > 0.0 else ''}{change_size(mean, unit)}"
    return f"{text} ({ends})" if ends else text


def change_size(value: float, unit: str) -> str:
    """Return a difference without a plus; of shares, in points of a hundred.

    Example:
        >>> change_size(-0.053, "ratio")
        '−5.3 points'
    """
    if unit in SHARES:
        return _minus(f"{_points(value)} point{'' if _points(value) in ('1', '-1') else 's'}")
    return _minus(_plain(value, unit))


def change_span(low: float, high: float, unit: str) -> str:
    """Return the interval of a difference without its unit; empty where it is not known."""
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return ""
    if unit in SHARES:
        return _minus(f"{_points(low)} to {_points(high)}")
    if unit == "s":
        return span_told(low, high, unit)  # the ends may be told in units of their own
    return _minus(span_told(low, high, unit).removesuffix(told_in(high, unit)[1] if unit else ""))


def _points(share: float) -> str:
    text = f"{100.0 * share:.2f}" if abs(share) < 0.01 else f"{100.0 * share:.1f}"
    text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _plain(value: float, unit: str) -> str:
    """Return a value; a measure of somebody's own has no unit, and is no share."""
    return f"{value:,.4g}" if unit == "" and math.isfinite(value) else measured(value, unit)


def _minus(text: str) -> str:
    return text.replace("-", "−")
