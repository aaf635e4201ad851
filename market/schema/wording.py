"""How ranges, sizes and units are said; examples of values by unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.+:-]{0,63}$"
"""Names of sellers, task classes and efforts: they appear in paths, tables and file names."""
LONGEST_NAME = 64
EXAMPLES = {
    "USD/Mtok": "0.60", "USD/task": "0.02", "USD/Mtok or USD/task": "0.60", "USD": "0.02",
    "USD/s": "0.001", "USD/h": "100", "USD/slot-hour": "2.0", "s": '"5 min"', "1/s": "0.01",
    "tokens": "500", "tokens/s": "80", "tasks/s": "0.5", "batches/s": "0.1", "tasks": "10",
    "users": "100", "probability": "0.9", "ratio": "0.5", "logits": "1.5", "slots": "8",
    "streams": "16", "offers": "5", "level": "1", "bidders": "4", "Erlangs": "8",
    "USD/period": "20", "tokens/period": "1000000", "customers": "100",
}  # fmt: skip
UNITS = {
    "USD/Mtok": "USD per million tokens", "USD/task": "USD per task", "USD/s": "USD per second",
    "USD/h": "USD per hour", "USD/slot-hour": "USD per slot and hour",
    "tokens/s": "tokens per second",
    "USD/period": "USD per period", "tokens/period": "tokens per period",
    "tasks/s": "tasks per second", "batches/s": "batches per second", "s": "seconds",
    "1/s": "per second", "1/USD": "per USD",
    "USD/Mtok or USD/task": "USD per million tokens, or USD per task",
}  # fmt: skip


def one_of(words: Sequence[str]) -> str:
    """Say a choice.

    Example:
        >>> one_of(["price", "random"])
        'one of price, random'
    """
    return words[0] if len(words) == 1 else f"one of {', '.join(words)}"


def _number(x: float) -> str:
    return f"{x:,.0f}" if abs(x) < 1e7 and x == int(x) else f"{x:g}"


def interval(limits: dict[str, Any]) -> str:
    """Say a range given by `ge`, `gt`, `le`, `lt`; empty if there is none.

    Example:
        >>> interval({"gt": 0, "le": 50})
        'above 0, at most 50'
    """
    low, high = limits.get("ge"), limits.get("le")
    above, below = limits.get("gt"), limits.get("lt")
    if low is not None and high is not None:
        return f"{_number(low)} to {_number(high)}"
    parts = []
    if low is not None:
        parts.append(f"{_number(low)} or more")
    if above is not None:
        parts.append(f"above {_number(above)}")
    if high is not None:
        parts.append(f"at most {_number(high)}")
    if below is not None:
        parts.append(f"below {_number(below)}")
    return ", ".join(parts)


def sizes(limits: dict[str, Any], what: str) -> str:
    """Say a length given by `min_length` and `max_length`, counted in `what`.

    Example:
        >>> sizes({"min_length": 2, "max_length": 16}, "entries")
        '2 to 16 entries'
    """
    if limits.get("pattern") == NAME_PATTERN:
        return "1 to 64 letters, digits and _ . + : -, the first a letter or digit"
    low, high = limits.get("min_length"), limits.get("max_length")
    if low is None and high is None:
        return ""
    if low is not None and low == high:
        return f"{low} {what}"
    return f"{low or 0:,} to {high:,} {what}" if high is not None else f"at least {low:,} {what}"
