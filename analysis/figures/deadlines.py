"""F10: deadlines and queues: time to the answer per offer, and how busy sellers are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandas.api.typing import SeriesGroupBy
from plotly.subplots import make_subplots

from ...scenarios.result import Result
from .frames import (
    MAIN_SELLERS,
    named,
    seller_colours,
    seller_of,
    seller_order,
    series,
    short_names,
    steady,
)
from .notation import clock, duration, percent, time_ticks
from .template import GRID, INK, end_labels, escape, label, rgba, room_for, titled, undrawn

_OFFERS = 5  # offers drawn per task class
_ROW = 19  # px per offer
_BUSY = 230  # px of the panel of utilisation
_QUANTILES = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


def data(result: Result) -> pd.DataFrame:
    """Return quantiles of the sojourn (s) per task class and offer, with the class's deadline.

    Columns: task, offer, served, p5, p25, median, p75, p95, deadline (median, s), missed (share
    of answers that came late).
    """
    rows = []
    ordered = named(result.latencies).sort_values("low", kind="stable")
    for (task, offer), bins in ordered.groupby(["task", "offer"], sort=False):
        rows.append({"task": task, "offer": offer, "served": int(bins["count"].sum()),
                     **{k: _quantile(bins, q) for k, q in _QUANTILES.items()}})  # fmt: skip
    columns = ["task", "offer", "served", *_QUANTILES]
    kinds = {"served": np.int64, **dict.fromkeys(_QUANTILES, np.float64)}
    out = pd.DataFrame(rows, columns=columns).astype(kinds)  # kinds hold without rows, too
    epochs = steady(result, series(result, "epochs"))
    sums = epochs.groupby(["task", "offer"])[["late", "served"]].sum()
    late = (sums["late"] / sums["served"].where(sums["served"] > 0)).rename("missed")
    out = out.merge(late.reset_index(), on=["task", "offer"], how="left")
    out["deadline"] = out["task"].map(_deadlines(result).median())
    out.attrs["units"] = {**dict.fromkeys([*_QUANTILES, "deadline"], "s"), "missed": "ratio"}
    return out[[*columns, "deadline", "missed"]]


def _deadlines(result: Result) -> SeriesGroupBy[Any, Any]:
    return named(result.trades[["task", "deadline"]]).groupby("task")["deadline"]


def _quantile(bins: pd.DataFrame, q: float) -> float:
    """Return a quantile of a histogram, interpolated within the bin on a log scale."""
    total = bins["count"].cumsum().to_numpy(float)
    i = int(np.searchsorted(total, q * total[-1]))
    below = total[i - 1] if i else 0.0
    low, high = float(bins["low"].iloc[i]), float(bins["high"].iloc[i])
    part = (q * total[-1] - below) / (total[i] - below)
    if low <= 0:
        return float(low + part * (high - low))
    return float(low * (high / low) ** part)


@dataclass(frozen=True)
class _Rows:
    """Rows of the upper panel: what is drawn at which height, from the top down."""

    table: pd.DataFrame
    headings: list[tuple[str, int, int]]  # task class, first and last row
    count: int


def _rows(result: Result) -> _Rows:
    table = data(result)
    parts, headings, y = [], [], 0
    for task in result.market.tasks:
        rows = table[table["task"] == task.name].nlargest(_OFFERS, "served")
        rows = rows[rows["served"] >= 0.01 * rows["served"].sum()].sort_values("median")
        if rows.empty:
            continue
        y += 1
        parts.append(rows.assign(y=range(y, y + len(rows))))
        headings.append((task.name, y, y + len(rows) - 1))
        y += len(rows)
    drawn = pd.concat(parts, ignore_index=True) if parts else table.assign(y=0)
    return _Rows(drawn, headings, y)


def build(result: Result) -> go.Figure:
    """Draw sojourn boxes per offer with deadlines marked and, below, utilisation over time."""
    rows = _rows(result)
    if rows.table.empty:
        return undrawn(finding(result), "No answer was given after the warm-up.")
    busy = _utilisation(result)
    upper = _ROW * rows.count + 20
    room = _BUSY if not busy.empty else 0
    gap = 80 if room else 0
    total = upper + gap + room
    figure = make_subplots(
        2 if room else 1, 1, vertical_spacing=gap / total,
        row_heights=[upper, room] if room else [1],
    )  # fmt: skip
    _draw_sojourns(figure, result, rows)
    if room:
        _draw_utilisation(figure, result, busy)
    figure = titled(figure, finding(result), height=total + 130)
    names = short_names(result.market)
    left = [label(names.get(o, o)) for o in rows.table["offer"]]
    left += [label(name) + "m" for name, _, _ in rows.headings]
    figure.update_layout(
        margin={"l": room_for(left, 13), "r": 24 + room_for(map(label, busy)), "b": 56},
        showlegend=False,
    )  # fmt: skip
    return figure


def _draw_sojourns(figure: go.Figure, result: Result, rows: _Rows) -> None:
    colours, names = seller_colours(result), short_names(result.market)
    table = rows.table.assign(seller=seller_of(rows.table["offer"]))
    for _, row in table.iterrows():
        colour = colours.get(row["seller"], INK)
        figure.add_trace(go.Box(
            orientation="h", y=[row["y"]], lowerfence=[row["p5"]], q1=[row["p25"]],
            median=[row["median"]], q3=[row["p75"]], upperfence=[row["p95"]], width=0.7,
            line={"color": colour, "width": 1.5}, fillcolor=rgba(colour, 0.35),
            name=escape(names.get(row["offer"], row["offer"])),
        ), row=1, col=1)  # fmt: skip
    _draw_deadlines(figure, result, rows)
    low, high = np.log10(_ends(table, result)) + np.array([-0.15, 0.15])
    ticks, labels = time_ticks(10.0**low, 10.0**high)
    figure.update_xaxes(type="log", range=[low, high], tickvals=ticks, ticktext=labels,
                        title_text="time to the answer", row=1, col=1)  # fmt: skip
    figure.update_yaxes(
        range=[rows.count - 0.3, -0.8], showgrid=False, ticks="", row=1, col=1,
        tickvals=table["y"].tolist(), zeroline=False,
        ticktext=[label(names.get(o, o)) for o in table["offer"]],
    )  # fmt: skip
    for name, first, _ in rows.headings:
        figure.add_annotation(text=f"<b>{label(name)}</b>", x=0, xref="x domain", xanchor="right",
                              y=first - 1, yref="y", showarrow=False, xshift=-1)  # fmt: skip


def _ends(table: pd.DataFrame, result: Result) -> tuple[float, float]:
    """Return the shortest and longest time drawn, s, deadlines included."""
    drawn = _deadlines(result)
    shortest = np.nanmin([table["p5"].min(), drawn.quantile(0.05).min()])
    longest = np.nanmax([table["p95"].max(), drawn.quantile(0.95).max()])
    return max(float(shortest), 1e-6), float(longest)


def _draw_deadlines(figure: go.Figure, result: Result, rows: _Rows) -> None:
    """Mark each class's deadline: a line where it is fixed, a band from 5% to 95% where drawn."""
    deadlines = _deadlines(result).quantile(np.array([0.05, 0.5, 0.95])).unstack()
    for name, first, last in rows.headings:
        low, middle, high = deadlines.reindex([name]).to_numpy()[0]
        if np.isnan(middle):
            continue
        ends = [first - 0.6, last + 0.6]
        if high > 1.001 * low:
            figure.add_shape(
                type="rect", x0=low, x1=high, y0=ends[0], y1=ends[1], layer="below",
                fillcolor=GRID, line={"width": 0}, row=1, col=1,
            )  # fmt: skip
        figure.add_trace(go.Scatter(
            x=np.array([middle, middle], np.float32), y=ends, mode="lines",
            line={"color": INK, "width": 2, "dash": "solid" if high <= 1.001 * low else "dash"},
            hovertemplate=f"deadline of {escape(name)}: {duration(middle)}<extra></extra>",
        ), row=1, col=1)  # fmt: skip


