"""How a task ends: what it was worth, who pays whom, and the row it leaves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import workload
from .choice import cost_of, outside_taste
from .contracts import apart, conclude, give_back, note_met
from .experience import experience, tell_others
from .jit import inner, spliced
from .ledger import post, settle
from .rng import ROW, THINK, USER, hash2, uniform
from .rules import (
    accuracy,
    lateness,
    nano,
    overdue,
    realised_utility,
    refund_share,
    share_of,
)
from .sampling import sample
from .service import announce
from .state import (
    BALKED,
    BINS_PER_OCTAVE,
    FIRST_OCTAVE,
    FREE,
    LATENCY_BINS,
    RENEGED,
    SERVED,
    UNRATED,
    WAITING,
    State,
)  # fmt: skip


@inner
def latency_bin(seconds: float) -> int:
    """Return the histogram bin of a time: quarter octaves from 2^−10 s, ends included."""
    if seconds <= 0.0:
        return 0
    octave = math.log(seconds) / 0.6931471805599453 - FIRST_OCTAVE
    place = math.floor(octave * BINS_PER_OCTAVE)
    return min(max(place, 0), LATENCY_BINS - 1)


@spliced
def is_right(st: State, i: int) -> bool:
    """Return whether the answer is right: a draw at the task's own difficulty."""
    task = st.tasks[i]
    cell, offer = st.cells[task["kind"], task["offer"]], st.offers[task["offer"]]
    chance = accuracy(cell["floor"], cell["ceiling"], cell["skill"], task["difficulty"])
    return uniform(hash2(hash2(task["id"], offer["right_key"]), task["attempt"])) < chance


@spliced
def sampled(st: State, i: int) -> bool:
    """Return whether the task is in the keyed sample (all tasks when the share is full)."""
    return hash2(st.tasks[i]["id"], ROW) <= st.classes[st.tasks[i]["kind"]]["share"]


@spliced
def write_row(st: State, i: int, status: int, finish: float, surplus: float) -> Any:
    """Write a trade row with what is known however the task ended, and return it."""
    task, clock = st.tasks[i], st.clock[0]
    row = st.trades[clock["rows"]]
    clock["rows"] += 1
    row["id"], row["kind"], row["offer"] = task["id"], task["kind"], task["offer"]
    row["status"], row["attempt"] = status, task["attempt"]
    row["arrival"], row["start"], row["finish"] = task["time"], task["started"], finish
    row["input"], row["output"], row["value"] = task["input"], task["output"], task["value"]
    row["deadline"], row["delay_cost"] = task["deadline"], task["delay_cost"]
    row["difficulty"], row["utility"], row["taste"] = (
        task["difficulty"], task["utility"], task["taste"],
    )  # fmt: skip
    row["surplus"], row["sampled"] = surplus, int(sampled(st, i))
    row["customer"], row["contract"] = task["customer"], task["contract"]
    row["right"], row["late"] = 0, 0
    row["answer"], row["wait"], row["sojourn"] = math.nan, math.nan, math.nan
    row["price"], row["refund"], row["penalty"] = 0, 0, 0
    row["commission"], row["returned"], row["cost"] = 0, 0, 0
    row["advertising"], row["search"] = 0, task["search"]
    return row


@spliced
def wanted(st: State, i: int) -> bool:
    """Return whether this task leaves a row: it is in the sample, or somebody waits for it."""
    return st.tasks[i]["watched"] == 1 or sampled(st, i)


@spliced
def release(st: State, i: int, status: int, now: float) -> None:
    """Free the task's place; a closed user thinks and comes back; a watched one is kept."""
    task, clock = st.tasks[i], st.clock[0]
    user, k, watched = task["user"], task["kind"], task["watched"]
    task["state"] = FREE
    if watched == 1:
        task["watched"] = 2 + status
        clock["current"] = i
    else:
        st.free[clock["free"]] = i
        clock["free"] += 1
    if user >= 0:
        back = now
        if status == SERVED:
            back += st.sellers[st.offers[task["offer"]]["seller"]]["outside"]
        clock["free"] -= 1
        think(st, st.free[clock["free"]], k, user, back)


@spliced
def think(st: State, i: int, k: int, user: int, now: float) -> None:
    """Let a user of a closed class think from `now` on and then bring its next task, in place i."""
    kind = st.classes[k]
    number = np.uint64(st.users[user])
    st.users[user] += 1
    mine = hash2(hash2(kind["key"], USER), np.uint64(user - kind["closed"]))
    id_ = hash2(mine, number)
    pause = sample(st.laws[k, workload.THINK], st.tables, hash2(id_, THINK))
    fresh(st, i)
    workload.draw(st.tasks, i, k, id_, now + pause, kind, st.laws[k], st.tables)
    st.tasks[i]["user"] = user
    announce(st, i, now + pause)


@spliced
def fresh(st: State, i: int) -> None:
    """Reset what a place of the pool remembers of its last task."""
    task = st.tasks[i]
    task["offer"], task["user"], task["watched"], task["pinned"] = -1, -1, 0, -1
    task["own"] = 0
    task["customer"], task["contract"], task["covered"] = -1, -1, 0.0
    task["attempt"] = np.uint64(0)
    task["started"], task["resumed"] = math.nan, math.nan
    task["state"], task["service"], task["wait"] = FREE, 0.0, 0.0
    task["taste"], task["utility"], task["price"] = 0.0, 0.0, 0.0
    task["factor"], task["promise"], task["joined"] = 1.0, math.inf, math.nan
    task["search"], task["fee"] = 0.0, 0.0


