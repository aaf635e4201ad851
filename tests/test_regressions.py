"""Mistakes that were made once: each with the smallest market that shows it."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
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


def test_a_warm_up_that_swallows_the_run_is_refused() -> None:
    """Rounded up to whole epochs it must leave something to measure; just before, it is cut."""
    market = replayed([0.5, 59.5, 119.5])
    run = {"until": 120.0, "epoch": 60.0, "warmup": 61.0}
    with pytest.raises(ValueError, match="leaves nothing of run"):
        w.Market(tasks=market.tasks, sellers=market.sellers, run=run)
    cut = w.Market(tasks=market.tasks, sellers=market.sellers, run={**run, "warmup": 59.0})
    served = w.run(cut).summary().query("task == 'all' and offer == 'all' and metric == 'served'")
    assert served["value"].item() == 1


def test_only_one_decides() -> None:
    """A Python choice rule beside an auction, or beside a Python mechanism, is refused."""
    market = replayed([0.5], choice=lambda _ask, _quotes: None)
    for mechanism in (w.ScoringAuction(), lambda _ask, _quotes: None):
        with pytest.raises(ValueError, match="it is the mechanism that decides"):
            w.Market(tasks=market.tasks, sellers=market.sellers, mechanism=mechanism)


def test_a_submitted_task_of_a_recording_has_recorded_sizes() -> None:
    """Its parent's row if it is the same question, else one drawn by its id; never nothing."""
    sizes = [float(10 + i) for i in range(50)]
    times = [float(i) for i in range(50)]
    replay = w.Replay(times=times, input_tokens=sizes, output_tokens=sizes)
    task = w.TaskClass("k", replay, input_tokens="replay", output_tokens="replay", value=1.0)
    market = w.Market(tasks=[task], sellers=[w.Seller("s", accuracy=1.0, speed=1e6)])
    first = w.run(market, until=100.0, record="trades").trades
    asked = []

    def ask(economy: w.Economy) -> Any:
        yield economy.clock.timeout(60.0)
        for id_ in first["id"]:
            same = yield economy.submit(w.Task("k", child=1, parent=int(id_), same=True))
            other = yield economy.submit(w.Task("k", child=2, parent=int(id_)))
            asked.append((same.id, other.id))

    result = w.run(market, until=100.0, processes=[ask], record="trades")
    drawn = result.trades.set_index("id")[["input", "output"]]
    recorded = first.set_index("id")[["input", "output"]]
    same, other = (drawn.loc[list(ids)] for ids in zip(*asked, strict=True))
    assert (same.to_numpy() == recorded.to_numpy()).all()
    assert set(other["output"]) <= set(sizes)
    assert len(set(other["output"])) > 20


def test_patience_follows_a_changed_deadline() -> None:
    """Where the class waits until its deadline, a task with one of its own waits until that."""
    market = replayed([0.5], seller={"slots": 1, "speed": 1.0}, output_tokens=20.0, deadline=100.0,
                      patience="deadline", value=9.0, outside_option=False,
                      lateness=w.HalfLife(1000.0))  # fmt: skip
    ends = []

    def ask(economy: w.Economy) -> Any:
        yield economy.clock.timeout(1.0)
        outcome = yield economy.submit(w.Task("k", child=1, changes={"deadline": 5.0}))
        ends.append((outcome.status, economy.clock.now))

    w.run(market, until=100.0, processes=[ask])
    assert ends == [("reneged", 6.0)]


def test_costs_are_weighted_by_recorded_arrivals(tmp_path: Path) -> None:
    """Classes read from files count by their rows in what a sale costs a seller."""
    tasks = []
    for name, rows, size in (("many", 90, 1.0), ("few", 10, 11.0)):
        lines = "".join(f"{i},0,{size}\n" for i in range(rows))
        (tmp_path / f"{name}.csv").write_text("time,input,output\n" + lines)
        replay = w.Replay(file=str(tmp_path / f"{name}.csv"), columns=["time", "input", "output"])
        tasks.append(w.TaskClass(name, replay, output_tokens="replay"))
    seller = w.Seller("s", accuracy=1.0, price=w.per_task(1.0), cost=w.per_mtok(0.0, 1e6))
    market = w.Market(tasks=tasks, sellers=[seller], run={"until": 200.0})
    agent = next(a for a in w.Economy(market, 0).agents if hasattr(a, "unit_cost"))
    assert agent.unit_cost() == pytest.approx(0.9 * 1.0 + 0.1 * 11.0)


