"""F6 of a sweep: a measure along a lever, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...scenarios.sweep.swept import Sweep
from ..sweeps.cube import Cube, short_paths, told
from ..sweeps.intervals import intervals
from .notation import number
from .sweep_frames import MOST, chosen, cube_of, looks, named
from .template import HEIGHT, escape, label, room_for, titled, undrawn

_NONE = "The sweep has no lever; give it two values of a path at least."
_APART = 0.012
"""Sideways step between lines, as a share of the axis, so that whiskers don't hide each other."""


def data(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> pd.DataFrame:
    """Return means for each setting of levers with 95% intervals, as `intervals` does.

    Raises:
        ValueError: runs are left, or there is no such measure.
    """
    if not _levers(sweep):
        return pd.DataFrame()
    return intervals(sweep, *chosen(sweep, metric, task, offer), by="setting")


def _levers(sweep: Sweep) -> list[str]:
    return [path for path, role in sweep.manifest["paths"].items() if role == "lever"]


def _lines(table: pd.DataFrame, levers: list[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return a name and the rows of each line: the first lever goes along, others part lines."""
    others = levers[1:]
    if not others:
        return [("", table)]
    names = short_paths(levers)
    return [
        (", ".join(f"{names[p]} {told(v)}" for p, v in zip(others, values, strict=True)), rows)
        for values, rows in table.groupby(others, sort=False)
    ]


def build(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> go.Figure:
    """Draw a line per setting of the other levers, with whiskers."""
    table, levers = data(sweep, metric, task, offer), _levers(sweep)
    if table.empty:
        return undrawn("How does the market respond?", _NONE)
    whole, first = cube_of(sweep, metric, task, offer), levers[0]
    numbers = pd.api.types.is_numeric_dtype(table[first])
    lines, figure = _lines(table, levers)[:MOST], go.Figure()
    span = float(table[first].max() - table[first].min()) if numbers else 1.0
    for i, (name, rows) in enumerate(lines):
        colour, dash, symbol = looks(i)
        shift = (i - 0.5 * (len(lines) - 1)) * _APART * span if numbers else 0.0
        figure.add_scatter(
            x=rows[first] + shift if numbers else [label(v) for v in rows[first]], y=rows["mean"],
            mode="lines+markers" if numbers else "markers", name=label(name), cliponaxis=False,
            showlegend=len(lines) > 1, line={"color": colour, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 8, "color": colour},
            error_y={"type": "data", "symmetric": False, "thickness": 1.2, "width": 4,
                     "color": colour, "array": (rows["high"] - rows["mean"]).fillna(0.0),
                     "arrayminus": (rows["mean"] - rows["low"]).fillna(0.0)},
            customdata=rows[first], hovertemplate="%{customdata}: %{y:.4g}<extra></extra>",
        )  # fmt: skip
    if not numbers:
        figure.update_layout(scattermode="group", scattergap=0.6, xaxis_type="category")
    figure = titled(figure, finding(sweep, metric, task, offer), height=HEIGHT - 120)
    side = {"margin_r": room_for(label(name) for name, _ in lines) + 60} if len(lines) > 1 else {}
    ends = table[["low", "high", "mean"]].to_numpy(np.float64)
    known = ends[np.isfinite(ends)]
    pad = 0.06 * float(np.ptp(known)) if len(known) else 0.0
    if pad > 0.0:  # scatters in groups would begin at 0
        figure.update_yaxes(range=[float(known.min()) - pad, float(known.max()) + pad])
    return figure.update_layout(
        xaxis_title_text=escape(short_paths(levers)[first]), yaxis_title_text=escape(named(whole)),
        legend={"x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"}, **side,
    )  # fmt: skip


def finding(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> str:
    """Say in one sentence between which values the measure moves."""
    table = data(sweep, metric, task, offer)
    if table.empty or table["mean"].isna().all():
        return "How does the market respond?"
    whole: Cube = cube_of(sweep, metric, task, offer)
    mean = table["mean"].to_numpy(np.float64)
    low, high = int(np.nanargmin(mean)), int(np.nanargmax(mean))
    unit = f" {whole.unit}" if whole.unit not in ("", "ratio") else ""
    return (
        f"{whole.what} is least, {number(mean[low])}{unit}, with {whole.labels[low]}, and "
        f"greatest, {number(mean[high])}{unit}, with {whole.labels[high]}"
    )


def caption(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> str:
    """Explain how to read the figure."""
    levers = _levers(sweep)
    if not levers:
        return _NONE
    lines = len(_lines(data(sweep, metric, task, offer), levers))
    more = f" {lines - MOST} more lines are in the data." if lines > MOST else ""
    sample = sweep.manifest["sample"]
    over = " and the sample of uncertainties" if sample else ""
    seeds = sweep.manifest["seeds"]
    whiskers = (
        "Whiskers: 95% BCa bootstrap over replications. They hold each mean by itself; differences "
        "are sharper where replications are paired: see `effects`."
        if seeds > 1 else "One replication has no interval."
    )  # fmt: skip
    return (
        f"Means over {seeds:,} replication{'s' * (seeds > 1)}{over} at each setting of levers; "
        f"lines are moved a little sideways so that whiskers are seen. {whiskers}{more}"
    )
