"""F6b of a sweep: a response surface: a curve along one path, contours over two.

With more than two paths the two that matter most are drawn, the others held at the middle of their
ranges. Levers that are no numbers are held, too: at their first values, unless `where` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...scenarios.sweep.swept import Sweep
from ..sweeps.cube import short_paths, told
from ..sweeps.surface import Surface, surface
from .notation import log_ticks, number
from .sweep_frames import chosen, cube_of
from .template import HEIGHT, INK, OKABE_ITO, escape, rgba, room_for, tint, titled, undrawn

_QUESTION = "What does the measure look like between the points that were tried?"
_NONE = "Nothing that varies is a number: a surface needs uncertainties or levers with numbers."
_FINE, _COARSE = 121, 41
"""Points of a curve, and along each side of a plane."""
_SHADES = [[i / 8, tint(OKABE_ITO[0], 0.95 - 0.085 * i)] for i in range(9)]
"""From nearly white to a middling blue: dark labels read on all of them, and in grey."""
_LINE = "#B34700"  # Okabe and Ito's vermilion, darker: it stands out from the blues in grey, too
_RANGES = ["value", "low", "high"]


def data(
    sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all", *,
    level: float | None = None, where: Mapping[str, Any] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return what is drawn: kind ("fitted", "point"), the paths, value, low, high.

    The surface is given on a grid of the paths that are drawn. Intervals are of 95%, Student's t of
    replications; empty if nothing that varies is a number.

    Raises:
        ValueError: runs are left, there is no such measure, or there are too few points.
    """
    fitted = _fitted(sweep, (metric, task, offer), where)[0]
    if fitted is None:
        return pd.DataFrame()
    grid = _grid(fitted, _drawn(fitted))
    found = pd.concat([grid, fitted.band(grid)], axis=1)
    points = fitted.sampled[[*fitted.paths, *_RANGES]]
    table = pd.concat([found.assign(kind="fitted"), points.assign(kind="point")], ignore_index=True)
    table = table[["kind", *fitted.paths, *_RANGES]]
    table.attrs["units"] = dict.fromkeys(_RANGES, fitted.unit)
    return table


def _fitted(
    sweep: Sweep, cell: tuple[str, str, str], where: Mapping[str, Any] | None
) -> tuple[Surface | None, dict[str, Any]]:
    """Return the surface, if there can be one, and the levers that are held."""
    cell = chosen(sweep, *cell)
    settings = cube_of(sweep, *cell).settings
    words = [str(c) for c in settings if not pd.api.types.is_numeric_dtype(settings[c])]
    held = {path: settings[path].iloc[0] for path in words if settings[path].nunique() > 1}
    held |= dict(where or {})
    numbers = {str(c) for c in settings if settings[c].nunique() > 1} - set(words) - set(held)
    if not numbers and not sweep.manifest["spans"]:
        return None, held
    return surface(sweep, *cell, where=held), held


def _drawn(fitted: Surface) -> list[str]:
    """Return the one or two paths that are drawn, in the sweep's order: those that move it most."""
    size = np.abs(fitted.coefficients["value"].to_numpy(np.float64))
    weight = [sum(b for b, t in zip(size, fitted.terms, strict=True) if i in t)
              for i in range(len(fitted.paths))]  # fmt: skip
    most = sorted(range(len(weight)), key=lambda i: -weight[i])[:2]
    return [fitted.paths[i] for i in sorted(most)]


def _grid(fitted: Surface, drawn: list[str]) -> pd.DataFrame:
    """Return the points at which the surface is drawn: a row each, the last path moving fastest."""
    count = _FINE if len(drawn) == 1 else _COARSE
    sides = []
    for path in drawn:
        low, high, log = fitted.spans[fitted.paths.index(path)]
        sides.append(np.geomspace(low, high, count) if log else np.linspace(low, high, count))
    planes = np.meshgrid(*sides, indexing="ij")
    moved = {path: plane.ravel() for path, plane in zip(drawn, planes, strict=True)}
    size = len(planes[0].ravel())
    return pd.DataFrame({
        path: moved.get(path, np.full(size, fitted.middle(path))) for path in fitted.paths
    })  # fmt: skip


