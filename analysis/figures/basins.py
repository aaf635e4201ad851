"""F7 of an equilibrium: to which price equilibrium best responses lead from many starts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..equilibrium.multiplicity import Multiplicity, equilibria
from ..equilibrium.solved import Equilibrium
from .notation import log_ticks
from .solved_frames import levers_by_revenue, once, tasteless, why_slow
from .template import HEIGHT, INK, MUTED, OKABE_ITO, escape, tint, titled, undrawn

_STARTS, _LEVERS, _GRID = 12, 3, 80
"""Starts tried; levers beyond which that takes too long; points of each side of the shading."""
_NONE = "How many price equilibria are there?"


def _why(found: Equilibrium) -> str:
    """Say why no starts are tried, which would take long or lead nowhere; empty if they are."""
    point = found.point
    if not 2 <= len(point.game.levers) <= _LEVERS:
        return "Starts are tried for two or three prices only."
    if not point.iterations:
        return "Starts are tried only where prices were solved."
    if not point.converged or point.cycle is not None:
        return "Starts are tried only where the solver came to rest, and best responses do."
    if tasteless(found):
        return "Starts are tried only where buyers have tastes: else best responses may go round."
    slow = why_slow(found)
    return f"Starts are tried only where best responses are quickly followed: {slow}." * bool(slow)


def _seen(found: Equilibrium) -> Multiplicity | None:
    if _why(found):
        return None
    return once(found.point, "multiplicity", lambda: equilibria(found.point.game, _STARTS))


def data(found: Equilibrium) -> pd.DataFrame:
    """Return one row per start and per stationary point.

    Columns: kind ("start", "equilibrium", "stationary"), number (of an equilibrium; for a start
    that of the one it leads to, −1 for none), a price per lever, stable (under best responses),
    starts (how many lead there).
    """
    seen = _seen(found)
    if seen is None or seen.why:
        table = pd.DataFrame()
        table.attrs["why"] = _why(found) if seen is None else f"{seen.why}."
        return table
    levers = list(seen.game.levers)
    leads = np.array(seen.leads, dtype=np.int64)
    frames = [pd.DataFrame({"kind": "start", "number": leads}).join(
        pd.DataFrame(seen.starts, columns=levers)
    )]  # fmt: skip
    for kind, points in (("equilibrium", seen.found), ("stationary", seen.others)):
        frames.append(pd.DataFrame({
            "kind": kind, "number": range(len(points)),
            "stable": [p.stability.responses for p in points],
            "starts": [p.responses for p in points],
        }).join(pd.DataFrame([p.prices for p in points], columns=levers)))  # fmt: skip
    out = pd.concat([f for f in frames if len(f)], ignore_index=True)
    out = out.reindex(columns=["kind", "number", *levers, "stable", "starts"])
    units = dict(zip(found.levers["lever"], found.levers["unit"], strict=True))
    out.attrs["units"] = {lever: units[lever] for lever in levers}
    return out


def build(found: Equilibrium) -> go.Figure:
    """Draw starts, where they lead, and equilibria in the plane of the two main prices."""
    seen = _seen(found)
    if seen is None or seen.why:
        return undrawn(_NONE, _why(found) if seen is None else seen.why)
    g, h = _main(found)
    figure, x, y = go.Figure(), seen.starts[:, g], seen.starts[:, h]
    if len(seen.game.levers) == 2:
        figure.add_trace(_shading(seen))
    for start, lead in zip(seen.starts, seen.leads, strict=True):
        if lead >= 0:
            end = seen.found[lead].prices
            figure.add_scatter(
                x=[start[g], end[g]], y=[start[h], end[h]], mode="lines", hoverinfo="skip",
                showlegend=False, line={"color": MUTED, "width": 0.8},
            )  # fmt: skip
    for lead in sorted(set(seen.leads)):
        mine = np.array(seen.leads) == lead
        figure.add_scatter(
            x=x[mine], y=y[mine], mode="markers", name="start that comes to no equilibrium",
            showlegend=lead < 0, hovertemplate="%{x:.4g}, %{y:.4g}<extra>start</extra>",
            marker={"size": 6, "symbol": "circle" if lead >= 0 else "x", "color": _colour(lead)},
        )  # fmt: skip
    looks = (("stable", True, INK), ("unstable", False, "white"))
    for name, stable, fill in looks:
        some = [p for p in (*seen.found, *seen.others) if p.stability.responses == stable]
        if some:
            figure.add_scatter(
                x=[p.prices[g] for p in some], y=[p.prices[h] for p in some], mode="markers",
                name=name, hovertemplate="%{x:.5g}, %{y:.5g}<extra>" + name + "</extra>",
                marker={"size": 13, "color": fill, "line": {"width": 2, "color": INK}},
            )  # fmt: skip
    figure.add_scatter(
        x=[seen.game.posted[g]], y=[seen.game.posted[h]], mode="markers", name="posted",
        marker={"symbol": "x-thin-open", "size": 11, "color": INK, "line": {"width": 2}},
        hovertemplate="%{x:.4g}, %{y:.4g}<extra>posted</extra>",
    )  # fmt: skip
    units = dict(zip(found.levers["lever"], found.levers["unit"], strict=True))
    for axis, lever in (("xaxis", g), ("yaxis", h)):
        name = seen.game.levers[lever]
        prices = [*seen.starts[:, lever], seen.game.posted[lever]]
        prices += [float(p.prices[lever]) for p in (*seen.found, *seen.others)]
        figure.layout[axis].update(
            title_text=f"price of {escape(name)} ({units[name]})", **_log_axis(prices)
        )
    figure = titled(figure, finding(found), height=HEIGHT - 40)
    return figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )  # fmt: skip


def _main(found: Equilibrium) -> tuple[int, int]:
    """Return the two levers that serve the most."""
    first, second = (found.point.game.levers.index(n) for n in levers_by_revenue(found)[:2])
    return first, second


def _log_axis(prices: list[float]) -> dict[str, object]:
    low, high = (float(np.log10(p)) for p in (0.93 * min(prices), 1.07 * max(prices)))
    return {"type": "log", "range": [low, high], **log_ticks(low, high)}


def _colour(lead: int) -> str:
    return MUTED if lead < 0 else OKABE_ITO[lead % len(OKABE_ITO)]


def _shading(seen: Multiplicity) -> go.Heatmap:
    """Colour each point by where the nearest start, or stable equilibrium, leads.

    Nearness is that of logarithms.
    """
    stable = [i for i, p in enumerate(seen.found) if p.stability.responses]
    at = np.array([*seen.starts, *(seen.found[i].prices for i in stable)])
    leads = np.array([*seen.leads, *stable])
    across, up = (np.geomspace(0.9 * v.min(), 1.1 * v.max(), _GRID) for v in at.T)
    away = np.log(across[:, None, None] / at[:, 0]) ** 2 + np.log(up[:, None] / at[:, 1]) ** 2
    ends = sorted(set(leads.tolist()))
    scale = []
    for i, lead in enumerate(ends):
        shade = tint(_colour(lead), 0.7) if lead >= 0 else "#ffffff"
        scale += [[i / len(ends), shade], [(i + 1) / len(ends), shade]]
    rank = np.searchsorted(ends, leads[away.argmin(axis=2)]).astype(np.int8)
    return go.Heatmap(x=across, y=up, z=rank.T, zmin=-0.5, zmax=len(ends) - 0.5, colorscale=scale,
                      showscale=False, hoverinfo="skip")  # fmt: skip


def finding(found: Equilibrium) -> str:
    """Say in one sentence how many equilibria were found, and from how many starts."""
    seen = _seen(found)
    if seen is None:
        return _NONE
    return seen.text[0].upper() + seen.text[1:]


def caption(found: Equilibrium) -> str:
    """Explain how to read the figure."""
    seen = _seen(found)
    if seen is None:
        return _why(found)
    third = (
        " Other prices differ from start to start, too." if len(seen.game.levers) > 2
        else " Shades tell where the nearest start leads: basins between so few starts are rough."
    )  # fmt: skip
    sure = (
        " The indices of all points found add up to 1, so that none is known to be missing."
        if seen.complete else " Their indices do not add up to 1: at least one is missing."
    )  # fmt: skip
    return (
        f"Best responses in the fluid market from {len(seen.starts)} starts (dots) spread over "
        "prices from unit cost to three times the posted ones; a line leads from each to where it "
        "ends. Circles are stationary prices, filled where best responses come back to them."
        f"{third}{sure}"
    )
