"""Small markets whose outcome is known by hand: each check would notice one slip in the code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import walras as w
from walras.market.engine import Engine

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
    task = at("k", [float(i) for i in range(count)], value=0.0, choice=w.Logit(0.5, nest=nest))
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


def refunds_for_lateness_go_to_large_tasks() -> None:
    """Exponential size of mean 10 s for 1 USD, due in 10 s: 8·(1 − 1/e) − (1 − 2/e)."""
    late = at("k", [0.0], {"kind": "exponential", "mean": 10.0}, deadline=10.0)
    done = rows([late], [one(refund_late=1.0, price={"output": 1e5})])
    same(done["utility"], [8.0 * (1.0 - math.exp(-1.0)) - (1.0 - 2.0 * math.exp(-1.0))])


def waits_are_spread_as_the_work_ahead() -> None:
    """Behind one exponential task of mean 1: Erlang, Pr(T ≤ 1) = 1 − 2/e, within 0.005."""
    two = at("k", [0.0, 0.0], {"kind": "exponential", "mean": 1.0}, deadline=1.0)
    quoted = sorted(rows([two], [one()])["utility"] / 8.0)
    assert abs(quoted[0] - (1.0 - 2.0 / math.e)) < 0.005, quoted


# --- sealed bids -------------------------------------------------------------------------------


def _two(**more: Any) -> list[w.Seller]:
    return [one(name=n, cost={"task": c}, slots=9, **more) for n, c in (("a", 1.0), ("b", 2.0))]


def the_next_lowest_bid_is_paid() -> None:
    """Costs 1 and 2 in a Vickrey procurement: 2; of one owner: the whole value of 8."""
    task = at("k", [0.0], outside_option=True)
    same(rows([task], _two(), mechanism="vickrey")["price"] * 1e-9, [2.0])
    same(rows([task], _two(owner="x"), mechanism="vickrey")["price"] * 1e-9, [8.0])


def nobody_pays_more_than_it_is_worth() -> None:
    """A right answer is worth 8, half of them are right: a bid of 5 is not acceptable, 3 is."""
    dear = one(name="a", accuracy=0.5, cost={"task": 5.0})
    done = rows([at("k", [0.0], outside_option=True)], [dear], mechanism="first_price")
    assert done["status"].tolist() == [1]


def a_call_comes_before_the_work() -> None:
    """A bid that takes 2 s to make, then 1 s of work at a delay cost of a half."""
    slow = one(name="a", bid_time=2.0)
    done = rows([at("k", [0.0], delay_cost=0.5)], [slow], mechanism="second_score")
    same(done["sojourn"], [3.0])
    same(done["utility"], [6.5])
    none = rows([at("k", [0.0], delay_cost=0.5, value=0.4, outside_option=True)], [slow],
                mechanism="second_score")  # fmt: skip
    assert none["status"].tolist() == [1]
    same(none["surplus"], [-1.0])


def costs_are_drawn_and_charged() -> None:
    """A factor of 3 on a cost of 1, in the bid, in the runner-up's price and in the books."""
    pair = [one(name="a", cost={"task": 1.0}, cost_factor=3.0), one(name="b", cost={"task": 4.0})]
    done = rows([at("k", [0.0])], pair, mechanism="vickrey")
    same(done["cost"] * 1e-9, [3.0])
    same(done["price"] * 1e-9, [4.0])


def equilibrium_bids_are_shaded() -> None:
    """Two of U[0, 1]: β(c) = (1 + c)/2, by price and, with like qualities, by score."""
    factor = {"kind": "uniform", "low": 0.0, "high": 1.0}
    pair = [one(name=n, cost={"task": 1.0}, cost_factor=factor, slots=9) for n in "ab"]
    for kind in ("first_price", "first_score"):
        rule = {"kind": kind, "bid": {"kind": "equilibrium", "bidders": 2}}
        done = rows([at("k", [0.0, 10.0, 20.0])], pair, mechanism=rule)
        same(done["price"] * 1e-9, (1.0 + done["cost"] * 1e-9) / 2.0)


