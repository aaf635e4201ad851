"""F6: how a market responds to the price of reasoning or another number, up and down again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from ..equilibrium.response import MOST, Response, along, reasoners, thinks, to_reasoning
from ..equilibrium.solved import HOUR, Equilibrium
from .notation import number, percent
from .solved_frames import once
from .template import INK, MUTED, OKABE_ITO, escape, titled, undrawn

Floats = NDArray[np.float64]
_FINE = 12
"""Points drawn between two that were solved."""
_MEASURES = {"reasoning": "share of reasoning", "paid": "price paid (USD)"}
_NONE = "No seller of reasoning asks a price here."
_LOOKS = {
    "stable": {"color": OKABE_ITO[0], "width": 2.6},
    "unstable": {"color": OKABE_ITO[0], "width": 1.8, "dash": "dash"},
    "no equilibrium": {"color": MUTED, "width": 1.4, "dash": "dot"},
}
"""Lines of stationary prices."""


def response_of(
    found: Equilibrium, path: str | Sequence[str] | None = None, low: float | None = None,
    high: float | None = None,
) -> Response | None:  # fmt: skip
    """Return the response of an equilibrium's market, worked out once.

    Args:
        found: the point.
        path: what moves, as `--set` takes it; the price of reasoning when absent.
        low: least value; a quarter of the point's prices when absent.
        high: greatest value; four times the point's prices when absent.

    Returns:
        None where nobody sells reasoning and no path is given.

    Raises:
        ValueError: a path without its range.
    """
    game, sellers = found.point.game, found.point.game.market.sellers
    priced = [s.name for s in sellers if s.price.lever > 0.0]
    fixed = [n for n in priced if n not in {lever.partition("/")[0] for lever in game.levers}]
    fixed = fixed if found.point.iterations else priced  # posted prices stay as they are
    if path is None:
        if not reasoners(game.market):
            return None
        least, most = 0.25 if low is None else low, 4.0 if high is None else high
        return once(found.point, f"reasoning {least} {most}", lambda: to_reasoning(
            game.market_at(found.point.prices), low=least, high=most, fixed=fixed
        ))  # fmt: skip
    if low is None or high is None:
        raise ValueError("give the least and the greatest value, too")
    return once(
        found.point,
        f"{path} {low} {high}",
        lambda: along(game.market, path, low, high, fixed=fixed),
    )


def data(
    found: Equilibrium, path: str | Sequence[str] | None = None, low: float | None = None,
    high: float | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return what is drawn: a row per point of a branch and step of a sweep.

    Columns: kind ("branch", "fold", "up", "down"), branch, length (along it), value, settled,
    stable, equilibrium, reasoning (share of tasks), paid (USD/task), served (share of tasks),
    welfare (USD/h), changes of value and measures by length, a price for each lever that answers,
    susceptibility (of the measure drawn, on branches; by the logarithm of the value where that is
    the price of reasoning).
    """
    seen = response_of(found, path, low, high)
    if seen is None:
        return pd.DataFrame()
    out = seen.points.copy()
    out["welfare"] *= HOUR
    out["susceptibility"] = out[f"{measure_of(found)}_by_length"] / out["value_by_length"]
    if seen.logarithmic:
        out["value"] = np.exp(out["value"])
    units = dict(zip(found.levers["lever"], found.levers["unit"], strict=True))
    out.attrs["units"] = {
        "value": "ratio" if path is None else "that of the parameter", "reasoning": "ratio",
        "paid": "USD/task", "served": "ratio", "welfare": "USD/h",
        **{lever: units.get(lever, "") for lever in seen.levers},
    }  # fmt: skip
    return out


def measure_of(found: Equilibrium) -> str:
    """Return the column drawn: the share of reasoning where some offers think, else the price."""
    some = thinks(found.market)
    return "reasoning" if some.any() and not some.all() else "paid"


def _branches(seen: Response) -> list[pd.DataFrame]:
    rows = seen.points[seen.points["kind"] == "branch"]
    return [branch for _, branch in rows.groupby("branch", sort=True) if len(branch) > 1]


def _line(rows: pd.DataFrame, measure: str) -> tuple[CubicHermiteSpline, CubicHermiteSpline]:
    """Return value and measure by length: cubics with the slopes that the points have."""
    s, *both = (rows[c].to_numpy(np.float64) for c in ("length", "value", measure))
    slopes = (rows[f"{c}_by_length"].to_numpy(np.float64) for c in ("value", measure))
    value, response = (CubicHermiteSpline(s, y, dy) for y, dy in zip(both, slopes, strict=True))
    return value, response


# --- drawing -----------------------------------------------------------------------------------


