"""Alternating offers: prices of the theory, curves as published, what neither side would refuse."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import walras as w
from walras.agents.negotiation import concession, rubinstein
from walras.agents.negotiation.concession import buyers_offer, conceded, haggle, sellers_offer
from walras.agents.negotiation.rubinstein import (
    NOTHING,
    Prospect,
    Talk,
    foresee,
    one_round,
    option_of,
    proposers_share,
    steady,
)
from walras.agents.negotiation.terms import Terms

hundreds = settings(max_examples=600, deadline=None, derandomize=True)
WORTH, COST, BUYER, SELLER = 1.0, 0.2, 0.8, 0.9


def fixed(terms: Terms) -> Callable[[int], Terms]:
    """Return terms that stay as they are."""
    return lambda n: terms


def plain(worth: float = WORTH, cost: float = COST, posted: float = 5.0) -> Terms:
    """Return terms without refunds and commission."""
    return Terms(worth, cost, 1.0, 1.0, posted)


def price_paid(mechanism: w.Negotiation, posted: float = 5.0, **more: Any) -> float:
    """Return what one task worth 1 is sold for by a seller with cost .2; NaN if it is not."""
    task = w.TaskClass("k", w.Replay(times=[1.0]), value=WORTH)
    one = w.Seller("s", accuracy=1.0, price=w.per_task(posted), cost=w.per_task(COST))
    market = w.Market([task], [one, *more.pop("rivals", [])], mechanism=mechanism, **more)
    row = w.run(market, until=100.0, record="trades").trades.iloc[0]
    return float(row["price"]) if row["status"] == "served" else math.nan


def rubinstein_market(first: str, **rules: Any) -> w.Negotiation:
    fields = {"buyer_discount": BUYER, "seller_discount": SELLER, **rules}
    return w.Negotiation(bargaining=w.Rubinstein(**fields), first=first)


# --- Rubinstein: closed forms through the public API --------------------------------------------


def test_without_end_the_proposer_gets_rubinsteins_share() -> None:
    """(1 − δ₂)/(1 − δ₁δ₂) of the pie of .8 goes to whoever opens."""
    buyer = (1 - SELLER) / (1 - BUYER * SELLER)
    seller = (1 - BUYER) / (1 - BUYER * SELLER)
    pie = WORTH - COST
    assert price_paid(rubinstein_market("buyer")) == pytest.approx(
        COST + (1 - buyer) * pie, abs=1e-9
    )
    assert price_paid(rubinstein_market("seller")) == pytest.approx(COST + seller * pie, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "rounds", "sellers_share"),
    [
        ("buyer", 1, 0.0),
        ("seller", 1, 1.0),
        ("buyer", 2, SELLER),  # refusing, the seller takes all, a round later
        ("seller", 2, 1 - BUYER),
        ("buyer", 3, SELLER * (1 - BUYER)),
        ("seller", 3, 1 - BUYER * (1 - SELLER)),
    ],
)
def test_with_a_last_round_backward_induction(
    first: str, rounds: int, sellers_share: float
) -> None:
    """Ståhl's game of one, two and three rounds, by hand."""
    paid = price_paid(rubinstein_market(first, rounds=rounds))
    assert paid == pytest.approx(COST + sellers_share * (WORTH - COST), abs=1e-9)


def test_commission_makes_the_pie_smaller_and_refunds_are_shared() -> None:
    """A tenth goes to the platform: the least the seller takes is .2/.9."""
    paid = price_paid(rubinstein_market("seller"), platform={"commission": 0.1})
    least, share = COST / 0.9, (1 - BUYER) / (1 - BUYER * SELLER)
    assert paid == pytest.approx(least + share * (WORTH - least), abs=1e-9)
    half = w.Seller("h", accuracy=0.5, price=w.per_task(5.0), cost=w.per_task(COST),
                    refund_wrong=1.0)  # fmt: skip
    task = w.TaskClass("k", w.Replay(times=[1.0]), value=WORTH)
    kept: list[Any] = []
    economy = w.Economy(w.Market([task], [half], mechanism=rubinstein_market("seller")), 0,
                        keep=kept.append)  # fmt: skip
    economy.advance(100.0)
    economy.engine.flush()
    # Right half the time and paid only then: worth .5, at least .4 and at most 1 when paid.
    assert kept[0]["price"][0] * 1e-9 == pytest.approx(0.4 + share * 0.6, abs=1e-9)


