"""`walras run X --mechanism a,b`: exit codes, the card, JSON, a folder that is whole or absent."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import walras as w
from walras import cli, running
from walras.analysis import comparison as pages
from walras.comparison_card import as_data, card
from walras.scenarios import compare as comparing
from walras.scenarios.compare import SHOWN, significant
from walras.scenarios.variants import kinds

from .golden_markets import market

SMALL = str(Path(__file__).parent / "corpus" / "small.toml")
BOTH = ["posted_price", "second_score"]
SHORT = ["--set", "run.until=10min"]


@cache
def small() -> w.Comparison:
    """Return a short comparison, made once."""
    return w.compare(w.load(SMALL, "run.until=10 min"), BOTH, seed=7)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a comparison made before, and small reports, in the place of the real ones."""
    made = small()  # before what makes it is replaced
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(comparing, "compare", lambda *_, **__: made)
    monkeypatch.setattr(running, "_report", lambda _, path: path.write_text("<html>") and None)


def written() -> list[Path]:
    return sorted(Path().rglob("*.parquet"))


# --- what it leaves ----------------------------------------------------------------------------


def test_a_comparison_leaves_one_folder_with_a_run_in_it_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing made up: the scenario runs, reports are drawn, and what is left reads back."""
    monkeypatch.chdir(tmp_path)
    words = ["run", SMALL, *SHORT, "--mechanism", "posted_price, second_score", "--seed", "7"]
    assert cli.main(words) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"small-[0-9a-f]{8}", folder.name)
    names = {p.name for p in folder.iterdir()}
    files = {"comparison.parquet", "levels.parquet", "manifest.json", "report.html"}
    assert names == {*BOTH, *files}
    command = f"walras run {SMALL} --set run.until=10min --mechanism"
    for name in BOTH:
        run = w.Result.load(folder / name)
        assert getattr(run.market.mechanism, "kind", None) == name
        assert run.manifest["command"] == f"{command} {name} --seed 7"
        assert (folder / name / "scenario.toml").read_text() == Path(SMALL).read_text()
        assert (folder / name / "report.html").stat().st_size > 1e6
        assert run.digest == small().results[name].digest
    back = w.Comparison.load(folder)
    assert back.command == f"{command} 'posted_price, second_score' --seed 7"
    out = capsys.readouterr()
    assert back.command in out.out
    assert str(folder.relative_to(tmp_path)) in out.out
    assert "against posted_price" in out.out
    assert cli.main(["list", "runs"]) == 0
    assert "--mechanism" in capsys.readouterr().out


def test_one_name_is_a_run_under_that_mechanism(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder and card are those of any run; the command says the mechanism."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", SMALL, *SHORT, "--mechanism", "second_score", "--seed", "7"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    run = w.Result.load(folder)
    assert run.market.mechanism == w.ScoringAuction("second_score")
    assert run.digest == small().results["second_score"].digest
    assert "--mechanism second_score --seed 7" in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_the_same_comparison_has_the_same_folder() -> None:
    """Another order, another seed or a subset is another; what a user put there stays."""
    words = ["run", SMALL, "-q", "--mechanism"]
    assert cli.main([*words, "posted_price,second_score"]) == 0
    (folder,) = Path("runs").iterdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "second_score" / "plot.png").write_bytes(b"png")
    (folder / "levels.parquet").write_bytes(b"old")
    assert cli.main([*words, "posted_price,second_score"]) == 0
    assert list(Path("runs").iterdir()) == [folder]
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "second_score" / "plot.png").read_bytes() == b"png"
    assert (folder / "levels.parquet").read_bytes() != b"old"
    assert cli.main([*words, "second_score,posted_price"]) == 0
    assert cli.main([*words, "posted_price,second_score", "--seed", "1"]) == 0
    assert len(list(Path("runs").iterdir())) == 3


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("given", ["posted_price,second_score,", " ,posted_price,, second_score"])
def test_blank_entries_are_passed_over(given: str) -> None:
    assert cli.main(["run", SMALL, "-q", "--mechanism", given]) == 0
    (folder,) = Path("runs").iterdir()
    assert cli.main(["run", SMALL, "-q", "--mechanism", "posted_price,second_score"]) == 0
    assert list(Path("runs").iterdir()) == [folder]


@pytest.mark.usefixtures("quick")
def test_quiet_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", SMALL, "--mechanism", "posted_price,second_score"]
    assert cli.main([*words, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["mechanisms"] == BOTH
    assert set(data["digests"]) == set(BOTH)
    assert {"folder", "command", "levels", "seed", "reps"} <= set(data)
    row = data["differences"][0]
    assert {"task", "metric", "mechanism", "baseline", "difference", "low", "high", "p"} <= set(row)


# --- what can go wrong -------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("posted_price,auctoin", ["no such mechanism", "mechanisms: "]),
        ("second_scor,posted_pric", ["did you mean `second_score`", "did you mean `posted_price`"]),
        ("posted_price,posted_price", ["given twice"]),
        (",", ["no mechanism is given"]),
        ("", ["no mechanism is given"]),
    ],
)
def test_a_mechanism_that_cannot_run_is_2_and_writes_nothing(
    given: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", SMALL, "--mechanism", given]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert all(text in out.err for text in said)
    assert f"--mechanism {given}".strip() in out.err
    assert "Traceback" not in out.err
    assert written() == []


@pytest.mark.usefixtures("quick")
def test_a_run_that_fails_is_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ArithmeticError("the queue blew up")

    monkeypatch.setattr(comparing, "compare", fail)
    assert cli.main(["run", SMALL, "--mechanism", "posted_price,second_score"]) == 3
    assert "the queue blew up" in capsys.readouterr().err
    assert written() == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("when", ["run", "save", "tables", "report", "rename"])
def test_interrupted_is_130_and_leaves_what_was_there(
    when: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At whatever point it comes."""
    words = ["run", SMALL, "-q", "--mechanism", "posted_price,second_score"]
    assert cli.main(words) == 0
    (before,) = Path("runs").iterdir()
    (before / "second_score" / "mark").touch()

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    places: dict[str, tuple[Any, str]] = {
        "run": (comparing, "compare"), "save": (w.Result, "save"),
        "tables": (w.Comparison, "save_tables"), "report": (running, "_report"),
        "rename": (running, "_put"),
    }  # fmt: skip
    monkeypatch.setattr(*places[when], interrupt)
    for seed in ("0", "9"):
        assert cli.main([*words, "--seed", seed]) == 130
        assert "nothing was written" in capsys.readouterr().err
        assert list(Path("runs").iterdir()) == [before]
    assert (before / "second_score" / "mark").exists()


