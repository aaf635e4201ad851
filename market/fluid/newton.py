"""Newton's method for flows that are the choices they lead to, with steps that saturate nobody.

With the Jacobian of `slopes`; where buyers are alike but for tastes, flows are compared by their
logarithms, in which choice is all but linear, and near a seller's limit loads by the delays they
make. A step ends before any seller is saturated and before the residual grows; where that leaves
nothing, flows are averaged instead.
"""

from __future__ import annotations

import math

import numpy as np

from .flows import TINY, Flows
from .population import Floats
from .response import Response
from .slopes import Slopes, slopes_at

_MOST_STEPS, _MOST_AVERAGES = 60, 200
_PARTS = 0.5 ** np.arange(10)
"""Parts of a step that are tried."""
_CALM, _FURTHER = 0.1, 0.01
"""Where buyers' choices are followed as they are, a step leaves this share of the difference at
most, and steps go on to this share of the tolerance: Newton's method would end beyond it, too."""
_LAST = 1e-5
"""Largest difference, as a share of all arrivals, from which one step more is likely the last."""
_FULL = 1.0 - 1e-9
"""Load over what can be served at which a seller that is wanted by more is given up."""
_FEW = 1e-8
"""Share of buyers who do without below which they are not told from digits of those who do not."""


def newton(response: Response, flow: Floats, tolerance: float, calm: bool) -> Flows:
    """Iterate from flows that saturate nobody.

    Where delays hardly answer to flows, what buyers choose is soon what they have chosen, and
    derivatives are not worth their while: then, if `calm`, choices are followed as they are.
    """
    total = max(float(response.arrivals.sum()), TINY)
    now = _Point(response, flow, moves=not calm)
    steps, averages, recent = 0, 0, [now.error]
    while steps < _MOST_STEPS and averages < _MOST_AVERAGES:
        if now.error <= tolerance * total * (_FURTHER if calm else 1.0):
            break
        full = response.lasting(now.flow) > _FULL * response.limits
        if full.any() and (response.lasting(now.want)[full] > response.limits[full]).any():
            break
        point = _followed(response, now) if calm else None
        if point is None and calm:
            calm = False
            continue
        if point is None:
            point = _line_search(response, now, [now.error, max(recent)])
        if point is None:  # no direction that helps: average, by ever smaller parts
            averages += 1
            part = 1.0 / (1.0 + 0.2 * averages) * 0.5
            point = _Point(
                response, _kept_inside(response, now.flow, part * (now.want - now.flow), now.want)
            )
        else:
            steps += 1
        now = point
        recent = [*recent[-3:], now.error]
    return Flows(
        rates=response.rates, flow=_balanced(response, now) if response.faint else now.want,
        choices=now.choices, on_show=response.on_show, state=now.state, expected=now.expected,
        iterations=steps + averages, residual=now.error / total,
        converged=now.error <= tolerance * total,
        saturated=response.lasting(now.flow) > 0.9999 * response.limits,
        toll=response.toll, faint=response.faint, lent=response.lent, cuts=tuple(response.cuts),
        calm=(calm or now.calm) and not response.setting.argmax.any(),
    )  # fmt: skip


def _followed(response: Response, now: _Point) -> _Point | None:
    """Return the point of what buyers want at one, if that is much nearer; else None."""
    flow = _kept_inside(response, now.flow, now.want - now.flow, now.want)
    point = _Point(response, flow, moves=False)
    return point if point.error < _CALM * now.error else None


def _balanced(response: Response, point: _Point) -> Floats:
    """Return flows that add up to the arrivals, to the last digit."""
    total = point.flow.sum(axis=1)
    chosen = response.arrivals * np.array([1.0 - choice.share[-1] for choice in point.choices])
    scale = np.divide(chosen, total, out=np.zeros_like(total), where=total > 0.0)
    return np.asarray(point.flow * scale[:, None])


class _Point:
    """All that follows from flows."""

    def __init__(
        self, response: Response, flow: Floats, moves: bool = True, calm: bool = False
    ) -> None:
        self.flow, self.moves, self.calm = flow, moves, calm
        self.state = response.congest(*response.loads(flow))
        self.expected, self.idle, self.later = response.expected(self.state)
        self.choices = response.choose(response.quoted(self.expected), moves=moves)
        self.want = response.wanted(self.choices)
        self.error = float(_misses(response, self).max(initial=0.0))

    def slopes(self, response: Response) -> Slopes:
        """Return the derivatives here."""
        if not self.moves:
            self.choices, self.moves = response.choose(response.quoted(self.expected), True), True
        return slopes_at(response, self.flow, self.state, self.idle, self.later, self.choices)


def _lent(response: Response, j: int) -> bool:
    """Return whether the buyers of a kind choose by tastes lent to them."""
    st, k = response.setting, response.setting.class_of[j]
    return bool(st.argmax[k] and (response.lent or not st.money[k].along))


