"""What buyers of each class expect of each offer, kept up to date as sellers' queues change.

Where all buyers of a class agree (constant value, delay cost, deadline and patience) the utility
is kept per class and offer and made anew only when the seller's state has changed; elsewhere the
quote is kept, or only the law of the wait if deadlines or patience differ.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bids import bid_of
from .jit import compiled, inner, spliced
from .mechanisms.bidding import OPPORTUNITY
from .promises import choose_promise, take_promise
from .quotes import expect, timely_work
from .rules import (
    service_rate,
    wait_ahead,
)
from .state import (
    AVERAGE,
    CHANGES,
    CROWD,
    OBSERVED,
    PREEMPTIVE,
    PRIORITY,
    PROMISED,
    State,
)  # fmt: skip
from .workload import DEADLINE, DELAY_COST, PATIENCE, VALUE
from .worth import bill, score_of


@inner
def level_at(seller: Any, kind: Any) -> int:
    """Return the queue level of a class at a seller: its priority, or 0 under fcfs."""
    if seller["discipline"] == PRIORITY or seller["discipline"] == PREEMPTIVE:
        return int(kind["level"])
    return 0


@inner
def would_preempt(seller: Any, queues: Any, level: int) -> bool:
    """Return whether a task of this level would push another out of service."""
    if seller["discipline"] != PREEMPTIVE:
        return False
    lower = 0
    for worse in range(level + 1, len(queues)):
        lower += queues[worse]["running"]
    return lower > 0


@inner
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


@spliced
def by_law(
    st: State, k: int, o: int, deadline: float, patience: float, usual: bool, law: Any
) -> None:
    """Work out the cell's expectations for a deadline, a patience and a law of the work.

    `usual` says that they are those of all tasks of the class.
    """
    cell, kind, seller = st.cells[k, o], st.classes[k], st.sellers[st.offers[o]["seller"]]
    if seller["quote"] == PROMISED:
        if st.clock[0]["choose_promise"] == 1:
            choose_promise(st, k, o, deadline, patience, law)
        else:
            take_promise(st, k, o, deadline, patience, law, seller["promise"])
    else:
        early = 0.0
        promise = seller["promise"] if seller["penalty"] > 0.0 else math.inf
        reach = cell["reach"] if usual and cell["rate"] == cell["full_rate"] else 0.0
        served, delta, used, timely, time, kept = expect(
            cell["chance"], cell["wait"], cell["shape"], seller["outside"], cell["rate"], patience,
            deadline, kind["late_rule"], kind["late_parameter"], promise, law, st.rows,
            st.nodes[k, o], st.waits, st.ahead[cell["table"]], reach,
        )  # fmt: skip
        cell["served"], cell["delta"], cell["used"] = served, delta, used
        cell["timely"], cell["time"], cell["kept"] = timely, time, kept
        if seller["refund_late"] > 0.0 and cell["slope"] != 0.0 and deadline < math.inf:
            early = timely_work(
                cell["chance"], cell["wait"], cell["shape"], deadline - seller["outside"],
                cell["rate"], patience, law, st.rows, st.waits,
            ) - law["mean"] * timely  # fmt: skip
        bill(cell, seller, early)


@inner
def remember_alone(known: NDArray[np.float64], cell: Any, base: float) -> None:
    """Keep what is expected of a free slot and its utility: one row of `st.alone`."""
    known[0], known[1], known[2], known[3] = base, cell["delta"], cell["used"], cell["timely"]
    known[4], known[5], known[6] = cell["time"], cell["kept"], cell["billed"]
    known[7], known[8] = cell["tilt"], cell["bid"]


@inner
def recall_alone(known: NDArray[np.float64], cell: Any) -> None:
    """Take what is expected of a free slot from memory."""
    cell["served"] = 1.0
    cell["delta"], cell["used"], cell["timely"] = known[1], known[2], known[3]
    cell["time"], cell["kept"], cell["billed"] = known[4], known[5], known[6]
    cell["tilt"], cell["bid"] = known[7], known[8]


@spliced
def base_of(st: State, k: int, o: int) -> float:
    """Return the utility of an offer where all buyers of the class agree on it, else 0.

    An offer that bids for no task of the class is off the market.
    """
    cell, kind = st.cells[k, o], st.classes[k]
    ask = cell["ask"]
    if st.clock[0]["sealed"] == 1:
        ask = bid_of(st, k, o, ask, cell["cost"], st.sellers[st.offers[o]["seller"]]["factor"])
        cell["bid"] = ask
    if kind["plain"] == 0:
        return -math.inf if ask == math.inf else 0.0
    value = st.laws[k, VALUE]["a"]
    delay = st.laws[k, DELAY_COST]["a"] * (value if kind["delay_share"] == 1 else 1.0)
    return score_of(st, k, o, ask, value, delay)


@spliced
def is_open(st: State, o: int) -> bool:
    """Return whether an offer is on the market; whose bids always come too late is not."""
    seller = st.sellers[st.offers[o]["seller"]]
    on_sale = seller["listed"] == 1 and seller["down"] == 0 and seller["silent"] == 0
    return on_sale and st.offers[o]["listed"] == 1


@spliced
def sees_queue(st: State, s: int) -> bool:
    """Return whether quotes of a seller follow its queue: buyers', or its own in an auction."""
    quote = st.sellers[s]["quote"]
    return quote == OBSERVED or (quote == PROMISED and st.clock[0]["sealed"] == 1)


