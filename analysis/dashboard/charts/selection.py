"""F1: who is chosen for which deadline and stakes, in the fluid market, for one class."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....market.fluid.solve import Selection
from ...figures.contours import indifference
from ...figures.fluid_map import chosen_at, places, plane_axes
from ...figures.fluid_plane import FluidMap, deadlines_of, selection_map, stakes_of
from ...figures.map_labels import region_labels
from ...figures.template import rgba
from ..look import Drawn, Look, figure
from .sellers import Sellers

SIDE = 96
"""Points of each side of the map."""
_HOVER = (20, 16)
_ROOM = (350.0, 240.0)  # of the plane at 1280 px


def selection(sel: Selection, k: int, sellers: Sellers, look: Look) -> Drawn:
    """Return the map of class k at the prices and delays of a selection equilibrium.

    Shades tell the winner's seller, the stronger the larger its share; lines are where the two best
    offers are worth the same to a buyer, tastes apart.
    """
    seen = selection_map(sel, k, deadlines_of(sel, k, SIDE), stakes_of(sel, k, SIDE))
    x, y = np.log10(seen.deadlines), np.log10(seen.stakes)
    labels = [sellers.labels[o] for o in seen.offers]
    traces = [_shading(seen, sellers)]
    lines = indifference(seen.slope, seen.start, x, y)
    if lines.size:
        points = [[None if np.isnan(v) else float(f"{10.0**v:.4g}") for v in row] for row in lines]
        common = {"type": "scatter", "x": points[0], "y": points[1], "mode": "lines",
                  "hoverinfo": "skip", "showlegend": False}  # fmt: skip
        traces += [{**common, "line": {"color": look.halo, "width": 3.5}},
                   {**common, "line": {"color": look.ink, "width": 1.3}}]  # fmt: skip
    notes = [
        {**note, "bgcolor": look.halo, "font": {"size": 11, "color": look.ink}}
        for note in region_labels(seen.best, labels, x, y, _ROOM)
    ]
    axes = plane_axes(seen)
    for axis, title in (("xaxis", "deadline"), ("yaxis", "stakes (USD for a right answer)")):
        del axes[axis]["title_text"]
        axes[axis]["title"] = {"text": title}
    return figure(
        look, [*traces, _hover(seen, labels)], annotations=notes, dragmode="select",
        selectdirection="any", **axes,
    )  # fmt: skip


def _shading(seen: FluidMap, sellers: Sellers) -> dict[str, Any]:
    """Return the winners as one heat map: thousands tell who, the rest the share."""
    of = np.array([*sellers.seller, -1])[seen.offers]
    winner = of[seen.best]
    won = np.unique(winner)
    hues = [*sellers.hues, sellers.colours[-1]]
    z = np.searchsorted(won, winner) * 1000 + np.round(999 * seen.top).astype(np.int64)
    top, scale = 1000.0 * len(won), []
    for i, w in enumerate(won):
        scale += [[1000.0 * i / top, rgba(hues[w], 0.06)],
                  [(1000.0 * i + 999.0) / top, rgba(hues[w], 0.8)]]  # fmt: skip
    scale.append([1.0, scale[-1][1]])
    return {
        "type": "heatmap", "x": seen.deadlines.round(9).tolist(),
        "y": seen.stakes.round(9).tolist(),
        "z": z.T.tolist(), "zmin": 0, "zmax": top, "colorscale": scale, "showscale": False,
        "hoverinfo": "skip",
    }  # fmt: skip


def _hover(seen: FluidMap, labels: list[str]) -> dict[str, Any]:
    """Return points without a mark that say who is chosen there."""
    at = places(seen, *_HOVER)
    said = [chosen_at(seen, labels, a, b) for a, b in at]
    return {
        "type": "scatter", "x": [float(seen.deadlines[a]) for a, _ in at],
        "y": [float(seen.stakes[b]) for _, b in at], "mode": "markers", "text": said,
        "showlegend": False,
        "marker": {"size": 14, "opacity": 0}, "hovertemplate": "%{text}<extra></extra>",
        "selected": {"marker": {"opacity": 0}}, "unselected": {"marker": {"opacity": 0}},
    }  # fmt: skip
