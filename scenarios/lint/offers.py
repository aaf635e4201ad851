"""Lint of offers and classes: who is dominated, who serves nobody, what can never come in time."""

from __future__ import annotations

import math

from ...market.schema.auctions import bidding_of, bids_posted, sealed
from ...market.schema.bidding import Markup, OpportunityCost
from ...market.schema.demand import Logit
from ...market.schema.entries import Path
from ...market.schema.errors import did_you_mean, shown
from ...market.schema.market import PriceChange
from ...market.schema.negotiation import Negotiation
from ...market.schema.supply import Seller
from ...market.schema.trading import DOUBLE
from ..terms import Term, Terms, highest, latest
from .rules import Found, Rule

_ROUNDING = 1e-9


def dominated_offers(terms: Terms) -> Found:
    """W201: offer j is dominated by i if p_i ≤ p_j, t_i ≤ t_j and a_i ≥ a_j in every class of j.

    p is the expected price, t the time to the answer without queueing, a the quoted accuracy, and
    one of the three is strict in some class. Sellers whose prices move, or who come and go, are
    left out, and so are those with other refunds or promises. Not in double auctions, where whoever
    has capacity sells.
    """
    market = terms.market
    if isinstance(market.mechanism, DOUBLE):
        return
    moving = {e.seller for e in market.events}
    steady = [
        s for s in market.sellers
        if s.pricing is None and s.name not in moving and not (s.enters or s.penalty)
    ]  # fmt: skip
    offers: dict[str, dict[str, Term]] = {}
    for t in terms.all:
        if t.seller in steady and math.isfinite(t.latency):
            offers.setdefault(t.offer, {})[t.task.name] = t
    for name, mine in offers.items():
        for other, theirs in offers.items():
            how = _dominance(terms, mine, theirs) if other != name else ""
            if how:
                seller = next(iter(mine.values())).seller
                path: Path = ("sellers", market.sellers.index(seller))
                text = (
                    f"offer `{name}` is dominated by `{other}` ({how}) for every class it serves; "
                    "only queues or tastes bring it buyers"
                )
                yield "W201", path, text
                break


def _dominance(terms: Terms, mine: dict[str, Term], theirs: dict[str, Term]) -> str:
    """Return how `mine` is worse than `theirs`, empty unless it is nowhere better."""
    how = dict.fromkeys(("dearer", "slower", "less accurate"), False)
    for task, m in mine.items():
        t = theirs.get(task)
        if t is None or _better_terms(m.seller, t.seller):
            return ""
        worse = (asked(terms, m) - asked(terms, t), m.latency - t.latency, t.accuracy - m.accuracy)
        if min(worse) < -_ROUNDING:
            return ""
        for word, by in zip(how, worse, strict=True):
            how[word] |= by > _ROUNDING * max(1e-6, abs(asked(terms, m)))
    return ", ".join(word for word, is_so in how.items() if is_so)


def _better_terms(mine: Seller, theirs: Seller) -> bool:
    return mine.refund_late > theirs.refund_late or mine.refund_wrong > theirs.refund_wrong


def asked(terms: Terms, t: Term) -> float:
    """Return what an offer asks for a mean task, USD: price, or cost where that is the limit.

    In an auction bids are made of it, with a mark-up and the whole margin of a slot that is sure to
    be missed; in talks prices come down to it.
    """
    mechanism, seller = terms.market.mechanism, t.seller
    if isinstance(mechanism, Negotiation):
        return t.cost
    if bids_posted(mechanism, seller):
        return t.price
    auction = sealed(mechanism)
    rule = bidding_of(auction, seller) if auction is not None else None
    if isinstance(rule, Markup):
        return t.cost * (1 + rule.rate)
    if isinstance(rule, OpportunityCost) and math.isinf(rule.load) and math.isfinite(seller.slots):
        return t.cost + rule.margin
    return t.cost


def impossible_deadlines(terms: Terms) -> Found:
    """W202: network + start-up + E[S] > max D (+ grace of a linear lateness) for every offer.

    Of a deadline without bound, its mean.
    """
    for k, task in enumerate(terms.market.tasks):
        if task.deadline is None:
            continue
        mine = [t for t in terms.of_class(task) if math.isfinite(t.latency)]
        fastest = min(mine, key=lambda t: t.latency, default=None)
        due = latest(task)
        if fastest is not None and fastest.latency > due:
            text = (
                f"task class `{task.name}`: no offer can meet the deadline of {due:.4g} s; the "
                f"fastest, `{fastest.offer}`, takes {fastest.latency:.4g} s with nobody waiting"
            )
            yield "W202", ("tasks", k, "deadline"), text


