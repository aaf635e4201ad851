"""Margins that certificates go by, against the accounts of the very same tasks."""

from __future__ import annotations

import numpy as np

import walras as w
from walras.analysis.certificate import payoffs, runs


def test_a_margin_is_what_the_accounts_leave() -> None:
    """To a nano-dollar a payment: commission, what refunds give back of it, penalties, costs.

    A platform that kept its part of refunds (the mutant) would leave half a cent less a task.
    """
    task = w.TaskClass(
        "jobs", w.Poisson(0.8), output_tokens=w.Exponential(mean=1.0), value=2.0, deadline=3.0,
        patience="none", choice=w.Logit(0.3),
    )  # fmt: skip
    terms = {"refund_wrong": 0.5, "refund_late": 0.2, "promise": 1.5, "penalty": 0.07}
    sellers = [
        w.Seller(n, accuracy=a, price=w.per_task(p), cost=w.per_task(0.3), **terms)
        for n, a, p in (("good", 0.9, 0.8), ("poor", 0.6, 0.5))
    ]
    market = w.Market(tasks=[task], sellers=sellers, platform=w.Platform(commission=0.2))
    run = runs.simulate(market, 0, (0.0, 2000.0))
    stats = run.state.stats[:, :-1]
    ended = sum(stats[name] for name in ("served", "reneged", "failed"))
    taken = ("refund", "penalty", "commission", "cost", "advertising")
    left = 1e-9 * (stats["paid"] - sum(stats[name] for name in taken))
    assert (stats["refund"] > 0.05 * stats["paid"]).all()
    assert (stats["penalty"] > 0).all()
    assert ended.min() > 200
    np.testing.assert_allclose(payoffs.margins(run, 0.0, 2000.0) * ended, left, atol=1e-9 * 2000)
    assert (0.2e-9 * stats["refund"] / ended).min() > 0.005
