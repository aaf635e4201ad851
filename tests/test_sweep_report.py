"""The report of a sweep: the answer first, offline, small, and nothing that a name could run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import walras as w
from walras import cli, reporting
from walras.analysis import page, sweep_report
from walras.analysis.sweep_answer import answer, main_measure, weights
from walras.analysis.sweep_report import render, write_sweep
from walras.analysis.sweep_tables import kept_of, key_numbers, market_of, points
from walras.analysis.sweeps.cube import cube, leading
from walras.analysis.telling import change_told, mean_told
from walras.market.schema.errors import BadInputError
from walras.scenarios.sweep.swept import Sweep

from .made_sweep import made, path
from .paper_folders import KINDS, SWEEP, make
from .test_report import BROWSER, read
from .two_sellers import SCENARIO

A, B, C = (path(name) for name in "abc")
LUCK = np.random.default_rng(5).normal(size=1_000)
CELL = ("y", "all", "all")
NAN = float("nan")


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """y = 10 + 3a + b + luck; a replication fails in four of six settings."""
    return made(tmp_path_factory.mktemp("grid") / "sweep",
                lambda at, rep: None if at[A] > 1.0 and rep == 2 else
                10.0 + 3.0 * at[A] + at[B] + LUCK[rep] + 0.1 * LUCK[rep + 50] * at[A],
                levers={A: [1.0, 2.0, 3.0], B: [1.0, 2.0]}, seeds=20)  # fmt: skip


@pytest.fixture(scope="module")
def html(grid: Sweep) -> str:
    return render(grid)


# --- the page ------------------------------------------------------------------------------------


def test_answer_first_provenance_last(html: str) -> None:
    body = html[html.index("<body>") :]
    places = [body.index(text) for text in (
        'class="answer"', 'id="F6"', "<h2>Key numbers", 'id="F14"', "<h2>Points", "<h2>Design",
        "<h2>Failed runs", "<h2>Parameters", "<h2>Description by the ODD", "<h2>Provenance",
    )]  # fmt: skip
    assert places == sorted(places)


def test_one_small_file_that_asks_nobody(html: str) -> None:
    """Nothing but data of its own and the sweep's files beside it; Plotly once; dark and print."""
    assert len(html.encode()) < 7e6
    assert html.count("* plotly.js v") == 1
    for tag, attributes in read(html).tags:
        for name in ("src", "href", "action"):
            value = attributes.get(name)
            fine = value is None or value.startswith(("data:", "#"))
            assert fine or value in ("design.parquet", "results.parquet", "failures.parquet"), tag
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert 'content="width=device-width' in html


def test_each_figure_has_its_data_and_its_command(html: str, grid: Sweep) -> None:
    ids = re.findall(r'<figure id="([^"]+)"', html)
    assert ids[0] == "F6"
    for id in ids:
        assert f"walras figure {id} {grid.folder} --metric y" in html
        assert re.search(rf'download="{id}\.csv(\.gz)?"', html)


def test_failures_come_with_reason_and_command(html: str, grid: Sweep) -> None:
    words = "".join(read(html).words)
    assert "4 of 120 runs failed, all by error: ValueError: no luck." in words
    for command in grid.failures["command"]:
        assert command in words


def test_what_the_parameters_are_of(tmp_path: Path) -> None:
    """Constants are set; a market that no file holds is left out, and the report still there."""
    found = made(tmp_path / "out", lambda at, rep: at[A], levers={A: [1.0, 2.0]},
                 constants={C: 7.5})  # fmt: skip
    market = market_of(found)
    assert market is not None
    assert market.tasks[2].value.value == 7.5  # type: ignore[union-attr]
    (found.folder / "scenario.toml").write_text("")
    assert market_of(Sweep.load(found.folder)) is None
    assert "<h2>Parameters" not in render(Sweep.load(found.folder))


def test_odd_sweeps_have_reports(tmp_path: Path) -> None:
    """None succeeded; one replication; all the same; one setting; a sample alone."""
    said = {}
    for name, measured, design in (
        ("none", lambda at, rep: None, {"levers": {A: [1.0, 2.0]}, "seeds": 3}),
        ("single", lambda at, rep: at[A], {"levers": {A: [1.0, 2.0]}}),
        ("flat", lambda at, rep: 2.0, {"levers": {A: [1.0, 2.0]}, "seeds": 3}),
        ("one", lambda at, rep: LUCK[rep], {"levers": {A: [1.0]}, "seeds": 3}),
        ("sample", lambda at, rep: at[A] + LUCK[rep], {
            "uncertainties": {A: (1.0, 2.0)}, "sample": {"size": 16}, "seeds": 4,
        }),
        ("half", lambda at, rep: None if at[A] > 2.0 else at[A] + LUCK[rep],
         {"levers": {A: [1.0, 2.0, 3.0]}, "seeds": 4}),
    ):  # fmt: skip
        found = made(tmp_path / name, measured, **design)  # type: ignore[arg-type]
        assert "<h2>Provenance" in render(found)
        said[name] = " ".join(answer(found, main_measure(found)))
    assert said["none"].startswith("No run succeeded")
    assert "One replication has no interval" in said["single"]
    assert "they are the same" in said["flat"]
    assert "over 16 points of the sample" in said["sample"]
    assert "with a.value 2;" in said["half"]  # the last setting that is known
    assert "–" not in said["half"]


