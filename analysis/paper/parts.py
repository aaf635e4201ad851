"""Which code a market uses: the modules and classes whose documentation tells what it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import getmodule
from typing import Any

from ...agents.strategies import STRATEGIES
from ...market.messages import name_of
from ...market.schema.auctions import Procurement, ScoringAuction
from ...market.schema.demand import Logit, TaskClass
from ...market.schema.fields import Spec
from ...market.schema.market import Market, Platform, Quotes
from ...market.schema.negotiation import Negotiation
from ...market.schema.supply import Ability, Seller
from ...market.schema.trading import DOUBLE
from .prose import Work, works


@dataclass(frozen=True)
class Part:
    """Something that a market uses.

    Attributes:
        group: of what it is a part, such as "mechanism" or "pricing".
        title: what it is called.
        of: modules, classes and functions that are documented.
    """

    group: str
    title: str
    of: tuple[object, ...]


def parts_of(market: Market) -> list[Part]:
    """Return what a market uses, once each, in the order of a task's life.

    Example:
        >>> from ...scenarios.load import load
        >>> [part.title for part in parts_of(load("vickrey")) if part.group == "mechanism"]
        ['vickrey', 'bids']
    """
    found = [*_demand(market), *_choice(market), *_mechanism(market), *_supply(market),
             *_agents(market)]  # fmt: skip
    found += [
        Part("scheduling", "order of events", (_module("market.kernel"), _module("market.clock"))),
        Part("money", "the ledger", (_module("market.ledger"),)),
        Part("randomness", "random numbers", (_module("market.rng"),)),
        Part("observation", "means and their errors", (_module("scenarios.estimates"),)),
    ]
    return list({(part.group, part.title): part for part in found}.values())


def literature(market: Market) -> list[Work]:
    """Return the works that the code and the fields which a market uses name as their sources."""
    fields = [TaskClass, Seller, Platform, Quotes]
    documented = [of for part in parts_of(market) for of in part.of]
    return works([*documented, *fields, *_sources(market)])


def _module(name: str) -> object:
    return import_module(f"...{name}", __package__)


def _classes(specs: Iterable[Any]) -> list[type]:
    """Return the classes of specs, each once; functions are left out."""
    return list(dict.fromkeys(type(spec) for spec in specs if isinstance(spec, Spec)))


def _functions(specs: Iterable[Any]) -> list[Any]:
    """Return the Python functions among specs, each once."""
    return list(dict.fromkeys(s for s in specs if callable(s) and not isinstance(s, Spec)))


def _kind(of: Any) -> str:
    field = of.model_fields.get("kind")
    return str(field.default) if field is not None and field.default else str(of.__name__)


def _demand(market: Market) -> Iterator[Part]:
    yield Part("demand", "the workload", (_module("market.workload"),))
    for of in _classes(task.arrivals for task in market.tasks):
        yield Part("demand", f"arrivals: {_kind(of)}", (of,))
    for of in _classes(t.lateness for t in market.tasks if t.deadline is not None):
        yield Part("demand", f"lateness: {_kind(of)}", (of,))


def _choice(market: Market) -> Iterator[Part]:
    yield Part("choice", "what buyers expect", (_module("market.quotes"), _module("market.work")))
    for of in _classes(task.choice for task in market.tasks):
        taste = (_module("market.tastes"),) if of is Logit else ()
        yield Part("choice", f"choice: {_kind(of)}", (of, *taste))
    for function in _functions(task.choice for task in market.tasks):
        yield Part("choice", f"choice: {name_of(function)}", (function,))
    platform = market.platform
    if platform.search_cost > 0:
        yield Part("choice", "search", (_module("market.mechanisms.search"),))
    if market.quotes.accuracy == "rated" or platform.ranking == "rating":
        yield Part("choice", "ratings", (_module("market.mechanisms.rating"),))
    if platform.ranking == "sponsored":
        yield Part("choice", "sponsored positions", (_module("market.mechanisms.sponsored"),))


def _mechanism(market: Market) -> Iterator[Part]:
    rule: Any = market.mechanism
    if isinstance(rule, Negotiation):
        way = _module(f"agents.negotiation.{_kind(type(rule.bargaining))}")
        talks = _module("agents.negotiation.talks")
        yield Part("mechanism", "negotiation", (talks, way))
    elif hasattr(rule, "kind"):
        yield Part("mechanism", rule.kind, (_module(f"market.mechanisms.{rule.kind}"),))
    else:
        yield Part("mechanism", name_of(rule), (rule,))
    if isinstance(rule, Procurement | ScoringAuction):
        rules = _classes([rule.bid, *(s.bidding for s in market.sellers if s.bidding is not None)])
        yield Part("mechanism", "bids", (_module("market.mechanisms.bidding"), *rules))
    if isinstance(rule, DOUBLE):
        traders = _classes([rule.buyers, rule.sellers])
        yield Part("mechanism", "quotes of traders", (_module("market.commodity"), *traders))


def _supply(market: Market) -> Iterator[Part]:
    yield Part("service", "slots and queues", (_module("market.service"),))
    if any(seller.ability for seller in market.sellers):
        yield Part("service", "ability", (Ability,))
    if market.contracts:
        both = (_module("market.contracts"), _module("agents.contracts"))
        yield Part("contracts", "contracts", both)
    for of in _classes(market.events):
        yield Part("events", f"event: {_kind(of)}", (of,))
    if market.catalogue and any(a.error > 0 for s in market.sellers for a in s.ability.values()):
        yield Part("service", "estimated abilities", (_module("agents.catalogue.factors"),))


def _agents(market: Market) -> Iterator[Part]:
    for name in dict.fromkeys(getattr(s.pricing, "name", None) for s in market.sellers):
        if name in STRATEGIES:
            of = STRATEGIES[name]
            yield Part("pricing", name, (getmodule(of), of))
    for spec in dict.fromkeys(s.pricing for s in market.sellers if callable(s.pricing)):
        known = type(spec) in STRATEGIES.values()
        both = (getmodule(type(spec)), type(spec)) if known else (spec,)
        yield Part("pricing", getattr(spec, "strategy", "") or name_of(spec), both)


def _sources(market: Market) -> Iterator[str]:
    """Yield the sources of the fields that a market gives."""
    from ...scenarios.schema import entry_at
    from ..report_tables import leaves

    data = market.model_dump()
    for path, value in leaves(data):
        entry = entry_at(path, data)
        if entry is not None and entry.source and value not in (entry.default, None, {}, ()):
            yield entry.source
