"""Random small markets to compare engines on: every feature, heavy load, or grids full of ties."""

from __future__ import annotations

from typing import Any

import numpy as np

from walras.market.schema.market import Market

Random = np.random.Generator
Data = dict[str, Any]
SPAN = 32.0
"""Simulated time, s; with about 200 tasks."""


def maybe(rng: Random, chance: float) -> bool:
    """Return True with a chance."""
    return bool(rng.random() < chance)


def pick(rng: Random, *choices: Any) -> Any:
    """Return one of the choices."""
    return choices[int(rng.integers(len(choices)))]


def near(rng: Random, centre: float) -> float:
    """Return a positive number around the centre."""
    return float(centre * np.exp(rng.normal(0.0, 0.4)))


def quarters(rng: Random, low: int, high: int) -> float:
    """Return a multiple of 1/4 from low/4 to high/4."""
    return float(rng.integers(low, high + 1)) / 4.0


# --- demand ------------------------------------------------------------------------------------


def law(rng: Random, mean: float, *, constant: bool = True) -> Any:
    """Return some law with about this mean."""
    m = near(rng, mean)
    laws = [
        {"kind": "exponential", "mean": m},
        {"kind": "lognormal", "mean": m, "cv": near(rng, 0.8)},
        {"kind": "gamma", "mean": m, "cv": near(rng, 0.8)},
        {"kind": "uniform", "low": 0.2 * m, "high": 1.8 * m},
        {"kind": "quantiles", "probabilities": [0.0, 0.5, 0.9, 1.0],
         "values": [0.0, 0.8 * m, 2.0 * m, 4.0 * m]},
    ]  # fmt: skip
    return m if constant and maybe(rng, 0.3) else pick(rng, *laws)


def times(rng: Random, count: int, step: float) -> list[float]:
    """Return sorted times; with a step, on the grid of its multiples."""
    if step:
        return sorted((rng.integers(0, int(SPAN / step), count) * step).tolist())
    return sorted((SPAN * rng.random(count)).tolist())


def arrivals(rng: Random, rate: float) -> Data:
    """Return some arrival process with about this rate."""
    count = int(rate * SPAN) + 1
    kinds: list[Data] = [
        {"kind": "poisson", "rate": rate},
        {"kind": "mmpp", "rates": [0.3 * rate, 2.0 * rate], "dwell": [5.0, 3.0]},
        {"kind": "diurnal", "rate": rate, "amplitude": 0.8, "period": 20.0},
        {"kind": "batch", "rate": rate / 3, "size": 3,
         "spread": pick(rng, "constant", "geometric")},
        {"kind": "closed", "users": 6, "think_time": law(rng, 3.0)},
        {"kind": "replay", "times": times(rng, count, 0.0),
         "output_tokens": (4.0 * rng.random(count)).tolist()},
    ]  # fmt: skip
    return pick(rng, *kinds)  # type: ignore[no-any-return]


def grid_arrivals(rng: Random, rate: float) -> Data:
    """Return arrivals on multiples of 1/4, with sizes that keep means exact."""
    if maybe(rng, 0.2):
        return {"kind": "closed", "users": 4, "think_time": quarters(rng, 1, 16)}
    count = 1 << max(int(np.log2(rate * SPAN)), 4)
    return {
        "kind": "replay", "times": times(rng, count, 0.25),
        "input_tokens": (rng.integers(0, 9, count) / 2).tolist(),
        "output_tokens": (rng.integers(0, 9, count) / 2).tolist(),
    }  # fmt: skip


