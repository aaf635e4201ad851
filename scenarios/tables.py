"""From recorded arrays to tables: epochs, sellers, latencies and trades, with units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..market.clock import STATUS
from ..market.schema.market import Market
from ..market.state import BINS_PER_OCTAVE, FIRST_OCTAVE, LATENCY_BINS

OUTSIDE = "outside"
"""The offer of those who did without."""
NO_CONTRACT = "none"
"""The contract of those who hold none."""
COUNTS = ("assigned", "served", "right", "late", "reneged", "failed")
OPEN = np.dtype([("tasks", np.int64), ("delay_cost", np.float64)])
"""Tasks that have come and not ended, and what their delay has cost so far, USD."""
SUMS = ("wait", "service", "sojourn", "value", "loss", "delay_cost", "taste", "thinking", "search")
STANDING = ("open", "accrued")
"""How many more tasks are in the market at the end of an epoch than at its start, given to an offer
or, under the outside option, to none yet; and how much more their delay has cost so far."""
MONEY = ("paid", "refund", "penalty", "commission", "cost", "advertising", "fee")
UNITS = {
    "start": "s", "wait": "s", "service": "s", "sojourn": "s", "value": "USD", "loss": "USD",
    "delay_cost": "USD", "taste": "USD", "thinking": "tokens", "price": "USD/task", "low": "s",
    "high": "s", "search": "USD", "open": "tasks", "accrued": "USD", **dict.fromkeys(MONEY, "USD"),
}  # fmt: skip
SELLER_UNITS = {
    "start": "s", "slots": "slots", "utilisation": "ratio", "running": "tasks",
    "waiting": "tasks", "up": "ratio", "revenue": "USD", "cost": "USD", "fixed": "USD",
    "profit": "USD", "advertising": "USD",
}  # fmt: skip
_POSTED = ("price", "refund", "penalty", "commission", "returned", "cost", "advertising")
TRADE_UNITS = {
    **dict.fromkeys(("arrival", "start", "finish", "answer", "wait", "sojourn", "deadline"), "s"),
    **dict.fromkeys(("input", "output"), "tokens"),
    **dict.fromkeys(("value", "price", "refund", "penalty", "commission", "cost", "utility",
                     "surplus", "taste", "returned", "advertising", "search"), "USD"),
    **dict.fromkeys((f"{name}_nano" for name in _POSTED), "nano-USD"),
    "delay_cost": "USD/s", "difficulty": "logits",
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One replication as arrays: E epochs, K classes, O offers, S sellers."""

    stats: NDArray[Any]
    """[E, K, O + 1] STAT; the last column is the outside option."""
    sellers: NDArray[Any]
    """[E, S] SELLER, time integrals of the epoch."""
    open: NDArray[Any]
    """[E, K, O + 1] OPEN at the end of the epoch; in the last column, who has no offer yet."""
    asks: NDArray[np.float64]
    """[E, K, O] price of a mean task at the start of the epoch, USD."""
    levers: NDArray[np.float64]
    """[E, O] price lever of each offer at the start of the epoch."""
    posted: NDArray[np.float64]
    """[E, O] the lever's integral over the epoch, lever · seconds."""
    latencies: NDArray[np.int64]
    """[K, O, LATENCY_BINS]."""
    ledger: NDArray[np.int64]
    """[K + S + 3] nano-dollars: buyers by class, sellers, platform, suppliers, overflow flag."""
    trades: NDArray[Any]
    """[rows] TRADE."""
    contracts: Sequence[tuple[float, int, NDArray[np.int64]]] = ()
    """Start of a period, class, how many customers hold each contract, without one last."""


def tables(
    market: Market,
    edges: NDArray[np.float64],
    records: Sequence[Record],
    *,
    shares: Sequence[float],
) -> dict[str, pd.DataFrame]:
    """Return the tables of a run by name, those of a `Result`."""
    return {
        "epochs": _epochs(market, edges, records),
        "sellers": _sellers(market, edges, records),
        "prices": _prices(market, edges, records),
        "latencies": _latencies(market, records),
        "trades": _trades(market, records, shares),
        "accounts": _accounts(market, records),
        "contracts": _contracts(market, records),
    }


def _with_units(frame: pd.DataFrame, units: dict[str, str]) -> pd.DataFrame:
    frame.attrs["units"] = {c: units[c] for c in frame.columns if c in units}
    return frame


def _names(names: Sequence[str], codes: NDArray[Any]) -> Any:
    return pd.Categorical.from_codes(codes.astype(np.int64), categories=pd.Index(list(names)))


