"""The same scenario and seed give the same digest wherever and however they run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np

import walras as w
from walras.market.engine import Engine

from .golden_markets import MARKETS
from .test_books import busy_market

_PROGRAM = """
from tests.test_determinism import digests
for digest in digests():
    print(digest)
"""


def with_strategies() -> w.Market:
    """Return a market with repricing sellers, closed users and average quotes."""
    tasks = [
        w.TaskClass("talk", w.Closed(20, w.Exponential(5.0)), output_tokens=w.LogNormal(1.0, 1.5),
                    value=1.0, deadline=6.0, lateness=w.HalfLife(3.0),
                    choice=w.Logit(0.2, nest=0.5)),
        w.TaskClass("read", w.MMPP([0.2, 3.0], [20.0, 5.0]),
                    input_tokens=w.Quantiles([0.0, 0.5, 1.0], [0.0, 1.0, 5.0]), value=2.0),
    ]  # fmt: skip
    sellers = [
        w.Seller("x", accuracy=0.9, slots=2, price=w.per_task(0.4), pricing=w.LoadPricing(),
                 reprice_every=20.0),
        w.Seller("y", accuracy=0.9, kappa=1, slots="unlimited", price=w.per_task(0.5),
                 cost=w.per_task(0.1), prefill_rate=3.0, pricing=w.Undercut(), reprice_every=15.0),
    ]  # fmt: skip
    return w.Market(tasks=tasks, sellers=sellers, quotes={"latency": "average", "memory": 60.0})


def digests() -> list[str]:
    """Return the digests of a busy market, one with strategies, and one under each mechanism.

    Those of talks are compared in `test_talks`.
    """
    mechanisms = [m for m in MARKETS.values() if not isinstance(m.mechanism, w.Negotiation)]
    busy = [busy_market(), with_strategies()]
    found = [w.run(market, until=200.0, seed=11, reps=2).digest for market in busy]
    return found + [w.run(market, until=50.0, seed=11).digest for market in mechanisms]


def elsewhere(**environment: str) -> list[str]:
    """Return the digests printed by a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    return done.stdout.split()


def test_digest_is_the_same_in_other_processes_and_without_the_compiler() -> None:
    """Across processes, hash seeds and NUMBA_DISABLE_JIT=1."""
    here = digests()
    assert len(set(here)) == len(here)
    assert elsewhere(PYTHONHASHSEED="1") == here
    assert elsewhere(PYTHONHASHSEED="2", NUMBA_DISABLE_JIT="1") == here


def test_another_seed_gives_another_digest() -> None:
    """The digest notices what it should."""
    market = busy_market()
    assert w.run(market, until=100.0, seed=1).digest != w.run(market, until=100.0, seed=2).digest


def stats_of(market: w.Market, until: float, **sizes: Any) -> Any:
    """Return the counts and sums of a run with buffers of given sizes."""
    engine = Engine(market, seed=5, **sizes)
    engine.advance(until)
    return engine.state.stats


def test_sizes_of_buffers_change_nothing() -> None:
    """Blocks of arrivals, rows of trades and places of the pool are only memory."""
    market = busy_market(events=[])
    usual = stats_of(market, 300.0)
    for sizes in ({"block": 1}, {"block": 17, "rows": 8}, {"places": 4, "rows": 3}):
        assert (stats_of(market, 300.0, **sizes) == usual).all()


def test_stopping_often_changes_nothing() -> None:
    """A run in many steps is the same run."""
    market = busy_market(events=[])
    engine = Engine(market, seed=5)
    for end in np.linspace(0.0, 300.0, 1000)[1:]:
        engine.advance(float(end))
    usual = stats_of(market, 300.0)
    for name in usual.dtype.names:
        np.testing.assert_allclose(engine.state.stats[name], usual[name], rtol=1e-12)


def trades_by_id(market: w.Market) -> Any:
    """Return the trades of a run, by task id."""
    return w.run(market, until=300.0, seed=5, record="trades").trades.set_index("id")


def test_another_seller_changes_no_other_draw() -> None:
    """The same buyers with the same tastes and difficulties meet one seller more."""
    market = busy_market(events=[])
    more = market.model_copy(
        update={"sellers": [w.Seller("new", accuracy=0.5, price=w.per_task(5.0)), *market.sellers]}
    )
    a, b = trades_by_id(market), trades_by_id(more)
    both = a.index.intersection(b.index)
    assert len(both) > 1000
    for name in ("arrival", "input", "output", "value", "difficulty"):
        assert (a.loc[both, name] == b.loc[both, name]).all()
    same = both[(a.loc[both, "offer"].astype(str) == b.loc[both, "offer"].astype(str)).to_numpy()]
    assert (a.loc[same, "taste"] == b.loc[same, "taste"]).all()
    served = same[
        ((a.loc[same, "status"] == "served") & (b.loc[same, "status"] == "served")).to_numpy()
    ]
    assert (a.loc[served, "right"] == b.loc[served, "right"]).all()


def test_another_class_changes_no_other_draw() -> None:
    """A class that comes first in the file leaves the others' tasks alone."""
    market = busy_market(events=[])
    extra = w.TaskClass("extra", w.Poisson(1.0), value=1.0)
    more = market.model_copy(update={"tasks": [extra, *market.tasks]})
    a, b = trades_by_id(market), trades_by_id(more)
    b = b[b["task"].astype(str) != "extra"]
    both = a.index.intersection(b.index)
    assert len(both) > 1000
    assert (a.loc[both, "arrival"] == b.loc[both, "arrival"]).all()
    assert (a.loc[both, "value"] == b.loc[both, "value"]).all()
