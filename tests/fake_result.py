"""A made-up run with frames like a real one: what figures and report need, without the kernel.

Buyers choose by a noisy utility, so that the shapes (who wins where, tails, misses) look as they
would; the numbers mean nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator, default_rng
from pydantic import BaseModel

from walras.market.schema.market import Market
from walras.scenarios.result import Result

UNTIL, EPOCH, WARMUP = 86400.0, 864.0, 8640.0
HOSTILE = "<script>alert('x')</script><b>\"&amp;'"

CLASSES: list[dict[str, Any]] = [
    {"name": "interpreting", "value": {"kind": "lognormal", "mean": 0.02, "cv": 0.8}, "loss": 0.01,
         "deadline": {"kind": "uniform", "low": 2, "high": 5}, "skill": "language",
         "output_tokens": {"kind": "lognormal", "mean": 60, "cv": 0.5}, "input_tokens": 80,
         "delay_cost": 0.001, "arrivals": {"kind": "poisson", "rate": 2.0}},
    {"name": "autocomplete", "value": {"kind": "lognormal", "mean": 0.004, "cv": 1.0},
     "loss": 0.001,
         "deadline": {"kind": "uniform", "low": 0.2, "high": 1}, "skill": "code",
         "output_tokens": {"kind": "lognormal", "mean": 20, "cv": 0.7}, "input_tokens": 1500,
         "arrivals": {"kind": "diurnal", "rate": 4.0}},
    {"name": "chat", "value": {"kind": "lognormal", "mean": 0.05, "cv": 1.5}, "loss": 0.02,
         "deadline": "10 s", "lateness": {"kind": "halflife", "half_life": "10 s"}, "skill": "chat",
         "output_tokens": {"kind": "lognormal", "mean": 200, "cv": 1.0}, "input_tokens": 1000,
         "delay_cost": 0.0005, "arrivals": {"kind": "diurnal", "rate": 3.0}},
    {"name": "translation", "value": {"kind": "lognormal", "mean": 20, "cv": 1.0}, "loss": 5,
         "deadline": "5 min", "skill": "language", "input_tokens": 2700,
         "output_tokens": {"kind": "lognormal", "mean": 2700, "cv": 0.6}, "patience": "deadline",
         "arrivals": {"kind": "poisson", "rate": 0.2}},
    {"name": "deep_research", "value": {"kind": "lognormal", "mean": 60, "cv": 1.2}, "loss": 90,
         "deadline": {"kind": "uniform", "low": "5 min", "high": "30 min"}, "skill": "science",
         "difficulty": {"mean": 1.0, "sd": 1.5}, "input_tokens": 20000,
         "output_tokens": {"kind": "lognormal", "mean": 6000, "cv": 0.8},
         "arrivals": {"kind": "poisson", "rate": 0.05}},
    {"name": "migration", "value": {"kind": "lognormal", "mean": 300, "cv": 1.0}, "loss": 60,
         "deadline": "10 min", "skill": "code", "difficulty": {"mean": 1.5, "sd": 1.5},
         "input_tokens": 30000,
         "output_tokens": {"kind": "lognormal", "mean": 8000, "cv": 0.9},
         "arrivals": {"kind": "poisson", "rate": 0.02}},
    {"name": "tool_calling", "value": {"kind": "lognormal", "mean": 0.1, "cv": 1.0}, "loss": 0.1,
         "deadline": {"kind": "uniform", "low": 3, "high": 20}, "skill": "tools",
         "input_tokens": 4000,
         "output_tokens": {"kind": "lognormal", "mean": 120, "cv": 0.6},
         "arrivals": {"kind": "poisson", "rate": 1.0}},
    {"name": "writing", "value": {"kind": "lognormal", "mean": 1.5, "cv": 1.0}, "skill": "chat",
         "choice": {"kind": "logit", "scale": 0.05}, "input_tokens": 400, "delay_cost": 0.0005,
         "output_tokens": {"kind": "lognormal", "mean": 1200, "cv": 0.7},
         "arrivals": {"kind": "poisson", "rate": 0.3}},
]  # fmt: skip

# name, theta, beta, speed, output price, effort menu, slots, startup
SELLERS: list[tuple[str, float, float, float, float, dict[str, float], int | str, float]] = [
    ("nano-1b", -0.8, 0.0, 60, 0.02, {"default": 0}, "unlimited", 0.05),
    ("flash-lite", 0.6, 0.0, 180, 0.3, {"default": 0}, 200, 0.25),
    ("flash-2.0", 1.0, 0.0, 160, 0.4, {"default": 0}, 200, 0.3),
    ("haiku-3.5", 0.9, 0.0, 66, 4.0, {"default": 0}, 100, 0.7),
    ("small-mini", 0.8, 0.0, 100, 0.6, {"default": 0}, 150, 0.4),
    ("llama-70b", 1.0, 0.0, 250, 0.79, {"default": 0}, 80, 0.3),
    ("sonnet-3.7", 1.7, 0.45, 75, 15.0,
     {"none": 0, "low": 4000, "high": 16000, "max": 32000}, 60, 1.0),
    ("mini-reasoner", 1.1, 0.55, 150, 4.4, {"low": 1200, "medium": 5000, "high": 15000}, 80, 0.8),
    ("deep-r1", 1.2, 0.5, 25, 2.19, {"default": 8000}, 200, 1.5),
    ("deep-v3", 1.3, 0.0, 21, 1.1, {"default": 0}, 200, 1.2),
    ("big-o1", 1.6, 0.6, 60, 60.0, {"low": 3000, "high": 12000}, 40, 2.0),
    ("four-five", 2.1, 0.0, 11, 150.0, {"default": 0}, 30, 1.5),
    ("four-o", 1.3, 0.0, 80, 10.0, {"default": 0}, 150, 0.5),
    ("phone-3b", -0.3, 0.0, 20, 0.0, {"default": 0}, "unlimited", 0.2),
    ("qwen-32b", 1.0, 0.3, 90, 0.9, {"off": 0, "on": 6000}, 60, 0.5),
    ("mistral-l", 1.1, 0.0, 60, 6.0, {"default": 0}, 60, 0.5),
]  # fmt: skip


def fake_market(classes: int = 8, sellers: int = 16) -> Market:
    """Build the spec of the run."""
    skills = ("language", "code", "chat", "science", "tools")
    made = [
        {
            "name": name, "owner": name.split("-")[0], "speed": speed, "effort": effort,
            "slots": slots, "startup_time": startup, "network_time": 0.05,
            "price": {"output": price, "input": price / 4}, "refund_late": 0.5 * (i == 3),
            "cost": {"output": price / 3, "input": price / 12}, "kappa": 40,
            "ability": {s: {"theta": theta + 0.2 * ((i + k) % 3 - 1), "beta": beta, "floor": 0.02,
                            "ceiling": 0.99} for k, s in enumerate(skills)},
            "prefill_rate": 5000, "enters": 30000.0 if name == "qwen-32b" else 0.0,
        }
        for i, (name, theta, beta, speed, price, effort, slots, startup)
        in enumerate(SELLERS[:sellers])
    ]  # fmt: skip
    return Market.model_validate({
        "name": "marketplace", "question": "Which models win which tasks?",
        "tasks": CLASSES[:classes], "sellers": made,
        "run": {"until": UNTIL, "warmup": WARMUP, "epoch": EPOCH},
        "events": [{"kind": "exit", "at": 60000.0, "seller": "four-o"}] * (sellers > 12),
    })  # fmt: skip


def fake_result(
    seed: int = 1, *, classes: int = 8, sellers: int = 16, tasks: int = 16000, reps: int = 3
) -> Result:
    """Make up a run."""
    rng = default_rng(seed)
    market = fake_market(classes, sellers)
    trades = pd.concat(
        [_trades(market, k, tasks // classes, reps, rng) for k in range(classes)],
        ignore_index=True,
    )
    trades.attrs["share"] = {task.name: 0.07 for task in market.tasks}
    manifest = {
        "command": "walras run marketplace --seed 1 --reps 3", "seconds": 7.31,
        "memory_mb": 412.0, "tasks": 912_345, "seed": seed, "reps": reps,
        "platform": "Linux x86_64", "versions": {"walras": "0.1.0", "numpy": "2.4.0"},
        "digest": "9f86d081884c7d65",
    }  # fmt: skip
    frames = {
        "epochs": _epochs(trades), "sellers": _sellers(market, trades, reps, rng),
        "prices": _prices(market, reps, rng),
        "latencies": _latencies(trades), "trades": trades,
    }  # fmt: skip
    for name, frame in frames.items():
        frames[name] = _coded(frame)
    frames["accounts"] = pd.DataFrame()
    return Result(market=market, seed=seed, reps=reps, record="epochs", manifest=manifest, **frames)


def unchecked(spec: Any, changes: dict[str, Any]) -> Any:
    """Copy a spec with changes that its own `model_copy` might refuse."""
    return BaseModel.model_copy(spec, update=changes)


def hostile_result() -> Result:
    """Make up a run whose names are markup; no file could name a seller so, a frame might."""
    result = fake_result(classes=3, sellers=6, tasks=1500, reps=1)
    market = result.market
    old, new = market.sellers[1].name, HOSTILE.replace("/", "")
    task = market.tasks[0].name
    seller = unchecked(market.sellers[1], {"name": new, "owner": new})
    first = unchecked(market.tasks[0], {"name": HOSTILE})
    frames = {}
    for name in ("epochs", "sellers", "prices", "latencies", "trades"):
        frame = getattr(result, name)
        names = {old: new, task: HOSTILE, f"{old}/default": f"{new}/default"}
        coded = list(frame.select_dtypes("category"))
        frames[name] = frame.assign(**{c: frame[c].cat.rename_categories(names) for c in coded})
        frames[name].attrs = frame.attrs
    market = unchecked(market, {
        "sellers": (market.sellers[0], seller, *market.sellers[2:]),
        "tasks": (first, *market.tasks[1:]), "question": HOSTILE, "name": HOSTILE,
    })  # fmt: skip
    manifest = {**result.manifest, "command": f"walras run '{HOSTILE}'"}
    return replace(result, market=market, manifest=manifest, **frames)


def _coded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its names as categories, as a run gives them."""
    names = [c for c in ("task", "offer", "seller", "status") if c in frame]
    out = frame.astype(dict.fromkeys(names, "category"))
    out.attrs = frame.attrs
    return out


