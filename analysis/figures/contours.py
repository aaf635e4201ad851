"""Where buyers are indifferent between the two best offers, on the plane of deadlines and stakes.

The best offer over the stakes is the upper envelope of lines (`utility.py`), and indifference
curves are its kinks as the deadline varies.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Point = tuple[float, float]


def best_offers(slope: Floats, start: Floats, values: Floats) -> NDArray[np.int64]:
    """Return the index of the best offer at each deadline and value, shape [deadlines, values]."""
    utility = slope[:, None, :] * values[None, :, None] + start[:, None, :]
    return np.asarray(utility.argmax(axis=2))


def indifference(slope: Floats, start: Floats, x: Floats, y: Floats) -> Floats:
    """Return where the best offer changes, as lines with NaN between them, shape [2, points].

    Marching squares over the grid: along each side of a square whose ends have different best
    offers the point is found at which those two are equally good; two such points of a square
    are joined, more meet in their middle.

    Args:
        slope: of utility over value, shape [deadlines, offers].
        start: utility at value 0, USD, same shape.
        x: deadlines in the plot's coordinates, shape [deadlines].
        y: log10 of values, shape [values].

    Example:
        >>> slope, start = np.array([[0.0, 1.0]] * 2), np.array([[0.0, -10.0]] * 2)
        >>> points = indifference(slope, start, np.array([0.0, 1.0]), np.array([0.0, 2.0]))
        >>> points[:, :2].round(2).tolist()
        [[1.0, 0.0], [0.18, 0.18]]
    """
    values = 10.0**y
    best = best_offers(slope, start, values)
    same = (best[:-1, :-1] == best[1:, :-1]) & (best[:-1, 1:] == best[1:, 1:])
    same &= best[:-1, :-1] == best[:-1, 1:]
    segments: list[tuple[Point, Point]] = []

    def crossing(a: tuple[int, int], b: tuple[int, int]) -> Point:
        i, j = best[a], best[b]
        lead = [
            (slope[d, i] - slope[d, j]) * values[v] + start[d, i] - start[d, j] for d, v in (a, b)
        ]
        t = lead[0] / (lead[0] - lead[1]) if lead[0] != lead[1] else 0.5
        return x[a[0]] + t * (x[b[0]] - x[a[0]]), y[a[1]] + t * (y[b[1]] - y[a[1]])

    for d, v in np.argwhere(~same):
        corners = [(d, v), (d + 1, v), (d + 1, v + 1), (d, v + 1)]
        sides = zip(corners, [*corners[1:], corners[0]], strict=True)
        points = [crossing(a, b) for a, b in sides if best[a] != best[b]]
        middle = (sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points))
        two = len(points) == 2
        segments += [(points[0], points[1])] if two else [(p, middle) for p in points]
    return _chained(segments)


def _chained(segments: list[tuple[Point, Point]]) -> Floats:
    """Join segments that share an end into lines, so that each is drawn in one stroke."""
    at: dict[Point, list[int]] = {}
    rounded = [tuple((round(p[0], 9), round(p[1], 9)) for p in s) for s in segments]
    for i, ends in enumerate(rounded):
        for end in ends:
            at.setdefault(end, []).append(i)
    # Start at loose ends and forks, so that a line is not begun in its middle; then the loops.
    order = [i for end in at if len(at[end]) != 2 for i in at[end]] + list(range(len(segments)))
    loose = {end for end in at if len(at[end]) != 2}
    drawn = [False] * len(segments)
    out: list[Point] = []
    for first in order:
        if drawn[first]:
            continue
        here, there = rounded[first]
        if there in loose and here not in loose:
            here, there = there, here
        drawn[first] = True
        out += [here, there]
        while True:
            onward = [i for i in at[there] if not drawn[i]]
            if there in loose or not onward:
                break
            one, other = rounded[onward[0]]
            there = other if one == there else one
            drawn[onward[0]] = True
            out.append(there)
        out.append((math.nan, math.nan))
    return np.array(out).reshape(-1, 2).T
