"""The told tasks of each mechanism are as they were: a changed rule shows as a changed text."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import walras as w
from walras.market.engine import Engine
from walras.scenarios.story import short

from .golden_markets import FOLDER, MARKETS, TASKS, market, told


@cache
def rows_of(name: str) -> pd.DataFrame:
    """Return the trades of a plain run, in the order in which tasks came."""
    trades = w.run(MARKETS[name], seed=1, record="trades").trades
    return trades.sort_values(["arrival", "id"])


@pytest.mark.parametrize("name", MARKETS)
def test_the_tasks_are_told_as_before(name: str) -> None:
    """If a rule was meant to change: `python -m tests.golden_markets`, then read what changed."""
    kept = (FOLDER / f"{name}.txt").read_text("utf-8")
    assert told(name) == kept
    assert kept.count("\ntask ") == TASKS


def test_no_text_is_left_over() -> None:
    assert {p.stem for p in Path(FOLDER).glob("*.txt")} == set(MARKETS)


def test_a_text_tells_another_rule() -> None:
    """Mutant: a market without the reserve, or with another seed, reads differently."""
    kept = (FOLDER / "second_score.txt").read_text("utf-8")
    assert w.follow(market("second_score"), TASKS, seed=1) != kept
    assert w.follow(MARKETS["second_score"], TASKS, seed=2) != kept


@pytest.mark.parametrize("name", MARKETS)
def test_looking_changes_nothing(name: str) -> None:
    """The rows told are those of a plain run: prices, times, who pays whom."""
    first, text = rows_of(name).head(TASKS), told(name)
    offers = [o for o in first["offer"].astype(str) if o != "outside"]
    assert re.findall(r"takes +(\S+/\S+)", text) == offers
    paid = first[first["status"] == "served"]["price_nano"]
    assert [round(float(x) * 1e9) for x in re.findall(r"pay ([0-9.]+)", text)] == paid.tolist()


@pytest.mark.parametrize("name", ["posted_price", "first_score", "second_score"])
def test_the_scores_told_are_those_that_decide(name: str) -> None:
    """The best wins, doing without among them."""
    for block in told(name).split("\n\n")[1:]:
        lines = [line.removeprefix("  sees").strip() for line in block.splitlines()]
        table = [re.split(r" {2,}", line) for line in lines if re.match(r"\S+/\S+  ", line)]
        scores = {row[0]: float(row[2].replace("−", "-")) for row in table
                  if row[2] != "not entered"}  # fmt: skip
        won = re.search(r"takes +(\S+/\S+)", block)
        assert won
        assert scores[won[1]] == max(scores.values())
        assert len(scores) >= 3


def test_a_price_has_a_reason() -> None:
    """No price of these mechanisms is told “as agreed”: each is somebody's bid or score."""
    reasons = {name: set(re.findall(r"  takes .* (at what it \w+|at the bid of|the best of another "
                                    r"owner|the reserve|that of doing without)", told(name)))
               for name in MARKETS}  # fmt: skip
    assert {name for name in MARKETS if "as agreed" in told(name)} == {"rubinstein", "concession"}
    assert reasons["posted_price"] == {"at what it asks"}
    assert reasons["first_price"] == reasons["first_score"] == {"at what it bids"}
    assert "at the bid of" in reasons["vickrey"]
    assert {"the best of another owner", "the reserve"} <= reasons["second_score"]


def test_a_call_is_waited_for() -> None:
    """Bids that take half a second: nobody is served before, and the wait costs something."""
    text = told("vickrey")
    calls = re.findall(r"comes at ([0-9.]+) s\n.*\n  calls      for bids until ([0-9.]+) s, which "
                       r"costs 0.001", text)  # fmt: skip
    assert len(calls) == TASKS
    assert all(float(end) - float(start) == pytest.approx(0.5, abs=1e-3) for start, end in calls)


@pytest.mark.parametrize("name", ["rubinstein", "concession"])
def test_what_is_said_in_talks_is_what_happens(name: str) -> None:
    """The price of the last talk is the price paid, within both sides' limits, at its end."""
    text = told(name)
    last = re.findall(r"until ([0-9.]+) s.*\n +they agree on ([0-9.]+): its cost is ([0-9.]+), "
                      r"worth no more than ([0-9.]+)", text)  # fmt: skip
    began = re.findall(r"  served +from ([0-9.]+) s(, at once)?", text)
    paid = re.findall(r"pay ([0-9.]+)", text)
    assert len(last) == len(began) == len(paid) == TASKS
    for (until, price, least, most), (start, at_once), pay in zip(last, began, paid, strict=True):
        assert float(price) == pytest.approx(float(pay), rel=1e-5)
        assert float(least) < float(price) < float(most)
        assert (start == until) if at_once else float(start) > float(until)


