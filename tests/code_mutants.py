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

from walras.market import (
    auction,
    bids,
    build,
    choice,
    contracts,
    kernel,
    ledger,
    menu,
    outcome,
    outlook,
    quotes,
    rules,
    sampling,
    service,
    tastes,
    waits,
    work,
    workload,
)
from walras.market.mechanisms import (
    bidding,
    first_price,
    first_score,
    posted_price,
    second_score,
    vickrey,
)

from .code_checks import (
    a_call_comes_before_the_work,
    a_refund_gives_commission_back,
    a_start_comes_before_leaving,
    a_taken_slot_is_dearer,
    an_announced_score_is_kept_to,
    answers_are_right_at_the_tasks_own_difficulty,
    commission_is_rounded_half_even,
    completions_come_before_arrivals,
    costs_are_drawn_and_charged,
    efforts_of_a_seller_are_one_taste,
    equilibrium_bids_are_shaded,
    first_come_first_served,
    first_level_goes_first,
    impatience_is_a_tasks_own_deadline,
    late_answers_cost_no_loss,
    leaving_costs_time,
    nobody_pays_more_than_it_is_worth,
    old_answers_are_forgotten,
    on_the_dot_is_on_time,
    own_offers_are_no_rivals,
    preempted_work_goes_on,
    refunds_count_in_the_price,
    refunds_for_lateness_go_to_large_tasks,
    refunds_lower_the_expected_price,
    requeued_work_starts_again,
    tastes_have_mean_zero,
    the_cheapest_are_shown,
    the_next_lowest_bid_is_paid,
    the_runner_up_sets_the_price,
    ties_are_fair,
    two_streams_share_the_speed,
    verbosity_is_billed,
    waits_are_quoted_in_the_sizes_ahead,
    waits_are_spread_as_the_work_ahead,
)
from .contract_checks import (
    contracts_give_the_level,
    contracts_hold_at_their_seller,
    quotas_are_used_up,
    success_is_paid_for,
    surcharges_are_charged,
    the_platform_has_its_share_of_fees,
    what_comes_too_late_is_not_billed,
    what_is_not_served_takes_no_quota,
)

MODULES = [
    auction, bidding, bids, build, choice, contracts, first_price, first_score, kernel, ledger,
    menu, outcome, outlook, posted_price, quotes, rules, sampling, second_score, service, tastes,
    vickrey, waits, work, workload,
]  # fmt: skip


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


def _next_of_all(_: Any) -> Any:
    return lambda bids, score, shown, count, outside, reserve, winner, offers: min(
        (bids[j] for j in range(count) if j != winner), default=math.inf
    )


def _without_for_free(original: Any) -> Any:
    def mutant(st: Any, i: int, now: float) -> None:
        st.tasks[i]["delay_cost"] = 0.0
        original(st, i, now)

    return mutant


def _no_coin(_: Any) -> Any:
    def mutant(score: Any, shown: Any, count: int, outside: float, id_: Any, offers: Any) -> int:
        winner, best_ = -1, outside
        for o in shown[:count]:
            if score[o] > best_ or (winner < 0 and score[o] == best_ > -math.inf):
                winner, best_ = int(o), score[o]
        return winner

    return mutant


def _bid_before_commission(original: Any) -> Any:
    return lambda cell, seller, cost, slot, commission: original(cell, seller, cost, slot, 0.0)


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


def _order_without_use(original: Any) -> Any:
    def mutant(st: Any, i: int, o: int) -> None:
        left = st.customers["quota"].copy()
        original(st, i, o)
        st.customers["quota"] = left

    return mutant


def _order_at_list_price(original: Any) -> Any:
    def mutant(st: Any, i: int, o: int) -> None:
        rates = st.contracts["rate"].copy()
        st.contracts["rate"] = 1.0
        original(st, i, o)
        st.contracts["rate"] = rates

    return mutant


def _fee_without_commission(original: Any) -> Any:
    def mutant(st: Any, k: int, holds: Any) -> None:
        rate = float(st.clock[0]["commission"])
        st.clock[0]["commission"] = 0.0
        original(st, k, holds)
        st.clock[0]["commission"] = rate

    return mutant


def _join_at_class_level(original: Any) -> Any:
    def mutant(st: Any, s: int, i: int, now: float) -> None:
        held = int(st.tasks[i]["contract"])
        st.tasks[i]["contract"] = -1
        original(st, s, i, now)
        st.tasks[i]["contract"] = held

    return mutant


def _concluded_as(**terms: float) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        def mutant(st: Any, *rest: Any) -> Any:
            before = st.contracts.copy()
            for name, value in terms.items():
                st.contracts[name] = value
            found = original(st, *rest)
            st.contracts[:] = before
            return found

        return mutant

    return make


