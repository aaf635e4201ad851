"""F9: what the outcome hangs on: Sobol indices as bars, elementary effects in their plane."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...scenarios.sweep.swept import Sweep
from ..sweeps.cube import Cube, short_paths
from ..sweeps.sensitivity import sensitivity
from .notation import number, percent
from .solved_frames import once
from .sweep_frames import MOST, chosen, cube_of, looks
from .template import (
    INK,
    MUTED,
    OKABE_ITO,
    escape,
    label,
    plain,
    room_for,
    tint,
    titled,
    undrawn,
)

_NONE = (
    'The sample is no design for indices: give the sweep sample = { kind = "saltelli" } (Sobol) or '
    '{ kind = "morris" } (elementary effects).'
)
_ACROSS = 3
_ROW = 46  # px of a path's bars
_GAP = 64  # px between panels
_TITLE = 40  # letters of a line over all panels side by side


def data(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> pd.DataFrame:
    """Return what is drawn, as `sobol` or `morris` does; empty if the sample is for neither.

    Raises:
        ValueError: runs failed or are left, or there is no such measure.
    """
    if not _drawable(sweep):
        return pd.DataFrame()
    cell = chosen(sweep, metric, task, offer)
    return once(sweep, f"indices {cell}", lambda: sensitivity(sweep, *cell))


def _drawable(sweep: Sweep) -> bool:
    return (sweep.manifest["sample"] or {}).get("kind") in ("saltelli", "morris")


def build(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> go.Figure:
    """Draw indices or effects, a panel per setting of levers."""
    if not _drawable(sweep):
        return undrawn("What does the outcome hang on?", _NONE)
    table, whole = data(sweep, metric, task, offer), cube_of(sweep, metric, task, offer)
    said = finding(sweep, metric, task, offer)
    if "S1" in table:
        return _tornado(table, whole, said)
    return _screen(table, whole, said)


def _panels(whole: Cube, table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the title, in lines that fit, and the rows of each panel."""
    settings = list(dict.fromkeys(table["setting"]))[:MOST]
    width = _TITLE // min(len(settings), _ACROSS)
    names = ["<br>".join(map(label, textwrap.wrap(whole.labels[s], width))) for s in settings]
    parts = [table[table["setting"] == s] for s in settings]
    return list(zip([""] if len(settings) == 1 else names, parts, strict=True))