def test_twenty_thousand_runs_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below 7 MB however many points; what is left out is beside the page, and that is said."""
    found = made(tmp_path / "out", lambda at, rep: np.sin(at[A] / 1e3) + 0.3 * LUCK[rep],
                 levers={A: [float(a) for a in range(1, 10_001)]}, seeds=2)  # fmt: skip
    monkeypatch.setattr(page, "_MOST", 100_000)
    text = render(found)
    assert len(text.encode()) < 7e6
    assert "200 of 10,000 points" in text
    assert "of 10,000 rows" in text  # of the figure's data, which are embedded in part
    spec = json.loads(re.findall(r'id="F6-spec">(.*?)</script>', text)[0])
    assert len(json.dumps(spec)) < 400_000  # of 10,000 points a third is drawn


def test_hostile_names_are_text(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>"
    found = made(tmp_path / "out", lambda at, rep: LUCK[rep], name=evil, question=evil,
                 levers={A: [1.0, 2.0]}, seeds=3)  # fmt: skip
    text = render(found)
    assert "<script>alert" not in text
    assert evil in "".join(read(text).words)


@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium found")
def test_it_opens_offline_without_console_errors(grid: Sweep, tmp_path: Path) -> None:
    report = write_sweep(grid, tmp_path / "report.html")
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0",
         f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=8000",
         "--dump-dom", report.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    drawn = done.stdout.count('class="plot js-plotly-plot"')
    assert drawn == done.stdout.count("<figure id=")


# --- what it says --------------------------------------------------------------------------------


def test_the_sentences_are_those_of_the_data(grid: Sweep) -> None:
    """Least and greatest where they are; what matters most by its share of the variance."""
    first, second, third = answer(grid, CELL)
    assert "is least, " in first
    assert "with a.value 1, b.value 1, and greatest, " in first
    assert "with a.value 3, b.value 2; paired, the difference is +7.0" in first
    assert second.startswith("Of 2 things that are varied a.value matters most")
    assert third.startswith("20 replications at each point leave means known to ± ")


def test_weights_are_shares_of_the_variance(tmp_path: Path) -> None:
    """y = 3a + b on a grid: var 9·2/3 and 1/4. Of a sample they are squared correlations.

    A mutant that swaps points and settings, or forgets the mean within settings, fails.
    """
    found = made(tmp_path / "grid", lambda at, rep: 3.0 * at[A] + at[B],
                 levers={A: [1.0, 2.0, 3.0], B: [1.0, 2.0]})  # fmt: skip
    assert weights(found, cube(found, "y")) == pytest.approx({A: 6.0 / 6.25, B: 0.25 / 6.25})
    spans = {A: (1.0, 2.0), B: {"low": 1.0, "high": 100.0, "scale": "log"}}
    found = made(tmp_path / "sample", lambda at, rep: 2.0 * at[A] + np.log(at[B]) / np.log(100.0),
                 levers={C: [1.0, 5.0]}, uncertainties=spans, sample={"size": 512})  # fmt: skip
    assert weights(found, cube(found, "y")) == pytest.approx({C: 0.0, A: 0.8, B: 0.2}, abs=0.02)


def _peaked(height: float, at: dict[str, Any], rep: int) -> float:
    return float(height * (at[A] == 2.0) + LUCK[int(100 * at[A]) + rep])


def test_a_turn_in_between_is_told_if_it_is_sure(tmp_path: Path) -> None:
    """A peak well above both ends is; one of luck alone is not."""
    for name, height, told in (("peak", 5.0, True), ("luck", 0.0, False)):
        found = made(
            tmp_path / name, partial(_peaked, height), levers={A: [1.0, 2.0, 3.0]}, seeds=8
        )  # fmt: skip
        assert ("it is greatest in between" in answer(found, CELL)[0]) is told


def test_key_numbers_are_means_and_paired_differences(grid: Sweep) -> None:
    table = key_numbers(grid, CELL)
    (row,) = table.rows
    whole = cube(grid, "y")
    first, last = whole.values[0, 0], whole.values[-1, 0]
    assert row[0] == "y"
    assert float(row[1].split()[0]) == pytest.approx(first.mean(), abs=0.05)
    assert float(row[2].split()[0]) == pytest.approx(np.nanmean(last), abs=0.05)
    assert float(row[3].split()[0]) == pytest.approx(np.nanmean(last - first), abs=0.05)


def test_points_are_all_or_some_and_both_extremes(grid: Sweep) -> None:
    table, count = points(grid, CELL)
    assert (len(table.rows), count) == (6, 6)
    assert table.head[3:] == ["a.value", "b.value"]
    assert table.rows[3][2] == "19"  # a replication failed
    values = np.zeros(1_000)
    values[[333, 777]] = 1.0, -1.0
    kept = kept_of(values, 50)
    assert {0, 333, 777, 999} <= set(kept)
    assert len(kept) <= 50


def test_levers_that_move_together_are_one() -> None:
    """A grid has none; a column that is another's image goes along with it."""
    together = pd.DataFrame({"a": [1, 2, 3], "b": [9, 7, 8], "c": ["x", "x", "y"]})
    assert leading(together) == ["a", "c"]
    assert leading(pd.DataFrame({"a": [1, 1, 2, 2], "b": [1, 2, 1, 2]})) == ["a", "b"]


