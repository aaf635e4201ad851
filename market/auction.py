"""An auction with sealed bids for one task: the call, the bids, the winner, its price."""

from __future__ import annotations

import math

from .bids import cost_tail, factor_for, least_at, rival_price
from .choice import base_cost, taste_for, utility_at
from .heaps import schedule
from .jit import inner, spliced
from .mechanisms.bidding import EQUILIBRIUM, RIVAL_NODES
from .mechanisms.first_price import lowest
from .mechanisms.first_score import best_of_owner
from .mechanisms.posted_price import pick
from .mechanisms.second_score import payment, score_to_beat
from .mechanisms.vickrey import ceiling, critical_price, runner_up
from .sampling import upper_quantile
from .state import (
    ARRIVAL,
    CALLING,
    FIRST_PRICE,
    FIRST_SCORE,
    RENEGE,
    SECOND_SCORE,
    VICKREY,
    State,
)
from .worth import announces_truth


@spliced
def call_for_bids(st: State, i: int, now: float) -> bool:
    """Send out the call for a task that comes; return False if there is nothing to wait for.

    The buyer decides when all bids are in, at the latest at the deadline of the call. Bids are of
    that moment: sellers answer for the queue as it is when the call ends.
    """
    task, clock = st.tasks[i], st.clock[0]
    kind = st.classes[task["kind"]]
    if kind["call"] <= 0.0 or task["pinned"] >= 0 or kind["asks"] == 1:
        return False
    task["state"] = CALLING
    clock["calling"] += 1
    node = len(st.sellers) + i
    if task["patience"] < kind["call"]:  # it will not wait so long
        schedule(st.events, st.heap, clock, node, now + task["patience"], RENEGE, task["id"])
    else:
        schedule(st.events, st.heap, clock, node, now + kind["call"], ARRIVAL, task["id"])
    return True


@inner
def shade_prices(st: State, k: int, i: int, count: int, outside: float) -> None:
    """Turn truthful bids into equilibrium bids of a first-price auction.

    b(θ) = E[min(least(T), limit) | T > θ], the limit being the reserve or what the buyer would
    pay at most, whichever is less.
    """
    for j in range(count):
        o = st.shown[j]
        s = st.seller_of[o]
        if st.sellers[s]["bid_rule"] != EQUILIBRIUM or st.score[j] == -math.inf:
            continue
        billed = st.cells[k, o]["billed"]
        limit = ceiling(st.bids[j], st.score[j], outside, billed)
        limit = min(limit, st.clock[0]["reserve"])
        tail = cost_tail(st, s, st.tasks[i]["id"])
        bid = rival_price(st, k, o, base_cost(st, k, o, i), tail, limit)
        if bid > st.bids[j]:
            st.score[j] -= (bid - st.bids[j]) * billed
            st.bids[j] = bid


@inner
def keep_to_worth(st: State, k: int, i: int, count: int, outside: float) -> None:
    """Leave out what a buyer's announced score favours though it would rather do without."""
    id_ = st.tasks[i]["id"]
    for j in range(count):
        o = st.shown[j]
        if st.score[j] > -math.inf:
            liked = utility_at(st, k, o, i, st.bids[j]) + taste_for(st, k, o, id_)
            if liked < outside:
                st.score[j] = -math.inf


@spliced
def leave_out_newcomers(st: State, i: int, count: int) -> None:
    """Leave out who was not on the market when the call went out: its bid is not there yet."""
    if st.tasks[i]["joined"] > st.tasks[i]["time"]:
        for j in range(count):
            if st.sellers[st.seller_of[st.shown[j]]]["opened"] > st.tasks[i]["time"]:
                st.score[j] = -math.inf


