"""F3: prices as time goes by, for one class: of its main offers, and what is paid on average."""

from __future__ import annotations

import math
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
    look: Look, *, nash: Floats | None = None, posted: bool = True,
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
        nash: prices of a mean task at the equilibrium of prices, USD, shape [O], once known.
        posted: whether prices are posted; under other mechanisms what each offer was paid on
            average is drawn instead.
    """
    total = served.sum(axis=0)
    main = [int(o) for o in np.argsort(-total)[:_MAIN] if total[o] > 0]
    if not main:
        return empty(look, "no task of this class has been served yet")
    unit, name = clock(float(times[-1]))
    x = (times / unit).round(6).tolist()
    each = asks if posted else _over(paid, served)
    mean = _over(paid.sum(axis=1), served.sum(axis=1))
    traces: list[dict[str, Any]] = []
    for o in main:
        shape = "hv" if posted else "linear"
        traces.append(_path(x, each[:, o], sellers.colours[o], sellers.labels[o], shape=shape))
        ends = [x[0], x[-1]]
        if cost[o] > 0:
            traces.append(_level(ends, float(cost[o]), sellers.colours[o], "dot"))
        if nash is not None:
            traces.append(_level(ends, float(nash[o]), sellers.colours[o], "dash"))
    traces.append(_path(x, mean, look.ink, "paid on average", width=2.4))
    paths = [(each[:, o], sellers.labels[o], sellers.colours[o]) for o in main]
    known = [(path[np.isfinite(path)], *more) for path, *more in
             [*paths, (mean, "paid on average", look.ink)]]  # fmt: skip
    known = [path for path in known if len(path[0])]
    levels = [] if nash is None else [nash[main]]
    axis, low, high = _scale(np.concatenate([*(path for path, *_ in known), *levels]))
    notes = _names(
        [(float(path[-1]), name, colour) for path, name, colour in known],
        axis["type"] == "log",
        low,
        high,
        look,
    )
    return figure(
        look, traces, xaxis={"title": {"text": f"simulated time ({name})"}}, annotations=notes,
        yaxis={**axis, "title": {"text": "price of a mean task (USD)"}},
        margin={"r": room_for([f"■ {name}" for _, name, _ in known], 10.0)},
    )  # fmt: skip


def _over(sums: Floats, counts: Floats) -> Floats:
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))


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
