"""One demand under several mechanisms: what is the same, what differs, and by how much for sure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import walras as w
from walras.analysis.comparison import render
from walras.scenarios.compare import METRICS, SHOWN, significant
from walras.scenarios.variants import kinds, variants

from .golden_markets import market

BOTH = ["posted_price", "second_score"]


@pytest.fixture(scope="module")
def both() -> w.Comparison:
    return w.compare(market("posted_price"), BOTH, until="1 h", seed=3, record="trades")


# --- the same demand ---------------------------------------------------------------------------


def met(one: w.Result, other: w.Result) -> pd.DataFrame:
    """Return the tasks of two runs side by side."""
    return one.trades.merge(other.trades, on="id", suffixes=("", "_other"))


def the_same_buyers(one: w.Result, other: w.Result) -> bool:
    """Whether all that is drawn is the same: who comes, with what, and liking what."""
    tasks = met(one, other)
    drawn = ["arrival", "input", "output", "value", "deadline", "delay_cost", "difficulty"]
    if len(tasks) < 0.9 * len(one.trades):
        return False
    alike = all((tasks[c] == tasks[f"{c}_other"]).all() for c in drawn)
    agreed = tasks[tasks["offer"].astype(str) == tasks["offer_other"].astype(str)]
    agreed = agreed[(agreed["status"] == "served") & (agreed["status_other"] == "served")]
    return alike and len(agreed) > 100 and bool(
        (agreed["taste"] == agreed["taste_other"]).all()
        and (agreed["right"] == agreed["right_other"]).all()
    )  # fmt: skip


def test_every_mechanism_meets_the_same_buyers(both: w.Comparison) -> None:
    """Tasks, tastes and answers, bit for bit; a run with another seed meets others."""
    one, other = both.results.values()
    assert the_same_buyers(one, other)
    stranger = w.run(market("second_score"), until="1 h", seed=4, record="trades")
    assert not the_same_buyers(one, stranger)
    assert not (met(one, other)["price"] == met(one, other)["price_other"]).all()


def test_each_result_is_that_of_a_run_alone(both: w.Comparison) -> None:
    for name, result in both.results.items():
        alone = w.run(market(name), until="1 h", seed=3, record="trades")
        assert alone.digest == result.digest


# --- which mechanisms --------------------------------------------------------------------------


def test_kinds_are_those_of_the_schema() -> None:
    assert set(BOTH) <= set(kinds())
    for kind in kinds():
        w.Market.model_validate(
            {"tasks": [{"name": "a", "arrivals": {"kind": "poisson", "rate": 1}}],
             "sellers": [{"name": "b"}], "mechanism": kind}
        )  # fmt: skip


def test_a_market_keeps_the_settings_of_its_own_mechanism() -> None:
    """Others have what means the same in them, and their defaults; a spec says its own."""
    own = market(w.ScoringAuction("second_score", reserve=0.05, bid="price", call="1 s"))
    found = variants(own, ["posted_price", "second_score", "first_score", "vickrey"])
    assert list(found) == ["posted_price", "second_score", "first_score", "vickrey"]
    assert found["second_score"] == own
    assert found["posted_price"].mechanism == w.PostedPrice()
    assert found["first_score"].mechanism == w.ScoringAuction(
        "first_score", reserve=0.05, bid="price", call=1.0
    )
    assert found["vickrey"].mechanism == w.Procurement("vickrey", bid="price", call=1.0)
    assert variants(market("posted_price"), ["second_score"])["second_score"].mechanism == (
        w.ScoringAuction("second_score")
    )
    told = variants(own, [w.ScoringAuction("second_score", reserve=0.2), {"kind": "posted_price"}])
    assert told["second_score"].mechanism == w.ScoringAuction("second_score", reserve=0.2)
    assert list(told) == ["second_score", "posted_price"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Each mechanism with its reason."""
    mine = market("posted_price")
    picky = mine.tasks[0].model_copy(update={"choice": lambda ask, quotes: None})
    asked = w.Market([picky], mine.sellers, run=mine.run)
    with pytest.raises(w.BadInputError) as caught:
        w.compare(asked, ["posted_price", "second_score", "second_scor", "auctoin", "posted_price"])
    messages = [p.message for p in caught.value.problems]
    assert len(messages) == 4
    assert messages[0].startswith("`second_score` cannot run this market: ")
    assert "Python choice rule" in messages[0]
    assert "no such mechanism" in messages[1]
    assert "did you mean `second_score`?" in caught.value.problems[1].hint
    assert "posted_price" in caught.value.problems[2].hint
    assert "given twice" in messages[3]
    with pytest.raises(w.BadInputError, match="no mechanism is given"):
        w.compare(mine, [])
    with pytest.raises(TypeError, match="give a Market"):
        w.compare(3, BOTH)  # type: ignore[arg-type]


