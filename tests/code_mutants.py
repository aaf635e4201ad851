"""Slips in the code, one at a time, and the small market that must notice each.

Run as `python -m tests.code_mutants` with compilation off: prints, as JSON, for every mutant
what its check said of the code as it is and of the mutant (an empty text if it was content).
A rule is replaced in every module that has imported it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

import walras as w
from walras.market import (
    build,
    choice,
    distributions,
    kernel,
    ledger,
    outcome,
    posted_price,
    quotes,
    rules,
    second_score,
    service,
    tastes,
    workload,
)
from walras.market.engine import Engine

MODULES = [
    build, choice, distributions, kernel, ledger, outcome, posted_price, quotes, rules,
    second_score, service, tastes, workload,
]  # fmt: skip


# --- markets -----------------------------------------------------------------------------------


def at(name: str, times: list[float], size: Any = 1.0, **more: Any) -> w.TaskClass:
    """Return a captive class that comes at these times, worth 8 each."""
    fields = {"value": 8.0, "outside_option": False, **more}
    return w.TaskClass(name, w.Replay(times=times), output_tokens=size, **fields)


def one(**more: Any) -> w.Seller:
    """Return a seller of unit speed that is always right."""
    return w.Seller(**{"name": "s", "accuracy": 1.0, **more})


def rows(
    tasks: list[w.TaskClass], sellers: list[w.Seller], until: float = 1e6, **market: Any
) -> Any:
    """Return all trade rows in order of arrival, ties by class."""
    engine, found = start(tasks, sellers, **market)
    engine.advance(until)
    return finish(engine, found)


def start(
    tasks: list[w.TaskClass], sellers: list[w.Seller], **market: Any
) -> tuple[Engine, list[Any]]:
    """Return an engine before its first task and the list that will hold its rows."""
    found: list[Any] = []
    return Engine(w.Market(tasks=tasks, sellers=sellers, **market), 0, keep=found.append), found


def finish(engine: Engine, found: list[Any]) -> Any:
    """Return the rows in order of arrival, ties by class."""
    engine.flush()
    done = np.concatenate(found)
    return done[np.lexsort((done["kind"], done["arrival"]))]


def same(got: Any, expect: Any) -> None:
    """Demand equality but for rounding."""
    np.testing.assert_allclose(np.asarray(got, dtype=float), expect, rtol=1e-9, atol=1e-12)


# --- checks ------------------------------------------------------------------------------------


def two_streams_share_the_speed() -> None:
    """Processor sharing: two tasks of work 1 that come together are done at 2."""
    done = rows([at("k", [0.0, 0.0])], [one(kappa=1, slots="unlimited")])
    same(done["finish"], [2.0, 2.0])


def waits_are_quoted_in_the_sizes_ahead() -> None:
    """A chat behind two tasks of 100 expects 201."""
    done = rows([at("big", [0.0, 1.0], 100.0, delay_cost=1.0, value=0.0),
                 at("chat", [2.0], 1.0, delay_cost=1.0, value=0.0)], [one()])  # fmt: skip
    same(-done["utility"], [100.0, 200.0, 201.0])


def first_level_goes_first() -> None:
    """Of two waiting, the one of the better level starts first though it came later."""
    done = rows([at("low", [0.0, 0.1], priority=1), at("top", [0.2])], [one(discipline="priority")])
    same(done["start"], [0.0, 2.0, 1.0])


def preempted_work_goes_on() -> None:
    """Pushed out at 0.5 of 1, it ends at 1 + 1 = 2; the better one is served at once."""
    done = rows([at("low", [0.0], priority=1), at("top", [0.5])],
                [one(discipline="priority_preemptive")])  # fmt: skip
    same(done["finish"], [2.0, 1.5])


def first_come_first_served() -> None:
    """Those waiting start in order of arrival."""
    done = rows([at("k", [0.0, 0.1, 0.2, 0.3])], [one()])
    same(done["start"], [0.0, 1.0, 2.0, 3.0])


def requeued_work_starts_again() -> None:
    """Stopped at 0.5 of 1 until 2 and sent back to the queue, it ends at 3."""
    engine, found = start([at("k", [0.0])], [one()])
    engine.advance(0.5)
    engine.begin_outage(0, "requeue", 0.5)
    engine.advance(2.0)
    engine.end_outage(0, 2.0)
    engine.advance(10.0)
    same(finish(engine, found)["finish"], [3.0])


def commission_is_rounded_half_even() -> None:
    """A tenth of 25 and 35 nano-dollars and of 27."""
    for price, kept in ((25, 2), (35, 4), (27, 3)):
        done = rows([at("k", [0.0])], [one(price={"task": price * 1e-9})],
                    platform={"commission": 0.1})  # fmt: skip
        assert done["commission"].tolist() == [kept]


def a_refund_gives_commission_back() -> None:
    """All refunded: nobody has gained or lost."""
    wrong = one(accuracy=0.0, refund_wrong=1.0, price={"task": 1.0})
    engine, found = start([at("k", [0.0])], [wrong], platform={"commission": 0.25})
    engine.advance(10.0)
    assert finish(engine, found)["returned"].tolist() == [250_000_000]
    assert not engine.state.ledger.any()


def late_answers_cost_no_loss() -> None:
    """Wrong, and too late to be used: neither value nor loss."""
    done = rows([at("k", [0.0], loss=5.0, deadline=0.5)], [one(accuracy=0.0)])
    same(done["surplus"], [0.0])


def leaving_costs_time() -> None:
    """One that leaves after 2 has lost 2 × 0.5."""
    done = rows([at("k", [0.0, 0.0], 9.0, patience=2.0, delay_cost=0.5, value=0.0)], [one()])
    assert sorted(done["status"]) == [0, 2]
    same(done["surplus"][done["status"] == 2], [-1.0])


def on_the_dot_is_on_time() -> None:
    """An answer exactly at the deadline is worth its value."""
    done = rows([at("k", [0.5], 2.0, deadline=2.0)], [one()])
    assert done["late"].tolist() == [0]
    same(done["surplus"], [8.0])
    same(done["utility"], [8.0])


def completions_come_before_arrivals() -> None:
    """One that arrives as the slot falls free expects no wait; with a deadline of 1 it buys."""
    done = rows([at("k", [0.0, 1.0], deadline=1.0, outside_option=True)],
                [one(price={"task": 1.0})])  # fmt: skip
    assert done["status"].tolist() == [0, 0]


def a_start_comes_before_leaving() -> None:
    """Patience ends at the very instant a slot falls free: it is served."""
    done = rows([at("k", [0.0, 0.0], 1.0, patience=1.0)], [one()])
    assert done["status"].tolist() == [0, 0]


def own_offers_are_no_rivals() -> None:
    """Two offers of one owner: the price is the whole value."""
    two = [one(name=n, owner="x", cost={"task": c}, slots=9) for n, c in (("a", 1.0), ("b", 2.0))]
    done = rows([at("k", [0.0], outside_option=True)], two, mechanism="second_score")
    same(done["price"] * 1e-9, [8.0])


def the_runner_up_sets_the_price() -> None:
    """Costs 1 and 2.5 under a commission of a half: bids 2 and 5, price 5."""
    two = [one(name=n, cost={"task": c}) for n, c in (("a", 1.0), ("b", 2.5))]
    done = rows([at("k", [0.0])], two, mechanism="second_score", platform={"commission": 0.5})
    same(done["price"] * 1e-9, [5.0])


def refunds_count_in_the_price() -> None:
    """Right half the time and else refunded: worth 4, pays (4 − 1)/.5 against a score of 1."""
    flaky = one(name="a", accuracy=0.5, refund_wrong=1.0, cost={"task": 1.0})
    done = rows([at("k", [0.0])], [flaky, one(name="b", cost={"task": 7.0})],
                mechanism="second_score")  # fmt: skip
    same(done["price"] * 1e-9, [6.0])


def captive(menu: dict[str, float], nest: float, count: int = 400) -> Any:
    """Return the tastes (over their scale) of captive logit buyers for a seller with this menu."""
    task = at("k", [float(i) for i in range(count)], value=0.0, choice=w.Logit(0.5, nest))
    return rows([task], [one(slots="unlimited", speed=1e6, effort=menu)])["taste"] / 0.5


def tastes_have_mean_zero() -> None:
    """Mean of 400 Gumbel shocks less Euler's constant: within 6 standard errors, 0.38."""
    assert abs(captive({"a": 0.0}, 1.0).mean()) < 6.0 * math.pi / math.sqrt(6.0 * 400)


