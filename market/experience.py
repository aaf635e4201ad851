"""What past buyers tell the next ones: how long they waited, at what pace, how rightly served."""

from __future__ import annotations

import math

from .jit import spliced
from .mechanisms.rating import rate
from .outlook import note_change
from .quotes import remember
from .state import (
    CROWD,
    QUOTED,
    State,
)  # fmt: skip


@spliced
def experience(st: State, i: int, wait: float, served: bool, now: float) -> None:
    """Let other buyers learn how long this one waited and at what pace it was served."""
    task = st.tasks[i]
    k, o = task["kind"], task["offer"]
    cell = st.cells[k, o]
    memory = st.clock[0]["memory"]
    weight = cell["weight"] * math.exp((cell["seen"] - now) / memory) + 1.0
    cell["weight"], cell["seen"] = weight, now
    waited = 1.0 if wait > 0.0 else 0.0
    cell["waited"] = remember(cell["waited"], weight, waited)
    cell["wait_sum"] = remember(cell["wait_sum"], weight, wait)
    cell["started"] = remember(cell["started"], weight, waited if served else 0.0)
    if served and task["work"] > 0.0:
        paced = cell["pace_weight"] * math.exp((cell["pace_seen"] - now) / memory) + 1.0
        cell["pace_weight"], cell["pace_seen"] = paced, now
        alone = 1.0 / st.sellers[st.offers[o]["seller"]]["speed"]
        pace = task["service"] / task["work"]
        # Time stamps are rounded; sellers that are alike must not differ by what that leaves.
        undisturbed = abs(pace - alone) <= 1e-9 * alone
        cell["pace"] = remember(cell["pace"], paced, alone if undisturbed else pace)
    st.stamp[k, o] = -1
    note_change(st, st.offers[o]["seller"])


@spliced
def tell_others(st: State, i: int, right: bool) -> None:
    """Count an answer in its offer's rating; where buyers go by ratings, quotes are renewed."""
    k, o = st.tasks[i]["kind"], st.tasks[i]["offer"]
    cell = st.cells[k, o]
    rate(cell, right)
    if st.clock[0]["ratings"] == QUOTED:
        cell["accuracy"] = cell["rating"]
        st.stamp[k, o] = -1
        for streams in range(CROWD):
            st.alone[k, o, streams, 0] = math.nan
        note_change(st, st.offers[o]["seller"])