def _trades(market: Market, k: int, n: int, reps: int, rng: Generator) -> pd.DataFrame:
    task, raw = market.tasks[k], CLASSES[k]
    size = raw["output_tokens"]
    out = _lognormal(size["mean"], size["cv"], n, rng)
    value = _lognormal(raw["value"]["mean"], raw["value"]["cv"], n, rng)
    deadline = _deadlines(task, n, rng)
    arrival = np.sort(rng.uniform(0, UNTIL, n))
    offers, utility, parts = ["outside"], [np.zeros(n)], [np.zeros((6, n))]
    for seller in market.sellers:
        item = seller.ability[task.skill]
        for effort, thinking in seller.effort.items():
            level = item.theta + item.beta * np.log1p(thinking / seller.e0)
            right = 0.02 + 0.97 / (1 + np.exp(task.difficulty.mean - level))
            work = raw["input_tokens"] * seller.speed / 5000 + out + thinking
            service = work / (seller.speed * 0.7)
            wait = rng.exponential(0.15 * service.mean(), n) * (rng.random(n) < 0.3)
            time = service + wait + seller.startup_time + 0.05
            price = (raw["input_tokens"] * seller.price.input
                     + (out + thinking) * seller.price.output) / 1e6  # fmt: skip
            late = time > np.where(np.isnan(deadline), np.inf, deadline)
            cost = task.delay_cost.mean if hasattr(task.delay_cost, "mean") else 0.0
            loss = task.loss * value / value.mean()
            u = ~late * (right * value - (1 - right) * loss) - cost * time - price
            closed = (arrival < seller.enters) | ((seller.name == "four-o") & (arrival > 60000))
            offers.append(f"{seller.name}/{effort}")
            utility.append(np.where(closed, -np.inf, u))
            correct = rng.random(n) < right
            parts.append(np.stack([wait, service, time, price, correct, late]))
    noise = rng.gumbel(0, 0.03 * value.mean(), (len(offers), n))
    best = (np.array(utility) + noise).argmax(axis=0)
    chosen = np.stack(parts)[best, :, np.arange(n)]
    wait, service, sojourn, price, right, late = chosen.T
    outside = best == 0
    left = ~outside & (task.patience.kind == "deadline") & (rng.random(n) < 0.02)
    failed = ~outside & ~left & (rng.random(n) < 0.003)
    status = np.select([outside, left, failed], ["balked", "reneged", "failed"], "served")
    served = status == "served"
    nan = np.where(served, 1.0, np.nan)
    return pd.DataFrame({
        "rep": rng.integers(0, reps, n), "task": task.name,
        "id": rng.integers(0, 2**63, n).astype(np.uint64), "offer": np.array(offers)[best],
        "status": status, "arrival": arrival, "start": arrival + wait * nan,
        "finish": arrival + (wait + service) * nan, "answer": arrival + sojourn * nan,
        "wait": wait * nan, "sojourn": sojourn * nan, "input": float(raw["input_tokens"]),
        "output": out, "value": value, "deadline": deadline, "delay_cost": 0.0,
        "difficulty": 0.0, "right": (right > 0) & served, "late": (late > 0) & served,
        "price": price * served, "refund": 0.0, "penalty": 0.0, "commission": 0.0,
        "advertising": 0.0, "search": 0.0,
        "cost": price / 3 * served, "utility": np.array(utility)[best, np.arange(n)],
        "surplus": (value * right - price) * served, "taste": 0.0,
    })  # fmt: skip