def test_patience_makes_it_nashs_bargain() -> None:
    """δ = e^(−r·h), h → 0: half each if equally patient, else r₂/(r₁ + r₂) to the buyer."""
    for first in ("buyer", "seller"):
        equal = rubinstein_market(first, buyer_discount=1 - 1e-6, seller_discount=1 - 1e-6)
        assert price_paid(equal) == pytest.approx((WORTH + COST) / 2, abs=1e-6)
        hasty = rubinstein_market(first, buyer_discount=1 - 3e-6, seller_discount=1 - 1e-6)
        assert price_paid(hasty) == pytest.approx(COST + 0.75 * (WORTH - COST), abs=1e-6)


def test_an_outside_option_binds_or_does_not_matter() -> None:
    """The posted price, at which anybody may buy: the principle of Binmore, Shaked & Sutton.

    The seller that opens would get .714 of the pie, a price of .771. A posted price above that
    changes nothing; one below it is what is paid. To a buyer that opens the seller concedes what
    it could get by selling at the posted price a round later.
    """
    free = price_paid(rubinstein_market("seller"))
    assert free == pytest.approx(0.2 + 0.8 * 0.2 / 0.28, abs=1e-9)
    for posted in (free + 1e-6, 0.99, 3.0):
        assert price_paid(rubinstein_market("seller"), posted) == pytest.approx(free, abs=1e-9)
    assert price_paid(rubinstein_market("seller"), 0.6) == pytest.approx(0.6, abs=1e-9)
    opening = price_paid(rubinstein_market("buyer"))
    assert opening == pytest.approx(0.2 + SELLER * (free - 0.2), abs=1e-9)
    assert price_paid(rubinstein_market("buyer"), 0.6) == pytest.approx(0.2 + SELLER * 0.4)


@pytest.mark.parametrize("cost", [0.2, 0.1, 0.0])
def test_another_seller_matters_only_if_it_is_better_by_enough(cost: float) -> None:
    """Turning to the next, dearer as posted, takes the buyer a round.

    The first seller opens and keeps .0952 of its pie of .8. The buyer could get .9048 of the
    next one's pie, a round later: of .8 less than it has here, of .9 more, so the first must offer
    as much; of 1 more than the first has to offer at all, and it is passed over.
    """
    rules = rubinstein_market("seller", buyer_discount=0.95, seller_discount=0.5)
    share = (1 - 0.95) / (1 - 0.95 * 0.5)
    here, there = (1 - share) * (WORTH - COST), 0.95 * (1 - share) * (WORTH - cost)
    assert (there > here) == (cost < 0.2)
    assert (there > WORTH - COST) == (cost == 0.0)
    expected = {
        0.2: COST + share * (WORTH - COST), 0.1: WORTH - there, 0.0: share * WORTH,
    }[cost]  # fmt: skip
    rival = w.Seller("t", accuracy=1.0, price=w.per_task(6.0), cost=w.per_task(cost))
    assert price_paid(rules, rivals=[rival]) == pytest.approx(expected, abs=1e-9)


