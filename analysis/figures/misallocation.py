"""F1b: where the market chooses another offer than the planner would, on the plane of F1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ..equilibrium.solved import Equilibrium
from .fluid_map import plane_axes
from .fluid_plane import FluidMap, deadlines_of, selection_map, stakes_of
from .frames import OUTSIDE_OFFER
from .map_labels import MARGIN, region_labels
from .notation import percent
from .solved_frames import View, drawn, once
from .template import HEIGHT, label, titled

KINDS = (
    "as the planner", "over-thinking", "under-thinking", "another seller", "misses deadline",
    "served needlessly", "not served",
)  # fmt: skip
"""What may be said of a point of the plane, by number."""
_COLOURS = ("#f3f3f3", "#D55E00", "#0072B2", "#E69F00", "#1a1a1a", "#CC79A7", "#9a9a9a")
_SIDE, _COARSE = 150, 40


def compared(found: Equilibrium, k: int, side: int) -> tuple[FluidMap, FluidMap]:
    """Return the map of class k in the market and in the planner's, on one grid."""
    sel = found.selection
    x, y = deadlines_of(sel, k, side), stakes_of(sel, k, side)
    return selection_map(sel, k, x, y), selection_map(found.planner.selection, k, x, y)


def kinds(market: FluidMap, planner: FluidMap, thinking: Sequence[float]) -> NDArray[np.int64]:
    """Return what the market makes of each point, by number of `KINDS`, shape [D, V].

    Args:
        market: whom the market chooses.
        planner: whom the planner would choose.
        thinking: tokens of thinking of each offer in the market's order, length O.
    """
    none = len(thinking)
    ours, theirs = market.offers[market.best], planner.offers[planner.best]
    thought = np.append(np.asarray(thinking, dtype=np.float64), 0.0)
    timely = np.take_along_axis(market.timely, market.best, axis=1)
    would = np.take_along_axis(planner.timely, planner.best, axis=1)
    out = np.where(ours == theirs, 0, 3)
    out = np.where(thought[ours] > thought[theirs], 1, out)
    out = np.where(thought[ours] < thought[theirs], 2, out)
    out = np.where((timely < 0.5) & (would >= 0.5), 4, out)
    out = np.where((theirs == none) & (ours != none), 5, out)
    return np.asarray(np.where((ours == none) & (theirs != none), 6, out), dtype=np.int64)


def thinking_of(found: Equilibrium) -> list[float]:
    """Return the tokens of thinking of each offer, in the market's order."""
    market = found.selection.setting.market
    return [float(tokens) for seller in market.sellers for tokens in seller.effort.values()]


def data(found: Equilibrium) -> pd.DataFrame:
    """Return both choices on a coarse grid: one row per class, deadline and stakes.

    Columns: task, deadline (s), stakes (USD), market, planner (offers), kind (of `KINDS`).
    """
    return once(found, "misallocation", lambda: _data(found))


def _data(found: Equilibrium) -> pd.DataFrame:
    names = np.array([*found.selection.setting.market.offers, OUTSIDE_OFFER], dtype=object)
    frames = []
    for k, task in enumerate(found.market.tasks):
        ours, theirs = compared(found, k, _COARSE)
        d, v = np.meshgrid(ours.deadlines, ours.stakes, indexing="ij")
        kind = kinds(ours, theirs, thinking_of(found)).ravel()
        frames.append(pd.DataFrame({
            "task": task.name, "deadline": d.ravel(), "stakes": v.ravel(),
            "market": names[ours.offers[ours.best].ravel()],
            "planner": names[theirs.offers[theirs.best].ravel()],
            "kind": [KINDS[i] for i in kind],
        }))  # fmt: skip
    out = pd.concat(frames, ignore_index=True)
    out.attrs["units"] = {"deadline": "s", "stakes": "USD"}
    return out


def build(found: Equilibrium) -> go.Figure:
    """Draw the map of each class, with a menu; those first that the market serves worst."""
    thinking, views = thinking_of(found), []
    for k, task in enumerate(found.market.tasks):
        ours, theirs = compared(found, k, _SIDE)
        kind = kinds(ours, theirs, thinking)
        views.append((float((kind == 0).mean()), _view(label(task.name), ours, kind)))
    views.sort(key=lambda one: one[0])
    figure = titled(drawn([view for _, view in views]), finding(found), height=HEIGHT + 40)
    return figure.update_layout(margin=MARGIN, legend={
        "x": 1.01, "y": 1, "yanchor": "top",
        "title": {"text": "the market, beside the planner", "font": {"size": 12}},
    })  # fmt: skip


def _view(name: str, seen: FluidMap, kind: NDArray[np.int64]) -> View:
    there = np.unique(kind)
    n = len(KINDS)
    scale: list[list[Any]] = [[(i + e) / n, _COLOURS[i]] for i in range(n) for e in (0, 1)]
    traces: list[go.BaseTraceType] = [go.Heatmap(
        x=seen.deadlines.astype(np.float32), y=seen.stakes.astype(np.float32),
        z=kind.T.astype(np.int8), zmin=-0.5, zmax=n - 0.5, colorscale=scale, showscale=False,
        hoverinfo="skip",
    )]  # fmt: skip
    traces += [
        go.Scatter(x=[None], y=[None], mode="markers", name=KINDS[i], marker={
            "symbol": "square", "size": 11, "color": _COLOURS[i], "line": {"width": 0.5}})
        for i in there
    ]  # fmt: skip
    notes = region_labels(kind, list(KINDS), np.log10(seen.deadlines), np.log10(seen.stakes))
    return View(name, traces, notes, plane_axes(seen))


def finding(found: Equilibrium) -> str:
    """Say in one sentence how far the planner agrees, and what differs most."""
    sel, planned = found.selection, found.planner.selection
    moved = np.abs(sel.share - planned.share).sum(axis=1) / 2.0
    share = float(moved @ sel.arrivals / max(float(sel.arrivals.sum()), 1e-300))
    would = f"The planner would place {percent(share)} of tasks otherwise"
    table = data(found)
    wrong = table[table["kind"] != KINDS[0]]
    if wrong.empty:
        return f"{would}, though the same offer leads at every deadline and stakes"
    worst = wrong.groupby(["task", "kind"]).size()
    task, kind = worst.index[int(worst.argmax())]
    area = percent(float(worst.max()) / float((table["task"] == task).sum()))
    return f"{would}; on the map, most differs in {task}: {kind} on {area} of it"


def caption(found: Equilibrium) -> str:
    """Explain how to read the map."""
    return (
        "The most chosen offer of F1 beside the one the planner would most likely give the same "
        "task, at its own delays and with tolls for the harm of congestion. Over-thinking: the "
        "market's offer thinks longer; under-thinking: less; another seller: as long. Misses "
        "deadline: late more often than not, where the planner's choice is not. Served needlessly: "
        "the planner would not serve it at all; not served: the planner would. Areas are of the "
        "drawn plane; most tasks may lie elsewhere on it."
    )
