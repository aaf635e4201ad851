"""Small helpers that say the unit of a number where a market is written in Python."""

from __future__ import annotations

import math

from .errors import shown
from .supply import Rates


def usd(amount: float) -> float:
    """Return an amount of US dollars: a word for the reader.

    Raises:
        ValueError: the amount is no finite number.

    Example:
        >>> usd(0.02)
        0.02
    """
    if isinstance(amount, (str, bool)) or not math.isfinite(amount):
        raise ValueError(f"usd takes a finite number, not {shown(amount)}")
    return float(amount)


def per_mtok(input: float, output: float) -> Rates:
    """Return rates in USD per million input and output tokens.

    Example:
        >>> per_mtok(1.1, 4.4).output
        4.4
    """
    return Rates(input=input, output=output)


def per_task(amount: float) -> Rates:
    """Return a rate in USD per task.

    Example:
        >>> per_task(0.05).lever
        0.05
    """
    return Rates(task=amount)
