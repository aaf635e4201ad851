"""How the dashboard's figures look: light or dark, small, without titles of their own."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from ..figures.template import FONT, GRID, INK, MUTED, OKABE_ITO, escape, plain

POSTED, SOLVED = ("F8", "F1b"), ("F3", "F5", "F12")
"""Figures solved behind the page, of posted prices and of equilibrium prices."""
Drawn = dict[str, Any]
"""A figure as Plotly takes it: `data` and `layout`."""


@dataclass(frozen=True)
class Look:
    """Colours of lines and text.

    Attributes:
        ink: of text and main lines.
        muted: of axes and lines that matter less.
        grid: of the grid.
        halo: behind names that stand on a drawing.
        page: behind all.
    """

    ink: str
    muted: str
    grid: str
    halo: str
    page: str


LIGHT = Look(INK, MUTED, GRID, "rgba(255,255,255,0.75)", "#ffffff")
DARK = Look("#ececec", "#a3a7ad", "#3b4148", "rgba(24,27,31,0.72)", "#1b1f24")
TINTS = {
    INK: DARK.ink, MUTED: DARK.muted, GRID: DARK.grid, LIGHT.halo: DARK.halo, "#ffffff": DARK.page,
    '"white"': f'"{DARK.page}"',
}  # fmt: skip
"""What stands for which colour on a dark page, in figures that were drawn for paper."""
_LINE = 40  # letters


def look_of(dark: bool) -> Look:
    """Return the look of a page."""
    return DARK if dark else LIGHT


def figure(look: Look, data: list[Any], **layout: Any) -> Drawn:
    """Return a figure with its axes, fonts and margins; zoom and menus stay when it is renewed."""
    axis = {
        "gridcolor": look.grid, "zeroline": False, "linecolor": look.muted, "ticks": "outside",
        "tickcolor": look.muted, "ticklen": 4, "automargin": True,
    }  # fmt: skip
    base: dict[str, Any] = {
        "font": {"family": FONT, "size": 12, "color": look.ink}, "colorway": list(OKABE_ITO),
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 58, "r": 12, "t": 8, "b": 44}, "uirevision": "kept", "autosize": True,
        "hoverlabel": {"font": {"family": FONT, "size": 12, "color": look.ink}, "align": "left",
                       "bgcolor": look.page, "bordercolor": look.muted},
        "modebar": {"bgcolor": look.halo, "color": look.muted, "activecolor": look.ink},
        "xaxis": axis, "yaxis": axis, "showlegend": False,
    }  # fmt: skip
    for name, value in layout.items():
        known = base.get(name)
        base[name] = {**known, **value} if isinstance(known, dict) else value
    return {"data": data, "layout": base}


def empty(look: Look, why: str) -> Drawn:
    """Return a figure that says why there is nothing to draw; the text is ready for Plotly."""
    lines = textwrap.wrap(plain(why), _LINE)
    note = {
        "text": "<br>".join(map(escape, lines)), "x": 0.5, "y": 0.5, "xref": "paper",
        "yref": "paper", "showarrow": False, "font": {"size": 14, "color": look.muted},
    }  # fmt: skip
    return figure(look, [], annotations=[note], xaxis={"visible": False}, yaxis={"visible": False})