def test_delay_costs_shrink_the_pie_round_by_round() -> None:
    """Three rounds of 10 s at .004 USD/s: each more costs the buyer .04, a twentieth of the pie.

    In round 3 the buyer would take all .8. Waiting for that is worth .8·.8 − .04 = .6 to it, so in
    round 2 the seller gets .2, and now it accepts .9·.2. Without a last round, likewise:
    y = 1 − (.8·(1 − .9·y) − .05) of the pie is the seller's when it makes the offer.
    """
    task = w.TaskClass("k", w.Replay(times=[0.0]), value=WORTH, delay_cost=0.004)
    one = w.Seller("s", accuracy=1.0, speed=1e9, price=w.per_task(5.0), cost=w.per_task(COST))
    ever = SELLER * (1 - BUYER + 0.05) / (1 - BUYER * SELLER) * 0.8
    for rounds, sellers in ((3, SELLER * 0.2), (None, ever)):
        rules = w.Rubinstein(rounds=rounds, buyer_discount=BUYER, seller_discount=SELLER)
        mechanism = w.Negotiation(bargaining=rules, first="buyer", round_time=10.0)
        row = w.run(w.Market([task], [one], mechanism=mechanism), record="trades").trades.iloc[0]
        assert row["price"] == pytest.approx(COST + sellers, abs=1e-8)
        assert row["surplus"] == pytest.approx(WORTH - 0.04 - row["price"], abs=1e-8)


def test_a_deadline_ends_talks_as_a_last_round_does() -> None:
    """Due in 3.5 s and served in 1: of rounds of 1 s only two leave anything to share."""
    task = w.TaskClass("k", w.Replay(times=[0.0]), value=WORTH, deadline=3.5)
    one = w.Seller("s", accuracy=1.0, price=w.per_task(5.0), cost=w.per_task(COST))
    for first, share in (("buyer", SELLER), ("seller", 1 - BUYER)):
        market = w.Market([task], [one], mechanism=rubinstein_market(first))
        row = w.run(market, until=10.0, record="trades").trades.iloc[0]
        assert row["price"] == pytest.approx(COST + share * (WORTH - COST), abs=1e-9)
        assert (row["start"], row["late"]) == (1.0, False)


def test_nobody_talks_where_there_is_nothing_to_gain() -> None:
    """Cost above worth: the buyer does without at once; a seller in between is passed over."""
    task = w.TaskClass("k", w.Replay(times=[0.0]), value=WORTH)
    hopeless = w.Seller("h", accuracy=1.0, price=w.per_task(1.5), cost=w.per_task(1.2))
    good = w.Seller("g", accuracy=1.0, price=w.per_task(2.0), cost=w.per_task(COST))
    market = w.Market([task], [hopeless], mechanism="negotiation")
    row = w.run(market, until=10.0, record="trades").trades.iloc[0]
    assert (row["status"], row["finish"]) == ("balked", 0.0)
    row = w.run(w.Market([task], [hopeless, good], mechanism="negotiation"), until=10.0,
                record="trades").trades.iloc[0]  # fmt: skip
    assert (row["offer"], row["start"]) == ("g/default", 1.0)


# --- Rubinstein: the solution as a solution -----------------------------------------------------

unit = st.floats(0.0, 1.0)
discount = st.floats(0.0, 0.99)


@st.composite
def bargains(draw: st.DrawFn) -> Terms:
    """Draw terms: worth, refunds, cost, commission and a posted price."""
    billed = draw(st.floats(0.05, 1.0))
    kept = billed * (1 - draw(st.floats(0.0, 0.5)))
    most, least = draw(st.floats(-0.5, 2.0)), draw(st.floats(0.0, 1.0))
    delay = draw(st.sampled_from([0.0, 0.02, 0.5]))
    return Terms(most, least, billed, kept, draw(st.floats(0.0, 3.0)), delay)


def rules_of(buyer: float, seller: float, rounds: int | None = None) -> w.Rubinstein:
    return w.Rubinstein(rounds=rounds, buyer_discount=buyer, seller_discount=seller)