def efforts_of_a_seller_are_one_taste() -> None:
    """At ν = 0.02 two efforts' shocks are the same to ±0.2, and vary over buyers."""
    x, y = captive({"a": 0.0}, 0.02), captive({"b": 0.0}, 0.02)
    assert np.abs(x - y).mean() < 0.1
    assert x.std() > 0.9


def ties_are_fair() -> None:
    """Of 200 ties between two sellers neither wins more than 142 (six standard errors)."""
    two = [one(name=n, slots="unlimited", speed=1e6) for n in "ab"]
    wins = np.bincount(rows([at("k", [float(i) for i in range(200)])], two)["offer"], minlength=2)
    assert wins.max() < 142


def the_cheapest_are_shown() -> None:
    """One offer considered, ranked by price: the cheap one is taken though it is worse."""
    two = [one(name="a", price={"task": 3.0}), one(name="b", accuracy=0.5, price={"task": 1.0})]
    done = rows([at("k", [0.0], consideration=1)], two)
    assert done["offer"].tolist() == [1]


def verbosity_is_billed() -> None:
    """Two tokens written per token asked for, ten of thinking: 2·3 + 10 at 1 USD each."""
    seller = one(verbosity=2.0, effort={"e": 10.0}, price={"output": 1e6})
    same(rows([at("k", [0.0], 3.0)], [seller])["price"] * 1e-9, [16.0])


