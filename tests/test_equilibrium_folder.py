"""Folders of equilibria: back as they were written or refused, their figures small and honest."""

from __future__ import annotations

import json
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import walras as w
from walras import cli, drawing, progress
from walras.analysis import equilibrium_report
from walras.analysis.certificate.certificate import Certificate
from walras.analysis.equilibrium import solved, yardsticks
from walras.analysis.equilibrium.cycles import Cycle
from walras.analysis.equilibrium.quick import slow
from walras.analysis.equilibrium.response import _check_moves
from walras.analysis.equilibrium.solved import Equilibrium, equilibrium
from walras.analysis.equilibrium.trace import games_along
from walras.analysis.equilibrium_folder import load_equilibrium, save_tables
from walras.analysis.equilibrium_report import render
from walras.analysis.figures import EQUILIBRIA, basins, best_responses, exploitability, reactions
from walras.market.schema.errors import BadInputError
from walras.market.schema.market import Market

from .test_report import read

CANDIDATE = "The point is a candidate that nothing certifies."


def logit(**more: Any) -> Market:
    """Return two equal sellers without queues; at equilibrium both ask 1.472927 (`solved`)."""
    ask = w.TaskClass(
        "chat", arrivals=w.Poisson(1.0), value=2.0, **{"choice": w.Logit(0.25), **more}
    )
    sellers = [
        w.Seller(n, accuracy=1.0, slots="unlimited", price={"task": 1.5}, cost={"task": 1.0})
        for n in ("one", "two")
    ]  # fmt: skip
    return w.Market(name="duo", tasks=[ask], sellers=sellers, run=w.Run(until=600.0))


def crowded() -> Market:
    """Return two queues that only together serve all who come and have nowhere else to go."""
    ask = w.TaskClass(
        "chat", arrivals=w.Poisson(1.0), output_tokens=w.Exponential(mean=1.0), value=9.0,
        outside_option=False, choice=w.Logit(0.25),
    )  # fmt: skip
    sellers = [w.Seller(n, accuracy=1.0, speed=1.0, slots=1, price={"task": 1.0}) for n in "ab"]
    return w.Market(name="crowd", tasks=[ask], sellers=sellers)


def certificate(verdict: str, **more: Any) -> Certificate:
    row = {
        "side": "seller", "player": "one", "kind": "price", "deviation": "one at 9", "gain": 0.05,
        "error": 0.01, "lower": 0.03, "upper": 0.07, "scale": 10.0, "gain_usd": 0.5, "warmup": 1.0,
        "replications": 8, "drift": 0.0, "state": "above",
    }  # fmt: skip
    given: dict[str, Any] = {
        "epsilon": 0.05, "lower": 0.03, "upper": 0.07, "lower_usd": 0.3, "upper_usd": 0.7,
        "worst": "one at 9", "tolerance": 2e-3, "alpha": 0.05, "deviations": pd.DataFrame([row]),
        "replications": 8, "looks": 3, "tasks": 9, "seconds": 1.5, "reason": "",
    }  # fmt: skip
    return Certificate(verdict, **{**given, **more})


@pytest.fixture(scope="module")
def found() -> Equilibrium:
    how = {"fixed": [], "joint": False, "prices": "solved", "tolerance": 2e-3}
    manifest = {"command": "walras equilibrium duo", "seed": 3, "solved": how}
    return replace(equilibrium(logit(), certificate=False), manifest=manifest)


@pytest.fixture
def folder(found: Equilibrium, tmp_path: Path) -> Path:
    place = tmp_path / "duo"
    checked = replace(found, certificate=certificate("certified"))
    save_tables(checked, place, resolved=w.to_toml(logit()))
    return place