def _misses(response: Response, point: _Point) -> Floats:
    """Return by how much flows miss their choices, tasks/s, shape [J].

    Of buyers without tastes, who leave an offer for any gain, it is the gain that is left, as a
    share of how far apart offers are (the relative gap of traffic assignment), times the flow.
    """
    miss = np.abs(point.want - point.flow).max(axis=1, initial=0.0)
    for j in range(len(miss)):
        if _lent(response, j):
            gap = np.log(np.maximum(point.want[j], TINY) / np.maximum(point.flow[j], TINY))
            lost = np.abs(point.flow[j] * gap).max(initial=0.0)
            miss[j] = min(lost, miss[j]) * response.faint / response.stake
    return np.asarray(miss)


def _single(response: Response, j: int) -> bool:
    """Return whether the buyers of a kind are all alike but for plain tastes."""
    st, k = response.setting, response.setting.class_of[j]
    if st.money[k].sums.size > 6:
        return False
    return bool(st.argmax[k] or st.state.classes["nest"][k] == 1.0)


def _line_search(response: Response, now: _Point, most: list[float]) -> _Point | None:
    """Return the first point along Newton's direction that is nearer, or None.

    Nearer than the first error, or if there is none than the next: where there are corners it helps
    to go round them, elsewhere it leads to where delays are steep.
    """
    slopes, push = now.slopes(response), now.want - now.flow
    again = now.error > _LAST * float(response.arrivals.sum())  # derivatives are wanted once more
    for j in range(len(push)):
        if _single(response, j):
            _by_logarithm(response, now, slopes, push, j)
    try:
        step = slopes.settle(push.ravel()).reshape(push.shape)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(step).all():
        return None
    # What delays make of a step, A·B·step, is by what it differs from the push.
    calm = bool(np.abs(step - push).max() < _CALM * np.abs(step).max())
    tried: list[_Point] = []
    for error in most:
        for i, part in enumerate(_PARTS if error > now.error else _PARTS[:4]):
            if i == len(tried):
                flow = _kept_inside(response, now.flow, part * step, now.want)
                tried.append(_Point(response, flow, again, calm))
            if tried[i].error < (1.0 - 0.1 * part) * error:
                return tried[i]
    return None


def _by_logarithm(response: Response, now: _Point, slopes: Slopes, push: Floats, j: int) -> None:
    """Let Newton's method compare the flows of kind j with its choices by their logarithms.

    ln f_o − U_o(f)/μ + L = 0 and Σ f = arrivals are linear in L and, but for delays, in U: the
    derivatives are those of the flows' own shares, and the step makes the sum come true.
    """
    on, total = response.on_show[j], response.arrivals[j]
    if total <= 0.0 or not on.any():
        return
    flow, want = now.flow[j, on], np.maximum(now.want[j, on], TINY)
    away = float(now.choices[j].share[-1])
    without = max(float(total - flow.sum()), TINY)
    gap = np.log(want) - np.log(np.maximum(flow, TINY))
    last = math.log(max(total * away, TINY)) - math.log(without)
    if away < _FEW:  # a difference of sums that digits do not tell
        without, last, total = 0.0, 0.0, total * (1.0 - away)
    size = max(float(flow.sum()) + without, TINY)
    mean = float(flow @ gap + without * last - (total - size)) / size
    push[j, on] = flow * (gap - mean)
    # Rows of A for the choices' shares become those for the flows' shares.
    rows = slopes.answer.reshape(*push.shape, -1)
    by_choice = rows[j, on] / np.maximum(now.want[j, on], TINY)[:, None]
    by_mean = flow @ by_choice - without * rows[j, on].sum(axis=0) / max(total * away, TINY)
    rows[j, on] = flow[:, None] * (by_choice - by_mean / size)


def _kept_inside(response: Response, flow: Floats, step: Floats, wanted: Floats) -> Floats:
    """Return flow + step, positive, at most nine tenths of the way to any seller's limit.

    Choice follows delays, and they are much like 1/room near the limit. Of a seller beyond half its
    load a rise d that is to leave the room r − d therefore leaves r/(1 + d/r): what Newton's method
    takes for a line is then one in the delay. Where far more want to come than there is room for,
    the limit is come near sooner.
    """
    grown = np.clip(step / np.maximum(flow, TINY), -50.0, 0.0)
    after = np.where(grown < -0.9, 0.1 * flow * np.exp(grown + 0.9), flow + step)
    after = np.where(wanted > 0.0, after, 0.0)
    after = np.where(response.on_show, np.maximum(after, TINY), 0.0)
    before, load = response.lasting(flow), response.lasting(after)
    room = response.limits - before
    part = 1.0
    over = load - before > 0.9 * room
    if over.any():
        part = float((0.9 * room[over] / (load - before)[over]).min())
    after = flow + part * (after - flow)
    rise = np.maximum(response.lasting(after) - before, 0.0)
    bent = np.isfinite(room) & (before > 0.5 * response.limits) & (rise > 0.0)
    bent &= response.lasting(wanted) < 2.0 * response.limits
    allowed = before + np.where(bent, rise / (1.0 + rise / np.maximum(room, TINY)), 0.0)
    scale = np.where(bent, allowed / np.maximum(before + rise, TINY), 1.0)
    return np.asarray(after * scale[response.setting.seller_of])
