"""Lint of the platform: rankings, positions, ratings and looks that do nothing, or too much."""

from __future__ import annotations

import math

from ...market.schema.auctions import bids_posted
from ...market.schema.demand import Argmax, Logit, TaskClass
from ...market.schema.entries import Path
from ...market.schema.market import PriceChange
from ...market.schema.trading import DOUBLE
from ..terms import Term, Terms, highest
from .rules import Found, Rule

_MOST_RANKINGS = 1e6
_NEGLIGIBLE = 1e-3
_EULER = 0.5772156649015329


def shows_a_few(terms: Terms, task: TaskClass) -> bool:
    """Return whether buyers of a class see fewer offers than serve it."""
    return task.consideration is not None and task.consideration < len(terms.of_class(task))


def unnoticed_ranking(terms: Terms) -> Found:
    """W241: ranked by rating or by bids for position, and every class considers all its offers.

    Not in double auctions, where W226 says it all.
    """
    ranking = terms.market.platform.ranking
    if ranking not in ("rating", "sponsored") or isinstance(terms.market.mechanism, DOUBLE):
        return
    if not any(shows_a_few(terms, task) for task in terms.market.tasks):
        text = (
            f"ranking `{ranking}` changes nothing: buyers of every class see all its offers; give "
            "a class a `consideration` below their number"
        )
        yield "W241", ("platform", "ranking"), text


def idle_bids(terms: Terms) -> Found:
    """W242: sponsor > 0 where `platform.ranking` is not sponsored: nobody reads the bid.

    Not in double auctions, where W226 says it all.
    """
    market = terms.market
    if market.platform.ranking == "sponsored" or isinstance(market.mechanism, DOUBLE):
        return
    for s, seller in enumerate(market.sellers):
        if seller.sponsor > 0:
            text = (
                f"seller `{seller.name}` bids for position, but offers are ranked by "
                f"{market.platform.ranking}"
            )
            yield "W242", ("sellers", s, "sponsor"), text


def dear_positions(terms: Terms) -> Found:
    """W243: sponsor > price · (1 − commission) − cost of a mean task, for every class it serves.

    The next bid may be lower; yet to pay more than a sale earns is never worth a position. Not
    for prices that move, nor where bids cover the cost, advertising included.
    """
    market = terms.market
    moving = {e.seller for e in market.events if isinstance(e, PriceChange)}
    for s, seller in enumerate(market.sellers):
        mine = terms.of_seller(seller)
        steady = seller.pricing is None and seller.name not in moving
        if not (mine and steady and seller.sponsor > 0 and bids_posted(market.mechanism, seller)):
            continue
        keep = 1.0 - market.platform.commission
        earns = max(t.price * keep - t.cost for t in mine)
        if seller.sponsor > earns:
            text = (
                f"seller `{seller.name}` bids {seller.sponsor:.3g} USD for position; its best sale "
                f"earns {earns:.3g} USD"
            )
            yield "W243", ("sellers", s, "sponsor"), text


def hopeless_search(terms: Terms) -> Found:
    """W244: the best offer is hardly ever worth a look: Pr(z > outside option) < 1/1000.

    z = U + μζ with U ≤ a · max V − price · (1 − refund) of the best offer; the outside option is
    worth 0 to argmax buyers, μ(G − γ) to logit buyers: Pr = exp(−e^(−(z/μ + γ))).
    """
    cost = terms.market.platform.search_cost
    if cost == 0:
        return
    for task in terms.market.tasks:
        mine = terms.of_class(task)
        if not (mine and task.outside_option):
            continue
        best = max(_most(t) for t in mine)
        if _looking(task, best, cost) < _NEGLIGIBLE:
            text = (
                f"task class `{task.name}`: a look costs {cost:.3g} USD, the best offer is worth "
                f"{best:.3g} USD at most, so nobody looks"
            )
            yield "W244", ("platform", "search_cost"), text


def _most(t: Term) -> float:
    refund = max(t.seller.refund_late, t.seller.refund_wrong)
    fine = t.seller.penalty if t.seller.promise is not None else 0.0
    return t.accuracy * highest(t.task.value) - t.price * (1 - refund) + fine


def _looking(task: TaskClass, best: float, cost: float) -> float:
    """Return the chance that a buyer looks at anything, at most."""
    if isinstance(task.choice, Argmax):
        return float(best > cost)
    if not isinstance(task.choice, Logit) or math.isinf(best):
        return 1.0
    from ...market.mechanisms.search import reservation  # needs the compiler's modules

    reserve = (best + reservation(cost, task.choice.scale)) / task.choice.scale
    return math.exp(-math.exp(min(-(reserve + _EULER), 700.0)))


def stale_ranking(terms: Terms) -> Found:
    """W245 and W246: rerank_every ≥ until, so offers stay ranked by claims; or until / it > 10⁶."""
    platform, until = terms.market.platform, terms.market.run.until
    if platform.ranking != "rating":
        return
    path: Path = ("platform", "rerank_every")
    if platform.rerank_every >= until:
        text = (
            f"offers are ranked anew every {platform.rerank_every:.4g} s, but the run ends at "
            f"{until:.4g} s: they stay in the order of their claims"
        )
        yield "W245", path, text
    elif until / platform.rerank_every > _MOST_RANKINGS:
        count = until / platform.rerank_every
        text = (
            f"ranking every {platform.rerank_every:.3g} s means {count:.1g} rankings in the run; "
            f"at 10,000 a second they take {count / 3.6e7:.3g} hours"
        )
        yield "W246", path, text


def hasty_ratings(terms: Terms) -> Found:
    """W247: rating_prior < 1 where ratings count: one wrong answer halves a rating, or worse.

    (prior · claim) / (prior + 1) < claim / 2. Who is not bought again is not rated again, so such
    an offer may never come back.
    """
    market = terms.market
    used = market.platform.ranking == "rating" or market.quotes.accuracy == "rated"
    if used and market.platform.rating_prior < 1:
        text = (
            f"with a rating_prior of {market.platform.rating_prior:.3g} answers the first wrong "
            "answer takes a rating below half the claim, and who is not bought is not rated again"
        )
        yield "W247", ("platform", "rating_prior"), text


PLATFORM_RULES: tuple[Rule, ...] = (
    unnoticed_ranking, idle_bids, dear_positions, hopeless_search, stale_ranking, hasty_ratings,
)  # fmt: skip
