"""Contracts in the market: who brings a task, what it costs under a contract, what a quota covers.

The kernel comes here only where some seller offers a contract. A customer holds one at most; it
changes price, queue level, time or billing at that seller alone, and its offers compete with all
others at the price that this task would really cost (its marginal price): nothing while the quota
lasts. Functions that take the whole state are compiled apart here, not spliced: other markets'
kernel stays small. What customers know when they choose a contract is in `walras.agents.contracts`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .choice import posted_for, taste_for, told_work
from .jit import compiled, inner, spliced
from .outlook import by_law, observe, recall, sees_queue
from .promises import believe
from .rng import WHO, hash2, uniform
from .rules import overdue
from .state import AVERAGE, State
from .worth import bill, worth

# --- rules -------------------------------------------------------------------------------------


@compiled
def beyond(tokens: float, left: float) -> float:
    """Return the share of a task of so many tokens that the quota left does not cover.

    max(n − q, 0) / n; all of it where no quota is left.

    Example:
        >>> beyond(100.0, 25.0), beyond(100.0, 0.0), beyond(100.0, math.inf)
        (0.75, 1.0, 0.0)
    """
    if left <= 0.0:
        return 1.0
    return (tokens - left) / tokens if tokens > left else 0.0


@inner
def customer_of(id_: np.uint64, customers: Any, first: int, count: int) -> int:
    """Return which of a class's customers brings a task: a keyed draw weighted by usage.

    `customers` are `CUSTOMER` records whose `upto` rises to 1; those of the class begin at `first`.
    """
    u = uniform(hash2(id_, WHO))
    low, high = first, first + count - 1
    while low < high:
        middle = (low + high) >> 1
        if u < customers[middle]["upto"]:
            high = middle
        else:
            low = middle + 1
    return low


@spliced
def contract_at(st: State, i: int, s: int) -> int:
    """Return the contract that the customer of task i holds at a seller, −1 if none."""
    c = st.customers[st.tasks[i]["customer"]]["holds"]
    return c if c >= 0 and st.contracts[c]["seller"] == s else -1


@spliced
def tokens_of(st: State, o: int, i: int) -> float:
    """Return the tokens of task i that offer o would count: input and billed output."""
    offer, task = st.offers[o], st.tasks[i]
    return task["input"] + task["output"] * offer["verbosity"] + offer["thinking"]


# --- the kernel's steps ------------------------------------------------------------------------


@spliced
def greet(st: State, i: int) -> None:
    """Find out which customer brings a task, and count what it brings."""
    task = st.tasks[i]
    kind = st.classes[task["kind"]]
    if task["user"] >= 0:
        member = kind["member"] + task["user"] - kind["closed"]
    else:
        member = customer_of(task["id"], st.customers, kind["member"], kind["customers"])
    task["customer"] = member
    customer = st.customers[member]
    customer["tasks"] += 1
    customer["input"] += task["input"]
    customer["output"] += task["output"]


@inner
def expect_under(st: State, k: int, o: int, c: int, deadline: float, patience: float) -> None:
    """Work out the cell's expectations under a contract; the law of the work is in `st.told`.

    The cell knows the law of the wait at the contract's level already.
    """
    cell, kind, contract = st.cells[k, o], st.classes[k], st.contracts[c]
    seller = st.sellers[st.offers[o]["seller"]]
    wrong = seller["refund_wrong"]
    if contract["success"] == 1:
        seller["refund_wrong"] = 1.0
    if contract["within"] < math.inf:
        believe(cell, kind, contract["within"], deadline)
        bill(cell, seller, 0.0)
    else:
        by_law(st, k, o, deadline, patience, False, st.told[0])
    seller["refund_wrong"] = wrong


@spliced
def share_under(st: State, k: int, o: int, i: int, c: int) -> float:
    """Return the share of an offer's posted price that task i would be asked under contract c."""
    cell = st.cells[k, o]
    tokens = cell["tokens_in"] + cell["billed_out"]
    if st.clock[0]["exact_price"] == 1:
        tokens = tokens_of(st, o, i)
    quota = st.customers[st.tasks[i]["customer"]]["quota"]
    return st.contracts[c]["rate"] * beyond(tokens, quota)