def answers_are_right_at_the_tasks_own_difficulty() -> None:
    """With difficulties spread over ±20 logits, right is whoever's task is easy."""
    task = at("k", [float(i) for i in range(100)], difficulty={"sd": 20.0})
    done = rows([task], [one(accuracy={}, ability={"general": w.Ability(0.0)}, speed=1e6)])
    clear = np.abs(done["difficulty"]) > 7.0
    assert clear.sum() > 50
    assert (done["right"][clear] == (done["difficulty"][clear] < 0.0)).all()


def old_answers_are_forgotten() -> None:
    """Average quotes: after a long pause one served without waiting outweighs four that waited."""
    task = at("k", [0.0] * 5 + [1000.0, 1002.0], delay_cost=1.0, value=0.0)
    done = rows([task], [one()], quotes={"latency": "average", "memory": 10.0})
    assert -done["utility"][-1] < 1.01


def refunds_lower_the_expected_price() -> None:
    """Wrong half the time and then refunded: 8 × .5 − 2 × .5."""
    done = rows([at("k", [0.0])], [one(accuracy=0.5, refund_wrong=1.0, price={"task": 2.0})])
    same(done["utility"], [3.0])


def impatience_is_a_tasks_own_deadline() -> None:
    """Deadline 1 s after arrival: the second, behind 9 s of work, leaves at 1."""
    done = rows([at("k", [0.0, 0.0], 9.0, deadline=1.0, patience="deadline")], [one()])
    same(sorted(done["finish"]), [1.0, 9.0])


# --- mutants -----------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """A slip: what it replaces (module, name), by what, and the check that must notice."""

    module: Any
    name: str
    make: Callable[[Any], Any]
    check: Callable[[], None]


def _no_kappa(_: Any) -> Any:
    return lambda speed, kappa, running: speed


def _enqueue_in_own_size(original: Any) -> Any:
    def mutant(st: Any, s: int, i: int, front: bool, now: float) -> None:
        original(st, s, i, front, now)
        queue = st.queues[s, st.tasks[i]["level"]]
        queue["work"] = queue["length"] * 1.0

    return mutant


def _enqueue_whole(original: Any) -> Any:
    def mutant(st: Any, s: int, i: int, front: bool, now: float) -> None:
        if front:
            st.tasks[i]["left"] = st.tasks[i]["work"]
        original(st, s, i, front, now)

    return mutant


def _enqueue_in_front(original: Any) -> Any:
    return lambda st, s, i, front, now: original(st, s, i, True, now)