def _grid(panels: list[tuple[str, pd.DataFrame]], row: int) -> tuple[go.Figure, int, int]:
    """Return a figure with room for each panel, how many stand side by side, and its height."""
    across = min(len(panels), _ACROSS)
    down = -(-len(panels) // across)
    inside = row * down + _GAP * (down - 1)
    figure = go.Figure().set_subplots(
        down, across, shared_xaxes="all", shared_yaxes="all", horizontal_spacing=0.04,
        vertical_spacing=_GAP / inside if down > 1 else 0.0,
        subplot_titles=[title for title, _ in panels],
    )  # fmt: skip
    return figure, across, inside


def _tornado(table: pd.DataFrame, whole: Cube, said: str) -> go.Figure:
    """Draw bars of S1 and ST with their intervals, the greatest ST on top."""
    order = table.groupby("path", sort=False)["ST"].mean().sort_values().index
    names = {path: label(name) for path, name in short_paths([str(p) for p in order]).items()}
    panels = _panels(whole, table)
    figure, across, inside = _grid(panels, max(_ROW * len(order) + 20, 120))
    bars = (
        ("ST", "total: alone and together with others", tint(OKABE_ITO[1], 0.45), "/"),
        ("S1", "first: alone", OKABE_ITO[0], ""),
    )
    for i, (_, found) in enumerate(panels):
        rows = found.set_index("path").loc[order]
        for index, name, colour, shape in bars:
            figure.add_bar(
                x=rows[index], y=[names[p] for p in rows.index], orientation="h", name=name,
                legendgroup=index, showlegend=i == 0, row=i // across + 1, col=i % across + 1,
                marker={"color": colour, "line": {"color": INK, "width": 0.6},
                        "pattern": {"shape": shape, "fillmode": "overlay", "fgcolor": INK,
                                    "size": 6, "solidity": 0.15}},
                error_x={"type": "data", "symmetric": False, "color": INK, "thickness": 1.2,
                         "width": 3, "array": rows[f"{index}_high"] - rows[index],
                         "arrayminus": rows[index] - rows[f"{index}_low"]},
                hovertemplate="%{y}: " + index + " %{x:.3f}<extra></extra>",
            )  # fmt: skip
    ends = table[["S1_low", "S1_high", "ST_low", "ST_high"]].to_numpy(np.float64)
    known = ends[np.isfinite(ends)]
    low, high = (
        (min(0.0, float(known.min())), max(0.2, float(known.max()))) if len(known) else (0, 1)
    )
    pad = 0.04 * (high - low)
    figure.update_yaxes(range=[-0.6, len(order) - 0.4])
    figure.update_xaxes(range=[low - (pad if low < 0 else 0.0), high + pad], zeroline=True,
                        zerolinecolor=MUTED)  # fmt: skip
    for col in range(across):
        figure.update_xaxes(
            title_text="share of variance", row=-(-len(panels) // across), col=col + 1
        )
    return _finished(figure, said, inside, _above(panels) + 26).update_layout(
        barmode="group", bargap=0.3, bargroupgap=0.06,
        legend={"orientation": "h", "x": 0.0, "y": 1.0 + _above(panels) / inside,
                "yanchor": "bottom", "traceorder": "reversed"},
    )  # fmt: skip


def _screen(table: pd.DataFrame, whole: Cube, said: str) -> go.Figure:
    """Draw sizes of effects across, their spread upwards; each path has a mark of its own."""
    order = table.groupby("path", sort=False)["mu_star"].mean().sort_values(ascending=False).index
    short = short_paths([str(p) for p in order])
    panels = _panels(whole, table)
    figure, across, inside = _grid(panels, 380 if len(panels) <= _ACROSS else 240)
    top = 1.08 * float(max(table["mu_star_high"].max(), table["sigma"].max(), 1e-300))
    for i, (_, rows) in enumerate(panels):
        at = {"row": i // across + 1, "col": i % across + 1}
        figure.add_scatter(
            x=[0.0, top], y=[0.0, top], mode="lines", name="σ = µ*", showlegend=i == 0,
            line={"color": MUTED, "width": 1.2, "dash": "dot"}, hoverinfo="skip", **at,
        )  # fmt: skip
        for k, path in enumerate(order):
            row = rows[rows["path"] == path].iloc[0]
            colour, _, symbol = looks(k)
            figure.add_scatter(
                x=[row["mu_star"]], y=[row["sigma"]], mode="markers", name=label(short[path]),
                legendgroup=path, showlegend=i == 0, cliponaxis=False, **at,
                marker={"symbol": symbol, "size": 11, "color": colour,
                        "line": {"color": INK, "width": 0.8}},
                error_x={"type": "data", "symmetric": False, "color": colour, "thickness": 1.4,
                         "width": 4, "array": [row["mu_star_high"] - row["mu_star"]],
                         "arrayminus": [row["mu_star"] - row["mu_star_low"]]},
                hovertemplate=f"{escape(path)}<br>µ* %{{x:.4g}}, σ %{{y:.4g}}<extra></extra>",
            )  # fmt: skip
    unit = f" ({whole.unit} per range)" if whole.unit else ""
    least = min(0.0, 1.05 * float(table["mu_star_low"].min()))
    figure.update_xaxes(range=[least, top])
    figure.update_yaxes(range=[-0.03 * top, top])
    for col in range(across):
        row = -(-len(panels) // across)
        figure.update_xaxes(title_text=escape(f"µ*{unit}"), row=row, col=col + 1)
    for row in range(-(-len(panels) // across)):
        figure.update_yaxes(title_text=escape(f"σ{unit}"), row=row + 1, col=1)
    names = [label(name) for name in short.values()]
    return _finished(figure, said, inside, _above(panels)).update_layout(
        legend={"x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"},
        margin_r=room_for(names) + 48,
    )


def _above(panels: list[tuple[str, pd.DataFrame]]) -> int:
    """Return the room that titles of panels take, px."""
    return 8 + max(20 * (title.count("<br>") + 1) if title else 0 for title, _ in panels)


def _finished(figure: go.Figure, said: str, inside: int, above: int) -> go.Figure:
    figure = titled(figure, said)
    figure.update_annotations(font_size=13)
    top = int(figure.layout.margin.t) + above
    return figure.update_layout(margin_t=top, margin_b=64, height=inside + top + 64)


def finding(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> str:
    """Say in one sentence what matters most."""
    if not _drawable(sweep):
        return "What does the outcome hang on?"
    table, whole = data(sweep, metric, task, offer), cube_of(sweep, metric, task, offer)
    rows = table[table["setting"] == 0]
    where = "" if len(whole.values) == 1 else f" at {plain(escape(whole.labels[0]))}"
    index = "ST" if "ST" in rows else "mu_star"
    if rows[index].isna().all():
        return f"{whole.what} is the same everywhere{where}"
    first = rows.sort_values(index, ascending=False).iloc[0]
    name = short_paths([str(p) for p in rows["path"]])[first["path"]]
    if index == "ST":
        return (f"{percent(max(first['S1'], 0.0))} of the variance of {whole.what} is {name}’s "
                f"alone, {percent(first['ST'])} with others{where}")  # fmt: skip
    unit = f" {whole.unit}" if whole.unit else ""
    return (
        f"{name} moves {whole.what} most, by {number(first['mu_star'])}{unit} over its range{where}"
    )


def caption(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> str:
    """Explain how to read the figure."""
    if not _drawable(sweep):
        return _NONE
    sample, more = sweep.manifest["sample"], ""
    settings = len(cube_of(sweep, metric, task, offer).values)
    if settings > MOST:
        more = f" {settings - MOST} more settings of levers are in the data."
    seeds = sweep.manifest["seeds"]
    of = "of one run" if seeds == 1 else f"of the mean of {seeds:,} replications"
    if sample["kind"] == "saltelli":
        return (
            f"Sobol indices {of} at each of {sample['size']:,} base points: the share of variance "
            "over the ranges of uncertainties that goes when a path is known (first), and that "
            "stays when all others are (total). Bars that differ in length show interaction. "
            f"Whiskers: 95% of a bootstrap over base points; they may lie below 0 by chance.{more}"
        )
    return (
        f"Elementary effects {of} along {sample['size']:,} trajectories: the change of the measure "
        "by a step of one path, over the step as a share of the path’s range. Across: the mean of "
        "their sizes, with its 95% interval; upwards: their standard deviation. Above the dotted "
        f"line effects change sign or size with where the others are.{more}"
    )
