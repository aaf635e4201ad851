"""F3: prices as time goes by, for one class: of its main offers, and what is paid on average."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...figures.notation import clock, log_ticks, number
from ...figures.template import room_for, spread
from ..look import Drawn, Look, empty, figure
from .sellers import Sellers

Floats = NDArray[np.float64]
_MAIN = 6
"""Offers drawn one by one: those that served most of the class."""
_TALL = 0.055  # a name, as a share of the height


def prices(
    times: Floats, asks: Floats, served: Floats, paid: Floats, cost: Floats, sellers: Sellers,
    look: Look, lines: Mapping[str, Floats] | None = None,
) -> Drawn:  # fmt: skip
    """Return the price of a mean task at each of the main offers, and the mean of what was paid.

    Args:
        times: ends of the spells, s, shape [E].
        asks: price of a mean task, USD, shape [E, O].
        served: tasks served in each, shape [E, O].
        paid: what they paid in all, USD, shape [E, O].
        cost: of serving a mean task, USD, shape [O].
        sellers: how offers are drawn.
        look: of the page.
        lines: prices to compare with, USD of a mean task [O] by name, "Nash" or "joint profit".
    """
    total = served.sum(axis=0)
    main = [int(o) for o in np.argsort(-total)[:_MAIN] if total[o] > 0]
    if not main:
        return empty(look, "no task of this class has been served yet")
    unit, name = clock(float(times[-1]))
    x = (times / unit).round(6).tolist()
    traces: list[dict[str, Any]] = []
    for o in main:
        traces.append(_path(x, asks[:, o], sellers.colours[o], sellers.labels[o], shape="hv"))
        ends = [x[0], x[-1]]
        if cost[o] > 0:
            traces.append(_level(ends, float(cost[o]), sellers.colours[o], "dot"))
        for at in (lines or {}).values():
            traces.append(_level(ends, float(at[o]), sellers.colours[o], "dash"))
    count, sums = served.sum(axis=1), paid.sum(axis=1)
    mean = np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0)
    traces.append(_path(x, mean, look.ink, "paid on average", width=2.4))
    shown = np.concatenate([asks[:, main].ravel(), mean[np.isfinite(mean)]])
    axis, low, high = _scale(shown)
    ends = [(float(asks[-1, o]), sellers.labels[o], sellers.colours[o]) for o in main]
    known = mean[np.isfinite(mean)]
    if len(known):
        ends.append((float(known[-1]), "paid on average", look.ink))
    notes = _names(ends, axis["type"] == "log", low, high, look)
    return figure(
        look, traces, xaxis={"title": {"text": f"simulated time ({name})"}}, annotations=notes,
        yaxis={**axis, "title": {"text": "price of a mean task (USD)"}},
        margin={"r": room_for([f"■ {name}" for _, name, _ in ends], 10.0)},
    )  # fmt: skip


def _scale(shown: Floats) -> tuple[dict[str, Any], float, float]:
    """Return an axis and its ends: logarithmic (then in decades) where prices are far apart."""
    if shown.min() > 0 and shown.max() > 8 * shown.min():
        low, high = float(np.log10(shown.min())) - 0.3, float(np.log10(shown.max())) + 0.2
        return {"type": "log", "range": [low, high], **log_ticks(low, high)}, low, high
    high = 1.08 * float(shown.max()) or 1.0
    return {"type": "linear", "range": [0.0, high], "exponentformat": "none"}, 0.0, high


def _names(
    ends: list[tuple[float, str, str]], logs: bool, low: float, high: float, look: Look
) -> list[dict[str, Any]]:
    """Return names beside the ends of lines, moved apart where they would meet."""
    ends = sorted(ends, key=lambda end: end[0])
    at = [math.log10(max(y, 10.0**low)) if logs else y for y, _, _ in ends]
    gap = _TALL * (high - low)
    return [
        {"text": f'<span style="color:{colour}">■</span> {name}', "x": 1.0, "xref": "paper",
         "xanchor": "left", "xshift": 4, "y": y, "yanchor": "middle", "showarrow": False,
         "font": {"size": 10, "color": look.ink}}
        for (_, name, colour), y in zip(ends, spread(at, gap, low, high), strict=True)
    ]  # fmt: skip


def _path(
    x: list[float], y: Floats, colour: str, name: str, *, shape: str = "linear", width: float = 1.8
) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "x": x, "text": name,
        "y": [None if np.isnan(v) else float(f"{v:.5g}") for v in y],
        "line": {"color": colour, "width": width, "shape": shape},
        "hovertemplate": "%{text}: %{y:.3g} USD<extra></extra>",
    }  # fmt: skip


def _level(ends: list[float], at: float, colour: str, dash: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "x": ends, "y": [at, at],
        "line": {"color": colour, "width": 1, "dash": dash},
        "hovertemplate": f"{'cost' if dash == 'dot' else 'Nash'} {number(at)} USD<extra></extra>",
    }  # fmt: skip
