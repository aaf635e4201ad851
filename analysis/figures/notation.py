"""Numbers, money and times as a reader wants to see them."""

from __future__ import annotations

import math


def usd(amount: float) -> str:
    """Return an amount with three significant digits and its unit.

    Example:
        >>> usd(1234.5), usd(0.00123456), usd(-0.5)
        ('1,230 USD', '0.00123 USD', '−0.5 USD')
    """
    return f"{number(amount)} USD"


def number(value: float) -> str:
    """Return a number with three significant digits, thousands parted, in plain notation if short.

    Example:
        >>> number(1234567.0), number(0.12345), number(3.0), number(float("nan"))
        ('1,230,000', '0.123', '3', '–')
    """
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    if not -12 < digits < 9:
        return f"{value:.2e}".replace("-", "−")
    text = f"{round(value, digits):,.{max(digits, 0)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def four_digits(x: float) -> str:
    """Return a number to four digits: of a price, what certificates are about shows in the third.

    Example:
        >>> four_digits(684.61), four_digits(76_886.2), four_digits(math.inf)
        ('684.6', '76,886', '')
    """
    return f"{x:.4g}" if abs(x) < 1e4 else f"{x:,.0f}" if math.isfinite(x) else ""


def percent(share: float) -> str:
    """Return a share as a percentage: whole from 10% on, else with one digit.

    Example:
        >>> percent(0.4213), percent(0.0042), percent(0.00001)
        ('42%', '0.4%', '<0.1%')
    """
    if math.isnan(share):
        return "–"
    if 0 < share < 0.0005:
        return "<0.1%"
    digits = 0 if share >= 0.0995 or share == 0 else 1
    return f"{100 * share:.{digits}f}%"


def duration(time: float) -> str:
    """Return a time in the unit a person would use.

    Example:
        >>> duration(0.25), duration(90.0), duration(7200.0)
        ('250 ms', '1.5 min', '2 h')
    """
    size, unit = time_unit(time)
    return f"{number(time / size)} {unit}"


def time_unit(time: float) -> tuple[float, str]:
    """Return the unit a person would tell a time in: its size (s) and its name.

    Example:
        >>> time_unit(7200.0)
        (3600.0, 'h')
    """
    for unit, least in (("d", 172800.0), ("h", 5400.0), ("min", 90.0), ("s", 1.0)):
        if time >= least:
            return _UNITS[unit], unit
    return (0.001, "ms") if time > 0 else (1.0, "s")


_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def clock(longest: float) -> tuple[float, str]:
    """Return (seconds per unit, unit) for an axis of time that ends at `longest` seconds.

    Example:
        >>> clock(86400.0), clock(100.0)
        ((3600.0, 'h'), (1.0, 's'))
    """
    for unit, least in (("d", 4 * 86400.0), ("h", 2 * 3600.0), ("min", 300.0)):
        if longest >= least:
            return _UNITS[unit], unit
    return 1.0, "s"


def log_ticks(low: float, high: float) -> dict[str, list[float] | list[str]]:
    """Return ticks for a logarithmic axis between two powers of 10, with their labels.

    Empty where fewer than three would do; what Plotly chooses does better there.

    Example:
        >>> log_ticks(0.0, 1.0)
        {'tickvals': [1.0, 2.0, 5.0, 10.0], 'ticktext': ['1', '2', '5', '10']}
    """
    steps = (1,) if high - low > 2.5 else (1, 2, 5)
    ticks = [m * 10.0**e for e in range(-9, 8) for m in steps]
    ticks = [t for t in ticks if low <= math.log10(t) <= high]
    if len(ticks) < 3:
        return {}
    return {"tickvals": ticks, "ticktext": [number(t) for t in ticks]}


def time_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Return ticks for a logarithmic axis of seconds, in units people use, with their labels.

    Example:
        >>> time_ticks(0.5, 1000.0)
        ([1.0, 10.0, 60.0, 600.0], ['1 s', '10 s', '1 min', '10 min'])
        >>> time_ticks(250.0, 2000.0)[1]
        ['5 min', '10 min', '20 min', '30 min']
    """
    ticks = {
        0.001: "1 ms", 0.01: "10 ms", 0.1: "0.1 s", 1.0: "1 s", 10.0: "10 s", 60.0: "1 min",
        600.0: "10 min", 3600.0: "1 h", 36000.0: "10 h", 259200.0: "3 d", 2592000.0: "30 d",
    }  # fmt: skip
    kept = [t for t in ticks if low <= t <= high]
    if len(kept) >= 4:
        return kept, [ticks[t] for t in kept]
    for steps in ((1, 3, 10, 30), (1, 2, 5, 10, 20, 30)):
        finer = {m * size for size in _UNITS.values() for m in steps}
        finer |= {m * 10.0**e for e in range(-4, 0) for m in steps if m < 10}
        kept = sorted(t for t in finer if low <= t <= high and not 10 * 3600 < t < 86400)
        if len(kept) >= 4:
            break
    return kept, [_in_its_unit(t) for t in kept]


def _in_its_unit(time: float) -> str:
    for unit in ("d", "h", "min", "s"):
        if time >= _UNITS[unit]:
            return f"{number(time / _UNITS[unit])} {unit}"
    return duration(time)
