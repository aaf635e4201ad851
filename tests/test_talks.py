"""Decisions that take time: what becomes of a task while it is talked about, and after."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.agents.economy import Economy
from walras.market.clock import Clock
from walras.market.engine import Engine
from walras.market.messages import Ask, Award, Quote, Task
from walras.market.schema.market import Market
from walras.market.state import CALLING

from .oracle.bidding import upper
from .oracle.calendar import AGENT
from .oracle.compare import Kernel, rows_of
from .oracle.draws import draw_tables
from .oracle.events import agent_events
from .oracle.market import Choice, Simulation, Trade
from .oracle.scenarios import SPAN, random_market
from .oracle.terms import charge
from .test_books import busy_market

CONCESSION = w.Negotiation(bargaining="concession", round_time=0.4)


def one_task(rule: Any, until: float = 20.0, **more: Any) -> Any:
    """Return the row of one task, arriving at 1, worth 1, at a seller of unit speed."""
    fields = {"value": 1.0, "delay_cost": 0.01, **more.pop("task", {})}
    task = w.TaskClass("k", w.Replay(times=[1.0]), **fields)
    one = w.Seller("s", **{"accuracy": 1.0, "price": w.per_task(0.5), **more.pop("seller", {})})
    market = w.Market([task], [one], mechanism=rule, **more)
    return w.run(market, until=until, record="trades").trades.iloc[0]


# --- awards that take time ----------------------------------------------------------------------


def test_an_award_is_carried_out_later_and_the_deadline_does_not_wait() -> None:
    """Asked at 1, talked until 4, served until 5: a sojourn of 4, over a deadline of 3.5."""
    row = one_task(lambda a, q: Award("s/default", 0.3, after=3.0), task={"deadline": 3.5})
    assert (row["start"], row["finish"], row["sojourn"]) == (4.0, 5.0, 4.0)
    assert bool(row["late"])
    assert row["wait"] == 0.0
    assert row["surplus"] == pytest.approx(-0.04 - 0.3)
    assert row["utility"] == pytest.approx(-0.04 - 0.3)  # the rule could have known
    row = one_task(lambda a, q: Award("s/default", after=2.0), task={"deadline": 3.5})
    assert (row["price"], bool(row["late"])) == (0.5, False)
    assert row["utility"] == pytest.approx(1.0 - 0.03 - 0.5)


def test_who_does_without_after_talks_has_lost_its_time() -> None:
    """Two seconds at .01 USD/s, in the row and in the sums."""
    row = one_task(lambda a, q: Award(None, after=2.0))
    assert (row["status"], row["finish"]) == ("balked", 3.0)
    assert row["surplus"] == pytest.approx(-0.02)
    result = w.run(
        w.Market([w.TaskClass("k", w.Replay(times=[1.0]), delay_cost=0.01)],
                 [w.Seller("s", accuracy=1.0)], mechanism=lambda a, q: Award(None, after=2.0)),
        until=20.0,
    )  # fmt: skip
    assert result.epochs["delay_cost"].sum() == pytest.approx(0.02)


@pytest.mark.parametrize(
    "event", [w.Exit(at=2.0, seller="s"), w.Outage(at=2.0, seller="s", duration=9.0)]
)
def test_a_seller_that_is_gone_by_then_serves_nobody(event: Any) -> None:
    """Closed or failed while they talked: the buyer does without at the end of the talks."""
    row = one_task(lambda a, q: Award("s/default", after=3.0), events=[event])
    assert (row["status"], row["finish"], row["offer"]) == ("balked", 4.0, "outside")
    assert row["surplus"] == pytest.approx(-0.03)


def test_a_price_change_while_they_talk_counts_only_without_a_price_agreed() -> None:
    """Who agrees on the posted price pays the one posted when it joins."""
    change = w.PriceChange(at=2.0, seller="s", price=0.8)
    assert one_task(lambda a, q: Award("s/default", after=3.0), events=[change])["price"] == 0.8
    assert (
        one_task(lambda a, q: Award("s/default", 0.4, after=3.0), events=[change])["price"] == 0.4
    )


def test_what_ends_at_one_instant_ends_by_rank() -> None:
    """Talks end after the completion and before the arrival of their instant, first begun first."""

    def rule(ask: Ask, quotes: list[Quote]) -> Award:
        return Award("s/default", after={0.0: 0.0, 0.25: 0.75, 0.5: 0.5, 1.0: 0.0}[ask.time])

    task = w.TaskClass("k", w.Replay(times=[0.0, 0.25, 0.5, 1.0]), value=1.0)
    market = w.Market([task], [w.Seller("s", accuracy=1.0)], mechanism=rule)
    trades = w.run(market, until=20.0, record="trades").trades.sort_values("arrival")
    assert trades["start"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_a_visitor_waits_for_its_talks_too() -> None:
    """A submitted task's event fires at the answer, or when its talks have come to nothing."""

    def rule(ask: Ask, quotes: list[Quote]) -> Award:
        return Award("s/default" if ask.time < 5.0 else None, after=2.0)

    task = w.TaskClass("k", w.Replay(times=[500.0]), value=1.0)
    economy = Economy(w.Market([task], [w.Seller("s", accuracy=1.0)], mechanism=rule), 0)
    seen: list[tuple[float, str]] = []

    def visitor(number: int) -> Any:
        yield economy.clock.timeout(4.0 * number)
        outcome = yield economy.submit(Task("k", child=number))
        seen.append((economy.clock.now, outcome.status))

    for number in (1, 2):
        economy.clock.process(visitor(number))
    economy.advance(50.0)
    assert seen == [(4.0 + 2.0 + 1.0, "served"), (8.0 + 2.0, "balked")]