def build(
    found: Equilibrium, path: str | Sequence[str] | None = None, low: float | None = None,
    high: float | None = None,
) -> go.Figure:  # fmt: skip
    """Draw branches and sweeps above, and how strongly the market responds below."""
    seen = response_of(found, path, low, high)
    if seen is None:
        return undrawn("How does the market respond to the price of reasoning?", _NONE)
    measure = measure_of(found)
    figure = go.Figure().set_subplots(
        2, 1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.62, 0.38]
    )
    for rows in _branches(seen):
        _curves(figure, seen, rows, measure)
    _sweeps(figure, seen, measure)
    _folds(figure, seen, measure)
    figure.update_yaxes(title_text=_MEASURES[measure], row=1, col=1)
    if measure == "reasoning":
        figure.update_yaxes(tickformat=".3~%", rangemode="tozero", row=1, col=1)
    steep = {"type": "log", "exponentformat": "power", "dtick": 1} if seen.folds else {}
    figure.update_yaxes(title_text="susceptibility", row=2, col=1, **steep)
    figure.update_xaxes(**_scale(seen), row=1, col=1)
    name = "price of reasoning, over the point’s" if path is None else escape(seen.parameter)
    figure.update_xaxes(**_scale(seen), title_text=name, row=2, col=1)
    figure = titled(figure, finding(found, path, low, high))
    return figure.update_layout(
        legend={"orientation": "h", "x": 0.0, "y": 1.0, "yanchor": "bottom"}, margin_l=76,
    )  # fmt: skip


def _x(seen: Response, value: Floats) -> Floats:
    return np.asarray(np.exp(value) if seen.logarithmic else value)


def _scale(seen: Response) -> dict[str, object]:
    value = _x(seen, seen.points["value"].to_numpy(np.float64))
    low, high = float(value.min()), float(value.max())
    if not seen.logarithmic:
        pad = (0.1 if seen.folds else 0.03) * (high - low)
        return {"range": [low - pad, high + pad]}
    ticks = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5)]
    ticks = [low, *(t for t in ticks if 1.2 * low < t < high / 1.2), high]
    return {
        "type": "log", "range": [np.log10(low) - 0.03, np.log10(high) + 0.03], "tickvals": ticks,
        "ticktext": [number(t) for t in ticks],
    }  # fmt: skip


def _curves(figure: go.Figure, seen: Response, rows: pd.DataFrame, measure: str) -> None:
    """Draw a line in its parts, each as it is: stable, unstable, or no equilibrium."""
    value, response = _line(rows, measure)
    for look, at in _parts(rows, value):
        x, slope = _x(seen, value(at)), value(at, 1)
        common = {"mode": "lines", "line": {**_LOOKS[look], "simplify": False}, "name": look,
                  "showlegend": False}  # fmt: skip
        figure.add_scatter(
            x=x, y=response(at), row=1, col=1, **common,
            hovertemplate="%{x:.4g}: %{y:.4g}<extra>" + look + "</extra>",
        )  # fmt: skip
        if look == "stable":
            steep = np.abs(slope) > 0.01 * np.abs(slope).max()
            chi = np.where(steep, np.abs(response(at, 1) / np.where(steep, slope, 1.0)), np.nan)
            figure.add_scatter(
                x=x, y=chi, row=2, col=1, **common,
                hovertemplate="%{x:.4g}: %{y:.3g}<extra></extra>",
            )  # fmt: skip


def _parts(rows: pd.DataFrame, value: CubicHermiteSpline) -> list[tuple[str, Floats]]:
    """Return the parts of a line and the lengths at which each is drawn.

    Where it turns back, one part ends and the next one begins.
    """
    s, looks = rows["length"].to_numpy(np.float64), [_look(row) for row in rows.itertuples()]
    ends = [s[0]]
    for i, (a, b) in enumerate(pairwise(s)):
        if looks[i] != looks[i + 1]:
            fine = np.linspace(a, b, 20 * _FINE)
            slope = value(fine, 1)
            turn = np.flatnonzero(slope[1:] * slope[:-1] < 0.0)
            ends.append(float(fine[turn[0]]) if len(turn) else 0.5 * (a + b))
    each = [look for look, _ in groupby(looks)]
    parts = zip(each, pairwise([*ends, s[-1]]), strict=True)
    knots = [(look, np.array([a, *s[(s > a) & (s < b)], b])) for look, (a, b) in parts]
    return [
        (look, np.unique(np.concatenate([np.linspace(a, b, _FINE) for a, b in pairwise(at)])))
        for look, at in knots
    ]  # fmt: skip


def _look(row: Any) -> str:
    """Return how a line looks at a point; where only buyers answer, nothing else is known."""
    if row.equilibrium is False or row.equilibrium is np.False_:
        return "no equilibrium"
    return "unstable" if row.stable is False or row.stable is np.False_ else "stable"


