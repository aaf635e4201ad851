"""F1 of an equilibrium: who is chosen for which deadline and stakes, from the fluid market."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..equilibrium.solved import Equilibrium
from .contours import indifference
from .fluid_plane import FluidMap, deadlines_of, selection_map, stakes_of
from .frames import OUTSIDE_OFFER, short_names
from .map_labels import MARGIN, region_labels
from .notation import duration, number, percent, time_ticks
from .solved_frames import View, drawn, offer_labels, once, sellers_by_revenue, solved_colours
from .template import HEIGHT, INK, label, rgba, titled

_HOVER = (24, 20)
"""Deadlines and stakes at which pointing at the map tells more."""
_COARSE = 40  # of each side, in the data


def data(found: Equilibrium) -> pd.DataFrame:
    """Return who is chosen on a coarse grid: one row per class, deadline and stakes.

    Columns: task, deadline (s), stakes (USD), offer (the most chosen), share, on_time.
    """
    return once(found, "fluid_map", lambda: _data(found))


def _data(found: Equilibrium) -> pd.DataFrame:
    sel, names = found.selection, _names(found)
    frames = []
    for k, task in enumerate(found.market.tasks):
        seen = selection_map(sel, k, deadlines_of(sel, k, _COARSE), stakes_of(sel, k, _COARSE))
        d, v = np.meshgrid(seen.deadlines, seen.stakes, indexing="ij")
        frames.append(pd.DataFrame({
            "task": task.name, "deadline": d.ravel(), "stakes": v.ravel(),
            "offer": [names[o] for o in seen.offers[seen.best].ravel()],
            "share": seen.top.ravel().astype(np.float64),
            "on_time": np.take_along_axis(seen.timely, seen.best, axis=1).ravel(),
        }))  # fmt: skip
    out = pd.concat(frames, ignore_index=True)
    out.attrs["units"] = {
        "deadline": "s", "stakes": "USD", "share": "ratio", "on_time": "probability",
    }  # fmt: skip
    return out


def build(found: Equilibrium) -> go.Figure:
    """Draw the map of each class, with a menu."""
    sel = found.selection
    views = []
    for k in _by_stakes(found):
        seen = selection_map(sel, k, deadlines_of(sel, k), stakes_of(sel, k))
        views.append(_view(found, k, seen))
    figure = titled(drawn(views), finding(found), height=HEIGHT + 40)
    return figure.update_layout(margin=MARGIN, legend={
        "x": 1.01, "y": 1, "yanchor": "top", "title": {"text": "seller", "font": {"size": 12}},
    })  # fmt: skip


def finding(found: Equilibrium) -> str:
    """Say in one sentence what the maps show."""
    sel, names = found.selection, short_names(found.market)
    full = _names(found)
    tops = sel.share[:, :-1].argmax(axis=1)
    tasks = [task.name for task in found.market.tasks]
    lead = [names[full[o]] for o in tops]
    if len(tasks) == 1:
        grid = selection_map(sel, 0, deadlines_of(sel, 0, 60), stakes_of(sel, 0, 60))
        count = len(np.unique(grid.best))
        most = f"{lead[0]} serves most ({percent(float(sel.share[0, tops[0]]))})"
        if count == 1:
            return f"{most}, whatever the deadline and the stakes"
        return f"{most}; by deadline and stakes, one of {count} choices leads"
    k = int(sel.share[np.arange(len(tops)), tops].argmax())
    share = percent(float(sel.share[k, tops[k]]))
    if len(set(lead)) == 1:
        all_ = f"{lead[k]} leads in all {len(tasks)} task classes"
        return f"{all_}, most clearly in {tasks[k]} ({share})"
    sure = f"the surest win is {lead[k]} in {tasks[k]} ({share})"
    return f"{len(set(lead))} different offers lead in the {len(tasks)} task classes; {sure}"


def caption(found: Equilibrium) -> str:
    """Explain how to read the map."""
    nested = any(float(getattr(task.choice, "nest", 1.0)) < 1.0 for task in found.market.tasks)
    more = (
        " Tastes for a seller's offers go together here, so a seller with several good efforts may "
        "be chosen less for each than utility alone says." if nested else ""
    )  # fmt: skip
    return (
        "The fluid market at the point's prices and delays, for one task more at each deadline and "
        "stakes. Colour tells whose offer is most likely chosen, the stronger the likelier; names "
        "stand on the offers' regions. Black lines are where the two best offers are worth the "
        f"same to a buyer, tastes apart. Buyers have their class's mean delay cost.{more}"
    )


# --- one class ---------------------------------------------------------------------------------


def _names(found: Equilibrium) -> list[str]:
    return [*found.selection.setting.market.offers, OUTSIDE_OFFER]


def _by_stakes(found: Equilibrium) -> list[int]:
    """Return the classes, those first in which most different offers lead: the telling ones."""
    sel = found.selection
    counts = []
    for k in range(len(found.market.tasks)):
        seen = selection_map(sel, k, deadlines_of(sel, k, 30), stakes_of(sel, k, 30))
        counts.append(len(np.unique(seen.best)))
    return sorted(range(len(counts)), key=lambda k: (-counts[k], k))


def _view(found: Equilibrium, k: int, seen: FluidMap) -> View:
    x, y = np.log10(seen.deadlines), np.log10(seen.stakes)
    names = offer_labels(found.selection.setting.market)
    labels = [names[o] for o in seen.offers]
    traces: list[go.BaseTraceType] = [_shading(found, seen), *_legend(found, seen)]
    lines = indifference(seen.slope, seen.start, x, y)
    if lines.size:
        points = (10.0**lines).astype(np.float32)
        common = {"x": points[0], "y": points[1], "mode": "lines", "showlegend": False,
                  "hoverinfo": "skip", "connectgaps": False}  # fmt: skip
        traces += [go.Scatter(**common, line={"color": "white", "width": 3.5}),
                   go.Scatter(**common, line={"color": INK, "width": 1.4})]  # fmt: skip
    traces.append(_hover(seen, labels))
    notes = region_labels(seen.best, labels, x, y)
    return View(label(found.market.tasks[k].name), traces, notes, plane_axes(seen))


def _shading(found: Equilibrium, seen: FluidMap) -> go.Heatmap:
    """Draw the winners as one heat map: whole numbers tell the seller, what is beyond the share."""
    order = [*sellers_by_revenue(found), ""]
    colours = solved_colours(found)
    of = [*(o.rpartition("/")[0] for o in found.selection.setting.market.offers), ""]
    winner = np.array([order.index(of[o]) for o in seen.offers])[seen.best]
    won = np.unique(winner)
    z = (np.searchsorted(won, winner) * 1000 + np.round(999 * seen.top)).astype(
        np.int16 if len(won) <= 32 else np.int32  # a page holds a map for every class
    )
    scale: list[list[Any]] = []
    top = 1000.0 * len(won)
    for i, w in enumerate(won):
        colour = colours[order[int(w)]]
        scale += [
            [1000.0 * i / top, rgba(colour, 0.06)],
            [(1000.0 * i + 999.0) / top, rgba(colour, 0.8)],
        ]
    scale.append([1.0, scale[-1][1]])
    return go.Heatmap(
        x=seen.deadlines.astype(np.float32), y=seen.stakes.astype(np.float32), z=z.T, zmin=0,
        zmax=top, colorscale=scale, showscale=False, hoverinfo="skip",
    )  # fmt: skip


def _legend(found: Equilibrium, seen: FluidMap) -> list[go.Scatter]:
    """Return an entry of the legend for each seller that wins somewhere."""
    order, colours = [*sellers_by_revenue(found), ""], solved_colours(found)
    of = [*(o.rpartition("/")[0] for o in found.selection.setting.market.offers), ""]
    there = {of[o] for o in seen.offers[np.unique(seen.best)]}
    return [
        go.Scatter(
            x=[None], y=[None], mode="markers", name=label(name) if name else "did without",
            marker={"symbol": "square", "size": 11, "color": colours[name]},
        )
        for name in order if name in there
    ]  # fmt: skip


def _hover(seen: FluidMap, labels: list[str]) -> go.Scatter:
    """Return points without a mark that say who is chosen there, and how many are late."""
    at = places(seen, *_HOVER)
    said = []
    for a, b in at:
        late = 1.0 - float(seen.timely[a, seen.best[a, b]])
        without = labels[seen.best[a, b]] == "did without"
        more = "" if without else f"<br>late {percent(late)}"
        said.append(chosen_at(seen, labels, a, b) + more)
    return go.Scatter(
        x=np.array([seen.deadlines[a] for a, _ in at], np.float32),
        y=np.array([seen.stakes[b] for _, b in at], np.float32), mode="markers", text=said,
        marker={"size": 14, "opacity": 0}, showlegend=False, hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def places(seen: FluidMap, across: int, up: int) -> list[tuple[int, int]]:
    """Return so many deadlines and stakes, evenly over the map, as their places in it."""
    i = np.unique(np.linspace(0, len(seen.deadlines) - 1, across).astype(int))
    j = np.unique(np.linspace(0, len(seen.stakes) - 1, up).astype(int))
    return [(int(a), int(b)) for a in i for b in j]


def chosen_at(seen: FluidMap, labels: list[str], a: int, b: int) -> str:
    """Return in words who is chosen at a place of the map: the first three."""
    order = np.argsort(-seen.share[a, b])[:3]
    chosen = ", ".join(f"{labels[o]} {percent(float(seen.share[a, b, o]))}" for o in order
                       if seen.share[a, b, o] > 0.0005)  # fmt: skip
    return f"{duration(float(seen.deadlines[a]))}, {number(float(seen.stakes[b]))} USD: {chosen}"


def plane_axes(seen: FluidMap) -> dict[str, Any]:
    """Return the axes of the plane of deadlines and stakes."""
    x = [float(np.log10(seen.deadlines[i])) for i in (0, -1)]
    y = [float(np.log10(seen.stakes[i])) for i in (0, -1)]
    ticks, names = time_ticks(10.0 ** x[0], 10.0 ** x[1])
    step = math.ceil((y[1] - y[0]) / 9)
    decades = [10.0**e for e in range(math.ceil(y[0]), math.floor(y[1]) + 1, step)]
    return {
        "xaxis": {"type": "log", "range": x, "title_text": "deadline", "tickvals": ticks,
                  "ticktext": names, "minor": {"ticks": ""}},
        "yaxis": {"type": "log", "range": y, "tickvals": decades,
                  "ticktext": [number(d) for d in decades],
                  "title_text": "stakes: value of a right answer in time (USD)"},
    }  # fmt: skip
