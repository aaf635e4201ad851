"""What each kind of task can expect of each offer at given waits and speeds.

The law of the time to the answer is the kernel's own (`quotes.expect`). All that follows from it
is linear in the chance of a wait, so it is worked out at both ends: where nobody waits, and of
those who wait.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled
from ..quotes import expect, timely_work

DELTA, USED, TIMELY, TIME, SERVED, KEPT, EARLY = range(7)
"""E[δ], Pr(δ > 0), Pr(on time), E[T] (s), Pr(served), Pr(promise kept), and the work of those on
time beyond their share of it (tokens), which refunds for lateness spare (`worth.bill`)."""
PARTS = 7


@compiled
def fill_expectations(
    chance: float, waits: NDArray[np.float64], rates: NDArray[np.float64], serves: Any,
    class_of: NDArray[np.int64], seller_of: NDArray[np.int64], deadline: NDArray[np.float64],
    patience: NDArray[np.float64], classes: Any, sellers: Any, works: Any,
    rows: NDArray[np.float64], nodes: NDArray[np.float64], table: NDArray[np.float64],
    ahead: NDArray[np.float64], out: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill `out`, shape [J, O, PARTS], for J kinds of tasks and O offers.

    Args:
        chance: of a wait: 0 or 1.
        waits: mean wait of those who wait, s, shape [J, O].
        rates: tokens/s of a stream in service, shape [J, O].
        serves: whether an offer serves a kind, shape [J, O].
        class_of: class of a kind, shape [J].
        seller_of: seller of an offer, shape [O].
        deadline: of a kind, s, shape [J].
        patience: of a kind, s, shape [J].
        classes: the state's, as are sellers, works, rows and nodes.
        sellers: records, shape [S].
        works: laws of work, shape [K, O].
        rows: tabulated laws.
        nodes: work as equally likely points.
        table: ends of the slices of gamma laws (`waits.wait_table`).
        ahead: a table that is not read.
        out: filled.
    """
    for j in range(len(class_of)):
        k = class_of[j]
        for o in range(len(seller_of)):
            if not serves[j, o]:
                continue
            kind, seller, law = classes[k], sellers[seller_of[o]], works[k, o]
            wait, rate = waits[j, o], rates[j, o]
            promise = seller["promise"] if seller["penalty"] > 0.0 else math.inf
            served, delta, used, timely, time, kept = expect(
                chance, wait, 1.0, seller["outside"], rate, patience[j], deadline[j],
                kind["late_rule"], kind["late_parameter"], promise, law, rows, nodes[k, o], table,
                ahead, 0.0,
            )  # fmt: skip
            early = 0.0
            if seller["refund_late"] > 0.0 and deadline[j] < math.inf:
                early = timely_work(
                    chance, wait, 1.0, deadline[j] - seller["outside"], rate, patience[j], law,
                    rows, table,
                ) - law["mean"] * timely  # fmt: skip
            out[j, o, DELTA], out[j, o, USED], out[j, o, TIMELY] = delta, used, timely
            out[j, o, TIME], out[j, o, SERVED], out[j, o, KEPT] = time, served, kept
            out[j, o, EARLY] = early