def task_class(rng: Random, k: int, rate: float, *, grid: bool) -> Data:
    """Return a task class."""
    come = grid_arrivals(rng, rate) if grid else arrivals(rng, rate)
    task: Data = {"name": f"class-{k}", "arrivals": come, "priority": int(rng.integers(0, 4))}
    replayed = come["kind"] == "replay" and maybe(rng, 0.6)
    if grid:
        task["input_tokens"] = "replay" if replayed else quarters(rng, 0, 8)
        task["output_tokens"] = "replay" if replayed else quarters(rng, 0, 12)
    else:
        task["input_tokens"] = law(rng, 1.0)
        # Equal sizes make completions tie, but for rounding: they are for grids.
        task["output_tokens"] = "replay" if replayed else law(rng, 2.0, constant=False)
    task["value"] = near(rng, 1.0) if maybe(rng, 0.5) else law(rng, 1.0)
    task["delay_cost"] = pick(
        rng, 0.0, near(rng, 0.03), law(rng, 0.03), {"kind": "share_of_value", "per_second": 0.02}
    )
    if maybe(rng, 0.5):
        task["loss"] = near(rng, 0.5)
    if maybe(rng, 0.7):
        drawn = not grid and maybe(rng, 0.3)
        task["deadline"] = law(rng, 5.0) if drawn else quarters(rng, 2, 32)
        task["lateness"] = pick(
            rng, "hard", {"kind": "linear", "grace": 2.0}, {"kind": "halflife", "half_life": 1.5}
        )
        task["patience"] = pick(rng, "none", "deadline")
    if maybe(rng, 0.4):
        task["patience"] = quarters(rng, 0, 16) if grid else law(rng, 3.0)
    if maybe(rng, 0.6):
        task["choice"] = {"kind": "logit", "scale": near(rng, 0.2), "nest": pick(rng, 1.0, 0.5)}
    elif not grid and task["delay_cost"] == 0.0:
        task["delay_cost"] = near(rng, 0.03)  # else efforts may tie, but for rounding
    if maybe(rng, 0.3):
        task["consideration"] = int(rng.integers(1, 5))
    task["outside_option"] = maybe(rng, 0.7)
    if maybe(rng, 0.15):
        task["difficulty"] = {"mean": 0.3, "sd": 1.0}
    return task


# --- supply ------------------------------------------------------------------------------------


def seller(rng: Random, s: int, *, grid: bool, promised: bool) -> Data:
    """Return a seller; on a grid its streams run at dyadic speeds only."""
    speed = float(pick(rng, 1, 2, 4)) if grid else near(rng, 2.0)
    spec: Data = {
        "name": f"seller-{s}", "speed": speed,
        "discipline": pick(
            rng, "fcfs", "priority", "priority_preemptive", "priority_preemptive"
        ),
        "slots": pick(rng, 1, 1, 2, 3, 5, "unlimited"),
    }  # fmt: skip
    if maybe(rng, 0.4):
        spec["kappa"] = 1.0 if grid else pick(rng, 1.0, near(rng, 1.0) + 1.0, 8.0)
        if grid:
            spec["slots"] = pick(rng, 1, 2)
    if maybe(rng, 0.4):
        spec["prefill_rate"] = speed * pick(rng, 2, 4, 8) if grid else near(rng, 3 * speed)
    efforts = int(pick(rng, 1, 1, 2, 3))
    if efforts > 1:
        spec["effort"] = {f"e{j}": quarters(rng, 0, 8) if grid else near(rng, 1.0)
                          for j in range(efforts)}  # fmt: skip
    if maybe(rng, 0.3):
        spec["verbosity"] = 0.5 if grid else near(rng, 1.0)
    if maybe(rng, 0.5):
        spec["accuracy"] = float(rng.uniform(0.6, 1.0))
    else:
        spec["ability"] = {"general": {"theta": float(rng.normal(1.5, 1.0)), "beta": 0.5,
                                       "floor": 0.1, "ceiling": 0.98}}  # fmt: skip
        spec["e0"] = 1.0
    if maybe(rng, 0.3):
        spec["claimed"] = 0.99
    if maybe(rng, 0.3):
        spec["startup_time"] = quarters(rng, 0, 2) if grid else near(rng, 0.3)
        spec["network_time"] = quarters(rng, 0, 2) if grid else near(rng, 0.1)
    low = near(rng, 20_000.0)
    spec["price"] = pick(rng, {"input": low, "output": 3 * low}, {"task": near(rng, 0.1)})
    spec["cost"] = {"input": low / 3, "output": low, "task": 0.001}
    if maybe(rng, 0.3):
        spec["refund_late"], spec["refund_wrong"] = 0.5, float(rng.uniform(0.0, 1.0))
    if promised or maybe(rng, 0.3):
        spec["promise"] = quarters(rng, 2, 16) if grid else near(rng, 2.0)
        spec["penalty"] = pick(rng, 0.0, near(rng, 0.1))
    if maybe(rng, 0.3):
        spec["owner"] = "house"
    if maybe(rng, 0.1):
        spec["enters"] = quarters(rng, 1, 40)
    return spec


