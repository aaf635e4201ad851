"""The state of every seller at its load, and how it follows the load: `queues` for all at once.

A seller's state stands in a row: slow-down, chance of a wait, then by level the mean wait of those
who wait (s) and, if `WAIT` plus the levels are not all there is room for, the time for which better
tasks push aside a second of work, over the chance of a wait.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled
from ..state import FCFS, PREEMPTIVE
from .queues import congestion, limit, priorities

SLOW, CHANCE, WAIT = range(3)
FOREVER = 1e15
"""What stands for an endless wait, s."""
STEP = 1e-5
"""Relative step of central differences."""
_FEW = 1e-4
"""Share of a seller's load below which a level of it is all but empty."""


@compiled
def fill_row(
    loads: NDArray[np.float64], moments: NDArray[np.float64], until: NDArray[np.float64],
    kappa: float, slots: float, discipline: int, row: NDArray[np.float64],
    spare: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill the state of one seller.

    Args:
        loads: work per second by level and patience, shape [L, N].
        moments: Σ rate·E[w²]/2 of each level, seconds, shape [L].
        until: patience, s, shape [N].
        kappa: batching κ.
        slots: streams served at once.
        discipline: who is served first.
        row: filled, shape [2 + L] or [2 + 2L].
        spare: stands for the second half of it where there is none, shape [L].
    """
    levels = len(moments)
    waits = row[WAIT : WAIT + levels]
    pushes = row[WAIT + levels :] if len(row) > WAIT + levels else spare
    if discipline == FCFS:
        load = loads.sum()
        residual = moments.sum() / load if load > 0.0 else 1.0
        slow, chance, wait, _ = congestion(loads, levels, until, residual, kappa, slots)
        waits[:], pushes[:] = wait, 0.0
    else:
        preemptive = discipline == PREEMPTIVE
        slow, chance = priorities(
            loads, moments, until, kappa, slots, preemptive, waits, pushes
        )  # fmt: skip
    row[SLOW], row[CHANCE] = min(slow, FOREVER), chance
    for column in range(WAIT, len(row)):
        row[column] = min(row[column], FOREVER)


@compiled
def fill_states(
    loads: NDArray[np.float64], moments: NDArray[np.float64], until: NDArray[np.float64],
    sellers: Any, slots: NDArray[np.float64], out: NDArray[np.float64],
    spare: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill the states of S sellers, shape [S, 2 + L] or [S, 2 + 2L]; see `fill_row`.

    Args:
        loads: shape [S, L, N].
        moments: shape [S, L].
        until: shape [N].
        sellers: the state's records, shape [S].
        slots: shape [S].
        out: filled.
        spare: scratch, shape [L].
    """
    for s in range(len(sellers)):
        fill_row(
            loads[s], moments[s], until, sellers[s]["kappa"], slots[s], sellers[s]["discipline"],
            out[s], spare,
        )  # fmt: skip


@compiled
def fill_slopes(
    loads: NDArray[np.float64], moments: NDArray[np.float64], until: NDArray[np.float64],
    places: NDArray[np.int64], sellers: Any, slots: NDArray[np.float64],
    by_load: NDArray[np.float64], by_moment: NDArray[np.float64], scratch: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill how the states of S sellers follow their loads and moments, by central differences.

    States are smooth on the scale of the load, and of the room that is left; a step may take the
    load of a patience below nothing, which is no harm to the formulas. A level has a corner where
    it is empty, since its first task alone makes the mean wait of the level: there that wait is
    taken as it is, and steps go upwards.

    Args:
        loads: shape [S, L, N]; moved and put back.
        moments: shape [S, L]; moved and put back.
        until: shape [N].
        places: levels and patiences that occur, shape [P, 2].
        sellers: the state's records, shape [S].
        slots: shape [S].
        by_load: filled, shape [S, 2 + L or 2 + 2L, L, N]; must be zeros.
        by_moment: filled, shape [S, 2 + L or 2 + 2L, L]; must be zeros.
        scratch: shape [3, 2 + 2L].
    """
    levels, width = loads.shape[1], by_load.shape[1]
    up, down, spare = scratch[0, :width], scratch[1, :width], scratch[2, :levels]
    for s in range(len(sellers)):
        kappa, by = sellers[s]["kappa"], sellers[s]["discipline"]
        most, total, whole = limit(kappa, slots[s]), loads[s].sum(), moments[s].sum()
        if total <= 0.0 or math.isinf(most):
            continue
        lasting = total if math.isinf(slots[s]) else loads[s, :, -1].sum()
        step = STEP * min(total, most - lasting)
        for p in range(len(places)):
            level, piece = places[p, 0], places[p, 1]
            empty = by != FCFS and loads[s, level].sum() < _FEW * total
            here, back = loads[s, level, piece], 0.0 if empty else step
            loads[s, level, piece] = here + step
            fill_row(loads[s], moments[s], until, kappa, slots[s], by, up, spare)
            loads[s, level, piece] = here - back
            fill_row(loads[s], moments[s], until, kappa, slots[s], by, down, spare)
            loads[s, level, piece] = here
            for i in range(width):
                if not (empty and i == WAIT + level):
                    by_load[s, i, level, piece] = (up[i] - down[i]) / (step + back)
        step = STEP * whole
        for level in range(levels):
            empty = by != FCFS and loads[s, level].sum() < _FEW * total
            here, back = moments[s, level], 0.0 if empty else step
            moments[s, level] = here + step
            fill_row(loads[s], moments[s], until, kappa, slots[s], by, up, spare)
            moments[s, level] = here - back
            fill_row(loads[s], moments[s], until, kappa, slots[s], by, down, spare)
            moments[s, level] = here
            for i in range(width):
                if step > 0.0 and not (empty and i == WAIT + level):
                    by_moment[s, i, level] = (up[i] - down[i]) / (step + back)