@hundreds
@given(bargains(), discount, discount, unit)
def test_terms_that_stay_are_a_fixed_point(
    terms: Terms, buyer: float, seller: float, part: float
) -> None:
    """One more round before the stationary equilibrium changes nothing, outside options and all."""
    if terms.pie < 0.0:
        return
    rules, turn = rules_of(buyer, seller), Prospect(part * terms.pie, 0.0, None)
    leave = max(option_of(terms), buyer * turn.buyer - terms.delay)
    talk = steady(0, 1, terms, leave, rules)
    again = one_round(0, 1, terms, talk, option_of(terms), turn, rules)
    for a, b in zip(talk, again, strict=True):
        assert (a.buyer, a.seller) == pytest.approx((b.buyer, b.seller), abs=1e-9)


@hundreds
@given(mine=discount, theirs=discount, w1=st.floats(0.0, 0.5), w2=st.floats(0.0, 0.5),
       k=st.floats(0.0, 2.0))  # fmt: skip
def test_the_proposers_share_solves_its_equations(
    mine: float, theirs: float, w1: float, w2: float, k: float
) -> None:
    """x = 1 − max(δ₂y − k₂, w₂) and y = 1 − max(δ₁x − k₁, w₁), k₂ or k₁ being 0."""
    x = proposers_share(mine, theirs, w1, w2, cost=k)
    y = proposers_share(theirs, mine, w2, w1, their_cost=k)
    assert x == pytest.approx(1 - max(theirs * y, w2), abs=1e-9)
    assert y == pytest.approx(1 - max(mine * x - k, w1), abs=1e-9)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(bargains(), st.floats(0.0, 0.9), st.floats(0.0, 0.9), st.sampled_from(["buyer", "seller"]))
def test_many_rounds_come_to_those_without_end(
    terms: Terms, buyer: float, seller: float, first: str
) -> None:
    """Two hundred rounds leave .81^100 of the difference, below 1e-9."""
    long = foresee([fixed(terms)], rules_of(buyer, seller, 200), first, changing=False)
    ever = foresee([fixed(terms)], rules_of(buyer, seller), first, changing=False)
    changing = foresee([fixed(terms)], rules_of(buyer, seller), first, changing=True)
    assert (long is None) == (ever is None) == (terms.pie < 0.0)
    if long is not None and ever is not None and changing is not None:
        assert long.price == pytest.approx(ever.price, abs=1e-7)
        assert changing.price == pytest.approx(ever.price, abs=1e-12)


@hundreds
@given(st.lists(bargains(), min_size=1, max_size=3), discount, discount,
       st.sampled_from([None, 1, 2, 5]), st.sampled_from(["buyer", "seller"]))  # fmt: skip
def test_nobody_agrees_to_lose(
    offers: list[Terms], buyer: float, seller: float, rounds: int | None, first: str
) -> None:
    """Between cost and worth, never above the posted price unless cost is; none if W < c."""
    deal = foresee([fixed(t) for t in offers], rules_of(buyer, seller, rounds), first, False)
    assert (deal is None) == all(t.pie < 0.0 for t in offers)
    if deal is not None:
        terms = offers[deal.seller]
        assert terms.least <= deal.price <= terms.ceiling
        assert terms.buyers(deal.price) >= -1e-12
        assert terms.sellers(deal.price) >= -1e-12


@hundreds
@given(bargains(), unit, discount, discount, st.sampled_from([None, 1, 2, 5]),
       st.sampled_from(["buyer", "seller"]))  # fmt: skip
def test_the_price_rises_with_worth_and_cost(
    terms: Terms, more: float, buyer: float, seller: float, rounds: int | None, first: str
) -> None:
    """Whatever the discounts, the last round and who opens."""
    rules = rules_of(buyer, seller, rounds)

    def price(t: Terms) -> float | None:
        deal = foresee([fixed(t)], rules, first, False)
        return None if deal is None else deal.price

    before = price(terms)
    richer = price(replace(terms, most=terms.most + more))
    dearer = price(replace(terms, least=terms.least + more))
    if before is not None:
        assert richer is not None
        assert richer >= before - 1e-9
        assert dearer is None or dearer >= before - 1e-9


