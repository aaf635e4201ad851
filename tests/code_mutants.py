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
    acts,
    auction,
    bids,
    book,
    choice,
    commodity,
    contracts,
    kernel,
    ledger,
    menu,
    outcome,
    outlook,
    periods,
    quotes,
    rules,
    service,
    tastes,
    waits,
    work,
)
from walras.market.fluid import closed, delays, exactness, population, queues
from walras.market.mechanisms import (
    bidding,
    call_market,
    continuous,
    first_price,
    first_score,
    k_double,
    posted_price,
    rating,
    search,
    second_score,
    sponsored,
    vickrey,
)
from walras.market.state import RENEGE

from .code_checks import (
    a_call_comes_before_the_work,
    a_refund_gives_commission_back,
    a_sample_passes_over_what_it_shuns,
    a_start_comes_before_leaving,
    a_taken_slot_is_dearer,
    an_announced_score_is_kept_to,
    answers_are_right_at_the_tasks_own_difficulty,
    bids_cover_advertising,
    chances_are_those_of_nested_logit,
    claims_count_in_ratings,
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
    looking_stops_in_time,
    looks_are_paid_for,
    nobody_pays_more_than_it_is_worth,
    old_answers_are_forgotten,
    on_the_dot_is_on_time,
    own_offers_are_no_rivals,
    positions_cost_the_next_bid,
    preempted_work_goes_on,
    refunds_count_in_the_price,
    refunds_for_lateness_go_to_large_tasks,
    refunds_lower_the_expected_price,
    requeued_work_starts_again,
    tastes_have_mean_zero,
    the_best_is_looked_at_first,
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
from .fluid_checks import (
    a_batch_with_a_queue_is_a_birth_death_chain,
    slow_phases_count_one_by_one,
    spread_sizes_wait_as_pollaczek_and_khinchine_say,
    users_come_round_as_schweitzer_says,
    waits_are_counted_over_starts,
    what_does_not_come_one_by_one_is_said,
    who_is_interrupted_waits_longer,
)
from .trading_checks import (
    a_quarter_of_the_way_to_the_bid,
    bids_that_wait_lose_time,
    the_best_price_goes_first,
    the_lowest_rejected_ask_is_paid,
    the_standing_order_sets_the_price,
    whoever_delivers_is_worth_it,
)

MODULES = [module for name, module in sys.modules.items() if name.startswith("walras.market.")]
"""All modules of the layer: a name is replaced in each that has imported it."""


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


def _odds_of_captives(original: Any) -> Any:
    def mutant(st: Any, k: int, number: int) -> None:
        outside, st.classes[k]["outside"] = int(st.classes[k]["outside"]), 0
        original(st, k, number)
        st.classes[k]["outside"] = outside

    return mutant


def _odds_without_nests(original: Any) -> Any:
    def mutant(st: Any, k: int, number: int) -> None:
        nest, st.classes[k]["nest"] = float(st.classes[k]["nest"]), 1.0
        original(st, k, number)
        st.classes[k]["nest"] = nest

    return mutant


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
        original(events, heap, clock, node, time / 2 if rank == RENEGE else time, rank, id_)

    return mutant


def _menu_as_listed(original: Any) -> Any:
    return lambda st, by: original(st, "random")


def _own_bids(_: Any) -> Any:
    return lambda order, bids: np.array([b if s in order else 0.0 for s, b in enumerate(bids)])


def _look_for_free(original: Any) -> Any:
    def mutant(st: Any, k: int, i: int, count: int, outside: float) -> int:
        looked = int(original(st, k, i, count, outside))
        st.tasks[i]["search"] = 0.0
        return looked

    return mutant


def _order_without_use(original: Any) -> Any:
    def mutant(st: Any, i: int, o: int) -> None:
        left = st.customers["quota"].copy()
        original(st, i, o)
        st.customers["quota"] = left

    return mutant


def _look_once_more(original: Any) -> Any:
    def mutant(st: Any, k: int, i: int, count: int, outside: float) -> int:
        looked = int(original(st, k, i, count, outside))
        if looked < count:
            st.score[looked] += choice.taste_for(st, k, st.shown[looked], st.tasks[i]["id"])
            st.tasks[i]["search"] += st.clock[0]["search_cost"]
            looked += 1
        return looked

    return mutant


def _order_at_list_price(original: Any) -> Any:
    def mutant(st: Any, i: int, o: int) -> None:
        rates = st.contracts["rate"].copy()
        st.contracts["rate"] = 1.0
        original(st, i, o)
        st.contracts["rate"] = rates

    return mutant


def _without_fee(original: Any) -> Any:
    def mutant(st: Any, k: int, o: int, cost: float, factor: float) -> float:
        fee, st.cells[k, o]["fee"] = float(st.cells[k, o]["fee"]), 0.0
        least = float(original(st, k, o, cost, factor))
        st.cells[k, o]["fee"] = fee
        return least

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


def _oldest_first(_: Any) -> Any:
    def mutant(traders: Any, first: int, end: int) -> int:
        live = [t for t in range(first, end) if traders[t]["live"] == 1]
        return min(live, key=lambda t: traders[t]["number"], default=-1)

    return mutant


def _cross_without_next(original: Any) -> Any:
    def mutant(book: Any, order: Any, bids: int, sales: Any, places: Any, asks: int) -> Any:
        traded, low, _ = original(book, order, bids, sales, places, asks)
        return traded, low, low

    return mutant


def _worth_at_best(_: Any) -> Any:
    def mutant(st: Any, i: int, now: float) -> float:
        k = st.tasks[i]["kind"]
        found = [
            1e6 * commodity.gain_from(st, k, o, i, now) / commodity.billed_tokens(st, k, o, i)
            for o in range(len(st.offers)) if commodity.has_unit(st, o)
        ]  # fmt: skip
        return max(found)

    return mutant


def _congestion_of_exponentials(original: Any) -> Any:
    return lambda loads, levels, until, residual, kappa, slots: original(
        loads, levels, until, 1.0, kappa, slots
    )


def _mean_rates(_: Any) -> Any:
    return lambda tasks: [(1.0, np.array([task.arrivals.mean_rate for task in tasks]))]


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
    "progress survives a requeue": Mutant(acts, "requeue_all", _requeue_with_progress,
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
    "doing without has no chance": Mutant(choice, "note_odds", _odds_of_captives,
                                          chances_are_those_of_nested_logit),
    "chances without nests": Mutant(choice, "note_odds", _odds_without_nests,
                                    chances_are_those_of_nested_logit),
    "nobody strays": Mutant(choice, "stray", lambda _: lambda st, k, i, number: None,
                            a_sample_passes_over_what_it_shuns),
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
    "nobody shades": Mutant(bids, "rival_price", lambda _: lambda st, k, o, cost, tail, limit: 0.0,
                            equilibrium_bids_are_shaded),
    "rivals are like oneself": Mutant(
        auction, "could_score", lambda _: lambda st, k, i, count, leader, tail: st.score[leader],
        equilibrium_bids_are_shaded),
    "true utility counts": Mutant(
        first_score, "announced", lambda _: lambda before, linear, quadratic: before,
        an_announced_score_is_kept_to),
    "slots cost nothing": Mutant(bids, "slot_cost", lambda _: lambda st, s: 0.0,
                                 a_taken_slot_is_dearer),
    "own bid paid for a position": Mutant(sponsored, "next_bids", _own_bids,
                                          positions_cost_the_next_bid),
    "bids without advertising": Mutant(bids, "least_at", _without_fee, bids_cover_advertising),
    "looks cost nothing": Mutant(search, "look_around", _look_for_free, looks_are_paid_for),
    "one look too many": Mutant(search, "look_around", _look_once_more, looking_stops_in_time),
    "looked at as listed": Mutant(
        search, "next_look", lambda _: lambda score, shown, looked, count, id_, offers: looked,
        the_best_is_looked_at_first),
    "rating without prior": Mutant(rating, "start_rating", lambda f: lambda cell, prior: f(cell, 0),
                                   claims_count_in_ratings),
    "every wait its mean": Mutant(waits, "wait_end", lambda _: lambda table, place, end: 1.0,
                                  waits_are_spread_as_the_work_ahead),
    "quota not used up": Mutant(contracts, "order", _order_without_use, quotas_are_used_up),
    "quota not given back": Mutant(contracts, "give_back", lambda _: lambda st, i: None,
                                   what_is_not_served_takes_no_quota),
    "fee without commission": Mutant(periods, "take_contracts", _fee_without_commission,
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
    "trade at the later quote": Mutant(
        continuous, "trade_price", lambda f: lambda bid, ask, stood: f(bid, ask, not stood),
        the_standing_order_sets_the_price),
    "price by own bid": Mutant(
        k_double, "k_price", lambda f: lambda bid, low, second, k: f(bid, low, second, 1.0),
        a_quarter_of_the_way_to_the_bid),
    "priority by time alone": Mutant(continuous, "best_ask", _oldest_first,
                                     the_best_price_goes_first),
    "last accepted ask": Mutant(call_market, "cross", _cross_without_next,
                                the_lowest_rejected_ask_is_paid),
    "worth of the best offer": Mutant(commodity, "worth_of", _worth_at_best,
                                      whoever_delivers_is_worth_it),
    "gives up at once": Mutant(book, "last_moment",
                                      lambda _: lambda st, i: st.tasks[i]["time"],
                                      bids_that_wait_lose_time),
    "fluid: κ ignored": Mutant(queues, "throughput", lambda _: lambda kappa, running: running,
                               a_batch_with_a_queue_is_a_birth_death_chain),
    "fluid: all sizes exponential": Mutant(queues, "congestion", _congestion_of_exponentials,
                                           spread_sizes_wait_as_pollaczek_and_khinchine_say),
    "fluid: nobody interrupted": Mutant(
        queues, "_pushed", lambda _: lambda before, mine, kappa, slots: 0.0,
        who_is_interrupted_waits_longer),
    "fluid: who leaves counts as served": Mutant(
        queues, "_mean_wait", lambda _: lambda stay, stayed, otherwise: stay,
        waits_are_counted_over_starts),
    "fluid: users never wait": Mutant(closed, "cycle", lambda f: lambda *at: 0.0 * f(*at),
                                      users_come_round_as_schweitzer_says),
    "fluid: users in their own way": Mutant(
        delays, "_seen", lambda _: lambda setting: np.ones((len(setting.class_of), 1)),
        users_come_round_as_schweitzer_says),
    "fluid: phases averaged": Mutant(population, "moments_of", _mean_rates,
                                     slow_phases_count_one_by_one),
    "fluid: batches are exact": Mutant(exactness, "_of_arrivals", lambda _: lambda setting: (),
                                       what_does_not_come_one_by_one_is_said),
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
