"""Two runs that were made apart, compared as if they had been made together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..market.schema.errors import BadInputError, Problem, plain
from ..market.schema.market import Market
from .compare import Comparison
from .result import Result

_MOST = 3
"""Differences of demand that are told."""


def paired(runs: dict[str, Result]) -> Comparison:
    """Return the comparison of runs that met the same demand; differences are to the first.

    Args:
        runs: by label; two or more.

    Raises:
        BadInputError: they did not meet the same demand, or hold no epochs to be paired by: all
            that is wrong at once.

    Example:
        >>> from .load import load
        >>> from .run import run
        >>> one, two = (
        ...     run(load("mm1", f"sellers.server.price.task={p}"), until="2 min", warmup=0)
        ...     for p in (0.1, 0.2)
        ... )
        >>> paired({"dear": two, "cheap": one}).names
        ['dear', 'cheap']
    """
    (first, base), *others = runs.items()
    again = "run it with --record epochs"
    wrong = [
        f"{label} kept no epochs, by which runs are paired; {again}"
        for label, result in runs.items() if result.epochs.empty
    ]  # fmt: skip
    for label, result in others:
        wrong += [
            f"{what} is {one} in {first} and {other} in {label}"
            for what, one, other in _unlike(base, result)
        ]
    if wrong:
        hint = "paired differences need one demand: the same seed, replications, run and tasks"
        raise BadInputError([Problem("W106", message, hint=hint) for message in wrong])
    return Comparison(dict(runs))


def _unlike(one: Result, other: Result) -> Iterator[tuple[str, str, str]]:
    """Yield what tells the demand of two runs apart: what, and its two values as text."""
    for name in ("seed", "reps"):
        a, b = getattr(one, name), getattr(other, name)
        if a != b:
            yield name, str(a), str(b)
    unlike = list(_leaves(_demand(one.market), _demand(other.market), ()))
    for path, a, b in unlike[:_MOST]:
        yield ".".join(path), _told(a), _told(b)


def _demand(market: Market) -> dict[str, Any]:
    """Return what of a market draws depend on, and when records are made."""
    data = market.model_dump()
    tasks = {task["name"]: task for task in data["tasks"]}
    run = {**data["run"], "epoch": market.epoch}
    return {"run": run, "tasks": tasks}


def _leaves(one: Any, other: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the paths at which plain data differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from _leaves(one.get(key), other.get(key), (*path, str(key)))
    elif one != other and not (isinstance(one, float) and isinstance(other, float)
                               and math.isnan(one) and math.isnan(other)):  # fmt: skip
        yield path, one, other


def _told(value: Any) -> str:
    return "absent" if value is None else plain(str(value), 40)
