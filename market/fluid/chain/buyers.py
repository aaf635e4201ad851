"""Who the buyers of a class are, and how many draws of what differs between them tell enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...schema.demand import Logit, TaskClass
from ...schema.distributions import ShareOfValue
from ...schema.errors import BadInputError
from ...schema.market import Market
from ...state import State
from .checks import problem
from .choice import Buyers, Floats, choices, what_is_seen
from .draws import drawn, draws_of, ends_of_line

_FIRST, _MOST = 12, 4096
"""Draws of each quantity that differs: at first, and at most of all together."""
_EXACT, _WITH_DEADLINES = 1e-10, 1e-6
"""How much twice the draws may change a share. What a buyer is quoted has kinks in its deadline,
where the slices of the law of a wait meet, and no rule gets far beyond."""
_JUMP, _JUMP_AT_END = 0.25, 0.01
"""How much a share may change from one draw to the next, or to an end of the law: a rule that errs
by 1e-10 has less."""
_SAMPLE = np.array([0, 1, 3, 7, 16])
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
    wanted = _WITH_DEADLINES if "deadline" in names else _EXACT
    count = _FIRST
    coarse = _buyers(task, st, k, *draws_of(task, count))
    while names:
        count *= 2
        draws, weights = draws_of(task, count)
        if weights.size > _MOST:
            told = f"a law of {' and '.join(names)} so wide that choices of this scale jump"
            raise BadInputError([problem(f"tasks.{task.name}.{names[0]}", told, "a narrower law")])
        fine = _buyers(task, st, k, draws, weights)
        error = _error(st, coarse, fine, weights.shape)
        if error < wanted and _keeps_means(task, fine):
            return replace(fine, error=error)
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
        outside=task.outside_option, draws=draws.reshape(-1, 3), weights=weights.ravel(),
    )  # fmt: skip


def _listed(st: State, o: int) -> bool:
    return bool(st.offers[o]["listed"] and st.sellers[st.seller_of[o]]["listed"])


def _keeps_means(task: TaskClass, buyers: Buyers) -> bool:
    """Return whether the draws have the mean value and delay cost of the class."""
    value, cost = task.mean_value, task.delay_cost
    delay = cost.per_second * value if isinstance(cost, ShareOfValue) else cost.mean
    found = buyers.weights @ buyers.draws[:, :2]
    return bool(np.allclose(found, (value, delay), rtol=1e-9, atol=0.0))


def _error(st: State, coarse: Buyers, fine: Buyers, grid: tuple[int, ...]) -> float:
    """Return by how much shares may be off: by what half the draws change, and by unseen jumps.

    Draws that all lie on one side of a jump agree and are wrong. Where a share jumps from one draw
    to the next, `grid` of them, it may do so anywhere between.
    """
    before, after = _sample(st, coarse), _sample(st, fine)
    error = float(np.abs(coarse.weights @ before - fine.weights @ after).max(initial=0.0))
    shares, weights = after.reshape(*grid, -1), fine.weights.reshape(grid)
    for axis in range(len(grid)):
        jumps = np.abs(np.diff(shares, axis=axis)).max(axis=-1, initial=0.0)
        left, right = np.delete(weights, -1, axis), np.delete(weights, 0, axis)
        allowed = np.where(left * right > 0.0, _JUMP, _JUMP_AT_END)
        error = max(error, float((left + right)[jumps > allowed].max(initial=0.0)))
    return error


def _sample(st: State, buyers: Buyers) -> Floats:
    """Return shares by draw [J, ...] with `_SAMPLE` tasks at each of up to three sellers."""
    some = set(sorted(set(buyers.axes))[:3])
    tables = []
    for place, axis in enumerate(buyers.axes):
        rows = _SAMPLE if axis in some else _SAMPLE[:1]
        tables.append(what_is_seen(st, buyers, place, int(rows[-1]) + 1)[0][rows])
    shape = [len(_SAMPLE) if s in some else 1 for s in range(len(st.sellers))]
    alike = replace(buyers, weights=np.ones_like(buyers.weights))
    found = np.zeros((len(buyers.weights), len(tables), *shape))
    for j, (shares, _) in enumerate(choices(alike, tables, len(shape))):
        for place, share in enumerate(shares):
            found[j, place] = share
    return found.reshape(len(found), -1)
