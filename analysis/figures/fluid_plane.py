"""Who is chosen at each deadline and stakes in the fluid market, for one class of tasks.

At a deadline d, utility is a line in the stakes V, U_o(d, V) = slope_o(d)·V + start_o(d), from the
fluid market's own expectations at the delays and prices of a selection; tastes make shares of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...market.fluid.expectations import TIMELY
from ...market.fluid.population import strata
from ...market.fluid.response import Response
from ...market.fluid.solve import Selection
from ...market.fluid.stations import CHANCE
from ...market.schema.demand import TaskClass
from ...market.schema.distributions import AtDeadline, Recorded, ShareOfValue

Floats = NDArray[np.float64]
Small = NDArray[np.float32]
SIDE = 200
"""Points of each side of the plane."""
_PAD = 0.75  # decades drawn beyond what a class's tasks have
_WIDE = 2.5  # decades drawn at least


@dataclass(frozen=True)
class FluidMap:
    """D deadlines, V stakes, n offers that serve the class, then doing without where one may.

    Attributes:
        offers: numbers of the offers in the market's order, shape [n]; doing without is O.
        deadlines: s, shape [D].
        stakes: value of a right answer in time, USD, shape [V].
        slope: of utility over value, shape [D, n].
        start: utility at value 0, USD, shape [D, n].
        timely: probability of an answer in time, shape [D, n].
        share: choice probabilities, shape [D, V, n].
        best: place in `offers` of the most chosen, shape [D, V].
        top: its share, shape [D, V].
    """

    offers: NDArray[np.int64]
    deadlines: Floats
    stakes: Floats
    slope: Floats
    start: Floats
    timely: Floats
    share: Small
    best: NDArray[np.int64]
    top: Small


def selection_map(
    selection: Selection, k: int, deadlines: Floats, stakes: Floats
) -> FluidMap:  # fmt: skip
    """Return who is chosen by tasks of class k at each deadline and stakes.

    Delays and prices are those of the selection, averaged over the moments at which demand is
    taken by how many tasks of the class come then. Patience is the middle one of the class, the
    delay cost its mean (or its share of the stakes), tolls their mean over the class.

    Args:
        selection: a selection equilibrium, the market's or a planner's.
        k: number of the class.
        deadlines: s, shape [D], inf for none.
        stakes: USD, shape [V].

    Example:
        >>> from walras.market.fluid.setting import setting_of
        >>> from walras.market.fluid.solve import solve
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=1.0, choice=Logit(0.5))
        >>> one = Seller("one", accuracy=0.5, slots="unlimited")
        >>> found = solve(setting_of(Market(tasks=[ask], sellers=[one])))
        >>> seen = selection_map(found, 0, np.array([9.0]), np.array([1.0]))
        >>> seen.share.astype(float).round(4).tolist()  # 1/(1 + exp(-0.5/0.5))
        [[[0.7311, 0.2689]]]
    """
    slope, start, timely, offers = _lines(selection, k, np.asarray(deadlines, dtype=np.float64))
    stakes = np.asarray(stakes, dtype=np.float64)
    share = _shares(selection, k, slope, start, stakes, offers)
    best = share.argmax(axis=2)
    top = np.take_along_axis(share, best[:, :, None], axis=2)[:, :, 0]
    return FluidMap(offers, deadlines, stakes, slope, start, timely, share, best, top)


def _lines(
    selection: Selection, k: int, deadlines: Floats
) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Return (slope, start, Pr(on time), offers), doing without appended where one may."""
    st = selection.setting
    task = st.market.tasks[k]
    mine = st.class_of == k
    weights = selection.weights * [float(m.rates[k]) for m in selection.moments]
    weights = weights / weights.sum() if weights.sum() > 0.0 else selection.weights
    on = selection.moments[0].on_show[mine].any(axis=0)
    toll = sum(w * (st.part[mine] @ m.toll[mine]) / st.part[mine].sum()
               for w, m in zip(weights, selection.moments, strict=True))  # fmt: skip
    count = len(deadlines)
    patience = np.sort(st.patience[mine])[mine.sum() // 2]
    kinds = replace(
        st, class_of=np.full(count, k), deadline=deadlines,
        patience=deadlines if isinstance(task.patience, AtDeadline) else np.full(count, patience),
        part=np.full(count, 1.0 / count), serves=np.broadcast_to(on, (count, len(on))).copy(),
        piece=np.zeros(count, np.int64),
    )  # fmt: skip
    charges = replace(selection.charges, everything=True, listed=selection.charges.listed & on)
    response = Response(kinds, charges, selection.arrivals, np.tile(toll, (count, 1)))
    expected = response.expected(_mean_state(selection, weights))[0]
    quoted = response.quoted(expected)
    fixed, part = _delay(task)
    which = np.flatnonzero(response.on_show[0])
    slope = (quoted.gain - part * quoted.time)[:, which]
    start = -(quoted.base + fixed * quoted.time)[:, which]
    timely = expected[:, which, TIMELY]
    if task.outside_option:
        none = np.zeros((count, 1))
        slope, start, timely = (np.hstack([x, none]) for x in (slope, start, timely))
        which = np.append(which, len(on))
    return slope, start, timely, which


def _mean_state(selection: Selection, weights: Floats) -> Floats:
    """Return the sellers' state, averaged over moments; mean waits over those who wait."""
    states = np.array([m.state for m in selection.moments])
    out = np.einsum("m,msy->sy", weights, states)
    waiting = weights[:, None, None] * states[:, :, CHANCE, None]
    sums, total = (waiting * states[:, :, CHANCE + 1 :]).sum(axis=0), waiting.sum(axis=0)
    out[:, CHANCE + 1 :] = np.divide(sums, total, out=out[:, CHANCE + 1 :], where=total > 0.0)
    return np.asarray(out)


def _delay(task: TaskClass) -> tuple[float, float]:
    """Return the delay cost, USD/s, and its share in proportion to value, 1/s."""
    if isinstance(task.delay_cost, ShareOfValue):
        return 0.0, task.delay_cost.per_second
    return float(task.delay_cost.mean), 0.0


def _shares(
    selection: Selection, k: int, slope: Floats, start: Floats, stakes: Floats,
    offers: NDArray[np.int64],
) -> Small:  # fmt: skip
    """Return (nested) logit shares, or all of a task for the best offer without tastes."""
    st = selection.setting
    kind = st.state.classes[k]
    if st.argmax[k]:
        utility = _utility(slope, start, stakes, 1.0)
        return np.asarray(
            utility.argmax(axis=2)[:, :, None] == np.arange(len(offers)), dtype=np.float32
        )
    scale, nest = float(kind["scale"]), float(kind["nest"])
    scaled = _utility(slope, start, stakes, nest * scale)
    if nest < 1.0:
        owner = np.append(st.seller_of, -1)[offers]  # doing without is a nest of its own
        starts = np.flatnonzero(np.diff(owner, prepend=-2))
        return _nested(scaled, starts, np.float32(nest))
    scaled -= scaled.max(axis=2, keepdims=True)
    grown = np.exp(scaled, out=scaled)
    grown /= grown.sum(axis=2, keepdims=True)
    return grown


def _utility(slope: Floats, start: Floats, stakes: Floats, unit: float) -> Small:
    """Return utility in some unit of money, best offers at 0: shape [D, V, n].

    Differences are taken before they are rounded to 32 bits, since tastes may be a thousandth of
    the stakes.
    """
    ahead = slope[:, None, :] * stakes[None, :, None] + start[:, None, :]
    ahead -= ahead.max(axis=2, keepdims=True)
    ahead /= unit
    return np.maximum(ahead, -1e30).astype(np.float32)


def _nested(scaled: Small, starts: NDArray[np.int64], nest: np.float32) -> Small:
    """Return shares by nests, each of offers side by side, at U/νμ [D, V, n] (`fluid.choice`)."""
    size = np.diff(np.append(starts, scaled.shape[2]))
    tops = np.maximum.reduceat(scaled, starts, axis=2)
    scaled -= np.repeat(tops, size, axis=2)
    grown = np.exp(scaled, out=scaled)
    total = np.add.reduceat(grown, starts, axis=2)
    inclusive = nest * (tops + np.log(total))
    inclusive -= inclusive.max(axis=2, keepdims=True)
    nested = np.exp(inclusive)
    nested /= nested.sum(axis=2, keepdims=True)
    nested /= total
    grown *= np.repeat(nested, size, axis=2)
    return grown


# --- where to look -----------------------------------------------------------------------------


def deadlines_of(selection: Selection, k: int, count: int = SIDE) -> Floats:
    """Return deadlines that show a class: those of its tasks and somewhat about them, s."""
    st = selection.setting
    due = st.deadline[st.class_of == k]
    due = due[np.isfinite(due) & (due > 0.0)]
    if not len(due):  # a class without deadlines: where one would bite
        times = selection.sojourn[k]
        due = times[np.isfinite(times) & (times > 0.0)]
    return _about(due, count)


def stakes_of(selection: Selection, k: int, count: int = SIDE) -> Floats:
    """Return stakes that show a class: those of its tasks and somewhat about them, USD."""
    task, money = selection.setting.market.tasks[k], selection.setting.money[k]
    values = money.value
    if money.along == "value" and not isinstance(task.value, Recorded):
        values = strata(task.value, 48)[0]
    return _about(values[values > 0.0], count)


def _about(seen: Floats, count: int) -> Floats:
    low, high = (
        (math.log10(float(x)) for x in (seen.min(), seen.max())) if len(seen) else (0.0, 0.0)
    )
    pad = max(_PAD, 0.5 * (_WIDE - (high - low)))
    return np.logspace(low - pad, high + pad, count)