def test_means_are_told_to_the_digit_that_is_known() -> None:
    assert mean_told(63_443.2, 62_880.0, 64_010.0, "USD/h") == "63,400 USD/h (62,900 to 64,000)"
    assert mean_told(0.33312, 0.3327, 0.3335, "ratio") == "33.31% (33.27 to 33.35)"
    assert mean_told(90.0, 85.0, 95.0, "s") == "1.50 min (1.42 to 1.58)"
    assert mean_told(1.0, NAN, NAN, "") == "1"
    assert change_told(0.02, 0.01, 0.03, "ratio") == "+2.0 points (1.0 to 3.0)"


def test_an_offer_nobody_chose_has_a_share_of_nothing(tmp_path: Path) -> None:
    """No row is kept of it, and yet it is no failed run: means would be of the others alone."""
    ask = w.TaskClass("chat", w.Poisson(1.0), value=2.0, choice=w.Logit(0.02))
    sellers = [w.Seller(n, accuracy=1.0, price=w.per_task(1.0)) for n in ("one", "two")]
    market = w.Market([ask], sellers, run=w.Run(until=60.0, epoch=6.0))
    with ThreadPoolExecutor(1) as threads:
        found = w.sweep(market, {"sellers.one.price.task": [1.0, 1.9]}, seeds=3,
                        out=tmp_path / "out", executor=threads)  # fmt: skip
    values = cube(found, "share", "chat", "one/default").values
    assert (values[0] > 0.0).all()
    assert (values[1] == 0.0).all()


# --- commands ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_any_kind_gets_its_report(
    folders: Path, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / kind
    shutil.copytree(folders / kind, folder)
    (folder / "report.html").unlink(missing_ok=True)
    assert cli.main(["report", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == kind
    text = (folder / "report.html").read_text("utf-8")
    assert "<h2>Provenance" in text
    assert "Description by the ODD protocol" in text
    assert not list(folder.glob(".*tmp"))
    assert cli.main(["report", str(folder), "-q", "-o", str(tmp_path / "a" / "b.html")]) == 0
    assert (tmp_path / "a" / "b.html").read_text("utf-8") == text
    assert capsys.readouterr().out == ""


def test_no_report_of_what_is_not_done(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(folders / "sweep", folder)
    (folder / "results.parquet").unlink()
    assert cli.main(["report", str(folder)]) == 2
    assert "repeat the command of the sweep" in capsys.readouterr().err
    assert cli.main(["report", str(tmp_path / "gone")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_sweep_ends_with_its_report_or_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report that cannot be made costs nothing that was finished, not even the exit code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.toml").write_text(SCENARIO)
    (tmp_path / "price.toml").write_text(SWEEP.replace("[1, 2, -1]", "[1, 2]"))
    words = ["sweep", "price.toml", "--jobs", "1", "--out", "out"]
    assert cli.main([*words, "--shard", "1/2"]) == 0
    assert not (tmp_path / "out" / "report.html").exists()

    def fail(_: Sweep) -> str:
        raise RuntimeError("no ink")

    with monkeypatch.context() as broken:
        broken.setattr(sweep_report, "render", fail)
        assert cli.main(words) == 0
    out = capsys.readouterr()
    assert "warning: the report could not be made: RuntimeError: no ink" in out.err
    assert (tmp_path / "out" / "results.parquet").is_file()
    assert not (tmp_path / "out" / "report.html").exists()
    assert cli.main(words) == 0
    assert (tmp_path / "out" / "report.html").is_file()
    assert "report.html" in capsys.readouterr().out


def test_a_report_is_whole_or_as_it_was(grid: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in between, the older one is there: written under another name, then renamed."""
    old = write_sweep(grid, grid.folder / "report.html").read_bytes()

    def killed(self: Path, _: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        write_sweep(grid, grid.folder / "report.html")
    assert (grid.folder / "report.html").read_bytes() == old


def test_a_changed_file_of_a_study_is_refused(grid: Sweep, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(grid.folder, folder)
    (folder / "sweep.toml").write_text('scenario = "mm1"\nverdicts = 3\n')
    with pytest.raises(BadInputError):
        render(Sweep.load(folder))
    assert reporting.REPORT == "report.html"
