"""Figures: complete registry, honest data, one colour per seller, names that cannot be markup."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from walras.analysis.figures import FIGURES, Figure, price_paths
from walras.analysis.figures.contours import indifference
from walras.analysis.figures.frames import entries_and_exits, seller_colours, steady, warm_from
from walras.analysis.figures.map_labels import class_labels
from walras.analysis.figures.notation import duration, number, time_ticks
from walras.analysis.figures.plane import CELL, cells, lay_out
from walras.analysis.figures.template import (
    OKABE_ITO,
    escape,
    label,
    palette,
    paper,
    plain,
    printable,
    spread,
)
from walras.analysis.figures.utility import Terms, terms, utility_lines
from walras.analysis.figures.who_serves import _merged
from walras.analysis.report import render
from walras.market.rules import HARD
from walras.market.schema.arrivals import Poisson
from walras.market.schema.demand import TaskClass
from walras.market.schema.distributions import LogNormal
from walras.market.schema.market import Market
from walras.market.schema.supply import Rates, Seller
from walras.scenarios.result import Result
from walras.scenarios.run import run

from .fake_result import HOSTILE, fake_result, hostile_result

ALL = list(FIGURES.values())
DRAWN = [figure for figure in ALL if figure.id not in ("F5", "F14")]
"""Figures of markets in which no seller moves its price by a strategy, of any replications."""


@pytest.fixture(scope="module")
def result() -> Result:
    return fake_result(tasks=8000)


@pytest.fixture(scope="module")
def hostile() -> Result:
    return hostile_result()


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> Result:
    short = short_run(5.0)
    folder = replace(short, record="summary").save(tmp_path_factory.mktemp("run"))
    return Result.load(folder)


def strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, (list, tuple, np.ndarray)):
        for value in node:
            yield from strings(value)


# --- the registry ------------------------------------------------------------------------------


def test_registry_is_complete() -> None:
    assert list(FIGURES) == ["F1", "F3", "F4", "F5", "F10", "F11", "F14"]
    assert all(figure.id == key for key, figure in FIGURES.items())
    assert all(figure.question.endswith("?") for figure in ALL)


@pytest.mark.parametrize("figure", DRAWN, ids=lambda f: f.id)
def test_each_figure_has_traces_data_caption_and_command(
    figure: Figure[Result], result: Result
) -> None:
    drawn = figure.builder(result)
    assert isinstance(drawn, go.Figure)
    assert drawn.data
    assert plain(drawn.layout.title.text)
    data = figure.data(result)
    assert len(data)
    assert data.attrs["units"]
    back = pd.read_csv(io.StringIO(figure.csv(result)))
    assert list(back) == list(data)
    assert len(back) == len(data)
    assert len(figure.caption(result)) > 80
    assert figure.command(result).startswith("walras run")
    assert f'id="{figure.id}"' in figure.html(result)


@pytest.mark.parametrize("figure", ALL, ids=lambda f: f.id)
def test_figures_survive_a_market_without_anything(figure: Figure[Result]) -> None:
    """One class, one seller, no deadline, no price, one value: nothing to compare."""
    full = fake_result(classes=1, sellers=1, tasks=300, reps=1)
    task = full.market.tasks[0].model_dump() | {"deadline": None, "value": 1.0}
    seller = full.market.sellers[0].model_dump() | {"price": {}}
    market = Market.model_validate({"tasks": [task], "sellers": [seller], "run": full.market.run})
    trades = full.trades.assign(deadline=np.nan, value=1.0)
    sellers, prices = full.sellers.assign(revenue=0.0), full.prices.assign(price=0.0)
    bare = replace(full, market=market, trades=trades, sellers=sellers, prices=prices)
    assert isinstance(figure.builder(bare), go.Figure)
    assert figure.caption(bare)


def short_run(rate: float, *, output: float = 60.0, warmup: str = "0 s") -> Result:
    """One minute of a small market with two classes."""
    tasks = [
        TaskClass("bound", Poisson(rate), output_tokens=output, deadline="5 s"),
        TaskClass("free", Poisson(rate / 3), output_tokens=output, value=LogNormal(1.0, 1.0)),
    ]
    cheap = Seller("cheap", accuracy=0.7, speed=60, slots=4, price=Rates(output=0.4))
    good = Seller("good", accuracy=0.9, speed=60, price=Rates(output=8.0))
    market = Market(tasks=tasks, sellers=[cheap, good])
    return run(market, until="60 s", seed=1, warmup=warmup)


@pytest.mark.parametrize(
    ("rate", "output", "warmup"),
    [(1e-9, 60.0, "0 s"), (0.02, 60.0, "0 s"), (0.02, 60.0, "30 s"), (0.05, 60.0, "0 s"),
     (0.2, 60.0, "0 s"), (2.0, 0.0, "0 s")],
)  # fmt: skip
def test_figures_of_short_runs(rate: float, output: float, warmup: str) -> None:
    few = short_run(rate, output=output, warmup=warmup)
    for figure in ALL:
        figure.data(few)
        assert isinstance(figure.builder(few), go.Figure), figure.id
        assert figure.caption(few)
    page = render(few)
    assert "is left out" not in page


def test_a_dominant_offer_keeps_its_band() -> None:
    table = pd.DataFrame({"task": "a", "offer": ["x", "y", "z"], "share": [0.978, 0.011, 0.011]})
    assert list(_merged(table, "offer", "other", 0.026)) == ["x", "other", "other"]
    two = table.iloc[:2]
    assert list(_merged(two, "offer", "other", 0.026)) == ["x", "y"]


def test_long_names_are_cut_in_the_middle() -> None:
    one, two = (label("a-seller-with-a-very-long-name-indeed-" + end) for end in ("1 · x", "2 · x"))
    assert one != two
    assert len(one) == len(two) == 36


def test_a_seller_nobody_uses_does_not_stretch_the_prices(result: Result) -> None:
    last = result.market.sellers[-1].name
    epochs = result.epochs[result.epochs["seller"] != last]
    many = replace(result, epochs=epochs)
    names = {t.name for t in FIGURES["F3"].builder(many).data}
    said = "Left out" in FIGURES["F3"].caption(many)
    assert said == (last not in names)


def test_no_panel_without_anything_to_show(result: Result) -> None:
    unlimited = replace(result, sellers=result.sellers.assign(utilisation=np.nan, revenue=0.0))
    assert "Below" not in FIGURES["F10"].caption(unlimited)
    assert "Below" in FIGURES["F10"].caption(result)
    assert "revenue" not in FIGURES["F11"].caption(unlimited)
    assert FIGURES["F11"].builder(unlimited).layout.yaxis2.title.text == "HHI"
    assert FIGURES["F11"].builder(result).layout.yaxis3.title.text == "HHI"


@pytest.mark.parametrize("id", ["F1", "F4", "F10"])
def test_no_tasks_give_no_data(id: str, result: Result) -> None:
    empty = replace(
        result, trades=result.trades[:0], epochs=result.epochs[:0], latencies=result.latencies[:0]
    )
    assert FIGURES[id].data(empty).empty
    assert said(FIGURES[id].builder(empty))


def said(figure: go.Figure) -> str:
    """Return what stands in the middle of a figure without anything to draw."""
    assert not figure.data
    assert not figure.layout.xaxis.visible
    assert not figure.layout.yaxis.visible
    (note,) = figure.layout.annotations
    return plain(note.text)


def test_an_impossible_figure_says_why(result: Result) -> None:
    free = replace(result, prices=result.prices.assign(price=0.0))
    idle = replace(result, epochs=result.epochs.assign(served=0))
    point = replace(result, trades=result.trades.assign(deadline=9.0, value=1.0))
    idle_trades = replace(result, trades=result.trades.assign(value=0.0))
    for id, case, words in (
        ("F1", point, "one point of this plane"), ("F1", idle_trades, "no stakes"),
        ("F3", free, "All prices are zero"), ("F11", idle, "No seller served a task"),
    ):  # fmt: skip
        assert words in said(FIGURES[id].builder(case)), id


@pytest.mark.parametrize("figure", ALL, ids=lambda f: f.id)
def test_a_run_of_summaries_only_says_so(figure: Figure[Result], summaries: Result) -> None:
    """A folder without epochs gives a plain error; its report has what there is."""
    with pytest.raises(ValueError, match="kept summaries only; run with record='epochs'"):
        figure.builder(summaries)
    page = render(summaries)
    assert f"{figure.id}, “{figure.question}”, is left out" in page
    assert "KeyError" not in page


@pytest.mark.parametrize("figure", DRAWN, ids=lambda f: f.id)
def test_names_are_never_markup(figure: Figure[Result], hostile: Result) -> None:
    found = list(strings(figure.builder(hostile).to_plotly_json()))
    assert any("&lt;script" in text for text in found)
    assert not [text for text in found if "<script" in text or '<b>"' in text]


def test_a_seller_has_one_colour_everywhere(result: Result) -> None:
    colours = seller_colours(result)
    for id in ("F1", "F3", "F11"):
        for trace in FIGURES[id].builder(result).data:
            if trace.name not in colours:
                continue
            drawn = trace.fillcolor if id == "F11" else (
                trace.marker.color if id == "F1" else trace.line.color
            )  # fmt: skip
            assert drawn in (colours[trace.name], "#c4c4c4"), (id, trace.name)


# --- F1 ----------------------------------------------------------------------------------------


def two_offers(times: list[list[float]], prices: list[float], right: list[float]) -> Terms:
    return Terms(
        offers=["plain/e", "good/e"],
        right=np.array(right),
        price=np.array(prices),
        times=np.array(times),
        refunds=np.zeros((2, 2)),
        loss=0.0,
        delay=(0.0, 0.0),
        rule=(HARD, 0.0),
    )


def test_indifference_is_price_difference_over_accuracy_difference() -> None:
    known = two_offers([[1.0], [1.0]], [0.1, 0.5], [0.5, 0.9])
    slope, start = utility_lines(known, np.array([math.inf, math.inf]))
    assert slope == pytest.approx(np.array([[0.5, 0.9]] * 2))
    assert start == pytest.approx(np.array([[-0.1, -0.5]] * 2))
    x, y = np.array([0.0, 1.0]), np.linspace(-2, 2, 50)
    points = indifference(slope, start, x, y)
    points = points[:, ~np.isnan(points[0])]
    assert points[0].tolist() == [1.0, 0.0]
    assert 10.0 ** points[1] == pytest.approx([1.0, 1.0], rel=5e-3)


def test_utility_counts_the_probability_of_being_in_time() -> None:
    known = two_offers([[1.0, 3.0], [2.0, 9.0]], [0.0, 0.0], [1.0, 0.5])
    known = replace(known, loss=0.25, delay=(0.01, 0.1))
    slope, start = utility_lines(known, np.array([2.0]))
    # half in time; delay: 2 s (5.5 s) at 0.01 USD/s + 0.1/s of V; the loss is there at any V
    assert start == pytest.approx(np.array([[-0.02, -0.055 - 0.5 * 0.25 * 0.5]]))
    assert slope == pytest.approx(np.array([[0.5 - 0.2, 0.25 - 0.55]]))


def test_terms_are_those_of_the_run(result: Result) -> None:
    task = result.market.tasks[3]
    known = terms(result, task, result.trades)
    assert known is not None
    assert known.offers[-1] == "outside"
    assert len(known.right) == len(result.market.offers)
    done = steady(result, result.epochs)
    mine = done[(done["task"] == task.name) & (done["offer"] == "mini-reasoner/high")]
    price = known.price[known.offers.index("mini-reasoner/high")]
    assert price == pytest.approx(mine["paid"].sum() / mine["served"].sum())
    assert (np.diff(known.times, axis=1) >= 0).all()


def test_cells_count_every_task_once(result: Result) -> None:
    plane = lay_out(result.trades)
    found = cells(plane, least=1)
    assert found["tasks"].sum() == len(plane.tasks)
    assert found["share"].between(0, 1, inclusive="right").all()
    assert not found.duplicated(["x0", "y0"]).any()


def test_a_fixed_deadline_fills_a_tile_centred_on_it() -> None:
    rows = pd.DataFrame({"task": "a", "offer": "s/e", "deadline": 300.0,
                         "value": np.geomspace(1, 10, 40)})  # fmt: skip
    x = lay_out(rows).tasks["x"]
    assert x.max() - x.min() > 0.8 * CELL
    assert (x - math.log10(300)).abs().max() <= CELL / 2
    (start,) = cells(lay_out(rows))["x0"].unique()
    assert start == pytest.approx(math.log10(300) - CELL / 2)


def test_tasks_without_deadline_stand_apart() -> None:
    rows = pd.DataFrame({"task": ["a"] * 30 + ["b"] * 30, "offer": "s/e",
                         "value": 1.0, "deadline": [10.0] * 30 + [math.nan] * 30})  # fmt: skip
    plane = lay_out(rows)
    apart = plane.tasks[plane.tasks["task"] == "b"]["x"]
    assert apart.between(plane.none - CELL, plane.none + CELL).all()
    assert apart.min() > plane.x[-1]


def test_a_tile_ends_with_the_longest_deadline() -> None:
    deadlines = np.geomspace(300.0, 1800.0, 400)  # the grid has lines at 1778 s and 3162 s
    rows = pd.DataFrame({"task": "a", "offer": "s/e", "deadline": deadlines, "value": 1.0})
    found = cells(lay_out(rows))
    assert 10 ** found["x0"].min() == pytest.approx(300.0)
    assert 10 ** found["x1"].max() == pytest.approx(1800.0)
    assert (found["x1"] - found["x0"]).min() > CELL / 3
    ends = found[["x0", "x1"]].drop_duplicates().sort_values("x0").to_numpy()
    assert ends[1:, 0] == pytest.approx(ends[:-1, 1])


def test_one_point_is_no_plane(result: Result) -> None:
    point = replace(result, trades=result.trades.assign(deadline=np.nan, value=1.0))
    assert FIGURES["F1"].data(point).empty
    assert not FIGURES["F1"].builder(point).data


def test_without_deadlines_no_time_is_marked(result: Result) -> None:
    free = replace(result, trades=result.trades.assign(deadline=np.nan))
    assert FIGURES["F1"].builder(free).layout.xaxis.ticktext == ("no deadline",)


def test_names_of_classes_stand_by_their_own_tasks() -> None:
    boxes = [
        ("alone", (0.0, 0.5, 0.0, 1.0)), ("inside", (2.1, 2.4, 0.5, 1.0)),
        ("around", (2.0, 2.5, 0.0, 2.0)), ("wall", (2.52, 2.6, 0.0, 2.0)),
        ("edge", (4.8, 5.0, 0.0, 1.0)),
    ]  # fmt: skip
    notes: dict[str, Any] = {
        str(n["text"])[3:-4]: n for n in class_labels(boxes, (-1.0, 5.0), (-1.0, 3.0))
    }
    assert notes["alone"]["xanchor"] == "center"
    assert notes["alone"]["x"] == pytest.approx(0.25)
    assert notes["inside"]["showarrow"]  # nothing beside it is free
    # held by the end at its tasks, so that it stays there on a wider page
    assert (notes["around"]["xanchor"], notes["around"]["x"]) == ("right", pytest.approx(2.0))
    assert notes["edge"]["x"] < 4.9


# --- the other figures -------------------------------------------------------------------------


def test_every_task_has_one_outcome(result: Result) -> None:
    data = FIGURES["F4"].data(result)
    epochs = steady(result, result.epochs)
    ended = epochs[["served", "reneged", "failed"]].sum().sum()
    ended += epochs.loc[epochs["offer"] == "outside", "assigned"].sum()
    assert data["tasks"].sum() == pytest.approx(ended)
    assert data.groupby("task")["share"].sum().to_numpy() == pytest.approx(1.0)


def test_quantiles_are_those_of_the_answers(result: Result) -> None:
    data = FIGURES["F10"].data(result)
    t = steady(result, result.trades, "arrival")
    t = t[(t["task"] == "migration") & (t["offer"] == "big-o1/high") & (t["status"] == "served")]
    row = data[(data["task"] == "migration") & (data["offer"] == "big-o1/high")].iloc[0]
    for name, q in (("p5", 0.05), ("median", 0.5), ("p95", 0.95)):
        assert row[name] == pytest.approx(t["sojourn"].quantile(q), rel=0.13)  # a bin is 12% wide
    assert row["served"] == len(t)


def test_shares_sum_to_one_and_hhi_is_theirs(result: Result) -> None:
    data = FIGURES["F11"].data(result)
    by_epoch = data.groupby("start")
    assert by_epoch["served_share"].sum().to_numpy() == pytest.approx(1.0)
    assert data["hhi_served"].between(0, 1).all()
    one = fake_result(classes=2, sellers=1, tasks=500, reps=1)
    assert FIGURES["F11"].data(one)["hhi_served"].dropna().to_numpy() == pytest.approx(1.0)


def test_entries_and_exits_are_marked(result: Result) -> None:
    assert entries_and_exits(result.market) == [
        (30000.0, "enters", "qwen-32b"),
        (60000.0, "exits", "four-o"),
    ]
    notes = [note.text for note in FIGURES["F11"].builder(result).layout.annotations]
    assert "qwen-32b enters" in notes
    assert "four-o exits" in notes


def test_who_enters_in_the_first_epoch_is_not_marked(result: Result) -> None:
    first = result.market.sellers[0].model_copy(update={"enters": 5.0})
    market = result.market.model_copy(update={"sellers": (first, *result.market.sellers[1:])})
    figure = FIGURES["F11"].builder(replace(result, market=market))
    notes = [note.text for note in figure.layout.annotations]
    assert f"{first.name} enters" not in notes
    assert "qwen-32b enters" in notes
    assert figure.layout.xaxis.range[0] == 0.0


def test_prices_that_stop_moving_are_told_from_those_that_go_on(result: Result) -> None:
    assert FIGURES["F3"].builder(result).layout.title.text.endswith("still move at the end")
    late = result.prices["start"] > 40_000
    first = result.prices.groupby(["rep", "offer"], observed=True)["price"].transform("first")
    calm = replace(result, prices=result.prices.assign(
        price=result.prices["price"].where(~late, 2 * first)))  # fmt: skip
    assert "none changes after" in price_paths.finding(calm)


def test_price_fan_spans_replications(result: Result) -> None:
    data = FIGURES["F3"].data(result)
    assert (data["low"] <= data["median"]).all()
    assert (data["median"] <= data["high"]).all()
    moved = data[data["seller"] == "sonnet-3.7"]
    assert (moved["high"] > moved["low"]).any()
    assert (moved["marginal_cost"] == 5.0).all()


def test_efforts_priced_apart_have_a_path_each(result: Result) -> None:
    """Sellers with one price for all efforts keep one path."""
    assert len(FIGURES["F3"].data(result).query("seller == 'big-o1'")["path"].unique()) == 1
    late = (result.prices["offer"] == "big-o1/high") & (result.prices["epoch"] > 50)
    prices = result.prices.assign(price=result.prices["price"].where(~late, 90.0))
    apart = replace(result, prices=prices)
    data = FIGURES["F3"].data(apart).query("seller == 'big-o1'")
    ends = data.sort_values("start").groupby("path")["median"].last()
    assert ends.to_dict() == {"big-o1 · high": 90.0, "big-o1 · low": 60.0}
    figure = FIGURES["F3"].builder(apart)
    assert {"big-o1 · high", "big-o1 · low"} <= {trace.name for trace in figure.data}


def test_warm_up_is_rounded_up_to_epochs(result: Result) -> None:
    run = result.market.run.model_copy(update={"warmup": 1.0})
    market = result.market.model_copy(update={"run": run})
    assert warm_from(replace(result, market=market)) == 864.0


# --- the template ------------------------------------------------------------------------------


def test_colours_are_distinct_and_okabe_ito_first() -> None:
    colours = palette(map(str, range(21)))
    assert len(set(colours.values())) == 21
    assert tuple(colours.values())[:7] == OKABE_ITO


def test_paper_size_is_in_inches_and_points(result: Result) -> None:
    figure = FIGURES["F1"].builder(result)
    small = paper(figure, 6.5, 4.0, points=9.0)
    assert (small.layout.width, small.layout.height) == (624, 384)
    assert small.layout.template.layout.font.size == 12.0
    assert small.layout.margin.l == pytest.approx(figure.layout.margin.l * 12 / 13, abs=0.01)
    assert (figure.layout.legend.orientation, small.layout.legend.orientation) == (None, "h")
    assert small.layout.margin.r < 0.2 * figure.layout.margin.r  # the legend has gone above
    dots, drawn = (next(f.select_traces({"mode": "markers"})) for f in (small, figure))
    assert dots.marker.size == pytest.approx(drawn.marker.size * 12 / 13, abs=0.01)
    assert not small.layout.updatemenus
    assert figure.layout.updatemenus
    title = figure.layout.yaxis.title.text
    tiny = paper(figure, 3.0, 2.0).layout.yaxis.title.text
    assert "<br>" in tiny
    assert plain(tiny) == plain(title)
    bubbles = go.Figure(go.Scatter(x=[1, 2], y=[1, 2], marker={"size": [13.0, 26.0]}))
    assert list(paper(bubbles, 3.0, 2.0, points=4.875).data[0].marker.size) == [6.5, 13.0]


@given(
    wanted=st.lists(st.floats(-5, 5), min_size=1, max_size=12),
    gap=st.floats(0.01, 2),
)
def test_spread_labels_keep_apart_and_in_order(wanted: list[float], gap: float) -> None:
    placed = spread(wanted, gap, -6.0, 6.0)
    fits = min(gap, 12.0 / max(len(wanted) - 1, 1))
    ranked = sorted(placed)
    assert all(b - a >= fits - 1e-9 for a, b in pairwise(ranked))
    assert ranked[0] >= -6.0 - 1e-9
    assert ranked[-1] <= 6.0 + 1e-9
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    assert [placed[i] for i in order] == ranked


@given(st.text())
def test_escaped_text_comes_back(text: str) -> None:
    assert "<" not in escape(text)
    assert plain(escape(text)) == printable(text)
    assert printable(text).isprintable()


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_numbers_are_always_words(value: float) -> None:
    assert number(value)
    assert duration(abs(value))


def test_time_axis_has_ticks_at_any_length() -> None:
    for low, high in ((0.01, 0.02), (0.2, 0.9), (1.0, 1e6), (250.0, 700.0)):
        ticks, labels = time_ticks(low, high)
        assert len(ticks) == len(labels) >= 1
    assert time_ticks(0.2, 0.9)[1] == ["200 ms", "500 ms"]
    assert time_ticks(1.6, 500.0)[1] == ["3 s", "10 s", "30 s", "1 min", "3 min"]
    assert time_ticks(200.0, 3000.0)[1] == ["5 min", "10 min", "20 min", "30 min"]


def test_hostile_name_is_hostile() -> None:
    assert "<script>" in HOSTILE
