"""Everything random about a run, drawn beforehand with the market's own keyed functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from walras.market import rng, workload
from walras.market.engine import Engine
from walras.market.jit import compiled
from walras.market.rng import hash2, uniform
from walras.market.sampling import sample
from walras.market.schema.arrivals import Closed
from walras.market.state import DEMAND, LOGIT
from walras.market.tastes import EULER, gumbel, seller_taste


@dataclass(frozen=True)
class Draws:
    """Draws of N tasks at O offers. Tasks of closed users come last; their time is a pause."""

    demand: Any  # [N] DEMAND
    users: list[tuple[int, list[int]]]  # class and rows of each closed user
    taste: NDArray[np.float64]  # [N, O] USD
    outside: NDArray[np.float64]  # [N] USD, taste for doing without
    right: NDArray[np.float64]  # [N, O] uniform: the answer is right if below the accuracy
    tie: NDArray[np.uint64]  # [N, O] the larger number wins a tie
    shown: NDArray[np.uint64]  # [N, O] a random ranking shows the smallest numbers
    tail: NDArray[np.float64]  # [N, S] probability of a higher cost factor than the seller's own


@compiled
def _tables(
    demand: Any, classes: Any, offers: Any, sellers: Any, stables: NDArray[np.float64],
    gumbels: NDArray[np.float64], taste: NDArray[np.float64], outside: NDArray[np.float64],
    right: NDArray[np.float64], tie: NDArray[np.uint64], shown: NDArray[np.uint64],
    tail: NDArray[np.float64],
) -> None:  # fmt: skip
    first = np.uint64(0)
    for i in range(len(demand)):
        id_, k = demand[i]["id"], demand[i]["kind"]
        kind = classes[k]
        if kind["choice"] == LOGIT:
            outside[i] = kind["scale"] * (gumbel(hash2(id_, rng.TASTE), gumbels) - EULER)
        for s in range(len(sellers)):
            tail[i, s] = uniform(hash2(id_, sellers[s]["cost_key"]))
        for o in range(len(offers)):
            offer = offers[o]
            right[i, o] = uniform(hash2(hash2(id_, offer["right_key"]), first))
            tie[i, o] = hash2(id_, offer["tie_key"])
            shown[i, o] = hash2(id_, offer["shown_key"])
            if kind["choice"] == LOGIT:
                nest, shared = kind["nest"], 0.0
                if nest < 1.0:
                    key = hash2(id_, sellers[offer["seller"]]["taste_key"])
                    shared = seller_taste(key, nest, stables[k], gumbels)
                own = gumbel(hash2(id_, offer["taste_key"]), gumbels)
                taste[i, o] = kind["scale"] * (nest * own + shared - EULER)


def _arrivals(engine: Engine, until: float) -> Any:
    """Return the tasks of open classes that come before `until`."""
    sources, st, found = engine._sources.copy(), engine.state, []
    while sources["time"].min() < until:
        block = np.zeros(1024, DEMAND)
        count = workload.fill(block, sources, st.classes, st.laws, st.tables, engine._trace)
        found.append(block[:count])
    demand = np.concatenate(found) if found else np.zeros(0, DEMAND)
    demand = demand[np.lexsort((demand["id"], demand["time"]))]
    return demand[demand["time"] < until]


@compiled
def _visits(
    demand: Any, k: int, visits: int, kind: Any, laws: Any, tables: NDArray[np.float64]
) -> None:  # fmt: skip
    """Fill in the tasks of a closed class, user by user; the pause before each is its time."""
    key = hash2(kind["key"], rng.USER)
    for i in range(len(demand)):
        user, number = i // visits, i % visits
        id_ = hash2(hash2(key, np.uint64(user)), np.uint64(number))
        pause = sample(laws[workload.THINK], tables, hash2(id_, rng.THINK))
        workload.draw(demand, i, k, id_, pause, kind, laws, tables)


def draw_tables(engine: Engine, until: float) -> Draws:
    """Return all draws of a run of `engine`, which must not have been advanced yet."""
    st, market = engine.state, engine.market
    with np.errstate(over="ignore"):
        parts = [_arrivals(engine, until)]
        users: list[tuple[int, list[int]]] = []
        rows = len(parts[0])
        for k, task in enumerate(market.tasks):
            if isinstance(task.arrivals, Closed):
                # Far more visits than users can make: they at least think in between.
                visits = math.ceil(3 * until / task.arrivals.think_time.mean) + 20
                parts.append(np.zeros(task.arrivals.users * visits, DEMAND))
                _visits(parts[-1], k, visits, st.classes[k], st.laws[k], st.tables)
                for _ in range(task.arrivals.users):
                    users.append((k, list(range(rows, rows + visits))))
                    rows += visits
        demand = np.concatenate(parts)
        shape = (len(demand), len(st.offers))
        draws = Draws(
            demand, users, np.zeros(shape), np.zeros(len(demand)), np.zeros(shape),
            np.zeros(shape, np.uint64), np.zeros(shape, np.uint64),
            np.zeros((len(demand), len(st.sellers))),
        )  # fmt: skip
        _tables(
            demand, st.classes, st.offers, st.sellers, st.stables, st.gumbels,
            draws.taste, draws.outside, draws.right, draws.tie, draws.shown, draws.tail,
        )  # fmt: skip
    return draws