@pytest.mark.parametrize("epoch", [7.0, 50.0, 500.0])
def test_a_posted_price_is_averaged_over_time_however_long_an_epoch(epoch: float) -> None:
    """At 1 for half of each 10 s, else at 2: 1.5 (to the few epochs that batches leave out)."""
    changes = [
        w.PriceChange(at=5.0 * i, seller="s", price=1.0 + i % 2) for i in range(200)
    ]  # fmt: skip
    market = replayed([0.5, 999.0], seller={"price": w.per_task(1.0)})
    market = market.model_copy(update={"events": changes})
    run = w.run(market.model_copy(update={"run": {"until": 1000.0, "epoch": epoch}}))
    posted = run.summary().query("metric == 'posted_price'")["value"]
    assert posted.tolist() == [pytest.approx(1.5, abs=1e-3)]


def told(economy_process: Any, market: w.Market, until: float = 100.0) -> None:
    """Run a market with one process of our own."""
    w.run(market, until=until, processes=[economy_process])


def test_an_error_within_a_process_keeps_its_message() -> None:
    """SimPy makes errors anew from their arguments; ours must survive that, and pickling."""

    def ask(economy: w.Economy) -> Any:
        yield economy.clock.timeout(1.0)
        yield economy.submit(w.Task("k", child=1, changes={"output": -1}))

    with pytest.raises(w.BadInputError, match="output"):
        told(ask, replayed([0.5]))
    with pytest.raises(w.BadInputError) as found:
        w.Poisson(-1.0)
    again = type(found.value)(*found.value.args)
    assert str(again) == str(found.value)


def test_a_question_is_the_same_however_often_it_is_asked_again() -> None:
    """A child of a child that is the same question has the first one's sizes."""
    market = replayed([0.5], output_tokens=w.Exponential(10.0), seller={"slots": "unlimited"})
    ids = []

    def ask(economy: w.Economy) -> Any:
        yield economy.clock.timeout(1.0)
        first = yield economy.submit(w.Task("k", child=1))
        ids.append(first.id)
        for child in (2, 3, 4):
            last = yield economy.submit(w.Task("k", child=child, parent=ids[-1], same=True))
            ids.append(last.id)
        with pytest.raises(ValueError, match="give its id as parent"):
            economy.submit(w.Task("k", child=5, same=True))

    trades = w.run(market, until=1000.0, processes=[ask], record="trades").trades
    sizes = trades.set_index("id")["output"].loc[ids]
    assert sizes.nunique() == 1


@pytest.mark.parametrize("deadline", [0.5, w.Uniform(0.1, 0.5)])
def test_a_task_sent_to_a_seller_pays_and_expects_its_posted_price(deadline: Any) -> None:
    """Also in an auction in which that seller could make no bid: it is served at the tariff."""
    seller = {"startup_time": 5.0, "refund_late": 0.5, "price": w.per_task(0.25), "slots": 4}
    market = replayed([0.5], seller=seller, deadline=deadline, value=1.0)
    for refund in (0.5, 1.0):
        sellers = [market.sellers[0].model_copy(update={"refund_late": refund})]
        auction = market.model_copy(update={"sellers": sellers, "mechanism": w.ScoringAuction()})
        seen: list[Any] = []

        def ask(economy: w.Economy, seen: list[Any] = seen) -> Any:
            yield economy.clock.timeout(1.0)
            outcome = yield economy.submit(w.Task("k", child=1, offer="s/default"))
            seen.append((outcome.status, outcome.paid))

        trades = w.run(auction, until=100.0, processes=[ask], record="trades").trades
        assert seen == [("served", pytest.approx(0.25 * (1.0 - refund)))]
        served = trades[trades["status"] == "served"]
        assert served["utility"].to_numpy() == pytest.approx(served["surplus"].to_numpy())


def test_an_economy_that_nobody_needs_is_forgotten() -> None:
    """Mesa's table of agents' numbers kept each of them, so that a sweep's workers only grew."""
    economy = Economy(replayed([0.5]), seed=1)
    gone = weakref.ref(economy)
    economy.advance(1.0)
    del economy
    gc.collect()
    assert gone() is None
