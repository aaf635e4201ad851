"""Figures and report of an equilibrium: what they show is what the fluid market says."""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import walras as w
from walras import listing
from walras.analysis.certificate.certificate import Certificate
from walras.analysis.equilibrium.held import along, best_held, exploitability
from walras.analysis.equilibrium.solved import HOUR, Equilibrium, equilibrium
from walras.analysis.equilibrium_folder import save_tables
from walras.analysis.equilibrium_report import banner, render
from walras.analysis.figures import (
    EQUILIBRIA,
    basins,
    frontier,
    misallocation,
    reactions,
    theory,
    waterfall,
)
from walras.analysis.figures import exploitability as f5
from walras.analysis.figures.fluid_plane import deadlines_of, selection_map, stakes_of
from walras.analysis.figures.solved_frames import solved_colours
from walras.cli import main
from walras.market.schema.market import Market

from .test_figures import strings
from .test_report import read

HOSTILE = "<b>&x</b>"


def duo(name: str = "deep", **more: Any) -> Market:
    """Return two sellers of three offers and two classes, one with deadlines."""
    chat = w.TaskClass(
        "chat", skill="words", arrivals=w.Poisson(2.0), output_tokens=w.Exponential(mean=100.0),
        value=w.LogNormal(mean=0.2, cv=1.0), delay_cost=0.002, deadline=w.Uniform(2.0, 20.0),
        choice=w.Logit(0.03, **more),
    )  # fmt: skip
    code = w.TaskClass(
        "code", skill="words", arrivals=w.Poisson(0.5), output_tokens=w.Exponential(mean=100.0),
        value=w.LogNormal(mean=1.0, cv=1.0), choice=w.Logit(0.1, **more),
    )  # fmt: skip
    fast = w.Seller("fast", accuracy=0.7, speed=100.0, slots=8, price=w.per_mtok(0.1, 400.0),
                    cost=w.per_mtok(0.05, 100.0))  # fmt: skip
    deep = w.Seller(
        name, ability={"words": {"theta": 0.5, "beta": 0.6}},
        speed=80.0, slots=8, effort={"none": 0.0, "high": 400.0}, price=w.per_mtok(0.1, 500.0),
        cost=w.per_mtok(0.05, 150.0),
    )  # fmt: skip
    return w.Market(name="duo", tasks=[chat, code], sellers=[fast, deep])


@pytest.fixture(scope="module")
def found() -> Equilibrium:
    solved = equilibrium(duo(), certificate=False)
    manifest = {"command": "walras equilibrium duo", "seed": 0, "versions": {"walras": "x"}}
    return replace(solved, manifest=manifest)


def test_the_registry_and_the_lists_name_them() -> None:
    assert list(EQUILIBRIA) == ["F1", "F1b", "F2", "F3", "F5", "F6", "F7", "F8", "F12", "F13"]
    assert all(figure.question.endswith("?") for figure in EQUILIBRIA.values())
    names = [row["name"] for row in listing.figures()]
    assert set(EQUILIBRIA) <= set(names)
    assert "walras.plot.fluid_map(equilibrium)" in listing.figure("f1")
    assert "walras.plot.misallocation(equilibrium)" in listing.figure("F1b")


@pytest.mark.parametrize("id", [id for id in EQUILIBRIA if id != "F13"])
def test_each_has_traces_data_with_units_caption_and_command(found: Equilibrium, id: str) -> None:
    figure = EQUILIBRIA[id]
    drawn = figure.builder(found)
    assert isinstance(drawn, go.Figure)
    assert drawn.data
    table = figure.data(found)
    assert len(table)
    assert table.attrs["units"]
    assert list(pd.read_csv(io.StringIO(figure.csv(found)))) == list(table)
    assert len(figure.caption(found)) > 80
    assert drawn.layout.title.text
    assert figure.command(found) == "walras equilibrium duo"


# --- F1, F1b -----------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"nest": 0.5}])
def test_the_map_is_the_fluid_market_itself(more: dict[str, Any]) -> None:
    """A class of one deadline and one value lies on the map where the market puts its shares."""
    market = duo(**more)
    chat = market.tasks[0].model_copy(
        update={"value": w.Constant(0.3), "deadline": w.Constant(6.0)}
    )
    found = equilibrium(
        market.model_copy(update={"tasks": (chat,)}), certificate=False, prices="posted"
    )
    seen = selection_map(found.selection, 0, np.array([6.0]), np.array([0.3]))
    assert seen.share[0, 0] == pytest.approx(found.selection.share[0], abs=2e-6)
    late = selection_map(found.selection, 0, np.array([9.0]), np.array([0.3]))  # the mutant
    assert late.share[0, 0] != pytest.approx(found.selection.share[0], abs=1e-3)