def an_announced_score_is_kept_to() -> None:
    """Worth 8 and 4 at costs 5 and 2: the first truly scores best, the second if halves count."""
    pair = [one(name="a", cost={"task": 5.0}), one(name="b", accuracy=0.5, cost={"task": 2.0})]
    for linear, winner in ((1.0, 0), (0.5, 1)):
        rule = {"kind": "first_score", "linear": linear}
        assert rows([at("k", [0.0])], pair, mechanism=rule)["offer"].tolist() == [winner]


def a_taken_slot_is_dearer() -> None:
    """Two slots, load 1, margin 10: shares lost .2 and .4 of it, so bids of 2 and 4."""
    rule = {"kind": "opportunity", "margin": 10.0, "load": 1.0}
    me = one(slots=2, bidding=rule)
    task = at("k", [0.0, 0.1], size=9.0)
    done = rows([task], [me], mechanism="first_score")
    same(done["price"] * 1e-9, [2.0, 4.0])


# --- the platform ------------------------------------------------------------------------------


def positions_cost_the_next_bid() -> None:
    """Bids of .5 and .2, one offer shown: a sale costs .2 in advertising."""
    two = [one(name=n, sponsor=b) for n, b in (("a", 0.5), ("b", 0.2))]
    done = rows([at("k", [0.0], consideration=1)], two, platform={"ranking": "sponsored"})
    same(done["advertising"] * 1e-9, [0.2])


def bids_cover_advertising() -> None:
    """Cost 1 and a fee of .2, alone on show: the bid, and the price, is 1.2."""
    two = [one(name=n, sponsor=b, cost={"task": 1.0}) for n, b in (("a", 0.5), ("b", 0.2))]
    done = rows([at("k", [0.0], consideration=1)], two, mechanism="second_score",
                platform={"ranking": "sponsored"})  # fmt: skip
    same(done["price"] * 1e-9, [1.2])


def looks_are_paid_for() -> None:
    """Worth 8, asked 2, a look .5; and one who looks in vain has lost it, too."""
    task = at("k", [0.0], outside_option=True)
    done = rows([task], [one(price={"task": 2.0})], platform={"search_cost": 0.5})
    same(done["surplus"], [5.5])
    same(done["utility"], [5.5])


def looking_stops_in_time() -> None:
    """Without tastes the second of two equal offers is not worth a look."""
    done = rows([at("k", [0.0])], [one(name=n) for n in "ab"], platform={"search_cost": 0.5})
    same(done["search"], [0.5])


def the_best_is_looked_at_first() -> None:
    """The dearer stands first in the list; the buyer looks at the cheaper alone."""
    two = [one(name=n, price={"task": p}) for n, p in (("a", 3.0), ("b", 1.0))]
    done = rows([at("k", [0.0])], two, platform={"search_cost": 0.5})
    same(done["search"], [0.5])
    assert done["offer"].tolist() == [1]


def claims_count_in_ratings() -> None:
    """Claimed .9 with the weight of nine answers, then one wrong: .81 of 8."""
    liar = one(accuracy=0.0, claimed=0.9)
    done = rows([at("k", [0.0, 2.0])], [liar], quotes={"accuracy": "rated"},
                platform={"rating_prior": 9.0})  # fmt: skip
    same(done["utility"], [7.2, 6.48])


def chances_are_those_of_nested_logit() -> None:
    """Two efforts share a nest of ν = ½, doing without stands alone: U = 3, 2 and 0, scale 2."""
    task = at("k", [0.0, 1.0], choice=w.Logit(2.0, nest=0.5), value=4.0, outside_option=True)
    menu = one(slots="unlimited", effort={"low": 0.0, "high": 1.0}, price=w.per_mtok(0.0, 1e6))
    engine, _ = start([task], [menu])
    engine.note_odds()
    engine.advance(2.0)
    inside = np.exp([3.0, 2.0])
    nest = math.sqrt(inside.sum())
    chance = [*(inside / inside.sum() * nest / (nest + 1.0)), 1.0 / (nest + 1.0)]
    same(engine.state.odds[0], 2.0 * np.array(chance))


def a_sample_passes_over_what_it_shuns() -> None:
    """All are sampled: the better offer is shunned, and the other is taken."""
    engine, found = start([at("k", [0.0, 1.0])], [one(), one(name="t", price=w.per_task(1.0))])
    engine.let_stray(0, shuns=[0])
    engine.advance(3.0)
    same(finish(engine, found)["offer"], [1, 1])
