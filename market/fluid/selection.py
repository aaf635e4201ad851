"""Selection equilibrium: shares and delays that are each other's consequence.

Given charges, f = X(y(f)): flows f make the sellers' state y (slow-down, chance and mean of a
wait), and buyers answer y by choosing X. It is Wardrop's (1952) equilibrium for argmax buyers and
stochastic user equilibrium (Daganzo & Sheffi 1977) for logit ones.

Newton's method with the Jacobian of `slopes`; where buyers are alike but for tastes, flows are
compared by their logarithms, in which choice is all but linear, and near a seller's limit loads by
the delays they make. A step ends before any seller is saturated and before the residual grows;
where that leaves nothing, flows are averaged instead.

Argmax buyers who are all alike are the limit of logit buyers whose tastes fade. So are those who
differ along a law where offers are so much alike that it does not tell who takes which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..state import FCFS
from .choice import Choices, Cuts
from .population import Floats
from .response import Quoted, Response
from .setting import Charges, Flags, Setting
from .slopes import Slopes, slopes_at

TOLERANCE = 1e-11
"""Largest difference between a flow and the choice it leads to, as a share of all arrivals."""
_MOST_STEPS, _MOST_AVERAGES = 60, 200
_PARTS = 0.5 ** np.arange(10)
"""Parts of a step that are tried."""
_CALM, _FURTHER = 0.1, 0.01
"""Where buyers' choices are followed as they are, a step leaves this share of the difference at
most, and steps go on to this share of the tolerance: Newton's method would end beyond it, too."""
_LAST = 1e-5
"""Largest difference, as a share of all arrivals, from which one step more is likely the last."""
_FADE, _FAINT, _NEAR = 0.2, 1e-8, 0.01
"""Tastes fade by steps, to a share of the stakes; near an equilibrium they start at another."""
_LENT = 1e-6
"""Tastes lent at last where tolls are looked for, as a share of how far apart offers are."""
_CUTS = 4
"""Times that lines of values are cut anew at most."""
_FULL = 1.0 - 1e-9
"""Load over what can be served at which a seller that is wanted by more is given up."""
_FEW = 1e-8
"""Share of buyers who do without below which they are not told from digits of those who do not."""
_TINY = 1e-200
"""Tasks/s of an offer that nobody takes."""


@dataclass(frozen=True)
class Flows:
    """A selection equilibrium at one moment.

    Attributes:
        rates: arrivals of each class, tasks/s, shape [K].
        flow: tasks/s of each kind to each offer, shape [J, O].
        choices: what the buyers of each kind choose, over `on_show`.
        on_show: offers that each kind considers, shape [J, O].
        state: of the sellers, shape [S, W]; see `stations`.
        expected: what each kind can expect, shape [J, O, PARTS].
        iterations: steps taken.
        residual: largest difference between a flow and the choice it leads to, over all arrivals.
        converged: whether that is below the tolerance.
        saturated: sellers whose load has come to what they can serve, shape [S].
        toll: what buyers are charged beside prices, which nobody gets, USD, shape [J, O].
        faint: tastes lent to argmax buyers, USD; 0 where there are none.
        lent: whether they are lent to those, too, who differ along a law.
        cuts: how lines of values and delay costs are cut (`Response.cuts`).
        calm: whether delays hardly answer to flows, so that choices were followed as they are.
    """

    rates: Floats
    flow: Floats
    choices: list[Choices]
    on_show: Flags
    state: Floats
    expected: Floats
    iterations: int
    residual: float
    converged: bool
    saturated: Flags
    toll: Floats
    faint: float = 0.0
    lent: bool = False
    cuts: tuple[Cuts | None, ...] = ()
    calm: bool = False


def select(
    setting: Setting, charges: Charges, rates: Floats, start: Flows | None = None,
    toll: Floats | None = None, faint: float | None = None, tolerance: float = TOLERANCE,
) -> Flows:  # fmt: skip
    """Return the selection equilibrium at one moment.

    Args:
        setting: the market.
        charges: prices and what else buyers go by.
        rates: arrivals of each class, tasks/s, shape [K].
        start: an equilibrium to start from.
        toll: charged beside prices, USD, shape [J, O]; none when absent.
        faint: tastes lent to buyers who are all alike, USD; ever fainter ones when absent.
        tolerance: largest residual, as a share of all arrivals.
    """
    response = Response(setting, charges, rates, toll, like=start)
    response.faint, response.lent = 0.0, False
    alike = _alike(setting)
    if alike and faint is not None:
        response.faint, response.stake = faint, _stakes(response, alike)[1]
        return _solved(response, start, tolerance)
    if alike:
        found = _faded(response, alike, start, tolerance)
    else:
        found = _solved(response, start, tolerance)
    along = [k for k, m in enumerate(setting.money) if setting.argmax[k] and m.along]
    if found.converged or not along or found.saturated.any():
        return found
    response.lent = True
    return _faded(response, [*alike, *along], found, tolerance)


def _solved(response: Response, start: Flows | None, tolerance: float) -> Flows:
    """Return an equilibrium at given tastes, cut as finely as it asks for."""
    steps, calm = 0, not response.setting.argmax.any()
    for _ in range(_CUTS):
        calm = calm if start is None else start.calm
        found = _newton(response, _inside(response, start), tolerance, calm)
        steps += found.iterations
        if not (found.converged and response.cut(response.quoted(found.expected))):
            break
        start = found
    return replace(found, iterations=steps)


