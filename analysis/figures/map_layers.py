"""What is drawn on the selection map: shaded cells, dots, indifference lines."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ...scenarios.result import Result
from .contours import best_offers, indifference
from .frames import effort_ranks, seller_colours, seller_order, short_names, symbol
from .map_labels import Area, region_labels
from .notation import percent
from .plane import CELL, Plane, cells
from .template import INK, MUTED, OUTSIDE, escape, label, rgba
from .utility import Terms, utility_lines

_DOTS = {True: 1200, False: 700}  # dots of the overview and of one class
_LEGEND = 12  # sellers named in the legend
_OTHERS = "others"
_PALE = "#d9d9d9"
_LINES = 4  # lines of a class, one above the other, that the overview can show
_GRID = (140, 110)  # deadlines and values on which utilities are compared
NONE_HALF = CELL  # half the width of the column of tasks without deadline


class Style:
    """Colours, names and ranks that all views share."""

    def __init__(self, result: Result) -> None:
        self.order = [*seller_order(result), ""]
        self.colours = {**seller_colours(result), "": OUTSIDE}
        self.names = short_names(result.market)
        self.ranks = effort_ranks(result.market)

    def name(self, offer: str) -> str:
        """Return an offer's label."""
        return label(self.names.get(offer, offer))


def shading(plane: Plane, style: Style) -> list[go.BaseTraceType]:
    """Draw the cells, one heat map per winning seller: colour tells who, opacity the share."""
    table = cells(plane)
    if table.empty:
        return []
    x = np.unique(np.concatenate([table["x0"], table["x1"]]).round(6))
    y = np.unique(np.concatenate([table["y0"], table["y1"]]).round(6))
    # Tiles around a single deadline lie off the grid: they cover what they overlap of its cells.
    sides = table[["x0", "x1", "y0"]] / CELL
    off = (sides - sides.round()).abs() > 1e-6
    table = table.assign(apart=(off["x0"] & off["x1"]) | off["y0"])
    table = table.sort_values("apart", kind="stable", ignore_index=True)
    owner = np.full((len(y) - 1, len(x) - 1), -1)
    left, right = (np.searchsorted(x, table[c].round(6)) for c in ("x0", "x1"))
    low, top = (np.searchsorted(y, table[c].round(6)) for c in ("y0", "y1"))
    for k in range(len(table)):
        owner[low[k] : top[k], left[k] : right[k]] = k
    share = table["share"].to_numpy(np.float32)
    said = np.array([
        f"{style.name(o)} is chosen for {percent(s)} of {n} tasks here"
        for o, s, n in zip(table["offer"], table["share"], table["tasks"], strict=True)
    ], dtype=object)  # fmt: skip
    traces = []
    for seller, rows in table.groupby("seller", sort=False):
        mine = np.isin(owner, rows.index)
        z = np.where(mine, share[owner], np.float32(np.nan))
        text = np.where(mine, said[owner], "")
        colour = style.colours.get(str(seller), OUTSIDE)
        traces.append(go.Heatmap(
            x=(10.0**x).astype(np.float32), y=(10.0**y).astype(np.float32), z=z, text=text,
            zmin=0, zmax=1, colorscale=[[0, rgba(colour, 0.0)], [1, rgba(colour, 0.75)]],
            showscale=False, hovertemplate="%{text}<extra></extra>", hoverongaps=False,
        ))  # fmt: skip
    return traces