# --- loading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [
    certificate("refuted"),
    certificate("undecided", epsilon=np.nan, upper=np.inf, upper_usd=np.inf, looks=0, reason="few"),
])  # fmt: skip
def test_a_certificate_comes_back(found: Equilibrium, given: Certificate, tmp_path: Path) -> None:
    """All of its fields, and those without a number in JSON, too."""
    save_tables(replace(found, certificate=given), tmp_path, resolved=w.to_toml(logit()))
    back = load_equilibrium(tmp_path)
    assert back.certificate is not None
    for name in (f.name for f in fields(Certificate) if f.name != "deviations"):
        before, after = getattr(given, name), getattr(back.certificate, name)
        assert after == pytest.approx(before, nan_ok=True) if isinstance(before, float) else (
            after == before
        )  # fmt: skip
    pd.testing.assert_frame_equal(back.certificate.deviations, given.deviations)
    assert (back.text, back.tolerance) == (given.text, 2e-3)
    assert back.manifest["seed"] == 3


def test_a_certificate_is_only_of_its_own_prices(folder: Path, found: Equilibrium) -> None:
    assert load_equilibrium(folder).certified
    moved = replace(found, point=replace(found.point, prices=found.point.prices * (1.0 + 1e-5)))
    save_tables(replace(moved, certificate=certificate("certified")), folder,
                resolved=w.to_toml(logit()))  # fmt: skip
    assert load_equilibrium(folder).certificate is None


