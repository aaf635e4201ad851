"""The figure and the report of a comparison: what they show is what the tables say."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import walras as w
from walras import listing
from walras.analysis.comparison import render, write_comparison
from walras.analysis.figures import COMPARISONS
from walras.analysis.figures.compared import data, weighted
from walras.analysis.figures.template import OKABE_ITO, OUTSIDE, paper, plain
from walras.market.schema.market import Market

from .golden_markets import market
from .test_figures import said, strings
from .test_report import read

M1 = COMPARISONS["M1"]
BOTH = ["posted_price", "second_score"]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


def several(names: list[str]) -> Market:
    """Return the golden market with as many classes as names, all of them the one task's."""
    mine = market("posted_price")
    tasks = [mine.tasks[0].model_copy(update={"name": n, "value": 0.5 + i})
             for i, n in enumerate(names)]  # fmt: skip
    return mine.model_copy(update={"tasks": tasks})


@pytest.fixture(scope="module")
def both() -> w.Comparison:
    return w.compare(several(["reports", "letters"]), BOTH, until="30 min", seed=1)


def test_the_registry_and_the_lists_name_it() -> None:
    assert list(COMPARISONS) == ["M1"]
    assert M1.question.endswith("?")
    assert any(row["name"] == "M1" for row in listing.figures())
    told = listing.figure("m1")
    assert "walras.plot.mechanisms(comparison)" in told
    assert "of a comparison" in told


def test_it_has_traces_data_caption_and_command(both: w.Comparison) -> None:
    drawn = w.plot.mechanisms(both)
    assert isinstance(drawn, go.Figure)
    table = M1.data(both)
    assert table.attrs["units"]
    assert list(pd.read_csv(io.StringIO(M1.csv(both)))) == list(table)
    assert len(M1.caption(both)) > 80
    assert M1.command(replace(both, command="walras run x")) == "walras run x"
    assert 'id="M1"' in M1.html(both)


def test_bars_are_the_levels_and_add_up(both: w.Comparison) -> None:
    """In the first row of panels, those of all tasks."""
    levels = both.levels().query("task == 'all'").pivot(
        index="metric", columns="mechanism", values="value")[BOTH]  # fmt: skip
    drawn = w.plot.mechanisms(both)
    first = {t.name: t for t in drawn.data if t.type == "bar" and t.xaxis in ("x", "x2")}
    for name, metric in (("buyers", "surplus"), ("sellers", "profit"), ("platform", "platform"),
                         ("late", "late_share"), ("did without", "without_share")):  # fmt: skip
        if name in first:
            assert list(first[name].x) == pytest.approx(list(levels.loc[metric])), name
    parts = np.sum([first[n].x for n in ("buyers", "sellers", "platform")], axis=0)
    mark = next(t for t in drawn.data if t.name == "welfare" and t.xaxis == "x")
    assert list(mark.x) == pytest.approx(list(parts))


def test_whiskers_are_those_of_the_paired_difference(both: w.Comparison) -> None:
    """The first mechanism, the dotted line, has none; the rest reach as far as the interval."""
    drawn = w.plot.mechanisms(both)
    mark = next(t for t in drawn.data if t.name == "welfare" and t.xaxis == "x")
    row = both.differences().query("task == 'all' and metric == 'welfare'").iloc[0]
    assert list(mark.error_x.array) == pytest.approx([0.0, (row["high"] - row["low"]) / 2])
    lines = [s for s in drawn.layout.shapes if s.type == "line" and s.xref == "x"]
    assert [line.x0 for line in lines] == pytest.approx([mark.x[0]])


def test_a_row_for_all_and_for_each_class_that_counts(both: w.Comparison) -> None:
    def rows(drawn: go.Figure) -> list[str]:
        return [plain(a.text) for a in drawn.layout.annotations if a.text.startswith("<b>")]

    assert rows(w.plot.mechanisms(both)) == ["<b>all tasks</b>", "<b>reports</b>", "<b>letters</b>"]
    one = w.compare(market("posted_price"), BOTH, until="10 min")
    assert rows(w.plot.mechanisms(one)) == ["<b>all tasks</b>"]
    many = w.compare(several([f"class-{i}" for i in range(8)]), BOTH, until="10 min")
    assert len(rows(w.plot.mechanisms(many))) == 6
    assert "3 more classes are in the data" in M1.caption(many)
    assert set(data(many)["task"]) == {"all", *(f"class-{i}" for i in range(8))}


def test_a_part_has_one_colour_and_grey_prints_tell_them_apart(both: w.Comparison) -> None:
    looks: dict[str, set[tuple[str, str]]] = {}
    for trace in w.plot.mechanisms(both).data:
        if trace.type == "bar":
            shape = trace.marker.pattern.shape or ""
            looks.setdefault(trace.name, set()).add((trace.marker.color, shape))
    assert all(len(look) == 1 for look in looks.values())
    shown = [next(iter(look)) for look in looks.values()]
    assert {colour for colour, _ in shown} <= {*OKABE_ITO, OUTSIDE}
    gains = [next(iter(looks[n]))[1] for n in ("buyers", "sellers", "platform")]
    assert len(set(gains)) == 3


def test_numbers_stand_beside_what_they_tell_and_have_room(both: w.Comparison) -> None:
    """Each axis ends well beyond its largest number, on the screen and on paper."""
    for drawn in (w.plot.mechanisms(both), paper(w.plot.mechanisms(both), 7, 4)):
        for note in drawn.layout.annotations:
            if note.xref is None or not str(note.xref).startswith("x") or "domain" in note.xref:
                continue
            axis = drawn.layout[note.xref.replace("x", "xaxis")]
            low, high = axis.range
            assert low <= note.x <= low + (high - low) * 0.85


