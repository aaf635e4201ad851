"""Checks across the parts of a scenario, on its raw data, so that all errors come at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from ..market.fields import Spec
from .errors import Problem, did_you_mean, plain, shown
from .faults import Source, from_validation
from .lines import Path
from .schema import Entry, entry_at

Found = Iterator[tuple[Path, Problem]]


def check_contents(source: Source) -> Found:
    """Yield (place, problem): repeated names, events of unknown sellers, promises, strategies."""
    yield from _repeated(source, "tasks")
    yield from _repeated(source, "sellers")
    yield from _events(source)
    yield from _promises(source)
    yield from _strategies(source)


def _tables(source: Source, key: str) -> list[tuple[int, dict[str, Any]]]:
    items = source.data.get(key)
    if not isinstance(items, list):
        return []
    return [(i, item) for i, item in enumerate(items) if isinstance(item, dict)]


def _repeated(source: Source, key: str) -> Found:
    seen = set()
    for i, item in _tables(source, key):
        name = item.get("name")
        if not isinstance(name, str):
            continue
        if name in seen:
            path = (key, i, "name")
            message = f"{shown(name)} is the name of another of the {key}"
            yield path, source.problem("W109", path, message, entry_at(path, source.data))
        seen.add(name)


def _events(source: Source) -> Found:
    sellers = {
        s["name"]: s for _, s in _tables(source, "sellers") if isinstance(s.get("name"), str)
    }
    for i, event in _tables(source, "events"):
        name = event.get("seller")
        if not isinstance(name, str):
            continue
        path: Path = ("events", i, "seller")
        if name not in sellers:
            hint = (
                did_you_mean(name, sellers)
                or f"sellers: {', '.join(plain(s) for s in list(sellers)[:12])}"
            )
            yield (
                path,
                source.problem(
                    "W105", path, f"{shown(name)} is no seller", entry_at(path, source.data), hint
                ),
            )
        elif event.get("kind") == "add_slots" and _endless(sellers[name].get("slots", 1)):
            path = ("events", i, "slots")
            message = f": the slots of {shown(name)} are unlimited already"
            yield path, source.problem("W106", path, message, entry_at(path, source.data))


def _endless(slots: Any) -> bool:
    return slots in ("unlimited", math.inf)


def _promises(source: Source) -> Found:
    if source.at(("quotes", "latency")) != "promised":
        return
    for i, seller in _tables(source, "sellers"):
        if "promise" not in seller:
            path = ("sellers", i, "promise")
            yield path, source.problem(
                "W104", path, "`promise` is missing, and quotes are promised",
                entry_at(path, source.data),
            )  # fmt: skip


def _strategies(source: Source) -> Found:
    """Yield sellers whose pricing names no built-in strategy, or gives it wrong parameters."""
    named = [(i, s["pricing"]) for i, s in _tables(source, "sellers") if s.get("pricing")]
    if not named:
        return
    from ..agents.strategies import STRATEGIES

    for i, pricing in named:
        name = pricing.get("name") if isinstance(pricing, dict) else pricing
        path: Path = ("sellers", i, "pricing")
        if not isinstance(name, str):
            continue
        if name not in STRATEGIES:
            hint = did_you_mean(name, STRATEGIES) or f"strategies: {', '.join(STRATEGIES)}"
            yield path, source.problem("W116", path, f"{shown(name)} is no strategy", None, hint)
            continue
        params = pricing.get("params", {}) if isinstance(pricing, dict) else {}
        if isinstance(params, dict):
            yield from _parameters(source, (*path, "params"), STRATEGIES[name], params)


def _parameters(source: Source, path: Path, strategy: type[Spec], params: dict[str, Any]) -> Found:
    try:
        strategy.model_validate(params)
    except ValidationError as error:
        yield from from_validation(error, source, Entry(path=path, types=(strategy,)), path)
