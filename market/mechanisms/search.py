"""Sequential search: a buyer looks at offers one by one, each look costs, and stops when best.

The listing tells prices, delays and accuracies, so the expected utility U_o of every offer shown
is known; the buyer's taste ε_o for it is learnt by looking, at a cost s. Weitzman (1979): give
every offer the reservation value z_o at which a look is just worth its cost,

  s = E[max(U_o + ε_o − z_o, 0)],

look in descending order of z_o, and stop when the best found (or doing without) is at least the
next z_o; then take the best found. Tastes are alike for all offers, ε = μ·X, so z_o = U_o + μζ
with s/μ = E[max(X − ζ, 0)], and the order is that of U_o. For mean-zero Gumbel tastes,
X = G − γ with Pr(X > x) = 1 − exp(−e^(−(x + γ))), the substitution t = e^(−(x + γ)) gives

  E[max(X − ζ, 0)] = ∫_ζ^∞ Pr(X > x) dx = ∫_0^T (1 − e^(−t))/t dt = Ein(T),  T = e^(−(ζ + γ)),

with Ein(T) = E₁(T) + ln T + γ (Abramowitz & Stegun 1964, 5.1.39). Argmax buyers have no tastes:
ζ = −s, so they look at the best offer, pay once, and only if it is worth more than that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from ..choice import taste_for
from ..jit import compiled, inner, spliced
from ..rng import hash2
from ..state import State
from ..tastes import EULER

_LARGE = 40.0
"""Beyond e⁴⁰ the exponential integral E₁ is zero to the last bit."""


def gain_of_looking(log_t: float) -> float:
    """Return Ein(e^y) = ∫₀^exp(y) (1 − e^(−t))/t dt, the gain that a look promises at y = ln T.

    By its series below 1, where E₁(T) + ln T + γ would lose its digits.

    Example:
        >>> round(gain_of_looking(0.0), 12)  # Ein(1)
        0.796599599297
    """
    if log_t > 0.0:
        tail = float(special.exp1(math.exp(log_t))) if log_t < _LARGE else 0.0
        return tail + log_t + EULER
    t = math.exp(log_t)
    total, term = 0.0, -1.0
    for k in range(1, 25):
        term *= -t / k
        total += term / k
    return total


def reservation(cost: float, scale: float) -> float:
    """Return z_o − U_o, USD: what a buyer with tastes of scale μ hopes for when looking costs s.

    Infinite where looking is free; −s for buyers without tastes (scale 0). The root ln T lies
    between ln(s/μ) and s/μ, since ln T + γ ≤ Ein(T) ≤ T.

    Example:
        >>> round(reservation(0.796599599297, 1.0) + EULER, 9)  # Ein(1): T = 1, ζ = −γ
        0.0
        >>> reservation(0.3, 0.0), reservation(0.0, 1.0)
        (-0.3, inf)
    """
    if cost <= 0.0:
        return math.inf
    if scale <= 0.0:
        return -cost
    share = cost / scale
    if share > 1e6:  # Ein(T) = ln T + γ: whatever it finds, the look is lost
        return -cost
    if share < 1e-14:  # Ein(T) = T
        return scale * (-math.log(share) - EULER)
    root: Any = optimize.brentq(
        lambda y: gain_of_looking(y) - share, math.log(share) - 1e-9, share, xtol=1e-15, rtol=1e-15
    )
    return scale * (-float(root) - EULER)


@compiled
def worth_a_look(utility: float, look: float, found: float) -> bool:
    """Return whether to look at an offer: its reservation value exceeds the best found so far.

    `look` is `reservation`. Who is indifferent does not look; an offer off the market has a
    utility of −∞.

    Example:
        >>> worth_a_look(1.0, 0.5, 1.4), worth_a_look(1.0, 0.5, 1.5)
        (True, False)
    """
    return utility > -math.inf and found < utility + look


@inner
def next_look(
    score: NDArray[np.float64], shown: NDArray[np.int64], looked: int, count: int,
    id_: np.uint64, offers: Any,
) -> int:  # fmt: skip
    """Return the place of the best offer among those not looked at, `looked` to `count` − 1.

    `score[j]` is the expected utility of the offer `shown[j]`; ties go by the task's own coin.
    """
    best = looked
    for j in range(looked + 1, count):
        if score[j] > score[best] or (
            score[j] == score[best]
            and hash2(id_, offers[shown[j]]["tie_key"]) > hash2(id_, offers[shown[best]]["tie_key"])
        ):
            best = j
    return best


@spliced
def look_around(st: State, k: int, i: int, count: int, outside: float) -> int:
    """Let the buyer of task i search among the offers shown; return how many it has looked at.

    They then come first in `st.shown`, in the order of looking, with the taste they turned out to
    have in `st.score`. What it has cost stands in the task.
    """
    task, look = st.tasks[i], st.classes[k]["look"]
    found, looked = outside, 0
    while looked < count:
        j = next_look(st.score, st.shown, looked, count, task["id"], st.offers)
        o, utility = st.shown[j], st.score[j]
        if not worth_a_look(utility, look, found):
            break
        st.shown[j], st.score[j] = st.shown[looked], st.score[looked]
        st.shown[looked], st.score[looked] = o, utility + taste_for(st, k, o, task["id"])
        found = max(found, st.score[looked])
        looked += 1
    task["search"] = looked * st.clock[0]["search_cost"]
    return looked
