"""Measures of a market against closed forms: diversion, diversity, use, misses, mark-ups."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import walras as w
from walras.analysis.equilibrium.measures import diversion, measures
from walras.analysis.equilibrium.solved import equilibrium
from walras.market.fluid.setting import setting_of
from walras.market.fluid.solve import Selection, solve

PRICES = {"a": 1.3, "b": 1.5, "c": 1.9}
SCALES = {"many": (1.0, 2.0, 0.25), "few": (0.3, 2.6, 0.6)}
"""Rate, value and scale of tastes of each class."""


def _logit(prices: dict[str, float], classes: tuple[str, ...] = ("many",), **more: Any) -> w.Market:
    """Sellers without queues whose tasks cost 1, and classes of logit buyers."""
    tasks = [
        w.TaskClass(
            name, w.Poisson(rate), value=value, delay_cost=more.get("delay_cost", 0.0),
            output_tokens=w.Exponential(mean=1.0), choice=w.Logit(scale),
        )
        for name, (rate, value, scale) in SCALES.items() if name in classes
    ]  # fmt: skip
    shop = {"accuracy": 1.0, "cost": w.per_task(1.0), "slots": more.get("slots", "unlimited")}
    sellers = [w.Seller(n, price=w.per_task(p), **shop) for n, p in prices.items()]
    return w.Market(
        tasks=tasks, sellers=sellers, quotes=w.Quotes(latency="average"),
        platform=w.Platform(commission=more.get("commission", 0.0)),
    )  # fmt: skip


def _solved(market: w.Market) -> Selection:
    return solve(setting_of(market))


def _matrix(table: pd.DataFrame) -> Any:
    return table.pivot(index="seller", columns="to", values="diversion")


def test_a_logit_diverts_by_shares() -> None:
    """D_ij = s_j/(1 − s_i), to doing without, too."""
    found = _solved(_logit(PRICES))
    share = dict(zip([*PRICES, "outside"], found.share[0], strict=True))
    table = diversion(found)
    assert len(table) == 9
    assert table.attrs["units"] == {"diversion": "ratio"}
    for seller, to, ratio in table.to_numpy():
        assert ratio == pytest.approx(share[to] / (1.0 - share[seller]), rel=1e-9)


def test_classes_count_by_what_they_would_move() -> None:
    """D_ij = Σ_k λ_k·s_ki·s_kj/μ_k over Σ_k λ_k·s_ki·(1 − s_ki)/μ_k; the rows add up to 1."""
    found = _solved(_logit(PRICES, ("many", "few")))
    weight = np.array([rate / scale for rate, _, scale in SCALES.values()])
    cross = np.einsum("k,ki,kj->ij", weight, found.share, found.share)
    own = weight @ (found.share * (1.0 - found.share))
    seen = _matrix(diversion(found))
    for i, one in enumerate(PRICES):
        for j, other in enumerate([*PRICES, "outside"]):
            if other != one:
                assert seen.loc[one, other] == pytest.approx(cross[i, j] / own[i], rel=1e-9)
        assert seen.loc[one].sum() == pytest.approx(1.0, rel=1e-12)


def test_queues_keep_those_who_leave_from_rivals() -> None:
    """Against differences of solved markets; by shares alone (the mutant) it would be off."""
    step, found = 1e-4, _solved(_logit(PRICES, slots=1, delay_cost=0.1))
    seen = _matrix(diversion(found))
    for i, one in enumerate(PRICES):
        low, high = (
            _solved(_logit({**PRICES, one: PRICES[one] + d}, slots=1, delay_cost=0.1)).flow[0]
            for d in (-step, step)
        )
        moved = high - low
        for j, other in enumerate(PRICES):
            if j != i:
                assert seen.loc[one, other] == pytest.approx(-moved[j] / moved[i], rel=1e-5)
    mutant = found.share[0, 1] / (1.0 - found.share[0, 0])
    assert seen.loc["a", "b"] < 0.95 * mutant


def test_who_loses_nothing_by_its_price_has_no_diversion() -> None:
    known = diversion(_solved(_logit({"a": 1.3, "absurd": 1e4}))).dropna()["seller"]
    assert known.tolist() == ["a", "a"]


def test_diversity_is_that_of_as_many_equal_offers() -> None:
    """n of n equal ones; of shares of tasks p the exponential of their entropy."""
    assert measures(_solved(_logit(dict.fromkeys("abcd", 1.4))))["diversity"] == pytest.approx(4.0)
    found = _solved(_logit(PRICES))
    p = found.share[0, :3] / found.share[0, :3].sum()
    wanted = math.prod(float(x) ** -float(x) for x in p)
    assert measures(found)["diversity"] == pytest.approx(wanted)
    assert 2.0 < wanted < 3.0


def test_concentration_and_mark_ups_are_of_what_sellers_keep() -> None:
    """A commission of a fifth: 1.2 are left of 1.5, so Lerner's index is 1/6; HHI = 1/2."""
    found = measures(_solved(_logit({"a": 1.5, "b": 1.5}, commission=0.2)))
    assert (found["hhi"], found["lerner"]) == pytest.approx((0.5, 1.0 / 6.0))
    assert found["platform"] > 0.0
    parts = found["surplus"] + found["profit"] + found["platform"]
    assert found["welfare"] == pytest.approx(parts)


