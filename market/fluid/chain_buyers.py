"""Who the buyers of a class are, and how many draws of what differs between them tell enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..schema.demand import Logit, TaskClass
from ..schema.distributions import ShareOfValue
from ..schema.errors import BadInputError
from ..schema.market import Market
from ..state import State
from .chain_checks import problem
from .chain_choice import Buyers, Floats, choices, what_is_seen
from .chain_draws import drawn, draws_of, ends_of_line

_FIRST, _MOST = 12, 4096
"""Draws of each quantity that differs: at first, and at most of all together."""
_EXACT, _WITH_DEADLINES = 1e-11, 1e-6
"""How much twice the draws may change a share. What a buyer is quoted has kinks in its deadline,
where the slices of the law of a wait meet, and no rule gets far beyond."""
_SAMPLE = np.array([0, 1, 2, 3, 5, 8, 13, 21])
"""Tasks at a seller in the states by which draws are judged."""


def buyers_of(market: Market, st: State, k: int) -> Buyers:
    """Return the buyers of a class, with as many draws as their shares need.

    Raises:
        BadInputError: they would be too many.
    """
    task = market.tasks[k]
    names = drawn(task)
    if names and not isinstance(task.choice, Logit):
        buyers = _buyers(task, st, k, ends_of_line(task, names[0]), np.ones(2))
        return replace(buyers, law=getattr(task, names[0]))
    coarse = _buyers(task, st, k, *draws_of(task, _FIRST))
    wanted = _WITH_DEADLINES if "deadline" in names else _EXACT
    count = _FIRST
    while names:
        count *= 2
        fine = _buyers(task, st, k, *draws_of(task, count))
        if len(fine.weights) > _MOST:
            told = f"{' and '.join(names)} differ so widely that choices of this scale jump"
            raise BadInputError([problem(f"tasks.{task.name}.{names[0]}", told, "a narrower law")])
        error = _distance(st, coarse, fine)
        if error < wanted and _keeps_means(task, coarse):
            return replace(coarse, error=error)
        coarse = fine
    return coarse


def _buyers(task: TaskClass, st: State, k: int, draws: Floats, weights: Floats) -> Buyers:
    kind = st.classes[k]
    on_sale = [o for o in st.menu[k, : kind["offers"]].tolist() if _listed(st, o)]
    offers = sorted(on_sale[: int(kind["consider"]) or None])
    scale, nest = 0.0, 1.0
    if isinstance(task.choice, Logit):
        scale, nest = task.choice.scale, task.choice.nest
    return Buyers(
        kind=k, rate=task.arrivals.mean_rate, offers=offers,
        axes=[int(st.seller_of[o]) for o in offers], scale=scale, nest=nest,
        outside=task.outside_option, draws=draws, weights=weights,
    )  # fmt: skip


def _listed(st: State, o: int) -> bool:
    return bool(st.offers[o]["listed"] and st.sellers[st.seller_of[o]]["listed"])


def _keeps_means(task: TaskClass, buyers: Buyers) -> bool:
    """Return whether the draws have the mean value and delay cost of the class."""
    value, cost = task.mean_value, task.delay_cost
    delay = cost.per_second * value if isinstance(cost, ShareOfValue) else cost.mean
    found = buyers.weights @ buyers.draws[:, :2]
    return bool(np.allclose(found, (value, delay), rtol=1e-9, atol=0.0))


def _distance(st: State, one: Buyers, other: Buyers) -> float:
    """Return by how much the shares of two sets of draws differ at most, in a sample of states."""
    pairs = zip(_sample(st, one), _sample(st, other), strict=True)
    return max((float(np.abs(a - b).max()) for a, b in pairs), default=0.0)


def _sample(st: State, buyers: Buyers) -> list[Floats]:
    """Return shares of offers in all states with `_SAMPLE` tasks at up to three sellers."""
    some = set(sorted(set(buyers.axes))[:3])
    tables = []
    for place, axis in enumerate(buyers.axes):
        rows = _SAMPLE if axis in some else _SAMPLE[:1]
        tables.append(what_is_seen(st, buyers, place, int(rows[-1]) + 1)[0][rows])
    shape = [len(_SAMPLE) if s in some else 1 for s in range(len(st.sellers))]
    total = [np.zeros(shape) for _ in buyers.offers]
    for shares, _ in choices(buyers, tables, len(shape)):
        for place, share in enumerate(shares):
            total[place] += share
    return total
