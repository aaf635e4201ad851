"""Slots, queues and the sharing of speed: how a seller serves.

A seller keeps a virtual clock: the work done per stream since it was last idle. A task that
starts when the clock shows v and has w tokens of work left ends when it shows v + w, however the
rate changes in between; so a change of rate moves one number, not every task in service.
"""

from __future__ import annotations

import math
from typing import Any

from .heaps import drop_from_row, schedule, settle_row, withdraw
from .jit import inner, spliced
from .outlook import counts_slots, level_at, note_change, sees_queue, would_preempt
from .rules import service_rate
from .state import ARRIVAL, COMING, COMPLETION, RENEGE, RUNNING, WAITING, State


@inner
def measure(seller: Any, now: float) -> None:
    """Bring a seller's time integrals to the present; its virtual clock is left alone.

    So recording in shorter epochs adds no rounding to what happens.
    """
    dt = now - seller["touched"]
    if dt > 0.0:
        running = seller["running"]
        seller["run_time"] += dt * running
        seller["wait_time"] += dt * seller["waiting"]
        if seller["listed"] == 1:
            seller["open_time"] += dt
            if seller["down"] == 0:
                seller["up_time"] += dt
        slots, kappa = seller["slots"], seller["kappa"]
        in_use = seller["listed"] == 1 or running + seller["waiting"] > 0
        if in_use and not math.isinf(slots):
            seller["slot_time"] += dt * slots
        if running > 0 and seller["down"] == 0:
            # Share of the seller's greatest throughput that is in use.
            top = (
                slots * service_rate(seller["speed"], kappa, int(slots))
                if not math.isinf(slots)
                else seller["speed"] * kappa
            )
            if not math.isinf(top):
                seller["busy"] += dt * running * seller["rate"] / top
        seller["touched"] = now


@inner
def touch(seller: Any, now: float) -> None:
    """Bring a seller's time integrals and virtual clock to the present."""
    measure(seller, now)
    if now > seller["since"]:
        seller["served_work"] += seller["rate"] * (now - seller["since"])
        seller["since"] = now


@spliced
def changed(st: State, s: int, always: bool) -> None:
    """Note that what is expected of a seller's queue may have changed."""
    seller = st.sellers[s]
    if counts_slots(st, s) or (sees_queue(st, s) and (always or not math.isinf(seller["kappa"]))):
        note_change(st, s)


@spliced
def expect_completion(st: State, s: int, now: float) -> None:
    """Set the seller's rate and put its next completion into the calendar."""
    seller = st.sellers[s]
    running = seller["running"]
    if running == 0 or seller["down"] > 0:
        seller["rate"] = 0.0
        if running == 0:
            seller["served_work"] = 0.0
        withdraw(st.events, st.heap, st.clock[0], s)
        return
    seller["rate"] = service_rate(seller["speed"], seller["kappa"], running)
    first = st.tasks[st.run[s, 0]]
    left = first["finish"] - seller["served_work"]
    time = now + left / seller["rate"] if left > 0.0 else now
    schedule(st.events, st.heap, st.clock[0], s, time, COMPLETION, first["id"])


@spliced
def begin(st: State, s: int, i: int, now: float) -> None:
    """Put a task into service; the caller has touched the seller and expects completions anew."""
    seller, task = st.sellers[s], st.tasks[i]
    work = st.works[task["kind"], task["offer"]]
    if seller["running"] == 0:
        seller["served_work"], seller["run_work"], seller["run_variance"] = 0.0, 0.0, 0.0
    running = seller["running"]
    task["finish"] = seller["served_work"] + task["left"]
    if task["state"] == WAITING:
        task["wait"] += now - task["queued"]
    task["state"] = RUNNING
    task["resumed"] = now
    if math.isnan(task["started"]):
        task["started"] = now
    st.run[s, running] = i
    seller["running"] = running + 1
    settle_row(st.tasks, st.run[s], running + 1, running)
    seller["run_work"] += work["mean"]
    seller["run_variance"] += work["variance"]
    st.queues[s, task["level"]]["running"] += 1
    if running + 1 >= st.run.shape[1]:
        st.clock[0]["grow"] = 1
    changed(st, s, seller["running"] >= seller["slots"])


@spliced
def end(st: State, s: int, place: int, now: float) -> int:
    """Take the task at a place of the seller's row out of service and return it."""
    seller = st.sellers[s]
    i = drop_from_row(st.tasks, st.run[s], seller["running"], place)
    task = st.tasks[i]
    work = st.works[task["kind"], task["offer"]]
    changed(st, s, seller["running"] >= seller["slots"])
    seller["running"] -= 1
    seller["run_work"] -= work["mean"]
    seller["run_variance"] -= work["variance"]
    task["service"] += now - task["resumed"]
    st.queues[s, task["level"]]["running"] -= 1
    return i


