"""F6c: where a measure crosses a level along a path: one crossing, or one per value of another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.special import stdtrit

from ..sweeps.boundary import Boundary
from ..sweeps.cube import short_paths
from .notation import log_ticks, number
from .template import HEIGHT, INK, MUTED, OKABE_ITO, escape, label, room_for, tint, titled

_MARKS: tuple[tuple[int, str, str, str], ...] = (
    (1, "above", OKABE_ITO[5], "triangle-up"),
    (-1, "below", OKABE_ITO[0], "triangle-down"),
    (0, "not known", MUTED, "x-thin"),
)
"""Sign, name, colour and symbol of a point that was looked at: told apart in grey, too."""
_SPAN = tint(OKABE_ITO[2], 0.7)
_BRACKET, _LINE = "bracket", "estimate"


def data(found: Boundary) -> pd.DataFrame:
    """Return what is drawn: the crossings, then the points that were looked at.

    Columns: kind ("crossing", "point"), the second path if there is one, the path, value (of the
    response, at points), low and high (of a crossing its bracket, of a point its 95% interval),
    est_low, est_high, sign, n (replications at a point).
    """
    points = found.points.rename(columns={"estimate": found.along}).assign(kind="crossing")
    steps = found.steps.assign(kind="point", value=found.steps["mean"] + found.level)
    half = stdtrit(steps["n"] - 1, 0.975) * steps["se"]
    steps = steps.assign(low=steps["value"] - half, high=steps["value"] + half)
    paths = [found.across, found.along] if found.across else [found.along]
    columns = ["kind", *paths, "value", "low", "high", "est_low", "est_high", "sign", "n"]
    table = pd.concat(
        [points.reindex(columns=columns), steps.reindex(columns=columns)], ignore_index=True
    )
    table = table.astype({"sign": "Int64", "n": "Int64"})
    unit = found.steps.attrs.get("units", {}).get("mean", "")
    table.attrs["units"] = {"value": unit, "est_low": "that of the path",
                            "est_high": "that of the path", "n": "replications"}  # fmt: skip
    return table


def build(found: Boundary) -> go.Figure:
    """Draw the response with the bracket of its crossing; of several crossings their curve."""
    figure = titled((_curve if found.across else _one)(found), finding(found), height=HEIGHT - 120)
    names = short_paths([found.along, *([found.across] if found.across else [])])
    turn = figure.update_yaxes if found.across else figure.update_xaxes
    looked = found.steps[found.along]
    turn(title_text=escape(names[found.along]))
    if found.scale == "log":
        ends = [math.log10(float(looked.min())), math.log10(float(looked.max()))]
        pad = 0.04 * (ends[1] - ends[0])
        turn(type="log", range=[ends[0] - pad, ends[1] + pad], **log_ticks(*ends))
    if found.across:
        figure.update_xaxes(title_text=escape(names[found.across]))
    else:
        figure.update_yaxes(title_text=escape(f"{found.what}{_unit(found, ' ({})')}"))
    shown = [trace.name for trace in figure.data if trace.showlegend is not False]
    return figure.update_layout(
        legend={"x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"},
        margin_r=room_for(shown) + 60,
    )


def _unit(found: Boundary, how: str) -> str:
    unit = found.steps.attrs.get("units", {}).get("mean", "")
    return how.format(unit) if unit not in ("", "ratio") else ""


def _one(found: Boundary) -> go.Figure:
    """Draw the response along the path, its level, and where it is crossed."""
    figure, row = go.Figure(), found.points.iloc[0]
    table = data(found)
    steps = table[table["kind"] == "point"].sort_values(found.along)
    ends = [float(steps[found.along].min()), float(steps[found.along].max())]
    if math.isfinite(row["low"]):
        heights = [float(steps["low"].min()), float(steps["high"].max())]
        figure.add_scatter(
            x=[row["low"], row["high"], row["high"], row["low"]], y=np.repeat(heights, 2),
            mode="lines", fill="toself", fillcolor=_SPAN, line={"width": 0}, hoverinfo="skip",
            name=_BRACKET,
        )  # fmt: skip
    figure.add_scatter(x=ends, y=[found.level] * 2, mode="lines", hoverinfo="skip",
                       name=f"level {number(found.level)}",
                       line={"color": INK, "width": 1.2, "dash": "dash"})  # fmt: skip
    for sign, name, colour, symbol in _MARKS:
        rows = steps[steps["sign"] == sign]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows[found.along], y=rows["value"], mode="markers", name=name, cliponaxis=False,
            marker=_marker(colour, symbol, 9), customdata=rows["n"],
            error_y={"type": "data", "array": rows["high"] - rows["value"], "thickness": 1.2,
                     "width": 4, "color": colour},
            hovertemplate="%{x:.4g}: %{y:.4g}, %{customdata} replications<extra></extra>",
        )  # fmt: skip
    if math.isfinite(row["estimate"]):
        figure.add_scatter(
            x=[row["estimate"]], y=[found.level], mode="markers", name=_LINE,
            marker={"symbol": "diamond", "size": 10, "color": "white",
                    "line": {"color": INK, "width": 1.8}},
            error_x=_whiskers(found.points), hovertemplate="%{x:.4g}<extra></extra>",
        )  # fmt: skip
    return figure


def _curve(found: Boundary) -> go.Figure:
    """Draw brackets and estimates of the crossing over the second path, and what was looked at."""
    figure, points = go.Figure(), found.points
    numbers = pd.api.types.is_numeric_dtype(points[found.across])
    for sign, name, colour, symbol in _MARKS:
        rows = found.steps[found.steps["sign"] == sign]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows[found.across] if numbers else [label(v) for v in rows[found.across]],
            y=rows[found.along], mode="markers", name=name, cliponaxis=False,
            marker=_marker(colour, symbol, 8), customdata=rows["mean"] + found.level,
            hovertemplate="%{x:.4g}, %{y:.4g}: %{customdata:.4g}<extra></extra>" if numbers
            else "%{x}, %{y:.4g}: %{customdata:.4g}<extra></extra>",
        )  # fmt: skip
    known = points[points["low"].notna()].sort_values(found.across) if numbers else (
        points[points["low"].notna()]
    )  # fmt: skip
    across = known[found.across] if numbers else [label(v) for v in known[found.across]]
    figure.add_scatter(
        x=[x for x in across for _ in range(3)],
        y=[y for low, high in zip(known["low"], known["high"], strict=True)
           for y in (low, high, None)],
        mode="lines", name=_BRACKET, hoverinfo="skip",
        line={"color": tint(OKABE_ITO[2], 0.35), "width": 9},
    )  # fmt: skip
    figure.add_scatter(
        x=across, y=known["estimate"], mode="lines+markers" if numbers else "markers", name=_LINE,
        line={"color": INK, "width": 1.6}, cliponaxis=False,
        marker={"symbol": "diamond", "size": 9, "color": "white",
                "line": {"color": INK, "width": 1.6}},
        error_y=_whiskers(known), hovertemplate="%{x}: %{y:.4g}<extra></extra>",
    )  # fmt: skip
    return figure if numbers else figure.update_xaxes(type="category")


def _marker(colour: str, symbol: str, size: int) -> dict[str, Any]:
    return {"symbol": symbol, "size": size, "color": colour, "line": {"color": colour, "width": 1}}


def _whiskers(points: pd.DataFrame) -> dict[str, Any]:
    """Return the interval of an estimate; none where it has no end."""
    up, down = points["est_high"] - points["estimate"], points["estimate"] - points["est_low"]
    clear = {"array": up.fillna(0.0).clip(lower=0.0), "arrayminus": down.fillna(0.0).clip(lower=0)}
    return {"type": "data", "symmetric": False, "thickness": 1.6, "width": 6, "color": INK, **clear}


def finding(found: Boundary) -> str:
    """Say in one sentence where the crossing is."""
    names = short_paths([found.along, *([found.across] if found.across else [])])
    level = f"{number(found.level)}{_unit(found, ' {}')}"
    known = found.points[found.points["low"].notna()]
    if known.empty:
        return f"{found.what} is not known to cross {level}: {found.points['why'].iloc[0]}"
    if not found.across:
        row = known.iloc[0]
        return (f"{found.what} crosses {level} between {names[found.along]} {number(row['low'])} "
                f"and {number(row['high'])}, about at {number(row['estimate'])}")  # fmt: skip
    first, last = known.iloc[0], known.iloc[-1]
    said = (f"{found.what} crosses {level} at {names[found.along]} {number(first['estimate'])} "
            f"with {names[found.across]} {_told(first[found.across])}")  # fmt: skip
    if len(known) == 1:
        return f"{said} alone"
    return f"{said}, {number(last['estimate'])} with {_told(last[found.across])}"


def _told(value: Any) -> str:
    return number(float(value)) if isinstance(value, (int, float, np.number)) else str(value)


def caption(found: Boundary) -> str:
    """Explain how to read the figure."""
    undecided = found.points[~found.points["decided"].astype(bool)]
    left = "".join(f" Not decided: {why}." for why in dict.fromkeys(undecided["why"]))
    each = " each" if found.across else ""
    whiskers = "" if found.across else " Whiskers: 95%, Student’s t of replications."
    runs = int(found.points["runs"].sum())
    return (
        "Triangles are the points that were looked at, above or below the level (crosses: not "
        f"known), {runs:,} runs in all.{whiskers} The bracket holds a crossing with a chance of at "
        f"least {1.0 - found.error:.0%}{each}, all looks together; the estimate is where a line "
        "through the bracket’s points crosses, its 95% interval Fieller’s, as if the response were "
        f"a line there.{left}"
    )