def _faded(response: Response, classes: list[int], start: Flows | None, tolerance: float) -> Flows:
    """Return the limit of an equilibrium as tastes lent to argmax buyers of these classes fade."""
    most, response.stake = _stakes(response, classes)
    # Not below what the points of a law, or digits, can tell apart.
    gaps = [0.5 * response.setting.money[k].gap for k in classes]
    least = max(_FAINT * response.stake, 1e-12 * most, *gaps)
    response.faint = max(most * (1.0 if start is None else _NEAR), least)
    found, steps = start, 0
    while True:
        found = _solved(response, found, tolerance)
        steps += found.iterations
        if response.faint <= least:
            return replace(found, iterations=steps)
        response.faint = max(response.faint * _FADE, least)


def _alike(setting: Setting) -> list[int]:
    """Return the classes whose buyers have no tastes and differ along no law."""
    return [k for k, m in enumerate(setting.money) if setting.argmax[k] and not m.along]


def fading(setting: Setting, charges: Charges, rates: Floats) -> list[float]:
    """Return fading tastes, USD, with which a market of buyers who are all alike can be solved.

    None where there is no class of such buyers.
    """
    alike = _alike(setting)
    if not alike:
        return []
    most, apart = _stakes(Response(setting, charges, rates), alike)
    count = math.ceil(math.log(most / (_LENT * apart)) / -math.log(_FADE))
    return [most * _FADE**i for i in range(count)] + [_LENT * apart]


def _stakes(response: Response, classes: list[int]) -> tuple[float, float]:
    """Return the most that buyers of some classes can gain, and how far apart their offers are.

    In USD. The second is the first where all offers are worth the same to them.
    """
    st, quoted = response.setting, response.quoted(response.alone)
    most, apart = 1e-12, 0.0
    for j in np.flatnonzero(np.isin(st.class_of, classes)):
        money, on = st.money[st.class_of[j]], response.on_show[j]
        if not on.any():
            continue
        v, c = float(money.value.max()), float(money.delay.max())
        worth = v * quoted.gain[j, on] - c * quoted.time[j, on] - quoted.base[j, on]
        most, apart = max(most, float(np.abs(worth).max())), max(apart, float(np.ptp(worth)))
    return most, apart if apart > 1e-9 * most else most


def _inside(response: Response, start: Flows | None) -> Floats:
    """Return flows that saturate no seller, from those of a start or those to idle sellers."""
    if start is None:
        quoted = response.quoted(response.alone)
        response.cut(quoted)
        flow = response.wanted(response.choose(quoted, moves=False))
    else:
        before = start.rates[response.setting.class_of]
        grown = np.divide(response.rates[response.setting.class_of], before,
                          out=np.zeros_like(before), where=before > 0.0)  # fmt: skip
        flow = np.where(response.on_show, start.flow * grown[:, None], 0.0)
        fresh = (grown == 0.0) & (response.arrivals > 0.0)
        if fresh.any():
            flow[fresh] = _inside(response, None)[fresh]
    flow = np.maximum(flow, np.where(response.on_show, _TINY, 0.0))
    load = response.lasting(flow)
    cap = 0.98 if start is not None else 0.5
    room = np.where(
        load > cap * response.limits, cap * response.limits / np.maximum(load, _TINY), 1.0
    )
    return np.asarray(flow * room[response.setting.seller_of])


def _newton(response: Response, flow: Floats, tolerance: float, calm: bool) -> Flows:
    """Iterate from flows that saturate nobody.

    Where delays hardly answer to flows, what buyers choose is soon what they have chosen, and
    derivatives are not worth their while: then, if `calm`, choices are followed as they are.
    """
    total = max(float(response.arrivals.sum()), _TINY)
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
            gap = np.log(np.maximum(point.want[j], _TINY) / np.maximum(point.flow[j], _TINY))
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
    flow, want = now.flow[j, on], np.maximum(now.want[j, on], _TINY)
    away = float(now.choices[j].share[-1])
    without = max(float(total - flow.sum()), _TINY)
    gap = np.log(want) - np.log(np.maximum(flow, _TINY))
    last = math.log(max(total * away, _TINY)) - math.log(without)
    if away < _FEW:  # a difference of sums that digits do not tell
        without, last, total = 0.0, 0.0, total * (1.0 - away)
    size = max(float(flow.sum()) + without, _TINY)
    mean = float(flow @ gap + without * last - (total - size)) / size
    push[j, on] = flow * (gap - mean)
    # Rows of A for the choices' shares become those for the flows' shares.
    rows = slopes.answer.reshape(*push.shape, -1)
    by_choice = rows[j, on] / np.maximum(now.want[j, on], _TINY)[:, None]
    by_mean = flow @ by_choice - without * rows[j, on].sum(axis=0) / max(total * away, _TINY)
    rows[j, on] = flow[:, None] * (by_choice - by_mean / size)


def _kept_inside(response: Response, flow: Floats, step: Floats, wanted: Floats) -> Floats:
    """Return flow + step, positive, at most nine tenths of the way to any seller's limit.

    Choice follows delays, and they are much like 1/room near the limit. Of a seller beyond half its
    load a rise d that is to leave the room r − d therefore leaves r/(1 + d/r): what Newton's method
    takes for a line is then one in the delay. Where far more want to come than there is room for,
    the limit is come near sooner.
    """
    grown = np.clip(step / np.maximum(flow, _TINY), -50.0, 0.0)
    after = np.where(grown < -0.9, 0.1 * flow * np.exp(grown + 0.9), flow + step)
    after = np.where(wanted > 0.0, after, 0.0)
    after = np.where(response.on_show, np.maximum(after, _TINY), 0.0)
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
    allowed = before + np.where(bent, rise / (1.0 + rise / np.maximum(room, _TINY)), 0.0)
    scale = np.where(bent, allowed / np.maximum(before + rise, _TINY), 1.0)
    return np.asarray(after * scale[response.setting.seller_of])


__all__ = ["FCFS", "TOLERANCE", "Flows", "Quoted", "Response", "Slopes", "select", "slopes_at"]