def build(
    sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all", *,
    level: float | None = None, where: Mapping[str, Any] | None = None,
) -> go.Figure:  # fmt: skip
    """Draw a curve with its band and the points, or contours; and the line of a level, if given."""
    cell = (metric, task, offer)
    fitted, _ = _fitted(sweep, cell, where)
    if fitted is None:
        return undrawn(_QUESTION, _NONE)
    table, drawn = data(sweep, *cell, where=where), _drawn(fitted)
    rows = table[table["kind"] == "fitted"]
    figure = (_curve if len(drawn) == 1 else _plane)(fitted, table, drawn, level)
    figure = titled(figure, _finding(fitted, rows, drawn, level), height=HEIGHT - 80)
    names = short_paths(fitted.paths)
    axes = [figure.update_xaxes, figure.update_yaxes][: len(drawn)]
    for path, update in zip(drawn, axes, strict=True):
        low, high, log = fitted.spans[fitted.paths.index(path)]
        ends = [float(np.log10(low)), float(np.log10(high))] if log else [low, high]
        pad = 0.03 * (ends[1] - ends[0])
        ticks = log_ticks(*ends) if log else {}
        update(title_text=escape(names[path]), type="log" if log else "linear",
               range=[ends[0] - pad, ends[1] + pad], **ticks)  # fmt: skip
    if len(drawn) == 1:
        figure.update_yaxes(title_text=escape(_measure(fitted)))
    return figure


def _measure(fitted: Surface) -> str:
    return fitted.what + (f" ({fitted.unit})" if fitted.unit not in ("", "ratio") else "")


def _curve(
    fitted: Surface, table: pd.DataFrame, drawn: list[str], level: float | None
) -> go.Figure:
    """Draw the surface along one path."""
    path, figure = drawn[0], go.Figure()
    rows, points = (table[table["kind"] == kind] for kind in ("fitted", "point"))
    blue, dark = OKABE_ITO[0], INK
    if rows["low"].notna().all():
        figure.add_scatter(
            x=[*rows[path], *rows[path][::-1]], y=[*rows["high"], *rows["low"][::-1]], mode="lines",
            fill="toself", fillcolor=tint(blue, 0.75), line={"width": 0}, hoverinfo="skip",
            name="95% interval",
        )  # fmt: skip
    figure.add_scatter(x=rows[path], y=rows["value"], mode="lines", name="surface",
                       line={"color": blue, "width": 2.5},
                       hovertemplate="%{x:.4g}: %{y:.4g}<extra></extra>")  # fmt: skip
    figure.add_scatter(
        x=points[path], y=points["value"], mode="markers", name="means of points", cliponaxis=False,
        marker={"symbol": "circle-open", "size": 8, "color": dark, "line": {"width": 1.6}},
        error_y={"type": "data", "symmetric": False, "thickness": 1.2, "width": 4, "color": dark,
                 "array": (points["high"] - points["value"]).fillna(0.0),
                 "arrayminus": (points["value"] - points["low"]).fillna(0.0)},
        hovertemplate="%{x:.4g}: %{y:.4g}<extra></extra>",
    )  # fmt: skip
    if level is not None:
        ends = fitted.spans[0][:2]
        figure.add_scatter(x=list(ends), y=[level, level], mode="lines", hoverinfo="skip",
                           name=f"level {number(level)}",
                           line={"color": _LINE, "width": 1.6, "dash": "dash"})  # fmt: skip
        at = crossings(rows[path].to_numpy(np.float64), rows["value"].to_numpy(np.float64) - level)
        if len(at):
            figure.add_scatter(
                x=at, y=[level] * len(at), mode="markers", showlegend=False,
                marker={"symbol": "diamond", "size": 11, "color": _LINE,
                        "line": {"color": "white", "width": 1}},
                hovertemplate="%{x:.4g}<extra></extra>",
            )  # fmt: skip
    names = [trace.name for trace in figure.data if trace.name]
    return figure.update_layout(
        legend={"x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"},
        margin_r=room_for(names) + 60,
    )