def _lognormal(mean: float, cv: float, n: int, rng: Generator) -> Any:
    s2 = np.log1p(cv**2)
    return np.exp(np.log(mean) - s2 / 2 + np.sqrt(s2) * rng.standard_normal(n))


def _deadlines(task: Any, n: int, rng: Generator) -> Any:
    if task.deadline is None:
        return np.full(n, np.nan)
    if task.deadline.kind == "uniform":
        return rng.uniform(task.deadline.low, task.deadline.high, n)
    return np.full(n, task.deadline.value)


def _epochs(trades: pd.DataFrame) -> pd.DataFrame:
    t = trades.assign(
        epoch=(trades["arrival"] // EPOCH).astype(int), assigned=1,
        seller=trades["offer"].str.rpartition("/")[0],
        served=(trades["status"] == "served").astype(int),
        reneged=(trades["status"] == "reneged").astype(int),
        failed=(trades["status"] == "failed").astype(int),
        right=trades["right"].astype(int),
        wrong=((trades["status"] == "served") & ~trades["right"]).astype(int),
        late=trades["late"].astype(int), service=trades["finish"] - trades["start"],
        paid=trades["price"], loss=0.0, thinking=0.0,
    )  # fmt: skip
    sums = ["assigned", "served", "right", "wrong", "late", "reneged", "failed", "wait", "service",
            "sojourn", "value", "loss", "delay_cost", "taste", "paid", "refund", "penalty",
            "commission", "cost", "advertising", "thinking", "search"]  # fmt: skip
    out = t.groupby(["rep", "epoch", "task", "offer", "seller"])[sums].sum().reset_index()
    out["start"] = out["epoch"] * EPOCH
    out["price"] = out["paid"] / out["served"].where(out["served"] > 0)
    return out


def _sellers(market: Market, trades: pd.DataFrame, reps: int, rng: Generator) -> pd.DataFrame:
    epochs = int(UNTIL / EPOCH)
    t = trades.assign(seller=trades["offer"].str.rpartition("/")[0],
                      epoch=(trades["arrival"] // EPOCH).astype(int))  # fmt: skip
    money = t.groupby(["rep", "epoch", "seller"])[["price", "cost"]].sum()
    frames = []
    for s in market.sellers:
        for rep in range(reps):
            keys = pd.MultiIndex.from_product([[rep], range(epochs), [s.name]])
            flow = money.reindex(keys).fillna(0.0)
            shape = np.sin(np.arange(epochs) / epochs * 2 * np.pi)
            use = np.clip(0.4 + 0.3 * shape + rng.normal(0, 0.05, epochs), 0, 1)
            start = np.arange(epochs) * EPOCH
            up = (start >= s.enters) & ~((s.name == "four-o") & (start > 60000))
            frames.append(pd.DataFrame({
                "rep": rep, "epoch": range(epochs), "start": start, "seller": s.name,
                "owner": s.owner,
                "slots": s.slots, "utilisation": np.nan if np.isinf(s.slots) else use * up,
                "running": use * 8 * up, "waiting": use * 0.4 * up, "up": up.astype(float),
                "revenue": flow["price"].to_numpy(), "cost": flow["cost"].to_numpy(),
                "advertising": 0.0, "fixed": 0.0,
                "profit": (flow["price"] - flow["cost"]).to_numpy(),
            }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _prices(market: Market, reps: int, rng: Generator) -> pd.DataFrame:
    epochs = int(UNTIL / EPOCH)
    frames = []
    for s in market.sellers:
        for rep in range(reps):
            walk = np.zeros(epochs)
            if s.name in ("flash-2.0", "sonnet-3.7", "mini-reasoner"):
                walk = np.cumsum(rng.normal(0, 0.02, epochs))
            frames += [
                pd.DataFrame({
                    "rep": rep, "epoch": range(epochs), "start": np.arange(epochs) * EPOCH,
                    "offer": offer, "seller": s.name, "price": s.price.lever * np.exp(walk),
                    "mean_price": s.price.lever * np.exp(walk), "price_unit": "USD/Mtok",
                })
                for offer in s.offers
            ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _latencies(trades: pd.DataFrame) -> pd.DataFrame:
    t = trades[(trades["arrival"] >= WARMUP) & (trades["status"] == "served")]
    bins = np.logspace(-2, 5, 7 * 20 + 1)
    which = np.digitize(t["sojourn"], bins) - 1
    return (
        t.assign(low=bins[which], high=bins[which + 1])
        .groupby(["task", "offer", "low", "high"]).size().rename("count").reset_index()
    )  # fmt: skip
