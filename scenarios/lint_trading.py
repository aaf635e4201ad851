"""Lint of double auctions: sessions that come too late, tiers nobody reaches, quotes that miss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ..market.schema.demand import TaskClass
from ..market.schema.entries import Path
from ..market.schema.trading import DOUBLE, CallMarket, ZICTrader, ZIUTrader
from .terms import Terms, highest

Found = Iterator[tuple[str, Path, str]]


def late_sessions(terms: Terms) -> Found:
    """W221: period > min(max patience, max D + grace) of a class: a bid meets one session at most.

    Tasks that come earlier than that before a session have gone when it is held.
    """
    mechanism = terms.market.mechanism
    if not isinstance(mechanism, CallMarket):
        return
    for k, task in enumerate(terms.market.tasks):
        life = longest_wait(task)
        if life < mechanism.period:
            text = (
                f"task class `{task.name}`: a bid waits {life:.4g} s at most, and sessions are "
                f"{mechanism.period:.4g} s apart; about {1 - life / mechanism.period:.0%} of its "
                "tasks meet none"
            )
            yield "W221", ("tasks", k), text


def longest_wait(task: TaskClass) -> float:
    """Return how long a bid of a class waits at most, s."""
    due = math.inf
    if task.deadline is not None and task.lateness.kind != "halflife":
        due = highest(task.deadline) + getattr(task.lateness, "grace", 0.0)
    if task.patience.kind == "none":
        return due
    if task.patience.kind == "deadline":
        return min(due, highest(task.deadline))
    return min(due, highest(task.patience))


def empty_tier(terms: Terms) -> Found:
    """W222: no offer serves every class with an accuracy, as quoted, of least_accuracy or more."""
    market = terms.market
    if not isinstance(market.mechanism, DOUBLE):
        return
    least = market.mechanism.least_accuracy
    reached = 0.0
    for offer in market.offers:
        mine = [t.accuracy for t in terms.all if t.offer == offer]
        if len(mine) == len(market.tasks):
            reached = max(reached, min(mine))
            if reached >= least:
                return
    text = (
        f"no offer has an accuracy of {least:.4g} or more in every task class, so nothing is for "
        f"sale; the best has {reached:.4g}"
    )
    yield "W222", ("mechanism", "least_accuracy"), text


def quotes_that_miss(terms: Terms) -> Found:
    """W223: buyers' highest quote < sellers' lowest, where both quote within given ranges."""
    mechanism = terms.market.mechanism
    if not isinstance(mechanism, DOUBLE):
        return
    buyers, sellers = mechanism.buyers, mechanism.sellers
    ranges = (ZIUTrader, ZICTrader)
    if isinstance(buyers, ranges) and isinstance(sellers, ranges) and buyers.high < sellers.low:
        text = (
            f"buyers quote up to {buyers.high:.4g} USD/Mtok, sellers {sellers.low:.4g} and more: "
            "nobody can trade"
        )
        yield "W223", ("mechanism", "buyers"), text


TRADING_RULES: tuple[Callable[[Terms], Found], ...] = (
    late_sessions, empty_tier, quotes_that_miss,
)  # fmt: skip
