"""F14: how sure means are after so many replications; the drawing, of sweeps and of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.special import stdtrit

from .notation import log_ticks, number, percent
from .sweep_frames import MOST, looks
from .template import HEIGHT, INK, MUTED, escape, label, room_for, titled

TARGET = 0.01
"""Half-width that is aimed at, as a share of the mean."""
FEW = 3
"""Replications below which there is nothing to draw."""
_POINTS = 40
_DUST = 1e-9
"""Widths below this are those of a number that no luck moves."""
_AIM = f"target {TARGET:.0%}"
_COLUMNS = ["panel", "line", "n", "half_width", "target", "needed"]


def half_widths(lines: Mapping[tuple[str, str], tuple[NDArray[np.float64], float]]) -> pd.DataFrame:
    """Return the half-width of a 95% interval of each mean by the number of replications.

    Args:
        lines: by (panel, line): values of replications, and the mean that widths are a share of.

    Returns:
        Columns: panel, line, n, half_width (Student's t of the first n, over that mean), target,
        needed (replications to reach it if widths go on as n^-1/2).
    """
    rows = []
    for (panel, line), (values, mean) in lines.items():
        known = values[~np.isnan(values)]
        if len(known) < FEW or mean == 0.0 or not np.isfinite(mean):
            continue
        at = np.unique(np.geomspace(2, len(known), _POINTS).round().astype(int))
        width = np.array([_half(known[:n]) for n in at]) / abs(mean)
        needed = math.ceil(max(len(known) * (width[-1] / TARGET) ** 2, 2.0))
        rows += [(panel, line, int(n), float(h), TARGET, needed)
                 for n, h in zip(at, width, strict=True) if h > _DUST]  # fmt: skip
    out = pd.DataFrame(rows, columns=_COLUMNS)
    out.attrs["units"] = {"n": "replications", "half_width": "ratio", "target": "ratio",
                          "needed": "replications"}  # fmt: skip
    return out


def _half(values: NDArray[np.float64]) -> float:
    n = len(values)
    return float(stdtrit(n - 1, 0.975)) * float(values.std(ddof=1)) / math.sqrt(n)


def draw(table: pd.DataFrame, said: str) -> go.Figure:
    """Draw widths on logarithmic axes, with n^-1/2 through the last one, and the target."""
    panels = list(dict.fromkeys(table["panel"]))
    figure = go.Figure().set_subplots(
        1, len(panels), shared_yaxes="all", horizontal_spacing=0.05,
        subplot_titles=[escape(p) for p in panels] if len(panels) > 1 else None,
    )  # fmt: skip
    names = list(dict.fromkeys(table["line"]))[:MOST]
    far = max(
        1.3 * float(table["n"].max()), min(float(table["needed"].max()), 30 * table["n"].max())
    )
    low = min(0.6 * TARGET, 0.7 * float(table["half_width"].min()))
    ends = [math.log10(1.8), math.log10(far * 1.1)]
    between = [math.log10(low), math.log10(1.4 * float(table["half_width"].max()))]
    for col, panel in enumerate(panels, start=1):
        at = {"row": 1, "col": col}
        for name in names:
            rows = table[(table["panel"] == panel) & (table["line"] == name)]
            if rows.empty:
                continue
            colour, dash, symbol = looks(names.index(name))
            n, width = rows["n"].to_numpy(np.float64), rows["half_width"].to_numpy(np.float64)
            first = not any(t.name == label(name) and t.showlegend for t in figure.data)
            figure.add_scatter(
                x=n, y=width, mode="lines+markers", name=label(name), legendgroup=name,
                showlegend=first, line={"color": colour, "dash": dash, "width": 2},
                marker={"symbol": symbol, "size": 6, "color": colour}, **at,
                hovertemplate="%{x} replications: %{y:.2%}<extra></extra>",
            )  # fmt: skip
            figure.add_scatter(
                x=[n[-1], far], y=[width[-1], width[-1] * math.sqrt(n[-1] / far)], mode="lines",
                name="n<sup>−1/2</sup>", legendgroup="after", hoverinfo="skip", **at,
                showlegend=not any(t.legendgroup == "after" for t in figure.data),
                line={"color": MUTED, "width": 1.2, "dash": "dot"}, legendrank=1_999,
            )  # fmt: skip
        figure.add_scatter(
            x=[1.0, 2.0 * far], y=[TARGET, TARGET], mode="lines", name=_AIM, legendgroup="aim",
            legendrank=2_000, showlegend=col == 1, line={"color": INK, "width": 1},
            hoverinfo="skip", **at,
        )  # fmt: skip
        figure.update_xaxes(type="log", range=ends, title_text="replications",
                            **log_ticks(*ends), **at)  # fmt: skip
    steps = (1, 2, 5) if between[1] - between[0] < 3.0 else (1,)
    ticks = [m * 10.0**e for e in range(-9, 3) for m in steps]
    figure.update_yaxes(
        type="log", range=between, tickvals=ticks, ticktext=[f"{number(100 * t)}%" for t in ticks]
    )
    figure.update_yaxes(title_text="half of the 95% interval, over the mean", row=1, col=1)
    figure = titled(figure, said, height=HEIGHT - 120)
    figure.update_annotations(font_size=13)
    return figure.update_layout(
        legend={"x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"},
        margin_r=room_for([*map(label, names), _AIM]) + 60, margin_t=figure.layout.margin.t + 12,
    )  # fmt: skip


def worst(table: pd.DataFrame) -> str:
    """Say of the least known line how sure it is, and how many replications the target takes."""
    last = table.sort_values("n").groupby(["panel", "line"], sort=False).tail(1)
    row = last.iloc[int(last["half_width"].to_numpy().argmax())]
    known = (
        f"after {row['n']} replications {row['line']} is known to ± {percent(row['half_width'])}"
    )
    if row["half_width"] <= TARGET:
        return f"{known} at worst"
    return f"{known}; ± {TARGET:.0%} takes about {number(row['needed'])}"
