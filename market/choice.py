"""From expectations to scores: what each offer on show is worth to one buyer, taste included."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import rng
from .bids import bid_of, factor_for
from .jit import inner, spliced
from .odds import note_odds, sway
from .outlook import by_law, note_change
from .rng import hash2
from .rules import price_of, work_tokens
from .state import LOGIT, State
from .tastes import EULER, gumbel, seller_taste
from .work import FIXED
from .worth import score_of, worth


@spliced
def tariff(st: State, o: int, i: int) -> float:
    """Return the posted price of the tokens that offer o will bill for task i, USD."""
    offer, task = st.offers[o], st.tasks[i]
    billed = task["output"] * offer["verbosity"] + offer["thinking"]
    return price_of(
        offer["price_task"], offer["price_in"], offer["price_out"], task["input"], billed
    )


@spliced
def cost_of(st: State, o: int, i: int) -> float:
    """Return what serving task i costs offer o, USD, but for the factor that its owner draws."""
    offer, task = st.offers[o], st.tasks[i]
    billed = task["output"] * offer["verbosity"] + offer["thinking"]
    return price_of(offer["cost_task"], offer["cost_in"], offer["cost_out"], task["input"], billed)


@spliced
def work_of(st: State, o: int, i: int) -> float:
    """Return the work of task i at offer o, tokens."""
    offer, task = st.offers[o], st.tasks[i]
    return work_tokens(
        task["input"], task["output"], offer["thinking"], st.sellers[offer["seller"]]["prefill"],
        offer["verbosity"],
    )  # fmt: skip


@spliced
def posted_for(st: State, k: int, o: int, i: int) -> float:
    """Return the posted price that a buyer is told: of a mean task, or of this one."""
    return tariff(st, o, i) if st.clock[0]["exact_price"] == 1 else st.cells[k, o]["ask"]


@spliced
def ask_for(st: State, k: int, o: int, i: int) -> float:
    """Return the ask that a buyer scores: posted price or bid, of a mean task or of this one."""
    ask = posted_for(st, k, o, i)
    if st.clock[0]["sealed"] == 0:
        return ask
    s, id_ = st.seller_of[o], st.tasks[i]["id"]
    return bid_of(st, k, o, ask, base_cost(st, k, o, i), factor_for(st, s, id_))


@spliced
def base_cost(st: State, k: int, o: int, i: int) -> float:
    """Return the cost that a seller bids on, its factor apart: of a mean task, or of this one."""
    return cost_of(st, o, i) if st.clock[0]["exact_price"] == 1 else st.cells[k, o]["cost"]


@spliced
def stands_apart(st: State, k: int, i: int) -> bool:
    """Return whether a task's buyer may expect something else of offers than its class does."""
    own = st.classes[k]["known"] == 0 or st.tasks[i]["own"] == 1
    return own or st.clock[0]["exact_price"] == 1


@spliced
def look_at(st: State, k: int, o: int, i: int) -> None:
    """Let the cell hold what the buyer of a task that stands apart expects of an offer."""
    task, kind = st.tasks[i], st.classes[k]
    apart = task["own"] == 1 or task["pinned"] >= 0  # which is called out for nothing
    gone = task["joined"] - task["time"] if apart else kind["call"]
    deadline, patience = task["deadline"] - gone, max(task["patience"] - gone, 0.0)
    law = told_work(st, o, i) if st.clock[0]["exact_price"] == 1 else st.works[k, o]
    by_law(st, k, o, deadline, patience, False, law)
    if kind["known"] == 1:
        st.stamp[k, o] = -1  # the next task asks for the class's quote
        note_change(st, st.offers[o]["seller"])


@spliced
def utility_at(st: State, k: int, o: int, i: int, ask: float) -> float:
    """Return the expected utility at an ask to task i, whose cell is up to date, taste apart."""
    task = st.tasks[i]
    return worth(
        st.cells[k, o], st.sellers[st.offers[o]["seller"]], ask, task["value"],
        st.classes[k]["loss"], task["delay_cost"],
    )  # fmt: skip


@spliced
def told_work(st: State, o: int, i: int) -> Any:
    """Return the work of task i at an offer as a law: who is told its price knows its tokens."""
    law, work = st.told[0], work_of(st, o, i)
    law["kind"], law["shift"], law["mean"] = FIXED, work, work
    return law


@inner
def show(st: State, k: int, id_: np.uint64) -> int:
    """Put the offers that the platform shows into `st.shown`; return how many."""
    kind = st.classes[k]
    limit = kind["consider"]
    count = 0
    for j in range(kind["offers"]):
        o = st.menu[k, j]
        if st.base[k, o] == -math.inf:
            continue
        if st.clock[0]["ranking"] == 0:
            st.shown[count] = o
            count += 1
            if count == limit:
                break
            continue
        # Random ranking: keep the `limit` offers with the smallest keyed numbers, in order.
        mine = hash2(id_, st.offers[o]["shown_key"])
        place = count if count < limit else limit
        while place > 0 and mine < hash2(id_, st.offers[st.shown[place - 1]]["shown_key"]):
            if place < limit:
                st.shown[place] = st.shown[place - 1]
            place -= 1
        if place < limit:
            st.shown[place] = o
            count = count + 1 if count < limit else limit
    return count


