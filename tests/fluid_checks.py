"""Small fluid markets with results in closed form: one slip and a check notices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import walras as w
from walras.market.fluid import closed, queues
from walras.market.fluid.setting import Setting, setting_of
from walras.market.fluid.solve import Selection, solve

from .code_checks import same

AVERAGE = w.Quotes(latency="average", memory="3 h")


def queue(*arrivals: Any, task: dict[str, Any] | None = None, **seller: Any) -> Setting:
    """Return one seller with captive buyers, a level of priority for each arrival process."""
    kind = {"output_tokens": w.Exponential(mean=1.0), "value": 1.0, "outside_option": False}
    tasks = [
        w.TaskClass(f"t{i}", law, priority=i, **{**kind, **(task or {})})
        for i, law in enumerate(arrivals)
    ]
    sellers = [w.Seller("one", accuracy=1.0, **seller)]
    return setting_of(w.Market(tasks=tasks, sellers=sellers, quotes=AVERAGE))


def sojourns(setting: Setting) -> list[float]:
    """Return the mean time to the answer of each class, s."""
    found: Selection = solve(closed.come_round(setting))
    return [float(time) for time in found.sojourn[:, 0]]


def a_batch_with_a_queue_is_a_birth_death_chain() -> None:
    """κ = 3, two slots, 1.2 tasks/s: L = λT of the chain that falls at φ(1), φ(2), φ(2)..."""
    n = np.arange(2000)
    served = np.where(n[1:] > 1, 2.0 * 3.0 / 4.0, 1.0)
    law = np.exp(np.concatenate([[0.0], np.cumsum(np.log(1.2 / served))]))
    same(sojourns(queue(w.Poisson(1.2), kappa=3.0, slots=2)), [law @ n / law.sum() / 1.2])


def spread_sizes_wait_as_pollaczek_and_khinchine_say() -> None:
    """Load .8, cv 2: 1 + .8·(1 + 4)/2/(1 − .8) = 11."""
    sizes = {"output_tokens": w.LogNormal(mean=1.0, cv=2.0)}
    same(sojourns(queue(w.Poisson(0.8), task=sizes)), [11.0])


def who_is_interrupted_waits_longer() -> None:
    """A5, preemptive: 1/(1 − σ₁) and 1/((1 − σ₁)(1 − σ₂)), σ = .3 and .8."""
    found = sojourns(queue(w.Poisson(0.3), w.Poisson(0.5), discipline="priority_preemptive"))
    same(found, [1.0 / 0.7, 1.0 / 0.7 / 0.2])


def waits_are_counted_over_starts() -> None:
    """M/M/1 + D: E[min(V, D)]/Pr(V < D) of v(t) ∝ e^{−(1−ρ)t} before D and e^{−t} beyond."""
    rho, due = 0.8, 2.0
    fade = math.exp(-(1.0 - rho) * due)
    early, area = (1.0 - fade) / (1.0 - rho), (1.0 - fade) / (1.0 - rho) + fade
    first = (early - due * fade) / (1.0 - rho)
    loads, until = np.array([[rho, 0.0]]), np.array([due, math.inf])
    wait = queues.congestion(loads, 1, until, 1.0, math.inf, 1.0)[2]
    same([wait], [(first + due * fade) / area / (early / area)])


def users_come_round_as_schweitzer_says() -> None:
    """N = 4, Z = 6, S = 1: the lesser root of λ(Z + 1/(1 − 3λ/4)) = 4."""
    setting = closed.come_round(queue(w.Closed(users=4, think_time=6.0)))
    root = np.roots([6.0 * 3.0 / 4.0, -(6.0 + 1.0 + 3.0), 4.0]).min()
    same([setting.moments[0][1][0]], [root])


def slow_phases_count_one_by_one() -> None:
    """Rates .2 and .8 for half the time each: Σ λT of M/M/1 over Σ λ, (1/4 + 4)/1."""
    law = w.MMPP(rates=[0.2, 0.8], dwell=[1e6, 1e6])
    same(sojourns(queue(law)), [(0.2 / 0.8 + 0.8 / 0.2) / 1.0])


def what_does_not_come_one_by_one_is_said() -> None:
    """Batches are approximate where there is a queue, single tasks are exact."""
    tastes = {"choice": w.Logit(scale=0.1)}
    assert queue(w.Batch(rate=0.1, size=3), task=tastes).approximate
    assert not queue(w.Poisson(0.3), task=tastes).approximate