def _plane(
    fitted: Surface, table: pd.DataFrame, drawn: list[str], level: float | None
) -> go.Figure:
    """Draw the surface over two paths."""
    across, up = drawn
    rows, points = (table[table["kind"] == kind] for kind in ("fitted", "point"))
    z = rows["value"].to_numpy(np.float64).reshape(_COARSE, _COARSE).T
    x, y = rows[across].unique(), rows[up].unique()
    alone = len(fitted.paths) == 2  # then a point lies on the plane, and its colour is comparable
    known = [z.ravel(), points["value"].to_numpy(np.float64)] if alone else [z.ravel()]
    scale = {"cmin": min(map(np.min, known)), "cmax": max(map(np.max, known)),
             "colorscale": _SHADES}  # fmt: skip
    figure = go.Figure()
    figure.add_contour(
        x=x, y=y, z=z, zmin=scale["cmin"], zmax=scale["cmax"], colorscale=_SHADES, ncontours=12,
        line={"color": INK, "width": 0.8},
        contours={"showlabels": level is None, "labelfont": {"size": 12, "color": INK}},
        colorbar={"title": {"text": escape(_measure(fitted)), "side": "right"}, "thickness": 14,
                  "outlinewidth": 0, "x": 1.02},
        hovertemplate="%{x:.4g}, %{y:.4g}: %{z:.4g}<extra></extra>", name="surface",
    )  # fmt: skip
    if level is not None:
        figure.add_contour(
            x=x, y=y, z=z, autocontour=False, showscale=False, hoverinfo="skip",
            contours={"start": level, "end": level, "size": 1.0, "coloring": "none",
                      "showlabels": True, "labelfont": {"size": 13, "color": INK}},
            line={"color": _LINE, "width": 3}, name=f"level {number(level)}", showlegend=False,
        )  # fmt: skip
    marker: dict[str, Any] = {"size": 9, "line": {"color": INK, "width": 1.4}}
    marker |= {"color": points["value"], **scale} if alone else {"color": rgba("#ffffff", 0.6)}
    figure.add_scatter(
        x=points[across], y=points[up], mode="markers", marker=marker, cliponaxis=False,
        customdata=points["value"], showlegend=False, name="points",
        hovertemplate="%{x:.4g}, %{y:.4g}: %{customdata:.4g}<extra></extra>",
    )  # fmt: skip
    return figure.update_layout(margin_r=110)


def crossings(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Return where a line through points crosses 0.

    Example:
        >>> crossings(np.array([0.0, 1.0, 2.0]), np.array([-1.0, 3.0, -1.0]))
        [0.25, 1.75]
    """
    at = np.flatnonzero(np.diff(np.sign(y)) != 0)
    found = [float(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i])) for i in at]
    return list(dict.fromkeys(found))


def _finding(fitted: Surface, rows: pd.DataFrame, drawn: list[str], level: float | None) -> str:
    """Say in one sentence where the surface is greatest and least, or where it crosses a level."""
    names, value = short_paths(fitted.paths), rows["value"].to_numpy(np.float64)
    unit = f" {fitted.unit}" if fitted.unit not in ("", "ratio") else ""
    if level is not None:
        said = f"the surface of {fitted.what} is {number(level)}{unit}"
        if not value.min() <= level <= value.max():
            side = "above" if value.min() > level else "below"
            return f"The surface of {fitted.what} is {side} {number(level)}{unit} everywhere"
        if len(drawn) == 1:
            at = crossings(rows[drawn[0]].to_numpy(np.float64), value - level)
            where = " and ".join(map(number, at))
            return f"{said[0].upper()}{said[1:]} at {names[drawn[0]]} {where}"
        return (f"The surface of {fitted.what} is above {number(level)}{unit} in "
                f"{(value > level).mean():.0%} of the plane")  # fmt: skip

    def at_(i: int) -> str:
        return ", ".join(f"{names[p]} {number(float(rows[p].iloc[i]))}" for p in drawn)

    low, high = int(value.argmin()), int(value.argmax())
    return (
        f"{fitted.what} as fitted is least, {number(value[low])}{unit}, at {at_(low)}, and "
        f"greatest, {number(value[high])}{unit}, at {at_(high)}"
    )


def caption(
    sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all", *,
    level: float | None = None, where: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """Explain how to read the figure."""
    fitted, held = _fitted(sweep, (metric, task, offer), where)
    if fitted is None:
        return _NONE
    drawn, names = _drawn(fitted), short_paths(fitted.paths)
    others = [f"{names[p]} {number(fitted.middle(p))}" for p in fitted.paths if p not in drawn]
    others += [f"{path} {told(value)}" for path, value in held.items()]
    unit = f" {fitted.unit}" if fitted.unit not in ("", "ratio") else ""
    marks = "Circles are the sampled points" + (
        " in the colour of their own mean" if len(fitted.paths) == 2 else
        ", wherever they lie in what is held" if len(fitted.paths) > 2 else
        " with 95% intervals"
    )  # fmt: skip
    band = (
        " The band, 95% at each place, is of replications (Student’s t): it does not hold what a "
        "quadratic misses." if len(drawn) == 1 and sweep.manifest["seeds"] > 1 else ""
    )  # fmt: skip
    line = "" if level is None else (
        f" The {'dashed' if len(drawn) == 1 else 'thick'} line is the level {number(level)}{unit}; "
        "`boundary` finds where runs themselves cross it, at a stated error."
    )  # fmt: skip
    return (
        f"A quadratic fitted to the means of {fitted.points:,} points"
        f"{f' ({fitted.left_out:,} failed)' if fitted.left_out else ''}; R² {fitted.r2:.3f}, error "
        f"at points left out of the fit {number(fitted.press)}{unit}. {marks}.{band}{line}"
        + (f" Held: {', '.join(others)}." if others else "")
    )
