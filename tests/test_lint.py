"""Every rule of the economic lint: a market where it warns and one where it does not."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

import walras as w
from walras.market.schema.errors import CODES
from walras.market.schema.market import Market
from walras.scenarios.lint import RULES, lint
from walras.scenarios.terms import Terms

Changes = dict[str, Any]


def task(**changes: Any) -> Changes:
    base: Changes = {
        "name": "ask", "arrivals": {"kind": "poisson", "rate": 0.5}, "output_tokens": 100,
        "value": 1.0,
    }  # fmt: skip
    return {**base, **changes}


def seller(name: str = "one", **changes: Any) -> Changes:
    base: Changes = {
        "name": name, "accuracy": 0.9, "speed": 100, "slots": 8,
        "price": {"output": 10.0}, "cost": {"output": 5.0},
    }  # fmt: skip
    return {**base, **changes}


def market(*parts: Changes, **changes: Any) -> Market:
    """Build a market of task classes (they have arrivals) and sellers."""
    tasks = [p for p in parts if "arrivals" in p] or [task()]
    sellers = [p for p in parts if "arrivals" not in p] or [seller()]
    run = {"until": "1 d", **changes.pop("run", {})}
    return Market.model_validate({"tasks": tasks, "sellers": sellers, "run": run, **changes})


def poisson(rate: float) -> Changes:
    return {"kind": "poisson", "rate": rate}


CAPTIVE: Changes = {"outside_option": False, "arrivals": poisson(10)}
DEAR, CHEAP = {"output": 20.0}, {"output": 10.0}
WORSE = seller("worse", accuracy=0.8, speed=90, price=DEAR)
BUSY = task(arrivals=poisson(7.5))
AUCTION = {"kind": "second_score", "bid": "cost"}
LOGIT = {"kind": "logit", "scale": 0.1}
FEW = task(consideration=1)
RATED, SPONSORED = {"ranking": "rating"}, {"ranking": "sponsored"}
FLAT: Changes = {"flat": {"fee": 20, "quota": "unlimited"}}
PERIOD: Changes = {"platform": {"contract_period": "1 d"}}
RANGES: Changes = {
    "buyers": {"kind": "zi_u", "high": 4},
    "sellers": {"kind": "zi_c", "low": 5, "high": 9},
}
MAIN: Changes = {"kind": "exit", "at": 10, "seller": "one"}
PRICE: Changes = {"kind": "price", "at": 10, "seller": "one", "price": 9}
DRAWN: Changes = {"cost_factor": {"kind": "uniform", "low": 0.5, "high": 1.5}}


def shaded(bidders: int = 2, kind: str = "first_score") -> Changes:
    return {"kind": kind, "bid": {"kind": "equilibrium", "bidders": bidders}}


FIRES = {
    "W201": [
        market(seller(), WORSE),
        market(seller(), seller("dear", price=DEAR)),
        market(seller(effort={"low": 0, "high": 500})),
        market(seller(cost={"output": 1.0}), seller("dear"), mechanism=AUCTION),
        market(
            seller(), seller("claims", claimed=0.8, accuracy=0.99), quotes={"accuracy": "claimed"}
        ),
    ],
    "W202": [
        market(task(deadline="500 ms")),
        market(task(deadline={"kind": "exponential", "mean": 0.5})),
        market(task(deadline="2 s"), seller(network_time=1, startup_time="500 ms")),
        market(task(deadline=0.1, lateness={"kind": "linear", "grace": 0.5})),
    ],
    "W203": [market(task(skill="maths"), seller(accuracy={"chat": 0.9}))],
    "W204": [
        market(task(**CAPTIVE)),
        market(task(**CAPTIVE), seller(kappa=2, slots="unlimited")),
        market(task(**CAPTIVE), seller(slots=2), seller("two", slots=2)),
        market(task(**CAPTIVE), seller(slots=64, kappa=4)),
    ],
    "W205": [
        market(task(arrivals=poisson(10))),
        market(task(outside_option=False, patience=60, arrivals=poisson(10))),
        market(task(arrivals=poisson(30)), seller(), seller("two")),
    ],
    "W206": [market(BUSY, quotes={"latency": "average", "memory": 1})],
    "W207": [market(BUSY, run={"until": 1000})],
    "W209": [
        market(seller(price={"output": 4.0})),
        market(seller(price={"task": 0.0001}), mechanism={"kind": "second_score", "bid": "price"}),
    ],
    "W210": [
        market(run={"until": 100}),
        market(run={"until": 1000, "warmup": 900}),
        market(task(arrivals={"kind": "replay", "times": [0, 1, 2]})),
        market(task(arrivals={"kind": "closed", "users": 1, "think_time": 10000})),
    ],
    "W211": [market(task(consideration=2))],
    "W212": [market(run={"epoch": "2 d"})],
    "W213": [
        market(task(value=0.0005)),
        market(task(value={"kind": "uniform", "low": 0, "high": 0.001})),
        market(task(value={"kind": "quantiles", "probabilities": [0, 1], "values": [0, 0.001]})),
        market(seller(), seller("other", accuracy={"maths": 0.9})),
        market(task(value=0.1), mechanism={**AUCTION, "bid": {"kind": "markup", "rate": 199}}),
        market(mechanism={**AUCTION, "bid": {"kind": "opportunity", "margin": 0.9}}),
    ],
    "W214": [market(task(), task(name="urgent", priority=1))],
    "W215": [market(task(arrivals=poisson(1e7)), run={"until": "1 d"})],
    "W216": [
        market(events=[{**MAIN, "at": "1 d"}]),
        market(events=[{**MAIN, "at": "2 d"}]),
        market(seller(), seller("late", enters="1 d")),
    ],
    "W217": [market(catalogue="march-2026")],
    "W218": [market(seller(pricing="undercut", reprice_every=0.001))],
    "W219": [market(seller(penalty=0.1))],
    "W220": [
        market(task(deadline=5), seller(promise=6), quotes={"latency": "promised"}),
        market(
            task(deadline=5),
            seller(promise=6, penalty=1),
            quotes={"latency": "promised"},
            mechanism=AUCTION,
        ),
        market(
            task(deadline=5, lateness={"kind": "linear", "grace": 1}),
            seller(promise=6.5),
            quotes={"latency": "promised"},
        ),
    ],
    "W221": [
        market(task(deadline="2 s"), mechanism={"kind": "call_market", "period": 3}),
        market(task(patience=1), mechanism={"kind": "call_market", "period": 3}),
        market(
            task(deadline=2, lateness={"kind": "linear", "grace": 0.5}),
            mechanism={"kind": "call_market", "period": 3},
        ),
        market(mechanism={"kind": "call_market", "period": "1 d"}),
        market(mechanism={"kind": "continuous", "shouts": 2e-5}),
    ],
    "W222": [
        market(mechanism={"kind": "k_double", "least_accuracy": 0.95}),
        market(
            task(),
            task(name="sum", skill="maths"),
            seller(accuracy={"general": 1.0}),
            mechanism="call_market",
        ),
    ],
    "W223": [market(mechanism={"kind": "continuous", **RANGES})],
    "W224": [market(task(outside_option=False), mechanism="k_double")],
    "W225": [
        market(task(deadline=9), seller(refund_late=0.5), mechanism="call_market"),
        market(seller(promise=3, penalty=0.01), mechanism="continuous"),
    ],
    "W226": [
        market(FEW, mechanism="k_double"),
        market(seller(sponsor=0.1), mechanism="call_market"),
        market(platform=RATED, mechanism="continuous"),
    ],
    "W227": [
        market(mechanism={"kind": "call_market", "period": 1e-6}),
        market(mechanism={"kind": "continuous", "shouts": 1e6}),
    ],
    "W228": [
        market(mechanism={"kind": "continuous", "shouts": 0.9}),
        market(task(), task(name="two"), mechanism={"kind": "continuous", "shouts": 1.9}),
        market(seller(slots=2), mechanism={"kind": "call_market", "period": 5}),
    ],
    "W261": [
        market(seller(pricing="load_pricing"), mechanism=AUCTION),
        market(seller(pricing="undercut"), seller("two"), mechanism=shaded()),
        market(seller(pricing="cost_plus"), mechanism="k_double"),
        market(
            seller(bidding="markup"), events=[PRICE], mechanism={"kind": "vickrey", "bid": "price"}
        ),
    ],
    "W262": [
        market(seller(), seller("two"), mechanism=shaded()),
        market(seller(cost_factor={"kind": "uniform", "low": 1, "high": 1}), mechanism=shaded()),
    ],
    "W263": [
        market(seller(**DRAWN), mechanism=shaded()),
        market(seller(**DRAWN), seller("two", **DRAWN), mechanism=shaded(3)),
        market(seller(owner="x", **DRAWN), seller("two", owner="x", **DRAWN), mechanism=shaded()),
        market(FEW, seller(**DRAWN), seller("two", **DRAWN), mechanism=shaded(2, "first_price")),
        market(seller(**DRAWN), seller("two", bid_time=2), mechanism={**shaded(), "call": 1}),
    ],
    "W264": [
        market(task(deadline="2 s"), mechanism={**AUCTION, "bid_time": 1.1}),
        market(
            task(deadline="2 s"),
            seller(),
            seller("two", bid_time=9),
            mechanism={**AUCTION, "call": 1.1},
        ),
        market(task(patience=1), seller(network_time=0.5), mechanism={**AUCTION, "bid_time": 0.6}),
    ],
    "W265": [
        market(seller(bid_time=2), seller("two"), mechanism={**AUCTION, "call": 1}),
        market(seller(network_time=2), mechanism={**AUCTION, "call": 1}),
    ],
    "W266": [
        market(mechanism={"kind": "vickrey", "reserve": 0.00049}),
        market(mechanism={"kind": "first_price", "bid": "price", "reserve": 0.00099}),
        market(seller(**DRAWN), mechanism={"kind": "vickrey", "reserve": 0.00024}),
        market(
            mechanism={"kind": "vickrey", "bid": {"kind": "markup", "rate": 1}, "reserve": 0.0009}
        ),
        market(mechanism={**AUCTION, "reserve": 0.9}),
    ],
    "W267": [
        market(mechanism={"kind": "vickrey", "reserve": 0.9}),
        market(mechanism={**AUCTION, "reserve": -0.1}),
    ],
    "W268": [
        market(mechanism={**AUCTION, "linear": 0}),
        market(mechanism={**AUCTION, "linear": 0.0005}),
        market(
            task(value={"kind": "exponential", "mean": 1}),
            mechanism={**AUCTION, "linear": 0.01, "quadratic": -1},
        ),
    ],
    "W269": [
        market(seller(promise=5), quotes={"latency": "promised"}, mechanism=AUCTION),
        market(quotes={"latency": "promised"}, mechanism={**AUCTION, "promise": "bid"}),
    ],
    "W241": [
        market(platform={"ranking": "sponsored"}),
        market(task(consideration=1), platform={"ranking": "rating"}),
    ],
    "W242": [market(seller(sponsor=0.0001)), market(seller(sponsor=1.0), platform=RATED)],
    "W243": [market(FEW, seller(sponsor=0.00051), seller("two"), platform=SPONSORED)],
    "W244": [
        market(platform={"search_cost": 0.9}),
        market(
            task(value={"kind": "uniform", "low": 0, "high": 0.1}), platform={"search_cost": 0.1}
        ),
        market(task(choice=LOGIT), platform={"search_cost": 1.2}),
    ],
    "W245": [market(FEW, seller(), seller("two"), platform={**RATED, "rerank_every": "1 d"})],
    "W246": [market(FEW, seller(), seller("two"), platform={**RATED, "rerank_every": 0.01})],
    "W247": [
        market(quotes={"accuracy": "rated"}, platform={"rating_prior": 0.5}),
        market(FEW, seller(), seller("two"), platform={**RATED, "rating_prior": 0}),
    ],
    "W251": [
        market(task(deadline="2 s"), mechanism={"kind": "negotiation", "round_time": 1.9}),
    ],
    "W231": [market(seller(contracts={"sub": {"fee": 1.1, "quota": 1e5}}), **PERIOD)],
    "W232": [market(task(customers=2)), market(task(usage={"kind": "exponential", "mean": 1}))],
    "W233": [market(seller(contracts=FLAT), platform={"contract_period": "7 h"})],
    "W234": [market(seller(contracts={"batch": {"rate": 0.5, "within": "1 h"}}))],
    "W235": [market(seller(), seller("idle", accuracy={"maths": 1}, contracts=FLAT), **PERIOD)],
    "W236": [market(seller(contracts={"batch": {"rate": 0.5, "within": 0.5}}))],
    "W237": [market(task(customers=50_000), seller(contracts=FLAT), **PERIOD)],
    "W238": [
        market(seller(contracts=FLAT), platform={"contract_period": 0.05}),
        market(task(customers=30_000), seller(contracts=FLAT), platform={"contract_period": 0.9}),
    ],
}

SILENT = {
    "W201": [
        market(seller(), seller("two")),
        market(seller(), seller("better", accuracy=0.95, price=DEAR)),
        market(seller(), seller("sooner", speed=200, price=DEAR)),
        market(seller(), {**WORSE, "pricing": "undercut"}),
        market({**seller(), "pricing": "undercut"}, WORSE),
        market(seller(), WORSE, events=[MAIN]),
        market(seller(), {**WORSE, "refund_late": 0.5}),
        market(task(), task(name="sum", skill="maths"), seller(accuracy={"general": 0.9}), WORSE),
        market(seller(), seller("dear", price=DEAR), mechanism=AUCTION),
        market(task(), task(name="x", output_tokens="replay", arrivals={
            "kind": "replay", "file": "no.csv"}), seller(), seller("two")),
    ],
    "W202": [
        market(task(deadline="2 s")),
        market(task(deadline=0.1, lateness={"kind": "linear", "grace": 2})),
        market(task(deadline={"kind": "uniform", "low": 0, "high": 1.5})),
        market(task(deadline=0.1), seller(accuracy={"maths": 1})),
    ],
    "W203": [market(task(skill="maths"), seller(accuracy={"maths": 0.9})), market(task(skill="x"))],
    "W204": [
        market(task(outside_option=False)),
        market(task(arrivals=poisson(10))),
        market(task(outside_option=False, patience=60, arrivals=poisson(10))),
        market(task(**CAPTIVE), seller(slots="unlimited")),
        market(task(**CAPTIVE), seller(), seller("two")),
        market(task(**CAPTIVE), events=[
            {"kind": "add_slots", "at": 1, "seller": "one", "slots": 8}]),
        market(task(outside_option=False, arrivals={
            "kind": "closed", "users": 99, "think_time": 1})),
        market(task(outside_option=False, output_tokens="replay", arrivals={
            "kind": "replay", "file": "no.csv"})),
    ],
    "W205": [market(BUSY), market(task(**CAPTIVE))],
    "W206": [
        market(BUSY, quotes={"latency": "average", "memory": "1 h"}),
        market(BUSY, quotes={"latency": "observed", "memory": 1}),
        market(task(arrivals=poisson(100)), quotes={"latency": "average", "memory": 1}),
    ],
    "W207": [
        market(BUSY, run={"until": 1000, "warmup": 500}), market(BUSY),
        market(BUSY, seller(slots="unlimited"), run={"until": 1000}),
    ],
    "W209": [
        market(), market(seller(price={"output": 4.0}), mechanism=AUCTION),
        market(seller(price={"output": 4.0}, pricing="cost_plus")),
    ],
    "W210": [market(), market(task(arrivals={"kind": "replay", "file": "no.csv"}))],
    "W211": [market(task(consideration=1)), market(task(consideration=9), mechanism="k_double")],
    "W212": [market(run={"epoch": "1 h"})],
    "W213": [
        market(),
        market(task(value=0.0005, choice=LOGIT)),
        market(task(value=0.0005, outside_option=False)),
        market(task(value={"kind": "exponential", "mean": 1e-9})),
        market(task(value=0.0005), seller(refund_wrong=1.0)),
        market(task(value=0.0005), seller(pricing="undercut")),
        market(mechanism={**AUCTION, "bid": {"kind": "opportunity", "margin": 0.9, "load": 4}}),
    ],
    "W214": [
        market(task(priority=1)),
        market(task(), task(name="urgent", priority=1), seller(discipline="priority")),
    ],
    "W215": [market(), market(task(arrivals=poisson(1e7)), run={"until": 100})],
    "W216": [market(events=[MAIN]), market(seller(), seller("late", enters="23 h"))],
    "W217": [market(), market(catalogue="march-2025")],
    "W218": [market(seller(reprice_every=0.001)), market(seller(pricing="undercut"))],
    "W219": [market(seller(penalty=0.1, promise=10)), market()],
    "W241": [
        market(), market(FEW, seller(), seller("two"), platform=RATED),
        market(FEW, seller(), seller("two"), platform=SPONSORED),
        market(platform=RATED, mechanism="k_double"),
    ],
    "W242": [
        market(FEW, seller(sponsor=0.0001), seller("two"), platform=SPONSORED),
        market(seller(sponsor=0.0001), mechanism="k_double"),
    ],
    "W243": [
        market(FEW, seller(sponsor=0.00049), seller("two"), platform=SPONSORED),
        market(FEW, seller(sponsor=1.0, pricing="cost_plus"), seller("two"), platform=SPONSORED),
        market(FEW, seller(sponsor=1.0), seller("two"), platform=SPONSORED, mechanism=AUCTION),
    ],
    "W244": [
        market(), market(platform={"search_cost": 0.8}),
        market(task(outside_option=False), platform={"search_cost": 2.0}),
        market(task(choice=LOGIT), platform={"search_cost": 0.9}),
        market(task(value={"kind": "exponential", "mean": 1e-3}), platform={"search_cost": 1.0}),
    ],
    "W245": [market(FEW, seller(), seller("two"), platform=RATED)],
    "W246": [market(FEW, seller(), seller("two"), platform=RATED)],
    "W247": [market(platform={"rating_prior": 0}), market(quotes={"accuracy": "rated"})],
    "W251": [
        market(task(deadline="2 s"), mechanism={"kind": "negotiation", "round_time": 0.1}),
        market(task(deadline="2 s")), market(mechanism={"kind": "negotiation", "round_time": 99}),
        market(task(deadline=0.01), mechanism={"kind": "negotiation", "round_time": 1}),
    ],
    "W220": [
        market(task(deadline=5), seller(promise=6)),
        market(task(deadline=5), task(name="two", deadline=7), seller(promise=6),
               quotes={"latency": "promised"}),
        market(task(deadline=5, lateness={"kind": "halflife", "half_life": 1}), seller(promise=6),
               quotes={"latency": "promised"}),
        market(task(), seller(promise=6), quotes={"latency": "promised"}),
        market(task(deadline=5), seller(promise=6), quotes={"latency": "promised"},
               mechanism=AUCTION),
    ],
    "W221": [
        market(task(deadline="3 s"), mechanism={"kind": "call_market", "period": 3}),
        market(task(deadline=2, lateness={"kind": "halflife", "half_life": 1}),
               mechanism={"kind": "call_market", "period": 3}),
        market(task(patience={"kind": "exponential", "mean": 1}),
               mechanism={"kind": "call_market", "period": 3}),
        market(task(deadline="2 s"), mechanism="continuous"),
        market(mechanism={"kind": "call_market", "period": "23 h"}),
        market(mechanism={"kind": "continuous", "shouts": 3e-5}),
    ],
    "W222": [
        market(mechanism={"kind": "k_double", "least_accuracy": 0.9}),
        market(mechanism="continuous"),
        market(seller(accuracy={"maths": 0.9})),
    ],
    "W223": [
        market(mechanism="continuous"),
        market(mechanism={"kind": "call_market", "buyers": {"kind": "zi_u", "high": 4}}),
        market(mechanism={"kind": "k_double", "buyers": {"kind": "zi_u", "high": 5},
                          "sellers": {"kind": "zi_u", "low": 5, "high": 9}}),
    ],
    "W224": [market(mechanism="k_double"), market(task(outside_option=False))],
    "W225": [
        market(seller(refund_late=0.5), mechanism="call_market"),
        market(task(deadline=9), seller(refund_late=0.5, promise=3, penalty=0.01)),
        market(task(deadline=9), seller(refund_wrong=0.5, promise=3), mechanism="k_double"),
    ],
    "W226": [
        market(FEW, seller(sponsor=0.0001), seller("two"), platform=SPONSORED, mechanism=AUCTION),
        market(mechanism="k_double"),
    ],
    "W227": [
        market(mechanism={"kind": "call_market", "period": 1e-4}),
        market(mechanism={"kind": "continuous", "shouts": 1e4}),
    ],
    "W228": [
        market(mechanism={"kind": "continuous", "shouts": 1.1}),
        market(seller(slots=2), seller("two", slots=1),
               mechanism={"kind": "call_market", "period": 5}),
        market(seller(slots="unlimited"), mechanism={"kind": "call_market", "period": 60}),
        market(seller(slots=2), mechanism={"kind": "call_market", "period": 5},
               events=[{"kind": "add_slots", "at": 9, "seller": "one", "slots": 1}]),
        market(task(arrivals={"kind": "closed", "users": 9, "think_time": 1}),
               mechanism={"kind": "continuous", "shouts": 0.9}),
    ],
    "W261": [
        market(seller(pricing="load_pricing")),
        market(seller(pricing="load_pricing"), mechanism={"kind": "vickrey", "bid": "price"}),
        market(seller(pricing="load_pricing"), mechanism="negotiation"),
        market(seller(pricing="load_pricing"), seller("two", pricing="undercut", bidding="price"),
               mechanism=AUCTION),
        market(seller(bidding="price"), seller("two"), events=[PRICE], mechanism=AUCTION),
    ],
    "W262": [
        market(seller(**DRAWN), seller("two", **DRAWN), mechanism=shaded()),
        market(seller(), seller("two"), mechanism=shaded(kind="vickrey")),
    ],
    "W263": [
        market(seller(**DRAWN), seller("two", **DRAWN), mechanism=shaded()),
        market(FEW, seller(**DRAWN), mechanism=shaded(5, "second_score")),
        market(task(consideration=2), seller(**DRAWN), seller("two", **DRAWN), seller("three"),
               mechanism=shaded()),
        market(seller(**DRAWN), seller("two", enters=9), mechanism=shaded(3)),
        market(seller(**DRAWN), events=[MAIN], mechanism=shaded(3)),
        market(task(), task(name="sum", skill="maths"), seller(accuracy=1, **DRAWN),
               seller("two", **DRAWN), seller("three", accuracy={"maths": 1}, bidding="cost"),
               mechanism=shaded()),
    ],
    "W264": [
        market(task(deadline="2 s"), mechanism={**AUCTION, "bid_time": 0.9}),
        market(task(deadline="2 s"), mechanism={**AUCTION, "bid_time": 0.9, "call": 1}),
        market(task(deadline=2, lateness={"kind": "halflife", "half_life": 1}),
               mechanism={**AUCTION, "bid_time": 1.1}),
        market(task(deadline="500 ms"), mechanism={**AUCTION, "bid_time": 1.1}),
        market(task(patience="deadline", deadline=9), mechanism={**AUCTION, "bid_time": 1.1}),
    ],
    "W265": [
        market(seller(bid_time=2), seller("two"), mechanism=AUCTION),
        market(seller(bid_time=1), mechanism={**AUCTION, "call": 1}),
    ],
    "W266": [
        market(mechanism={"kind": "vickrey", "reserve": 0.00051}),
        market(seller(**DRAWN), mechanism={"kind": "vickrey", "reserve": 0.00026}),
        market(mechanism={"kind": "vickrey", "reserve": 0.00049}, quotes={"price": "exact"}),
        market(mechanism={**AUCTION, "reserve": 0.89}),
        market(mechanism={**AUCTION, "reserve": 0.95}, quotes={"accuracy": "rated"}),
        market(seller(price={"task": 0.9}, refund_wrong=1),
               mechanism={"kind": "second_score", "bid": "price", "reserve": 0.05}),
        market(task(choice=LOGIT), mechanism={**AUCTION, "reserve": 0.9}),
        market(seller(pricing="undercut"),
               mechanism={"kind": "first_price", "bid": "price", "reserve": 0.0001}),
    ],
    "W267": [
        market(mechanism={"kind": "vickrey", "reserve": 0.89}),
        market(task(choice=LOGIT), mechanism={"kind": "vickrey", "reserve": 0.9}),
        market(task(outside_option=False), mechanism={"kind": "vickrey", "reserve": 0.9}),
        market(seller(refund_wrong=1), mechanism={"kind": "vickrey", "reserve": 0.9}),
        market(mechanism={**AUCTION, "reserve": 0}),
    ],
    "W268": [
        market(mechanism=AUCTION),
        market(mechanism={**AUCTION, "linear": 0.001}),
        market(task(choice=LOGIT), mechanism={**AUCTION, "linear": 0}),
        market(task(outside_option=False), mechanism={**AUCTION, "linear": 0}),
        market(task(value={"kind": "exponential", "mean": 1}),
               mechanism={**AUCTION, "linear": 0.1, "quadratic": -1}),
    ],
    "W269": [
        market(seller(promise=5, penalty=0.1), quotes={"latency": "promised"}, mechanism=AUCTION),
        market(seller(promise=5), quotes={"latency": "promised"}),
        market(seller(promise=5), mechanism=AUCTION),
    ],
    "W231": [
        market(seller(contracts={"sub": {"fee": 0.9, "quota": 1e5}}), **PERIOD),
        market(seller(contracts={"sub": {"fee": 1, "on_success": True}}), **PERIOD),
    ],
    "W232": [market(task(customers=2), seller(contracts=FLAT), **PERIOD)],
    "W233": [
        market(seller(contracts=FLAT), **PERIOD),
        market(seller(contracts={"half": {"rate": 0.5}}), platform={"contract_period": "7 h"}),
    ],
    "W234": [
        market(seller(discipline="priority", contracts={"batch": {"rate": 0.5, "within": "1 h"}}))
    ],
    "W235": [market(seller(contracts=FLAT), **PERIOD)],
    "W236": [market(seller(contracts={"batch": {"rate": 0.5, "within": 1.5}}))],
    "W237": [market(task(customers=40_000), seller(contracts=FLAT), **PERIOD)],
    "W238": [
        market(platform={"contract_period": 0.05}),
        market(task(customers=30_000), seller(contracts=FLAT), platform={"contract_period": 1}),
    ],
}  # fmt: skip


def codes(found: Market) -> set[str]:
    return {p.code for p in lint(found)}


def test_every_warning_has_its_cases() -> None:
    assert {c for c in CODES if c > "W2"} == set(FIRES) == set(SILENT)
    assert {c for rule in RULES for c in CODES if c in (rule.__doc__ or "")} == set(FIRES)


@pytest.mark.parametrize(("code", "case"), [(c, m) for c, ms in FIRES.items() for m in ms])
def test_it_warns(code: str, case: Market) -> None:
    assert code in codes(case)


@pytest.mark.parametrize(("code", "case"), [(c, m) for c, ms in SILENT.items() for m in ms])
def test_it_is_silent(code: str, case: Market) -> None:
    assert code not in codes(case)


def test_a_sound_market_has_no_warnings() -> None:
    assert lint(market()) == []


def test_the_words_of_the_manual() -> None:
    (first,) = [p for p in lint(market(seller(), WORSE)) if p.code == "W201"]
    assert "`worse/default` is dominated by `one/default` (dearer, slower, less accurate)" in (
        first.message
    )
    (second,) = [p for p in lint(market(task(**CAPTIVE))) if p.code == "W204"]
    assert "captive load 1.25 exceeds capacity and nobody can leave" in second.message


def test_prices_services_and_loads_by_hand() -> None:
    found = market(
        task(arrivals=poisson(4), input_tokens=2000, deadline="9 s"),
        seller(
            effort={"high": 300}, prefill_rate=1000, verbosity=1.5, network_time=0.5,
            startup_time=0.25, price={"input": 1, "output": 10, "task": 0.001},
        ),
    )  # fmt: skip
    terms = Terms(found)
    (term,) = terms.all
    assert term.work == 2000 * 0.1 + 150 + 300
    assert term.latency == 0.75 + 6.5
    assert term.price == pytest.approx(0.001 + 0.002 + 0.0045)
    assert terms.utilisations == {"one": pytest.approx(4 * 650 / 800)}


def test_accuracy_is_averaged_over_difficulty() -> None:
    able = seller(accuracy={}, ability={"general": {"theta": 1.0}})
    level = Terms(market(able)).all[0].accuracy
    spread = Terms(market(task(difficulty={"mean": 1, "sd": 2}), able)).all[0].accuracy
    assert level == pytest.approx(1 / (1 + math.exp(-1)))
    assert spread == pytest.approx(0.5)


def test_relaxation_time_by_hand() -> None:
    """M/M/1 at load 0.81 and unit service: 1/(1 − 0.9)² = 100 s."""
    one = market(task(arrivals=poisson(0.81)), seller(slots=1))
    name, time = Terms(one).slowest_queue
    assert name == "one"
    assert time == pytest.approx(100.0)


@pytest.mark.parametrize("size", [1e-300, 1e12])
def test_extreme_numbers(size: float) -> None:
    extreme = task(value=size, output_tokens=size, input_tokens=size, arrivals=poisson(1e-12))
    for problem in lint(market(extreme, seller(speed=1e-300), seller("two", e0=size))):
        assert "nan" not in problem.message
        assert "inf" not in problem.message


# --- what they say is so -----------------------------------------------------------------------

PAIR = [seller(), seller("two", accuracy=0.8, price=DEAR, cost={"output": 4.0})]
SHORT_RUN: Changes = {"run": {"until": "10 min"}}


@pytest.mark.parametrize(
    ("code", "changes", "parts", "plain"),
    [
        ("W226", {"mechanism": "call_market", "platform": SPONSORED},
         [FEW, seller(sponsor=0.001), PAIR[1]], [task(), *PAIR]),
        ("W226", {"mechanism": "k_double", "platform": RATED}, [FEW, *PAIR], [task(), *PAIR]),
        ("W261", {"mechanism": AUCTION}, [seller(pricing="undercut"), PAIR[1]], PAIR),
        ("W261", {"mechanism": "continuous"}, [seller(pricing="undercut"), PAIR[1]], PAIR),
        ("W262", {"mechanism": shaded()}, PAIR,
         [{**s, "bidding": "cost"} for s in PAIR]),
        ("W267", {"mechanism": {"kind": "vickrey", "reserve": 0.95}}, PAIR, PAIR),
        ("W269", {"mechanism": AUCTION, "quotes": {"latency": "promised"}},
         [seller(promise=5), seller("two", promise=1)],
         [seller(promise=9), seller("two", promise=9)]),
    ],
)  # fmt: skip
def test_what_does_nothing_does_nothing(
    code: str, changes: Changes, parts: list[Changes], plain: list[Changes]
) -> None:
    """Every task fares alike with the setting and without it; W267's is left out altogether."""
    with_it = market(*parts, **changes, **SHORT_RUN)
    assert code in codes(with_it)
    if code == "W267":
        changes = {"mechanism": "vickrey"}
    columns = ["id", "offer", "status", "price", "finish", "surplus", "advertising"]
    one, other = (
        w.run(m, seed=3, record="trades").trades[columns]
        for m in (with_it, market(*plain, **changes, **SHORT_RUN))
    )
    pd.testing.assert_frame_equal(one, other)
    assert (one["status"] == "served").sum() > 100


