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
from walras.analysis.figures import FIGURES, SWEEPS
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
    assert list(SWEEPS) == ["F6", "F9", "F14"]
    assert all(figure.question.endswith("?") for figure in SWEEPS.values())
    builders = {w.plot.responses, w.plot.indices, w.plot.enough_seeds}
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
    mean = intervals(grid, "y", by="setting")["mean"].max()  # the first may be near 0
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
