"""The told tasks of each mechanism are as they were: a changed rule shows as a changed text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import walras as w
from walras.market.engine import Engine

from .golden_markets import FOLDER, MARKETS, TASKS, market, told


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
    result = w.run(MARKETS[name], seed=1, record="trades")
    first = result.trades.sort_values(["arrival", "id"]).head(TASKS)
    text = w.follow(MARKETS[name], TASKS, seed=1)
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
