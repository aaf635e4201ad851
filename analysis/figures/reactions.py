"""F12: the best prices of two sellers given each other's, and where they meet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.optimize import minimize_scalar

from ...market.fluid.solve import Selection
from ..equilibrium.deviations import moved_to
from ..equilibrium.game import Floats, Game
from ..equilibrium.held import best_held
from ..equilibrium.solved import Equilibrium
from .notation import number
from .solved_frames import once, solved_colours, why_restless
from .template import INK, MUTED, OUTSIDE, escape, label, titled, undrawn

_CURVE, _FIELD = 7, 5
_WIDE, _NEAR = 1.8, 0.1
"""Rivals' prices are tried from the point's over this to the point's times this; answers are
refined so far about the best with delays held, in logarithms."""


def pair_of(found: Equilibrium) -> tuple[int, int] | None:
    """Return the two levers of different owners with the most revenue, or None if one owns all."""
    game, sel = found.point.game, found.selection
    of = [
        int(game.setting.seller_of[np.flatnonzero(game.group == g)[0]])
        for g in range(len(game.levers))
    ]
    order = sorted(range(len(of)), key=lambda g: -float(sel.revenue[of[g]]))
    for g in order[1:]:
        if game.player[g] != game.player[order[0]]:
            return order[0], g
    return None


def data(found: Equilibrium) -> pd.DataFrame:
    """Return the best responses: one row per rival's price tried.

    Columns: responder, rival (levers), rival_price, price (the best answer), both in the units of
    their levers. Others stay at the point; delays follow.
    """
    return once(found.point, "reactions", lambda: _data(found))


def _data(found: Equilibrium) -> pd.DataFrame:
    pair, why = pair_of(found), why_restless(found)
    if pair is None or why:
        table = pd.DataFrame()
        table.attrs["why"] = _none(found) if pair is not None else ""
        return table
    game, at = found.point.game.at_mean(), found.point.prices
    rows, near = [], game.solve(at, found.selection)
    for g, h in (pair, pair[::-1]):
        for price in _about(float(at[h]), _CURVE):
            answer = _answer(game, moved_to(at, h, float(price)), g, near)
            rows.append((game.levers[g], game.levers[h], float(price), answer))
    out = pd.DataFrame(rows, columns=["responder", "rival", "rival_price", "price"])
    units = dict(zip(found.levers["lever"], found.levers["unit"], strict=True))
    out.attrs["units"] = {
        "price": units[game.levers[pair[0]]],
        "rival_price": units[game.levers[pair[1]]],
    }
    return out


def _about(price: float, count: int) -> Floats:
    return price * np.geomspace(1.0 / _WIDE, _WIDE, count)


def _answer(game: Game, prices: Floats, g: int, start: Selection) -> float:
    """Return lever g's best price: found with delays held, then near it with delays that follow."""
    here = game.solve(prices, start)
    near, last, w = np.log(best_held(game, prices, g, here)), [here], game.player[g]

    def loss(x: float) -> float:
        after = game.solve(moved_to(prices, g, float(np.exp(x))), last[-1])
        if not after.converged:
            return np.inf
        last.append(after)
        return -float(after.owner_profit[w])

    ends = (near - _NEAR, near + _NEAR)
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 3e-4})
    return float(np.exp(found.x))


