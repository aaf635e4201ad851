"""From quotes to scores: what each offer on show is worth to one buyer.

Where all buyers of a class agree (constant value, delay cost, deadline and patience) the utility
is kept per class and offer and made anew only when the seller's state has changed; elsewhere the
quote is kept and the utility computed per task, and the law of the wait consulted per task only
if deadlines or patience differ.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import rng
from .jit import compiled, spliced
from .quotes import CROWD, expect, left_of_value
from .rng import hash2
from .rules import (
    expected_refund,
    expected_utility,
    lateness,
    price_of,
    service_rate,
    wait_ahead,
)  # fmt: skip
from .state import (
    AVERAGE,
    CHANGES,
    LOGIT,
    OBSERVED,
    PREEMPTIVE,
    PRIORITY,
    PROMISED,
    SECOND_SCORE,
    State,
)  # fmt: skip
from .tastes import EULER, gumbel, seller_taste
from .workload import DEADLINE, DELAY_COST, PATIENCE, VALUE


@compiled
def level_at(seller: Any, kind: Any) -> int:
    """Return the queue level of a class at a seller: its priority, or 0 under fcfs."""
    if seller["discipline"] == PRIORITY or seller["discipline"] == PREEMPTIVE:
        return int(kind["level"])
    return 0


@compiled
def would_preempt(seller: Any, queues: Any, level: int) -> bool:
    """Return whether a task of this level would push another out of service."""
    if seller["discipline"] != PREEMPTIVE:
        return False
    lower = 0
    for worse in range(level + 1, len(queues)):
        lower += queues[worse]["running"]
    return lower > 0


@compiled
def observe(cell: Any, seller: Any, queues: Any, kind: Any) -> None:
    """Quote from the queue as it stands: mean and variance of the work ahead (economy: quotes)."""
    slots, running = seller["slots"], seller["running"]
    level = level_at(seller, kind)
    cell["chance"], cell["wait"], cell["shape"] = 0.0, 0.0, 1.0
    if running < slots or would_preempt(seller, queues, level):
        crowd = running + 1 if running < slots else running
        cell["rate"], cell["streams"] = service_rate(seller["speed"], seller["kappa"], crowd), crowd
        return
    ahead, spread = 0.0, seller["run_variance"] / running
    for better in range(level + 1):
        ahead += queues[better]["work"]
        spread += queues[better]["variance"]
    rate = service_rate(seller["speed"], seller["kappa"], running)
    wait = wait_ahead(seller["run_work"] / running, ahead, slots, rate)
    cell["chance"], cell["wait"], cell["rate"] = 1.0, wait, rate
    variance = spread / (slots * rate * slots * rate)
    cell["shape"] = wait * wait / variance if variance > 1e-12 * wait * wait else 1e12


@compiled
def recall(cell: Any) -> None:
    """Quote from buyers' experience: how many waited, how long, at what pace they were served.

    The mean wait of those who waited is waiting time over starts: the estimate of an exponential
    mean when some leave before they start (censoring).
    """
    cell["chance"], cell["shape"], cell["wait"] = cell["waited"], 1.0, 0.0
    if cell["waited"] > 0.0:
        starts = cell["started"]
        floor = 0.5 / cell["weight"]
        cell["wait"] = cell["wait_sum"] / (starts if starts > floor else floor)
    cell["rate"] = 1.0 / cell["pace"]


@compiled
def _finish(cell: Any, seller: Any) -> None:
    """Work out the share of the price that is expected to be paid."""
    cell["billed"] = cell["served"] - expected_refund(
        cell["served"], cell["timely"], cell["accuracy"], seller["refund_late"],
        seller["refund_wrong"],
    )  # fmt: skip


@spliced
def _without_wait(st: State, k: int, o: int, deadline: float) -> None:
    """Take the cell's expectations of a free slot from memory, by how many streams would run."""
    cell, kind, seller = st.cells[k, o], st.classes[k], st.sellers[st.offers[o]["seller"]]
    known = st.alone[cell["table"], cell["streams"]]
    if math.isnan(known[0]):
        known[0], known[1], known[2] = left_of_value(
            kind["late_rule"], kind["late_parameter"], deadline - seller["outside"], cell["rate"],
            st.works[k, o], st.grid, st.rows, st.nodes[k, o],
        )  # fmt: skip
    cell["served"], cell["kept"] = 1.0, 1.0
    cell["delta"], cell["used"], cell["timely"] = known[0], known[1], known[2]
    cell["time"] = seller["outside"] + st.works[k, o]["mean"] / cell["rate"]
    _finish(cell, seller)


