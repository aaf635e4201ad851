"""Nothing is lost: tasks are conserved at every epoch, money to the nano-dollar."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.market.engine import Engine, LedgerOverflowError
from walras.market.ledger import LIMIT, post
from walras.market.state import BALKED, FAILED, RENEGED, SERVED


def busy_market(**changes: Any) -> w.Market:
    """Return a market in which every way to end occurs, with commission, refunds, penalties."""
    tasks = [
        w.TaskClass(
            "chat", w.Poisson(4.0), output_tokens=w.Exponential(1.0), value=w.LogNormal(1.0, 0.5),
            loss=0.3, deadline=w.Exponential(6.0), patience="deadline", choice=w.Logit(0.3),
            difficulty={"sd": 1.0},
        ),
        w.TaskClass(
            "code", w.Batch(0.5, 3, spread="geometric"), output_tokens=w.Gamma(2.0, 0.5), value=2.0,
            delay_cost=0.01, deadline=8.0, lateness=w.Linear(4.0), priority=1,
        ),
    ]  # fmt: skip
    sellers = [
        w.Seller(
            "a", accuracy=0.9, slots=3, price=w.per_task(0.3333333), cost=w.per_task(0.1),
            refund_late=0.5, refund_wrong=0.77, discipline="priority_preemptive", promise=2.0,
            penalty=0.0123456,
        ),
        w.Seller("b", accuracy=0.95, kappa=3, slots=6, price=w.per_mtok(0.0, 1.5e5),
                 cost=w.per_mtok(0.0, 0.4e5), refund_wrong=1.0, effort={"low": 0, "high": 0.5}),
    ]  # fmt: skip
    fields: dict[str, Any] = {
        "platform": {"commission": 0.0725},
        "events": [
            w.Outage(at=150.0, seller="a", duration=30.0, in_service="fail"),
            w.Outage(at=400.0, seller="b", duration=30.0, in_service="requeue"),
            w.Exit(at=600.0, seller="b"), w.Enter(at=700.0, seller="b"),
            w.AddSlots(at=800.0, seller="a", slots=2, lead_time=20.0),
        ],
        **changes,
    }  # fmt: skip
    return w.Market(tasks=tasks, sellers=sellers, **fields)


@pytest.mark.parametrize("mechanism", ["posted_price", "second_score"])
def test_tasks_are_conserved_at_every_epoch(mechanism: str) -> None:
    """Arrived = served + reneged + balked + failed + in system, per class, after each epoch."""
    from walras.agents.economy import Economy

    economy = Economy(busy_market(mechanism=mechanism), seed=0)
    totals = np.zeros((5, 2), dtype=np.int64)
    for end in range(10, 1010, 10):
        economy.advance(float(end))
        state = economy.engine.state
        stats = state.stats
        offers = stats[:, :-1]
        totals[0] += stats["assigned"].sum(axis=1)
        totals[1] += offers["served"].sum(axis=1)
        totals[2] += offers["reneged"].sum(axis=1)
        totals[3] += stats["assigned"][:, -1]
        totals[4] += offers["failed"].sum(axis=1)
        economy.forget()
        inside = state.tasks[np.isin(state.tasks["state"], (2, 3))]
        in_system = np.bincount(inside["kind"], minlength=2)
        assert (totals[0] == totals[1:].sum(axis=0) + in_system).all()
        assert in_system.sum() == economy.engine.in_system()
    assert (totals.sum(axis=1) > 0).all(), "every way to end must have occurred"


def recompute(market: w.Market, rows: np.ndarray, books: dict[str, int]) -> None:
    """Add a block of trade rows to the accounts, by other means than the ledger's.

    Amounts are rounded as exact fractions; whole columns are summed, not posted one by one.
    """
    served = rows[rows["status"] == SERVED]
    rate = market.platform.commission
    kept = np.rint(served["price"] * rate).astype(np.int64)
    back = np.rint(served["refund"] * rate).astype(np.int64)
    assert (kept == served["commission"]).all()
    assert (back == served["returned"]).all()
    seller_of = np.array([s for s, x in enumerate(market.sellers) for _ in x.effort])
    whose = seller_of[served["offer"]]
    net = served["price"] - served["refund"] - served["penalty"]
    for k, task in enumerate(market.tasks):
        books[f"buyers {task.name}"] -= int(net[served["kind"] == k].sum())
    for s, seller in enumerate(market.sellers):
        mine = whose == s
        earned = net[mine] - kept[mine] + back[mine] - served["cost"][mine]
        earned = earned - served["advertising"][mine]
        books[f"seller {seller.name}"] += int(earned.sum())
    books["platform "] += int((kept - back + served["advertising"]).sum())
    books["suppliers "] += int(served["cost"].sum())


@pytest.mark.parametrize("trades", [500_000, pytest.param(10_000_000, marks=pytest.mark.torture)])
def test_accounts_equal_the_sums_of_their_trades(trades: int) -> None:
    """Over 10⁷ trades every account equals, to the nano-dollar, what its trade rows add up to."""
    from walras.agents.economy import Economy

    market = busy_market()
    names = [f"buyers {t.name}" for t in market.tasks]
    names += [f"seller {s.name}" for s in market.sellers] + ["platform ", "suppliers "]
    books = dict.fromkeys(names, 0)
    seen = np.zeros(4, dtype=np.int64)

    def keep(rows: np.ndarray) -> None:
        nonlocal seen
        recompute(market, rows, books)
        seen = seen + np.bincount(rows["status"], minlength=4)

    economy = Economy(market, seed=1, keep=keep)
    until = 0.0
    while seen.sum() < trades:
        until += 200_000.0
        economy.advance(until)
        economy.forget()
    economy.engine.flush()
    ledger = economy.engine.state.ledger
    assert dict(zip(names, (int(x) for x in ledger[:-1]), strict=True)) == books
    assert int(ledger[:-1].sum()) == 0
    assert (seen[[SERVED, BALKED, RENEGED, FAILED]] > 0).all()


def test_amounts_are_rounded_half_even_once() -> None:
    """Each row's price is the exact tariff rounded once, halves to even, as exact fractions say."""
    market = busy_market()
    result = w.run(market, until=500.0, record="trades")
    rows = result.trades[(result.trades["status"] == "served")]
    mine = rows[rows["offer"] == "a/default"]
    price = round(Fraction(0.3333333) * 10**9)
    assert set(mine["price_nano"]) == {price}
    for _, row in mine.head(300).iterrows():
        share = max(0.5 if row["late"] else 0.0, 0.0 if row["right"] else 0.77)
        assert row["refund_nano"] == round(Fraction(price * share))
        assert row["penalty_nano"] == (
            round(Fraction(0.0123456) * 10**9) if row["sojourn"] > 2 else 0
        )


