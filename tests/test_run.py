"""Runs and results: arguments, replications, warm-up, sampling, folders."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.scenarios.run import epoch_edges, rep_seed

from .fake_result import unchecked
from .test_books import busy_market


def queue(**run: Any) -> w.Market:
    """Return M/M/1 at load 0.5."""
    ask = w.TaskClass(
        "k", w.Poisson(0.5), output_tokens=w.Exponential(1.0), value=1.0, outside_option=False
    )
    return w.Market(tasks=[ask], sellers=[w.Seller("s", accuracy=0.9, price=w.per_task(0.2))],
                    run=run)  # fmt: skip


def value(
    result: w.Result, metric: str, task: str = "all", offer: str = "all"
) -> tuple[float, float]:
    """Return a summary's figure and its standard error."""
    rows = result.summary()
    row = rows[(rows["task"] == task) & (rows["offer"] == offer) & (rows["metric"] == metric)]
    assert len(row) == 1
    return float(row["value"].iloc[0]), float(row["se"].iloc[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"record": "all"}, "record is"),
        ({"reps": 0}, "reps is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is"),
        ({"until": "soon"}, '"soon" is not a duration'),
        ({"until": 0}, "until .* is out of range"),
        ({"warmup": -1}, "warmup -1.* is out of range"),
        ({"until": 100, "warmup": 100}, r"run\.warmup \(100 s\) must be shorter"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    """Before anything runs."""
    with pytest.raises(ValueError, match=message):
        w.run(queue(), **arguments)


def test_the_last_epoch_may_be_shorter() -> None:
    """Epochs cover the run exactly."""
    assert epoch_edges(queue(until=100.0, epoch=30.0)).tolist() == [0, 30, 60, 90, 100]
    assert epoch_edges(queue(until=10.0, epoch=30.0)).tolist() == [0, 10]
    with pytest.raises(ValueError, match="epochs"):
        epoch_edges(queue(until=1e9, epoch=1e-2))


def test_summary_of_a_known_queue() -> None:
    """M/M/1 at load 0.5: wait 1, sojourn 2, utilisation 0.5; within 5 standard errors.

    False alarm 4e-5 for the three together (t with 19 degrees of freedom: 2.5e-4).
    """
    result = w.run(queue(until=400_000.0, warmup=20_000.0))
    for metric, offer, expected in (
        ("wait", "all", 1.0), ("sojourn", "all", 2.0), ("utilisation", "s", 0.5),
    ):  # fmt: skip
        got, se = value(result, metric, offer=offer)
        assert 0 < se < 0.05 * expected
        assert abs(got - expected) < 5 * se
    accuracy, se = value(result, "accuracy")
    assert abs(accuracy - 0.9) < 5 * se


def test_errors_come_from_replications_when_there_are_several() -> None:
    """Their size is that of the known variance of M/M/1 waits, not σ/√N."""
    result = w.run(queue(until=20_000.0, warmup=1_000.0, epoch=1_000.0), reps=40)
    _, se = value(result, "wait")
    rho, n = 0.5, 0.5 * 19_000 * 40
    known = math.sqrt(rho * (2 + 5 * rho - 4 * rho**2 + rho**3) / (1 - rho) ** 4 / n)
    assert known * 0.6 < se < known * 1.6, "chi with 39 degrees of freedom: false alarm < 1e-4"
    assert set(result.epochs["rep"]) == set(range(40))


def test_counts_are_per_replication_and_rare_offers_keep_their_ratios() -> None:
    """The table's counts divided by reps; a price where one replication of five has no sale."""
    result = w.run(queue(until=4.0), reps=5)
    by_rep = result.epochs.groupby("rep")[["served", "wait"]].sum()
    sold = by_rep["served"].reindex(range(5)).fillna(0)
    assert (sold == 0).any()
    served, se = value(result, "served")
    assert served == pytest.approx(sold.sum() / 5)
    assert se == pytest.approx(sold.std() / 5**0.5)
    price, error = value(result, "price")
    assert price == pytest.approx(0.2)
    assert error == pytest.approx(0.0, abs=1e-12)
    assert value(result, "wait")[0] == pytest.approx(by_rep["wait"].sum() / sold.sum())


def test_replications_share_no_stream() -> None:
    """Neither within a run nor between runs of neighbouring seeds."""
    seeds = [rep_seed(seed, rep) for seed in range(20) for rep in range(50)]
    assert len(set(seeds)) == len(seeds)
    result = w.run(queue(until=1_000.0), reps=3)
    totals = result.epochs.groupby("rep")["sojourn"].sum()
    assert totals.nunique() == 3


def test_a_replication_is_a_run_of_its_seed() -> None:
    """The first of several is the single run."""
    single, several = w.run(queue(until=500.0), seed=4), w.run(queue(until=500.0), seed=4, reps=2)
    first = several.epochs[several.epochs["rep"] == 0]
    assert first["sojourn"].tolist() == single.epochs["sojourn"].tolist()


def test_warmup_is_left_out_of_means() -> None:
    """A market that starts empty and is measured late waits longer than one measured whole."""
    market = queue(until=2_000.0, epoch=10.0)
    late, whole = w.run(market, warmup=1_985.0), w.run(market, warmup=0.0)
    assert value(late, "arrived")[0] < 20 < value(whole, "arrived")[0]
    assert late.latencies["count"].sum() < 20 < whole.latencies["count"].sum()
    assert late.epochs["epoch"].min() == 0, "the series itself is whole"


@pytest.mark.parametrize("at", [1_200.0, 1_206.0])
def test_a_price_stands_where_it_holds(at: float) -> None:
    """A change within an epoch shows from the next on; one at an epoch's start, in that epoch."""
    change = w.PriceChange(at=at, seller="s", price=0.5)
    market = queue(until=3600.0).model_copy(update={"events": (change,)})
    result = w.run(market)
    prices = result.prices.set_index("start")["price"]
    assert prices[prices.index < at].eq(0.2).all()
    assert prices[prices.index >= at].eq(0.5).all()
    asked = result.epochs[result.epochs["offer"] == "s/default"].set_index("start")["price"]
    assert asked.eq(prices.reindex(asked.index)).all()
    drawn = next(t for t in w.plot.price_paths(result).data if t.name == "s")
    first = drawn.x[np.flatnonzero(np.asarray(drawn.y) > 0.3)[0]] * 60
    assert first == pytest.approx(1206.0)


def test_latency_histogram_counts_every_answer() -> None:
    """Its quantiles are those of the trades, to the width of a bin."""
    result = w.run(queue(until=20_000.0), record="trades")
    served = result.trades[result.trades["status"] == "served"]["sojourn"]
    bins = result.latencies.sort_values("low")
    assert bins["count"].sum() == len(served)
    share = bins["count"].cumsum().to_numpy() / len(served)
    for low, high, below in zip(bins["low"], bins["high"], share, strict=True):
        assert low < high
        assert abs((served <= high).mean() - below) < 2e-3


def test_a_sample_of_trades_is_kept_when_not_all_are_asked_for() -> None:
    """It is keyed, so it is the same tasks under any price, and its share is stated."""
    market = queue(until=400_000.0)
    dearer = market.model_copy(update={"sellers": [w.Seller("s", accuracy=0.9, speed=1.01)]})
    a, b = w.run(market).trades, w.run(dearer).trades
    assert a.attrs["share"] == {"k": pytest.approx(0.1)}
    assert 18_000 < len(a) < 22_000
    common = set(a["id"]) & set(b["id"])
    assert len(common) > 0.99 * min(len(a), len(b))


def test_memory_stays_flat_when_trades_are_not_recorded() -> None:
    """The engine holds the same arrays after ten times the tasks."""
    from walras.agents.economy import Economy

    economy = Economy(queue(), seed=0, share=0.0)
    economy.advance(20_000.0)
    before = sum(np.asarray(a).nbytes for a in economy.engine.state)
    economy.advance(220_000.0)
    assert sum(np.asarray(a).nbytes for a in economy.engine.state) == before


@pytest.mark.parametrize("record", ["summary", "epochs", "trades"])
def test_a_folder_gives_the_result_back(tmp_path: Path, record: str) -> None:
    """Saved and loaded, the tables, units and digest are the same."""
    market = busy_market()
    result = w.run(market, until=200.0, seed=9, reps=2, record=record)
    folder = result.save(tmp_path / "run", command="walras run x")
    again = w.Result.load(folder)
    assert again.digest == result.digest
    assert again.manifest["command"] == "walras run x"
    assert again.market.model_copy(update={"run": market.run}) == market
    names = ["latencies", "trades", "accounts"] + (
        ["epochs", "sellers", "prices"] if record != "summary" else []
    )
    for name in names:
        a, b = getattr(result, name), getattr(again, name)
        assert a.attrs["units"] == b.attrs["units"]
        np.testing.assert_array_equal(a.to_numpy().astype(str), b.to_numpy().astype(str))
    assert (folder / "summary.parquet").exists()
    assert again.summary().equals(result.summary())


def test_a_result_is_one_line_and_a_small_table() -> None:
    """Not its tables one after the other; names cannot be markup."""
    result = w.run(busy_market(), until=200.0, seed=9, reps=2)
    result = replace(result, market=unchecked(result.market, {"name": "<b>"}))
    told = repr(result)
    assert told.startswith('<Result of "<b>": seed 9, 2 replications, ')
    assert told.endswith(f" tasks, digest {result.digest[:8]}>")
    assert len(told) < 100
    assert str(result) == told
    page = result._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert len(page) < 10_000
    assert all(task.name in page for task in result.market.tasks)


def test_the_command_of_a_saved_run_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run from Python has none until it is saved; then it runs the folder's own file."""
    from walras.cli import main

    seed = 2**40 + 5
    result = w.run(busy_market(), until=100.0, warmup=20.0, seed=seed, reps=2, record="trades")
    assert result.manifest["command"] == ""
    result.save(tmp_path / "a run")
    command = json.loads((tmp_path / "a run" / "manifest.json").read_text())["command"]
    program, *words = shlex.split(command)
    assert program == "walras"
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--quiet"]) == 0
    (again,) = (tmp_path / "runs").iterdir()
    assert w.Result.load(again).digest == result.digest
    assert w.Result.load(again).summary().equals(result.summary())


def test_a_run_of_a_trace_that_the_folder_cannot_find_has_no_command(tmp_path: Path) -> None:
    """A relative path was taken from a place that the folder does not know."""
    (tmp_path / "trace.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n0,1,1\n1,1,1\n")
    for file, known in (("trace.csv", False), (str(tmp_path / "trace.csv"), True)):
        ask = w.TaskClass("k", w.Replay(file=file), value=1.0)
        market = w.Market(tasks=[ask], sellers=[w.Seller("s", accuracy=1.0)])
        result = w.run(market, until=10.0, base=tmp_path)
        folder = result.save(tmp_path / "run")
        assert bool(json.loads((folder / "manifest.json").read_text())["command"]) == known


def test_units_are_in_the_files_own_columns(tmp_path: Path) -> None:
    """Other programs that read the file see them."""
    import pyarrow.parquet as pq

    w.run(queue(until=100.0)).save(tmp_path)
    field = pq.read_schema(tmp_path / "epochs.parquet").field("wait")
    assert field.metadata[b"unit"] == b"s"


def test_every_amount_of_a_trade_has_a_unit() -> None:
    trades = w.run(queue(until=100.0)).trades
    units = trades.attrs["units"]
    assert units["returned"] == "USD"
    nano = [name for name in map(str, trades) if name.endswith("_nano")]
    assert len(nano) == 7
    assert {units[name] for name in nano} == {"nano-USD"}


def test_a_file_that_was_changed_is_noticed(tmp_path: Path) -> None:
    """The manifest holds a digest of each output."""
    w.run(queue(until=100.0)).save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest["files"]) >= {"epochs.parquet", "summary.parquet", "resolved.toml"}
    with (tmp_path / "epochs.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match=r"epochs\.parquet is not the file"):
        w.Result.load(tmp_path)


def test_markets_with_python_functions_run_but_are_not_saved(tmp_path: Path) -> None:
    """The error names the function; nothing is left behind."""

    def choose(task: Any, quotes: Any) -> str | None:
        return quotes[0].offer if quotes else None

    ask = w.TaskClass("k", w.Poisson(1.0), value=1.0, choice=choose)
    result = w.run(w.Market(tasks=[ask], sellers=[w.Seller("s", accuracy=1.0)]), until=20.0)
    assert result.epochs["served"].sum() > 5
    with pytest.raises(ValueError, match="choose"):
        result.save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settling_is_looked_for_where_there_is_a_steady_state() -> None:
    """A queue that starts empty at high load settles late; one with a daily cycle never does."""
    ask = w.TaskClass("k", w.Poisson(0.99), output_tokens=w.Exponential(1.0), value=1.0,
                      outside_option=False)  # fmt: skip
    full = w.Market(tasks=[ask], sellers=[w.Seller("s", accuracy=1.0, slots=1)])
    short = w.run(full, until=3_000.0, seed=1).settling()
    assert short is not None
    assert not short.reached or short.epochs > 0
    calm = w.run(queue(until=200_000.0)).settling()
    assert calm is not None
    assert calm.reached
    daily = ask.model_copy(update={"arrivals": w.Diurnal(0.5)})
    assert w.run(full.model_copy(update={"tasks": [daily]}), until=100.0).settling() is None


def test_summary_counts_those_who_did_without() -> None:
    """Balked is what went to the outside option; with the rest it makes up the arrivals."""
    result = w.run(busy_market(), until=1000.0)
    ended = sum(value(result, m)[0] for m in ("served", "balked", "reneged", "failed"))
    arrived = value(result, "arrived")[0]
    assert value(result, "balked")[0] > 0
    assert 0 <= arrived - ended < 30, "the rest is in the system"
    assert value(result, "share", offer="outside")[0] == value(result, "balked")[0] / arrived


def test_a_second_score_auction_pays_the_runner_up() -> None:
    """Two like sellers of cost .1 and .3: the cheaper wins and is paid .3."""
    ask = w.TaskClass("k", w.Poisson(0.01), value=1.0)
    sellers = [
        w.Seller("a", accuracy=1.0, slots="unlimited", cost=w.per_task(0.1)),
        w.Seller("twin", owner="a", accuracy=1.0, slots="unlimited", cost=w.per_task(0.2)),
        w.Seller("b", accuracy=1.0, slots="unlimited", cost=w.per_task(0.3)),
    ]
    market = w.Market(tasks=[ask], sellers=sellers, mechanism="second_score")
    trades = w.run(market, until=20_000.0, record="trades").trades
    served = trades[trades["status"] == "served"]
    assert set(served["offer"].astype(str)) == {"a/default"}
    assert set(served["price_nano"]) == {300_000_000}
    reserve = market.model_copy(update={"mechanism": w.ScoringAuction(reserve=0.8)})
    served = w.run(reserve, until=20_000.0, record="trades").trades.query("status == 'served'")
    assert set(served["price_nano"]) == {200_000_000}
