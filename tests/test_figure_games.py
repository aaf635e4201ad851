"""The figure of a game: rest points, basins and paths of games whose dynamics are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import walras as w
from walras import listing
from walras.analysis.figures import GAMES, simplex
from walras.analysis.figures.simplex_paths import middles, velocity
from walras.analysis.figures.template import paper
from walras.analysis.games import Game, bimatrix, symmetric
from walras.analysis.games.portrait import divides, landings, rest_points

from .test_figures import strings

HAWKS = symmetric([[-1.5, 2.0], [0.0, 1.0]], names=("hawk", "dove"))
SCISSORS = symmetric([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], names=("rock", "paper", "scissors"))
PAYS = np.array([3.0, 2.0, 1.0])
"""What two players of one kind are paid; others get nothing."""
KINDS = symmetric(np.diag(PAYS), names=("a", "b", "c"))


def shares(table: pd.DataFrame, kind: str, number: int | None = None) -> np.ndarray:
    rows = table[table["kind"] == kind]
    rows = rows if number is None else rows[rows["number"] == number]
    return rows.filter(like="share of").to_numpy(np.float64)


def test_hawks_rest_at_two_fifths() -> None:
    rests = rest_points(HAWKS)
    assert [(r.mixture.round(12).tolist(), r.stability, r.equilibrium) for r in rests] == [
        ([1.0, 0.0], "unstable", False), ([0.0, 1.0], "unstable", False),
        ([0.4, 0.6], "stable", True),
    ]  # fmt: skip
    table = simplex.data(HAWKS)
    assert table.loc[table["kind"] == "basin", ["number", "part"]].to_numpy().tolist() == [[2, 1.0]]
    assert "One equilibrium, 0.4 hawk, 0.6 dove" in simplex.finding(HAWKS)
    speed = velocity(HAWKS, np.array([0.5, 0.5]))
    assert speed[0] == pytest.approx(0.25 * (0.25 - 0.5))  # x(1 − x)(V_hawk − V_dove)


def test_kinds_are_divided_by_lines_of_equal_pay() -> None:
    """With payoffs a·x of the own kind, (a_i·x_i − a_j·x_j)' = 0 where a_i·x_i = a_j·x_j: a path
    ends with the kind whose a·x is largest where it begins."""
    rests = rest_points(KINDS)
    assert [r.stability for r in rests] == ["stable"] * 3 + ["unstable"] * 4
    assert [r.saddle for r in rests] == [False] * 3 + [True] * 3 + [False]
    assert all(r.equilibrium for r in rests)
    middle = 1.0 / PAYS / (1.0 / PAYS).sum()
    np.testing.assert_allclose(rests[6].mixture, middle, rtol=1e-9)
    starts = np.random.default_rng(1).dirichlet(np.ones(3), size=300)
    np.testing.assert_array_equal(landings(KINDS, rests, starts), (PAYS * starts).argmax(axis=1))
    lines = divides(KINDS, rests)
    assert len(lines) == 3
    for line in lines:
        paid = np.sort(PAYS * line, axis=1)
        np.testing.assert_allclose(paid[:, 2], paid[:, 1], atol=1e-6)
        np.testing.assert_allclose(line[-1], middle, atol=1e-4)
    table = simplex.data(KINDS)
    parts = table.loc[table["kind"] == "basin", "part"].to_numpy()
    exact = (PAYS * middles(3)).argmax(axis=1)
    np.testing.assert_allclose(parts, np.bincount(exact) / len(exact))


def test_scissors_go_round_a_centre_and_come_to_no_rest() -> None:
    """Paths keep the product of shares (Hofbauer & Sigmund 1998), and nothing leads anywhere."""
    rests = rest_points(SCISSORS)
    assert [(r.stability, r.equilibrium) for r in rests] == [("unstable", False)] * 3 + [
        ("neutral", True)
    ]
    assert landings(SCISSORS, rests, np.full((1, 3), 1 / 3)).tolist() == [-1]
    table = simplex.data(SCISSORS)
    assert table.loc[table["kind"] == "basin", ["number", "part"]].to_numpy().tolist() == [[-1, 1]]
    assert not len(shares(table, "boundary"))
    for number in range(12):
        path = shares(table, "path", number)
        assert np.abs(np.log(path.prod(axis=1) / path[0].prod())).max() < 1e-2
        assert np.abs(path[-1] - path[0]).max() < 0.02  # once round
    assert "learning need not come to rest" in simplex.finding(SCISSORS)


@pytest.mark.parametrize("game", [HAWKS, KINDS, SCISSORS], ids=["hawks", "kinds", "scissors"])
def test_rest_points_are_filled_if_stable(game: Game) -> None:
    drawn = GAMES["F7"].builder(game)
    marks = {t.marker.symbol: t for t in drawn.data if t.name and "equilibrium" in t.name}
    for rest in rest_points(game):
        mark = marks[simplex.SHAPES[rest.stability]]
        assert simplex.mixture(game, rest.mixture) in [
            text
            for t in drawn.data
            if t.marker.symbol == mark.marker.symbol
            for text in t.text or ()
        ]
    assert paper(drawn, 3.5, 2.6).layout.width == 336
    table = GAMES["F7"].data(game)
    assert table.attrs["units"]["part"] == "ratio"
    assert GAMES["F7"].command(game) == ""
    assert len(GAMES["F7"].caption(game)) > 80


def test_other_games_are_told_apart_and_names_are_no_markup() -> None:
    pennies = bimatrix([[1, 0], [0, 1]], [[0, 1], [1, 0]])
    assert simplex.data(pennies).empty
    assert "two or three" in simplex.build(pennies).layout.annotations[0].text
    assert GAMES["F7"].caption(pennies)
    odd = symmetric(np.diag(PAYS), names=("<b>x", "y&", "z"))
    text = list(strings(simplex.build(odd).to_plotly_json()))
    assert not [t for t in text if "<b>x" in t]
    assert "walras.plot.simplex(game)" in listing.figure("F7")
    assert w.plot.simplex is simplex.build
