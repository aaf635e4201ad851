"""F6 of a sweep: a measure along a lever, with intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...scenarios.sweep.swept import Sweep
from ..sweeps.cube import Cube, leading, short_paths, told, unit_of
from ..sweeps.intervals import intervals
from .notation import log_ticks, number
from .solved_frames import once
from .sweep_frames import MOST, chosen, cube_of, looks, named
from .template import HEIGHT, escape, label, room_for, titled, undrawn

_NONE = "The sweep has no lever; give it two values of a path at least."
_APART = 0.012
"""Sideways step between lines, as a share of the axis, so that whiskers don't hide each other."""
_MARKED = 40
"""Values of a lever up to which marks and whiskers have their full size."""
_TICKS = 8
"""Values of a lever up to which each has a tick on a logarithmic axis."""
_WIDE, _EVEN = 8.0, 1.6
"""Ratio of a lever's ends from which on its axis may be logarithmic, and that of its steps."""


def data(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> pd.DataFrame:
    """Return means for each setting of levers with 95% intervals, as `intervals` does.

    Raises:
        ValueError: runs are left, or there is no such measure.
    """
    if not _levers(sweep):
        return pd.DataFrame()
    cell = chosen(sweep, metric, task, offer)
    return once(
        sweep, f"responses {cell}", lambda: intervals(sweep, *cell, by="setting")
    )  # fmt: skip


def _levers(sweep: Sweep) -> list[str]:
    return [path for path, role in sweep.manifest["paths"].items() if role == "lever"]


def _order(table: pd.DataFrame, levers: list[str]) -> list[str]:
    """Return the levers that make lines: those that vary, without those that only go along."""
    return leading(table[levers]) or levers[:1]


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
    levers = _order(table, levers)
    whole, first = cube_of(sweep, metric, task, offer), levers[0]
    numbers = pd.api.types.is_numeric_dtype(table[first])
    lines, figure = _some(_lines(table, levers)), go.Figure()
    log = numbers and _geometric(table[first])
    apart = _apart(table[first], len(lines), log) if numbers else 0.0
    few = table[first].nunique() <= _MARKED
    for i, (name, rows) in enumerate(lines):
        colour, dash, symbol = looks(i)
        shift = (i - 0.5 * (len(lines) - 1)) * apart
        figure.add_scatter(
            x=_moved(rows[first], shift, log) if numbers else [label(v) for v in rows[first]],
            y=rows["mean"],
            mode="lines+markers" if numbers else "markers", name=label(name), cliponaxis=False,
            showlegend=len(lines) > 1, line={"color": colour, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 8 if few else 4, "color": colour},
            error_y={"type": "data", "symmetric": False, "thickness": 1.2, "width": 4 if few else 0,
                     "color": colour, "array": (rows["high"] - rows["mean"]).fillna(0.0),
                     "arrayminus": (rows["mean"] - rows["low"]).fillna(0.0)},
            customdata=rows[first], hovertemplate="%{customdata}: %{y:.4g}<extra></extra>",
        )  # fmt: skip
    if not numbers:
        figure.update_layout(scattermode="group", scattergap=0.6, xaxis_type="category")
    figure = titled(figure, finding(sweep, metric, task, offer), height=HEIGHT - 120)
    side = {"margin_r": room_for(label(name) for name, _ in lines) + 60} if len(lines) > 1 else {}
    ends = pd.concat([rows for _, rows in lines])[["low", "high", "mean"]].to_numpy(np.float64)
    known = ends[np.isfinite(ends)]
    pad = 0.06 * float(np.ptp(known)) if len(known) else 0.0
    if pad > 0.0:  # scatters in groups would begin at 0
        figure.update_yaxes(range=[float(known.min()) - pad, float(known.max()) + pad])
    if log:
        figure.update_xaxes(**_log_axis(table[first]))
    if whole.unit == "ratio":
        figure.update_yaxes(tickformat=".4~%")
    return figure.update_layout(
        xaxis_title_text=escape(_axis_of(first, levers, numbers)),
        yaxis_title_text=escape(named(whole)),
        legend={"x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"}, **side,
    )  # fmt: skip


def _some(lines: list[tuple[str, pd.DataFrame]]) -> list[tuple[str, pd.DataFrame]]:
    """Return the lines that are drawn: all if few, else some from the first to the last."""
    if len(lines) <= MOST:
        return lines
    return [lines[i] for i in np.linspace(0, len(lines) - 1, MOST).round().astype(int)]


def _apart(x: pd.Series, lines: int, log: bool) -> float:
    """Return the sideways step between lines: all stay nearer to their value than to the next."""
    values = np.unique(x.to_numpy(np.float64))
    values = np.log(values) if log else values
    if len(values) < 2:
        return 0.0
    return min(_APART * float(np.ptp(values)), 0.4 * float(np.diff(values).min()) / lines)


def _log_axis(x: pd.Series) -> dict[str, object]:
    values = np.unique(x.to_numpy(np.float64))
    left, right = float(np.log10(values[0])), float(np.log10(values[-1]))
    pad = 0.05 * (right - left)
    ticks: dict[str, object] = {"tickvals": values, "ticktext": [number(v) for v in values]}
    if len(values) > _TICKS:
        ticks = {**log_ticks(left, right)}
    return {"type": "log", "range": [left - pad, right + pad], **ticks}


def _axis_of(path: str, levers: list[str], numbers: bool) -> str:
    unit = unit_of(path) if numbers else ""
    return short_paths(levers)[path] + (f" ({unit})" if unit else "")


def _moved(x: pd.Series, shift: float, log: bool) -> pd.Series:
    return x * np.exp(shift) if log else x + shift


def _geometric(x: pd.Series) -> bool:
    """Whether values are spread over ratios rather than differences.

    Example:
        >>> _geometric(pd.Series([1, 4, 16])), _geometric(pd.Series([1, 2, 3, 16]))
        (True, False)
    """
    values = np.unique(x.to_numpy(np.float64))
    if values[0] <= 0.0 or values[-1] < _WIDE * values[0]:
        return False
    steps = np.diff(np.log(values))
    return bool(steps.max() <= _EVEN * steps.min())


def finding(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> str:
    """Say in one sentence between which values the measure moves."""
    table = data(sweep, metric, task, offer)
    if table.empty or table["mean"].isna().all():
        return "How does the market respond?"
    whole: Cube = cube_of(sweep, metric, task, offer)
    mean = table["mean"].to_numpy(np.float64)
    low, high = int(np.nanargmin(mean)), int(np.nanargmax(mean))
    least, most = _said(mean[low], whole.unit), _said(mean[high], whole.unit)
    what = f"{whole.what[0].upper()}{whole.what[1:]}"
    if mean[low] == mean[high]:
        return f"{what} is {least} in all settings"
    if least == most:  # three digits do not tell them apart
        least, most = (_said(mean[i], whole.unit, "{:,.6g}".format) for i in (low, high))
    return (
        f"{what} is least, {least}, with {whole.labels[low]}, and greatest, {most}, with "
        f"{whole.labels[high]}"
    )


def _said(x: float, unit: str, say: Callable[[float], str] = number) -> str:
    """Return a mean with its unit.

    Example:
        >>> _said(0.123, "ratio"), _said(-1234.0, "USD/h"), _said(5.0, "")
        ('12.3%', '−1,230 USD/h', '5')
    """
    text = f"{say(100.0 * x)}%" if unit == "ratio" else f"{say(x)} {unit}".rstrip()
    return text.replace("-", "−")


def caption(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> str:
    """Explain how to read the figure."""
    levers = _levers(sweep)
    if not levers:
        return _NONE
    table = data(sweep, metric, task, offer)
    order = _order(table, levers)
    lines = len(_lines(table, order))
    along = [short_paths(levers)[p] for p in levers if p not in order and table[p].nunique() > 1]
    with_it = f" With {short_paths(levers)[order[0]]} move {', '.join(along)}." if along else ""
    more = f" {lines - MOST} more lines are in the data." if lines > MOST else ""
    sample = sweep.manifest["sample"]
    over = " and the sample of uncertainties" if sample else ""
    seeds = sweep.manifest["seeds"]
    sideways = "; lines are moved a little sideways so that whiskers are seen" if lines > 1 else ""
    whiskers = (
        "Whiskers: 95% BCa bootstrap over replications. They hold each mean by itself; differences "
        "are sharper where replications are paired (w.effects)."
        if seeds > 1 else "One replication has no interval."
    )  # fmt: skip
    return (
        f"Means over {seeds:,} replication{'s' * (seeds > 1)}{over} at each setting of levers"
        f"{sideways}. {whiskers}{with_it}{more}"
    )
