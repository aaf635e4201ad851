"""Processes on the clock: submitted tasks, Python rules, and what happens at one instant."""

from __future__ import annotations

import math
from typing import Any

import pytest

import walras as w
from walras.agents.economy import Economy
from walras.market.clock import Clock
from walras.market.engine import Engine
from walras.market.messages import Award, Outcome, Quote, Task


def grid_market(
    times: list[float], *, seller: dict[str, Any] | None = None, **task: Any
) -> w.Market:
    """Return one class that arrives on a grid and one seller of unit speed."""
    fields = {"output_tokens": 1.0, "value": 1.0, "outside_option": False, **task}
    return w.Market(
        tasks=[w.TaskClass("k", w.Replay(times=times), **fields)],
        sellers=[w.Seller("s", **{"accuracy": 1.0, **(seller or {})})],
    )


def submit_all(market: w.Market, plan: list[tuple[float, Task]], seed: int = 0) -> list[Outcome]:
    """Return the outcomes of tasks submitted at set times, in order of their answers."""
    clock = Clock(Engine(market, seed=seed))
    seen: list[Outcome] = []

    def visitor(at: float, task: Task) -> Any:
        yield clock.timeout(at)
        outcome = yield clock.submit(task)
        assert clock.now == (outcome.answer if outcome.status == "served" else clock.now)
        seen.append(outcome)

    for at, task in plan:
        clock.process(visitor(at, task))
    clock.run(until=1000.0)
    return seen


def test_a_submitted_task_meets_the_queue_as_it_is() -> None:
    """It waits behind those that came before, and the process wakes when the answer is there."""
    market = grid_market([0.0, 0.25], seller={"network_time": 0.5})
    (outcome,) = submit_all(market, [(1.0, Task("k", child=1))])
    assert (outcome.status, outcome.arrival, outcome.wait) == ("served", 1.0, 1.0)
    assert outcome.answer == 1.0 + 1.0 + 1.0 + 0.5
    assert outcome.right


def test_submitting_changes_no_other_draw() -> None:
    """The market's own tasks are the same with and without a visitor."""
    ask = w.TaskClass("k", w.Poisson(1.0), value=1.0, choice=w.Logit(0.1))
    market = w.Market(tasks=[ask], sellers=[w.Seller("s", accuracy=0.5, slots="unlimited")])

    def rows(visit: bool) -> dict[int, tuple[float, int]]:
        kept: list[Any] = []
        clock = Clock(Engine(market, seed=3, keep=kept.append))
        if visit:
            clock.process(iter_submit(clock))
        clock.run(until=100.0)
        clock.engine.flush()
        return {int(r["id"]): (float(r["taste"]), int(r["right"])) for part in kept for r in part}

    def iter_submit(clock: Clock) -> Any:
        for n in range(5):
            yield clock.timeout(7.0)
            yield clock.submit(Task("k", child=n))

    alone, visited = rows(False), rows(True)
    assert len(visited) == len(alone) + 5
    assert all(visited[i] == row for i, row in alone.items())


def test_children_of_one_task_share_its_question_but_not_its_answers() -> None:
    """Same sizes, value, difficulty; correctness drawn anew, so answers agree too often.

    With difficulty spread 3, two answers to one question agree with probability E[p² + (1 − p)²],
    about .78; to different questions with about .5. 200 pairs: .64 is 4.6 standard errors from
    either, false alarm below 1e-5 on both sides.
    """
    ask = w.TaskClass("k", w.Replay(times=[1e6]), value=1.0, difficulty={"sd": 3.0})
    seller = w.Seller("s", ability={"general": {"theta": 0.0}}, slots="unlimited")
    market = w.Market(tasks=[ask], sellers=[seller])

    def agreement(same: bool) -> float:
        clock = Clock(Engine(market, seed=1))
        right: dict[tuple[int, int], bool] = {}

        def visitor(parent: int, child: int) -> Any:
            outcome = yield clock.submit(Task("k", child=child, parent=parent, same=same))
            right[parent, child] = outcome.right

        for parent in range(1, 201):
            for child in (1, 2):
                clock.process(visitor(parent, child))
        clock.run(until=100.0)
        return sum(right[p, 1] == right[p, 2] for p in range(1, 201)) / 200

    assert agreement(same=True) > 0.64
    assert agreement(same=False) < 0.64


