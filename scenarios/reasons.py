"""Why a task went to whom it did, at that price, or to nobody: in words, by what its buyer saw."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..agents.negotiation import Talk
from ..market.messages import Quote, name_of
from ..market.schema.auctions import Procurement, ScoringAuction
from ..market.schema.market import Market
from ..market.schema.negotiation import Concession, Negotiation
from ..market.schema.trading import DOUBLE
from ..market.state import SERVED
from .story import Story, alike, short

_ROUNDED = 0.6e-9  # a price is rounded to whole nano-dollars


def looks(market: Market, story: Story) -> Iterator[tuple[str, str]]:
    """Yield what is looked at, what it turns out to be worth, and why the buyer stops."""
    if not story.order:
        return
    name = "looks"
    for place in story.order[: story.looks]:
        quote = story.quotes[place]
        found = short(quote.utility + quote.taste)
        yield name, f"at {quote.offer}: a taste of {short(quote.taste)} makes it {found}"
        name = ""
    stops = "at all there is"
    if story.looks < len(story.order):
        place = story.order[story.looks]
        next_ = f"the {short(story.reservations[place])} of {story.quotes[place].offer}"
        best = "the best found" if story.best_found > story.outside else "doing without"
        stops = f"no further: {best} is worth no less than {next_}"
    number = "1 look costs" if story.looks == 1 else f"{story.looks} looks cost"
    yield name, f"{stops}; {number} {short(story.row['search'])}"


def talks(market: Market, story: Story) -> Iterator[tuple[str, str]]:
    """Yield what is said to whom, until when, and between which limits they agree, or why not."""
    rounds, left = 0, _heard(market, story)
    for said in story.talks:
        had = min(said.rounds, left - rounds)
        rounds += said.rounds
        cut = rounds > left  # it leaves in the middle of it
        buyer = (had + (market.mechanism.first == "buyer")) // 2  # type: ignore[union-attr]
        sides = (("buyer offers", said.bids[:buyer]), ("seller asks", said.asks[: had - buyer]))
        offers = "; ".join(f"{who} {', '.join(map(short, side))}" for who, side in sides if side)
        until = story.row["finish"] if cut else story.decided + rounds * _round(market)
        told = f"with {said.quote.owner} until {short(until)} s{': ' if offers else ''}{offers}"
        yield "talks", told
        if cut:
            yield "", "in vain: the buyer's patience is over"
            return
        yield "", _outcome(market, said, rounds)


def _round(market: Market) -> float:
    return float(getattr(market.mechanism, "round_time", 0.0))


def _heard(market: Market, story: Story) -> int:
    """Return how many rounds of talks a buyer hears to their end: all, unless it leaves before."""
    number = sum(said.rounds for said in story.talks)
    time = float(story.row["finish"]) - story.decided
    if story.row["offer"] >= 0 or time >= number * _round(market) * (1 - 1e-9):
        return number
    return int(time / _round(market) + 1e-9)


def _outcome(market: Market, said: Talk, rounds: int) -> str:
    """Say what has come of a talk that ended after so many rounds of all talks."""
    terms = said.at(rounds)
    limits = terms and (
        f"its cost is {short(terms.least)}, worth no more than {short(terms.most)} to the buyer"
    )
    if said.price is not None:
        return f"they agree on {short(said.price)}: {limits}"
    if said.rounds == _last_round(market):
        return f"in vain, the last round is over: {limits}"
    return "in vain: a round later there would be nothing left to gain"


def _last_round(market: Market) -> int:
    """Return the round after which the first side breaks off; 0 if none has to."""
    rules = getattr(market.mechanism, "bargaining", None)
    return min(rules.buyer.rounds, rules.seller.rounds) if isinstance(rules, Concession) else 0


def award(market: Market, story: Story) -> Iterator[tuple[str, str]]:
    """Yield what the buyer takes, at what price and why, or why it takes nothing."""
    row = story.row
    if row["offer"] < 0:
        yield "takes", f"nothing{_why_nothing(market, story)}"
        return
    offer = market.offers[int(row["offer"])]
    if isinstance(market.mechanism, DOUBLE):
        tokens = float(row["input"] + row["output"])
        dear = row["status"] == SERVED and tokens > 0.0
        price = f" at {short(row['price'] * 1e-3 / tokens)} per million tokens" if dear else ""
        yield "takes", f"{offer}{price}"
        return
    won = next((q for q in story.quotes if q.offer == offer), None)
    if row["contract"] >= 0:
        offer += f" under {market.contracts[int(row['contract'])].rpartition('/')[2]}"
    yield "takes", f"{offer}{_why(market, story, won) if won is not None else ''}"


def _why_nothing(market: Market, story: Story) -> str:
    """Say why a buyer that saw offers does without."""
    if not story.quotes:
        return ""
    mechanism, row = market.mechanism, story.row
    if callable(mechanism):
        return f": so `{name_of(mechanism)}` decides"
    if isinstance(mechanism, Negotiation):
        if not story.talks:
            return ": no seller can offer more than doing without is worth"
        spent = _talked(market, float(row["delay_cost"]), float(row["finish"]) - story.decided)
        last = story.talks[-1]
        to_the_end = _heard(market, story) == sum(said.rounds for said in story.talks)
        if last.price is not None and to_the_end:
            return f": {last.quote.seller} was off the market when they agreed{spent}"
        return f": no talk has led to an agreement{spent}"
    best, found = max(q.utility for q in story.quotes), "score"
    if story.order:
        if not story.looks:
            return ", without a look"
        best, found = story.best_found, "found"
    if best <= story.outside:
        return f": the best {found}, {short(best)}, is no better than doing without"
    if isinstance(mechanism, Procurement) and mechanism.reserve is not None:
        return (
            f": no bid that beats doing without is within the reserve of {short(mechanism.reserve)}"
        )
    if isinstance(mechanism, ScoringAuction) and mechanism.reserve is not None:
        return f": no score reaches the reserve of {short(mechanism.reserve)}"
    return f": the best {found} is {short(best)}"


def _talked(market: Market, delay_cost: float, time: float) -> str:
    """Say how long talks have taken, and what that has cost the buyer; empty if no time."""
    if _round(market) == 0.0:
        return ""
    cost = delay_cost * time
    return f" in {short(time)} s{f', which cost {short(cost)}' if cost else ''}"


def _why(market: Market, story: Story, won: Quote) -> str:
    """Say what the price agreed, or the score at it, is equal to: that is what set the price."""
    score = float(story.row["utility"]) + story.lost
    if story.order:
        found = short(story.best_found)
        return f" at what it asks: the best found, worth {found}, or {short(score)} less the looks"
    if isinstance(market.mechanism, Negotiation):
        time = sum(said.rounds for said in story.talks) * _round(market)
        spent = _talked(market, float(story.row["delay_cost"]), time)
        price = short(story.talks[-1].price)
        return f" at {price}, as agreed{spent}; its score is then {short(score)}"
    if alike(score, won.utility):
        told = "at what it bids" if story.sealed else "at what it asks"
        return f" {told}; its score stays {short(score)}"
    paid = int(story.row["price"]) * 1e-9 if story.row["status"] == SERVED else math.nan
    if callable(market.mechanism):
        told = "" if math.isnan(paid) else f" at {short(paid)},"
        return f"{told} as agreed, with a score of {short(score)}"
    return _set_by(market, story, won, score, paid)


def _set_by(market: Market, story: Story, won: Quote, score: float, price: float) -> str:
    """Say whose bid or score the price of an auction follows from."""
    reserve = getattr(market.mechanism, "reserve", None)
    others = [q for q in story.quotes if q.owner != won.owner]
    scored = [q.offer for q in others if alike(q.utility, score)]
    bid = [q.offer for q in others if abs(q.ask - price) <= _ROUNDED]
    if scored:
        beat = f"that of {scored[0]}, the best of another owner"
    elif alike(score, story.outside):
        beat = "that of doing without"
    elif alike(score, reserve):
        beat = "the reserve"
    elif bid:
        told = f"at the bid of {bid[0]}, the lowest of another owner"
        return f" {told}, with a score of {short(score)}"
    elif reserve is not None and abs(reserve - price) <= _ROUNDED:
        return f" at the reserve, with a score of {short(score)}"
    else:
        announced = isinstance(market.mechanism, ScoringAuction) and (
            (market.mechanism.linear, market.mechanism.quadratic) != (1.0, 0.0)
        )
        beat = f"as the {'announced scores set' if announced else 'auction sets'} it"
    return f" at a price that takes its score from {short(won.utility)} to {short(score)}, {beat}"