MUTANTS: dict[str, Mutant] = {
    "κ ignored": Mutant(rules, "service_rate", _no_kappa, two_streams_share_the_speed),
    "wait in one's own size": Mutant(service, "enqueue", _enqueue_in_own_size,
                                     waits_are_quoted_in_the_sizes_ahead),
    "waiting tasks not counted": Mutant(
        rules, "wait_ahead", lambda _: lambda inside, ahead, slots, rate: inside / (slots * rate),
        waits_are_quoted_in_the_sizes_ahead),
    "levels ignored": Mutant(outlook, "level_at", lambda _: lambda seller, kind: 0,
                             first_level_goes_first),
    "preemption ignored": Mutant(
        outlook, "would_preempt", lambda _: lambda seller, queues, level: False,
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
        work, "spare", lambda f: lambda law, rows, x: f(law, rows, x * (1.0 - 1e-9)),
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
    "bid without commission": Mutant(bidding, "least_price", _bid_before_commission,
                                     the_runner_up_sets_the_price),
    "payment without refunds": Mutant(
        second_score, "payment", lambda _: lambda bid, score, beat, billed: bid + score - beat,
        refunds_count_in_the_price),
    "taste not centred": Mutant(choice, "EULER", lambda _: 0.0, tastes_have_mean_zero),
    "nest forgotten": Mutant(tastes, "seller_taste", lambda _: lambda key, nest, stable, table: 0.0,
                             efforts_of_a_seller_are_one_taste),
    "first of equals wins": Mutant(posted_price, "pick", _no_coin, ties_are_fair),
    "shown as listed": Mutant(menu, "set_menu", _menu_as_listed, the_cheapest_are_shown),
    "verbosity not billed": Mutant(kernel, "tariff", _tariff_as_asked, verbosity_is_billed),
    "class's difficulty": Mutant(outcome, "is_right", _at_class_difficulty,
                                 answers_are_right_at_the_tasks_own_difficulty),
    "nothing forgotten": Mutant(
        quotes, "remember",
        lambda _: lambda average, weight, seen: average + (seen - average) / 8.0,
        old_answers_are_forgotten),
    "refunds not expected": Mutant(rules, "expected_refund", lambda _: lambda *terms: 0.0,
                                   refunds_lower_the_expected_price),
    "lateness blind to size": Mutant(
        work, "work_on_time",
        lambda _: lambda law, rows, x: law["mean"] * work.spare(law, rows, x)[0],
        refunds_for_lateness_go_to_large_tasks),
    "Vickrey pays the bid": Mutant(
        vickrey, "critical_price", lambda _: lambda bid, *rest: bid, the_next_lowest_bid_is_paid),
    "own bids are rivals": Mutant(vickrey, "runner_up", _next_of_all, the_next_lowest_bid_is_paid),
    "any bid is acceptable": Mutant(
        first_price, "acceptable", lambda _: lambda score, bid, outside, reserve: True,
        nobody_pays_more_than_it_is_worth),
    "bids are there at once": Mutant(
        auction, "call_for_bids", lambda _: lambda st, i, now: False, a_call_comes_before_the_work),
    "a call in vain is free": Mutant(outcome, "do_without", _without_for_free,
                                     a_call_comes_before_the_work),
    "costs are as listed": Mutant(bids, "factor_for", lambda _: lambda st, s, id_: 1.0,
                                  costs_are_drawn_and_charged),
    "nobody shades": Mutant(bids, "rival_price", lambda _: lambda st, k, o, cost, tail: 0.0,
                            equilibrium_bids_are_shaded),
    "rivals are like oneself": Mutant(
        auction, "could_score", lambda _: lambda st, k, i, count, leader, tail: st.score[leader],
        equilibrium_bids_are_shaded),
    "true utility counts": Mutant(
        first_score, "announced", lambda _: lambda before, linear, quadratic: before,
        an_announced_score_is_kept_to),
    "slots cost nothing": Mutant(bids, "slot_cost", lambda _: lambda st, s: 0.0,
                                 a_taken_slot_is_dearer),
    "every wait its mean": Mutant(waits, "wait_end", lambda _: lambda table, place, end: 1.0,
                                  waits_are_spread_as_the_work_ahead),
    "quota not used up": Mutant(contracts, "order", _order_without_use, quotas_are_used_up),
    "quota not given back": Mutant(contracts, "give_back", lambda _: lambda st, i: None,
                                   what_is_not_served_takes_no_quota),
    "fee without commission": Mutant(contracts, "take_contracts", _fee_without_commission,
                                     the_platform_has_its_share_of_fees),
    "surcharge forgotten": Mutant(contracts, "order", _order_at_list_price,
                                  surcharges_are_charged),
    "class's own level": Mutant(service, "join", _join_at_class_level, contracts_give_the_level),
    "late answers billed": Mutant(contracts, "conclude", _concluded_as(within=1e9),
                                  what_comes_too_late_is_not_billed),
    "wrong answers billed": Mutant(contracts, "conclude", _concluded_as(success=0),
                                   success_is_paid_for),
    "contract with every seller": Mutant(
        contracts, "contract_at",
        lambda _: lambda st, i, s: int(st.customers[st.tasks[i]["customer"]]["holds"]),
        contracts_hold_at_their_seller),
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
