"""The time to an answer where both the wait and the work are exponential, in closed form.

With a wait W of rate w, a service S of rate s and T = W + S (hypoexponential, Cox 1962), let
D(x) = (e^(−sx) − e^(−wx))/(w − s). Whoever has no answer after x seconds is still waiting with
probability e^(−wx), or in service with w·D(x); from there all starts anew, since exponential laws
have no memory. So

  Pr(T > x) = e^(−wx) + w·D(x),  E[g(T − x); T > x] = e^(−wx)·E[g(T)] + w·D(x)·E[g(S)].

In M/M/c the wait of those who wait has the rate w = cμ − λ; in one slot T is exponential on the
whole, at that same rate.
"""

from __future__ import annotations

import math

from .jit import compiled, inner
from .rules import HARD, LINEAR, LN2

_FLAT = 0.02
"""Exponent below which a difference is summed as a series."""
_SHORT = 1e-3


@inner
def _unfinished(slack: float, wait: float, service: float) -> tuple[float, float]:
    """Return the chances to be waiting, and to be in service, after `slack` ≥ 0 seconds."""
    s = 1.0 / service
    if wait <= 0.0:
        return 0.0, math.exp(-s * slack)
    w = 1.0 / wait
    apart = abs(w - s) * slack
    mean = -math.expm1(-apart) / apart if apart > 0.0 else 1.0
    return math.exp(-w * slack), w * slack * math.exp(-min(s, w) * slack) * mean


@compiled
def done_within(slack: float, wait: float, service: float) -> float:
    """Return Pr(T ≤ slack), from the mean wait of those who wait and the mean service, s.

    Example:
        >>> round(done_within(2.0, 0.0, 2.0), 6), round(done_within(2.0, 2.0, 2.0), 6)
        (0.632121, 0.264241)
    """
    if slack <= 0.0:
        return 0.0
    waiting, serving = _unfinished(slack, wait, service)
    return max(1.0 - waiting - serving, 0.0)


@inner
def _fallen(grace: float, wait: float, service: float) -> float:
    """Return E[max(1 − T/grace, 0)] = (1/grace)·∫ Pr(T ≤ x) dx over 0 ≤ x ≤ grace.

    T' density is m(F_slow − F_T), m the larger rate, so that the integral is the slower part's
    alone, less Pr(T ≤ grace)/m.
    """
    slow, fast = max(wait, service), min(wait, service)
    z = grace / slow
    alone = 1.0 + math.expm1(-z) / z if z > _FLAT else (
        z / 2.0 * (1.0 - z / 3.0 * (1.0 - z / 4.0 * (1.0 - z / 5.0 * (1.0 - z / 6.0))))
    )  # fmt: skip
    if fast <= 0.0:
        return alone
    if grace < _SHORT * fast:
        return z * grace / fast / 6.0 * (1.0 - (z + grace / fast) / 4.0)
    return max(alone - done_within(grace, wait, service) * fast / grace, 0.0)


@compiled
def left_within(
    rule: int, parameter: float, slack: float, wait: float, service: float
) -> tuple[float, float, float]:
    """Return (E[δ], Pr(δ > 0), Pr(on time)) where `slack` seconds are left for wait and service.

    Of two exponential times of mean 1, 3e⁻² come after 2 s; with a half-life of 1 s, of those is
    left e⁻²(2/(1 + ln 2) + 1/(1 + ln 2)²).

    Example:
        >>> [round(x, 6) for x in left_within(2, 1.0, 2.0, 1.0, 1.0)]
        [0.801065, 1.0, 0.593994]
    """
    timely = done_within(slack, wait, service)
    if rule == HARD:
        return timely, timely, timely
    waiting, serving = _unfinished(slack, wait, service) if slack > 0.0 else (1.0, 0.0)
    if rule == LINEAR:
        used = done_within(slack + parameter, wait, service)
        rest = parameter + min(slack, 0.0)  # of the grace, where it is all too late already
        if rest <= 0.0:
            return 0.0, 0.0, 0.0
        delta = timely + rest / parameter * (
            waiting * _fallen(rest, wait, service) + serving * _fallen(rest, 0.0, service)
        )
        return delta, used, timely
    decay = LN2 / parameter
    served = 1.0 / (1.0 + decay * service)
    late = served * (waiting / (1.0 + decay * wait) + serving)
    return timely + late * math.exp(decay * min(slack, 0.0)), 1.0, timely


@compiled
def service_within(slack: float, wait: float, service: float) -> float:
    """Return E[S·1{T ≤ slack}], s: less than E[S]·Pr(on time), since long services are late.

    It is E[S; S ≤ x] − s·∫ u·e^(−su − w(x−u)) du over 0 ≤ u ≤ x.

    Example:
        >>> round(service_within(1.0, 0.0, 1.0), 6), round(service_within(1.0, 1.0, 1.0), 6)
        (0.264241, 0.080301)
    """
    if slack <= 0.0:
        return 0.0
    s = 1.0 / service
    alone = -service * math.expm1(-s * slack) - slack * math.exp(-s * slack)
    if wait <= 0.0:
        return alone
    d = s - 1.0 / wait
    z = d * slack
    if abs(z) < _FLAT:
        series = 0.5 - z / 3.0 + z * z / 8.0 * (1.0 - z * 4.0 / 15.0 * (1.0 - z * 5.0 / 24.0))
        begun = slack * slack * math.exp(-slack / wait) * series
    else:
        begun = (math.exp(-slack / wait) - math.exp(-s * slack) * (1.0 + z)) / (d * d)
    return max(alone - s * begun, 0.0)
