"""Markets written in Python: how parts are given, that they stay as they are, what errors say."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.scenarios.load import check

ASK = w.TaskClass("ask", w.Poisson(1.0), value=1.0)
ONE = w.Seller("one", accuracy=0.9, effort={"low": 0, "high": 100})


def market(**changes: Any) -> w.Market:
    return w.Market([ASK], [ONE], **changes)


# --- by position and by name -------------------------------------------------------------------


def test_what_must_be_given_may_stand_first() -> None:
    assert w.TaskClass("ask", w.Poisson(1.0)) == w.TaskClass(name="ask", arrivals=w.Poisson(rate=1))
    assert w.LogNormal(60, cv=0.5) == w.LogNormal(60, 0.5)
    assert w.ScoringAuction("second_score") == w.ScoringAuction()
    assert w.Outage(1, "one", 2).duration == 2
    assert w.Market([ASK], [ONE]) == w.Market(tasks=[ASK], sellers=[ONE])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: w.TaskClass("ask", w.Poisson(1), 100), "only name, arrivals by position"),
        (lambda: w.Seller("one", "me"), "only name by position"),
        (lambda: w.Rates(1.1, 4.4), "nothing by position"),
        (lambda: w.Logit(0.1, 0.5), "only scale by position"),
        (lambda: w.LogNormal(60, 0.5, mean=3), "mean given twice"),
    ],
)
def test_what_may_be_left_out_goes_by_name(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        make()


# --- specs are values --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.tasks.append(ASK),
        lambda m: m.sellers[0].effort.update(low=1),
        lambda m: m.sellers[0].effort.__setitem__("low", 1),
        lambda m: m.sellers[0].accuracy.pop("*"),
        lambda m: m.sellers[0].accuracy.clear(),
        lambda m: setattr(m, "name", "other"),
        lambda m: delattr(m.run, "until"),
    ],
)
def test_a_spec_cannot_be_changed(change: Callable[[w.Market], Any]) -> None:
    mine = market()
    with pytest.raises((AttributeError, TypeError), match=r"cannot be changed|no attribute"):
        change(mine)
    assert mine == market()


def test_what_a_spec_was_made_of_may_change() -> None:
    """The list and the table that were given are copied."""
    tasks, effort = [ASK], {"low": 0.0}
    mine = w.Market(tasks, [w.Seller("one", effort=effort)])
    before = hash(mine)
    tasks.append(w.TaskClass("more", w.Poisson(1)))
    effort["high"] = 3.0
    assert mine.offers == ["one/low"]
    assert len(mine.tasks) == 1
    assert hash(mine) == before


def test_specs_are_equal_by_value_and_can_be_keys() -> None:
    task = w.TaskClass("ask", w.Poisson(1), value=w.Constant(1))
    again = w.Market([task], [w.Seller("one", accuracy={"*": 0.9}, effort={"high": 100, "low": 0})])
    assert len({market(), again}) == 1
    assert market() != market(name="other")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])  # noqa: S301
def test_copies_stay_as_they_are(duplicate: Callable[[w.Market], w.Market]) -> None:
    again = duplicate(market())
    assert again == market()
    with pytest.raises(TypeError):
        again.sellers[0].effort["low"] = 1.0  # type: ignore[index]


def test_arrays_are_lists() -> None:
    assert w.Replay(times=np.array([0.0, 1.5])).times == (0.0, 1.5)


def test_times_are_sorted_with_their_sizes() -> None:
    """As the rows of a file are."""
    replay = w.Replay(times=[3.0, 1.0, 2.0], input_tokens=[30, 10, 20])
    assert replay.times == (1.0, 2.0, 3.0)
    assert replay.input_tokens == (10.0, 20.0, 30.0)
    assert replay.mean_rate == 1.5


def test_a_market_made_in_python_has_its_warnings() -> None:
    """What `walras validate` says of a file."""
    found = {p.code: p.severity for p in w.lint(market(catalogue="march-2026"))}
    assert found["W217"] == "warning"


# --- errors ------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "out of range": (
        lambda: w.Seller("a", speed=-1),
        ["error[W103]: speed -1 is out of range", '--> Seller "a"', "tokens per second", "above 0"],
    ),
    "unknown": (
        lambda: w.TaskClass("t", w.Poisson(1), dedline=3),
        ["unknown key `dedline`", "did you mean `deadline`?", '--> TaskClass "t"'],
    ),
    "of a part": (lambda: w.Seller("a", theta=1), ["`theta` belongs to ability"]),
    "missing": (w.Poisson, ["`rate` is missing", "tasks per second"]),
    "no arrivals": (
        lambda: w.TaskClass("t", arrivals=3),
        ["arrivals 3 is not Poisson or MMPP or", "one of poisson, mmpp,"],
    ),
    "no rates": (lambda: w.Seller("a", price=3), ["price 3 is not Rates", "input, output, task"]),
    "a word": (
        lambda: w.TaskClass("t", w.Poisson(1), choice="lojit"),
        ["did you mean `logit`?", "one of argmax, logit"],
    ),
    "inside": (
        lambda: w.Seller("a", price={"output": -1, "inptu": 2}),
        ["price.output -1 is out of range", "USD per million tokens", "did you mean `input`?"],
    ),
    "empty": (
        lambda: w.Market(tasks=[], sellers=[]),
        ["tasks is empty", "1 to 64 entries", "sellers is empty", "--> Market"],
    ),
    "not a list": (
        lambda: w.Market(tasks=ASK, sellers=[ONE]), ["is not a list of TaskClass"],
    ),
    "a set": (lambda: w.MMPP({1, 2}, [1, 2]), ["rates", "is not a list", "2 to 16 entries"]),
    "mixed up": (
        lambda: w.Market(tasks=[ONE], sellers=[ASK]), ["is not TaskClass", "is not Seller"],
    ),
    "no strategy": (
        lambda: w.Seller("a", pricing=w.Poisson(1)), ["pricing: not a strategy; give its name"],
    ),
    "a number as strategy": (lambda: w.Seller("a", pricing=3), ["pricing: not a strategy"]),
    "ends the wrong way round": (
        lambda: w.TaskClass("t", w.Poisson(1), deadline=w.Uniform(5, 3)), ["high 3 is below low 5"],
    ),
    "ends in a table": (
        lambda: w.TaskClass("t", w.Poisson(1), deadline={"kind": "uniform", "low": 5, "high": 3}),
        ["[W106]", "deadline.high 3 is below low 5", "unit: seconds", "allowed: 0 to 1e+12"],
    ),
    "nobody thinks": (
        lambda: w.Closed(3, think_time=0), ["think_time must have a mean above 0 s"],
    ),
    "nobody thinks, in a table": (
        lambda: w.TaskClass("t", {"kind": "closed", "users": 3, "think_time": 0}),
        ["arrivals.think_time must have a mean", "field: arrivals.think_time", "unit: seconds"],
    ),
    "no rate": (
        lambda: w.TaskClass("t", {"kind": "mmpp", "rates": [0, 0], "dwell": [1, 1]}),
        ["arrivals.rates must be 0 to 1e7", "unit: tasks per second"],
    ),
    "a warm-up's unit": (
        lambda: market(run={"until": 3, "warmup": 3}),
        ["run.warmup (3 s)", "unit: seconds; allowed: 0 or more"],
    ),
    "too many slots": (
        lambda: w.Seller("a", slots=1e9), ["slots 1000000000 is no whole number up to 1,000,000"],
    ),
    "the name of an effort": (
        lambda: w.Seller("a", effort={"a/b": 3}), ["`a/b` is not a name", "1 to 64 letters"],
    ),
    "contradiction": (
        lambda: market(run=w.Run(until=3, warmup=3)), ["run.warmup (3 s) must be shorter"],
    ),
    "too many epochs": (
        lambda: market(run={"until": "1 d", "epoch": 1e-3}), ["more than 1,000,000 epochs"],
    ),
    "not finite": (lambda: w.Poisson(float("nan")), ["error[W108]: rate nan is not a finite"]),
    "too large": (lambda: w.Run(until=10**400), ["error[W103]: until a number of hundreds"]),
    "a NUL": (lambda: market(question="\0"), ["question: holds a NUL character"]),
    "a duration": (
        lambda: w.run(market(), until="six hours"), ['until: "six hours" is not a duration'],
    ),
    "negative time": (lambda: w.run(market(), until=-1), ["until -1 is out of range", "seconds"]),
    "a name": (lambda: w.run("marketplac"), ["did you mean `marketplace`?"]),
    "a strategy's name": (
        lambda: w.run(w.Market([ASK], [w.Seller("a", pricing="undrcut")]), until=1),
        ["W116", "did you mean `undercut`?"],
    ),
    "a changed copy": (
        lambda: ONE.model_copy(update={"speed": -3.0}),
        ["speed -3 is out of range", 'Seller "one"'],
    ),
    "a copy that contradicts itself": (
        lambda: market().model_copy(update={"run": {"until": 3, "warmup": 3}}),
        ["run.warmup (3 s) must be shorter"],
    ),
    "a class as mechanism": (
        lambda: market(mechanism=w.ScoringAuction),
        ["mechanism: ScoringAuction is a class; write ScoringAuction("],
    ),
    "a class as choice": (
        lambda: w.TaskClass("t", w.Poisson(1), choice=w.Argmax), ["Argmax is a class"],
    ),
    "a class as strategy": (
        lambda: w.Seller("a", pricing=w.Undercut), ["pricing: Undercut is a class"],
    ),
    "a strategy as mechanism": (
        lambda: market(mechanism=w.Fixed()), ["Fixed is a seller's strategy", "Seller(pricing="],
    ),
    "a high fixed price": (lambda: w.Fixed(price=1e30), ["price 1e+30 is out of range"]),
    "a trace that is not there": (
        lambda: w.run(w.Market([w.TaskClass("t", w.Replay(file="none.csv"))], [ONE])),
        ["error[W110]", 'task "t": arrivals.file "none.csv" is not there', "WALRAS_DATA"],
    ),
    "a strategy's parameter": (lambda: w.Undercut(flor=1), ["did you mean `floor`?"]),
}  # fmt: skip


@pytest.mark.parametrize("about", WRONG)
def test_errors_say_field_unit_range_and_remedy(about: str) -> None:
    make, words = WRONG[about]
    with pytest.raises(w.BadInputError) as caught:
        make()
    told = str(caught.value)
    assert [word for word in words if word not in told] == []
    assert "pydantic" not in told
    assert "Input should" not in told
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_python_and_files_say_the_same() -> None:
    """Field, unit, range and example come from one place."""
    (file,) = check(
        '[[tasks]]\nname = "a"\narrivals = {kind = "poisson", rate = 1}\n'
        '[[sellers]]\nname = "b"\nspeed = -1\n'
    ).problems
    with pytest.raises(w.BadInputError) as caught:
        w.Seller("b", speed=-1)
    (python,) = caught.value.problems
    assert (python.code, python.unit, python.allowed, python.example) == (
        file.code, file.unit, file.allowed, file.example,
    )  # fmt: skip


def test_all_errors_of_nested_tables_come_at_once() -> None:
    """Parts given as tables are checked together with what is around them."""
    with pytest.raises(w.BadInputError) as caught:
        w.Market(tasks=({"name": "t", "arrivals": {"kind": "poisson", "rate": -1}, "value": "x"},),
                 sellers=[{"name": "a", "speed": 0}])  # fmt: skip
    assert [p.field for p in caught.value.problems] == [
        "tasks.t.arrivals.rate", "tasks.t.value", "sellers.a.speed",
    ]  # fmt: skip


# --- running -----------------------------------------------------------------------------------


def test_a_scenario_runs_by_name_and_by_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(w.to_toml(w.load("mm1")), "utf-8")
    by_name = w.run("mm1", until=100, warmup=0)
    assert by_name.market.name == "mm1"
    assert w.run(tmp_path / "mine.toml", until=100, warmup=0).digest == by_name.digest


def test_overrides_may_be_one_text() -> None:
    assert w.load("mm1", "run.until=99 d") == w.load("mm1", ["run.until=99 d"])


def test_a_trace_is_found_where_files_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside, or in the folder that WALRAS_DATA names; the result keeps the name given."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "trace.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n0,1,1\n5,1,1\n")
    mine = w.Market([w.TaskClass("t", w.Replay(file="trace.csv"), value=1.0)], [ONE])
    monkeypatch.setenv("WALRAS_DATA", str(folder))
    found = w.run(mine, until=10.0, base=tmp_path)
    assert found.market.tasks == mine.tasks
    monkeypatch.delenv("WALRAS_DATA")
    assert w.run(mine, until=10.0, base=folder).digest == found.digest
    with pytest.raises(w.BadInputError, match="W110"):
        w.run(mine, until=10.0, base=tmp_path)


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), "2", True])
def test_an_amount_of_money_is_a_finite_number(amount: Any) -> None:
    with pytest.raises(ValueError, match="usd takes a finite number"):
        w.usd(amount)


@pytest.mark.parametrize("price", [1e30, float("nan"), -1.0])
def test_no_price_is_beyond_what_a_spec_allows(price: float) -> None:
    """Whether a strategy answers it or a process sets it."""
    bold = w.Seller("bold", pricing=lambda me, rivals, rng: price, price=w.per_task(1.0))
    with pytest.raises(ValueError, match=r"it must be a number from 0 to 1,000,000, in USD/task"):
        w.run(w.Market([ASK], [bold]), until="1 h")
    with pytest.raises(ValueError, match="it must be from 0 to 1,000,000 USD"):
        w.Economy(market(), seed=1).seller("one").set_prices(price)


@pytest.mark.parametrize("seed", [-1, 1.5, True, 2**63])
def test_the_seed_of_an_economy_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ValueError, match=r"seed is .*; it must be a whole number from"):
        w.Economy(market(), seed=seed)


def test_an_economy_is_made_of_a_market() -> None:
    with pytest.raises(TypeError, match='market is "mm1"; give a Market'):
        w.Economy("mm1", seed=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("until", [float("nan"), float("inf"), 1.0])
def test_an_economy_advances_to_a_time_that_comes(until: float) -> None:
    economy = w.Economy(market(), seed=1)
    economy.advance(2.0)
    economy.advance(2.0)
    with pytest.raises(ValueError, match=r"until is .*; it must be finite and not before 2.0"):
        economy.advance(until)


@pytest.mark.parametrize("value", [-1, 1.0, "1", None, True, 2**63])
@pytest.mark.parametrize("name", ["seed", "reps"])
def test_seed_and_reps_are_whole_numbers(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*; it must be a whole number from"):
        w.run(market(), **{name: value})


@pytest.mark.parametrize("thing", [None, 3, ASK])
def test_what_is_no_market_is_not_run(thing: Any) -> None:
    with pytest.raises(TypeError, match="give a Market, or a scenario's name or file"):
        w.run(thing)