def _captive(rate: float, *sellers: w.Seller, **task: Any) -> dict[str, float]:
    jobs = w.TaskClass(
        "jobs", w.Poisson(rate), output_tokens=w.Exponential(mean=1.0), value=1.0,
        outside_option=False, **task,
    )  # fmt: skip
    market = w.Market(tasks=[jobs], sellers=sellers, quotes=w.Quotes(latency="average"))
    return measures(_solved(market))


def test_use_is_of_what_can_be_done() -> None:
    """λ/(Σ c·μ) of M/M/c sellers, whoever has no limit aside; (1 − left)·λ/μ where tasks leave."""
    found = _captive(1.8, w.Seller("one", accuracy=1.0, speed=1.5, slots=2))
    assert found["utilisation"] == pytest.approx(1.8 / 3.0)
    endless = w.Seller("endless", accuracy=1.0, slots="unlimited", speed=1e-3)
    one = w.Seller("one", accuracy=1.0, speed=1.5)
    found = _captive(0.9, one, endless, delay_cost=0.1)
    assert found["utilisation"] == pytest.approx(0.6, rel=1e-6)
    assert math.isnan(_captive(0.9, endless)["utilisation"])
    leaving = _captive(0.9, w.Seller("one", accuracy=1.0), patience=1.0)
    assert 0.1 < leaving["miss_rate"] < 0.4
    assert leaving["utilisation"] == pytest.approx(0.9 * (1.0 - leaving["miss_rate"]))


def test_misses_are_those_of_a_queue() -> None:
    """M/M/1: Pr(T > D) = e^(−(μ − λ)·D)."""
    found = _captive(0.6, w.Seller("one", accuracy=1.0), deadline=3.0, patience="none")
    assert found["miss_rate"] == pytest.approx(math.exp(-0.4 * 3.0), abs=1e-9)


def test_reasoning_is_the_share_of_tasks_that_thinking_offers_get() -> None:
    task = w.TaskClass("k", w.Poisson(1.0), value=2.0, choice=w.Logit(0.25))
    sellers = [
        w.Seller("deep", ability={"general": w.Ability(theta=0.5, beta=0.6)},
                 effort={"none": 0.0, "high": 500.0}, price=w.per_task(0.5), slots="unlimited"),
        w.Seller("plain", accuracy=0.6, price=w.per_task(0.3), slots="unlimited"),
    ]  # fmt: skip
    found = _solved(w.Market(tasks=[task], sellers=sellers, quotes=w.Quotes(latency="average")))
    none, high, plain, _ = found.share[0]
    assert min(none, high) > 0.05
    assert measures(found)["reasoning"] == pytest.approx(high / (none + high + plain))


def test_a_market_that_serves_nobody_has_no_ratios() -> None:
    found = measures(_solved(_logit({"a": 1e4})))
    for name in ("hhi", "lerner", "dispersion", "diversity", "miss_rate", "reasoning"):
        assert math.isnan(found[name]), name
    assert found["welfare"] == pytest.approx(0.0, abs=1e-9)


def test_an_equilibrium_has_them_all() -> None:
    """Prices 3% above A7's: what one seller could gain by its best price is what it says."""
    price, fine = 1.03 * 1.472927, np.linspace(1.3, 1.6, 30_001)
    mine, rival = np.exp((2.0 - fine) / 0.25), math.exp((2.0 - price) / 0.25)
    now = (price - 1.0) * rival / (1.0 + 2.0 * rival)
    gain = float(((fine - 1.0) * mine / (1.0 + mine + rival)).max()) - now
    found = equilibrium(_logit({"a": price, "b": price}), prices="posted", certificate=False)
    assert set(found.measures) == {
        "welfare", "surplus", "profit", "platform", "hhi", "lerner", "dispersion", "diversity",
        "utilisation", "miss_rate", "reasoning", "planner", "welfare_share", "price_of_anarchy",
        "posted_welfare", "exploitability", "profit_gain",
    }  # fmt: skip
    assert found.measures["exploitability"] == pytest.approx(gain / now, rel=0.02)
    assert found.measures["price_of_anarchy"] > 1.0
    rows = found.as_dict()["diversion"]
    assert {(r["seller"], r["to"]) for r in rows} == {
        ("a", "b"), ("a", "outside"), ("b", "a"), ("b", "outside")
    }  # fmt: skip
