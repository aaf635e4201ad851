"""F3 of an equilibrium: how best responses lead from the posted prices to the solved ones.

Where following them from there would take long, the solver's own path stands in for that one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..equilibrium.game import Floats
from ..equilibrium.pricing import responses
from ..equilibrium.solved import Equilibrium
from .frames import MAIN_SELLERS
from .notation import log_ticks, number
from .solved_frames import levers_by_revenue, once, solved_colours, why_slow
from .template import HEIGHT, INK, MUTED, end_labels, label, room_for, titled, undrawn

_UNITS = ("USD/Mtok", "USD/task")
_ROUNDS, _SETTLED = 12, 0.01


def data(found: Equilibrium) -> pd.DataFrame:
    """Return one row per lever and round of best responses, from the posted prices.

    Or per step of the solver, from its own start; none where neither is at hand.

    Columns: lever, round, price, posted, nash (the solved price), joint (that of owners who
    maximise together, NaN if it was not solved), unit_cost, unit (of all prices).
    """
    return once(found, "best_responses", lambda: _data(found))


def _data(found: Equilibrium) -> pd.DataFrame:
    path, game = _path(found), found.point.game
    if not len(path):
        table = pd.DataFrame()
        table.attrs["why"] = _none(found)
        return table
    joint = found.joint.prices if found.joint is not None else np.full(path.shape[1], np.nan)
    units = dict(zip(found.levers["lever"], found.levers["unit"], strict=True))
    out = pd.concat([
        pd.DataFrame({
            "lever": name, "round": np.arange(len(path)), "price": path[:, g],
            "posted": game.posted[g], "nash": found.point.prices[g], "joint": joint[g],
            "unit_cost": game.unit_cost[g], "unit": units[name],
        })
        for g, name in enumerate(game.levers)
    ], ignore_index=True)  # fmt: skip
    out.attrs["units"] = dict.fromkeys(("price", "posted", "nash", "joint", "unit_cost"), "unit")
    return out


def _path(found: Equilibrium) -> Floats:
    """Return the posted prices, what best responses make of them, and last the solved ones."""
    game = found.point.game
    if why_slow(found):
        return found.point.path if found.point.iterations else np.zeros((0, len(game.levers)))
    rough = game.at_mean()
    path = []
    for number_, step in enumerate(responses(rough, game.posted, rough=True)):
        path.append(step.prices)
        if step.change < _SETTLED or number_ >= _ROUNDS:
            break
    return np.array([*path, found.point.prices])


def _none(found: Equilibrium) -> str:
    return f"Best responses from the posted prices take long to follow: {why_slow(found)}."


def build(found: Equilibrium) -> go.Figure:
    """Draw the paths of the sellers who serve most, with their reference prices at the right."""
    table = data(found)
    if table.empty:
        return undrawn("Where do best responses lead prices?", _none(found))
    shown = _shown(found)
    units = [u for u in _UNITS if (table.loc[table["lever"].isin(shown), "unit"] == u).any()]
    figure = go.Figure().set_subplots(len(units), 1, shared_xaxes=True, vertical_spacing=0.1)
    colours = solved_colours(found)
    last = int(table["round"].max())
    for row, unit in enumerate(units, start=1):
        rows = table[(table["unit"] == unit) & table["lever"].isin(shown)]
        labels = []
        for name, path in rows.groupby("lever", sort=False):
            colour = colours.get(str(name)) or colours[str(name).rpartition("/")[0]]
            figure.add_scatter(
                x=path["round"], y=path["price"], mode="lines+markers", showlegend=False,
                line={"color": colour, "width": 2.2}, marker={"size": 5}, row=row, col=1,
                hovertemplate="%{y:.4g}<extra>" + label(name) + "</extra>",
            )  # fmt: skip
            _references(figure, path.iloc[0], colour, last, row)
            labels.append((label(name), float(np.log10(path["nash"].iloc[0])), colour))
        seen = rows[["price", "nash", "joint", "unit_cost"]].to_numpy(dtype=np.float64)
        seen = np.log10(seen[np.isfinite(seen) & (seen > 0)])
        pad = 0.06 * (seen.max() - seen.min()) + 0.05
        ends = (float(seen.min() - pad), float(seen.max() + pad))
        figure.update_yaxes(type="log", range=ends, row=row, col=1, title_text=f"price ({unit})",
                            **log_ticks(*ends))  # fmt: skip
        end_labels(figure, labels, row, ends, HEIGHT / len(units) - 90)
    rounds = "step of the solver" if why_slow(found) else "round of best responses"
    figure.update_xaxes(range=[-0.3, last + 1.3], title_text=rounds, row=len(units), col=1)
    figure = titled(figure, finding(found))
    return figure.update_layout(
        margin_r=24 + room_for(map(label, shown)),
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0.0},
    )  # fmt: skip


def _references(figure: go.Figure, row_: pd.Series, colour: str, last: int, row: int) -> None:
    """Draw a seller's reference prices: Nash, joint profit, marginal cost."""
    looks = (("nash", "Nash", "dash", INK), ("joint", "joint profit", "dashdot", MUTED),
             ("unit_cost", "cost", "dot", MUTED))  # fmt: skip
    for what, name, dash, grey in looks:
        price = float(row_[what])
        if not (np.isfinite(price) and price > 0):
            continue
        new = not any(trace.name == name for trace in figure.data)
        if new:  # the legend is told in grey: colours are the sellers'
            figure.add_scatter(x=[None], y=[None], mode="lines", name=name, row=row, col=1,
                               line={"color": grey, "dash": dash, "width": 1.6})  # fmt: skip
        figure.add_scatter(
            x=[last + 0.2, last + 1.3] if what != "unit_cost" else [-0.3, last + 1.3],
            y=[price, price], mode="lines", showlegend=False, row=row, col=1,
            line={"color": colour, "dash": dash, "width": 1.6},
            hovertemplate=f"{name} %{{y:.4g}}<extra></extra>",
        )  # fmt: skip


def _shown(found: Equilibrium) -> list[str]:
    """Return the levers of the sellers who serve most."""
    return levers_by_revenue(found)[:MAIN_SELLERS]


def finding(found: Equilibrium) -> str:
    """Say in one sentence where prices go from the posted ones, and what collusion would add."""
    game, prices = found.point.game, found.point.prices
    shown = [game.levers.index(name) for name in _shown(found)]
    moved = prices[shown] / game.posted[shown]
    where = "rise" if (moved > 1).all() else "fall" if (moved < 1).all() else "move"
    times = number(float(np.median(moved)))
    said = f"Of those who serve most, prices {where} to {times} times the posted"
    if found.joint is not None:
        more = found.joint.prices[shown] / prices[shown]
        said += f"; together owners would ask {number(float(np.median(more)))} times as much again"
    return said + (" (medians)" if len(shown) > 1 else "")


def caption(found: Equilibrium) -> str:
    """Explain how to read the figure."""
    if data(found).empty:
        return _none(found)
    joint = "" if found.joint is not None else " Joint-profit prices were not solved for."
    path = (
        f"The solver's own steps from prices near cost: {_none(found)}" if why_slow(found) else
        "From the posted prices, sellers answer each other one after the other with the best price "
        "to some per cent, delays held in each round; at 0 stand the posted prices, the last "
        "point is the solved one."
    )  # fmt: skip
    return (
        f"{path} The {MAIN_SELLERS} sellers who serve most; the data have all. "
        "Dashed: the solved (Nash) price; dash-dotted: the price if all owners maximised the sum "
        f"of their profits; dotted: marginal cost.{joint}"
    )