@pytest.mark.parametrize("name", MARKETS)
def test_the_money_told_is_the_rows(name: str) -> None:
    """To the nano-dollar: what buyers pay, sellers keep, spend and gain, and the platform takes."""
    rows = rows_of(name)
    usd = {c: rows[f"{c}_nano"] for c in ("price", "refund", "penalty", "commission", "cost",
                                          "advertising")}  # fmt: skip
    net = usd["price"] - usd["refund"] - usd["penalty"]
    gain = net - usd["commission"] - usd["cost"] - usd["advertising"]
    share = usd["commission"] + usd["advertising"]
    blocks = told(name).split("\n\n")[1:]
    assert len(blocks) == TASKS
    for i, block in enumerate(blocks):
        if rows["status"].iloc[i] != "served":
            assert "pay nothing" in block
            assert "  sellers" not in block
            continue
        words = (r"gets (\S+), spends (\S+),(?: pays (\S+) for its position,)? gains ([^;\n]+)"
                 r"(?:; the platform (\S+))?")  # fmt: skip
        got, spent, paid, gained, kept = re.findall(words, block)[0]
        assert nano(re.findall(r"net ([^;]+);", block)[0]) == net.iloc[i]
        assert nano(got) == (net - usd["commission"]).iloc[i]
        assert nano(spent) == usd["cost"].iloc[i]
        assert nano(paid or "0") == usd["advertising"].iloc[i]
        assert nano(gained) == gain.iloc[i]
        assert nano(kept or "0") == share.iloc[i]


def nano(usd: str) -> int:
    """Return USD as told in whole nano-dollars."""
    return round(float(usd.replace("−", "-")) * 1e9)


def test_looks_are_told_as_they_are_taken_and_paid() -> None:
    """In descending order of scores; as many as are paid for; the best of them is bought.

    Told scores, tastes and reservation values obey Weitzman's rule: each that is looked at has a
    reservation value above the best found before, the next one has not.
    """
    rows = rows_of("listing")
    counts = set()
    for i, block in enumerate(told("listing").split("\n\n")[1:]):
        lines = [re.split(r" {2,}", line.removeprefix("  sees").strip())
                 for line in block.splitlines()]  # fmt: skip
        head = next(row for row in lines if row[0] == "offer")
        score, hoped = head.index("score"), head.index("reservation")
        offers = {row[0]: row for row in lines if row[0] != head[0] and "/" in row[0]
                  and len(row) == len(head)}  # fmt: skip
        assert len(offers) == 3
        looked = re.findall(r"at (\S+): a taste of \S+ makes it (\S+)", block)
        found = {offer: number(worth) for offer, worth in looked}
        order = sorted(offers, key=lambda o: -number(offers[o][score]))
        assert list(found) == order[: len(found)]
        best = number(re.findall(r"doing without +(\S+)", block)[0])
        for offer, value in found.items():
            assert number(offers[offer][hoped]) > best
            best = max(best, value)
        if len(found) < 3:
            assert number(offers[order[len(found)]][hoped]) <= best
        row = rows.iloc[i]
        assert row["search"] == pytest.approx(0.001 * len(found))
        assert f"{short(row['search'])} for looks taken off" in block
        if row["offer"] != "outside":
            assert found[str(row["offer"])] == best
            assert row["utility"] == pytest.approx(best - row["search"], abs=1e-6)
        counts.add(len(found))
    assert len(counts) > 1


def number(told: str) -> float:
    return float(told.replace("−", "-"))


def test_a_position_costs_what_the_next_bids() -> None:
    """Three sellers bid .012, .006 and .004: each pays the bid below its own, the last nothing."""
    text = told("listing")
    fees = {(seller, number(fee)) for seller, fee in re.findall(r"(\w+)/\w+ .* (\S+)\n", text)
            if re.fullmatch(r"[0-9.]+", fee)}  # fmt: skip
    assert fees == {("quick", 0.006), ("sound", 0.004), ("good", 0.0)}
    paid = re.findall(r"sellers +(\w+) .* pays (\S+) for its position", text)
    assert {(seller, number(fee)) for seller, fee in paid} <= fees
    assert {seller for seller, _ in paid} == {"quick", "sound"}