def test_a_failing_report_does_not_lose_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tables are there, and the other reports."""
    monkeypatch.chdir(tmp_path)

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("no figure")

    made = small()
    monkeypatch.setattr(comparing, "compare", lambda *_, **__: made)
    monkeypatch.setattr(pages, "write_comparison", fail)
    assert cli.main(["run", SMALL, "--mechanism", "posted_price,second_score"]) == 3
    (folder,) = (tmp_path / "runs").iterdir()
    assert not (folder / "report.html").exists()
    assert (folder / "posted_price" / "report.html").exists()
    assert w.Comparison.load(folder).names == BOTH
    out = capsys.readouterr()
    assert "against posted_price" in out.out
    assert "the report could not be made: ZeroDivisionError: no figure" in out.err


@pytest.mark.usefixtures("quick")
def test_what_is_odd_under_another_mechanism_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who bids its cost may post a price below it; posted prices make that a loss."""
    text = Path(SMALL).read_text().replace("0.1, output = 0.4}", "0.01, output = 0.02}")
    (tmp_path / "cheap.toml").write_text(text + '\n[mechanism]\nkind = "second_score"\n')
    words = ["--json", "--mechanism", "second_score,posted_price"]
    assert cli.main(["run", "cheap.toml", *words]) == 0
    assert "warning[W209]: under `posted_price`, " in capsys.readouterr().err
    assert cli.main(["run", SMALL, *words]) == 0
    assert "under `posted_price`" not in capsys.readouterr().err


# --- the card ----------------------------------------------------------------------------------


def shown(comparison: w.Comparison, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO(), soft_wrap=True)
    console.print(card(comparison, "runs/x", "walras run x --seed 1", width))
    return console.export_text().splitlines()


def test_the_card_fits_on_a_screen() -> None:
    """However many mechanisms, in 80 letters; one screen up to four of them."""
    result = small().results["second_score"]
    for count in (2, 3, 4, 7):
        names = ["posted_price", *(f"mechanism_{i}" for i in range(1, count))]
        many = w.Comparison({n: small().first if i == 0 else result for i, n in enumerate(names)})
        lines = shown(many)
        assert max(map(len, lines)) <= 80
        assert count > 4 or len(lines) < 40
        assert all(any(name in line for line in lines) for name in names)
        assert [line.split()[0] for line in lines[-2:]] == ["files", "repeat"]
    assert len(shown(many, 160)) < 30


def test_the_card_says_the_numbers_of_the_tables() -> None:
    """Differences with their signs; a star for what survives Holm, and only there."""
    found = w.compare(market("posted_price"), BOTH, until="1 h", seed=3)
    lines = shown(found)
    rows = found.differences().query("task == 'all'").set_index("metric").loc[list(SHOWN)]
    sure = dict(zip(SHOWN, significant(rows), strict=True))
    assert any(sure.values())
    assert not all(sure.values())
    labels = {"surplus": "buyers", "profit": "sellers", "platform": "platform", "welfare": "welf"}
    for metric, label in labels.items():
        text = next(line for line in lines if line.startswith(label) and "±" in line)
        told = re.search(r"([+−])([0-9.,]+) ±([0-9.,]+)(\*?)", text)
        assert told
        value = float(told[2].replace(",", "")) * (1 if told[1] == "+" else -1)
        known, low, high = (float(rows[c][metric]) for c in ("difference", "low", "high"))
        assert value == pytest.approx(known, rel=0.01)
        assert float(told[3].replace(",", "")) == pytest.approx((high - low) / 2, rel=0.01)
        assert (told[4] == "*") == sure[metric]
    same = w.Comparison({"posted_price": found.first, "again": found.first})
    assert not any(line.endswith("*") for line in shown(same))
    assert json.dumps(as_data(same, "", ""), allow_nan=False)


def test_every_kind_runs_the_smallest_market() -> None:
    """Whatever mechanisms the schema has, by bare word, together."""
    tiny = replace(w.compare(market("posted_price"), list(kinds()), until="2 min"), command="x")
    assert tiny.names == list(kinds())
    assert shown(tiny)