def test_shares_average_to_the_market_over_the_class(found: Equilibrium) -> None:
    """Over its own deadlines and values, each with its weight, the map gives the class's shares.

    To the error that the fluid market makes by cutting the law of values: some 5e-5.
    """
    st, sel = found.selection.setting, found.selection
    mine = st.class_of == 0
    weight, value = np.diff(st.money[0].sums[0, :2])  # the finest points there are
    value = value / weight
    seen = selection_map(sel, 0, st.deadline[mine], value)
    mean = np.einsum("d,v,dvo->o", st.part[mine], weight, seen.share)
    assert mean == pytest.approx(sel.share[0], abs=1e-4)


def test_the_planners_map_is_the_planners_market(found: Equilibrium) -> None:
    """Tolls included: they hardly differ within a class."""
    sel = found.planner.selection
    st = sel.setting
    mine, money = st.class_of == 0, st.money[0]
    seen = selection_map(sel, 0, st.deadline[mine], money.value)
    mean = np.einsum("d,v,dvo->o", st.part[mine], money.weights, seen.share)
    assert mean == pytest.approx(sel.share[0], abs=2e-3)


def test_argmax_buyers_all_take_the_best_offer() -> None:
    task = duo().tasks[0].model_copy(update={"choice": w.Argmax()})
    market = duo().model_copy(update={"tasks": (task,)})
    sel = equilibrium(market, certificate=False, prices="posted").selection
    seen = selection_map(sel, 0, deadlines_of(sel, 0, 9), stakes_of(sel, 0, 9))
    assert set(np.unique(seen.share)) == {0.0, 1.0}
    utility = seen.slope[:, None, :] * seen.stakes[None, :, None] + seen.start[:, None, :]
    assert (utility.argmax(axis=2) == seen.best).all()


def test_the_map_is_quick(found: Equilibrium) -> None:
    """`make bench` says how quick; a shared machine may take several times as long."""
    sel = found.selection
    at = deadlines_of(sel, 0), stakes_of(sel, 0)
    selection_map(sel, 0, *at)
    start = time.process_time()
    seen = selection_map(sel, 0, *at)
    assert time.process_time() - start < 1.0
    assert seen.share.shape[:2] == (200, 200)
    assert seen.share.dtype == np.float32


def test_kinds_of_misallocation(found: Equilibrium) -> None:
    """By hand: every pair of choices of three offers that think 0, 0 and 400 tokens, or none."""
    seen = selection_map(found.selection, 0, np.ones(1), np.ones(1))
    pairs = {(0, 0): 0, (0, 1): 3, (2, 0): 1, (0, 2): 2, (3, 0): 6, (0, 3): 5, (3, 3): 0}
    for (ours, theirs), kind in pairs.items():
        timely = np.ones((1, 4))
        one, two = (replace(seen, best=np.array([[b]]), timely=timely) for b in (ours, theirs))
        assert misallocation.kinds(one, two, [0.0, 0.0, 400.0]) == kind
        late = replace(one, timely=np.array([[0.4] * 4]))
        if kind in (1, 2, 3):
            assert misallocation.kinds(late, two, [0.0, 0.0, 400.0]) == 4


# --- F2, F5, F8, F12, F13 ----------------------------------------------------------------------


def test_the_frontier_is_the_hull(found: Equilibrium) -> None:
    rng = np.random.default_rng(0)
    price, right = rng.random(60), rng.random(60)
    edge = frontier.hull(price, right)
    assert (np.diff(price[edge]) > 0).all()
    assert (np.diff(right[edge]) > 0).all()
    best = np.interp(price, price[edge], right[edge], left=-1.0)
    assert (right <= best + 1e-12).all()
    table = frontier.data(found)
    assert set(table.loc[table["offer"].str.startswith("("), "offer"]) == {
        "(oracle)", "(best single)", "(random)"
    }  # fmt: skip


def test_nothing_is_left_to_gain_at_the_point_and_much_away_from_it(found: Equilibrium) -> None:
    game, at = found.point.game, found.point.prices
    path = np.array([3.0 * at, at])
    gains, regret, profit = along(game, path)
    assert gains[1] < 1e-3 * profit[1]
    assert gains[0] > 0.05 * profit[0]
    assert regret[0] >= gains[0] * (1 - 0.02)  # of one state, regret is the best gain
    assert gains[0] == pytest.approx(exploitability(game, path[0], game.solve(path[0])).sum())
    assert 0 < regret[1] < regret[0]