def test_who_talks_in_vain_is_told_why() -> None:
    """Both hold out: patience (10 s) ends the talk in its third round, or the last round does."""
    tactic = w.Tactic(beta=0.02, rounds=6)
    boulware = w.Concession(buyer=tactic, seller=tactic)
    block = w.follow(market(w.Negotiation(bargaining=boulware, round_time=4.0)), 1, seed=1)
    assert "until 19.2226 s: buyer offers 0; seller asks 0.04\n" in block
    assert "in vain: the buyer's patience is over" in block
    assert "nothing: no talk has led to an agreement in 10 s, which cost 0.02\n" in block
    hasty = w.Concession(buyer=tactic, seller=tactic.model_copy(update={"rounds": 3}))
    block = w.follow(market(w.Negotiation(bargaining=hasty, round_time=0.1)), 1, seed=1)
    assert "in vain, the last round is over: its cost is 0.0166667, worth no more than" in block
    assert block.count("in vain") == 3
    assert "nothing: no talk has led to an agreement in 0.9 s, which cost 0.0018\n" in block


def test_a_seller_that_goes_during_the_talks_is_told() -> None:
    """They agree on what it can no longer deliver: that, and no disagreement, is the reason."""
    slow = w.Negotiation(round_time=3, bargaining=w.Concession())
    usual = market(slow)
    task = usual.tasks[0].model_copy(update={"arrivals": w.Replay(times=[1.0]), "patience": "none"})
    gone = w.Market([task], [usual.sellers[0]], events=[w.Exit(seller="quick", at=2.0)],
                    run=w.Run(until=600.0), mechanism=slow)  # fmt: skip
    text = w.follow(gone, 1)
    assert "they agree on" in text
    assert "takes      nothing: quick was off the market when they agreed in " in text


def test_a_quota_is_told_as_it_is_used() -> None:
    """Nothing is asked while it lasts, and then a part of the price; other sellers ask theirs."""
    text = told("contracts")
    left = [float(x) for x in re.findall(r"with ([0-9.]+) tokens left", text)]
    asked = [float(x) for x in re.findall(r"good/low +([0-9.]+)", text)]
    assert len(left) == len(asked) == TASKS
    assert {ask == 0.0 for ask, tokens in zip(asked, left, strict=True) if tokens > 600} == {True}
    full = 200 * 20e-6 + 200 * 400e-6  # a mean task of 400 tokens, four fifths of it beyond
    short = [ask for ask, tokens in zip(asked, left, strict=True) if tokens < 400]
    assert short == pytest.approx([0.8 * full * (1 - left[-1] / 400)] * len(short), rel=1e-5)
    assert set(re.findall(r"quick/default +([0-9.]+)", text)) == {"0.04"}


def test_a_copy_of_the_market_goes_its_own_way() -> None:
    """However far it is run, past blocks of arrivals and full buffers, nothing changes here."""
    lively = MARKETS["second_score"].tasks[0].model_copy(update={"arrivals": w.Poisson(300)})
    mine = MARKETS["second_score"].model_copy(update={"tasks": [lively]})

    def done(look: bool) -> bytes:
        engine = Engine(mine, 1)
        engine.advance(100.0)
        if look:
            twin = engine.copy()
            twin.advance(200.0)
            assert twin.now > engine.now
        engine.advance(150.0)
        state = engine.state
        return bytes(state.stats.tobytes() + state.ledger.tobytes() + state.tasks["id"].tobytes())

    assert done(look=True) == done(look=False)


def all_leave(ask: w.Ask, quotes: list[w.Quote]) -> None:
    """Nobody gets anything."""


def half_price(ask: w.Ask, quotes: list[w.Quote]) -> w.Award | None:
    """The first on show, at half of what it asks."""
    return w.Award(quotes[0].offer, quotes[0].ask / 2) if quotes else None


def test_python_mechanisms_and_closed_populations_are_told_too() -> None:
    """Users who come back are followed like any others; so is who leaves and who does without."""
    told = w.follow(market(all_leave), 2)
    assert told.startswith("all_leave: a Python function\n")
    assert told.count("takes      nothing") == 2
    assert "as agreed" in w.follow(market(half_price), 2)
    users = w.TaskClass("chat", w.Closed(3, think_time=5), output_tokens=900, patience=4, value=1)
    slow = w.Seller("slow", accuracy=1.0, speed=60, slots=1, price=w.per_task(0.1))
    told = w.follow(w.Market([users], [slow]), 9, until="10 min")
    assert told.count("task ") == 9
    assert "reneged" in told
    assert "sees       offer" in told


def test_it_ends_with_the_run() -> None:
    """What has not ended by then is left out; bad arguments are errors."""
    assert w.follow(MARKETS["posted_price"], 5, until=1e-3).count("task ") == 0
    with pytest.raises(ValueError, match="tasks is 0"):
        w.follow(MARKETS["posted_price"], 0)
