"""F1, the emblem: who is chosen for which deadline and which stakes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...market.schema.demand import TaskClass
from ...scenarios.result import Result
from .frames import OUTSIDE_OFFER, series, short_names, steady
from .map_labels import MARGIN, Area, class_labels, meet
from .map_layers import NONE_HALF, Style, dots, indifference_lines, outlines, shading
from .notation import number, percent, time_ticks
from .plane import CELL, LEAST, Plane, cells, lay_out, valued_trades
from .template import HEIGHT, MUTED, label, titled, undrawn
from .utility import Terms, terms


@dataclass(frozen=True)
class _View:
    """What one entry of the menu shows."""

    label: str
    traces: list[go.BaseTraceType]
    notes: list[dict[str, object]]
    x: tuple[float, float]
    y: tuple[float, float]
    none: float


def data(result: Result) -> pd.DataFrame:
    """Return the cells of the map: one row per task class (or "all") and cell.

    Columns: task, deadline_low, deadline_high (s, NaN without deadline), value_low, value_high
    (USD), offer (the most chosen), share (of the cell's tasks), tasks.
    """
    trades = valued_trades(result)
    if trades.empty:
        return pd.DataFrame()
    parts = [("all", trades)]
    parts += [(str(name), rows) for name, rows in trades.groupby("task", sort=False)]
    frames = []
    for name, rows in parts:
        plane = lay_out(rows)
        c = cells(plane, least=1)
        none = np.isclose(c["x0"], plane.none - CELL)
        frames.append(pd.DataFrame({
            "task": name,
            "deadline_low": (10.0 ** c["x0"]).where(~none),
            "deadline_high": (10.0 ** c["x1"]).where(~none),
            "value_low": 10.0 ** c["y0"], "value_high": 10.0 ** c["y1"],
            "offer": c["offer"], "share": c["share"], "tasks": c["tasks"],
        }))  # fmt: skip
    out = pd.concat(frames, ignore_index=True)
    out.attrs["units"] = {"deadline_low": "s", "deadline_high": "s", "value_low": "USD",
                          "value_high": "USD", "share": "ratio", "tasks": "tasks"}  # fmt: skip
    return out


def build(result: Result) -> go.Figure:
    """Draw the map of all classes, with a menu for one class at a time."""
    trades = valued_trades(result)
    if trades.empty:
        return undrawn(finding(result), _why_not(result))
    style = Style(result)
    classes = [t for t in result.market.tasks if (trades["task"] == t.name).any()]
    known = {task.name: terms(result, task, trades) for task in classes}
    views = [_overview(known, trades, style)]
    if len(classes) > 1:
        views += [_class_view(task, known[task.name], trades, style) for task in classes]
    figure = go.Figure()
    for view in views:
        for trace in view.traces:
            trace.visible = view is views[0]
            figure.add_trace(trace)
    figure = titled(figure, finding(result), height=HEIGHT + 40)
    figure.update_layout(
        margin=MARGIN,
        legend={"x": 1.01, "y": 1, "yanchor": "top",
                "title": {"text": "seller chosen", "font": {"size": 12}}},
        **_axes(views[0]), annotations=views[0].notes,
    )  # fmt: skip
    if len(views) > 1:
        figure.update_layout(updatemenus=[_menu(views)])
    return figure


def _why_not(result: Result) -> str:
    """Say why there is no map."""
    trades = steady(result, result.trades, "arrival")
    if trades.empty:
        return "No task was recorded after the warm-up."
    if not (trades["value"] > 0).any():
        return "No task has a value above zero, so there are no stakes to tell apart."
    return (
        "All tasks have the same value and the same deadline: they are one point of this plane. "
        "Give value or deadline a law, such as LogNormal."
    )


def finding(result: Result) -> str:
    """Say in one sentence what the map shows."""
    leaders = _leaders(result)
    if leaders.empty:
        return "Which seller is chosen for which deadline and stakes?"
    names = short_names(result.market)
    count = leaders["offer"].nunique()
    top = leaders.iloc[0]
    who, share = names.get(top["offer"], top["offer"]), percent(top["share"])
    if len(leaders) == 1:
        return f"{who} is chosen most, for {share} of tasks"
    plural = "One offer leads" if count == 1 else f"{count} different offers lead"
    win = f"the surest win is {who} in {top['task']} ({share})"
    return f"{plural} in the {len(leaders)} task classes; {win}"


def _leaders(result: Result) -> pd.DataFrame:
    """Return the most chosen offer of each class and its share of the class, clearest first."""
    epochs = steady(result, series(result, "epochs"))
    counts = epochs.groupby(["task", "offer"], sort=False)[["assigned"]].sum().reset_index()
    counts["share"] = counts["assigned"] / counts.groupby("task")["assigned"].transform("sum")
    chosen = counts[(counts["offer"] != OUTSIDE_OFFER) & (counts["assigned"] > 0)]
    ordered = chosen.sort_values("share", ascending=False, kind="stable")
    return ordered.drop_duplicates("task").reset_index(drop=True)


def caption(result: Result) -> str:
    """Explain how to read the map."""
    shares = result.trades.attrs.get("share", {})
    whole = all(share >= 1 for share in shares.values())
    sample = "" if whole else f" It is drawn from a sample of {len(result.trades):,} tasks."
    return (
        "Dots are tasks, as many of each class where there are enough, coloured by the seller "
        "chosen; their shape tells the effort (circle: least). Cells are coloured by the offer "
        "most often chosen there, the stronger the larger its share; thin frames enclose the "
        "cells of one class. Black lines are where a buyer is indifferent between the two best "
        "offers at this run's mean prices and waits, taste apart. They hold for one class, so "
        "the view of all draws them only where no other class overlaps and few would stack up; "
        "the menu shows each class with its lines over the whole plane. Tasks of a class that "
        f"share one deadline or one value are spread over a tile centred on it.{sample}"
    )


# --- views -------------------------------------------------------------------------------------


def _overview(known: dict[str, Terms | None], trades: pd.DataFrame, style: Style) -> _View:
    plane = lay_out(trades)
    x, y = _ranges(plane, pad=CELL)
    boxes = [
        (str(task), _box(rows, plane)) for task, rows in plane.tasks.groupby("task", sort=False)
    ]
    lines = []
    for task, box in boxes:
        if not any(meet(box, other) for name, other in boxes if name != task):
            lines += indifference_lines(known[task], plane.none, box)[0]
    y = (y[0], y[1] + 0.06 * (y[1] - y[0]))  # room for the names of the classes
    frames = outlines(box for _, box in boxes)
    traces = [*shading(plane, style), *frames, *dots(plane, style, overview=True), *lines]
    return _View("all classes", traces, class_labels(boxes, x, y), x, y, plane.none)


def _class_view(task: TaskClass, known: Terms | None, trades: pd.DataFrame, style: Style) -> _View:
    plane = lay_out(trades[trades["task"] == task.name])
    if not len(plane.x):  # a class without deadlines: its lines still bend where one would bite
        usual = float(np.median(known.times)) if known else 0.0
        middle = math.log10(usual) if usual > 0 else 0.0  # around 1 s where answers take no time
        edges = np.array([middle - 0.75, middle + 0.75])
        plane = Plane(plane.tasks.assign(x=plane.tasks["x"] - plane.none + edges[1] + 1.75),
                      edges[1] + 1.75, edges, plane.y)  # fmt: skip
    x, y = _ranges(plane, pad=1.0)
    end = plane.x[-1] + 1.0
    box = (float(plane.x[0] - 1.0), float(end), y[0], y[1])
    lines, notes = indifference_lines(known, plane.none, box, style)
    traces = [*shading(plane, style), *lines, *dots(plane, style, overview=False)]
    return _View(label(task.name), traces, notes, x, y, plane.none)


def _ranges(plane: Plane, pad: float) -> tuple[tuple[float, float], tuple[float, float]]:
    ends = NONE_HALF + CELL / 2
    left = plane.x[0] - pad if len(plane.x) else plane.none - ends
    right = plane.x[-1] + pad if len(plane.x) else plane.none
    if not math.isnan(plane.none):
        right = max(right, plane.none + ends)
    return (float(left), float(right)), (float(plane.y[0] - pad), float(plane.y[-1] + pad))


def _box(rows: pd.DataFrame, plane: Plane) -> Area:
    """Return the part of the plane that a class's cells fill; a lone task does not stretch it."""
    if rows["deadline"].isna().all():
        left, right = plane.none - NONE_HALF, plane.none + NONE_HALF
    else:
        left, right = rows["left"].min(), rows["right"].max()
    sizes = rows.groupby([rows["left"].fillna(left), "low"]).size()
    drawn = sizes.index[sizes >= min(LEAST, sizes.max())].get_level_values("low")
    return float(left), float(right), float(drawn.min()), float(drawn.max() + CELL)


# --- axes and menu -----------------------------------------------------------------------------


def _axes(view: _View) -> dict[str, object]:
    ticks, labels = time_ticks(10.0 ** view.x[0], 10.0 ** view.x[1])
    step = math.ceil((view.y[1] - view.y[0]) / 9)
    decades = [10.0**e for e in range(math.ceil(view.y[0]), math.floor(view.y[1]) + 1, step)]
    if len(decades) < 2:
        finer = [m * 10.0**e for e in range(math.floor(view.y[0]), math.ceil(view.y[1]) + 1)
                 for m in (1, 2, 5)]  # fmt: skip
        decades = [d for d in finer if view.y[0] <= math.log10(d) <= view.y[1]]
    if not math.isnan(view.none):
        kept = [i for i, t in enumerate(ticks) if math.log10(t) < view.none - 1.5 * CELL]
        ticks = [ticks[i] for i in kept] + [10.0**view.none]
        labels = [labels[i] for i in kept] + ["no deadline"]
    return {
        "xaxis": {"type": "log", "range": list(view.x), "title_text": "deadline",
                  "tickvals": ticks, "ticktext": labels, "minor": {"ticks": ""}},
        "yaxis": {"type": "log", "range": list(view.y), "tickvals": decades,
                  "ticktext": [number(d) for d in decades],
                  "title_text": "stakes: value of a right answer in time (USD)"},
    }  # fmt: skip


def _menu(views: list[_View]) -> dict[str, object]:
    counts = [len(view.traces) for view in views]
    buttons = []
    for k, view in enumerate(views):
        shown = [i == k for i, n in enumerate(counts) for _ in range(n)]
        axes = _axes(view)
        buttons.append({
            "label": view.label, "method": "update",
            "args": [{"visible": shown}, {"annotations": view.notes, **axes}],
        })  # fmt: skip
    return {
        "buttons": buttons, "direction": "down", "x": 1.01, "xanchor": "left", "y": 0.0,
        "yanchor": "bottom", "bgcolor": "white", "bordercolor": MUTED, "font": {"size": 12},
        "showactive": True,
    }  # fmt: skip