def test_a_submitted_task_can_be_pinned_and_changed() -> None:
    """It goes to the named offer, with the fields it was given."""
    market = w.Market(
        tasks=[w.TaskClass("k", w.Replay(times=[500.0]), output_tokens=1.0, value=1.0)],
        sellers=[
            w.Seller("good", accuracy=1.0, price=w.per_task(0.1)),
            w.Seller("bad", accuracy=0.0, price=w.per_task(0.9)),
        ],
    )
    plan = [
        (0.0, Task("k", child=1)),
        (0.0, Task("k", child=2, offer="bad/default", changes={"output": 4.0})),
    ]
    free, pinned = submit_all(market, plan)
    assert (free.offer, free.sojourn, free.paid) == ("good/default", 1.0, 0.1)
    assert (pinned.offer, pinned.sojourn, pinned.paid) == ("bad/default", 4.0, 0.9)
    assert not pinned.right


def test_utility_means_the_same_however_an_offer_was_chosen() -> None:
    """What the buyer expects at the price agreed, its taste for the offer included.

    One seller and captive buyers: choosing freely, pinned, or awarded at a price of its own, a
    task has the same utility, less what it pays more than the posted price.
    """
    ask = w.TaskClass("k", w.Replay(times=[1e6]), value=1.0, choice=w.Logit(0.3),
                      outside_option=False)  # fmt: skip
    seller = w.Seller("s", accuracy=0.9, slots="unlimited", price=w.per_task(0.2))
    market = w.Market(tasks=[ask], sellers=[seller])

    def utilities(market: w.Market, offer: str | None) -> dict[int, tuple[float, float]]:
        kept: list[Any] = []
        economy = Economy(market, seed=5, keep=kept.append)
        for child in range(20):
            economy.submit(Task("k", child=child, offer=offer))
        economy.advance(50.0)
        economy.engine.flush()
        return {int(r["id"]): (float(r["utility"]), float(r["taste"])) for r in kept[0]}

    free, pinned = utilities(market, None), utilities(market, "s/default")
    assert len(free) == 20
    for utility, taste in free.values():
        assert utility == pytest.approx(0.9 - 0.2 + taste, abs=1e-12)
    assert pinned == free
    for price in (None, 0.5):
        awarded = market.model_copy(
            update={"mechanism": lambda task, quotes: Award("s/default", price)}  # noqa: B023
        )
        dearer = 0.0 if price is None else price - 0.2
        for id_, (utility, _) in utilities(awarded, None).items():
            assert utility == pytest.approx(free[id_][0] - dearer, abs=1e-12)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task("x", child=1), 'unknown task class "x"'),
        (Task("k", child=1, offer="nobody/low"), 'unknown offer "nobody/low"'),
        (Task("k", child=1, changes={"outputs": 1.0}), "unknown key `outputs`"),
        (Task("k", child=1, changes={"output": -1.0}), "output -1 is out of range"),
        (Task("k", child=1, changes={"value": math.nan}), "value nan is not a finite number"),
        (Task("k", child=1, changes={"value": "x"}), 'value "x" is not a number'),  # type: ignore[dict-item]
        (Task("k", child=1, changes={"input": 1e18}), r"input 1e\+18 is out of range"),
        (Task("k", child=1, changes={"deadline": math.nan}), "deadline nan"),
        (Task("k", child=1, changes={"difficulty": 1e300}), r"difficulty 1e\+300 is out of range"),
        (Task("k", child=1.5), "child is 1.5; it must be a whole number from 0"),  # type: ignore[arg-type]
        (Task("k", child=-1), "child is -1; it must be a whole number from 0"),
        (Task("k", child=1, parent=2**64), "parent is .* it must be a whole number from 0"),
    ],
)
def test_bad_submissions_are_refused(task: Task, message: str) -> None:
    """Nothing is half done: no place is taken, the market goes on."""
    clock = Clock(Engine(grid_market([0.0]), seed=0))
    free = int(clock.engine.state.clock[0]["free"])
    with pytest.raises(ValueError, match=message):
        clock.submit(task)
    assert clock.engine.state.clock[0]["free"] == free
    clock.run(until=10.0)


def test_a_task_is_submitted_once() -> None:
    """A second with its kind, parent and child would have its id, its tastes and its answer."""
    clock = Clock(Engine(grid_market([0.0]), seed=0))
    clock.submit(Task("k", child=1))
    for again in (Task("k", child=1), Task("k", child=1, changes={"value": 3.0})):
        with pytest.raises(ValueError, match="parent 0 and child 1 has been submitted before"):
            clock.submit(again)
    clock.run(until=50.0)
    with pytest.raises(ValueError, match="submitted before"):
        clock.submit(Task("k", child=1))
    clock.submit(Task("k", child=1, parent=1))
    clock.run(until=60.0)
    assert clock.engine.state.stats["served"].sum() == 3