def _epochs(market: Market, edges: NDArray[np.float64], records: Sequence[Record]) -> pd.DataFrame:
    stats = np.stack([r.stats for r in records])
    still = np.stack([r.open for r in records])
    before = np.concatenate([np.zeros_like(still[:, :1]), still[:, :-1]], axis=1)
    more, accrued = (still[name] - before[name] for name in ("tasks", "delay_cost"))
    active = (more != 0) | (accrued != 0.0)
    for name in ("assigned", "served", "reneged", "failed", "fee"):
        active |= stats[name] > 0
    rep, epoch, k, o = np.nonzero(active)
    rows = stats[active]
    offers = [*market.offers, OUTSIDE]
    sellers = [*(s.name for s in market.sellers), ""]
    of_seller = [s for s, seller in enumerate(market.sellers) for _ in seller.effort]
    asks = np.stack([r.asks for r in records])
    asks = np.concatenate([asks, np.full((*asks.shape[:3], 1), np.nan)], axis=3)
    data: dict[str, Any] = {
        "rep": rep, "epoch": epoch, "start": edges[epoch],
        "task": _names([t.name for t in market.tasks], k), "offer": _names(offers, o),
        "seller": _names(sellers, np.array([*of_seller, len(sellers) - 1])[o]),
    }  # fmt: skip
    data |= {name: rows[name] for name in COUNTS}
    data["wrong"] = rows["served"] - rows["right"]
    data |= {name: rows[name] for name in SUMS}
    data |= {name: rows[name] * 1e-9 for name in MONEY}
    data["open"], data["accrued"] = more[active], accrued[active]
    data["price"] = asks[rep, epoch, k, o]
    return _with_units(pd.DataFrame(data), UNITS)


def _sellers(market: Market, edges: NDArray[np.float64], records: Sequence[Record]) -> pd.DataFrame:
    shape = (len(records), len(edges) - 1, len(market.sellers))
    state = np.stack([r.sellers for r in records])
    stats = np.stack([r.stats for r in records])[..., :-1]
    owner_of = np.array([s for s, seller in enumerate(market.sellers) for _ in seller.effort])
    length = np.diff(edges)[None, :, None]
    per_seller = {
        name: np.stack(
            [stats[name][..., owner_of == s].sum(axis=(2, 3)) for s in range(shape[2])], axis=-1
        ) * 1e-9
        for name in MONEY
    }  # fmt: skip
    limited = np.array([not (math.isinf(s.slots) and math.isinf(s.kappa)) for s in market.sellers])
    rent = np.array([s.rent for s in market.sellers]) / 3600
    fixed_cost = np.array([s.fixed_cost for s in market.sellers]) / 3600
    revenue = (
        per_seller["paid"] - per_seller["refund"] - per_seller["penalty"] - per_seller["commission"]
        + per_seller["fee"]
    )  # fmt: skip
    fixed = rent * state["slot_time"] + fixed_cost * state["open_time"]
    rep, epoch, s = (index.ravel() for index in np.indices(shape))
    columns = {
        "slots": state["slots"],
        "utilisation": np.where(limited, state["busy"] / length, np.nan),
        "running": state["run_time"] / length, "waiting": state["wait_time"] / length,
        "up": state["up_time"] / length, "revenue": revenue, "cost": per_seller["cost"],
        "advertising": per_seller["advertising"], "fixed": fixed,
        "profit": revenue - per_seller["cost"] - per_seller["advertising"] - fixed,
    }  # fmt: skip
    frame = pd.DataFrame({
        "rep": rep, "epoch": epoch, "start": edges[epoch],
        "seller": _names([x.name for x in market.sellers], s),
        "owner": np.array([x.owned_by for x in market.sellers], dtype=object)[s],
        **{name: values.ravel() for name, values in columns.items()},
    })  # fmt: skip
    return _with_units(frame, SELLER_UNITS)


def _prices(market: Market, edges: NDArray[np.float64], records: Sequence[Record]) -> pd.DataFrame:
    """Return what was posted: each offer's lever at the start of each epoch, and its mean."""
    levers = np.stack([r.levers for r in records])
    means = np.stack([r.posted for r in records]) / np.diff(edges)[:, None]
    rep, epoch, o = (index.ravel() for index in np.indices(levers.shape))
    of_seller = np.array([s for s, seller in enumerate(market.sellers) for _ in seller.effort])
    units = ["USD/Mtok" if x.price.by_token else "USD/task" for x in market.sellers]
    frame = pd.DataFrame({
        "rep": rep, "epoch": epoch, "start": edges[epoch], "offer": _names(market.offers, o),
        "seller": _names([x.name for x in market.sellers], of_seller[o]),
        "price": levers.ravel(), "mean_price": means.ravel(),
        "price_unit": np.array(units, dtype=object)[of_seller[o]],
    })  # fmt: skip
    return _with_units(
        frame, {"start": "s", "price": "see price_unit", "mean_price": "see price_unit"}
    )


