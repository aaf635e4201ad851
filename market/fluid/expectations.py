"""What each kind of task can expect of each offer at given waits and speeds.

All that follows from the law of the time to the answer is linear in the chance of a wait, so it is
worked out at both ends: where nobody waits, and of those who wait. Where work is exponential and
nobody leaves the law is a closed form (`sojourn`); elsewhere it is the kernel's own
(`quotes.expect`), whose waits are uniform in slices.

Buyers in simulations go by those slices in any case. Of those who wait, for 0.01 to 100 times as
long as they are served, that puts Pr(on time) off by 0.002 at most, and E[δ] by 0.01 where there is
grace or a half-life.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled
from ..quotes import expect, timely_work
from ..sojourn import done_within, left_within, service_within
from ..work import EXPONENTIAL

DELTA, USED, TIMELY, TIME, SERVED, KEPT, EARLY = range(7)
"""E[δ], Pr(δ > 0), Pr(on time), E[T] (s), Pr(served), Pr(promise kept), and the work of those on
time beyond their share of it (tokens), which refunds for lateness spare (`worth.bill`)."""
PARTS = 7


@compiled
def _fill_exponential(
    wait: float, rate: float, seller: Any, kind: Any, law: Any, deadline: float, promise: float,
    out: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill `out`, shape [PARTS], after an exponential wait, of exponential work and a shift."""
    alone, service = seller["outside"] + law["shift"] / rate, law["a"] / rate
    out[SERVED], out[TIME] = 1.0, seller["outside"] + law["mean"] / rate + wait
    out[DELTA], out[USED], out[TIMELY], out[KEPT], out[EARLY] = 1.0, 1.0, 1.0, 1.0, 0.0
    if promise < math.inf:
        out[KEPT] = done_within(promise - alone, wait, service)
    if deadline == math.inf:
        return
    rule, parameter = kind["late_rule"], kind["late_parameter"]
    out[DELTA], out[USED], out[TIMELY] = left_within(
        rule, parameter, deadline - alone, wait, service
    )
    if seller["refund_late"] > 0.0:
        early = service_within(deadline - alone, wait, service) * rate
        out[EARLY] = early - law["a"] * out[TIMELY]


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
            if law["kind"] == EXPONENTIAL and patience[j] == math.inf:
                _fill_exponential(
                    wait if chance > 0.0 else 0.0,
                    rate,
                    seller,
                    kind,
                    law,
                    deadline[j],
                    promise,
                    out[j, o],
                )
                continue
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