def test_changes_reach_as_far_as_a_spec() -> None:
    """No deadline and no end of patience are allowed; the largest size of a law is."""
    clock = Clock(Engine(grid_market([900.0], deadline=2.0), seed=0))
    clock.submit(Task("k", child=1, changes={"deadline": math.inf, "patience": math.inf}))
    clock.submit(Task("k", child=2, changes={"value": 1e12, "difficulty": -50.0}))
    assert sorted(clock.engine.state.tasks["deadline"])[-1] == math.inf


def test_a_process_runs_with_the_market_and_changes_no_other_task() -> None:
    """`run(processes=…)` starts it in each replication; the tables hold its tasks as well."""
    ask = w.TaskClass("k", w.Poisson(1.0), value=1.0, choice=w.Logit(0.1))
    market = w.Market([ask], [w.Seller("s", accuracy=0.5, slots="unlimited")])
    seen: list[Outcome] = []

    def visitor(economy: Economy) -> Any:
        assert economy.clock.now == 0.0
        yield economy.clock.timeout(7.0)
        seen.append((yield economy.submit(Task("k", child=1))))

    alone = w.run(market, until=100.0, reps=2, record="trades")
    visited = w.run(market, until=100.0, reps=2, record="trades", processes=[visitor])
    assert [outcome.arrival for outcome in seen] == [7.0, 7.0]
    both = visited.trades.set_index("id")["surplus"].to_dict()
    assert len(both) == len(alone.trades) + 2
    assert {o.id for o in seen} <= set(both)
    assert both.items() >= alone.trades.set_index("id")["surplus"].to_dict().items()
    assert w.run(market, until=100.0, reps=2, record="trades", processes=[]).digest == alone.digest


def test_a_python_mechanism_decides_offer_and_price() -> None:
    """It sees every quote; what it awards is what is paid."""
    seen: list[list[Quote]] = []

    def dearest(task: Any, quotes: list[Quote]) -> Award | None:
        seen.append(quotes)
        if task.time == 2.0:
            return None
        return Award(max(quotes, key=lambda q: q.ask).offer, price=0.25)

    market = w.Market(
        tasks=[w.TaskClass("k", w.Replay(times=[0.0, 1.0, 2.0]), value=1.0)],
        sellers=[
            w.Seller("cheap", accuracy=1.0, price=w.per_task(0.1)),
            w.Seller("dear", accuracy=0.5, owner="them", price=w.per_task(0.6)),
        ],
        mechanism=dearest,
    )
    trades = w.run(market, until=10.0, record="trades").trades
    assert list(trades["status"].astype(str)) == ["served", "served", "balked"]
    assert list(trades["price"].round(9)) == [0.25, 0.25, 0.0]
    assert [q.utility for q in seen[0]] == pytest.approx([0.9, -0.1])
    assert (seen[0][1].owner, seen[0][1].effort, seen[0][1].accuracy) == ("them", "default", 0.5)


def test_a_python_choice_rule_equals_the_compiled_one() -> None:
    """Argmax written in Python gives the trades of the compiled rule, event for event."""

    def argmax(task: Any, quotes: list[Quote]) -> str | None:
        best = max(quotes, key=lambda q: q.utility, default=None)
        return best.offer if best is not None and best.utility >= 0 else None

    def market(choice: Any) -> w.Market:
        ask = w.TaskClass("k", w.Poisson(2.0), output_tokens=w.Exponential(1.0), value=1.0,
                          delay_cost=0.2, deadline=9.0, choice=choice)  # fmt: skip
        sellers = [
            w.Seller("a", accuracy=0.9, price=w.per_task(0.1)),
            w.Seller("b", accuracy=0.8, slots=2, price=w.per_task(0.15)),
        ]
        return w.Market(tasks=[ask], sellers=sellers)

    a = w.run(market("argmax"), until=300.0, record="trades").trades
    b = w.run(market(argmax), until=300.0, record="trades").trades
    assert len(a) > 300
    assert a.equals(b)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("nobody", 'chose "nobody", which is not on show'),
        ("nobody", "on show: s/default"),
        (Award("s/default", price=-1.0), "price -1; it must be from 0 to 1,000,000 USD"),
        (Award("s/default", price=math.nan), "price nan"),
        (Award("s/default", price=1e30), r"price 1e\+30"),
        (Award("s/default", "1"), 'awarded the price "1"; it must be a number'),  # type: ignore[arg-type]
        (Award("s/default", True), "awarded the price true"),
        (Award(3), "returned Award"),  # type: ignore[arg-type]
        (1, "the rule `rule` returned 1; it may return the name of an offer"),
        (True, "returned true"),
        (("s/default", 1.0), "returned a list; .*walras.Award"),
        (
            Quote("s/default", "s", "s", "default", 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
            "returned Quote.*quote.offer",
        ),
    ],
)
def test_what_a_python_rule_may_not_answer(answer: Any, message: str) -> None:
    """The error says what was wrong."""

    def rule(task: Any, quotes: list[Quote]) -> Any:
        return answer

    market = grid_market([0.0], choice=rule)
    with pytest.raises(ValueError, match=message):
        w.run(market, until=5.0)