def _latencies(market: Market, records: Sequence[Record]) -> pd.DataFrame:
    counts = np.sum([r.latencies for r in records], axis=0)
    k, o, place = np.nonzero(counts)
    low = 2.0 ** (FIRST_OCTAVE + np.arange(LATENCY_BINS + 1) / BINS_PER_OCTAVE)
    low[0] = 0.0
    frame = pd.DataFrame({
        "task": _names([t.name for t in market.tasks], k), "offer": _names(market.offers, o),
        "low": low[place], "high": low[place + 1], "count": counts[k, o, place],
    })  # fmt: skip
    return _with_units(frame, UNITS)


def _trades(market: Market, records: Sequence[Record], shares: Sequence[float]) -> pd.DataFrame:
    rows = np.concatenate([r.trades for r in records])
    rep = np.repeat(np.arange(len(records)), [len(r.trades) for r in records])
    chosen = rows["sampled"] == 1
    rows, rep = rows[chosen], rep[chosen]
    status = [STATUS[i] for i in range(len(STATUS))]
    data: dict[str, Any] = {
        "rep": rep, "task": _names([t.name for t in market.tasks], rows["kind"]),
        "id": rows["id"],
        "offer": _names([*market.offers, OUTSIDE],
                        np.where(rows["offer"] < 0, len(market.offers), rows["offer"])),
        "status": _names(status, rows["status"]),
    }  # fmt: skip
    for name in ("arrival", "start", "finish", "answer", "wait", "sojourn", "input", "output",
                 "value", "deadline", "delay_cost", "difficulty"):  # fmt: skip
        data[name] = rows[name]
    data["deadline"] = np.where(np.isinf(data["deadline"]), np.nan, data["deadline"])
    data |= {"right": rows["right"] == 1, "late": rows["late"] == 1}
    for name in _POSTED:
        data[f"{name}_nano"] = rows[name]
        data[name] = rows[name] * 1e-9
    data |= {name: rows[name] for name in ("utility", "surplus", "taste", "search")}
    if market.contracts:
        names = [*market.contracts, NO_CONTRACT]
        data["customer"] = rows["customer"]
        data["contract"] = _names(
            names, np.where(rows["contract"] < 0, len(names) - 1, rows["contract"])
        )
    frame = _with_units(pd.DataFrame(data), TRADE_UNITS)
    frame.attrs["share"] = {t.name: x for t, x in zip(market.tasks, shares, strict=True)}
    return frame


def _contracts(market: Market, records: Sequence[Record]) -> pd.DataFrame:
    """Return how many customers hold which contract, by period; empty where there are none."""
    names = [*market.contracts, NO_CONTRACT]
    fees = [c.fee for s in market.sellers for c in s.contracts.values()]
    taken = [(rep, *row) for rep, record in enumerate(records) for row in record.contracts]
    rep = np.array([t[0] for t in taken], dtype=np.int64)
    counts = np.array([t[3] for t in taken], dtype=np.int64).reshape(len(taken), len(names))
    start = np.array([t[1] for t in taken], dtype=np.float64)
    each, j = (index.ravel() for index in np.indices(counts.shape))
    frame = pd.DataFrame({
        "rep": rep[each],
        "period": np.rint(start[each] / market.platform.contract_period).astype(np.int64),
        "start": start[each],
        "task": _names([t.name for t in market.tasks],
                       np.array([t[2] for t in taken], dtype=np.int64)[each]),
        "contract": _names(names, j), "customers": counts.ravel(),
        "fee": counts.ravel() * np.array([*fees, 0.0])[j],
    })  # fmt: skip
    return _with_units(frame, {"start": "s", "customers": "customers", "fee": "USD"})


def _accounts(market: Market, records: Sequence[Record]) -> pd.DataFrame:
    """Return the ledger: balances in nano-dollars, which sum to zero in each replication."""
    kinds = (
        [("buyers", t.name) for t in market.tasks] + [("seller", s.name) for s in market.sellers]
        + [("platform", ""), ("suppliers", "")]
    )  # fmt: skip
    parts = [
        pd.DataFrame({"rep": rep, "account": [k for k, _ in kinds], "name": [n for _, n in kinds],
                      "balance_nano": record.ledger[:-1]})
        for rep, record in enumerate(records)
    ]  # fmt: skip
    return _with_units(pd.concat(parts, ignore_index=True), {"balance_nano": "nano-USD"})