# --- concession tactics -------------------------------------------------------------------------


def test_curves_are_those_of_faratin_sierra_and_jennings() -> None:
    """F = k + (1 − k)(t/T)^(1/β): ends, the straight line, and mirror images about it."""
    line = [conceded(w.Tactic(rounds=11), n) for n in range(1, 12)]
    assert line == pytest.approx([n / 10 for n in range(11)])
    for beta in (0.02, 0.2, 0.5, 2.0, 5.0, 50.0):
        for k in (0.0, 0.1):
            tactic = w.Tactic(rounds=11, beta=beta, opening=k)
            curve = [conceded(tactic, n) for n in range(1, 12)]
            assert (curve[0], curve[-1]) == pytest.approx((k, 1.0))
            assert curve == sorted(curve)
            bends = [2 * b - a - c for a, b, c in zip(curve, curve[1:], curve[2:], strict=False)]
            assert all(bend >= -1e-12 for bend in bends) == (beta > 1.0)
    middle = [conceded(w.Tactic(rounds=11, beta=b), 6) for b in (0.2, 0.5, 2.0, 5.0)]
    assert middle == pytest.approx([0.5**5, 0.5**2, 0.5**0.5, 0.5**0.2])
    assert conceded(w.Tactic(rounds=3), 9) == 1.0  # min(t, T)


def test_a_talk_by_hand() -> None:
    """Buyer 0, .1, .2, …; seller .9 − 7/90 a round; buyer opens.

    In round 6 the seller asks .9 − 5·.07̅ = .5111, and the buyer would itself offer .6 next.
    """
    rounds, price, *_ = haggle(w.Concession(), "buyer", fixed(plain(posted=0.9)))
    assert rounds == 6
    assert price == pytest.approx(0.9 - 5 * 0.7 / 9)
    # The seller opens: its ask of round 7 is .4333, and the buyer would offer .7.
    rounds, price, *_ = haggle(w.Concession(), "seller", fixed(plain(posted=0.9)))
    assert rounds == 6
    assert price == pytest.approx(0.5)  # the buyer's offer; the seller's next: .43


def test_time_that_costs_makes_a_buyer_accept_sooner() -> None:
    """Buyer 0, .1, .2, …; seller .9 − 7/90 a round; a round costs the buyer d.

    The buyer opens: asked .6667 in round 4, it gains .3333, and would gain 1 − .4 − d by its own
    offer of round 5. With d = .2 it waits for round 6, as with d = 0; with d = .3 it accepts.
    The seller opens: asked .5889 in round 5, it gains .4111, and 1 − .5 − d by waiting.
    """
    step = 0.7 / 9
    for delay, rounds in ((0.0, 6), (0.2, 6), (0.3, 4)):
        said = haggle(w.Concession(), "buyer", fixed(replace(plain(posted=0.9), delay=delay)))
        assert said.rounds == rounds
        assert said.price == pytest.approx(0.9 - (rounds - 1) * step)
    for delay, rounds, price in ((0.08, 6, 0.5), (0.1, 5, 0.9 - 4 * step)):
        said = haggle(w.Concession(), "seller", fixed(replace(plain(posted=0.9), delay=delay)))
        assert said.rounds == rounds
        assert said.price == pytest.approx(price)


def test_nobody_talks_on_about_an_answer_worth_nothing() -> None:
    """Too late from round 4 on, it is worth 0: the buyer breaks off after round 3."""
    late, good = plain(worth=0.0, posted=0.9), plain(posted=0.9)
    said = haggle(w.Concession(), "buyer", lambda n: good if n < 4 else late)
    assert (said.rounds, said.price) == (3, None)


