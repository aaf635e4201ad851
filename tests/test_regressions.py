"""Mistakes that were made once: each with the smallest market that shows it."""

from __future__ import annotations

from typing import Any

import pytest

import walras as w
from walras.agents.economy import Economy


def replayed(times: list[float], *, seller: dict[str, Any] | None = None, **task: Any) -> w.Market:
    """Return one class at set times and one seller."""
    fields = {"output_tokens": 1.0, "value": 1.0, **task}
    return w.Market(
        tasks=[w.TaskClass("k", w.Replay(times=times), **fields)],
        sellers=[w.Seller("s", **{"accuracy": 1.0, **(seller or {})})],
    )


@pytest.mark.parametrize(
    ("tokens", "speed", "startup", "due"),
    [(100, 1000, 0.0, 0.1), (300, 1000, 0.0, 0.3), (130, 100, 0.0, 1.3), (60, 100, 0.2, 0.8)],
)
def test_due_to_the_last_bit_is_on_time(
    tokens: float, speed: float, startup: float, due: float
) -> None:
    """The clock's rounding is no delay: service as long as the deadline is never late."""
    ask = w.TaskClass("k", w.Poisson(1.0), output_tokens=tokens, value=1.0, deadline=due)
    seller = w.Seller("s", accuracy=1.0, speed=speed, slots="unlimited", startup_time=startup,
                      price=w.per_task(0.1), promise=due, penalty=0.05)  # fmt: skip
    result = w.run(w.Market(tasks=[ask], sellers=[seller]), until=20_000.0)
    assert result.epochs["served"].sum() > 19_000
    assert result.epochs["late"].sum() == 0
    assert result.epochs["penalty"].sum() == 0
    later = ask.model_copy(update={"deadline": w.Constant(value=due * (1 - 1e-6))})
    result = w.run(w.Market(tasks=[later], sellers=[seller]), until=1_000.0)
    assert result.epochs["served"].sum() == 0, "a deadline that cannot be met is seen as such"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "balked"),
        ({"value": 100.0}, "served"),
        ({"value": 100.0, "deadline": 0.5}, "balked"),
        ({"value": 100.0, "delay_cost": 99.0}, "balked"),
        ({"value": 100.0, "deadline": 2.0}, "served"),
    ],
)
def test_a_submitted_task_is_chosen_for_by_its_own_terms(
    changes: dict[str, float], status: str
) -> None:
    """Not by those of its class, and the class's own quote is as it was afterwards."""
    market = replayed([50.0], seller={"price": {"task": 2.0}}, value=1.0, deadline=5.0)
    economy = Economy(market, seed=0)
    seen: list[str] = []

    def visitor() -> Any:
        outcome = yield economy.submit(w.Task("k", child=1, changes=changes))
        seen.append(outcome.status)

    economy.clock.process(visitor())
    economy.advance(100.0)
    assert seen == [status]
    assert economy.engine.state.stats["assigned"][0, -1] == 1 + (status == "balked")


def test_a_changed_value_changes_a_delay_cost_that_is_a_share_of_it() -> None:
    """100 of value at 2% a second: one second of service costs 2."""
    market = replayed([50.0], delay_cost={"kind": "share_of_value", "per_second": 0.02})
    economy = Economy(market, seed=0)
    seen: list[float] = []

    def visitor() -> Any:
        outcome = yield economy.submit(w.Task("k", child=1, changes={"value": 100.0}))
        seen.append(outcome.surplus)

    economy.clock.process(visitor())
    economy.advance(10.0)
    assert seen == [pytest.approx(98.0)]


def test_overlapping_outages_end_with_the_last_repair() -> None:
    """One of 50 s and, within it, one of 10 s."""
    market = replayed([5.0], seller={"enters": 0.0}, value=1.0)
    events = [
        w.Outage(at=10.0, seller="s", duration=50.0),
        w.Outage(at=20.0, seller="s", duration=10.0),
    ]
    result = w.run(market.model_copy(update={"events": events}), until=100.0)
    up = result.sellers.set_index("start")["up"]
    assert up.loc[35.0] == 0.0
    assert up.loc[75.0] == 1.0


def test_scheduled_events_come_at_their_time_to_the_last_bit() -> None:
    """An arrival at 126.7 pays the price that is set at 126.7, whatever came before."""
    market = replayed([126.7], seller={"price": {"task": 1.0}}, value=9.0)
    events = [
        w.PriceChange(at=44.9, seller="s", price=1.5),
        w.PriceChange(at=126.7, seller="s", price=2.0),
    ]
    trades = w.run(
        market.model_copy(update={"events": events}), until=200.0, record="trades"
    ).trades
    assert trades["price"].tolist() == [2.0]


def test_a_watched_task_among_many_that_fail_is_told() -> None:
    """Forty thousand tasks in service fail at once, and one of them is waited for."""
    market = replayed([1.0] * 40_000, seller={"slots": "unlimited"}, output_tokens=100.0)
    market = market.model_copy(update={"events": [
        w.Outage(at=5.0, seller="s", duration=1.0, in_service="fail")]})  # fmt: skip
    economy = Economy(market, seed=0)
    seen: list[str] = []

    def visitor() -> Any:
        yield economy.clock.timeout(2.0)
        outcome = yield economy.submit(w.Task("k", child=1))
        seen.append(outcome.status)

    economy.clock.process(visitor())
    economy.advance(10.0)
    assert seen == ["failed"]
    assert economy.engine.state.stats["failed"].sum() == 40_001


def test_rent_is_paid_while_open_or_at_work() -> None:
    """Ten dollars an hour for one slot: nothing before entry, nothing long after the exit."""
    market = replayed([2000.0], seller={"enters": 1800.0, "rent": 10.0, "fixed_cost": 20.0})
    two_hours = w.Run(until=7200.0, epoch=1800.0)
    leaves = w.Exit(at=3600.0, seller="s")
    market = market.model_copy(update={"events": [leaves], "run": two_hours})
    result = w.run(market)
    assert result.sellers["fixed"].tolist() == pytest.approx([0.0, 15.0, 0.0, 0.0])
    table = result.summary().query("task == 'all' and offer == 'all'")
    everything = dict(zip(table["metric"], table["value"], strict=True))
    assert everything["margin"] - everything["profit"] == pytest.approx(7.5)
    assert everything["surplus"] + everything["profit"] == pytest.approx(everything["welfare"])


def test_recording_finely_changes_nothing_that_happens() -> None:
    """The same finish times to the last bit with epochs of 1000 s and of 0.7 s."""
    ask = w.TaskClass("k", w.Poisson(2.0), output_tokens=w.Exponential(1.0), value=1.0)
    market = w.Market(tasks=[ask], sellers=[w.Seller("s", accuracy=1.0, slots=3, kappa=3.0)])
    coarse, fine = (
        w.run(market.model_copy(update={"run": w.Run(until=1000.0, epoch=epoch)}), record="trades")
        for epoch in (1000.0, 0.7)
    )
    assert (coarse.trades["finish"] == fine.trades["finish"]).all()


def test_negative_times_are_refused() -> None:
    """A run starts at 0."""
    with pytest.raises(ValueError, match="not be negative"):
        w.Replay(times=[-5.0, 1.0])