STOPPED = [
    ("W220", market(task(deadline=5), seller(promise=6), quotes={"latency": "promised"})),
    ("W221", market(mechanism={"kind": "call_market", "period": "1 d"})),
    ("W221", market(mechanism={"kind": "continuous", "shouts": 2e-5})),
    ("W264", market(task(deadline="2 s"), mechanism={**AUCTION, "bid_time": 1.1})),
    ("W264", market(task(patience=1), mechanism={**AUCTION, "bid_time": 1.1})),
    ("W265", market(seller(network_time=2), mechanism={**AUCTION, "call": 1})),
    ("W266", market(mechanism={"kind": "vickrey", "reserve": 0.00049})),
    ("W266", market(mechanism={**AUCTION, "reserve": 0.9})),
    ("W268", market(mechanism={**AUCTION, "linear": 0})),
    ("W213", market(mechanism={**AUCTION, "bid": {"kind": "opportunity", "margin": 0.9}})),
]


@pytest.mark.parametrize(("code", "case"), STOPPED)
def test_where_nobody_trades_nobody_trades(code: str, case: Market) -> None:
    """Sizes are constant, so a mean task is every task."""
    assert code in codes(case)
    epochs = w.run(case, until="10 min", seed=3).epochs
    assert epochs["served"].sum() == 0
    assert w.run(market(seller()), until="10 min", seed=3).epochs["served"].sum() > 100


def test_who_is_captive_does_without_in_a_double_auction() -> None:
    """W224: where nobody sells at what an answer is worth."""
    poor = market(task(outside_option=False, value=0.0001), mechanism="k_double")
    assert "W224" in codes(poor)
    trades = w.run(poor, until="10 min", seed=3, record="trades").trades
    assert len(trades) > 100
    assert (trades["status"] == "balked").all()