def endless_talks(terms: Terms) -> Found:
    """W251: round_time + network + start-up + E[S] > max D (+ grace) for every offer of a class.

    Even who agrees in the first round has too little time left. Not where W202 says so already.
    """
    mechanism = terms.market.mechanism
    if not isinstance(mechanism, Negotiation):
        return
    for k, task in enumerate(terms.market.tasks):
        times = [t.latency for t in terms.of_class(task) if math.isfinite(t.latency)]
        if task.deadline is None or not times:
            continue
        due = latest(task)
        if min(times) <= due < min(times) + mechanism.round_time:
            text = (
                f"task class `{task.name}`: a round of talks takes {mechanism.round_time:.4g} s "
                f"and the fastest offer {min(times):.4g} s, longer than the deadline of {due:.4g} s"
            )
            yield "W251", ("tasks", k, "deadline"), text


def unserved_classes(terms: Terms) -> Found:
    """W203: no seller has an accuracy or ability for the skill of the class."""
    for k, task in enumerate(terms.market.tasks):
        if not any(s.serves(task.skill) for s in terms.market.sellers):
            text = f"task class `{task.name}`: no seller has the skill `{task.skill}`"
            yield "W203", ("tasks", k), text


def prices_below_cost(terms: Terms) -> Found:
    """W209: expected price of a mean task < its expected marginal cost, where prices are posted."""
    for s, seller in enumerate(terms.market.sellers):
        below = [t for t in terms.of_seller(seller) if t.price < t.cost * (1 - _ROUNDING)]
        posted = bids_posted(terms.market.mechanism, seller)
        if below and posted and seller.pricing is None:
            worst = max(below, key=lambda t: t.cost - t.price)
            text = (
                f"seller `{seller.name}`: price {worst.price:.3g} USD is below unit cost "
                f"{worst.cost:.3g} USD for a mean task of `{worst.task.name}`"
            )
            yield "W209", ("sellers", s, "price"), text


def idle_penalties(terms: Terms) -> Found:
    """W219: penalty > 0 without a promise: nothing can be broken, so it is never paid."""
    for s, seller in enumerate(terms.market.sellers):
        if seller.penalty > 0 and seller.promise is None:
            text = f"seller `{seller.name}` has a penalty but no `promise` that could be broken"
            yield "W219", ("sellers", s, "penalty"), text


def too_many_considered(terms: Terms) -> Found:
    """W211: m offers are shown, fewer serve the class; in double auctions W226 says it all."""
    if isinstance(terms.market.mechanism, DOUBLE):
        return
    for k, task in enumerate(terms.market.tasks):
        offers = len(terms.of_class(task))
        if task.consideration is not None and task.consideration > offers > 0:
            text = (
                f"task class `{task.name}`: buyers consider {task.consideration} offers, but only "
                f"{offers} serve it"
            )
            yield "W211", ("tasks", k, "consideration"), text


def sellers_without_buyers(terms: Terms) -> Found:
    """W213: a · max V < price · (1 − refund) for all its classes, each of which may do without.

    Not for logit buyers, whose tastes have no bound, and not for prices that move.
    """
    moving = {e.seller for e in terms.market.events if isinstance(e, PriceChange)}
    for s, seller in enumerate(terms.market.sellers):
        mine = terms.of_seller(seller)
        asks = seller.pricing is None and seller.name not in moving and not seller.penalty
        if not mine:
            text = f"seller `{seller.name}` can never sell: no task class needs a skill it has"
            yield "W213", ("sellers", s), text
        elif asks and all(_too_dear(terms, t) for t in mine):
            text = f"seller `{seller.name}` can never sell: it asks more than its buyers' values"
            yield "W213", ("sellers", s, "price"), text


def _too_dear(terms: Terms, t: Term) -> bool:
    if isinstance(t.task.choice, Logit) or callable(t.task.choice) or not t.task.outside_option:
        return False
    refund = max(t.seller.refund_late, t.seller.refund_wrong)
    return bool(t.accuracy * highest(t.task.value) < asked(terms, t) * (1 - refund))


def idle_priorities(terms: Terms) -> Found:
    """W214: classes differ in priority, and every seller serves first come, first served."""
    market = terms.market
    levels = {task.priority for task in market.tasks}
    if len(levels) > 1 and all(s.discipline == "fcfs" for s in market.sellers):
        k = next(i for i, task in enumerate(market.tasks) if task.priority)
        yield (
            "W214",
            ("tasks", k, "priority"),
            ("task classes have priorities, but every seller's discipline is fcfs"),
        )


def foreign_catalogue(terms: Terms) -> Found:
    """W217: sellers are said to be of a catalogue that is not here; no figure has a source."""
    name = terms.market.catalogue
    if not name:
        return
    from ...agents.catalogue import catalogues  # reads files: only where it is asked for

    known = catalogues()
    if name not in known:
        hint = did_you_mean(name, known) or f"catalogues: {', '.join(known)}"
        text = f"no catalogue is called {shown(name)}, so the figures have no sources; {hint}"
        yield "W217", ("catalogue",), text


OFFER_RULES: tuple[Rule, ...] = (
    dominated_offers, impossible_deadlines, unserved_classes, prices_below_cost, idle_penalties,
    too_many_considered, sellers_without_buyers, idle_priorities, foreign_catalogue,
    endless_talks,
)  # fmt: skip