def _requeue_with_progress(original: Any) -> Any:
    def mutant(st: Any, s: int, order: Any, now: float) -> None:
        for i in order:
            left = st.tasks[i]["finish"] - st.sellers[s]["served_work"]
            original(st, s, np.array([i]), now)
            st.tasks[i]["left"] = left

    return mutant


def _settle_without_return(original: Any) -> Any:
    def mutant(a: Any, buyer: int, seller: int, platform: int, supplies: int, price: int,
               refund: int, penalty: int, cost: int, rate: float) -> tuple[int, int]:  # fmt: skip
        kept, _ = original(a, buyer, seller, platform, supplies, price, 0, penalty, cost, rate)
        ledger.post(a, seller, buyer, refund)
        return kept, 0

    return mutant


def _loss_when_late(_: Any) -> Any:
    return lambda value, loss, cost, right, delta, time, paid: (
        (value * delta if right else -loss) - cost * time - paid
    )


def _leave_for_free(original: Any) -> Any:
    def mutant(st: Any, i: int, status: int, now: float) -> None:
        st.tasks[i]["delay_cost"] = 0.0
        original(st, i, status, now)

    return mutant


def _late_on_the_dot(original: Any) -> Any:
    return lambda rule, parameter, late: 0.0 if late == 0.0 else original(rule, parameter, late)


def _beat_own(_: Any) -> Any:
    return lambda score, shown, count, outside, winner, offers: max(
        [outside, *(score[o] for o in shown[:count] if o != winner)]
    )


def _no_coin(_: Any) -> Any:
    def mutant(score: Any, shown: Any, count: int, outside: float, id_: Any, offers: Any) -> int:
        winner, best_ = -1, outside
        for o in shown[:count]:
            if score[o] > best_ or (winner < 0 and score[o] == best_ > -math.inf):
                winner, best_ = int(o), score[o]
        return winner

    return mutant


def _bid_before_commission(original: Any) -> Any:
    return lambda cell, seller, ask, cost, truthful, commission: original(
        cell, seller, ask, cost, truthful, 0.0
    )


def _at_class_difficulty(original: Any) -> Any:
    def mutant(st: Any, i: int) -> bool:
        own = float(st.tasks[i]["difficulty"])
        st.tasks[i]["difficulty"] = st.classes[st.tasks[i]["kind"]]["difficulty"]
        right = bool(original(st, i))
        st.tasks[i]["difficulty"] = own
        return right

    return mutant


def _tariff_as_asked(original: Any) -> Any:
    def mutant(st: Any, o: int, i: int) -> float:
        offer, task = st.offers[o], st.tasks[i]
        return rules.price_of(offer["price_task"], offer["price_in"], offer["price_out"],
                              task["input"], task["output"] + offer["thinking"])  # fmt: skip

    return mutant


def _alarm_too_early(original: Any) -> Any:
    def mutant(events: Any, heap: Any, clock: Any, node: int, time: float, rank: int,
               id_: Any) -> None:  # fmt: skip
        original(events, heap, clock, node, time / 2 if rank == 3 else time, rank, id_)

    return mutant


def _menu_as_listed(original: Any) -> Any:
    return lambda st, by: original(st, "random")