def _utilisation(result: Result) -> pd.DataFrame:
    """Return the median utilisation over replications: one row per epoch, one column per seller."""
    seen = series(result, "sellers")
    seen = seen[seen["utilisation"].notna()]
    return seen.groupby(["start", "seller"])["utilisation"].median().unstack()


def _draw_utilisation(figure: go.Figure, result: Result, busy: pd.DataFrame) -> None:
    per, unit = clock(result.market.run.until)
    colours = seller_colours(result)
    order = [s for s in seller_order(result) if s in busy]
    named = sorted(order, key=lambda s: -busy[s].mean())[:MAIN_SELLERS]
    x = (busy.index.to_numpy() / per).astype(np.float32)
    labels = []
    for seller in [s for s in order if s not in named] + named[::-1]:
        main = seller in named
        figure.add_trace(go.Scatter(
            x=x, y=busy[seller].to_numpy(np.float32), mode="lines", name=escape(seller),
            line={"color": colours[seller] if main else "#cfcfcf", "width": 1.8 if main else 1},
            hovertemplate="%{y:.0%}<extra>" + escape(seller) + "</extra>",
        ), row=2, col=1)  # fmt: skip
        if main:
            labels.append((label(seller), float(busy[seller].dropna().iloc[-1]), colours[seller]))
    top = min(1.02, max(1.2 * float(np.nanmax(busy)), 0.05))
    figure.update_yaxes(range=[0, top], tickformat=".0%", title_text="utilisation", row=2, col=1)
    figure.update_xaxes(title_text=f"time ({unit})", row=2, col=1)
    end_labels(figure, labels, 2, (0.0, top), _BUSY)


