"""F7: the replicator dynamics of a game of two or three strategies, its rest points and basins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ..games.game import Game
from ..games.portrait import NEAR, Rest
from .notation import number, percent
from .simplex_paths import CELLS, CORNERS, Floats, boundaries, cells_of, paths, portrait, velocity
from .solved_frames import once
from .template import HEIGHT, INK, MUTED, OKABE_ITO, escape, label, tint, titled, undrawn

SHAPES = {"stable": "circle", "unstable": "circle-open", "neutral": "circle-open-dot"}
"""Marks of rest points: filled where paths lead there from all sides."""


def data(game: Game) -> pd.DataFrame:
    """Return all that is drawn, in one table told apart by `kind`.

    Columns: kind, number, time (1/unit of the payoffs), a column "share of …" per strategy,
    stability, equilibrium, part. Kinds: "rest point"; "basin", a rest point with the part of all
    mixtures that lead to it, and the number −1 with the part of those that come to none; "path"
    and "boundary" of basins, points in the order in which they are drawn.
    """
    if not _drawable(game):
        return pd.DataFrame()
    return once(game, "simplex", lambda: _data(game))


def _data(game: Game) -> pd.DataFrame:
    names = [f"share of {strategy}" for _, strategy in game.names]
    rests, lands = portrait(game)
    frames = [pd.DataFrame({
        "kind": "rest point", "number": range(len(rests)),
        **dict(zip(names, np.array([r.mixture for r in rests]).T, strict=True)),
        "stability": [r.stability for r in rests], "equilibrium": [r.equilibrium for r in rests],
    })]  # fmt: skip
    ends = np.unique(lands)
    frames.append(pd.DataFrame({
        "kind": "basin", "number": ends, "part": [float((lands == e).mean()) for e in ends],
    }))  # fmt: skip
    for kind, lines in (("path", paths(game)), ("boundary", boundaries(game, rests))):
        for number_, (time, x) in enumerate(lines):
            frames.append(pd.DataFrame({
                "kind": kind, "number": number_, "time": time,
                **dict(zip(names, x.T, strict=True)),
            }))  # fmt: skip
    out = pd.concat(frames, ignore_index=True)
    columns = ["kind", "number", "time", *names, "stability", "equilibrium", "part"]
    out = out.reindex(columns=columns)
    out.attrs["units"] = {
        "time": "1/(unit of the payoffs)", "part": "ratio", **dict.fromkeys(names, "ratio"),
    }  # fmt: skip
    return out


def _drawable(game: Game) -> bool:
    return len(game.roles) == 1 and len(game.names) in CELLS


# --- drawing -----------------------------------------------------------------------------------


def build(game: Game) -> go.Figure:
    """Draw the triangle of three strategies, or how fast the share of one of two moves."""
    if not _drawable(game):
        why = "Only games of one role with two or three strategies have such a drawing."
        return undrawn("How many equilibria are there, and what leads to each?", why)
    rests, lands = portrait(game)
    draw = _interval if len(game.names) == 2 else _triangle
    return titled(draw(game, rests, lands), finding(game), height=HEIGHT - 40)


def _triangle(game: Game, rests: tuple[Rest, ...], lands: NDArray[np.int64]) -> go.Figure:
    figure = go.Figure()
    corners = cells_of(3) @ CORNERS
    for end, colour in _colours(rests, lands).items():
        cells = corners[lands == end]
        gap = np.full((len(cells), 1, 2), np.nan)
        line = np.concatenate([cells, cells[:, :1], gap], axis=1).reshape(-1, 2)
        figure.add_scatter(
            x=line[:, 0].astype(np.float32), y=line[:, 1].astype(np.float32), mode="lines",
            fill="toself", fillcolor=tint(colour, 0.7), hoverinfo="skip",
            line={"color": tint(colour, 0.7), "width": 0.6},
            name=escape(mixture(game, rests[end].mixture)),
        )  # fmt: skip
    edge = CORNERS[[0, 1, 2, 0]]
    figure.add_scatter(x=edge[:, 0], y=edge[:, 1], mode="lines", hoverinfo="skip",
                       line={"color": INK, "width": 1.5})  # fmt: skip
    for line in (x @ CORNERS for _, x in boundaries(game, rests)):
        figure.add_scatter(
            x=line[:, 0], y=line[:, 1], mode="lines", hoverinfo="skip", name="boundary",
            line={"color": INK, "width": 1.8, "dash": "dash"},
        )  # fmt: skip
    for _, x in paths(game):
        _path(figure, x @ CORNERS)
    _marks(figure, game, rests, np.array([r.mixture for r in rests]) @ CORNERS)
    for (_, name), at, low in zip(game.names, CORNERS, (True, True, False), strict=True):
        here = [i for i, r in enumerate(rests) if np.abs(r.mixture @ CORNERS - at).max() < 1e-9]
        lines = [f"all {label(name)}", *(_led(lands, i) for i in here if (lands == i).any())]
        figure.add_annotation(
            x=at[0], y=at[1], text="<br>".join(lines), yshift=-10 if low else 10,
            yanchor="top" if low else "bottom",
        )  # fmt: skip
    for i in set(np.unique(lands)) - {-1}:
        if rests[i].mixture.max() < 1.0:
            figure.add_annotation(
                x=(rests[i].mixture @ CORNERS)[0], y=(rests[i].mixture @ CORNERS)[1],
                text=f"{escape(mixture(game, rests[i].mixture))}<br>{_led(lands, i)}", yshift=12,
                yanchor="bottom", bgcolor="rgba(255,255,255,0.7)",
            )  # fmt: skip
    blank: dict[str, Any] = {"visible": False, "fixedrange": True}
    figure.update_xaxes(**blank, range=[-0.12, 1.12])
    figure.update_yaxes(**blank, range=[-0.09, 0.95], scaleanchor="x")
    return figure.update_layout(showlegend=False, margin={"l": 24, "r": 24, "b": 52})


def _interval(game: Game, rests: tuple[Rest, ...], lands: NDArray[np.int64]) -> go.Figure:
    x = np.linspace(0.0, 1.0, 201)
    both = np.stack([x, 1.0 - x], axis=1)
    speed = velocity(game, both)[:, 0]
    top = 1.5 * max(float(np.abs(speed).max()), 1e-300)
    figure, cells = go.Figure(), cells_of(2)[:, :, 0]
    for end, colour in _colours(rests, lands).items():
        ends = np.sort(cells[lands == end], axis=1)
        first = np.concatenate([[True], ends[1:, 0] > ends[:-1, 1] + 1e-9])
        starts, stops = ends[first, 0], np.append(ends[:-1, 1][first[1:]], ends[-1, 1])
        box = [(a, b) for a, b in zip(starts, stops, strict=True)]
        xs = [t for a, b in box for t in (a, b, b, a, a, None)]
        ys = [t for _ in box for t in (-top, -top, top, top, -top, None)]
        figure.add_scatter(
            x=xs, y=ys, mode="lines", fill="toself", fillcolor=tint(colour, 0.7),
            line={"width": 0}, hoverinfo="skip", name=escape(mixture(game, rests[end].mixture)),
        )  # fmt: skip
        widest = max(box, key=lambda ends: ends[1] - ends[0])
        figure.add_annotation(
            x=sum(widest) / 2, y=top, yshift=-4, yanchor="top",
            text=f"{escape(mixture(game, rests[end].mixture))}<br>{_led(lands, end)}",
        )  # fmt: skip
    figure.add_scatter(x=[0, 1], y=[0, 0], mode="lines", hoverinfo="skip",
                       line={"color": INK, "width": 1.2})  # fmt: skip
    figure.add_scatter(
        x=x, y=speed, mode="lines", name="speed", hovertemplate="%{x:.3f}: %{y:.3g}<extra></extra>",
        line={"color": INK, "width": 2, "simplify": False},
    )  # fmt: skip
    rest = np.array([r.mixture[0] for r in rests])
    at = [i for i in range(10, 200, 20) if np.abs(x[i] - rest).min() > 0.025]
    figure.add_scatter(
        x=x[at], y=np.zeros(len(at)), mode="markers", hoverinfo="skip",
        marker={"symbol": ["triangle-right" if speed[i] > 0 else "triangle-left" for i in at],
                "size": 10, "color": MUTED},
    )  # fmt: skip
    places = np.array([[r.mixture[0], 0.0] for r in rests])
    _marks(figure, game, rests, places)
    name = label(game.names[0][1])
    figure.update_xaxes(range=[-0.03, 1.03], title_text=f"share of {name}", showgrid=False)
    figure.update_yaxes(range=[-top, top], showgrid=False,
                        title_text="speed of the share")  # fmt: skip
    return figure.update_layout(showlegend=False)


def _path(figure: go.Figure, line: Floats) -> None:
    """Draw a path, with an arrow head a third of the way along it."""
    figure.add_scatter(x=line[:, 0].astype(np.float32), y=line[:, 1].astype(np.float32),
                       mode="lines", hoverinfo="skip",
                       line={"color": "#3c3c3c", "width": 1.1, "simplify": False})  # fmt: skip
    gone = np.concatenate([[0.0], np.hypot(*np.diff(line, axis=0).T).cumsum()])
    if gone[-1] < 0.05:
        return
    at = int(np.searchsorted(gone, min(0.4 * gone[-1], 0.25)))
    dx, dy = line[at] - line[at - 1]
    figure.add_scatter(
        x=line[[at], 0], y=line[[at], 1], mode="markers", hoverinfo="skip",
        marker={"symbol": "arrow", "size": 10, "color": "#3c3c3c",
                "angle": float(np.degrees(np.arctan2(dx, dy)))},
    )  # fmt: skip


def _marks(figure: go.Figure, game: Game, rests: tuple[Rest, ...], places: Floats) -> None:
    """Draw the rest points, filled where they are stable; equilibria larger."""
    for word, shape in SHAPES.items():
        for nash in (True, False):
            some = [i for i, r in enumerate(rests) if (r.stability, r.equilibrium) == (word, nash)]
            if not some:
                continue
            size = 14 if nash else 9
            at = {"x": places[some, 0], "y": places[some, 1], "mode": "markers"}
            if shape != "circle":  # no line is to show through an open mark
                figure.add_scatter(**at, marker={"size": size, "color": "white", "opacity": 1},
                                   hoverinfo="skip", cliponaxis=False)  # fmt: skip
            said = [escape(mixture(game, rests[i].mixture)) for i in some]
            figure.add_scatter(
                **at, cliponaxis=False, text=said,
                name=f"{word} equilibrium" if nash else "rest point, no equilibrium",
                marker={"symbol": shape, "size": size, "color": INK,
                        "line": {"width": 2, "color": INK}},
                hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip


def _colours(rests: tuple[Rest, ...], lands: NDArray[np.int64]) -> dict[int, str]:
    """Return a colour for each rest point that something comes to."""
    ends = [int(e) for e in np.unique(lands) if e >= 0]
    return {e: OKABE_ITO[i % len(OKABE_ITO)] for i, e in enumerate(ends)}


def _led(lands: NDArray[np.int64], end: int) -> str:
    return f"{percent(float((lands == end).mean()))} lead here"


def mixture(game: Game, x: Floats) -> str:
    """Say what a mixture is.

    Example:
        >>> from ..games.game import symmetric
        >>> mixture(symmetric([[-1.5, 2], [0, 1]], names=("hawk", "dove")), np.array([0.4, 0.6]))
        '0.4 hawk, 0.6 dove'
    """
    used = [(float(s), name) for s, (_, name) in zip(x, game.names, strict=True) if s > 1e-9]
    if len(used) == 1:
        return f"all {used[0][1]}"
    return ", ".join(f"{number(s)} {name}" for s, name in used)


# --- words -------------------------------------------------------------------------------------


def finding(game: Game) -> str:
    """Say in one sentence how many equilibria there are, and which of them shares come to."""
    rests, lands = portrait(game)
    nash = [r for r in rests if r.equilibrium]
    stable = [r for r in nash if r.stability == "stable"]
    count = f"{len(nash)} equilibri{'um' if len(nash) == 1 else 'a'}"
    if not stable:
        return f"{count}, none of which draws all shares near it: learning need not come to rest"
    if len(nash) == len(stable) == 1:
        return f"One equilibrium, {mixture(game, stable[0].mixture)}, and learning leads to it"
    parts = [
        f"{mixture(game, rests[e].mixture)} from {percent(float((lands == e).mean()))}"
        for e in np.unique(lands) if e >= 0
    ]  # fmt: skip
    return f"{count}; learning leads to {'; to '.join(parts)} of all mixtures"


def caption(game: Game) -> str:
    """Explain how to read the figure."""
    one = any(not r.regular for r in portrait(game)[0]) if _drawable(game) else False
    more = " Rest points that are not alone on their side stand for a continuum." if one else ""
    drawn = (
        "Each point is a mixture: the nearer a corner, the more play its strategy. Lines are paths "
        "of the replicator dynamics, arrows tell which way"
        if len(game.names) == 3 else
        "The line tells how fast the replicator dynamics move the share, arrows which way"
    )  # fmt: skip
    luck = (
        f" Payoffs are means of {game.reps} replications." if game.reps > 1 else ""
    )  # fmt: skip
    return (
        f"{drawn}. Filled circles are stable, open ones are not, those with a dot are neither; the "
        "small ones are no equilibria, as a strategy that nobody plays would pay more. Shades tell "
        f"where paths end up (to {number(NEAR)} in shares), dashes where shades meet; from what is "
        f"white no rest is come to.{more}{luck}"
    )