def test_labels_let_one_kind_stand_in_a_comparison_twice(tmp_path: Path) -> None:
    """In tables, figure, report and folder; no command makes them again."""
    each: dict[str, Any] = {
        "all-bid": w.ScoringAuction(), "few-bid": w.ScoringAuction(reserve=0.4),
        "list": "posted_price",
    }  # fmt: skip
    found = w.compare(market("posted_price"), each, until="20 min")
    assert found.names == list(each)
    assert set(found.levels()["mechanism"]) == set(each)
    served = found.levels().query("task == 'all' and metric == 'served_share'")["value"].tolist()
    assert served[1] < served[0]
    assert "few-bid" in w.plot.mechanisms(found).to_json()
    page = render(found)
    assert "second_score: bid cost" in page
    assert "few-bid against all-bid" in page
    back = w.Comparison.load(found.save(tmp_path / "a"))
    assert back.names == list(each)
    assert back.command == ""
    pd.testing.assert_frame_equal(back.differences(), found.differences())


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("../up", "is no name for a run"), ("<b>", "1 to 64 letters"), ("", "is no name"),
        ("x" * 65, "is no name"), ("a\n", "is no name"), ("a/b", "is no name"),
        ("manifest.json", "is the name of a file of the comparison"),
        ("report.html", "is the name of a file"), ("levels.parquet", "is the name of a file"),
    ],
)  # fmt: skip
def test_a_label_is_the_name_of_a_folder(label: str, said: str, tmp_path: Path) -> None:
    """One that is none is refused before anything runs, or is written."""
    with pytest.raises(w.BadInputError) as caught:
        w.compare(market("posted_price"), {label: "vickrey"})
    assert [p.code for p in caught.value.problems] == ["W109"]
    assert said in str(caught.value)
    assert "\n" not in caught.value.problems[0].message
    one = w.run(market("posted_price"), until="1 min")
    with pytest.raises(ValueError, match="name"):
        w.Comparison({label: one}).save(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [[42], 42, None, {"one", "two"}, {"a": 1.5}, [["vickrey"]]])
def test_what_is_no_mechanism_is_a_type_error(given: Any) -> None:
    with pytest.raises(TypeError, match=r"is no mechanism; give a name, a spec such as"):
        w.compare(market("posted_price"), given)


def best(ask: w.Ask, quotes: list[w.Quote]) -> str | None:
    """The posted-price rule written in Python, except for the outside option's taste."""
    found = max(quotes, key=lambda quote: quote.utility, default=None)
    return found.offer if found is not None else None


def test_python_mechanisms_go_by_their_names(tmp_path: Path) -> None:
    """Without an outside option the best score is the posted-price rule: nothing differs."""
    mine = market("posted_price")
    captive = mine.tasks[0].model_copy(update={"outside_option": False})
    found = w.compare(w.Market([captive], mine.sellers), ["posted_price", best], until="20 min")
    assert found.names == ["posted_price", "best"]
    rows = found.differences()
    assert (rows["difference"] == 0).all()
    assert (rows["p"] == 1).all()
    assert not significant(rows).any()
    assert w.plot.mechanisms(found).data
    with pytest.raises(ValueError, match="Python function `best`"):
        found.save(tmp_path / "a")


# --- differences -------------------------------------------------------------------------------