@spliced
def _by_law(st: State, k: int, o: int, deadline: float, patience: float, own: int) -> None:
    """Work out the cell's expectations for a deadline and patience, the class's or a task's own."""
    cell, kind, seller = st.cells[k, o], st.classes[k], st.sellers[st.offers[o]["seller"]]
    if seller["quote"] == PROMISED:
        promise = seller["promise"]
        delta = lateness(kind["late_rule"], kind["late_parameter"], promise - deadline)
        cell["served"], cell["delta"], cell["kept"] = 1.0, delta, 1.0
        cell["used"] = 1.0 if delta > 0.0 else 0.0
        cell["timely"] = 1.0 if promise <= deadline else 0.0
        cell["time"] = promise
    else:
        promise = seller["promise"] if seller["penalty"] > 0.0 else math.inf
        usual = kind["known"] == 1 and own == 0
        remembered = usual and cell["table"] > 0 and cell["streams"] < CROWD
        if remembered and cell["chance"] == 0.0 and math.isinf(promise):
            _without_wait(st, k, o, deadline)
            return
        reach = cell["reach"] if usual and cell["rate"] == cell["full_rate"] else 0.0
        served, delta, used, timely, time, kept = expect(
            cell["chance"], cell["wait"], cell["shape"], seller["outside"], cell["rate"], patience,
            deadline, kind["late_rule"], kind["late_parameter"], promise, st.works[k, o],
            st.grid, st.rows, st.nodes[k, o], st.waits, st.ahead[cell["table"]], reach,
        )  # fmt: skip
        cell["served"], cell["delta"], cell["used"] = served, delta, used
        cell["timely"], cell["time"], cell["kept"] = timely, time, kept
    _finish(cell, seller)


@compiled
def bid_of(
    cell: Any, seller: Any, ask: float, cost: float, truthful: int, commission: float
) -> float:
    """Return what a seller bids, USD: its posted price, or the price that just covers its cost.

    Truthful: expected cost and penalty over the share of the price that it expects to keep.
    """
    if truthful == 0:
        return ask
    owed = cost * cell["served"] + seller["penalty"] * (cell["served"] - cell["kept"])
    kept = cell["billed"] * (1.0 - commission)
    return owed / kept if kept > 0.0 else cost


@compiled
def worth(
    cell: Any, seller: Any, ask: float, value: float, loss: float, delay_cost: float
) -> float:
    """Return the expected utility of an offer at a given ask, USD, taste apart."""
    paid = ask * cell["billed"] - seller["penalty"] * (cell["served"] - cell["kept"])
    return expected_utility(
        value, loss, delay_cost, cell["accuracy"], cell["delta"], cell["used"], cell["time"], paid
    )


@compiled
def renew(st: State, k: int, o: int) -> None:
    """Make the quote of one offer to one class anew."""
    cell, kind = st.cells[k, o], st.classes[k]
    s = st.offers[o]["seller"]
    seller = st.sellers[s]
    st.stamp[k, o] = st.version[s]
    if seller["listed"] == 0 or seller["down"] > 0 or st.offers[o]["listed"] == 0:
        st.base[k, o] = -math.inf
        return
    if seller["quote"] == OBSERVED:
        observe(cell, seller, st.queues[s], kind)
    elif seller["quote"] == AVERAGE:
        recall(cell)
    st.base[k, o] = 0.0
    if kind["known"] == 0:
        return
    deadline, patience = math.inf, math.inf
    if kind["deadline"] == 1:
        deadline = st.laws[k, DEADLINE]["a"]
    if kind["patience"] == 1:
        patience = deadline
    elif kind["patience"] == 2:
        patience = st.laws[k, PATIENCE]["a"]
    _by_law(st, k, o, deadline, patience, 0)
    if kind["plain"] == 1:
        value = st.laws[k, VALUE]["a"]
        delay = st.laws[k, DELAY_COST]["a"] * (value if kind["delay_share"] == 1 else 1.0)
        ask = cell["ask"]
        if st.clock[0]["mechanism"] == SECOND_SCORE:
            ask = bid_of(cell, seller, ask, cell["cost"], st.clock[0]["bid_cost"],
                         st.clock[0]["commission"])  # fmt: skip
        st.base[k, o] = worth(cell, seller, ask, value, kind["loss"], delay)