@spliced
def enqueue(st: State, s: int, i: int, front: bool, now: float) -> None:
    """Let a task wait at the end of its level's queue, or at the head."""
    seller, task = st.sellers[s], st.tasks[i]
    queue = st.queues[s, task["level"]]
    work = st.works[task["kind"], task["offer"]]
    task["state"], task["queued"] = WAITING, now
    if queue["length"] == 0:
        queue["head"], queue["tail"] = i, i
        task["previous"], task["following"] = -1, -1
        queue["work"], queue["variance"] = 0.0, 0.0
    elif front:
        task["previous"], task["following"] = -1, queue["head"]
        st.tasks[queue["head"]]["previous"] = i
        queue["head"] = i
    else:
        task["previous"], task["following"] = queue["tail"], -1
        st.tasks[queue["tail"]]["following"] = i
        queue["tail"] = i
    queue["length"] += 1
    queue["work"] += work["mean"]
    queue["variance"] += work["variance"]
    seller["waiting"] += 1
    changed(st, s, True)


@spliced
def dequeue(st: State, s: int, i: int) -> None:
    """Take a waiting task out of its queue and withdraw its alarm."""
    seller, task = st.sellers[s], st.tasks[i]
    queue = st.queues[s, task["level"]]
    work = st.works[task["kind"], task["offer"]]
    before, after = task["previous"], task["following"]
    if before >= 0:
        st.tasks[before]["following"] = after
    else:
        queue["head"] = after
    if after >= 0:
        st.tasks[after]["previous"] = before
    else:
        queue["tail"] = before
    queue["length"] -= 1
    queue["work"] -= work["mean"]
    queue["variance"] -= work["variance"]
    seller["waiting"] -= 1
    withdraw(st.events, st.heap, st.clock[0], len(st.sellers) + i)
    changed(st, s, True)


@spliced
def serve_waiting(st: State, s: int, now: float) -> None:
    """Start waiting tasks, best level first, while slots are free."""
    seller = st.sellers[s]
    while seller["down"] == 0 and seller["waiting"] > 0 and seller["running"] < seller["slots"]:
        level = 0
        while st.queues[s, level]["length"] == 0:
            level += 1
        i = st.queues[s, level]["head"]
        dequeue(st, s, i)
        begin(st, s, i, now)


@spliced
def preempt(st: State, s: int, now: float) -> None:
    """Send the task that can best wait back to the head of its queue: lowest level, last come."""
    seller = st.sellers[s]
    victim = 0
    for j in range(1, seller["running"]):
        a, b = st.tasks[st.run[s, j]], st.tasks[st.run[s, victim]]
        if a["level"] != b["level"]:
            if a["level"] > b["level"]:
                victim = j
        elif a["time"] != b["time"]:
            if a["time"] > b["time"]:
                victim = j
        elif a["id"] > b["id"]:
            victim = j
    i = end(st, s, victim, now)
    left = st.tasks[i]["finish"] - seller["served_work"]
    st.tasks[i]["left"] = left if left > 0.0 else 0.0
    enqueue(st, s, i, True, now)


@spliced
def join(st: State, s: int, i: int, now: float) -> None:
    """Let a task come to a seller: into a slot, into another's slot, or into the queue."""
    seller, task = st.sellers[s], st.tasks[i]
    touch(seller, now)
    task["level"] = level_at(seller, st.classes[task["kind"]])
    if task["contract"] >= 0 and st.contracts[task["contract"]]["level"] >= 0:
        task["level"] = st.contracts[task["contract"]]["level"]
    free = seller["running"] < seller["slots"]
    if seller["down"] == 0 and (free or would_preempt(seller, st.queues[s], task["level"])):
        if not free:
            preempt(st, s, now)
        begin(st, s, i, now)
        expect_completion(st, s, now)
        return
    enqueue(st, s, i, False, now)
    if not math.isinf(task["patience"]):
        leave = max(task["time"] + task["patience"], now)  # a call may have taken longer
        node = len(st.sellers) + i
        schedule(st.events, st.heap, st.clock[0], node, leave, RENEGE, task["id"])


@spliced
def announce(st: State, i: int, time: float) -> None:
    """Put a task that will come at a known time into the calendar."""
    st.tasks[i]["state"] = COMING
    st.tasks[i]["time"] = time
    node = len(st.sellers) + i
    schedule(st.events, st.heap, st.clock[0], node, time, ARRIVAL, st.tasks[i]["id"])