@spliced
def could_score(st: State, k: int, i: int, count: int, leader: int, quantile: float) -> float:
    """Return the best score of an owner whose cost factor were that of a tail probability.

    `leader` is the place of one of its offers in `st.shown`; scores are at its least prices.
    """
    owner = st.offers[st.shown[leader]]["owner"]
    id_, best = st.tasks[i]["id"], -math.inf
    for j in range(count):
        o = st.shown[j]
        if st.offers[o]["owner"] != owner or st.score[j] == -math.inf:
            continue
        s = st.seller_of[o]
        own, other = factor_for(st, s, id_), upper_quantile(st.factors[s], st.tables, quantile)
        cost = base_cost(st, k, o, i)
        dearer = least_at(st, k, o, cost, other) - least_at(st, k, o, cost, own)
        best = max(best, st.score[j] - dearer * st.cells[k, o]["billed"])
    return best


@inner
def shade(st: State, k: int, i: int, count: int, floor: float) -> None:
    """Turn truthful bids into equilibrium bids of a first-score auction, one per owner.

    The owner's best offer stays; the buyer is left E[max(k(T), floor) | T > θ] by its price.
    """
    id_ = st.tasks[i]["id"]
    for j in range(count):
        o = st.shown[j]
        s = st.seller_of[o]
        if st.sellers[s]["bid_rule"] != EQUILIBRIUM:
            continue
        if not best_of_owner(st.score, st.shown, count, j, st.offers):
            continue
        tail, left = cost_tail(st, s, id_), 0.0
        for m in range(RIVAL_NODES):
            rival = could_score(st, k, i, count, j, tail * st.rivals[s, 0, m])
            left += st.rivals[s, 1, m] * max(rival, floor)
        billed = st.cells[k, o]["billed"]
        if left < st.score[j] and billed > 0.0:
            st.bids[j] += (st.score[j] - left) / billed
            st.score[j] = left
        for other in range(count):
            if other != j and st.offers[st.shown[other]]["owner"] == st.offers[o]["owner"]:
                st.score[other] = -math.inf


@spliced
def hold(st: State, k: int, i: int, count: int, outside: float) -> tuple[int, float]:
    """Hold the auction for task i of class k among `count` scored bids; return (place, price).

    The place is −1 if nothing acceptable is bid; `outside` is what doing without is worth.
    """
    clock, id_ = st.clock[0], st.tasks[i]["id"]
    mechanism, reserve = clock["mechanism"], clock["reserve"]
    leave_out_newcomers(st, i, count)
    if mechanism == FIRST_PRICE:
        shade_prices(st, k, i, count, outside)
    if mechanism in (FIRST_PRICE, VICKREY):
        place = lowest(st.bids, st.score, st.shown, count, outside, reserve, id_, st.offers)
        if place < 0 or mechanism == FIRST_PRICE:
            return place, (st.bids[place] if place >= 0 else 0.0)
        rival = runner_up(st.bids, st.score, st.shown, count, outside, reserve, place, st.offers)
        billed = st.cells[k, st.shown[place]]["billed"]
        return place, critical_price(
            st.bids[place], st.score[place], billed, outside, rival, reserve
        )
    floor, as_liked = max(outside, reserve), announces_truth(clock)
    if not as_liked:
        keep_to_worth(st, k, i, count, outside)
    limit = math.inf  # with a score of its own a buyer may have to be kept from paying too much
    if mechanism == FIRST_SCORE:
        shade(st, k, i, count, floor)
    place = pick(st.score, st.shown, count, floor, id_, st.offers)
    if place < 0:
        return place, 0.0
    winner, price = st.shown[place], st.bids[place]
    if not as_liked:
        liked = utility_at(st, k, winner, i, price) + taste_for(st, k, winner, id_)
        limit = ceiling(price, liked, outside, st.cells[k, winner]["billed"])
    if mechanism == SECOND_SCORE:
        beat = score_to_beat(st.score, st.shown, count, floor, winner, st.offers)
        if not math.isinf(beat):  # something to beat
            price = payment(price, st.score[place], beat, st.cells[k, winner]["billed"])
    return place, min(price, limit)


@spliced
def left_to_buyer(st: State, k: int, o: int, i: int, price: float) -> float:
    """Return what the buyer expects of an offer at the price agreed, taste and call included."""
    task = st.tasks[i]
    liked = utility_at(st, k, o, i, price) + taste_for(st, k, o, task["id"])
    return liked - task["delay_cost"] * (task["joined"] - task["time"])
