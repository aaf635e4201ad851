"""Choices of buyers without tastes, who differ along one law.

Utilities are lines in what differs, and the offers that are taken follow each other on their upper
envelope, which is convex: the buyers of an offer are an interval, and who is at its end moves when
utility does, ∂share/∂U = density / difference of the slopes (Shaked & Sutton 1982 and Mussa & Rosen
1978 are this with quality as the slope).
"""

from __future__ import annotations

import math

import numpy as np

from .choice import Choices
from .money import Money
from .population import Floats, below


def envelope_choices(
    gain: Floats, time: Floats, base: Floats, money: Money, outside: bool, moves: bool
) -> Choices:
    """Return the choices of argmax buyers along the law `money.along`, over points of the other.

    Args:
        gain: of each offer per USD of value, shape [n].
        time: to the answer, s, shape [n].
        base: what else it costs, USD, shape [n].
        money: the buyers' values and delay costs.
        outside: whether doing without is a choice.
        moves: whether derivatives are wanted.

    Example:
        >>> from walras.market.schema.distributions import Uniform
        >>> law = Uniform(low=0.0, high=1.0)
        >>> unit = Money.of_one(0.5, 0.0, along="value", law=law)
        >>> lines = np.array([1.0, 0.5]), np.zeros(2), np.array([0.5, 0.2])
        >>> envelope_choices(*lines, unit, True, False).share.round(6).tolist()
        [0.4, 0.2, 0.4]
    """
    parts = [_along(gain, time, base, money, i, outside, moves) for i in range(len(money.weights))]
    if len(parts) == 1:
        return parts[0]
    w = money.weights
    share, value, delay, surplus = (
        sum(x * getattr(p, name) for x, p in zip(w, parts, strict=True))
        for name in ("share", "value", "delay", "surplus")
    )
    return Choices(
        share, value, delay, surplus,
        sum(x * p.moves for x, p in zip(w, parts, strict=True)) if moves else None,
    )  # fmt: skip


def _along(
    gain: Floats, time: Floats, base: Floats, money: Money, i: int, outside: bool, moves: bool
) -> Choices:
    """Return the choices of the buyers that are at point i of what the law is not of."""
    v, c = float(money.value[i]), float(money.delay[i])
    if money.along == "value":
        per = c / v if money.shared and v > 0.0 else 0.0
        b, a = gain - per * time, -base - (0.0 if per else c) * time
    else:
        per = 0.0
        b, a = -time, v * gain - base
    n = len(gain)
    lines_a, lines_b = (np.append(a, 0.0), np.append(b, 0.0)) if outside else (a, b)
    order, ends = _envelope(lines_a, lines_b)
    share, first = np.zeros(n + 1), np.zeros(n + 1)
    slopes = np.zeros((3, n, n))
    surplus = 0.0
    mass, moment = 0.0, 0.0
    for place, o in enumerate(order):
        end = ends[place]
        upto, part, density = below(money.law, end)
        share[o], first[o] = upto - mass, part - moment
        surplus += lines_a[o] * share[o] + lines_b[o] * first[o]
        if moves and place + 1 < len(order) and density > 0.0:
            p = order[place + 1]
            rate = density / (lines_b[p] - lines_b[o])
            at_v = end if money.along == "value" else v
            at_c = per * end if per else (end if money.along == "delay" else c)
            for x, y in ((o, p), (p, o)):
                for q, sign in ((x, 1.0), (y, -1.0)):
                    if x < n and q < n:
                        slopes[:, x, q] += sign * rate * np.array([1.0, at_v, at_c])
        mass, moment = upto, part
    if money.along == "value":
        value = first[:n]
        delay = per * first[:n] if per else c * share[:n]
    else:
        value, delay = v * share[:n], first[:n]
    return Choices(share, value, delay, surplus, slopes if moves else None)


def _envelope(a: Floats, b: Floats) -> tuple[list[int], list[float]]:
    """Return the lines a + b·x on the upper envelope over x ≥ 0, in order, and where each ends."""
    order: list[int] = []
    ends: list[float] = []
    x = 0.0
    here = int(np.lexsort((b, a))[-1])
    while True:
        order.append(here)
        steeper = np.flatnonzero(b > b[here])
        if not len(steeper):
            ends.append(math.inf)
            return order, ends
        meets = (a[here] - a[steeper]) / (b[steeper] - b[here])
        x = max(float(meets.min()), x)
        ends.append(x)
        nearest = steeper[meets <= meets.min() + 1e-15 * abs(meets.min())]
        here = int(nearest[np.argmax(b[nearest])])
