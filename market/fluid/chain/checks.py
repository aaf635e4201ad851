"""Which markets have an exact chain: all that is in the way of one, field by field."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...schema.arrivals import Poisson
from ...schema.demand import Argmax, Logit, TaskClass
from ...schema.distributions import Constant, Exponential, Quantiles, ShareOfValue
from ...schema.errors import BadInputError, Problem
from ...schema.market import Market, PostedPrice
from ...schema.supply import Seller
from ...state import State
from ...work import EXPONENTIAL
from .draws import drawn

_NOT = "the exact chain does not cover this"


def refuse(market: Market, st: State) -> None:
    """Raise an error that names all fields which leave a market without an exact chain.

    Raises:
        BadInputError: there is one.
    """
    problems = [*_whole(market)]
    for k, task in enumerate(market.tasks):
        problems += _of_class(task, k, market, st)
    if not problems:
        for s, seller in enumerate(market.sellers):
            problems += _of_seller(seller, s, market, st)
    if problems:
        raise BadInputError(problems)


def problem(field: str, why: str, allowed: str) -> Problem:
    """Return one reason why there is no exact chain."""
    return Problem("W105", f"{_NOT}: {why}", field=field, allowed=allowed)


def shares_speed(seller: Seller) -> bool:
    """Return whether how fast a task is served depends on who comes while it is."""
    return seller.slots > 1 and not math.isinf(seller.kappa)


def visitors(s: int, market: Market, st: State) -> list[int]:
    """Return the classes that a seller serves."""
    return [k for k in range(len(market.tasks)) if st.cells[k, st.seller_of == s]["serves"].any()]


def _whole(market: Market) -> Iterator[Problem]:
    if not isinstance(market.mechanism, PostedPrice):
        name = getattr(market.mechanism, "kind", "a Python function")
        yield problem("mechanism", f"prices are made by {name}", "posted_price")
    quotes, platform = market.quotes, market.platform
    if quotes.latency != "observed":
        yield problem("quotes.latency", f"quotes are {quotes.latency}", "observed")
    if quotes.price == "exact":
        yield problem("quotes.price", "buyers know their tokens", "expected")
    if quotes.accuracy == "rated":
        yield problem("quotes.accuracy", "ratings keep moving", "true, claimed")
    if platform.search_cost > 0:
        yield problem("platform.search_cost", "looking costs", "0")
    shown = [t.consideration for t in market.tasks if t.consideration is not None]
    if platform.ranking not in {"price", "accuracy"} and min(shown, default=1000) < len(
        market.offers
    ):
        told = f"the ranking is {platform.ranking}, and not all offers are shown"
        yield problem("platform.ranking", told, "price, accuracy")
    if market.events:
        yield problem("events", "the market changes at set times", "none")
    for seller in market.sellers:
        if seller.enters > 0:
            yield problem(f"sellers.{seller.name}.enters", "it opens later", "0 s")
        if seller.contracts:
            yield problem(f"sellers.{seller.name}.contracts", "it offers contracts", "none")


def _of_class(task: TaskClass, k: int, market: Market, st: State) -> Iterator[Problem]:
    place = f"tasks.{task.name}"
    if not isinstance(task.arrivals, Poisson):
        yield problem(f"{place}.arrivals", f"arrivals are {task.arrivals.kind}", "poisson")
    if not isinstance(task.choice, (Argmax, Logit)):
        yield problem(f"{place}.choice", "it is a Python function", "argmax, logit")
    several = drawn(task)
    if isinstance(task.choice, Argmax) and (len(several) > 1 or several == ["deadline"]):
        told = f"argmax buyers differ in {' and '.join(several)}"
        yield problem(f"{place}.{several[-1]}", told, "drawn: value or delay_cost alone")
    elif isinstance(task.choice, Argmax) and several:
        law = getattr(task, several[0])
        if isinstance(law, Quantiles) and len(set(law.values)) < len(law.values):
            told = "its law has steps, at which argmax buyers may be indifferent"
            yield problem(f"{place}.{several[0]}", told, "values that rise")
    yield from _patience(task, k, market, st)
    for o, name in enumerate(market.offers):
        if not st.cells[k, o]["serves"]:
            continue
        law = st.works[k, o]
        if law["kind"] != EXPONENTIAL or law["shift"] != 0.0:
            told = f"work at {name} is not exponential, thinking tokens included"
            yield problem(f"{place}.output_tokens", told, "exponential; no fixed part")
            break


def _patience(task: TaskClass, k: int, market: Market, st: State) -> Iterator[Problem]:
    place = f"tasks.{task.name}.patience"
    if task.patience.kind == "none":
        return
    if not isinstance(task.patience, Exponential):
        yield problem(place, f"patience is {task.patience.kind}", "none, exponential")
    elif task.outside_option or st.cells[k]["serves"].sum() > 1:
        told = "who knows its own patience chooses by it, and those in the queue are a selection"
        yield problem(place, told, "none, or of captive buyers with a single offer")
    elif task.deadline is not None:
        yield problem(f"tasks.{task.name}.deadline", "there is patience, too", "none")


def _of_seller(seller: Seller, s: int, market: Market, st: State) -> Iterator[Problem]:
    classes = visitors(s, market, st)
    tasks = [market.tasks[k] for k in classes]
    mine = st.seller_of == s
    place = f"sellers.{seller.name}"
    means = {round(float(x), 12) for k in classes for x in st.works[k, mine]["mean"]}
    if len(means) > 1:
        told = f"tasks there differ in mean work: {', '.join(f'{x:g}' for x in sorted(means))}"
        yield problem(f"tasks.{tasks[-1].name}.output_tokens", told, "the same mean at a seller")
    if seller.discipline != "fcfs" and len({t.priority for t in tasks}) > 1:
        yield problem(f"{place}.discipline", "classes differ in priority", "fcfs")
    patience = {t.patience for t in tasks}
    if len(patience) > 1:
        told = "classes there differ in patience"
        yield problem(f"tasks.{tasks[-1].name}.patience", told, "the same for all at a seller")
    if shares_speed(seller):
        yield from _on_average(seller, tasks)
    leaves = any(t.patience.kind != "none" for t in tasks)
    if seller.penalty > 0 and seller.promise is not None and (shares_speed(seller) or leaves):
        yield problem(f"{place}.penalty", "how late answers are is not known there", "0")


def _on_average(seller: Seller, tasks: list[TaskClass]) -> Iterator[Problem]:
    """Yield what needs more than the mean time at a seller whose streams share its speed."""
    if len(tasks) > 1:
        told = "several classes share its speed, and only their mean time together is known"
        yield problem(f"sellers.{seller.name}.kappa", told, "unlimited, or one class or slot")
    for task in tasks:
        if task.deadline is not None:
            told = f"the streams of {seller.name} share its speed, and who is late is not known"
            yield problem(f"tasks.{task.name}.deadline", told, "none")
        cost = task.value if isinstance(task.delay_cost, ShareOfValue) else task.delay_cost
        if not isinstance(cost, Constant):
            told = f"it is drawn, and the streams of {seller.name} share its speed"
            yield problem(f"tasks.{task.name}.delay_cost", told, "constant")
