"""F2: what accuracy costs and how long it takes, for one class; the offers of the frontier."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....market.fluid.solve import Selection
from ...figures.frontier import hull
from ...figures.map_labels import Area, meet
from ...figures.notation import duration, log_ticks, number, percent
from ...figures.template import plain, text_width
from ..look import Drawn, Look, empty, figure
from .sellers import Sellers

Floats = NDArray[np.float64]
_BUBBLE = (7.0, 30.0)
"""Diameters of the quickest and the slowest offer, px."""
_LEAST, _NAMED = 0.02, 8
_AWAY = 15  # names from their bubbles, px
_ROOM = (360.0, 220.0)  # of the plane at 1280 px


def frontier(sel: Selection, k: int, sellers: Sellers, look: Look) -> Drawn:
    """Return price and accuracy of each offer that serves class k; a bubble's size is its latency.

    The line is the convex hull: what mixtures of two offers reach. Filled bubbles are chosen by
    some, the others by hardly anybody; dashes are costs of serving.
    """
    st = sel.setting
    on = np.flatnonzero((st.state.cells["serves"][k] == 1) & sel.charges.listed)
    if not len(on):
        return empty(look, "nobody serves this class")
    price, right, cost = sel.charges.ask[k, on], st.right[k, on], st.cost[k, on]
    share, time = sel.share[k, on], sel.sojourn[k, on]
    free = float(price[price > 0].min()) / 3.0 if (price > 0).any() else 1e-6
    at = np.maximum(price, free)
    both = np.concatenate([at, cost[cost > 0]])
    x = [math.log10(float(both.min())) - 0.2, math.log10(float(both.max())) + 0.2]
    x = [min(x[0], x[1] - 1.2), max(x[1], x[0] + 1.2)]
    ticks: dict[str, Any] = {**log_ticks(*x)}
    if (price <= 0).any():  # what is free stands left of all others, where its tick says 0
        others = [t for t in ticks.get("tickvals", []) if t > 2.0 * free]
        ticks = {"tickvals": [free, *others], "ticktext": ["0", *map(number, others)]}
    y = _heights(right, share)
    cost = np.where(share >= _LEAST, cost, 0.0)
    return figure(
        look, [_edge(at, right, look), *_costs(at, right, cost, look),
               _bubbles(on, at, price, right, time, share, sellers, look)],
        xaxis={"type": "log", "range": x, **ticks,
               "title": {"text": "USD for a mean task (dash: its cost)"}},
        yaxis={"range": y, "tickformat": ".1~%", "title": {"text": "accuracy"}},
        annotations=_names(on, np.log10(at), right, share, (x, y), sellers, look),
        dragmode="select",
    )  # fmt: skip


def _bubbles(
    on: NDArray[np.int64], at: Floats, price: Floats, right: Floats, time: Floats, share: Floats,
    sellers: Sellers, look: Look,
) -> dict[str, Any]:  # fmt: skip
    logs = np.log(np.maximum(np.nan_to_num(time, nan=1e-3), 1e-3))
    size = _BUBBLE[0] + (_BUBBLE[1] - _BUBBLE[0]) * (logs - logs.min()) / max(np.ptp(logs), 1e-9)
    text = [
        f"{sellers.labels[o]}: {percent(float(a))} right, {number(float(p))} USD, "
        f"{duration(float(t))}, chosen by {percent(float(s))}"
        for o, a, p, t, s in zip(on, right, price, time, share, strict=True)
    ]
    return {
        "type": "scatter", "mode": "markers", "name": "offers", "x": at.tolist(),
        "y": right.tolist(), "customdata": on.tolist(), "text": text,
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "size": size.round(1).tolist(), "color": [sellers.colours[o] for o in on],
            "symbol": [sellers.symbols[o] for o in on],
            "opacity": np.where(share >= _LEAST, 0.9, 0.3).tolist(),
            "line": {"width": 1, "color": look.page},
        },
    }  # fmt: skip


def _edge(at: Floats, right: Floats, look: Look) -> dict[str, Any]:
    """Return the frontier: mixtures of two offers are lines in price, curves on this axis."""
    kept = hull(at, right)
    x = np.concatenate([
        np.linspace(at[a], at[b], 20) for a, b in pairwise(kept)
    ] or [at[kept]])  # fmt: skip
    return {"type": "scatter", "mode": "lines", "name": "frontier", "x": x.tolist(),
            "y": np.interp(x, at[kept], right[kept]).tolist(), "hoverinfo": "skip",
            "line": {"color": look.ink, "width": 1.6}}  # fmt: skip


def _costs(at: Floats, right: Floats, cost: Floats, look: Look) -> list[dict[str, Any]]:
    some = cost > 0
    if not some.any():
        return []
    x = [v for a, c in zip(at[some], cost[some], strict=True) for v in (float(a), float(c), None)]
    y = [v for a in right[some] for v in (float(a), float(a), None)]
    return [{
        "type": "scatter", "mode": "lines+markers", "x": x, "y": y, "hoverinfo": "skip",
        "line": {"color": look.grid, "width": 1}, "name": "cost of serving",
        "marker": {"symbol": "line-ns-open", "size": 7, "color": look.muted},
    }]  # fmt: skip


def _heights(right: Floats, share: Floats) -> list[float]:
    """Return the ends of the axis of accuracy: of what is bought, and of most that is not."""
    low, high = float(np.quantile(right, 0.1)), float(right.max())
    low = min(low, float(right[share >= _LEAST].min(initial=low)))
    span = max(high - low, 0.08)
    return [low - 0.25 * span, min(high + 0.2 * span, 1.0 + 0.1 * span)]


def _names(
    on: NDArray[np.int64], at: Floats, right: Floats, share: Floats,
    ends: tuple[list[float], list[float]], sellers: Sellers, look: Look,
) -> list[dict[str, Any]]:  # fmt: skip
    """Name the offers that are chosen most, above or below them, as far as names do not meet.

    Args:
        on: offers, shape [N].
        at: their prices, decades, shape [N].
        right: their accuracy, shape [N].
        share: of the class's tasks, shape [N].
        ends: of both axes.
        sellers: how offers are drawn.
        look: of the page.
    """
    notes: list[dict[str, Any]] = []
    taken: list[Area] = []
    per_x, per_y = (room / (b - a) for room, (a, b) in zip(_ROOM, ends, strict=True))
    for i in np.argsort(-share)[:_NAMED]:
        half = text_width(plain(sellers.labels[on[i]]), 11) / 2.0 + 2.0
        middle = (float(at[i]) - ends[0][0]) * per_x
        shift = min(max(half - middle, 0.0), _ROOM[0]) - max(middle + half - _ROOM[0], 0.0)
        for up in (_AWAY, -_AWAY):
            y = (float(right[i]) - ends[1][0]) * per_y + up
            box = (middle + shift - half, middle + shift + half, y - 7.0, y + 7.0)
            if share[i] >= _LEAST and 0 < y < _ROOM[1] and not any(meet(box, a) for a in taken):
                taken.append(box)
                notes.append({
                    "text": sellers.labels[on[i]], "x": float(at[i]), "y": float(right[i]),
                    "xshift": round(shift), "yshift": up, "showarrow": False, "bgcolor": look.halo,
                    "font": {"size": 11, "color": look.ink},
                })  # fmt: skip
                break
    return notes