@spliced
def counts_slots(st: State, s: int) -> bool:
    """Return whether a seller's bids depend on how many of its slots are taken."""
    return st.sellers[s]["bid_rule"] == OPPORTUNITY


@spliced
def renew(st: State, k: int, o: int) -> None:
    """Make the quote of one offer to one class anew.

    What a free slot promises depends on prices and on how many share the speed alone; it is
    worked out once for each number of them and forgotten when a price changes (`menu.set_asks`).
    """
    cell, kind = st.cells[k, o], st.classes[k]
    s = st.offers[o]["seller"]
    seller = st.sellers[s]
    st.stamp[k, o] = st.version[s]
    if not is_open(st, o):
        st.base[k, o] = -math.inf
        return
    alone = False
    if seller["quote"] == AVERAGE:
        recall(cell)
    elif sees_queue(st, s):
        observe(cell, seller, st.queues[s], kind)
        alone = cell["chance"] == 0.0 and cell["streams"] < CROWD and seller["quote"] == OBSERVED
        alone = alone and not counts_slots(st, s)
    st.base[k, o] = 0.0
    if kind["known"] == 0:
        return
    if alone and not math.isnan(st.alone[k, o, cell["streams"], 0]):
        recall_alone(st.alone[k, o, cell["streams"]], cell)
        st.base[k, o] = st.alone[k, o, cell["streams"], 0]
        return
    deadline, patience = math.inf, math.inf
    if kind["deadline"] == 1:
        deadline = st.laws[k, DEADLINE]["a"] - kind["call"]
    if kind["patience"] == 1:
        patience = max(deadline, 0.0)
    elif kind["patience"] == 2:
        patience = max(st.laws[k, PATIENCE]["a"] - kind["call"], 0.0)
    by_law(st, k, o, deadline, patience, True, st.works[k, o])
    st.base[k, o] = base_of(st, k, o)
    if alone:
        remember_alone(st.alone[k, o, cell["streams"]], cell, st.base[k, o])


@spliced
def note_change(st: State, s: int) -> None:
    """Note that the quotes of a seller may have changed."""
    clock = st.clock[0]
    st.version[s] += 1
    st.changes[clock["changes"] % CHANGES] = s
    clock["changes"] += 1


@spliced
def catch_up(st: State, k: int) -> None:
    """Make the quotes anew that have changed since the last task of a class.

    Sellers are looked up among the last changes; after too many, every offer is looked at.
    """
    kind, count = st.classes[k], st.clock[0]["changes"]
    since = count - kind["seen"]
    everybody = since > CHANGES or kind["seen"] == 0
    first, last = (0, len(st.sellers)) if everybody else (count - since, count)
    for change in range(first, last):
        s = change if everybody else st.changes[change % CHANGES]
        seller = st.sellers[s]
        for o in range(seller["first"], seller["first"] + seller["offers"]):
            if st.cells[k, o]["serves"] == 1 and st.stamp[k, o] != st.version[s]:
                renew(st, k, o)
    kind["seen"] = count