def dots(plane: Plane, style: Style, *, overview: bool) -> list[go.BaseTraceType]:
    """Draw tasks, one trace per seller chosen, the same quota of every class.

    The sellers that win a cell or are chosen most are named in the legend; the rest are pale.
    """
    tasks = plane.tasks
    quota = _DOTS[overview] // tasks["task"].nunique()
    rank, size = tasks.groupby("task").cumcount(), tasks.groupby("task")["x"].transform("size")
    # Every class shows its quota, taken evenly over its tasks in their order of arrival.
    tasks = tasks[(rank + 1) * quota // size > rank * quota // size]
    winners = set(cells(plane)["seller"])
    counts = tasks["seller"].value_counts()
    named = sorted(counts.index, key=lambda s: (s not in winners, -counts[s]))[:_LEGEND]
    tasks = tasks.assign(shown=tasks["seller"].where(tasks["seller"].isin(named), _OTHERS))
    names = {"": "did without", _OTHERS: "others"}
    traces = []
    for seller in [_OTHERS, *style.order]:
        rows = tasks[tasks["shown"] == seller]
        if rows.empty:
            continue
        rows = pd.concat([rows.iloc[:1].assign(x=math.nan, offer=""), rows])  # the legend's circle
        traces.append(go.Scatter(
            x=(10.0 ** rows["x"]).astype(np.float32), y=(10.0 ** rows["y"]).astype(np.float32),
            mode="markers", name=names.get(seller) or label(seller),
            legendrank=1000 + (seller == _OTHERS),
            marker={"color": style.colours.get(seller, _PALE), "size": 4.5, "opacity": 0.9,
                    "line": {"width": 0.4, "color": MUTED if seller == _OTHERS else "white"},
                    "symbol": [symbol(style.ranks.get(o, 0)) for o in rows["offer"]]},
            customdata=[f"{escape(t)}: {style.name(o)}"
                        for t, o in zip(rows["task"], rows["offer"], strict=True)],
            hovertemplate="%{customdata}<br>%{y:.3g} USD<extra></extra>",
        ))  # fmt: skip
    return traces


def outlines(areas: Iterable[Area]) -> list[go.BaseTraceType]:
    """Draw the outline of each class's tasks: where classes overlap, it tells them apart."""
    corners = [
        point for left, right, low, top in areas
        for point in ((left, low), (left, top), (right, top), (right, low), (left, low),
                      (math.nan, math.nan))
    ]  # fmt: skip
    x, y = (10.0 ** np.array(corners).T).astype(np.float32)
    return [go.Scatter(x=x, y=y, mode="lines", line={"color": MUTED, "width": 1},
                       showlegend=False, hoverinfo="skip")]  # fmt: skip


def indifference_lines(
    known: Terms | None, none: float, box: Area,
    style: Style | None = None,
) -> tuple[list[go.BaseTraceType], list[dict[str, object]]]:  # fmt: skip
    """Draw a class's indifference lines inside a box; with a style, name the regions too."""
    if known is None:
        return [], []
    y = np.linspace(box[2], box[3], _GRID[1])
    column = np.array([none - NONE_HALF, none + NONE_HALF])
    free = utility_lines(known, np.full(2, math.inf))
    parts, notes = [], []
    if math.isnan(none) or box[0] < column[0]:
        x = np.linspace(box[0], box[1], _GRID[0])
        slope, start = utility_lines(known, 10.0**x)
        best = best_offers(slope, start, 10.0**y)
        if style is not None:
            notes = region_labels(best, [style.name(o) for o in known.offers], x, y)
        if style is not None or _few(best):
            parts.append(indifference(slope, start, x, y))
    stands = style is not None or (box[0] >= column[0] and _few(best_offers(*free, 10.0**y)))
    if not math.isnan(none) and stands:
        parts.append(indifference(*free, column, y))
    if not parts:
        return [], notes
    points = 10.0 ** np.concatenate(parts, axis=1)
    if not points.size:
        return [], notes
    common = {
        "x": points[0].astype(np.float32), "y": points[1].astype(np.float32), "mode": "lines",
        "showlegend": False, "hoverinfo": "skip", "connectgaps": False,
    }  # fmt: skip
    return [
        go.Scatter(**common, line={"color": "white", "width": 3.5}),
        go.Scatter(**common, line={"color": INK, "width": 1.4}),
    ], notes


def _few(best: NDArray[np.int64]) -> bool:
    """Tell whether the lines between best offers are few enough to be told apart in a small box."""
    return int((np.diff(best, axis=1) != 0).sum(axis=1).max()) <= _LINES