def test_tit_for_tat_answers_in_kind() -> None:
    """The buyer opens at 0 and .1; once the seller has come down by .07̅ it goes up by as much."""
    rules = w.Concession(buyer=w.Tactic(tit_for_tat=True))
    heard: list[float] = []
    spied = concession.buyers_offer

    def listen(tactic: Any, n: int, terms: Terms, mine: Any, theirs: Any) -> float:
        heard.append(spied(tactic, n, terms, mine, theirs))
        return heard[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concession, "buyers_offer", listen)
        rounds, price, *_ = haggle(rules, "buyer", fixed(plain(posted=0.9)))
    step = 2 * 0.7 / 9  # of a seller that speaks every other round
    assert heard[0] == 0.0
    assert heard[2] == pytest.approx(0.2)  # round 3, after one ask only: by time
    assert heard[4] == pytest.approx(0.2 + step)  # round 5
    assert price is not None
    assert 0.2 <= price <= 0.9
    assert rounds <= 10


@hundreds
@given(bargains(), unit, st.integers(1, 12), st.lists(unit, max_size=4), st.lists(unit, max_size=4),
       st.booleans())  # fmt: skip
def test_neither_side_uses_what_only_the_other_knows(
    terms: Terms, other: float, n: int, mine: list[float], theirs: list[float], tit: bool
) -> None:
    """Of the other side they know the posted price and its offers: not its cost, not its worth."""
    tactic = w.Tactic(tit_for_tat=tit)
    cheaper = replace(terms, least=other * terms.least)
    if terms.posted >= terms.least:
        assert buyers_offer(tactic, n, terms, mine, theirs) == buyers_offer(
            tactic, n, cheaper, mine, theirs
        )
    keener = replace(terms, most=other)
    assert sellers_offer(tactic, n, terms, mine, theirs) == sellers_offer(
        tactic, n, keener, mine, theirs
    )


tactics = st.builds(
    w.Tactic, rounds=st.integers(2, 20), beta=st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0]),
    opening=st.sampled_from([0.0, 0.1, 0.5]), tit_for_tat=st.booleans(),
)  # fmt: skip


@hundreds
@given(bargains(), st.builds(w.Concession, buyer=tactics, seller=tactics),
       st.sampled_from(["buyer", "seller"]), st.floats(0.0, 0.2))  # fmt: skip
def test_no_tactic_agrees_to_lose(
    terms: Terms, rules: w.Concession, first: str, fading: float
) -> None:
    """With value that fades as they talk, too; and they talk no longer than both will."""

    def at(n: int) -> Terms:
        return replace(terms, most=terms.most - fading * n)

    rounds, price, *_ = haggle(rules, first, at)
    assert rounds <= min(rules.buyer.rounds, rules.seller.rounds)
    if price is not None:
        then = at(rounds)
        assert then.buyers(price) >= -1e-12
        assert then.sellers(price) >= -1e-12
        assert price <= then.ceiling
        assert then.pie >= -1e-12


@hundreds
@given(bargains(), unit, tactics, tactics, st.sampled_from(["buyer", "seller"]))
def test_time_dependent_prices_rise_with_worth_and_cost(
    terms: Terms, more: float, buyer: Any, seller: Any, first: str
) -> None:
    """Where both concede by time, time costs nothing, and both come to an agreement."""
    terms = replace(terms, delay=0.0)
    quiet = {"tit_for_tat": False, "rounds": 10}
    rules = w.Concession(
        buyer=buyer.model_copy(update=quiet), seller=seller.model_copy(update=quiet)
    )
    richer = replace(terms, most=terms.most + more)
    dearer = replace(terms, least=terms.least + more)
    if dearer.posted < dearer.least:
        return  # then it no longer asks what it has posted
    before = haggle(rules, first, fixed(terms)).price
    for other in (richer, dearer):
        price = haggle(rules, first, fixed(other)).price
        if before is not None and price is not None:
            assert price >= before - 1e-9