def test_differences_are_those_of_the_levels(both: w.Comparison) -> None:
    """For every class and metric; the levels are those of the runs' own summaries."""
    levels = both.levels().set_index(["mechanism", "task", "metric"])["value"]
    rows = both.differences()
    assert set(rows["metric"]) == set(METRICS)
    assert set(rows["task"]) == {"all", "report"}
    assert not rows.duplicated(["task", "metric", "mechanism"]).any()
    for row in rows.to_dict("records"):
        one, base = (
            levels[m, row["task"], row["metric"]] for m in ("second_score", "posted_price")
        )
        assert row["difference"] == pytest.approx(one - base, abs=1e-12), row["metric"]
        assert row["low"] <= row["difference"] <= row["high"]
    for name, result in both.results.items():
        rows = result.summary().query("task == 'all' and offer == 'all'")
        summary = rows.set_index("metric")["value"]
        for metric in (
            "welfare",
            "surplus",
            "profit",
            "platform",
            "miss_rate",
            "price",
            "sojourn",
        ):
            assert levels[name, "all", metric] == pytest.approx(float(summary[metric]))
        served, came = float(summary["served"]), float(summary["arrived"])
        assert levels[name, "all", "served_share"] == pytest.approx(served / came)


def test_the_parts_add_up(both: w.Comparison) -> None:
    """Welfare is what buyers, sellers and the platform gain; its differences, too."""
    for column, frame in (("value", both.levels()), ("difference", both.differences())):
        for (_, task), rows in frame.groupby(["mechanism", "task"]):
            by = rows.set_index("metric")[column]
            seller = "profit" if task == "all" else "margin"
            parts = by["surplus"] + by[seller] + by["platform"]
            assert parts == pytest.approx(by["welfare"], rel=1e-9, abs=1e-9)


def test_replications_are_paired_one_by_one() -> None:
    """By hand: the mean and the error of the replications' differences of prices."""
    found = w.compare(market("posted_price"), BOTH, until="10 min", seed=5, reps=4)
    rows = found.differences().query("task == 'all'").set_index("metric")
    assert set(rows["n"]) == {4}
    hour = [
        r.epochs.assign(w=r.epochs["value"]).groupby("rep")["w"].sum().to_numpy()
        for r in found.results.values()
    ]
    assert len(hour[0]) == 4
    paid = [r.epochs.groupby("rep")["commission"].sum() * 6 for r in found.results.values()]
    gap = paid[1] - paid[0]
    assert rows.loc["platform", "difference"] == pytest.approx(gap.mean())
    assert rows.loc["platform", "se"] == pytest.approx(gap.std() / 2)


def test_pairing_makes_differences_sharper(capsys: pytest.CaptureFixture[str]) -> None:
    """The variance over 40 pairs of runs, with one seed for both and with seeds of their own.

    The ratio of two such variances is above 1.7 by chance, if pairing bought nothing, with
    probability 5%; for all three together below 1e-3, as it would have to happen in each.
    """
    few = w.Run(until=1800.0, epoch=100.0)  # epochs, which take longer than their tasks
    base = market("posted_price").model_copy(update={"run": few})
    found = w.compare(base, BOTH, seed=6, reps=40)
    told = {}
    for metric in ("welfare", "sojourn", "miss_rate"):
        one, other = (
            np.array([sums.sum() / counts.sum() for sums, counts in zip(*ratio, strict=True)])
            for ratio in (found._ratios[name]["all", metric] for name in BOTH)
        )
        paired, apart = np.var(other - one), np.var(other - np.roll(one, 1))
        told[metric] = float(apart / paired)
        error = found.differences().query("task == 'all' and metric == @metric")["se"].item()
        assert error**2 * 39 == pytest.approx(paired, rel=0.25)
    with capsys.disabled():
        said = ", ".join(f"{metric} by {ratio:.1f}" for metric, ratio in told.items())
        sys.stdout.write(f"\npairing mechanisms divides the variance of {said}\n")
    assert min(told.values()) > 1.7