def happenings(rng: Random, sellers: list[Data], *, grid: bool) -> list[Data]:
    """Return what happens at set times; outages of one seller do not overlap."""
    when: list[Any] = []
    broken: set[str] = set()
    for _ in range(int(rng.integers(0, 13))):
        spec = pick(rng, *sellers)
        event: Data = {"at": quarters(rng, 0, 120) if grid else float(30 * rng.random()),
                       "seller": spec["name"]}  # fmt: skip
        kind = pick(rng, "price", "outage", "outage", "exit", "enter", "add_slots")
        if kind == "price":
            by_token = "output" in spec["price"]
            event["price"] = near(rng, 60_000.0 if by_token else 0.1)
        elif kind == "outage":
            if spec["name"] in broken:
                continue
            broken.add(spec["name"])
            event["duration"] = quarters(rng, 1, 24) if grid else near(rng, 3.0)
            event["in_service"] = pick(rng, "resume", "requeue", "fail")
        elif kind == "add_slots":
            if spec["slots"] == "unlimited" or (grid and "kappa" in spec):
                continue
            event["slots"], event["lead_time"] = int(rng.integers(1, 3)), quarters(rng, 0, 8)
        when.append({"kind": kind, **event})
    return when


def random_market(seed: int, *, grid: bool) -> Market:
    """Return a random market, 3 to 8 offers; on a grid all times are multiples of 1/64 s or so."""
    rng = np.random.default_rng([seed, int(grid)])
    latency = pick(rng, "observed", "observed", "average", "promised")
    sellers: list[Data] = []
    while sum(len(s.get("effort", "1")) for s in sellers) < 3:
        sellers = [
            seller(rng, s, grid=grid, promised=latency == "promised")
            for s in range(int(rng.integers(1, 6)))
        ]
    if grid and maybe(rng, 0.5):  # a twin: the same offers again, to be told apart by the coin
        sellers.append({**sellers[0], "name": "twin"})
    classes = int(pick(rng, 1, 2, 3, 3))
    tasks = [task_class(rng, k, near(rng, 5.0) / classes, grid=grid) for k in range(classes)]
    mechanism: Any = "posted_price"
    if maybe(rng, 0.4):
        mechanism = {"kind": "second_score", "bid": pick(rng, "cost", "price")}
        if maybe(rng, 0.3):
            mechanism["reserve"] = 0.2
    return Market.model_validate({
        "tasks": tasks, "sellers": sellers, "mechanism": mechanism,
        "events": happenings(rng, sellers, grid=grid), "run": {"until": SPAN},
        "quotes": {"latency": latency, "price": pick(rng, "expected", "expected", "exact"),
                   "accuracy": pick(rng, "true", "claimed"), "memory": pick(rng, 5.0, 60.0)},
        "platform": {"commission": pick(rng, 0.0, 0.15),
                     "ranking": pick(rng, "price", "accuracy", "random")},
    })  # fmt: skip


def bidding(rng: Random) -> Any:
    """Return some bidding rule."""
    return pick(
        rng, "cost", "price", {"kind": "markup", "rate": near(rng, 0.3)},
        {"kind": "equilibrium", "bidders": int(rng.integers(2, 6))},
        {"kind": "opportunity", "margin": near(rng, 0.1), "load": pick(rng, 0.5, 3.0, "unlimited")},
    )  # fmt: skip