FEWER = ["left_share", "without_share", "unfinished_share"]


def test_no_line_strikes_through_a_number() -> None:
    """6.2% of answers late under the second, 6.9% under the first: its number begins at the line.

    At 3% it ends well before the line, and stays at its bar.
    """
    found = w.compare(market("posted_price"), BOTH, until="10 min")
    for share, at in ((0.062, 0.069), (0.03, 0.03)):
        levels = found.levels()
        levels.loc[levels["metric"].isin(FEWER), "value"] = 0.0
        for name, late in zip(BOTH, (0.069, share), strict=True):
            mine = (levels["metric"] == "late_share") & (levels["mechanism"] == name)
            levels.loc[mine, "value"] = late
        drawn = M1.builder(w.Comparison(found.results, kept=(found.differences(), levels)))
        notes = {note.text: note.x for note in drawn.layout.annotations if note.xref == "x2"}
        assert notes["6.9%"] == 0.069
        assert notes[f"{100 * share:.1f}%"] == pytest.approx(at)


def test_a_loss_that_nobody_sees_moves_no_axis() -> None:
    """Rounded to a hair below 0, sellers' profit leaves the zero at the edge; a real loss not."""
    found = w.compare(market("posted_price"), BOTH, until="10 min")
    table = found.levels()
    for loss, at_edge in ((-1e-9, True), (-50.0, False)):
        levels = table.copy()
        levels.loc[levels["metric"] == "profit", "value"] = loss
        drawn = M1.builder(w.Comparison(found.results, kept=(found.differences(), levels)))
        assert (drawn.layout.xaxis.range[0] == 0.0) == at_edge


def test_weighted_quantiles() -> None:
    """By hand: weights stand for as many values; the median of 1, 1, 1, 5 is 1."""
    values, weights = np.array([5.0, 1.0]), np.array([1.0, 3.0])
    assert weighted(values, weights, (0.1, 0.5, 0.75, 0.76, 1.0)) == [1, 1, 1, 5, 5]


def test_rare_classes_count_by_how_many_they_are(both: w.Comparison) -> None:
    """Prices over all tasks weigh each row of the sample by what it stands for."""
    halved = {}
    for name, result in both.results.items():
        trades = result.trades[
            (result.trades["task"] != "letters") | (result.trades["id"] % 2 == 0)
        ]
        trades.attrs["share"] = {"reports": 1.0, "letters": 0.5}
        halved[name] = replace(result, trades=trades)
    want = data(both).query("task == 'all' and metric == 'price_90%'")["value"]
    got = data(w.Comparison(halved)).query("task == 'all' and metric == 'price_90%'")["value"]
    assert got.to_numpy() == pytest.approx(want.to_numpy(), rel=0.1)


def test_names_are_never_markup() -> None:
    found = w.compare(several(["plain"]), BOTH, until="5 min")
    hostile = w.Comparison(
        {f"<script>{i}</script>": r for i, r in enumerate(found.results.values())}
    )
    texts = list(strings(M1.builder(hostile).to_plotly_json()))
    assert any("&lt;script" in text for text in texts)
    assert not [text for text in texts if "<script" in text]
    page = render(hostile)
    assert "<script>0" not in page


def test_nobody_came_and_summaries_only(tmp_path: Path) -> None:
    """Without any task it says so; from a folder of summaries it draws what there is."""
    rare = market("posted_price")
    task = rare.tasks[0].model_copy(update={"arrivals": w.Poisson(1e-9)})
    empty = w.compare(rare.model_copy(update={"tasks": [task]}), BOTH, until="1 min")
    M1.builder(empty)
    assert render(empty)
    kept = w.compare(rare, BOTH, until="5 min", record="summary")
    back = w.Comparison.load(kept.save(tmp_path / "a"))
    assert w.plot.mechanisms(back).data
    none = w.Comparison(back.results, kept=(back.differences()[:0], back.levels()[:0]))
    assert said(M1.builder(none)) == "No task came."


# --- the report --------------------------------------------------------------------------------


def test_one_page_with_plotly_once_that_opens_offline(both: w.Comparison, tmp_path: Path) -> None:
    path = write_comparison(replace(both, command="walras run x"), tmp_path / "report.html")
    html = path.read_text("utf-8")
    assert path.stat().st_size < 6e6
    assert html.count("* plotly.js v") == 1
    page = read(html)
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "data", "poster"):
            value = attributes.get(name)
            links = ("data:", "#", *(f"{n}/report.html" for n in BOTH))
            assert value is None or value.startswith(links), (tag, name, value)
    words = " ".join(page.words)
    for text in ("Differences to posted_price", "walras run x", "bid cost", "± ", " *"):
        assert text in words
    body = html[html.index("<body>") :]
    places = [body.index(t) for t in ('class="answer"', 'id="M1"', "Key numbers", "<h2>Mechanisms",
                                      "<h2>Parameters", "<h2>Provenance")]  # fmt: skip
    assert places == sorted(places)


def test_tables_say_the_differences(both: w.Comparison) -> None:
    words = read(render(both)).words
    row = both.differences().query("task == 'all' and metric == 'miss_rate'").iloc[0]
    told = f"{'+' if row['difference'] > 0 else '−'}{abs(100 * row['difference']):.3g}"
    assert any(told in word and "points" in word for word in words)


@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_it_draws_in_a_browser(both: w.Comparison, tmp_path: Path) -> None:
    """The page runs its script without an error and puts the drawing where it belongs."""
    path = write_comparison(both, tmp_path / "report.html")
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
               "--no-first-run", "--disable-background-networking", "--virtual-time-budget=9000",
               f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "main-svg" in done.stdout
    assert "second score" in done.stdout