def test_the_path_ends_below_the_tolerance(found: Equilibrium) -> None:
    table = f5.data(found)
    assert table["exploitability"].iloc[-1] < 1e-3
    assert "At equilibrium" in f5.finding(found)
    assert "Not at equilibrium" in f5.said(table.iloc[:1], 1e-3)


def test_every_start_leads_to_the_one_equilibrium(found: Equilibrium) -> None:
    table = basins.data(found)
    starts = table[table["kind"] == "start"]
    assert (starts["number"] == 0).all()
    (one,) = table[table["kind"] == "equilibrium"].to_dict("records")
    assert (one["stable"], one["starts"]) == (True, len(starts))
    assert [one[n] for n in found.point.game.levers] == pytest.approx(found.point.prices, rel=1e-6)
    assert basins.finding(found).startswith("1 price equilibrium from 12 starts")
    shades = basins.build(found).data[0]
    assert np.unique(shades.z).tolist() == [0]


def test_bars_add_up_from_planner_to_market(found: Equilibrium) -> None:
    table = waterfall.data(found)
    ends = table.set_index("part")["change"]
    parts = ends.drop(["planner", "market"]).sum()
    assert ends["planner"] + parts == pytest.approx(ends["market"], rel=1e-9)
    assert ends["market"] == pytest.approx(found.selection.welfare * HOUR)
    drawn = waterfall.build(found)
    zoomed = drawn.layout.yaxis.range[0] > 0
    assert zoomed == ("does not begin at 0" in drawn.layout.yaxis.title.text)


def test_reaction_curves_cross_at_the_point(found: Equilibrium) -> None:
    table = reactions.data(found)
    for name, rows in table.groupby("responder"):
        g, h = (found.point.game.levers.index(n) for n in (name, rows["rival"].iloc[0]))
        middle = rows[np.isclose(rows["rival_price"], found.point.prices[h])]
        assert middle["price"].iloc[0] == pytest.approx(found.point.prices[g], rel=2e-3)
    g, _ = reactions.pair_of(found) or (0, 0)
    best = best_held(found.point.game, found.point.prices, g, found.selection)
    assert best == pytest.approx(found.point.prices[g], rel=0.05)


def test_simulation_lies_on_the_diagonal(found: Equilibrium) -> None:
    """One run of 20,000 tasks: shares within 5 standard errors, 1 in 10^6 by chance."""
    figure = EQUILIBRIA["F13"]
    assert figure.data(found).empty
    assert figure.builder(found).layout.annotations[0].text.startswith("No run")
    run = w.run(found.market, until="8000 s", seed=1)
    with_run = replace(found, simulated=run)
    table = figure.data(with_run).query("measure == 'share'")
    wide = (table["high"] - table["low"]).clip(lower=0.004)
    assert len(table) == 8
    assert ((table["fluid"] - table["events"]).abs() < 1.3 * wide).all()
    assert len(figure.builder(with_run).data) >= 3


# --- how they look -----------------------------------------------------------------------------


def test_a_seller_has_one_colour(found: Equilibrium) -> None:
    colours = solved_colours(found)
    for id in ("F1", "F2"):
        for trace in EQUILIBRIA[id].builder(found).data:
            if trace.name in colours:
                assert trace.marker.color == colours[trace.name]


def test_text_is_never_markup(found: Equilibrium) -> None:
    """Names of a spec cannot be markup; what a run or a file says of itself can."""
    market = found.market.model_copy(update={"question": HOSTILE})
    page = render(replace(found, market=market, manifest={"command": HOSTILE}))
    assert "<b>&x" not in page
    assert "&lt;b&gt;&amp;x" in page
    drawn = theory.draw(pd.DataFrame({
        "measure": HOSTILE, "task": HOSTILE, "offer": HOSTILE, "fluid": [0.5],
        "events": 0.4, "se": 0.1,
    }))  # fmt: skip
    assert not [text for text in strings(drawn.to_plotly_json()) if "<b>&x" in text]


def test_one_owner_and_one_class_are_drawn_too() -> None:
    market = duo()
    alone = market.model_copy(update={"sellers": market.sellers[:1], "tasks": market.tasks[1:]})
    found = equilibrium(alone, certificate=False, prices="posted")
    for figure in EQUILIBRIA.values():
        figure.builder(found)
        figure.caption(found)
    assert reactions.data(found).empty


# --- report ------------------------------------------------------------------------------------