def sealed_bids(rng: Random, *, promised: bool, grid: bool) -> Data:
    """Return some auction with sealed bids."""
    auction: Data = {
        "kind": pick(rng, "first_price", "vickrey", "first_score", "second_score"),
        "bid": bidding(rng),
    }
    scores = auction["kind"] in ("first_score", "second_score")
    if maybe(rng, 0.4):
        auction["reserve"] = near(rng, 0.15 if scores else 0.3)
    if maybe(rng, 0.3):
        auction["bid_time"] = quarters(rng, 0, 3) if grid else near(rng, 0.2)
    if maybe(rng, 0.4):
        auction["call"] = quarters(rng, 0, 6) if grid else near(rng, 0.4)
    if scores and maybe(rng, 0.3):
        auction["linear"], auction["quadratic"] = near(rng, 0.7), float(rng.normal(0.0, 0.2))
    if scores and promised:
        auction["promise"] = pick(rng, "posted", "bid")
        if auction["promise"] == "bid" and auction.get("quadratic", 0.0) < 0.0:
            auction["quadratic"] *= -1.0  # where a score is flat promises tie, but for rounding
    return auction


def random_auction(seed: int, *, grid: bool) -> Market:
    """Return a random market put up for bid: a random market's tasks, sellers and events."""
    market, rng = random_market(seed, grid=grid), np.random.default_rng([seed, int(grid), 7])
    sellers = []
    for spec in market.sellers:
        changes: Data = {}
        if maybe(rng, 0.5):
            changes["bid_time"] = quarters(rng, 0, 4) if grid else near(rng, 0.3)
        if maybe(rng, 0.3):
            changes["bidding"] = bidding(rng)
        if maybe(rng, 0.6):
            changes["cost_factor"] = pick(
                rng, 2.0, {"kind": "uniform", "low": 0.5, "high": 1.5},
                {"kind": "exponential", "mean": 1.0}, {"kind": "lognormal", "mean": 1.0, "cv": 0.5},
                {"kind": "quantiles", "probabilities": [0.0, 0.3, 1.0], "values": [0.2, 1.0, 2.0]},
            )  # fmt: skip
        sellers.append(spec.model_copy(update=changes))
    promised = market.quotes.latency == "promised"
    return market.model_copy(
        update={"sellers": sellers, "mechanism": sealed_bids(rng, promised=promised, grid=grid)}
    )


def quoting(rng: Random) -> Any:
    """Return how traders quote, around prices of 100,000 USD per million tokens."""
    low, high = near(rng, 2_000.0), near(rng, 300_000.0)
    return pick(
        rng, "truthful", {"kind": "linear", "slope": near(rng, 0.8), "intercept": near(rng, 5e3)},
        {"kind": "zi_u", "low": low, "high": high}, {"kind": "zi_c", "low": low, "high": high},
        {"kind": "zip", "step": near(rng, 1_000.0)}, {"kind": "zip", "step": near(rng, 1_000.0)},
    )  # fmt: skip


def random_double(seed: int, *, grid: bool) -> Market:
    """Return a random market with a double auction: a random market's tasks, sellers and events."""
    market, rng = random_auction(seed, grid=grid), np.random.default_rng([seed, int(grid), 8])
    mechanism: Data = {
        "kind": pick(rng, "k_double", "call_market", "continuous", "continuous"),
        "buyers": quoting(rng), "sellers": quoting(rng),
        "least_accuracy": pick(rng, 0.0, 0.0, 0.5),
    }  # fmt: skip
    if mechanism["kind"] == "continuous":
        mechanism |= {"shouts": pick(rng, 2.0, 8.0, 16.0), "book": pick(rng, "full", "best")}
    else:
        mechanism["k"] = pick(rng, 0.0, 0.25, 0.5, 1.0)
    if mechanism["kind"] == "call_market":
        mechanism["period"] = quarters(rng, 1, 8) if grid else near(rng, 1.0)
    tasks = [
        task.model_copy(update={"output_tokens": 1.0} if task.no_tokens else {})
        for task in market.tasks
    ]
    return market.model_copy(update={"mechanism": mechanism, "tasks": tasks})
