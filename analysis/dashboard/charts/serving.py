"""F4: who serves what and how it ends, from task class to offer to outcome.

Ribbons are drawn point by point: names stand on them where the card has room, on a phone too, and
nothing moves by itself when they are drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....market.schema.market import Market
from ...figures.notation import percent
from ...figures.template import OUTSIDE, escape, label, plain, rgba
from ...figures.who_serves import OUTCOMES
from ..look import Drawn, Look, empty, figure
from .sellers import Sellers

Floats = NDArray[np.float64]
Piece = tuple[float, float]
"""Upper end and height of a bar or of a ribbon's end."""
_NAMED = 0.045
"""Share of the card's height that a name needs; offers that serve less are drawn as one."""
_DRAWN = 0.001  # less of the height than this is not seen
_GAPS = 0.12  # of a column, in shares of what its bars take
_WIDE = 0.022  # half the width of a bar
_AT = (0.0, 0.7, 2.0)  # the columns: two names stand between the second and the third
_BEND = np.linspace(0.0, 1.0, 13)
_OTHERS, _GREY = "other offers", "#b4b4b4"
_LETTERS = 17


def serving(counts: Floats, market: Market, sellers: Sellers, look: Look) -> Drawn:
    """Return ribbons from each task class to who served it and what came of it.

    Args:
        counts: tasks by class, offer (doing without last) and outcome (`who_serves.OUTCOMES`),
            shape [K, O + 1, 6].
        market: the spec.
        sellers: how offers are drawn.
        look: of the page.
    """
    total = counts.sum(axis=(1, 2))
    some = np.flatnonzero(total > 0)
    if not len(some):
        return empty(look, "no task has ended yet")
    share = counts[some] / total[some, None, None] / len(some)
    flows, names, hues = _offers(share, sellers)
    ends = np.flatnonzero(flows.sum(axis=(0, 1)) > 0)
    flows = flows[:, :, ends]
    classes = [label(market.tasks[k].name) for k in some]
    known = [classes, names, [OUTCOMES[e] for e in ends]]
    sizes = [flows.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    columns = [_stacked(size) for size in sizes]
    first, second = flows.sum(axis=2), flows.sum(axis=0)
    traces = [
        *_ribbons(first, columns[0], columns[1], 0, hues),
        *_ribbons(second, columns[1], columns[2], 1, hues),
        _bars(columns[0], 0, [look.muted] * len(some), look),
        _bars(columns[1], 1, hues, look),
        _bars(columns[2], 2, [look.muted] * len(ends), look),
        _hover(first, second, columns, known),
    ]  # fmt: skip
    said = [percent(float(s)) for s in sizes[2]]
    known[2] = [f"{name} {part}" for name, part in zip(known[2], said, strict=True)]
    notes = [
        {**_note(name if x == 2 else _short(name), x, top + tall / 2.0, look),
         "bgcolor": look.halo, "borderpad": 1}
        for x in range(3) for name, (top, tall) in zip(known[x], columns[x], strict=True)
        if tall >= _NAMED
    ]  # fmt: skip
    heads = [
        {**_note(f"<b>{text}</b>", x, 0.0, look), "yanchor": "bottom", "xshift": 0}
        for x, text in enumerate(("task class", "offer", "outcome"))
    ]
    axis = {"visible": False, "fixedrange": True}
    return figure(
        look, traces, annotations=[*heads, *notes], margin={"l": 4, "r": 4, "t": 22, "b": 4},
        xaxis={**axis, "range": [_AT[0] - _WIDE, _AT[2] + _WIDE]}, hovermode="closest",
        barmode="overlay",
        yaxis={**axis, "range": [1.0 + _GAPS, 0.0]},
    )  # fmt: skip


def _offers(share: Floats, sellers: Sellers) -> tuple[Floats, list[str], list[str]]:
    """Return shares [classes, offers drawn, outcomes], and names and colours of those offers.

    They stand by the classes that they serve, so that ribbons cross little.
    """
    size = share.sum(axis=(0, 2))
    last = len(size) - 1
    main = [o for o in range(last) if size[o] >= _NAMED]
    thin = [o for o in range(last) if 0 < size[o] < _NAMED]
    if len(thin) == 1:
        main, thin = [*main, *thin], []
    lane = np.arange(len(share)) @ share.sum(axis=2)
    main.sort(key=lambda o: float(lane[o] / size[o]))
    parts = [share[:, [o]] for o in main]
    names, hues = [sellers.labels[o] for o in main], [sellers.colours[o] for o in main]
    if thin:
        parts.append(share[:, thin].sum(axis=1, keepdims=True))
        names, hues = [*names, _OTHERS], [*hues, _GREY]
    if size[last] > 0:
        parts.append(share[:, [last]])
        names, hues = [*names, sellers.labels[last]], [*hues, OUTSIDE]
    return np.concatenate(parts, axis=1), names, hues


def _stacked(sizes: Floats) -> list[Piece]:
    """Return the bars of a column."""
    gap = _GAPS / max(len(sizes) - 1, 1)
    tops = np.concatenate([[0.0], np.cumsum(sizes[:-1] + gap)])
    lone = _GAPS / 2.0 if len(sizes) == 1 else 0.0
    return [(float(t) + lone, float(s)) for t, s in zip(tops, sizes, strict=True)]


def _ribbons(
    flow: Floats, left: list[Piece], right: list[Piece], x: int, hues: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the ribbons between two columns, a trace for each offer drawn.

    Args:
        flow: shares from each bar on the left to each on the right.
        left: bars of the left column.
        right: bars of the right column.
        x: which column is on the left; offers are on its right if it is the first.
        hues: colours of offers.
    """
    bend = _BEND**2 * (3.0 - 2.0 * _BEND)
    across = _AT[x] + _WIDE + (_AT[x + 1] - _AT[x] - 2.0 * _WIDE) * _BEND
    paths: list[tuple[list[float | None], list[float | None]]] = [([], []) for _ in hues]
    for i, j, a, b, tall in _pieces(flow, left, right):
        upper = a + (b - a) * bend
        xs, ys = paths[j if x == 0 else i]
        xs += [*across.round(4).tolist(), *across[::-1].round(4).tolist(), None]
        ys += [*upper.round(5).tolist(), *(upper[::-1] + tall).round(5).tolist(), None]
    return [
        {"type": "scatter", "x": xs, "y": ys, "mode": "lines", "fill": "toself",
         "fillcolor": rgba(hue, 0.5), "line": {"width": 0}, "hoverinfo": "skip"}
        for hue, (xs, ys) in zip(hues, paths, strict=True)
    ]  # fmt: skip


def _pieces(
    flow: Floats, left: list[Piece], right: list[Piece]
) -> list[tuple[int, int, float, float, float]]:
    """Return each ribbon that can be seen: its ends, where they begin, and how tall it is."""
    found = []
    down = np.array([top for top, _ in left])[:, None] + np.cumsum(flow, axis=1) - flow
    up = np.array([top for top, _ in right])[None, :] + np.cumsum(flow, axis=0) - flow
    for i, j in zip(*np.nonzero(flow > _DRAWN), strict=True):
        found.append((int(i), int(j), float(down[i, j]), float(up[i, j]), float(flow[i, j])))
    return found


def _bars(column: list[Piece], x: int, hues: Sequence[str], look: Look) -> dict[str, Any]:
    tops, sizes = [top for top, _ in column], [size for _, size in column]
    return {
        "type": "bar", "x": [_AT[x]] * len(column), "y": sizes, "base": tops,
        "width": 2 * _WIDE, "hoverinfo": "skip",
        "marker": {"color": list(hues), "line": {"width": 0.5, "color": look.page}},
    }  # fmt: skip


def _hover(
    first: Floats, second: Floats, columns: list[list[Piece]], known: list[list[str]]
) -> dict[str, Any]:
    """Return points without a mark that say how much a ribbon, or an offer, stands for."""
    at: list[tuple[float, float, str]] = []
    for x, flow in ((0, first), (1, second)):
        whole = flow.sum(axis=1)
        for i, j, a, b, tall in _pieces(flow, columns[x], columns[x + 1]):
            part = percent(float(flow[i, j] / whole[i]))
            text = f"{known[x][i]} → {known[x + 1][j]}: {part} of its tasks"
            at.append(((_AT[x] + _AT[x + 1]) / 2.0, (a + b + tall) / 2.0, text))
    at += [
        (_AT[1], top + tall / 2.0, f"{name}: {percent(tall)} of all")
        for name, (top, tall) in zip(known[1], columns[1], strict=True)
    ]
    xs, ys, said = (list(part) for part in zip(*at, strict=True))
    return {"type": "scatter", "x": xs, "y": ys, "text": said, "mode": "markers",
            "marker": {"size": 14, "opacity": 0},
            "hovertemplate": "%{text}<extra></extra>"}  # fmt: skip


def _note(text: str, x: int, y: float, look: Look) -> dict[str, Any]:
    """Return a name by a bar, on its right; by the last one on its left."""
    edge, anchor, shift = (_WIDE, "right", -13) if x == 2 else (-_WIDE, "left", 13)
    return {"text": text, "x": _AT[x] + edge, "y": y, "xanchor": anchor, "xshift": shift,
            "showarrow": False, "font": {"size": 11, "color": look.ink}}  # fmt: skip


def _short(name: str) -> str:
    """Return a label, ready for Plotly, that leaves room for its neighbours; its end says most."""
    text = plain(name)
    cut = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 8]}…{text[-7:]}"
    return escape(cut)


def outcomes(
    served: NDArray[np.float64], right: NDArray[np.float64], late: NDArray[np.float64],
    reneged: NDArray[np.float64], failed: NDArray[np.float64], without: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Return tasks by outcome, shape [K, O + 1, 6], from counts [K, O] and of those without [K].

    Right and late are independent given class and offer, so the late come from both alike.
    """
    timely = 1.0 - np.divide(late, served, out=np.zeros_like(late), where=served > 0)
    each = [right * timely, (served - right) * timely, late, reneged, failed, np.zeros_like(late)]
    found = np.zeros((*served.shape, len(OUTCOMES)))
    found[...] = np.stack(each, axis=-1)
    last = np.zeros((len(without), 1, len(OUTCOMES)))
    last[:, 0, -1] = without
    return np.concatenate([found, last], axis=1)