def _sweeps(figure: go.Figure, seen: Response, measure: str) -> None:
    """Draw where the market is on the way up and on the way down."""
    looks = (("up", "triangle-up", OKABE_ITO[5], 9), ("down", "triangle-down-open", INK, 9))
    for kind, shape, colour, size in looks:
        rows = seen.points[seen.points["kind"] == kind]
        rows = rows[rows["settled"].astype(bool)]
        figure.add_scatter(
            x=_x(seen, rows["value"].to_numpy(np.float64)), y=rows[measure], mode="markers",
            name=f"way {kind}", row=1, col=1, cliponaxis=False,
            marker={"symbol": shape, "size": size, "color": colour, "line": {"width": 1.4}},
            hovertemplate="%{x:.4g}: %{y:.4g}<extra>way " + kind + "</extra>",
        )  # fmt: skip


def _folds(figure: go.Figure, seen: Response, measure: str) -> None:
    rows = seen.points[seen.points["kind"] == "fold"]
    if rows.empty:
        return
    x = _x(seen, rows["value"].to_numpy(np.float64))
    figure.add_scatter(
        x=x, y=rows[measure], mode="markers+text", name="fold", showlegend=False, row=1, col=1,
        cliponaxis=False, text=[f"  {v:.4g}  " for v in x],
        textposition=["middle right" if v > x.mean() else "middle left" for v in x],
        marker={"symbol": "circle", "size": 9, "color": INK}, textfont={"size": 12},
        hovertemplate="fold at %{x:.5g}<extra></extra>",
    )  # fmt: skip
    for v in x:
        figure.add_vline(x=v, line={"color": MUTED, "width": 1, "dash": "dot"}, row=2, col=1)


# --- words -------------------------------------------------------------------------------------


def finding(
    found: Equilibrium, path: str | Sequence[str] | None = None, low: float | None = None,
    high: float | None = None,
) -> str:  # fmt: skip
    """Say in one sentence how far the market moves, and whether it comes back by the same path."""
    seen = response_of(found, path, low, high)
    if seen is None:
        return "How does the market respond to the price of reasoning?"
    measure = measure_of(found)
    up = seen.points[seen.points["kind"] == "up"]
    first, last = (float(up[measure].iloc[i]) for i in (0, -1))
    say = percent if measure == "reasoning" else number
    name = "the share of reasoning" if measure == "reasoning" else "the price paid"
    ends = " to ".join(number(float(v)) for v in _x(seen, up["value"].to_numpy()[[0, -1]]))
    what = "prices of reasoning" if path is None else seen.parameter
    of = " times the point’s" if path is None else ""
    moved = f"With {what} from {ends}{of}, {name} goes from {say(first)} to {say(last)}"
    apart = _x(seen, seen.apart(measure))
    if not len(apart):
        return f"{moved}, and back by the same path"
    folds = [float(_x(seen, np.array(fold.value))) for fold in seen.folds]
    between = (min(folds), max(folds)) if len(folds) > 1 else (apart.min(), apart.max())
    where = " and ".join(f"{float(v):.4g}" for v in between)
    return f"{moved}, and back by another path: between {where} it stays where it came from"


def caption(
    found: Equilibrium, path: str | Sequence[str] | None = None, low: float | None = None,
    high: float | None = None,
) -> str:  # fmt: skip
    """Explain how to read the figure."""
    seen = response_of(found, path, low, high)
    if seen is None:
        return _NONE + " " + "The figure needs another parameter: a path of the spec, its range."
    what = (
        "Prices of all sellers of reasoning are the point’s times a factor, and stay there"
        if path is None else f"What moves is {seen.parameter}"
    )  # fmt: skip
    if seen.levers:
        who = f"; {', '.join(seen.levers)} answer{'s' if len(seen.levers) == 1 else ''} each time"
        lines = (
            " Lines are stationary prices: solid where best responses come back to them, dashed "
            "where they do not, dotted where somebody gains by a price far away; dots are folds."
            if seen.branches else " No branch of stationary prices could be followed."
        )  # fmt: skip
    else:
        who = f"; all other prices stay (posted, fixed, or more than {MOST}), buyers answer"
        lines = " The line is the way up."
    per = "ln price" if seen.logarithmic else "what moves"
    lost = int((~seen.points["settled"].astype(bool)).sum())
    gaps = f" At {lost} steps prices did not settle; they are not drawn." if lost else ""
    return (
        f"{what}{who}, in the fluid market at mean rates of arrival. Triangles: each step starts "
        "from the last one, up first, then down from there, closer on both sides of a fold."
        f"{lines} Below: how much the measure moves per unit of {per}, on the stable "
        f"lines, in size; it grows without bound towards a fold.{gaps}"
    )
