"""What buyers would see of an offer behind 0, 1, 2, ... tasks: the kernel's quotes, without a run.

For whoever solves a market instead of simulating it: the exact chain of `fluid/chain/`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .choice import look_at, posted_for, stands_apart, utility_at
from .jit import compiled, inner
from .outlook import renew
from .state import State
from .worth import worth

TIME, PAID, TIMELY, BROKEN, FACTS = range(5)
"""Columns of what is expected of an offer: E[T], s; E[paid], USD, net of refunds and penalties;
Pr(on time); Pr(promise broken). Then how many there are."""


@inner
def crowd(seller: np.void, queue: np.void, law: np.void, number: int) -> None:
    """Let so many tasks of one law of work be at a seller, none of them half done."""
    running = number if number < seller["slots"] else int(seller["slots"])
    waiting = number - running
    seller["running"], seller["waiting"] = running, waiting
    seller["run_work"], seller["run_variance"] = running * law["mean"], running * law["variance"]
    queue["length"], queue["running"] = waiting, running
    queue["work"], queue["variance"] = waiting * law["mean"], waiting * law["variance"]


@compiled
def see(
    st: State, k: int, o: int, i: int, draws: NDArray[np.float64], utility: NDArray[np.float64],
    facts: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill what buyers of class k expect of offer o behind n = 0, 1, 2, ... tasks like their own.

    Args:
        st: a state in which nothing has happened yet; it is left so.
        k: the class.
        o: the offer.
        i: a free place of the pool.
        draws: value (USD), delay cost (USD/s) and deadline (s) of buyers, shape [J, 3].
        utility: expected utility, USD, taste apart, shape [n, J]; −inf off the market.
        facts: the columns `TIME` to `BROKEN`, shape [n, J, FACTS].
    """
    s, task = st.seller_of[o], st.tasks[i]
    seller, queue = st.sellers[s], st.queues[s, 0]
    task["own"], task["pinned"], task["patience"] = 0, -1, math.inf
    for n in range(len(utility)):
        crowd(seller, queue, st.works[k, o], n)
        renew(st, k, o)
        for j in range(len(draws)):
            task["value"], task["delay_cost"] = draws[j, 0], draws[j, 1]
            task["deadline"] = draws[j, 2]
            utility[n, j] = st.base[k, o]
            if utility[n, j] == -math.inf:
                continue
            if stands_apart(st, k, i):
                look_at(st, k, o, i)
            ask, cell = posted_for(st, k, o, i), st.cells[k, o]
            utility[n, j] = utility_at(st, k, o, i, ask)
            facts[n, j, TIME], facts[n, j, TIMELY] = cell["time"], cell["timely"]
            facts[n, j, PAID] = -worth(cell, seller, ask, 0.0, 0.0, 0.0)
            facts[n, j, BROKEN] = cell["served"] - cell["kept"]
    crowd(seller, queue, st.works[k, o], 0)