@compiled
def note_change(st: State, s: int) -> None:
    """Note that the quotes of a seller may have changed."""
    clock = st.clock[0]
    st.version[s] += 1
    st.changes[clock["changes"] % CHANGES] = s
    clock["changes"] += 1


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
    """Return what serving task i costs offer o, USD."""
    offer, task = st.offers[o], st.tasks[i]
    billed = task["output"] * offer["verbosity"] + offer["thinking"]
    return price_of(offer["cost_task"], offer["cost_in"], offer["cost_out"], task["input"], billed)


@spliced
def ask_for(st: State, k: int, o: int, i: int) -> float:
    """Return the ask that a buyer scores: posted price or bid, of a mean task or of this one."""
    cell, clock = st.cells[k, o], st.clock[0]
    ask, cost = cell["ask"], cell["cost"]
    if clock["exact_price"] == 1:
        ask, cost = tariff(st, o, i), cost_of(st, o, i)
    if clock["mechanism"] == SECOND_SCORE:
        seller = st.sellers[st.offers[o]["seller"]]
        return bid_of(cell, seller, ask, cost, clock["bid_cost"], clock["commission"])
    return ask


@spliced
def utility_for(st: State, k: int, o: int, i: int) -> float:
    """Return the expected utility of an open offer to one task, taste apart."""
    task, kind = st.tasks[i], st.classes[k]
    if kind["known"] == 0 or task["own"] == 1:
        _by_law(st, k, o, task["deadline"], task["patience"], task["own"])
        st.stamp[k, o] = -1  # the next task asks for the class's quote
        note_change(st, st.offers[o]["seller"])
    return worth(
        st.cells[k, o], st.sellers[st.offers[o]["seller"]], ask_for(st, k, o, i), task["value"],
        kind["loss"], task["delay_cost"],
    )  # fmt: skip


@compiled
def catch_up(st: State, k: int) -> None:
    """Make the quotes anew that have changed since the last task of a class.

    Sellers are looked up among the last changes; after too many, every offer is looked at.
    """
    kind, count = st.classes[k], st.clock[0]["changes"]
    since = count - kind["seen"]
    if since > CHANGES or kind["seen"] == 0:
        for j in range(kind["offers"]):
            o = st.menu[k, j]
            if st.stamp[k, o] != st.version[st.seller_of[o]]:
                renew(st, k, o)
    else:
        for change in range(count - since, count):
            s = st.changes[change % CHANGES]
            seller = st.sellers[s]
            for o in range(seller["first"], seller["first"] + seller["offers"]):
                if st.cells[k, o]["serves"] == 1 and st.stamp[k, o] != st.version[s]:
                    renew(st, k, o)
    kind["seen"] = count


@compiled
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
def score_offers(st: State, k: int, i: int) -> int:
    """Fill `st.score` for the offers in `st.shown`; return how many are shown to task i of class k.

    Offers that are off the market are shown with a score of −∞.
    """
    kind = st.classes[k]
    id_ = st.tasks[i]["id"]
    plain = kind["plain"] == 1 and st.tasks[i]["own"] == 0
    logit = kind["choice"] == LOGIT
    scale, nest = kind["scale"], kind["nest"]
    if st.clock[0]["changes"] != kind["seen"]:
        catch_up(st, k)
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
        for j in range(number):
            if score[j] > -math.inf:
                score[j] = utility_for(st, k, shown[j], i)
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