@pytest.fixture
def no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever takes long fail: what is drawn from a folder must do without it."""

    def search(*_: Any, **__: Any) -> None:
        raise AssertionError("it was searched for once more")

    for module, name in (
        (solved, "price_equilibrium"), (yardsticks, "plan"), (yardsticks, "decompose"),
        (yardsticks, "best_deviation"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, search)


@pytest.mark.usefixtures("no_search")
def test_a_figure_of_a_folder_solves_only_what_it_shows(folder: Path, found: Equilibrium) -> None:
    """Prices come back to the last digit, and how they were found; F1 needs no planner."""
    back = load_equilibrium(folder)
    assert back.point.prices.tolist() == found.point.prices.tolist()
    assert back.point.path.tolist() == found.point.path.tolist()
    assert back.point.deviation is not None
    assert found.point.deviation is not None
    assert back.point.deviation.text == found.point.deviation.text
    assert back.point.why == found.point.why == ""
    assert back.point.converged
    assert not EQUILIBRIA["F1"].data(back).empty
    with pytest.raises(AssertionError, match="once more"):
        EQUILIBRIA["F8"].data(back)


@pytest.mark.usefixtures("no_search")
def test_a_folder_of_prices_that_are_stationary_no_more_is_solved_anew(
    folder: Path, found: Equilibrium
) -> None:
    moved = replace(found, point=replace(found.point, prices=found.point.prices * (1.0 + 1e-6)))
    save_tables(moved, folder, resolved=w.to_toml(logit()))
    with pytest.raises(AssertionError, match="once more"):
        load_equilibrium(folder)


def test_a_point_that_did_not_settle_comes_back(found: Equilibrium, tmp_path: Path) -> None:
    """With its cycle, and with gains that have no number in JSON."""
    point = found.point
    assert point.deviation is not None
    odd = replace(
        point, converged=False, why="round", deviation=replace(point.deviation, gain=-np.inf),
        cycle=Cycle(point.prices, 2.0 * point.prices, 3, point.path),
    )  # fmt: skip
    save_tables(replace(found, point=odd), tmp_path, resolved=w.to_toml(logit()))
    back = load_equilibrium(tmp_path).point
    assert (back.converged, back.why) == (False, "round")
    assert back.deviation is not None
    assert back.deviation.gain == -np.inf
    assert back.cycle is not None
    assert back.cycle.text(["a", "b"]) == odd.cycle.text(["a", "b"])  # type: ignore[union-attr]
    assert back.cycle.prices.tolist() == point.path.tolist()


def test_a_folder_without_its_steps_is_solved_anew(folder: Path, found: Equilibrium) -> None:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    del manifest["files"]["solver.json"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    back = load_equilibrium(folder)
    assert back.point.prices == pytest.approx(found.point.prices, rel=1e-9)
    assert back.certified


SOLVED = {"fixed": [], "joint": False, "prices": "solved", "tolerance": 0.002}


@pytest.mark.parametrize(("file", "change", "said"), [
    ("manifest.json", "[1]", "manifest.json holds no table"),
    ("manifest.json", "{", "manifest.json is no JSON"),
    ("manifest.json", {"solved": 3}, "manifest.json does not tell what was solved"),
    ("manifest.json", {"solved": {**SOLVED, "fixed": 1}}, "`solved.fixed` is wrong"),
    ("manifest.json", {"solved": {**SOLVED, "joint": 1}}, "`solved.joint` is wrong"),
    ("manifest.json", {"solved": {**SOLVED, "prices": "x"}}, "`solved.prices` is wrong"),
    ("manifest.json", {"solved": {**SOLVED, "tolerance": "x"}}, "`solved.tolerance` is wrong"),
    ("manifest.json", {"files": {}}, "`files` is wrong"),
    ("manifest.json", {"seed": "x"}, "`seed` is wrong"),
    ("equilibrium.json", "{}", "equilibrium.json was changed since it was written"),
    ("solver.json", "{}", "solver.json was changed since it was written"),
    ("levers.parquet", "", "levers.parquet was changed since it was written"),
    ("deviations.parquet", None, "deviations.parquet is missing"),
    ("resolved.toml", "name = 3", "resolved.toml was changed since it was written"),
])  # fmt: skip
def test_what_was_changed_is_refused_by_name(
    folder: Path, file: str, change: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / file
    if isinstance(change, dict):
        change = json.dumps({**json.loads(path.read_text("utf-8")), **change})
    if change is None:
        path.unlink()
    else:
        path.write_text(change, encoding="utf-8")
    assert cli.main(["figure", "F8", str(folder)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert str(path) in err
    assert "Traceback" not in err


def test_a_market_that_is_none_is_refused_by_the_name_of_its_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of folders that do not tell its digest."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    del manifest["files"]["resolved.toml"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "resolved.toml").write_text("tasks = 3", encoding="utf-8")
    assert cli.main(["figure", "F8", str(folder)]) == 2
    assert "--> resolved.toml" in capsys.readouterr().err


# --- what is known of the point ----------------------------------------------------------------


def test_every_caption_ends_with_what_is_known(found: Equilibrium) -> None:
    for id in EQUILIBRIA.keys() - {"F5", "F7", "F12"}:  # which take a second each
        assert EQUILIBRIA[id].caption(found).endswith(CANDIDATE)
    ends = {
        "certified": "Simulation certifies the point at ε = 7.000%.",
        "refuted": "Simulation refutes the point: a deviation gains 3.000% at least.",
        "undecided": "Simulation leaves it undecided whether the point is an equilibrium.",
    }
    for verdict, end in ends.items():
        seen = replace(found, certificate=certificate(verdict))
        assert EQUILIBRIA["F8"].caption(seen).endswith(end)


def test_a_figure_alone_says_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "Simulation certifies the point at ε = 7.000%."
    drawing.draw("F8", folder, out=tmp_path / "f8.html")
    assert said in (tmp_path / "f8.html").read_text("utf-8").rpartition("</script>")[2]
    monkeypatch.setattr(drawing, "_write", lambda drawn, out, inches: out.touch())
    written = drawing.draw("F8", folder, out=tmp_path / "p8.pdf", size="aer-1col")
    assert [path.name for path in written] == ["p8.pdf", "p8.csv", "p8.txt"]
    assert said in (tmp_path / "p8.txt").read_text("utf-8")


# --- F6 ----------------------------------------------------------------------------------------


def test_a_price_that_its_owner_sets_moves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["figure", "F6", str(folder), "--along", "sellers.one.price.task", "--from", "1"]
    assert cli.main([*words, "--to", "2"]) == 2
    err = capsys.readouterr().err
    assert "sellers.one.price.task is a price that its owner sets" in err
    assert "solve with --fixed one" in err


def test_what_moves_with_a_price_is_no_such_price() -> None:
    """Prices of tokens that are read stay in proportion to those that are written."""
    market = logit(input_tokens=w.Constant(100.0), output_tokens=w.Constant(100.0))
    one = market.sellers[0].model_copy(update={"price": w.per_mtok(1.0, 15000.0)})
    market = market.model_copy(update={"sellers": (one, market.sellers[1])})
    for path in ("sellers.one.price.input", "sellers.one.price.output", "sellers.one.cost.task"):
        _check_moves(games_along(market, path), path, 1.0, 2.0)
    path = "sellers.two.price.task"
    with pytest.raises(BadInputError, match="is a price that its owner sets"):
        _check_moves(games_along(market, path), path, 1.0, 2.0)
    _check_moves(games_along(market, path, fixed=["two"]), path, 1.0, 2.0)


# --- figures that would take long --------------------------------------------------------------


def test_figures_that_would_take_long_are_not_drawn_and_say_so() -> None:
    market = crowded()
    found = equilibrium(market, prices="posted", certificate=False)
    for module in (best_responses, reactions):
        table = module.data(found)
        assert table.empty
        assert "a's rivals cannot serve all" in table.attrs["why"]
        assert "rivals" in module.build(found).layout.annotations[0].text.replace("<br>", " ")
    assert basins.data(found).attrs["why"] == "Starts are tried only where prices were solved."
    assert "the last one only" in exploitability.caption(found)
    words = " ".join(read(render(found)).words)
    assert "is not drawn: Best responses from the posted prices take long" in words


def test_the_solvers_path_stands_in_for_best_responses_of_a_crowd() -> None:
    found = equilibrium(crowded(), prices="posted", certificate=False)
    path = np.array([[1.0, 1.0], [1.2, 1.1], [1.3, 1.3]])
    solved = replace(found, point=replace(found.point, iterations=3, path=path))
    assert best_responses.data(solved)["price"].tolist() == path.T.ravel().tolist()
    assert "The solver's own steps" in best_responses.caption(solved)


def test_starts_are_tried_only_where_best_responses_rest(found: Equilibrium) -> None:
    assert basins._why(found) == ""
    assert slow(found.point.game, found.selection) == ""
    lost = replace(found, point=replace(found.point, converged=False))
    assert "came to rest" in basins._why(lost)
    game = equilibrium(logit(choice=w.Argmax()), prices="posted", certificate=False).point.game
    blunt = replace(found, point=replace(found.point, game=game))
    assert "have tastes" in basins._why(blunt)
    assert reactions.data(replace(blunt, point=replace(blunt.point, converged=False))).empty
    assert exploitability._most(found) == 16


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "duo.toml"
    path.write_text(w.to_toml(logit()), encoding="utf-8")
    return path


def test_interrupted_while_drawing_leaves_no_folder_and_repeats_exactly(
    scenario: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(equilibrium_report, "write_equilibrium", interrupt)
    words = ["equilibrium", str(scenario), "--no-certify", "--tolerance", "0.00123456789"]
    out = scenario.parent / "a"
    assert cli.main([*words, "-q", "--out", str(out / "b")]) == 130
    assert not out.exists()
    err = capsys.readouterr().err
    assert "nothing was written" in err
    assert "--tolerance 0.00123456789 " in err


@pytest.mark.parametrize("quiet", [False, True])
def test_what_takes_long_is_told(
    quiet: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.patience("drawing the report", quiet):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "_PATIENCE", 0.01)
    with progress.patience("drawing the report", quiet):
        time.sleep(0.2)
    assert capsys.readouterr().err == ("" if quiet else "drawing the report\n")
