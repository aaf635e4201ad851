"""Checks of a scenario's raw data: values that no field takes, parts that do not fit together.

They come before the spec is made, so that all errors are told at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from pydantic import ValidationError

from ..market.schema.entries import Entry, Path
from ..market.schema.errors import Problem, did_you_mean, plain, shown
from ..market.schema.faults import Source, from_validation
from ..market.schema.fields import Spec
from .lines import MAX_DEPTH
from .schema import entry_at

Found = Iterator[tuple[Path, Problem]]
_MAY_BE_ENDLESS = ("slots", "kappa", "prefill_rate")


def check_contents(source: Source) -> Found:
    """Yield (place, problem): names, events of unknown sellers, promises, strategies, contracts."""
    yield from _repeated(source, "tasks")
    yield from _repeated(source, "sellers")
    yield from _events(source)
    yield from _promises(source)
    yield from _strategies(source)
    yield from _contracts(source)


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
    if source.at(("mechanism", "promise")) == "bid":
        return  # then they promise with each bid
    for i, seller in _tables(source, "sellers"):
        if "promise" not in seller:
            path = ("sellers", i, "promise")
            yield path, source.problem(
                "W104", path, "`promise` is missing, and quotes are promised",
                entry_at(path, source.data),
            )  # fmt: skip


def _contracts(source: Source) -> Found:
    """Yield contracts beside another mechanism, and levels that average quotes do not tell."""
    mechanism = source.at(("mechanism",))
    kind = mechanism.get("kind") if isinstance(mechanism, dict) else mechanism
    known = entry_at(("mechanism",))
    other = (
        isinstance(kind, str) and known is not None and kind in {*known.kinds} - {"posted_price"}
    )
    average = source.at(("quotes", "latency")) == "average"
    for i, seller in _tables(source, "sellers"):
        contracts = seller.get("contracts")
        for name, terms in contracts.items() if isinstance(contracts, dict) else ():
            path: Path = ("sellers", i, "contracts", name)
            if other:
                message = (
                    f": {shown(name)} changes a posted price, which {shown(kind)} does not use"
                )
                yield path, source.problem("W106", path, message)
            elif average and isinstance(terms, dict) and "level" in terms and "within" not in terms:
                path = (*path, "level")
                message = ": average quotes tell no levels apart; make quotes observed or promised"
                yield path, source.problem("W106", path, message)


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


# --- values no field takes ---------------------------------------------------------------------


def impossible_values(source: Source) -> Iterator[tuple[Path, Problem]]:
    """Yield every value that no field takes: not finite, beyond 64 bits, a date, too deep."""
    stack: list[tuple[Path, Any]] = [((), source.data)]
    while stack:
        path, value = stack.pop()
        if len(path) > MAX_DEPTH:
            yield (
                path,
                source.problem("W114", path[:8], f"nested more than {MAX_DEPTH} levels deep"),
            )
        elif isinstance(value, dict):
            stack += [((*path, key), inner) for key, inner in value.items()]
            yield from _impossible_keys(source, path, value)
        elif isinstance(value, list):
            stack += [((*path, i), inner) for i, inner in enumerate(value)]
        else:
            code, message = _impossible(value, path)
            entry = entry_at(path, source.data) if message else None
            if entry is not None:  # else the key is unknown, which is said elsewhere
                yield path, source.problem(code, path, message, entry)


def _impossible_keys(
    source: Source, path: Path, table: dict[str, Any]
) -> Iterator[tuple[Path, Problem]]:
    for key in table:
        if not key.isprintable():
            yield (
                (*path, key),
                source.problem("W101", (*path, key), f"`{plain(key)}` holds control characters"),
            )


def _impossible(value: Any, path: Path) -> tuple[str, str]:
    if isinstance(value, float) and not math.isfinite(value):
        endless = len(path) == 3 and path[0] == "sellers" and path[2] in _MAY_BE_ENDLESS
        return ("", "") if endless and value > 0 else ("W108", f"{value} is not a finite number")
    if isinstance(value, int) and value.bit_length() > 63:
        return "W103", f"{shown(value)} is beyond 64 bits"
    if isinstance(value, (date, datetime, time)):
        return "W102", f"{value} is a date or time of day; times count in seconds from the start"
    if isinstance(value, str) and "\0" in value:
        return "W102", f"{shown(value)} holds a NUL character"
    return "", ""
