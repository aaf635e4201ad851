"""Lint of double auctions: sessions that come too late, tiers nobody reaches, quotes that miss."""

from __future__ import annotations

import math

from ...market.schema.demand import TaskClass
from ...market.schema.entries import Path
from ...market.schema.trading import (
    DOUBLE,
    CallMarket,
    ContinuousAuction,
    ZICTrader,
    ZIUTrader,
)
from ..terms import Terms, highest, open_rate
from .rules import Found, Rule

_MOST_SESSIONS = 1e9


def late_sessions(terms: Terms) -> Found:
    """W221: period > min(max patience, max D + grace) of a class: a bid meets one session at most.

    Tasks that come earlier than that before a session have gone when it is held. Or period ≥ until:
    no session is held at all; nor does a continuous auction trade with shouts · until < 2.
    """
    mechanism, until = terms.market.mechanism, terms.market.run.until
    if isinstance(mechanism, ContinuousAuction) and mechanism.shouts * until < 2:
        text = (
            f"with {mechanism.shouts:.3g} shouts a second there are fewer than two in the run of "
            f"{until:.4g} s, one to stand and one to meet it: nobody trades"
        )
        yield "W221", ("mechanism", "shouts"), text
    if not isinstance(mechanism, CallMarket):
        return
    if mechanism.period >= until:
        text = (
            f"the first session would be held after {mechanism.period:.4g} s, and the run ends at "
            f"{until:.4g} s: nobody trades"
        )
        yield "W221", ("mechanism", "period"), text
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


def captive_traders(terms: Terms) -> Found:
    """W224: outside_option = false in a double auction: who finds no price does without even so.

    Such a class bids what an answer is worth to it, the taste for doing without taken as 0.
    """
    if not isinstance(terms.market.mechanism, DOUBLE):
        return
    for k, task in enumerate(terms.market.tasks):
        if not task.outside_option:
            text = (
                f"task class `{task.name}`: with outside_option = false it still does without "
                "where nobody sells at what an answer is worth to it; raise its value to let it "
                "pay more"
            )
            yield "W224", ("tasks", k, "outside_option"), text


def uncovered_promises(terms: Terms) -> Found:
    """W225: refund_late > 0 (and some class has a deadline) or a penalty, in a double auction.

    c = cost / ((1 − commission) · tokens paid for) counts refunds of wrong answers alone: whoever
    asks near its cost sells at a loss where answers are late.
    """
    market = terms.market
    if not isinstance(market.mechanism, DOUBLE):
        return
    due = any(task.deadline is not None for task in market.tasks)
    for s, seller in enumerate(market.sellers):
        named = [
            name for name, owed in (
                ("refund_late", due and seller.refund_late > 0),
                ("penalty", seller.promise is not None and seller.penalty > 0),
            ) if owed
        ]  # fmt: skip
        if named:
            text = (
                f"seller `{seller.name}` pays for late answers ({' and '.join(named)}), but the "
                "cost it quotes from does not count that; add to `cost` what it comes to"
            )
            yield "W225", ("sellers", s, named[0]), text


def unread_list(terms: Terms) -> Found:
    """W226: consideration, sponsor or a ranking in a double auction: a buyer sees no offers there.

    It takes a unit of the tier, whoever delivers; no position is sold or paid for.
    """
    market = terms.market
    if not isinstance(market.mechanism, DOUBLE):
        return
    set_: list[tuple[Path, str]] = []
    if market.platform.ranking != "price":
        set_.append((("platform", "ranking"), "platform.ranking"))
    few = [(k, t.name) for k, t in enumerate(market.tasks) if t.consideration is not None]
    if few:
        set_.append((("tasks", few[0][0], "consideration"), f"consideration of `{few[0][1]}`"))
    paid = [(s, x.name) for s, x in enumerate(market.sellers) if x.sponsor > 0]
    if paid:
        set_.append((("sellers", paid[0][0], "sponsor"), f"sponsor of `{paid[0][1]}`"))
    for path, what in set_:
        text = f"{what} does nothing in {market.mechanism.kind}: no buyer is shown a list of offers"
        yield "W226", path, text


def many_sessions(terms: Terms) -> Found:
    """W227: until / period, or until · shouts, above 10⁹: a quarter of an hour of computing."""
    mechanism, until = terms.market.mechanism, terms.market.run.until
    if isinstance(mechanism, CallMarket):
        count, name = until / mechanism.period, "period"
    elif isinstance(mechanism, ContinuousAuction):
        count, name = until * mechanism.shouts, "shouts"
    else:
        return
    if count > _MOST_SESSIONS:
        text = (
            f"about {count:.1g} {'sessions' if name == 'period' else 'shouts'} in the run; at a "
            f"million a second that takes {count / 3.6e9:,.1f} hours; change mechanism.{name} or "
            "run.until"
        )
        yield "W227", ("mechanism", name), text


def backlogs(terms: Terms) -> Found:
    """W228: Σ λ > shouts / 2, as it takes two to trade, or > Σ slots / period in a call market.

    Bids that nobody gives up pile up then; the others run out of time.
    """
    mechanism = terms.market.mechanism
    if isinstance(mechanism, ContinuousAuction):
        most, name = mechanism.shouts / 2, "shouts"
    elif isinstance(mechanism, CallMarket):
        slots = sum(map(terms.slots, terms.market.sellers))
        most, name = slots / mechanism.period, "period"
    else:
        return
    come = sum(open_rate(task) for task in terms.market.tasks)
    if come > most:
        text = (
            f"{come:.3g} tasks come a second, and mechanism.{name} allows {most:.3g} trades a "
            f"second at most; {1 - most / come:.0%} of bids wait in vain"
        )
        yield "W228", ("mechanism", name), text


TRADING_RULES: tuple[Rule, ...] = (
    late_sessions, empty_tier, quotes_that_miss, captive_traders, uncovered_promises, unread_list,
    many_sessions, backlogs,
)  # fmt: skip