@spliced
def taste_for(st: State, k: int, o: int, id_: np.uint64) -> float:
    """Return the buyer's taste for an offer, USD: μ·(ν·G + ν·ln S − γ), 0 for argmax buyers."""
    kind = st.classes[k]
    if kind["choice"] != LOGIT:
        return 0.0
    shared = 0.0
    if kind["nest"] < 1.0:
        s = st.offers[o]["seller"]
        key = hash2(id_, st.sellers[s]["taste_key"])
        shared = seller_taste(key, kind["nest"], st.stables[k], st.gumbels)
    own = gumbel(hash2(id_, st.offers[o]["taste_key"]), st.gumbels)
    return kind["scale"] * (kind["nest"] * own + shared - EULER)


@spliced
def outside_taste(st: State, k: int, id_: np.uint64) -> float:
    """Return the taste for doing without, USD."""
    kind = st.classes[k]
    if kind["choice"] != LOGIT:
        return 0.0
    return kind["scale"] * (gumbel(hash2(id_, rng.TASTE), st.gumbels) - EULER)


@spliced
def stray(st: State, k: int, i: int, number: int) -> None:
    """Let the buyer of task i score offers as one who deviates from its class's rule.

    It passes over what is shunned and weighs waiting h times: U − (h − 1)·c·E[T].
    """
    task, more = st.tasks[i], st.classes[k]["hurry"] - 1.0
    for j in range(number):
        cell = st.cells[k, st.shown[j]]
        if cell["shunned"] == 1:
            st.score[j] = -math.inf
        elif more != 0.0:
            st.score[j] -= more * task["delay_cost"] * cell["time"]


@spliced
def before_tastes(st: State, k: int, i: int, number: int) -> None:
    """Let a buyer who deviates score anew; note what is wanted of the choice to be made."""
    kind = st.classes[k]
    if kind["strays"] == 1 and hash2(st.tasks[i]["id"], rng.ROW) <= kind["share"]:
        stray(st, k, i, number)
    if st.clock[0]["odds"] == 1 and kind["choice"] == LOGIT:
        note_odds(st, k, number)
        if kind["ways"] > 0 and hash2(st.tasks[i]["id"], rng.ROW) <= kind["share"]:
            sway(st, k, i, number)


@spliced
def score_offers(st: State, k: int, i: int) -> int:
    """Fill `st.score` for the offers in `st.shown`; return how many are shown to task i of class k.

    Quotes must be up to date. Where sellers bid, `st.bids` is filled too. Offers that are off the
    market are shown with a score of −∞. Where looking costs, the buyer does not know its tastes
    yet, and scores are without them.
    """
    kind = st.classes[k]
    id_ = st.tasks[i]["id"]
    plain = kind["plain"] == 1 and st.tasks[i]["own"] == 0
    logit = kind["choice"] == LOGIT and st.clock[0]["search_cost"] == 0.0
    scale, nest = kind["scale"], kind["nest"]
    number = kind["offers"]
    shown, score, base, gumbels = st.shown, st.score, st.base[k], st.gumbels
    if kind["consider"] > 0:
        number = show(st, k, id_)
    else:
        for j in range(number):
            shown[j] = st.menu[k, j]
    for j in range(number):
        score[j] = base[shown[j]]
    if not plain:
        value, delay_cost = st.tasks[i]["value"], st.tasks[i]["delay_cost"]
        apart, sealed = stands_apart(st, k, i), st.clock[0]["sealed"] == 1
        for j in range(number):
            if score[j] > -math.inf:
                if apart:
                    look_at(st, k, shown[j], i)
                ask = ask_for(st, k, shown[j], i)
                if sealed:
                    st.bids[j] = ask
                score[j] = score_of(st, k, shown[j], ask, value, delay_cost)
    elif st.clock[0]["sealed"] == 1:
        for j in range(number):
            st.bids[j] = st.cells[k, shown[j]]["bid"]
    before_tastes(st, k, i, number)
    if logit and nest == 1.0:
        for j in range(number):
            own = gumbel(hash2(id_, st.taste_keys[shown[j]]), gumbels)
            score[j] += scale * (own - EULER)
    elif logit:
        last, shared = -1, 0.0
        for j in range(number):
            o = shown[j]
            if st.seller_of[o] != last:
                last = st.seller_of[o]
                key = hash2(id_, st.sellers[last]["taste_key"])
                shared = seller_taste(key, nest, st.stables[k], gumbels)
            own = gumbel(hash2(id_, st.taste_keys[o]), gumbels)
            score[j] += scale * (nest * own + shared - EULER)
    return number
