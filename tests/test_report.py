"""The report: one file, offline, the answer first, nothing in it that a name could run."""

from __future__ import annotations

import base64
import gzip
import io
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from walras.analysis.figures import FIGURES
from walras.analysis.report import render, write_report
from walras.analysis.report_answer import answer
from walras.analysis.report_tables import (
    class_numbers,
    interval,
    key_numbers,
    measured,
    parameters,
    sources,
    with_error,
)
from walras.market.schema.arrivals import Poisson
from walras.market.schema.demand import Logit, TaskClass
from walras.market.schema.distributions import Exponential, LogNormal
from walras.market.schema.market import Market, PriceChange
from walras.market.schema.supply import Rates, Seller
from walras.scenarios.load import load
from walras.scenarios.result import Result
from walras.scenarios.run import run

from .fake_result import HOSTILE, fake_result, hostile_result

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
DRAWN = [id for id in FIGURES if id not in ("F5", "F14")]
"""Figures of markets in which no seller moves its price by a strategy, of any replications."""


class Page(HTMLParser):
    """Tags with their attributes, and text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._raw = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._raw = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.words.append(data)


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    return page


@pytest.fixture(scope="module")
def result() -> Result:
    return fake_result(tasks=8000)


@pytest.fixture(scope="module")
def html(result: Result) -> str:
    return render(result)


def test_one_small_file_with_plotly_once(html: str, result: Result, tmp_path: Path) -> None:
    path = write_report(result, tmp_path / "report.html")
    assert path.read_text("utf-8") == html
    assert path.stat().st_size < 7e6
    assert html.count("* plotly.js v") == 1


def test_nothing_comes_from_elsewhere(html: str) -> None:
    page = read(html)
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_no_button_sends_the_drawing_away(html: str) -> None:
    config = html[html.rindex("Plotly.newPlot") :]
    assert '"sendChartToCloud"' in config
    assert '"plotlyServerURL": ""' in config


def test_answer_comes_before_the_emblem_and_provenance_last(html: str) -> None:
    body = html[html.index("<body>") :]
    places = [body.index(text) for text in (
        'class="answer"', 'id="F1"', "Key numbers", 'id="F3"', 'id="F4"', 'id="F10"', 'id="F11"',
        "<h2>Offers", "<h2>Parameters", "<h2>Provenance",
    )]  # fmt: skip
    assert places == sorted(places)


def test_every_figure_offers_its_data_and_command(html: str, result: Result) -> None:
    links = {a["download"]: a["href"] for t, a in read(html).tags if t == "a" and "download" in a}
    assert [name and name.removesuffix(".gz") for name in links] == [f"{id}.csv" for id in DRAWN]
    assert any(name and name.endswith(".gz") for name in links)
    for id in DRAWN:
        figure = FIGURES[id]
        packed = f"{id}.csv.gz" in links
        link = links[f"{id}.csv.gz" if packed else f"{id}.csv"]
        assert link is not None
        held = base64.b64decode(link.partition(",")[2])
        csv = (gzip.decompress(held) if packed else held).decode()
        assert csv == figure.csv(result)
        assert len(pd.read_csv(io.StringIO(csv)))
    assert html.count(result.manifest["command"]) == len(DRAWN) + 1


def test_three_sentences_from_the_data(result: Result) -> None:
    said = answer(result, result.summary())
    assert len(said) == 4
    assert all(sentence.endswith(".") for sentence in said)
    assert said[0].startswith("3 sellers move their prices")
    assert all(task.name in said[1] for task in result.market.tasks)
    still = replace(result, prices=result.prices.assign(price=1.0))
    assert answer(still, result.summary()) == said[1:]


def test_doing_without_is_told_where_it_leads(result: Result) -> None:
    row = {"metric": "share", "unit": "ratio", "se": 0.1, "n": 3}
    first, second = (task.name for task in result.market.tasks[:2])
    summary = pd.DataFrame([
        {**row, "task": t, "offer": o, "value": v}
        for t, o, v in ((first, "four-o/default", 0.6), (first, "outside", 0.4),
                        (second, "four-o/default", 0.3), (second, "outside", 0.7))
    ])  # fmt: skip
    said = " ".join(answer(result, summary))
    assert f"four-o is the most chosen offer, in {first} (60%)" in said
    assert f"doing without is more common than any offer in {second} (70%)" in said
    assert class_numbers(result.market, summary).head[2] == "did without"


def test_errors_have_one_digit_and_values_end_where_they_do() -> None:
    row = pd.Series({"value": 62_612.0, "se": 6_500.0, "n": 20, "unit": "USD/h"})
    assert with_error(row) == "60,000 ± 10,000 USD/h"
    assert with_error(pd.Series({**row, "value": 0.62841, "se": 0.0003, "unit": "s"})) == (
        "628.4 ± 0.6 ms"
    )
    exact = pd.Series({**row, "value": 1.0, "se": 0.0, "unit": "ratio"})
    assert (with_error(exact), interval(exact)) == ("100%", "")


def test_what_was_not_computed_is_absent(result: Result) -> None:
    summary = result.summary()
    less = summary[~summary["metric"].isin(["surplus", "profit", "welfare", "price"])]
    labels = [row[0] for row in key_numbers(less).rows]
    assert "welfare" not in labels
    assert "right of those served" in labels
    assert len(answer(result, less)) == 3
    assert not any("surplus" in head for head in class_numbers(result.market, less).head)
    manifest = {"digest": result.digest}
    quiet = replace(
        result, manifest=manifest, trades=result.trades[:0], latencies=result.latencies[:0]
    )
    page = render(quiet)
    assert 'id="F1"' not in page
    assert 'id="F10"' not in page
    assert "The same numbers again" not in page


def test_intervals_use_students_t() -> None:
    row = {"task": "all", "offer": "all", "metric": "price", "unit": "USD/task"}
    summary = pd.DataFrame([{**row, "value": 10.0, "se": 1.0, "n": 20}])
    assert key_numbers(summary).rows == [["mean price of an answer", "10 USD", "7.91 to 12.1 USD"]]
    alone = summary.assign(n=1, se=float("nan"))
    assert key_numbers(alone).rows[0][2] == ""


def test_measured_speaks_the_unit() -> None:
    assert measured(-0.02, "ratio") == "-2.0%"
    assert measured(1234.0, "tasks") == "1,230"
    assert measured(float("nan"), "USD/h") == "–"


def test_parameters_name_every_field(result: Result) -> None:
    tables = {table.title: table for table in parameters(result.market)}
    assert {"market", "run", "quotes", "platform", "mechanism"} <= set(tables)
    for kind, model, name in (("task class", TaskClass, "chat"), ("seller", Seller, "big-o1")):
        named = {row[0].split(".")[0] for row in tables[f"{kind} {name}"].rows}
        assert named == set(model.model_fields)
    speed = next(row for row in tables["seller big-o1"].rows if row[0] == "speed")
    assert speed[1:3] == ["60", "tokens/s"]
    assert "stream" in speed[3]
    assert {row[0].split(".")[0] for t in tables.values() for row in t.rows} >= set(
        Market.model_fields
    ) - {"tasks", "sellers", "events", "run", "quotes", "platform", "mechanism"}


def test_sources_come_with_the_catalogue(result: Result) -> None:
    assert sources(result.market) == []
    market = result.market.model_copy(update={"catalogue": "no-such"})
    assert sources(market) == []


@pytest.mark.parametrize(("missing", "rows"), [("estimate", 3), ("omit", 0)])
def test_sources_mark_the_estimates_that_are_sold(missing: str, rows: int) -> None:
    """GPT-4.5 has no score in chat."""
    changes = ['catalogue.models=["gpt-4.5"]', f"catalogue.missing={missing}"]
    _, figures = sources(load(Path(__file__).parent / "corpus" / "catalogue.toml", changes))
    assert sum(row[4] == "estimated" for row in figures.rows) == rows


def test_a_figure_that_fails_costs_no_other(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Result) -> go.Figure:
        raise ValueError("math domain error")

    for id in set(FIGURES) - {"F4", "F10"}:
        monkeypatch.delitem(FIGURES, id)
    monkeypatch.setitem(FIGURES, "F4", replace(FIGURES["F4"], builder=fail))
    page = render(result)
    assert page.count("<figure") == 1
    assert 'id="F10"' in page
    assert 'id="F4"' not in page
    assert "F4, “Who serves what?”, is left out" in "".join(read(page).words)


def test_hidden_marks_are_spelled_out(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    for id in set(FIGURES) - {"F10"}:
        monkeypatch.delitem(FIGURES, id)
    market = result.market.model_copy(update={"question": "who\u202ewins\u0007?"})
    page = render(replace(result, market=market))
    assert "\u202e" not in page.partition("<body>")[2]
    assert "who\\u202ewins\\x07?" in page


def test_the_class_that_carries_the_gains_is_named(result: Result) -> None:
    row = {"offer": "all", "unit": "USD/h", "se": 0.1, "n": 3}
    summary = pd.DataFrame([
        {**row, "task": t, "metric": m, "value": v}
        for t, m, v in (("all", "surplus", 100.0), ("a", "surplus", 64.0), ("b", "surplus", 36.0),
                        ("a", "arrived", 3.0), ("b", "arrived", 997.0))
    ])  # fmt: skip
    assert "buyers gain 100 USD per hour (64% of it in a, 0.3% of the tasks)" in " ".join(
        answer(result, summary)
    ).replace("Buyers", "buyers")


def test_names_are_text_and_nothing_else() -> None:
    page = render(hostile_result())
    assert "<script>alert" not in page
    assert "alert('x')</script" not in page
    words = "".join(read(page).words)
    assert HOSTILE in words
    assert "&lt;script" not in words  # escaped once, not twice


@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium found")
@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_opens_offline_without_console_errors(kind: str, tmp_path: Path) -> None:
    result = hostile_result() if kind == "hostile" else fake_result(tasks=4000)
    path = write_report(result, tmp_path / "report.html")
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
         "--v=0", f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=8000",
         "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert said == []
    drawn = re.findall(r'class="plot js-plotly-plot"', done.stdout)
    assert len(drawn) == len(DRAWN)
    assert "alert('x')</script" not in done.stdout.partition("<main>")[2]


def test_a_real_run_has_a_report(tmp_path: Path) -> None:
    ask = TaskClass(
        "ask", Poisson(2.0), output_tokens=Exponential(60.0), value=LogNormal(0.05, 1.0),
        deadline="5 s", choice=Logit(0.002),
    )  # fmt: skip
    cheap = Seller("cheap", accuracy=0.7, speed=60, slots=4, price=Rates(output=0.4))
    good = Seller("good", accuracy=0.95, speed=60, slots=2, price=Rates(output=8.0))
    change = PriceChange(at=900.0, seller="good", price=4.0)
    market = Market(tasks=[ask], sellers=[cheap, good], events=[change])
    result = run(market, until="30 min", seed=3, reps=2, warmup="3 min")
    path = write_report(result, tmp_path / "report.html")
    page = path.read_text("utf-8")
    assert all(f'id="{id}"' in page for id in DRAWN)
    assert "One seller moves its price: good" in page
    kept = Result.load(result.save(tmp_path / "run"))
    assert render(kept).count("<figure") == len(DRAWN)
