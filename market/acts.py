"""What agents do to the state, between two runs of the kernel: outages, slots, users that come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import compiled, spliced
from .outcome import leave, think
from .outlook import note_change
from .service import (
    announce,
    end,
    enqueue,
    expect_completion,
    measure,
    serve_waiting,
    touch,
)  # fmt: skip
from .state import (
    FAILED,
    State,
)  # fmt: skip


@compiled
def bring_up_to_date(st: State, now: float) -> None:
    """Bring every seller's time integrals to the present, at the end of an epoch."""
    for s in range(len(st.sellers)):
        measure(st.sellers[s], now)


@compiled
def stop_serving(st: State, s: int, now: float) -> None:
    """Begin an outage: the virtual clock stands still, offers are off the market."""
    touch(st.sellers[s], now)
    st.sellers[s]["down"] += 1
    note_change(st, s)
    expect_completion(st, s, now)


@compiled
def requeue_all(st: State, s: int, order: NDArray[np.int64], now: float) -> None:
    """Send the tasks in service back to the head of their queues, to be served from scratch.

    `order` holds the tasks, last come first, so that the earliest stands at the head.
    """
    for i in order:
        _drop(st, s, i, now)
        st.tasks[i]["left"] = st.tasks[i]["work"]
        enqueue(st, s, i, True, now)


@compiled
def fail_all(st: State, s: int, order: NDArray[np.int64], now: float) -> None:
    """Fail the tasks in service."""
    for i in order:
        _drop(st, s, i, now)
        leave(st, i, FAILED, now)


@spliced
def _drop(st: State, s: int, i: int, now: float) -> None:
    place = 0
    while st.run[s, place] != i:
        place += 1
    end(st, s, place, now)


@compiled
def expect_anew(st: State, s: int, now: float) -> None:
    """Put a seller's next completion into the calendar anew."""
    expect_completion(st, s, now)


@compiled
def send(st: State, i: int, time: float) -> None:
    """Let the task in place i come at a time."""
    announce(st, i, time)


@compiled
def use_slots(st: State, s: int, now: float) -> None:
    """Start what newly added slots can take."""
    touch(st.sellers[s], now)
    note_change(st, s)
    serve_waiting(st, s, now)
    expect_completion(st, s, now)


@compiled
def resume_serving(st: State, s: int, now: float) -> None:
    """End an outage: unless another lasts, go on, and start what can start."""
    touch(st.sellers[s], now)
    st.sellers[s]["down"] -= 1
    if st.sellers[s]["down"] == 0:
        use_slots(st, s, now)


@compiled
def place_users(st: State, k: int, first: int, count: int, now: float) -> None:
    """Let the users of a closed class start thinking."""
    for user in range(first, first + count):
        st.clock[0]["free"] -= 1
        think(st, st.free[st.clock[0]["free"]], k, user, now)