def finding(result: Result) -> str:
    """Say in one sentence which deadlines are missed."""
    table = data(result)
    bound = table[table["deadline"].notna() & table["missed"].notna()]
    if bound.empty:
        return _typical(result)
    late = (bound["missed"] * bound["served"]).groupby(bound["task"]).sum()
    share = late / bound.groupby("task")["served"].sum()
    if share.max() == 0:
        return "No answer comes late"
    worst = str(share.idxmax())
    total = percent(float(late.sum() / bound["served"].sum()))
    text = f"{total.replace('<', 'Under ')} of answers with a deadline come late"
    return text if len(share) == 1 else f"{text}, most in {worst} ({percent(float(share.max()))})"


def _typical(result: Result) -> str:
    """Say how long answers take where none has a deadline."""
    bins = named(result.latencies).groupby(["low", "high"])["count"].sum().reset_index()
    if bins.empty:
        return "How long do answers take, and how busy are the sellers?"
    half, most = (duration(_quantile(bins, q)) for q in (0.5, 0.95))
    return f"Half of the answers take up to {half}, 95% of them up to {most}"


def caption(result: Result) -> str:
    """Explain how to read the figure."""
    middle = ", median over replications" if result.reps > 1 else ""
    busy = (
        f" Below: share of slots in use over the whole run{middle}; the {MAIN_SELLERS} busiest "
        "sellers are named, sellers with unlimited slots have no utilisation."
    )
    below = not _utilisation(result).empty
    return (
        f"{'Above: time' if below else 'Time'} from asking to the answer, after the warm-up; "
        "box 25–75%, line median, "
        f"whiskers 5–95%; the {_OFFERS} most used offers of each task class, fastest first. Black "
        "lines are deadlines; where they differ between tasks, dashed at the median, with a band "
        f"from 5% to 95%.{busy if below else ''}"
    )
