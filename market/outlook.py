"""What buyers of each class expect of each offer, kept up to date as sellers' queues change.

Where all buyers of a class agree (constant value, delay cost, deadline and patience) the utility
is kept per class and offer and made anew only when the seller's state has changed; elsewhere the
quote is kept, or only the law of the wait if deadlines or patience differ.
"""

from __future__ import annotations

import math
from typing import Any

from .jit import compiled, spliced
from .quotes import CROWD, expect, timely_work
from .rules import (
    expected_refund,
    expected_share,
    expected_utility,
    lateness,
    service_rate,
    wait_ahead,
)
from .second_score import bid_of
from .state import (
    AVERAGE,
    CHANGES,
    OBSERVED,
    PREEMPTIVE,
    PRIORITY,
    PROMISED,
    SECOND_SCORE,
    State,
)  # fmt: skip
from .work import left_of_value, work_on_time
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
    """Work out the share of the price that is expected to be paid, net of refunds.

    Refunds for lateness go to large tasks more than to small: `early`·slope is the price of those
    on time beyond their share of it, and only their share is not given back (`tilt`).
    """
    right, late, wrong = cell["accuracy"], seller["refund_late"], seller["refund_wrong"]
    cell["billed"] = cell["served"] - expected_refund(
        cell["served"], cell["timely"], right, late, wrong
    )
    more = expected_share(right, True, late, wrong) - expected_share(right, False, late, wrong)
    cell["tilt"] = more * cell["early"]


@spliced
def _without_wait(st: State, k: int, o: int, deadline: float) -> None:
    """Take the cell's expectations of a free slot from memory, by how many streams would run."""
    cell, kind, seller = st.cells[k, o], st.classes[k], st.sellers[st.offers[o]["seller"]]
    law, known = st.works[k, o], st.alone[cell["table"], cell["streams"]]
    if math.isnan(known[0]):
        slack, rate = deadline - seller["outside"], cell["rate"]
        known[0], known[1], known[2], _, _ = left_of_value(
            kind["late_rule"], kind["late_parameter"], slack, rate, law, st.rows, st.nodes[k, o]
        )
        known[3] = work_on_time(law, st.rows, slack * rate) - law["mean"] * known[2]
    cell["served"], cell["kept"] = 1.0, 1.0
    cell["delta"], cell["used"], cell["timely"], cell["early"] = known
    cell["time"] = seller["outside"] + law["mean"] / cell["rate"]
    _finish(cell, seller)


@spliced
def by_law(st: State, k: int, o: int, deadline: float, patience: float, own: int) -> None:
    """Work out the cell's expectations for a deadline and patience, the class's or a task's own."""
    cell, kind, seller = st.cells[k, o], st.classes[k], st.sellers[st.offers[o]["seller"]]
    law = st.works[k, o]
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
            deadline, kind["late_rule"], kind["late_parameter"], promise, law, st.rows,
            st.nodes[k, o], st.waits, st.ahead[cell["table"]], reach,
        )  # fmt: skip
        cell["served"], cell["delta"], cell["used"] = served, delta, used
        cell["timely"], cell["time"], cell["kept"] = timely, time, kept
        cell["early"] = 0.0
        if seller["refund_late"] > 0.0 and cell["slope"] != 0.0 and deadline < math.inf:
            cell["early"] = timely_work(
                cell["chance"], cell["wait"], cell["shape"], deadline - seller["outside"],
                cell["rate"], patience, law, st.rows, st.waits,
            ) - law["mean"] * timely  # fmt: skip
    _finish(cell, seller)


@compiled
def worth(
    cell: Any, seller: Any, ask: float, value: float, loss: float, delay_cost: float
) -> float:
    """Return the expected utility of an offer at a given ask, USD, taste apart."""
    paid = ask * cell["billed"] + cell["slope"] * cell["tilt"]
    paid -= seller["penalty"] * (cell["served"] - cell["kept"])
    return expected_utility(
        value, loss, delay_cost, cell["accuracy"], cell["delta"], cell["used"], cell["time"], paid
    )


@spliced
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
    by_law(st, k, o, deadline, patience, 0)
    if kind["plain"] == 1:
        value = st.laws[k, VALUE]["a"]
        delay = st.laws[k, DELAY_COST]["a"] * (value if kind["delay_share"] == 1 else 1.0)
        ask = cell["ask"]
        if st.clock[0]["mechanism"] == SECOND_SCORE:
            ask = bid_of(cell, seller, ask, cell["cost"], st.clock[0]["bid_cost"],
                         st.clock[0]["commission"])  # fmt: skip
        st.base[k, o] = worth(cell, seller, ask, value, kind["loss"], delay)


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