@inner
def utility_under(st: State, k: int, o: int, i: int, c: int) -> float:
    """Return the expected utility of an offer to task i under contract c, taste apart.

    The class's own quote stands in the cell again when it is done.
    """
    cell, kind, task, contract = st.cells[k, o], st.classes[k], st.tasks[i], st.contracts[c]
    s = st.offers[o]["seller"]
    seller = st.sellers[s]
    st.spare[0] = cell
    if st.clock[0]["exact_price"] == 1:
        told_work(st, o, i)
    else:
        st.told[0] = st.works[k, o]
    own = kind["level"]
    if contract["level"] >= 0:
        kind["level"] = contract["level"]
    if seller["quote"] == AVERAGE:
        recall(cell)
    elif sees_queue(st, s):
        observe(cell, seller, st.queues[s], kind)
    kind["level"] = own
    share = share_under(st, k, o, i, c)
    ask = posted_for(st, k, o, i) * share
    cell["slope"] *= share
    expect_under(st, k, o, c, task["deadline"], task["patience"])
    utility = worth(cell, seller, ask, task["value"], kind["loss"], task["delay_cost"])
    st.cells[k, o] = st.spare[0]
    return utility


@inner
def rescore(st: State, k: int, i: int, count: int) -> None:
    """Score the offers of the seller with whom the task's customer has a contract under it.

    Who has to search for offers learns its taste for each as it looks at it.
    """
    known = st.clock[0]["search_cost"] == 0.0
    c = st.customers[st.tasks[i]["customer"]]["holds"]
    if c < 0:
        return
    for j in range(count):
        o = st.shown[j]
        if st.seller_of[o] == st.contracts[c]["seller"] and st.score[j] > -math.inf:
            taste = taste_for(st, k, o, st.tasks[i]["id"]) if known else 0.0
            st.score[j] = utility_under(st, k, o, i, c) + taste


@spliced
def order(st: State, i: int, o: int) -> None:
    """Put an ordered task under its customer's contract, if that is with the offer's seller."""
    c = contract_at(st, i, st.offers[o]["seller"])
    if c < 0:
        return
    task = st.tasks[i]
    customer = st.customers[task["customer"]]
    tokens, left = tokens_of(st, o, i), customer["quota"]
    task["price"] *= st.contracts[c]["rate"] * beyond(tokens, left)
    task["contract"], task["period"] = c, st.clock[0]["period"]
    task["covered"] = min(tokens, left)
    customer["quota"] = left - task["covered"]


@spliced
def give_back(st: State, i: int) -> None:
    """Give back the quota that a task took, unless its period is over."""
    task = st.tasks[i]
    if task["contract"] >= 0 and task["period"] == st.clock[0]["period"]:
        st.customers[task["customer"]]["quota"] += task["covered"]


@spliced
def note_met(st: State, i: int, served: bool) -> None:
    """Count what a task that was served or left has met at its level of its seller."""
    task = st.tasks[i]
    met = st.met[st.offers[task["offer"]]["seller"], task["level"]]
    met["ended"] += 1
    met["wait"] += task["wait"]
    if task["wait"] > 0.0:
        met["waited"] += 1
        met["started"] += 1 if served else 0
    if served:
        met["service"] += task["service"]
        met["work"] += task["work"]


@spliced
def conclude(
    st: State, i: int, right: bool, price: int, refund: int, penalty: int, now: float
) -> tuple[int, int]:
    """Return (refund, penalty) of a served task, nano-dollars, as its contract has it.

    What is not billed is paid back whole, and takes no quota. A time of the contract's own stands
    in the place of the seller's promise, and not being billed in that of the penalty.
    """
    task = st.tasks[i]
    note_met(st, i, True)
    if task["contract"] < 0:
        return refund, penalty
    contract = st.contracts[task["contract"]]
    if contract["within"] < math.inf:
        penalty = 0
    outside = st.sellers[contract["seller"]]["outside"]
    late = overdue(now, task["time"], outside, contract["within"]) > 0.0
    if late or (contract["success"] == 1 and not right):
        give_back(st, i)
        return price, penalty
    return refund, penalty


@spliced
def apart(st: State, i: int) -> bool:
    """Return whether a task was served at a level of its contract's own."""
    c = st.tasks[i]["contract"]
    return c >= 0 and st.contracts[c]["level"] >= 0