def test_the_report_says_the_answer_first_and_opens_offline(found: Equilibrium) -> None:
    html = render(found)
    assert html.count("* plotly.js v") == 1
    body = html[html.index("<body>") :]
    places = [body.index(t) for t in (
        'role="alert"', 'class="answer"', 'id="F1"', "<h2>Key numbers", "<h2>Prices",
        "<h2>Who serves",
        "<h2>Welfare", "<h2>Certificate", "<h2>Approximations", "<h2>Parameters", "<h2>Provenance",
    )]  # fmt: skip
    assert places == sorted(places)
    for tag, attributes in read(html).tags:
        for name in ("src", "href", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
    words = " ".join(read(html).words)
    assert "walras equilibrium duo" in words
    assert "Not certified" in words
    assert "cannot be drawn" not in words
    assert banner(found).startswith("Not certified")


def test_tables_are_saved_with_units_and_digests(found: Equilibrium, tmp_path: Path) -> None:
    save_tables(found, tmp_path)
    assert len(pd.read_parquet(tmp_path / "levers.parquet")) == 2
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert set(manifest["files"]) == {
        "offers.parquet", "levers.parquet", "equilibrium.json", "solver.json",
    }  # fmt: skip
    assert manifest["command"] == "walras equilibrium duo"
    told = json.loads((tmp_path / "equilibrium.json").read_text("utf-8"))
    assert told["converged"] is True
    assert re.fullmatch(r"[0-9a-f]{32}", manifest["files"]["levers.parquet"])


def test_a_certificate_decides_the_banner_and_fills_a_table(found: Equilibrium) -> None:
    row = {
        "side": "seller", "player": "deep", "kind": "price", "deviation": "deep at 9", "gain": 0.05,
        "error": 0.01, "lower": 0.03, "upper": 0.07, "scale": 10.0, "gain_usd": 0.5, "warmup": 1.0,
        "replications": 8, "drift": 0.0, "state": "above",
    }  # fmt: skip
    given: dict[str, Any] = {
        "epsilon": 0.05, "lower": 0.03, "upper": 0.07, "lower_usd": 0.3, "upper_usd": 0.7,
        "worst": "deep at 9", "tolerance": 1e-3,
        "alpha": 0.05, "deviations": pd.DataFrame([row]), "replications": 8, "looks": 1, "tasks": 9,
        "seconds": 1.0,
    }  # fmt: skip
    refuted = replace(found, certificate=Certificate("refuted", **given))
    assert "refuted by deviation: deep at 9" in banner(refuted)
    assert banner(replace(found, certificate=Certificate("certified", **given))) == ""
    words = read(render(refuted)).words
    assert {"deep at 9", "5%", "3% to 7%", "above"} <= set(words)


def test_the_command_writes_a_whole_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sellers = [s.model_copy(update={"effort": {"none": 0.0}}) for s in duo().sellers]
    times = w.Run(until=900.0, warmup=100.0)
    market = duo().model_copy(update={"run": times, "sellers": tuple(sellers)})
    (tmp_path / "duo.toml").write_text(w.to_toml(market), encoding="utf-8")
    words = [
        "equilibrium",
        str(tmp_path / "duo.toml"),
        "--no-certify",
        "--out",
        str(tmp_path / "runs"),
    ]
    assert main([*words, "--json", "-q"]) == 0
    told = json.loads(capsys.readouterr().out)
    folder = Path(told["folder"])
    assert re.fullmatch(r"duo-equilibrium-[0-9a-f]{8}", folder.name)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    names = {"equilibrium.json", "levers.parquet", "manifest.json", "offers.parquet", "report.html",
             "resolved.toml", "scenario.toml", "solver.json"}  # fmt: skip
    assert {p.name for p in folder.iterdir()} == names
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["versions"]["walras"]
    assert "--no-certify" in manifest["command"]
    page = (folder / "report.html").read_text("utf-8")
    assert 'id="F13"' in page
    assert "joint-profit prices were not" not in page
    assert 'id="F6"' not in page  # nobody thinks

    out = tmp_path / "paper"
    out.mkdir()
    assert main(["figure", "F8", str(folder), "-o", str(out / "f8.html"), "--size", "2x2"]) == 0
    assert capsys.readouterr().out.split() == [str(out / "f8.html"), str(out / "f8.csv")]
    parts = pd.read_csv(out / "f8.csv").set_index("part")["change"]
    assert parts["market"] == pytest.approx(told["measures"]["welfare"], rel=1e-4)
    page = (out / "f8.html").read_text("utf-8")
    assert '"width":192' in page
    assert "walras figure F8" in page
    assert "walras equilibrium" in page
    for words, said in (
        (["F9"], "has no figure F9"), (["F8", "--along", "x"], "only F6 moves"),
        (["F8", "--size", "big"], "is no size"), (["F6"], "nothing to draw"),
        (["F8", "-o", "x.gif"], "ends in none"),
    ):  # fmt: skip
        assert main(["figure", words[0], str(folder), *words[1:]]) == 2
        assert said in capsys.readouterr().err