def test_only_what_survives_holm_is_called_certain(both: w.Comparison) -> None:
    """With one hypothesis less, never fewer; a p of a row alone may be below 5% and not count."""
    rows = both.differences().query("task == 'all' and metric in @SHOWN")
    assert len(rows) == len(SHOWN)
    sure = significant(rows)
    assert sure.any()
    assert (rows["p"][sure] < 0.05).all()
    edge = rows.assign(p=[0.04] + [0.5] * (len(rows) - 1))
    assert not significant(edge).any()
    assert significant(edge[:1]).all()
    unknown = rows.assign(p=[0.04] + [np.nan] * (len(rows) - 1))
    assert significant(unknown).tolist() == [True] + [False] * (len(rows) - 1)


# --- on disk -----------------------------------------------------------------------------------


@pytest.mark.parametrize("record", ["summary", "epochs"])
def test_a_folder_holds_all_of_it(record: str, tmp_path: Path) -> None:
    """Also where the runs keep summaries only; and the command in it repeats it."""
    found = w.compare(market("posted_price"), BOTH, until="5 min", seed=7, record=record)
    folder = found.save(tmp_path / "both")
    names = {p.name for p in folder.iterdir()}
    assert names == {*BOTH, "comparison.parquet", "levels.parquet", "manifest.json"}
    back = w.Comparison.load(folder)
    for table in ("levels", "differences"):
        pd.testing.assert_frame_equal(getattr(back, table)(), getattr(found, table)())
    assert back.names == BOTH
    assert "--mechanism posted_price,second_score" in back.command
    alone = w.Result.load(folder / "second_score")
    assert alone.digest == found.results["second_score"].digest
    assert alone.market.mechanism == w.ScoringAuction()
    with pytest.raises(ValueError, match="holds no comparison"):
        w.Comparison.load(folder / "second_score")
    (folder / "comparison.parquet").write_bytes(b"x")
    with pytest.raises(ValueError, match="not the file that was written"):
        w.Comparison.load(folder)


def test_the_command_starts_from_the_run_that_has_the_settings(tmp_path: Path) -> None:
    own = market(w.ScoringAuction("second_score", reserve=0.2))
    found = w.compare(own, BOTH, until="5 min")
    command = w.Comparison.load(found.save(tmp_path / "a")).command
    assert "second_score/resolved.toml" in command
    assert command.endswith("--mechanism posted_price,second_score")


def test_no_command_where_none_would_repeat_it(tmp_path: Path) -> None:
    """Two settings of one field are in no file together."""
    one = w.ScoringAuction("first_score", reserve=0.1)
    two = w.ScoringAuction("second_score", reserve=0.2)
    found = w.compare(market("posted_price"), [one, two], until="5 min")
    assert w.Comparison.load(found.save(tmp_path / "a")).command == ""


def test_it_says_what_it_is(both: w.Comparison) -> None:
    assert repr(both) == (
        '<Comparison of "market": posted_price, second_score; seed 3, 1 replication>'
    )
    assert "second_score" in both._repr_html_()


def test_progress_counts_all_runs() -> None:
    seen: list[tuple[float, float, int]] = []

    def note(done: float, until: float, tasks: int) -> None:
        seen.append((done, until, tasks))

    found = w.compare(market("posted_price"), BOTH, until="5 min", reps=2, progress=note)
    assert {until for _, until, _ in seen} == {4 * 300.0}
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1][0] == 4 * 300.0
    total: Any = sum(r.manifest["tasks"] for r in found.results.values())
    assert seen[-1][2] == total


# --- follow ------------------------------------------------------------------------------------


def test_follow_takes_a_name_or_a_file(tmp_path: Path) -> None:
    """As `run` and `compare` do; anything else is said plainly."""
    told = w.follow("vickrey", 1, until="1 min", seed=1)
    assert told == w.follow(w.load("vickrey"), 1, until="1 min", seed=1)
    (tmp_path / "mine.toml").write_text(w.to_toml(w.load("vickrey")))
    from_file = w.follow(tmp_path / "mine.toml", 1, until="1 min", seed=1)
    assert from_file.splitlines()[1:] == told.splitlines()[1:]  # the first says what is given
    with pytest.raises(TypeError, match="market is 42; give a Market, or a scenario's name"):
        w.follow(42)  # type: ignore[arg-type]
    with pytest.raises(w.BadInputError, match="did you mean `vickrey`"):
        w.follow("vickry")