@inner
def count_answer(
    stat: Any, task: Any, kind: Any, right: bool, late: bool, delta: float, sojourn: float
) -> None:
    """Count an answer and what it was worth to its buyer, payments apart."""
    stat["served"] += 1
    stat["wait"] += task["wait"]
    stat["service"] += task["service"]
    stat["sojourn"] += sojourn
    stat["delay_cost"] += task["delay_cost"] * sojourn
    stat["taste"] += task["taste"]
    stat["search"] += task["search"]
    if late:
        stat["late"] += 1
    if right:
        stat["right"] += 1
        stat["value"] += task["value"] * delta
    elif delta > 0.0:
        stat["loss"] += kind["loss"]


@spliced
def serve(st: State, i: int, now: float) -> None:
    """Settle a task that has been served: judge it, post the payments, count it."""
    task, clock = st.tasks[i], st.clock[0]
    k, o = task["kind"], task["offer"]
    kind, offer = st.classes[k], st.offers[o]
    s = offer["seller"]
    seller = st.sellers[s]
    sojourn = now - task["time"] + seller["outside"]
    wait = task["wait"]
    past = overdue(now, task["time"], seller["outside"], task["deadline"])
    late = past > 0.0
    right = is_right(st, i)
    delta = lateness(kind["late_rule"], kind["late_parameter"], past)
    price = nano(task["price"])
    refund = share_of(
        price, refund_share(late, right, seller["refund_late"], seller["refund_wrong"])
    )
    broken = overdue(now, task["joined"], seller["outside"], task["promise"]) > 0.0
    penalty = nano(seller["penalty"]) if broken else 0
    if clock["contracts"] == 1:
        refund, penalty = conclude(st, i, right, price, refund, penalty, now)
    cost = nano(cost_of(st, o, i) * task["factor"])
    classes, sellers = len(st.classes), len(st.sellers)
    kept, back = settle(
        st.ledger, k, classes + s, classes + sellers, classes + sellers + 1,
        price, refund, penalty, cost, clock["commission"],
    )  # fmt: skip
    fee = nano(task["fee"])
    if fee > 0:
        post(st.ledger, classes + s, classes + sellers, fee)
    paid = (price - refund - penalty) * 1e-9
    stat = st.stats[k, o]
    count_answer(stat, task, kind, right, late, delta, sojourn)
    stat["thinking"] += offer["thinking"]
    stat["paid"] += price
    stat["refund"] += refund
    stat["penalty"] += penalty
    stat["commission"] += kept - back
    stat["cost"] += cost
    stat["advertising"] += fee
    if now >= clock["record_from"]:
        st.latencies[k, o, latency_bin(sojourn)] += 1
    if seller["quote"] == 1 and not apart(st, i):
        experience(st, i, wait, True, now)
    if clock["ratings"] != UNRATED:
        tell_others(st, i, right)
    if wanted(st, i):
        gained = realised_utility(
            task["value"], kind["loss"], task["delay_cost"], right, delta, sojourn, paid
        )
        surplus = task["taste"] + gained - task["search"]
        row = write_row(st, i, SERVED, now, surplus)
        row["answer"], row["wait"], row["sojourn"] = task["time"] + sojourn, wait, sojourn
        row["right"], row["late"] = int(right), int(late)
        row["price"], row["refund"], row["penalty"] = price, refund, penalty
        row["commission"], row["returned"], row["cost"] = kept, back, cost
        row["advertising"] = fee
    release(st, i, SERVED, now)


@spliced
def leave(st: State, i: int, status: int, now: float) -> None:
    """End a task that left the queue or failed: it pays nothing and has lost its time."""
    task = st.tasks[i]
    k, o = task["kind"], task["offer"]
    time = now - task["time"]
    if task["state"] == WAITING:
        task["wait"] += now - task["queued"]
    stat = st.stats[k, o]
    if status == RENEGED:
        stat["reneged"] += 1
    else:
        stat["failed"] += 1
    delay = task["delay_cost"] * time
    stat["delay_cost"] += delay
    stat["taste"] += task["taste"]
    stat["search"] += task["search"]
    if st.clock[0]["contracts"] == 1:
        give_back(st, i)
        if status == RENEGED:
            note_met(st, i, False)
    shares = st.sellers[st.offers[o]["seller"]]["quote"] == 1
    if status == RENEGED and shares and not apart(st, i):
        experience(st, i, time, False, now)
    if wanted(st, i):
        row = write_row(st, i, status, now, task["taste"] - delay - task["search"])
        row["wait"], row["sojourn"] = task["wait"], time
    release(st, i, status, now)


@spliced
def do_without(st: State, i: int, now: float) -> None:
    """End a task whose buyer took the outside option; what waiting or looking has cost is lost."""
    task = st.tasks[i]
    k = task["kind"]
    task["taste"] = outside_taste(st, k, task["id"])
    stat = st.stats[k, len(st.offers)]
    stat["assigned"] += 1
    lost = task["delay_cost"] * (now - task["time"])
    stat["delay_cost"] += lost
    if st.classes[k]["outside"] == 1:
        stat["taste"] += task["taste"]
    else:
        task["taste"] = 0.0
    stat["search"] += task["search"]
    task["utility"] = 0.0 - task["search"]
    if wanted(st, i):
        write_row(st, i, BALKED, now, task["taste"] - lost - task["search"])
    release(st, i, BALKED, now)
