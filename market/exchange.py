"""The kernel of a market whose mechanism is a double auction.

Like `kernel.advance`, with one more source of events: the sessions. It is compiled apart, so that
other markets don't wait for it.
"""

from __future__ import annotations

import math

from .book import enter_book, leave_book, place_pinned
from .jit import compiled, spliced
from .kernel import complete, newcomer, next_event, renege, wants
from .outcome import do_without
from .sessions import crowded, hold_session, meet
from .state import (
    ARRIVAL,
    BOOKED,
    COMPLETION,
    GROW,
    HORIZON,
    K_DOUBLE,
    SESSION,
    WATCHED,
    State,
)  # fmt: skip


@compiled
def go_without(st: State, i: int, now: float) -> None:
    """Let a task do without."""
    do_without(st, i, now)


@spliced
def come(st: State, i: int, now: float) -> None:
    """Let an arriving task meet the asks at once, or let its bid wait in the book."""
    task, clock = st.tasks[i], st.clock[0]
    clock["tasks"] += 1
    task["joined"] = now
    if task["pinned"] < 0 and clock["mechanism"] != K_DOUBLE:
        enter_book(st, i, now)
        return
    placed = place_pinned(st, i, now) if task["pinned"] >= 0 else meet(st, i, now)
    if not placed:
        go_without(st, i, now)


@spliced
def lose_patience(st: State, i: int, now: float) -> None:
    """Let a waiting task leave a seller's queue, or the book and do without."""
    if st.tasks[i]["state"] == BOOKED:
        leave_book(st, i)
        go_without(st, i, now)
    else:
        renege(st, i, now)


@compiled
def advance(st: State, until: float) -> int:
    """Process events up to `until` and return why it stopped, as `kernel.advance` does."""
    clock = st.clock[0]
    while True:
        reason = wants(st)
        if reason >= 0:
            return reason
        time, rank, node = next_event(st)
        nobody = math.isinf(time) and math.isinf(until) and clock["book"] == 0
        due = clock["session_at"]
        if not nobody and (due < time or (due == time and rank > SESSION)):
            time, rank = due, SESSION
        if time > until or (time == until and rank != COMPLETION) or math.isinf(time):
            if until > clock["now"] and not math.isinf(until):
                clock["now"] = until
            return HORIZON
        clock["now"] = time
        if rank == COMPLETION:
            complete(st, node, time)
        elif rank == ARRIVAL:
            come(st, newcomer(st, node), time)
        elif rank == SESSION:
            if crowded(st):
                clock["grow"] = 1
                return GROW
            hold_session(st, time)
        else:
            lose_patience(st, node - len(st.sellers), time)
        if clock["current"] >= 0:
            return WATCHED