def test_epoch_sums_equal_trade_rows() -> None:
    """The epochs' counts and sums are those of the trade rows."""
    result = w.run(busy_market(), until=1000.0, seed=2, record="trades")
    served = result.trades[result.trades["status"] == "served"]
    for name in ("wait", "sojourn"):
        assert result.epochs[name].sum() == pytest.approx(served[name].sum(), rel=1e-9)
    assert result.epochs["right"].sum() == served["right"].sum()
    assert result.epochs["late"].sum() == served["late"].sum()
    assert result.epochs["paid"].sum() == pytest.approx(served["price"].sum(), rel=1e-12)
    net = result.epochs["commission"].sum()
    nano = served["commission_nano"].sum() - served["returned_nano"].sum()
    assert net == pytest.approx(nano * 1e-9, rel=1e-12)


def test_surplus_of_rows_is_value_less_loss_delay_and_payment() -> None:
    """Realised surplus, summed over rows, equals the epochs' parts."""
    result = w.run(busy_market(), until=1000.0, seed=3, record="trades")
    e = result.epochs
    parts = (
        e["value"]
        - e["loss"]
        - e["delay_cost"]
        + e["taste"]
        - e["paid"]
        + e["refund"]
        + e["penalty"]
    )
    assert result.trades["surplus"].sum() == pytest.approx(parts.sum(), rel=1e-9)


def test_an_account_beyond_the_range_stops_the_run() -> None:
    """Turnover beyond 4.6e9 USD is an error, not a wrapped integer."""
    task = w.TaskClass("k", w.Poisson(1.0), value=1e7, outside_option=False)
    market = w.Market(tasks=[task], sellers=[w.Seller("s", accuracy=1.0, price=w.per_task(1e6))])
    engine = Engine(market, seed=0)
    with pytest.raises(LedgerOverflowError, match=r"4\.6e9 USD"):
        engine.advance(1e5)


@pytest.mark.parametrize(("payer", "payee"), [(0, 1), (1, 0)])
@pytest.mark.parametrize("amount", [6_000_000_000_000_000_000, -6_000_000_000_000_000_000])
def test_an_amount_beyond_the_range_is_not_posted(payer: int, payee: int, amount: int) -> None:
    """It raises the flag and leaves the balances as they were."""
    books = np.array([5, -5, 0], np.int64)
    post(books, payer, payee, amount)
    assert books.tolist() == [5, -5, 1]
    post(books, payer, payee, LIMIT)
    assert books[2] == 1


def test_a_price_that_no_integer_holds_stops_the_run() -> None:
    """A task of 10¹³ tokens at 10⁶ USD per million: the engine stops; nothing wraps around."""
    task = w.TaskClass("k", w.Poisson(1.0), value=1e9, output_tokens=1e9, outside_option=False)
    seller = w.Seller("s", accuracy=1.0, speed=1e9, verbosity=1000.0, price=w.per_mtok(0.0, 1e6))
    engine = Engine(w.Market(tasks=[task], sellers=[seller]), seed=0)
    with pytest.raises(LedgerOverflowError):
        engine.advance(1e6)
    assert abs(engine.state.ledger[:-1]).max() <= LIMIT
