"""What of a market a page can change: each control with its path, value, unit, range and meaning.

All but the choice of what is worth a control comes from the schema.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from ...agents.strategies import STRATEGIES
from ...market.schema.demand import TaskClass
from ...market.schema.distributions import Constant
from ...market.schema.market import Market
from ...market.schema.supply import Seller
from ...scenarios.schema import entry_at
from ...scenarios.variants import kinds

_OF_TASK = ("arrivals", "value", "deadline", "loss", "choice")
_OF_ARRIVALS = ("rate", "users")


def controls(market: Market) -> dict[str, Any]:
    """Return the controls of a market.

    Keys: `tasks`, fields by class; `mechanism` and `learning`, choices; `models`, a table with
    columns and a row of fields for each seller. A field has path, label, value, unit, range and
    help; a column label, unit and help; a choice value and options.

    Example:
        >>> from walras.scenarios.load import load
        >>> found = controls(load("mm1"))["tasks"]["jobs"][0]
        >>> found["path"], found["unit"]
        ('tasks.jobs.arrivals.rate', 'tasks per second')
    """
    return {
        "tasks": {task.name: _of_task(task) for task in market.tasks},
        "mechanism": _mechanism(market), "learning": _learning(market), "models": _models(market),
    }  # fmt: skip


def _of_task(task: TaskClass) -> list[dict[str, Any]]:
    found = []
    for name in _OF_TASK:
        value, path = getattr(task, name), f"tasks.{task.name}.{name}"
        if isinstance(value, BaseModel):
            parts = [n for n, x in value if _is_number(x)]
            if name == "arrivals":
                parts = [n for n in parts if n in _OF_ARRIVALS]
            for part in parts:
                alone = isinstance(value, Constant)
                where = path if alone else f"{path}.{part}"
                label = name if alone or name == "arrivals" else f"{name} · {part}"
                steps = ("tasks", 0, name) if alone else ("tasks", 0, name, part)
                kind = {"tasks": [{name: {"kind": getattr(value, "kind", "")}}]}
                found.append(_field(where, label, getattr(value, part), steps, kind))
        elif _is_number(value):
            found.append(_field(path, name, value, ("tasks", 0, name)))
    return found


def _models(market: Market) -> dict[str, Any]:
    by_token = [s.price.by_token for s in market.sellers]
    accuracy = all(len(s.accuracy) == 1 for s in market.sellers)
    columns = [*(["accuracy"] if accuracy else []), "speed", "slots"]
    if any(by_token):
        columns = ["price.input", "price.output", *columns]
    if not all(by_token):
        columns = ["price.task", *columns]
    return {
        "columns": [_column(name) for name in columns],
        "rows": [
            {"name": s.name, "cells": [_cell(s, name) for name in columns]} for s in market.sellers
        ],
    }


def _column(name: str) -> dict[str, str]:
    entry = entry_at(("sellers", 0, *name.split(".")))
    if entry is None:
        return {"label": name, "unit": "", "help": ""}
    label = {"price.input": "price in", "price.output": "price out", "price.task": "price"}
    return {"label": label.get(name, name), "unit": entry.unit, "help": entry.doc}


def _cell(seller: Seller, name: str) -> dict[str, Any] | None:
    """Return what can be edited of a seller; None where it has no such thing."""
    path = f"sellers.{seller.name}.{name}"
    if name == "accuracy":
        skill, value = next(iter(seller.accuracy.items()))
        return {"path": path if skill == "*" else f"{path}.{skill}", "value": value}
    if name.startswith("price."):
        part = name.partition(".")[2]
        if seller.price.by_token == (part == "task"):
            return None
        return {"path": path, "value": getattr(seller.price, part)}
    value = getattr(seller, name)
    return {"path": path, "value": "unlimited" if math.isinf(value) else value}


def _mechanism(market: Market) -> dict[str, Any]:
    now = getattr(market.mechanism, "kind", "")
    return {"value": now, "options": _options(kinds())}


def _learning(market: Market) -> dict[str, Any]:
    """Return how sellers price: one choice for all of them, "as stated" unless it is changed."""
    named = {getattr(s.pricing, "name", "fixed") for s in market.sellers}
    return {
        "paths": [f"sellers.{s.name}.pricing" for s in market.sellers],
        "value": named.pop() if len(named) == 1 else "",
        "options": _options(STRATEGIES),
    }  # fmt: skip


def _options(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"value": name, "label": name.replace("_", " ")} for name in names]


def _field(
    path: str, label: str, value: Any, steps: tuple[Any, ...], data: Any = None
) -> dict[str, Any]:
    entry = entry_at(steps, data)
    return {
        "path": path, "label": label, "value": value,
        "unit": entry.unit_in_words if entry else "", "range": entry.range if entry else "",
        "help": entry.doc if entry else "",
    }  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