MUTANTS: dict[str, Mutant] = {
    "κ ignored": Mutant(rules, "service_rate", _no_kappa, two_streams_share_the_speed),
    "wait in one's own size": Mutant(service, "enqueue", _enqueue_in_own_size,
                                     waits_are_quoted_in_the_sizes_ahead),
    "waiting tasks not counted": Mutant(
        rules, "wait_ahead", lambda _: lambda inside, ahead, slots, rate: inside / (slots * rate),
        waits_are_quoted_in_the_sizes_ahead),
    "levels ignored": Mutant(choice, "level_at", lambda _: lambda seller, kind: 0,
                             first_level_goes_first),
    "preemption ignored": Mutant(
        choice, "would_preempt", lambda _: lambda seller, queues, level: False,
        preempted_work_goes_on),
    "preempted work lost": Mutant(service, "enqueue", _enqueue_whole, preempted_work_goes_on),
    "last come first served": Mutant(service, "enqueue", _enqueue_in_front,
                                     first_come_first_served),
    "progress survives a requeue": Mutant(kernel, "requeue_all", _requeue_with_progress,
                                          requeued_work_starts_again),
    "commission rounded down": Mutant(
        rules, "share_of", lambda _: lambda amount, share: math.floor(amount * share + 1e-9),
        commission_is_rounded_half_even),
    "halves rounded up": Mutant(rules, "round_half_even", lambda _: lambda x: math.floor(x + 0.5),
                                commission_is_rounded_half_even),
    "refund keeps the commission": Mutant(ledger, "settle", _settle_without_return,
                                          a_refund_gives_commission_back),
    "loss charged for late answers": Mutant(rules, "realised_utility", _loss_when_late,
                                            late_answers_cost_no_loss),
    "leaving costs nothing": Mutant(outcome, "leave", _leave_for_free, leaving_costs_time),
    "late on the dot": Mutant(rules, "lateness", _late_on_the_dot, on_the_dot_is_on_time),
    "on the dot too late to quote": Mutant(
        quotes, "work_below",
        lambda f: lambda law, grid, table, work: f(law, grid, table, work * (1.0 - 1e-9)),
        on_the_dot_is_on_time),
    "arrivals before completions": Mutant(kernel, "COMPLETION", lambda _: 3,
                                          completions_come_before_arrivals),
    "leaving before starting": Mutant(service, "RENEGE", lambda _: -1,
                                      a_start_comes_before_leaving),
    "patience halved": Mutant(service, "schedule", _alarm_too_early,
                              impatience_is_a_tasks_own_deadline),
    "own offers are rivals": Mutant(second_score, "score_to_beat", _beat_own,
                                    own_offers_are_no_rivals),
    "winner paid its bid": Mutant(
        second_score, "payment", lambda _: lambda bid, score, beat, billed: bid,
        the_runner_up_sets_the_price),
    "bid without commission": Mutant(choice, "bid_of", _bid_before_commission,
                                     the_runner_up_sets_the_price),
    "payment without refunds": Mutant(
        second_score, "payment", lambda _: lambda bid, score, beat, billed: bid + score - beat,
        refunds_count_in_the_price),
    "taste not centred": Mutant(choice, "EULER", lambda _: 0.0, tastes_have_mean_zero),
    "nest forgotten": Mutant(tastes, "seller_taste", lambda _: lambda key, nest, stable, table: 0.0,
                             efforts_of_a_seller_are_one_taste),
    "first of equals wins": Mutant(posted_price, "pick", _no_coin, ties_are_fair),
    "shown as listed": Mutant(build, "set_menu", _menu_as_listed, the_cheapest_are_shown),
    "verbosity not billed": Mutant(kernel, "tariff", _tariff_as_asked, verbosity_is_billed),
    "class's difficulty": Mutant(outcome, "is_right", _at_class_difficulty,
                                 answers_are_right_at_the_tasks_own_difficulty),
    "nothing forgotten": Mutant(
        quotes, "remember",
        lambda _: lambda average, weight, seen: average + (seen - average) / 8.0,
        old_answers_are_forgotten),
    "refunds not expected": Mutant(rules, "expected_refund", lambda _: lambda *terms: 0.0,
                                   refunds_lower_the_expected_price),
}  # fmt: skip


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Put the mutant in place of the original wherever it is known by its name."""
    original = getattr(mutant.module, mutant.name)
    new = mutant.make(original)
    homes = [m for m in MODULES if getattr(m, mutant.name, None) is original]
    try:
        for home in homes:
            setattr(home, mutant.name, new)
        yield
    finally:
        for home in homes:
            setattr(home, mutant.name, original)


def verdict(check: Callable[[], None]) -> str:
    """Return what a check complains of, or nothing."""
    try:
        check()
    except AssertionError as error:
        return f"{check.__name__}: {error}".strip().partition("\n")[0]
    return ""


def judge() -> dict[str, tuple[str, str]]:
    """Return for each mutant what its check says without and with it."""
    found = {}
    for name, mutant in MUTANTS.items():
        before = verdict(mutant.check)
        with applied(mutant):
            found[name] = before, verdict(mutant.check)
    return found


if __name__ == "__main__":
    json.dump(judge(), sys.stdout)
