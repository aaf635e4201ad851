"""Small helpers that say the unit of a number where a market is written in Python."""

from __future__ import annotations

from .supply import Rates


def usd(amount: float) -> float:
    """Return an amount of US dollars: a word for the reader.

    Example:
        >>> usd(0.02)
        0.02
    """
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