def test_boulware_buyers_pay_less_and_agree_less_often() -> None:
    """400 pairs, worth .2 to 1.2 and cost 0 to .8 on a grid; value gone after 6 to 9 rounds.

    Against the same linear seller: the Boulware pays least per agreement and reaches fewest,
    the Conceder the other way round. Everything is on a grid: no chance is involved.
    """

    def outcome(beta: float) -> tuple[float, int, float]:
        rules = w.Concession(buyer=w.Tactic(beta=beta), seller=w.Tactic())
        paid, talked, count = 0.0, 0, 0
        for a in range(20):
            for b in range(20):
                worth, cost = 0.225 + a / 20, 0.02 + b / 25

                in_time = plain(worth, cost, posted=1.0)
                late, last = plain(-1.0, cost, posted=1.0), 6 + (a + b) % 4

                def at(n: int, t: Terms = in_time, late: Terms = late, last: int = last) -> Terms:
                    return t if n <= last else late

                rounds, price, *_ = haggle(rules, "buyer", at)
                if price is not None:
                    share = (price - cost) / (worth - cost)
                    paid, talked, count = paid + share, talked + rounds, count + 1
        return paid / count, count, talked / count

    boulware, linear, conceder = outcome(0.2), outcome(1.0), outcome(5.0)
    assert boulware[0] < linear[0] < conceder[0]
    assert boulware[1] < linear[1] < conceder[1]
    assert boulware[2] > linear[2] > conceder[2]


# --- slips in the code --------------------------------------------------------------------------


def caught(check: Callable[[], None], patch: Any, home: Any, name: str, slip: Any) -> bool:
    """Whether a check that passes fails once a function is replaced by a slip of it."""
    check()
    with patch.context() as changed:
        changed.setattr(home, name, slip)
        try:
            check()
        except AssertionError:
            return True
    return False


def test_slips_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discounts swapped, no outside option, β upside down, time for free: each fails a test."""
    monkeypatch.undo()
    share = rubinstein.proposers_share

    def swapped(mine: float, theirs: float, *leave: float, **more: float) -> float:
        return share(theirs, mine, *leave, **more)

    assert caught(test_without_end_the_proposer_gets_rubinsteins_share, pytest.MonkeyPatch,
                  rubinstein, "proposers_share", swapped)  # fmt: skip
    assert caught(test_an_outside_option_binds_or_does_not_matter, pytest.MonkeyPatch,
                  rubinstein, "option_of", lambda terms: 0.0)  # fmt: skip

    def upside_down(tactic: w.Tactic, n: int) -> float:
        over = min((n - 1) / (tactic.rounds - 1), 1.0)
        return float(tactic.opening + (1 - tactic.opening) * over**tactic.beta)

    assert caught(test_boulware_buyers_pay_less_and_agree_less_often, pytest.MonkeyPatch,
                  concession, "conceded", upside_down)  # fmt: skip

    def for_free(rules: w.Concession, first: str, at: concession.TermsAt) -> concession.Haggled:
        """The next round costs the buyer nothing."""

        def free(n: int) -> Terms | None:
            terms = at(n)
            return terms and replace(terms, delay=0.0)

        return talk_of(rules, first, free)

    talk_of = haggle
    assert caught(test_time_that_costs_makes_a_buyer_accept_sooner, pytest.MonkeyPatch,
                  sys.modules[__name__], "haggle", for_free)  # fmt: skip


def test_a_round_without_a_next_is_the_last() -> None:
    """With nothing to come the proposer takes all, up to the responder's option."""
    nothing = Talk(NOTHING, NOTHING)
    talk = one_round(0, 1, plain(posted=0.7), nothing, option_of(plain(posted=0.7)), NOTHING,
                     w.Rubinstein())  # fmt: skip
    assert talk.buyer.deal is not None
    assert talk.seller.deal is not None
    assert (talk.buyer.deal.price, talk.seller.deal.price) == (COST, 0.7)
