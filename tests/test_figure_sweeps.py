"""The figures of sweeps: what is drawn is what the analysis says; files, captions, odd sweeps."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import walras as w
from walras import cli
from walras.analysis.figures import BOUNDARIES, FIGURES, SWEEPS
from walras.analysis.figures.half_widths import half_widths
from walras.analysis.figures.template import paper
from walras.analysis.sweeps import intervals, morris, sobol
from walras.drawing import draw
from walras.market.schema.errors import BadInputError
from walras.scenarios.sweep.swept import Sweep

from .fake_result import fake_result
from .made_sweep import made, path

A, B, C = (path(name) for name in "abc")
LUCK = np.random.default_rng(1).normal(size=100)
SPANS = {A: (1.0, 2.0), B: (1.0, 2.0)}


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return made(tmp_path_factory.mktemp("grid") / "sweep",
                lambda at, rep: 10.0 + at[A] * at[B] + LUCK[rep] + 0.1 * LUCK[rep + 50] * at[A],
                levers={A: [1.0, 2.0, 3.0], B: [1.0, 2.0]}, seeds=20)  # fmt: skip


@pytest.fixture(scope="module")
def saltelli(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    levers = {"mechanism": ["posted_price", "vickrey"]}
    return made(tmp_path_factory.mktemp("saltelli") / "sweep",
                lambda at, rep: at[A] + 2.0 * at[B] + LUCK[rep], levers=levers,
                uncertainties=SPANS, sample={"kind": "saltelli", "size": 64})  # fmt: skip


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return made(tmp_path_factory.mktemp("morris") / "sweep",
                lambda at, rep: at[A] + 2.0 * at[B] ** 2, uncertainties=SPANS,
                sample={"kind": "morris", "size": 8})  # fmt: skip


def drawn(sweep: Sweep, id: str) -> go.Figure:
    """Return a figure, its data and caption looked at."""
    figure = SWEEPS[id]
    table = figure.data(sweep, "y")  # type: ignore[call-arg]
    assert table.attrs["units"]
    assert len(table)
    assert len(figure.caption(sweep, "y")) > 80
    picture: go.Figure = figure.builder(sweep, "y")  # type: ignore[call-arg]
    assert picture.data
    assert picture.layout.title.text
    return picture


def test_the_registry() -> None:
    assert list(SWEEPS) == ["F6", "F6b", "F9", "F14"]
    assert all(figure.question.endswith("?") for figure in SWEEPS.values())
    builders = {w.plot.responses, w.plot.fitted_surface, w.plot.indices, w.plot.enough_seeds}
    assert {figure.builder for figure in SWEEPS.values()} == builders


def test_the_tornado_is_of_the_indices(saltelli: Sweep) -> None:
    picture, table = drawn(saltelli, "F9"), sobol(saltelli, "y")
    first = next(bar for bar in picture.data if bar.name.startswith("first"))
    rows = table[table["setting"] == 0].set_index("path")
    assert list(first.y) == ["a.value", "b.value"]  # the greatest on top
    assert list(first.x) == pytest.approx([rows["S1"][A], rows["S1"][B]])
    assert list(first.error_x.array) == pytest.approx(
        [rows["S1_high"][p] - rows["S1"][p] for p in (A, B)]
    )
    titles = [note.text for note in picture.layout.annotations]
    assert titles == ["mechanism<br>posted_price", "mechanism vickrey"]
    assert "of the variance of y is b.value’s alone" in picture.layout.title.text


def test_the_screen_is_of_the_effects(screened: Sweep) -> None:
    picture, table = drawn(screened, "F9"), morris(screened, "y").set_index("path")
    marks = {t.name: (t.x[0], t.y[0]) for t in picture.data if t.mode == "markers"}
    assert marks["b.value"] == pytest.approx((table["mu_star"][B], table["sigma"][B]))
    assert len({t.marker.symbol for t in picture.data if t.mode == "markers"}) == 2


def test_responses_are_means_with_intervals(grid: Sweep) -> None:
    picture, table = drawn(grid, "F6"), intervals(grid, "y", by="setting")
    lines = [t for t in picture.data if t.mode == "lines+markers"]
    assert [line.name for line in lines] == ["b.value 1", "b.value 2"]
    assert len({(t.line.dash, t.marker.symbol) for t in lines}) == 2  # in grey, too
    rows = table[table[B] == 1.0]
    assert list(lines[0].y) == pytest.approx(list(rows["mean"]))
    assert list(lines[0].error_y.array) == pytest.approx(list(rows["high"] - rows["mean"]))
    assert list(lines[0].customdata) == [1.0, 2.0, 3.0]


def test_widths_are_those_of_means_and_of_paired_differences(grid: Sweep) -> None:
    drawn(grid, "F14")
    table = SWEEPS["F14"].data(grid, "y")  # type: ignore[call-arg]
    last = table[table["n"] == 20].set_index(["panel", "line"])["half_width"]
    first = "a.value 1, b.value 1"
    mean = intervals(grid, "y", by="setting")["mean"][0]
    own = 10.0 + 1.0 + LUCK[:20] + 0.1 * LUCK[50:70]
    half = 2.093024 * own.std(ddof=1) / math.sqrt(20)
    assert last["means", first] == pytest.approx(half / mean, rel=1e-5)
    paired = w.effects(grid, "y").set_index("setting")
    line = "a.value 3, b.value 2"
    half = 0.5 * (paired["high"][5] - paired["low"][5])
    assert last["paired differences to the first", line] == pytest.approx(half / mean)
    assert last["paired differences to the first", line] < 0.4 * last["means", line]


def test_widths_of_normal_values_fall_as_the_root() -> None:
    """A half-width of 3% at 100: the target of 1% takes 9 times as many."""
    values = 50.0 + 7.5 * np.resize([-1.0, 1.0], 100)
    table = half_widths({("means", "a"): (values, 50.0)})
    row = table[table["n"] == 100].iloc[0]
    width = 1.984217 * 7.5 * math.sqrt(100 / 99) / 10.0 / 50.0
    assert row["half_width"] == pytest.approx(width, rel=1e-5)
    assert row["needed"] == math.ceil(100 * (width / 0.01) ** 2)


def test_a_run_has_widths_if_it_has_replications() -> None:
    one, several = fake_result(tasks=500, reps=1), fake_result(tasks=2_000, reps=4)
    assert FIGURES["F14"].data(one).empty
    assert "--reps" in FIGURES["F14"].caption(one)
    table = FIGURES["F14"].data(several)
    assert {"welfare", "price", "sojourn"} <= set(table["line"])
    assert "after 4 replications" in FIGURES["F14"].builder(several).layout.title.text.lower()
    assert 'id="F14"' in FIGURES["F14"].html(several)
    assert table["n"].max() == 4


def test_on_paper_the_legend_stands_over_titles(grid: Sweep, screened: Sweep) -> None:
    """One line of titles, or none."""
    both, one = (paper(drawn(s, id), 7.0, 4.4) for s, id in ((grid, "F14"), (screened, "F9")))
    assert both.layout.legend.y > 1.05
    assert one.layout.legend.y == 1.0


def test_files(saltelli: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "f9.html"
    assert cli.main(["figure", "F9", str(saltelli.folder), "--metric", "y", "-o", str(out)]) == 0
    assert capsys.readouterr().out.split() == [str(out), str(tmp_path / "f9.csv")]
    assert 'id="F9"' in out.read_text()
    table = pd.read_csv(io.StringIO((tmp_path / "f9.csv").read_text()))
    assert table["ST"].to_numpy() == pytest.approx(sobol(saltelli, "y")["ST"].to_numpy(), rel=1e-4)


@pytest.mark.parametrize(("id", "how", "said"), [
    ("F1", {"metric": "y"}, "has no figure F1"), ("F9", {"metric": "z"}, 'no run has "z".*has y'),
    ("F6", {"metric": "y", "along": ["x"]}, "has moved its levers"),
])  # fmt: skip
def test_what_cannot_be_drawn(saltelli: Sweep, id: str, how: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        draw(id, saltelli.folder, **how)


def test_sweeps_that_show_nothing(grid: Sweep, saltelli: Sweep, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nothing to draw as F9"):
        draw("F9", grid.folder, metric="y")
    with pytest.raises(BadInputError, match="nothing to draw as F14"):
        draw("F14", saltelli.folder, metric="y")
    flat = made(tmp_path / "flat", lambda at, rep: 1.0, uncertainties=SPANS, seeds=3,
                sample={"kind": "saltelli", "size": 4})  # fmt: skip
    assert "is the same everywhere" in drawn(flat, "F9").layout.title.text
    assert SWEEPS["F14"].data(flat, "y").empty  # type: ignore[call-arg]
    (flat.folder / "results.parquet").unlink()
    with pytest.raises(BadInputError, match="48 of 48 runs are done; repeat the command"):
        draw("F9", flat.folder, metric="y")
    market = w.Market([w.TaskClass("k", w.Poisson(1.0))], [w.Seller("s")])
    w.run(market, until=60.0).save(tmp_path / "run")
    with pytest.raises(BadInputError, match="only figures of sweeps"):
        draw("F4", tmp_path / "run", metric="y")


# --- surfaces and boundaries ---------------------------------------------------------------------

POWERS = [1.0, 1.5, 2.0, 2.5, 3.0]


def curved(folder: Path) -> Sweep:
    """4 a - a² + 10, whose slope is 0 at 2, and luck that grows with a."""
    return made(folder, lambda at, rep: 10.0 + 4.0 * at[A] - at[A] ** 2 + LUCK[rep] * at[A],
                levers={A: POWERS}, seeds=20)  # fmt: skip


def test_a_surface_of_one_path_is_a_curve_in_its_band(tmp_path: Path) -> None:
    sweep = curved(tmp_path / "sweep")
    picture, fitted = drawn(sweep, "F6b"), w.surface(sweep, "y")
    band, curve, points = picture.data
    assert list(points.x) == POWERS
    means = [10.0 + 4.0 * x - x**2 + LUCK[:20].mean() * x for x in POWERS]
    assert list(points.y) == pytest.approx(means)
    at = np.array(curve.x)
    assert list(curve.y) == pytest.approx([fitted.predict({A: x}) for x in at])
    half = 2.093024 * LUCK[:20].std(ddof=1) / math.sqrt(20)  # of the slope, in each replication
    upper, lower = np.split(np.array(band.y), 2)
    assert upper == pytest.approx(np.array(curve.y) + half * at, rel=1e-6)
    assert lower[::-1] == pytest.approx(np.array(curve.y) - half * at, rel=1e-6)


def test_a_level_is_marked_where_the_curve_crosses_it(tmp_path: Path) -> None:
    sweep = made(tmp_path / "sweep", lambda at, rep: at[A] ** 2, levers={A: POWERS}, seeds=2)
    picture = SWEEPS["F6b"].builder(sweep, "y", level=4.0)  # type: ignore[call-arg]
    assert list(picture.data[-1].x) == pytest.approx([2.0], abs=1e-3)
    assert picture.layout.title.text == "The surface of y is 4 USD/h at a.value 2"
    outside = SWEEPS["F6b"].builder(sweep, "y", level=20.0)  # type: ignore[call-arg]
    assert "is below 20 USD/h everywhere" in outside.layout.title.text


def test_a_surface_of_two_paths_is_contours_over_the_points(saltelli: Sweep) -> None:
    """a + 2 b under the first mechanism; the paths keep their axes."""
    picture = drawn(saltelli, "F6b")
    contour, points = picture.data
    luck = LUCK[0]
    truth = np.array(contour.x)[None, :] + 2.0 * np.array(contour.y)[:, None] + luck
    assert np.array(contour.z) == pytest.approx(truth)
    assert list(points.marker.color) == pytest.approx(
        [a + 2.0 * b + luck for a, b in zip(points.x, points.y, strict=True)]
    )
    caption = SWEEPS["F6b"].caption(saltelli, "y")
    assert "Held: mechanism posted_price." in caption
    half = SWEEPS["F6b"].builder(saltelli, "y", level=4.5 + luck)  # type: ignore[call-arg]
    assert "in 50% of the plane" in half.layout.title.text
    level = half.data[1]
    assert (level.contours.start, level.contours.end) == (4.5 + luck, 4.5 + luck)


def test_of_more_paths_the_two_that_matter_most_are_drawn(tmp_path: Path) -> None:
    spans = {A: (1.0, 2.0), B: {"low": 0.1, "high": 10.0, "scale": "log"}, C: (1.0, 2.0)}
    sweep = made(tmp_path / "sweep", lambda at, rep: 0.1 * at[A] + math.log(at[B]) - 3.0 * at[C],
                 uncertainties=spans, sample={"kind": "latin_hypercube", "size": 32})  # fmt: skip
    picture = drawn(sweep, "F6b")
    assert picture.layout.xaxis.title.text == "b.value"
    assert (picture.layout.xaxis.type, picture.layout.yaxis.type) == ("log", "linear")
    assert picture.layout.yaxis.title.text == "c.value"
    assert "Held: a.value 1.5." in SWEEPS["F6b"].caption(sweep, "y")
    table = SWEEPS["F6b"].data(sweep, "y")  # type: ignore[call-arg]
    assert table["kind"].value_counts().to_dict() == {"fitted": 41 * 41, "point": 32}


def test_a_surface_from_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = curved(tmp_path / "sweep").folder
    line = ["figure", "F6b", str(folder), "--metric", "y", "--level", "13"]
    assert cli.main([*line, "-o", str(tmp_path / "a.html")]) == 0
    page = (tmp_path / "a.html").read_text()
    assert "The dashed line is the level 13 USD/h" in page
    assert "--level 13.0" in page  # the command that draws it again
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table[table["kind"] == "point"][A]) == POWERS
    assert cli.main(["figure", "F6", str(folder), "--level", "13"]) == 2
    assert "only F6b has a line at a level" in capsys.readouterr().err
    words = made(tmp_path / "words", lambda at, rep: 1.0, seeds=2,
                 levers={"mechanism": ["posted_price", "vickrey"]})  # fmt: skip
    assert cli.main(["figure", "F6b", str(words.folder), "--metric", "y"]) == 2
    assert "nothing to draw as F6b" in capsys.readouterr().err


def edge(across: str = "", values: tuple[Any, ...] = (1,)) -> w.Boundary:
    """What is found of a crossing of 0.5 at 1.4, whatever the second path."""
    points = pd.DataFrame([
        {**({across: v} if across else {}), "low": 1.25, "high": 1.5, "estimate": 1.4,
         "est_low": 1.35, "est_high": 1.46, "decided": True, "runs": 20, "why": ""}
        for v in values
    ])  # fmt: skip
    steps = pd.DataFrame([
        {**({across: v} if across else {}), B: x, "n": 4, "mean": 1.4 - x, "se": 0.1,
         "sign": sign, "looks": 1}
        for v in values for x, sign in ((1.0, 1), (2.0, -1), (1.5, -1), (1.25, 1), (1.375, 0))
    ])  # fmt: skip
    steps.attrs["units"] = {"mean": "USD/h"}
    return w.Boundary(points, steps, B, across, "profit of all, one", 0.05, level=0.5)


def test_a_boundary_is_the_response_and_its_crossing() -> None:
    figure = BOUNDARIES["F6c"]
    assert figure.builder is w.plot.phase_boundary
    picture = figure.builder(edge())
    traces = {t.name: t for t in picture.data}
    assert set(traces["bracket"].x) == {1.25, 1.5}
    assert traces["level 0.5"].y == (0.5, 0.5)
    assert list(traces["above"].x) == [1.0, 1.25]
    assert list(traces["above"].y) == pytest.approx([0.9, 0.65])  # mean over the level, and it
    assert list(traces["above"].error_y.array) == pytest.approx([0.3182446] * 2)  # t of 3
    assert list(traces["not known"].x) == [1.375]
    assert list(traces["estimate"].error_x.array) == pytest.approx([0.06])
    assert len({t.marker.symbol for t in picture.data if t.mode == "markers"}) == 4  # in grey, too
    assert "crosses 0.5 USD/h between b.value 1.25 and 1.5, about at 1.4" in " ".join(
        picture.layout.title.text.split("<br>")
    )
    assert "at least 95%, all looks together" in figure.caption(edge())
    assert list(figure.data(edge())["kind"]) == ["crossing", *["point"] * 5]
    assert 'id="F6c"' in figure.html(edge())


@pytest.mark.parametrize(("across", "values"), [(A, (1.0, 2.0)), ("mechanism", ("x", "y"))])
def test_boundaries_across_a_second_path(across: str, values: tuple[Any, ...]) -> None:
    found = edge(across, values)
    picture = w.plot.phase_boundary(found)
    traces = {t.name: t for t in picture.data}
    assert list(traces["estimate"].x) == list(values)
    assert list(traces["estimate"].y) == [1.4, 1.4]
    assert list(traces["bracket"].y) == [1.25, 1.5, None] * 2
    assert ("lines" in traces["estimate"].mode) == (across == A)  # no line between names
    for column in ("low", "high", "estimate"):
        found.points[column] = found.points[column].where(found.points.index == 0)
    found.points["decided"] = [True, False]
    found.points["why"] = ["", "above the level at both ends"]
    assert list({t.name: t for t in w.plot.phase_boundary(found).data}["estimate"].x) == [values[0]]
    assert "Not decided: above the level at both ends." in BOUNDARIES["F6c"].caption(found)
