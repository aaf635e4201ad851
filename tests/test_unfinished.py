"""What has come and not ended when a run does is counted, and its delay is charged."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import walras as w
from walras import card, comparison_card

from .golden_markets import CALLED, MARKETS, market

UNTIL, LATER = 300.0, 3_000.0
BUSY = {"arrivals": w.Poisson(1.0), "patience": "none", "deadline": None}
"""More than the three sellers can serve, and nobody leaves."""


def crowded(mechanism: Any, **bidding: Any) -> w.Market:
    """Return the market of the golden texts with too many tasks, under a mechanism."""
    usual = market(mechanism, **bidding)
    tasks = [task.model_copy(update=BUSY) for task in usual.tasks]
    return usual.model_copy(update={"tasks": tasks})


CROWDED = {
    "posted_price": crowded("posted_price"),
    "vickrey": crowded("vickrey", **CALLED | {"bid_time": 20.0}),
    "call_market": crowded(w.CallMarket(period=7.0)),
    "continuous": crowded(w.ContinuousAuction(shouts=0.5)),
    "negotiation": crowded(w.Negotiation(round_time=9.0)),
    "contracts": MARKETS["contracts"],
}


def figure(result: w.Result, metric: str) -> float:
    rows = result.summary()
    rows = rows[(rows["task"] == "all") & (rows["offer"] == "all") & (rows["metric"] == metric)]
    return float(rows["value"].iloc[0])


def total(result: w.Result, name: str) -> float:
    return float(result.epochs[name].sum())


@pytest.mark.parametrize("name", ["posted_price", "vickrey", "negotiation", "contracts"])
def test_all_who_come_are_counted_and_pay_for_their_time(name: str) -> None:
    """Against the rows of a longer run, in which they have all ended: task by task."""
    run = w.run(CROWDED[name], until=UNTIL, warmup=0.0, seed=3, record="trades")
    rows = w.run(CROWDED[name], until=LATER, warmup=0.0, seed=3, record="trades").trades
    rows = rows[rows["arrival"] < UNTIL]
    open_ = rows[rows["finish"] > UNTIL]
    assert figure(run, "arrived") == len(rows)
    assert figure(run, "unfinished") == len(open_) == total(run, "open") > 0
    delay = float((open_["delay_cost"] * (UNTIL - open_["arrival"])).sum())
    assert total(run, "accrued") == pytest.approx(delay, rel=1e-9)


@pytest.mark.parametrize("name", ["call_market", "continuous"])
def test_the_same_tasks_come_under_every_mechanism(name: str) -> None:
    """A book that hardly trades hides nobody."""
    posted, book = (w.run(CROWDED[n], until=UNTIL, warmup=0.0, seed=3) for n in (
        "posted_price", name))  # fmt: skip
    assert figure(book, "arrived") == figure(posted, "arrived")
    ended = sum(figure(book, name) for name in ("served", "balked", "reneged", "failed"))
    assert figure(book, "unfinished") == figure(book, "arrived") - ended > 0


def test_surplus_charges_delay_as_it_passes() -> None:
    """Nobody is ever served: 100 tasks a second apart, .002 USD/s each, for 100 s in a book.

    ∫ c·N(t) dt = .002 · Σ (100 − i) over i = 0 … 99 = .002 · 5,050 USD, an hour's 36 times that;
    in the two halves of the run 1,275 and 3,775 of the 5,050.
    """
    times = np.arange(100.0)
    task = w.TaskClass("ask", w.Replay(times=times.tolist()), value=1.0, delay_cost=0.002)
    seller = w.Seller("one", accuracy=1.0, cost=w.per_task(0.1))
    book = w.Market([task], [seller], mechanism=w.CallMarket(period=1000.0),
                    run=w.Run(until=100.0, warmup=0.0, epoch=50.0))  # fmt: skip
    result = w.run(book)
    assert figure(result, "surplus") == pytest.approx(-0.002 * 5050 * 36)
    assert result.epochs["accrued"].tolist() == pytest.approx([0.002 * 1275, 0.002 * 3775])
    assert figure(result, "arrived") == figure(result, "unfinished") == 100
    steady = w.run(book, warmup=50.0)
    assert figure(steady, "surplus") == pytest.approx(-0.002 * 3775 * 72)
    assert (figure(steady, "arrived"), figure(steady, "unfinished")) == (50, 100)
    told = Console(file=io.StringIO(), width=120)
    told.print(card.card(steady, "", ""))
    said = "100 tasks had not ended when the run did; 50 came after the warm-up"
    assert said in told.file.getvalue()  # type: ignore[attr-defined]


def test_a_comparison_and_its_card_say_so() -> None:
    """The share that had not ended stands in the levels, and in words where it is large."""
    slow = w.ContinuousAuction(shouts=0.5)
    found = w.compare(CROWDED["posted_price"], {"quick": "posted_price", "slow": slow},
                      until=UNTIL, warmup=0.0, seed=3)  # fmt: skip
    levels = found.levels()
    shares = levels[(levels["task"] == "all") & (levels["metric"] == "unfinished_share")]
    share = dict(zip(shares["mechanism"], shares["value"], strict=True))["slow"]
    run = found.results["slow"]
    assert share == pytest.approx(figure(run, "unfinished") / figure(run, "arrived"))
    both = Console(file=io.StringIO(), width=120)
    both.print(comparison_card.card(found, "", ""))
    both.print(card.card(run, "", ""))
    told = both.file.getvalue()  # type: ignore[attr-defined]
    assert f"backlog slow: {100 * share:.1f}% of those who came had not ended" in told
    left, came = (figure(run, name) for name in ("unfinished", "arrived"))
    assert f"backlog {left:.0f} tasks had not ended when the run did; {came:.0f} came\n" in told
    few = w.run(MARKETS["posted_price"], seed=1)
    both.print(card.card(few, "", ""))
    assert both.file.getvalue().count("backlog") == told.count("backlog")  # type: ignore[attr-defined]


def test_the_figure_of_a_comparison_shows_who_has_not_ended() -> None:
    """Where more come than are served, that is what most of them got: nothing, so far."""
    slow = w.ContinuousAuction(shouts=0.5)
    found = w.compare(CROWDED["posted_price"], {"quick": MARKETS["posted_price"].mechanism,
                                                "slow": slow},
                      until=UNTIL, warmup=0.0, seed=3)  # fmt: skip
    bars = {t.name: t for t in w.plot.mechanisms(found).data if t.type == "bar"}
    levels = found.levels().query("task == 'all' and metric == 'unfinished_share'")
    assert list(bars["not ended"].x) == pytest.approx(levels["value"].tolist())
    calm = w.compare(market("posted_price"), ["posted_price", "second_score"], seed=1)
    assert "not ended" not in {t.name for t in w.plot.mechanisms(calm).data}
