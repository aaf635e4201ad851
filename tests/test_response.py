"""How a market responds to a parameter, up and down: folds and slopes against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import walras as w
from walras.analysis.equilibrium.response import along, at_prices, reasoners, to_reasoning
from walras.analysis.equilibrium.solved import equilibrium
from walras.analysis.figures import phase_transition as f6
from walras.market.schema.errors import BadInputError
from walras.market.schema.market import Market

from .test_multiplicity import many_and_few, rate_at

RATE = "tasks.many.arrivals.rate"


def fold_near(low: float, high: float, sign: float) -> tuple[float, float]:
    """Return (rate, price) where the rate is least (sign 1) or greatest (−1) between two prices."""
    found = minimize_scalar(
        lambda p: sign * rate_at(p), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    return sign * float(found.fun), float(found.x)


def test_a_market_with_folds_comes_back_by_another_path() -> None:
    """Folds at the extremes of the symmetric branch's rate, a closed form; between them three.

    Without memory on the way down both ways are one, and unless answers are sped up past the first
    fold the market does not settle there.
    """
    found = equilibrium(many_and_few(1.0), certificate=False)
    ends = (RATE, 0.95, 1.4)
    seen = f6.response_of(found, *ends)
    assert seen is not None
    (high, top), (low, bottom) = fold_near(2.6, 3.5, -1.0), fold_near(1.8, 2.4, 1.0)
    assert (low, high) == pytest.approx((1.0326, 1.3012), abs=1e-4)
    for fold, rate, price in zip(seen.folds, (low, high), (bottom, top), strict=True):
        assert fold.value == pytest.approx(rate, abs=1e-9)
        assert abs(fold.value - rate) <= fold.error + 1e-12
        np.testing.assert_allclose(fold.prices, price, rtol=1e-4)
    assert seen.width == pytest.approx(high - low, abs=1e-9)

    (branch,) = seen.branches
    assert branch.value[[0, -1]].tolist() == pytest.approx([0.95, 1.4])
    rates = [rate_at(float(p)) for p in branch.prices[:, 0]]
    np.testing.assert_allclose(rates, branch.value, rtol=1e-7)
    between = (branch.prices[:, 0] < top) & (branch.prices[:, 0] > bottom)
    np.testing.assert_array_equal(branch.stable, ~between)
    assert branch.equilibrium.all()

    table = f6.data(found, *ends)
    line = table[table["kind"] == "branch"]
    p = line["a"].to_numpy(float)
    exact = 2e-5 / np.array([rate_at(x + 1e-5) - rate_at(x - 1e-5) for x in p])
    np.testing.assert_allclose(line["susceptibility"], exact, rtol=1e-4)

    steps = table[table["kind"].isin(["up", "down"])]
    assert steps["settled"].all()
    for kind, jump in (("up", high), ("down", low)):
        at, asked = steps.loc[steps["kind"] == kind, ["value", "a"]].to_numpy(np.float64).T
        assert (asked[at < jump] > top).all()
        assert (asked[at > jump] < bottom).all()
    apart = seen.apart("paid")
    step = 0.005 * (1.4 - 0.95)  # sweeps look so near both sides of a fold
    assert np.ptp(apart) == pytest.approx(seen.width - 2 * step, abs=1e-9)
    assert "between 1.033 and 1.301 it stays" in f6.finding(found, *ends)
    _drawn_with_both_ways(found, ends)


def _drawn_with_both_ways(found: Any, ends: tuple[str, float, float]) -> None:
    drawn = f6.build(found, *ends)
    names = [trace.name for trace in drawn.data]
    assert names.count("stable") == 4  # above and below, on both sides of the unstable part
    assert names.count("unstable") == 1
    assert {"way up", "way down", "fold"} <= set(names)
    for trace in drawn.data:
        if trace.name in ("stable", "unstable") and trace.yaxis == "y":
            assert (trace.line.dash == "dash") == (trace.name == "unstable")
            turned = np.sign(np.diff(trace.x))
            assert (turned == turned[len(turned) // 2]).mean() > 0.98  # each part goes one way


def thinker(**more: Any) -> Market:
    """Return a class with logit tastes, one seller that thinks and one that does not; no queues."""
    task = w.TaskClass("t", w.Poisson(1.0), value=2.0, choice=w.Logit(0.25), output_tokens=0)
    common = {"accuracy": 1.0, "slots": "unlimited"}
    sellers = [
        w.Seller("deep", effort={"high": 100.0}, price={"task": 1.2}, cost={"task": 0.5}, **common),
        w.Seller("fast", price={"task": 1.0}, cost={"task": 0.5}, **common, **more),
    ]
    return Market(tasks=[task], sellers=sellers)


def test_buyers_alone_answer_posted_prices_by_the_logit() -> None:
    """s = e^{(v − fp)/μ} / Σ, and ds/d ln f = −s(1 − s)·fp/μ."""
    found = equilibrium(thinker(), prices="posted", certificate=False)
    table = f6.data(found)
    assert not list(f6.response_of(found).levers)  # type: ignore[union-attr]
    line = table[table["kind"] == "branch"]
    asked = 1.2 * line["value"].to_numpy(float)
    assert asked[[0, -1]] == pytest.approx([0.3, 4.8])
    e = np.exp((2.0 - asked) / 0.25)
    share = e / (e + np.exp(1.0 / 0.25) + 1.0)
    np.testing.assert_allclose(line["reasoning"], share, rtol=1e-6, atol=1e-12)
    slope = -share * (1.0 - share) * asked / 0.25
    np.testing.assert_allclose(line["susceptibility"], slope, rtol=1e-4, atol=1e-9)
    assert f6.finding(found).endswith("and back by the same path")
    drawn = f6.build(found)
    assert [t.name for t in drawn.data].count("stable") == 2
    assert "buyers answer" in f6.caption(found)


def test_rivals_answer_a_dearer_thinker_by_the_mark_up_equation() -> None:
    """fast asks c + μ/(1 − s) at every price of deep (Anderson, de Palma & Thisse 1992)."""
    seen = to_reasoning(thinker(), low=0.5, high=2.0, points=3)
    assert seen.levers == ("fast",)
    assert not seen.folds
    assert seen.width == 0.0
    assert not len(seen.apart("reasoning"))
    assert len(seen.branches) == 1
    logs, price = seen.points[["value", "fast"]].to_numpy(np.float64).T
    deep, fast = np.exp((2.0 - np.array([1.2 * np.exp(logs), price])) / 0.25)
    share = fast / (deep + fast + 1.0)
    np.testing.assert_allclose(price, 0.5 + 0.25 / (1.0 - share), rtol=1e-6)


def test_what_thinks_is_dearer_and_nothing_else() -> None:
    market = thinker()
    assert reasoners(market) == ["deep"]
    assert [s.price.task for s in at_prices(market, 2.0).sellers] == [2.4, 1.0]
    free = market.model_copy(update={"sellers": market.sellers[1:]})
    with pytest.raises(ValueError, match="nobody sells thinking"):
        to_reasoning(free)
    found = equilibrium(free, prices="posted", certificate=False)
    assert f6.data(found).empty
    assert f6.build(found).layout.annotations
    assert "needs another parameter" in f6.caption(found)


def test_what_is_wrong_with_a_range_is_said() -> None:
    market = thinker()
    with pytest.raises(ValueError, match="range is empty"):
        along(market, "tasks.t.value", 2.0, 1.0)
    for low in (0.0, 2.0, 3.0):
        with pytest.raises(ValueError, match="range is empty"):
            to_reasoning(market, low=low, high=2.0)
    with pytest.raises(BadInputError, match="names nothing that a scenario has"):
        along(market, "tasks.t.valeu", 1.0, 2.0)
    found = equilibrium(market, prices="posted", certificate=False)
    with pytest.raises(ValueError, match="least and the greatest"):
        f6.data(found, "tasks.t.value")