@pytest.mark.parametrize(
    ("award", "message"),
    [
        (Award("s/default", after=-1.0), "after -1; it must be from 0 to"),
        (Award("s/default", after=math.nan), "after nan; it must be from 0"),
        (Award("s/default", after="1 s"), 'after "1 s"; it must be a number, in seconds'),  # type: ignore[arg-type]
        (Award(None, after=1e30), "it must be from 0 to 1,000,000,000 s"),
    ],
)
def test_times_that_an_award_may_not_take(award: Award, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one_task(lambda a, q: award)


# --- quotes that look ahead ---------------------------------------------------------------------


def test_a_quote_looks_ahead_as_if_less_were_left_of_the_deadline() -> None:
    """After t it is that of a class due t earlier, less the delay; the market notices nothing."""

    def quoted(deadline: float, ahead: float) -> dict[float, Quote]:
        found: dict[float, Quote] = {}

        def rule(ask: Ask, quotes: list[Quote]) -> str:
            found[ask.time] = quotes[0].after(ahead)
            return "s/default"

        task = w.TaskClass("k", w.Replay(times=[0.0, 0.1, 0.2, 0.3]), value=1.0, loss=0.3,
                           output_tokens=w.Exponential(1.0), delay_cost=0.01, deadline=deadline,
                           lateness=w.Linear(1.0))  # fmt: skip
        one = w.Seller("s", accuracy=0.9, slots=2, price=w.per_mtok(0.0, 2e5), refund_late=0.5,
                       cost=w.per_task(0.05))  # fmt: skip
        w.run(w.Market([task], [one], mechanism=rule), until=0.5)
        return found

    later, shorter = quoted(6.0, 2.5), quoted(3.5, 0.0)
    assert len(later) == 4
    for time, quote in later.items():
        like = shorter[time]
        assert quote.utility == pytest.approx(like.utility - 0.025, abs=1e-3)
        assert quote.worth == pytest.approx(like.worth - 0.025, abs=1e-3)
        for name in ("on_time", "billed", "served", "time", "cost"):
            assert getattr(quote, name) == pytest.approx(getattr(like, name), abs=1e-3)
        assert quote.at(quote.ask) == pytest.approx(quote.worth - quote.billed * quote.ask)


def test_looking_ahead_changes_nothing() -> None:
    """The same run with a rule that looks and one that does not."""

    def rule(looks: bool) -> Any:
        def choose(ask: Ask, quotes: list[Quote]) -> str | None:
            if looks:
                for quote in quotes:
                    quote.after(1.5)
            best = max(quotes, key=lambda q: q.utility, default=None)
            return best.offer if best and best.utility > 0.0 else None

        return choose

    digests = {w.run(busy_market(mechanism=rule(x)), until=60.0).digest for x in (False, True)}
    assert len(digests) == 1


def test_only_the_rule_that_is_asked_looks_ahead() -> None:
    """A quote that was kept, or made by hand, knows no more than it says."""
    kept: list[Quote] = []

    def rule(ask: Ask, quotes: list[Quote]) -> str:
        kept.append(quotes[0])
        return "s/default"

    row = one_task(rule, task={"deadline": 9.0})
    assert row["status"] == "served"
    with pytest.raises(ValueError, match="only while the rule is asked"):
        kept[0].after(1.0)
    with pytest.raises(ValueError, match="only a quote that the market has made"):
        Quote("s/x", "s", "s", "x", 0.5, 0.5, 0.0, 1.0, 1.0, 1.0, 1.0).after(1.0)
    with pytest.raises(ValueError, match="it must be from 0 to"):
        one_task(lambda a, q: q[0].after(-1.0), task={"deadline": 9.0})


def test_both_sides_terms_are_what_comes_of_them() -> None:
    """`cost` and `billed` are the means of what is paid; 2,000 tasks, five standard errors.

    Right with .8 and refunded otherwise; the cost factor is the owner's own, uniform on [.5, 1.5].
    """
    seen: dict[int, Quote] = {}

    def rule(ask: Ask, quotes: list[Quote]) -> Award:
        seen[ask.id] = quotes[0]
        return Award("s/default", 0.3)

    task = w.TaskClass("k", w.Poisson(10.0), value=1.0)
    one = w.Seller("s", accuracy=0.8, slots="unlimited", price=w.per_task(0.5), refund_wrong=1.0,
                   cost=w.per_task(0.1), cost_factor=w.Uniform(0.5, 1.5))  # fmt: skip
    trades = w.run(w.Market([task], [one], mechanism=rule), until=200.0, record="trades").trades
    assert len(trades) > 1800
    for _, row in trades.iterrows():
        assert seen[int(row["id"])].cost == pytest.approx(row["cost"], abs=1e-9)
    paid = (trades["price"] - trades["refund"]).mean()
    assert paid == pytest.approx(0.8 * 0.3, abs=5 * 0.3 * 0.4 / math.sqrt(len(trades)))
    assert {q.billed for q in seen.values()} == {0.8}


# --- conservation and determinism ---------------------------------------------------------------


def test_tasks_are_conserved_while_they_are_talked_about() -> None:
    """Arrived = served + reneged + balked + failed + queued + in service + in talks, each epoch."""
    economy = Economy(busy_market(mechanism=CONCESSION), seed=0)
    engine, ended, most = economy.engine, 0, 0
    for end in range(5, 905, 5):
        economy.advance(float(end))
        state = engine.state
        ended += int(state.stats["assigned"][:, -1].sum())
        ended += int(sum(state.stats[n].sum() for n in ("served", "reneged", "failed")))
        economy.forget()
        talking = int((state.tasks["state"] == CALLING).sum())
        assert talking == state.clock[0]["calling"]
        assert int(state.clock[0]["tasks"]) == ended + engine.in_system()
        most = max(most, talking)
    assert most > 5
    assert state.ledger.sum() == 0


_PROGRAM = """
import walras as w
from tests.test_books import busy_market
from tests.test_talks import CONCESSION
for mechanism in (CONCESSION, w.Negotiation()):
    print(w.run(busy_market(mechanism=mechanism), until=60.0, seed=11).digest)
"""


def test_the_digest_is_the_same_again_elsewhere_and_without_the_compiler() -> None:
    here = [
        w.run(busy_market(mechanism=m), until=60.0, seed=11).digest
        for m in (CONCESSION, w.Negotiation(), CONCESSION, w.Negotiation())
    ]
    assert here[:2] == here[2:]
    assert here[0] != here[1]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.stdout.split() == here[:2]


# --- negotiation on the market ------------------------------------------------------------------


def test_both_sides_gain_by_every_agreement() -> None:
    """In expectation, as they agree: with commission, refunds, penalties and tastes."""
    market = busy_market(mechanism=CONCESSION)
    for mechanism in (CONCESSION, w.Negotiation(round_time=0.4), w.Negotiation(first="seller")):
        economy = Economy(market.model_copy(update={"mechanism": mechanism}), seed=3)
        agreed = 0
        negotiate = economy.clock.rules[0]

        def witness(ask: Ask, quotes: list[Quote]) -> Any:
            nonlocal agreed
            award = negotiate(ask, quotes)  # noqa: B023
            assert isinstance(award, Award)
            if award.offer is not None:
                (quote,) = (q for q in quotes if q.offer == award.offer)
                then, price = quote.after(award.after), award.price
                assert price is not None
                lost = ask.delay_cost * award.after
                assert then.at(price) >= ask.outside - lost - 1e-12
                kept = then.billed * (1.0 - market.platform.commission)
                assert kept * price >= then.cost - 1e-12
                assert price <= max(then.ask, then.cost / kept) + 1e-12
                agreed += 1
            return award

        economy.clock.rules = dict.fromkeys(economy.clock.rules, witness)
        economy.advance(100.0)
        assert agreed > 100


def real_time(round_time: float, bargaining: str) -> w.Market:
    """Return phrases due in 3 s, spoken in .5 s on average, and reports due in an hour."""
    phrase = w.TaskClass("phrase", w.Poisson(2.0), output_tokens=w.Exponential(0.5), value=1.0,
                         deadline=3.0)  # fmt: skip
    report = w.TaskClass("report", w.Poisson(0.2), output_tokens=1.0, value=1.0, deadline=3600.0)
    sellers = [
        w.Seller(n, accuracy=0.95, slots="unlimited", price=w.per_task(p), cost=w.per_task(0.1))
        for n, p in (("a", 0.6), ("b", 0.7))
    ]
    mechanism = w.Negotiation(bargaining=bargaining, round_time=round_time)
    return w.Market([phrase, report], sellers, mechanism=mechanism)


def lost_phrases(round_time: float, bargaining: str) -> float:
    """Return the share of phrases that come too late or to nothing; reports never do."""
    market = real_time(round_time, bargaining)
    trades = w.run(market, until=600.0, seed=2, record="trades").trades
    phrases = trades[trades["task"].astype(str) == "phrase"]
    reports = trades[trades["task"].astype(str) == "report"]
    assert len(phrases) > 1000
    assert (reports["status"] == "served").all()
    assert not reports["late"].any()
    return float(((phrases["status"] != "served") | phrases["late"]).mean())


def test_negotiating_is_too_slow_for_real_time_work() -> None:
    """Of 3 s, one round of h leaves 3 − h for an exponential answer of mean .5: e^(−2(3 − h)) late.

    About 1,200 phrases: within 5 standard errors. At 3 s nothing is left and nobody talks.
    """
    for h in (0.0, 1.0, 2.0, 2.5):
        late = math.exp(-2.0 * (3.0 - h))
        error = 5.0 * math.sqrt(late * (1.0 - late) / 1100)
        assert abs(lost_phrases(h, "rubinstein") - late) < error
    assert lost_phrases(3.0, "rubinstein") == 1.0


def test_haggling_is_slower_still() -> None:
    """Some six rounds of .45 s take most of the time; of 1.6 s the second comes too late."""
    quick, slow, hopeless = (lost_phrases(h, "concession") for h in (0.05, 0.45, 1.6))
    assert quick < 0.02
    assert slow > 0.3
    assert hopeless == 1.0


def test_owners_are_approached_from_the_best_posted_price_down() -> None:
    """One offer an owner, taste included; the first with whom the buyer agrees serves."""
    seen: list[list[str]] = []
    from walras.agents.negotiation import talks

    def quote(offer: str, owner: str, utility: float) -> Quote:
        seller, effort = offer.split("/")
        return Quote(offer, seller, owner, effort, 0.5, utility, 0.0, 1.0, 1.0, 1.0, 1.0)

    quotes = [quote("a/x", "one", 0.1), quote("a/y", "one", 0.4), quote("b/x", "two", 0.3),
              quote("c/x", "three", 0.5), quote("d/x", "one", 0.45)]  # fmt: skip
    ask = Ask(7, "k", 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, math.inf)
    assert [q.offer for q in talks.approached(ask, quotes)] == ["c/x", "d/x", "b/x"]
    tied = [quote(f"{n}/x", n, 0.5) for n in "abcd"]
    for id_ in range(200):
        ask = Ask(id_, "k", 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, math.inf)
        order = [q.offer for q in talks.approached(ask, tied)]
        assert order == [q.offer for q in talks.approached(ask, tied[::-1])]
        seen.append(order)
    first = np.array([order[0] for order in seen])
    assert all(25 <= (first == f"{n}/x").sum() <= 80 for n in "abcd")  # 50 ± 5 standard errors


def test_talks_that_fail_go_on_with_the_next() -> None:
    """The dear one's cost is above the worth: all its rounds are spent, then the other sells."""
    task = w.TaskClass("k", w.Replay(times=[0.0]), value=1.0)
    dear = w.Seller("dear", accuracy=1.0, price=w.per_task(1.5), cost=w.per_task(1.1))
    sound = w.Seller("sound", accuracy=1.0, price=w.per_task(2.0), cost=w.per_task(0.2))
    rules = w.Concession(buyer=w.Tactic(rounds=6), seller=w.Tactic(rounds=8))
    market = w.Market([task], [dear, sound], mechanism=w.Negotiation(bargaining=rules))
    row = w.run(market, until=50.0, record="trades").trades.iloc[0]
    assert row["offer"] == "sound/default"
    assert 6.0 < row["start"] <= 12.0
    alone = w.run(w.Market([task], [dear], mechanism=w.Negotiation(bargaining=rules)), until=50.0,
                  record="trades").trades.iloc[0]  # fmt: skip
    assert (alone["status"], alone["finish"]) == ("balked", 6.0)


def test_captive_buyers_pay_the_posted_price_at_most() -> None:
    """They may not do without, so nothing but the posted price protects them."""
    for mechanism in (w.Negotiation(first="seller"), w.Negotiation(bargaining="concession")):
        row = one_task(mechanism, task={"outside_option": False, "value": 0.0})
        assert row["status"] == "served"
        assert 0.0 <= row["price"] <= 0.5


def test_a_file_and_the_command_line_can_name_it() -> None:
    """`--set mechanism=negotiation`, and to TOML and back."""
    market = w.load("mm1", ["mechanism=negotiation", "run.until=60", "run.warmup=0"])
    assert market.mechanism == w.Negotiation()
    assert w.run(market, until=60.0).summary() is not None
    market = w.load("negotiation", [
        "mechanism.bargaining={kind = 'concession'}", "mechanism.bargaining.buyer.beta=0.2",
        "mechanism.first=seller", "mechanism.round_time=200 ms",
    ])  # fmt: skip
    assert market.mechanism == w.Negotiation(
        bargaining=w.Concession(buyer=w.Tactic(beta=0.2)), first="seller", round_time=0.2
    )
    assert w.from_toml(w.to_toml(market)) == market
    assert w.from_toml(w.to_toml(market, resolved=False)) == market


# --- against the oracle -------------------------------------------------------------------------


def talk_time(id_: int) -> float:
    """Return how long a task is talked about: one of three in no time, others up to 3 s."""
    return 0.0 if id_ % 3 == 0 else (id_ % 1009) / 336.0


class Talking(Simulation):
    """The oracle with talks: buyers choose among posted prices, and join some time later."""

    def arrive(self, task: Any) -> None:
        """Let a buyer choose now; what it has chosen comes true later."""
        k, now = task.kind, self.calendar.now
        beliefs = self.beliefs[k]
        score: Any = beliefs.worth(
            task.value, task.delay_cost, task.deadline, task.patience, task.input, task.output,
            self.tails[task.row], task.alone,
        )  # fmt: skip
        if self.logit[k]:
            score = [a + b for a, b in zip(score, self.taste[task.row], strict=True)]
        if beliefs.spec.consideration is not None:
            score = self.limit(beliefs, task, score)
        names = self.market.offers
        o = max(range(len(score)), key=lambda j: (score[j], names[j]))  # of twins, one by name
        if score[o] < 0.0:
            o = -1
        self.in_system += 1
        pause = talk_time(task.id)
        if pause > task.patience:  # it would not wait so long
            pause, o = task.patience, -1
        if pause == 0.0:
            self.come_true(task, o)
        else:
            self.calendar.process(self.talk(task, o, now + pause))

    def talk(self, task: Any, o: int, until: float) -> Any:
        """Talk until then."""
        yield self.calendar.at(until, AGENT, 1 << 60)
        self.come_true(task, o)

    def come_true(self, task: Any, o: int) -> None:
        """Let a task join the seller that was chosen, if it is there."""
        k, now = task.kind, self.calendar.now
        beliefs = self.beliefs[k]
        if o >= 0:
            station = self.stations[self.terms[o].seller]
            if not station.listed or station.down:
                o = -1
        if o < 0:
            self.in_system -= 1
            task.taste = self.outside[task.row] if beliefs.spec.outside_option else 0.0
            self.choices.append(Choice(task.id, -1, 0.0, 0.0))
            lost = task.delay_cost * (now - task.time)
            self.trades.append(Trade(
                task.id, k, -1, 1, False, False, task.time, math.nan, now, math.nan, math.nan,
                0, 0, 0, 0, 0, 0, task.taste, 0.0, task.taste - lost,
            ))  # fmt: skip
            if task.ended is not None:
                task.ended.succeed()
            return
        terms = self.terms[o]
        task.joined = now
        task.factor = upper(terms.spec.cost_factor, self.tails[task.row][terms.seller])
        if terms.spec.promise is not None:
            task.promise = terms.spec.promise
        billed = terms.billed(task.output)
        task.price = charge(terms.price, task.input, billed)
        task.offer, task.cell = o, k * len(self.terms) + o
        task.taste = float(self.taste[task.row][o])
        task.work = task.left = task.input * terms.prefill + billed
        self.choices.append(Choice(task.id, o, task.price, 0.0))
        station.join(task, beliefs.spec.priority)


def best_after_talks(ask: Ask, quotes: list[Quote]) -> Award:
    """Take the best offer at posted prices, after talks."""
    best = max(quotes, key=lambda quote: (quote.utility, quote.offer), default=None)
    after = talk_time(ask.id)
    return Award(None if best is None or best.utility < 0.0 else best.offer, after=after)


def with_talks(seed: int) -> Market:
    """Return a random market of the oracle's tests in which each choice takes its time."""
    return random_market(seed, grid=False).model_copy(update={"mechanism": best_after_talks})


def kernel_with_talks(market: Market, seed: int) -> tuple[Kernel, Any, Any]:
    """Return a run on the clock, its draws and the tables before it began."""
    found: list[Any] = []
    economy = Economy(market, seed, keep=found.append)
    draws = draw_tables(economy.engine, SPAN)
    tables = economy.engine.state._replace(cells=economy.engine.state.cells.copy())
    economy.advance(SPAN)
    economy.engine.flush()
    return rows_of(economy.engine, found), draws, tables


def talks_differ(seed: int, slip: float = 0.0) -> str | None:
    """Return the first difference between clock and oracle in a market with talks."""
    market = with_talks(seed)
    kernel, draws, tables = kernel_with_talks(market, seed)
    events = [event for event in agent_events(market) if event.time < SPAN]
    oracle = Talking(market, tables, draws, events)
    oracle.run(SPAN)
    if len(kernel.rows) != len(oracle.trades):
        return f"{len(kernel.rows)} trades and {len(oracle.trades)}"
    for row, trade in zip(kernel.rows, oracle.trades, strict=True):
        for name in Trade._fields:
            a, b = float(row[name]), float(getattr(trade, name))
            exact = name in ("id", "kind", "offer", "status", "right", "late", "price", "refund")
            if name == "utility":
                continue
            if not (a == b if exact else np.isclose(a, b + slip, 1e-9, 1e-9, equal_nan=True)):
                return f"task {trade.id}, {name}: {a} and {b}"
    if kernel.engine.in_system() != oracle.in_system:
        return f"in the system: {kernel.engine.in_system()} and {oracle.in_system}"
    return None


@pytest.mark.parametrize("chunk", range(4))
def test_talks_equal_the_oracle(chunk: int) -> None:
    """Queues, disciplines, outages, patience, closed users: event for event, with talks between."""
    found = {seed: talks_differ(seed) for seed in range(10 * chunk, 10 * chunk + 10)}
    assert {seed: what for seed, what in found.items() if what} == {}


def test_the_comparison_notices_talks_that_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutants: talks that take half their time; a closed seller serves."""
    seeds = range(6)
    with monkeypatch.context() as patch:
        patch.setattr(Clock, "_talk", lambda self, i, s, *rest: TALK(self, i, 0.5 * s, *rest))
        assert any(talks_differ(seed) for seed in seeds)
    with monkeypatch.context() as patch:
        patch.setattr("walras.market.clock.is_open", lambda st, o: True)
        assert any(talks_differ(seed) for seed in range(40))


TALK = Clock._talk


def test_the_kernel_is_as_it_was() -> None:
    """It knows nothing of negotiation: no name of it is in the kernel's text."""
    from walras.market import kernel

    assert kernel.__file__ is not None
    text = Path(kernel.__file__).read_text("utf-8").lower()
    assert "negotiat" not in text
    assert "talk" not in text
    assert Engine.advance.__doc__ is not None
