"""Selection equilibrium: shares and delays that are each other's consequence.

Given charges, f = X(y(f)): flows f make the sellers' state y (slow-down, chance and mean of a
wait), and buyers answer y by choosing X. It is Wardrop's (1952) equilibrium for argmax buyers and
stochastic user equilibrium (Daganzo & Sheffi 1977) for logit ones.

`newton` finds the flows.

Argmax buyers who are all alike are the limit of logit buyers whose tastes fade. So are those who
differ along a law where offers are so much alike that it does not tell who takes which.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .flows import TINY, Flows
from .newton import newton
from .population import Floats
from .response import Response
from .setting import Charges, Setting

TOLERANCE = 1e-11
"""Largest difference between a flow and the choice it leads to, as a share of all arrivals."""
_FADE, _FAINT, _NEAR = 0.2, 1e-8, 0.01
"""Tastes fade by steps, to a share of the stakes; near an equilibrium they start at another."""
_LENT = 1e-6
"""Tastes lent at last where tolls are looked for, as a share of how far apart offers are."""
_CUTS = 4
"""Times that lines of values are cut anew at most."""


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
        found = newton(response, _inside(response, start), tolerance, calm)
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
    flow = np.maximum(flow, np.where(response.on_show, TINY, 0.0))
    load = response.lasting(flow)
    cap = 0.98 if start is not None else 0.5
    room = np.where(
        load > cap * response.limits, cap * response.limits / np.maximum(load, TINY), 1.0
    )
    return np.asarray(flow * room[response.setting.seller_of])