def ends(market: w.Market) -> list[tuple[float, str, float, float]]:
    """Return (arrival, status, finish, price) of a run's trades."""
    t = w.run(market, until=50.0, record="trades").trades.sort_values(["arrival", "finish"])
    status = t["status"].astype(str)
    return list(zip(t["arrival"], status, t["finish"], t["price"].round(9), strict=True))


def test_one_instant_is_settled_by_the_declared_ranks() -> None:
    """At t = 1: completion, then price change, then arrival, then the patience of who waits.

    The slot that the completion frees goes to the task whose patience ends at that very instant;
    the arrival of that instant pays the new price.
    """
    market = grid_market([0.0, 0.5, 1.0], seller={"price": {"task": 0.25}}, patience=0.5)
    market = market.model_copy(update={"events": [w.PriceChange(at=1.0, seller="s", price=0.5)]})
    assert ends(market) == [
        (0.0, "served", 1.0, 0.25),
        (0.5, "served", 2.0, 0.25),
        (1.0, "reneged", 1.5, 0.0),
    ]


def test_capacity_that_comes_at_an_arrival_is_there_for_it() -> None:
    """Agents act before the arrivals of their instant, and after its completions."""
    market = grid_market([0.0, 0.5])
    event = w.AddSlots(at=0.0, seller="s", slots=1, lead_time=0.5)
    assert [e[2] for e in ends(market.model_copy(update={"events": [event]}))] == [1.0, 1.5]


def test_a_completion_at_the_start_of_an_outage_is_done() -> None:
    """A task that ends when the outage begins is not caught by it."""
    market = grid_market([0.0])
    event = w.Outage(at=1.0, seller="s", duration=5.0, in_service="fail")
    assert [e[1] for e in ends(market.model_copy(update={"events": [event]}))] == ["served"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("resume", [("served", 8.0), ("served", 10.0)]),
        ("requeue", [("served", 9.0), ("served", 11.0)]),
        ("fail", [("failed", 1.0), ("served", 9.0)]),
    ],
)
def test_outages(mode: str, expected: list[tuple[str, float]]) -> None:
    """Tasks in service go on after the repair, start again, or fail; the queue waits."""
    market = grid_market([0.0, 0.5], output_tokens=2.0)
    event = w.Outage(at=1.0, seller="s", duration=6.0, in_service=mode)
    got = ends(market.model_copy(update={"events": [event]}))
    assert [(status, finish) for _, status, finish, _ in got] == expected


def test_sellers_that_are_closed_or_down_get_no_tasks() -> None:
    """Before entry, after exit and during an outage buyers do without."""
    market = grid_market([0.0, 2.0, 4.0, 6.0, 8.0], seller={"enters": 1.0, "slots": 5},
                         outside_option=True)  # fmt: skip
    events = [w.Outage(at=3.0, seller="s", duration=2.0), w.Exit(at=7.0, seller="s")]
    got = ends(market.model_copy(update={"events": events}))
    assert [e[1] for e in got] == ["balked", "served", "balked", "served", "balked"]


def test_watched_tasks_that_an_outage_fails_wake_their_process() -> None:
    """The outcome says so."""
    market = grid_market([500.0], output_tokens=10.0)
    economy = Economy(
        market.model_copy(update={"events": [
            w.Outage(at=5.0, seller="s", duration=1.0, in_service="fail")]}),
        seed=0,
    )  # fmt: skip
    seen: list[tuple[float, str]] = []

    def visitor() -> Any:
        outcome = yield economy.submit(Task("k", child=1))
        seen.append((economy.clock.now, outcome.status))

    economy.clock.process(visitor())
    economy.advance(20.0)
    assert seen == [(5.0, "failed")]


def test_an_empty_calendar_with_work_left_is_not_the_end() -> None:
    """`run()` without an end clears what has come, then stops."""
    clock = Clock(Engine(grid_market([0.0, 1.0, 2.0]), seed=0))
    clock.run()
    assert clock.engine.state.stats["served"].sum() == 3


def test_closed_users_come_back_after_their_answer() -> None:
    """One user, constant times: think 3, serve 1, network 0.5, so a task every 4.5 seconds."""
    task = w.TaskClass("k", w.Closed(1, 3.0), output_tokens=1.0, value=1.0)
    seller = w.Seller("s", accuracy=1.0, network_time=0.5)
    trades = w.run(w.Market(tasks=[task], sellers=[seller]), until=20.0, record="trades").trades
    assert list(trades["arrival"]) == [3.0, 7.5, 12.0, 16.5]