def build(found: Equilibrium) -> go.Figure:
    """Draw both curves, the point, and arrows to where both would move from elsewhere."""
    pair = pair_of(found)
    if pair is None:
        return undrawn(finding(found), "One owner sets all prices, so nobody answers anybody.")
    if why_restless(found):
        return undrawn(finding(found), _none(found))
    game, at = found.point.game.at_mean(), found.point.prices
    (g, h), table, colours = pair, data(found), solved_colours(found)
    names = game.levers[g], game.levers[h]
    figure = go.Figure()
    x, y = once(found.point, "arrows", lambda: _arrows(game, at, g, h))
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": OUTSIDE, "width": 1}, name="both answer",
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=x[1::3], y=y[1::3], mode="markers", marker={"color": OUTSIDE, "size": 5},
        showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    for me, dash in zip(names, ("solid", "dash"), strict=True):
        rows = table[table["responder"] == me]
        mine, rival = rows["price"], rows["rival_price"]
        first = me == names[0]
        figure.add_scatter(
            x=mine if first else rival, y=rival if first else mine, mode="lines+markers",
            name=f"{label(me)} answers", marker={"size": 5},
            line={"color": _colour(colours, me, game), "width": 2.5, "dash": dash},
            hovertemplate="%{x:.4g}, %{y:.4g}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=[at[g]], y=[at[h]], mode="markers", name="the point",
        marker={"symbol": "circle-open", "size": 15, "color": INK, "line": {"width": 2.5}},
        hovertemplate="%{x:.4g}, %{y:.4g}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[game.posted[g]], y=[game.posted[h]], mode="markers", name="posted",
        marker={"symbol": "x-thin-open", "size": 11, "color": INK, "line": {"width": 2}},
        hovertemplate="%{x:.4g}, %{y:.4g}<extra></extra>",
    )  # fmt: skip
    figure = titled(figure, finding(found))
    units = dict(zip(found.levers["lever"], found.levers["unit"], strict=True))
    posted = game.posted
    for axis, lever in (("xaxis", g), ("yaxis", h)):
        name = game.levers[lever]
        inside = [*_about(float(at[lever]), 2), *table.loc[table["responder"] == name, "price"]]
        if 0.2 < posted[lever] / at[lever] < 5.0:
            inside += [0.93 * float(posted[lever]), 1.07 * float(posted[lever])]
        ends = np.log10([0.96 * min(inside), 1.04 * max(inside)])
        ticks = [m * 10.0**e for e in range(-9, 9) for m in (1, 1.5, 2, 3, 5, 7)]
        ticks = [t for t in ticks if ends[0] <= np.log10(t) <= ends[1]]
        figure.layout[axis].update(
            type="log", range=list(ends), title_text=f"price of {escape(name)} ({units[name]})",
            tickvals=ticks, ticktext=[number(t) for t in ticks],
        )  # fmt: skip
    return figure.update_layout(margin_r=200, legend={"x": 1.01, "y": 1})


def _none(found: Equilibrium) -> str:
    return f"Best answers once delays have followed take long to find: {why_restless(found)}."


def _colour(colours: dict[str, str], lever: str, game: Game) -> str:
    return colours.get(lever) or colours.get(lever.rpartition("/")[0], MUTED)


def _arrows(game: Game, at: Floats, g: int, h: int) -> tuple[Floats, Floats]:
    """Return lines from points of the plane a quarter of the way to both sellers' answers."""
    xs, ys, seen = [], [], game.solve(at)
    for a in _about(float(at[g]), _FIELD):
        for b in _about(float(at[h]), _FIELD):
            here = moved_to(moved_to(at, g, float(a)), h, float(b))
            seen = game.solve(here, seen)
            to = [best_held(game, here, i, seen) for i in (g, h)]
            xs += [a, a * (to[0] / a) ** 0.25, np.nan]
            ys += [b, b * (to[1] / b) ** 0.25, np.nan]
    return np.array(xs), np.array(ys)


def finding(found: Equilibrium) -> str:
    """Say in one sentence how strongly the two follow each other, and where they meet."""
    pair = pair_of(found)
    if pair is None:
        return "One owner sets all prices"
    if why_restless(found):
        return "How do two sellers answer each other?"
    table, game = data(found), found.point.game
    slopes = {}
    for name, rows in table.groupby("responder", sort=False):
        middle = rows.iloc[[_CURVE // 2 - 1, _CURVE // 2 + 1]]
        (p, q), (a, b) = middle["rival_price"], middle["price"]
        slopes[str(name)] = float(np.log(b / a) / np.log(q / p))
    one, other = (game.levers[g] for g in pair)
    prices = " and ".join(number(float(found.point.prices[g])) for g in pair)
    said = "follow" if min(slopes.values()) > 0 else "do not both follow"
    return (
        f"{one} and {other} {said} each other and meet at {prices}; for each 1% of the other, "
        f"{one} moves {number(slopes[one])}% and {other} {number(slopes[other])}%"
    )


def caption(found: Equilibrium) -> str:
    """Explain how to read the figure."""
    if pair_of(found) is not None and why_restless(found):
        return _none(found)
    unmet = (
        "" if found.point.converged else " The solver did not converge: curves may not meet there."
    )
    return (
        "The two sellers of different owners with the most revenue: for each price of one the best "
        "price of the other, all others at the point and demand at its mean rates, once delays "
        "have followed. Where the lines cross, neither gains by another price. Grey lines start at "
        "other prices and end in dots, a quarter of the way to where both would move at once."
        f"{unmet}"
    )
