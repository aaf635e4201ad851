"""What figure F7 draws of a game: cells of the simplex and where they lead, paths, boundaries."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from ..games.dynamics import replicator
from ..games.game import Game
from ..games.payoffs import deviation_payoffs, role_means
from ..games.portrait import Rest, divides, landings, rest_points
from .solved_frames import once

Floats = NDArray[np.float64]
CELLS = {2: 1000, 3: 48}
"""Parts of each side, by number of strategies, whose middles are followed for the basins."""
_LONG, _STEPS, _FINE, _BACK = 60.0, 400, 9, 0.01
"""Time for which a path is drawn, over the span of payoffs; steps at most; points drawn of each;
how near the start it has come round."""
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
_STARTS = np.array([
    [.9, .05, .05], [.05, .9, .05], [.05, .05, .9], [.46, .46, .08], [.46, .08, .46],
    [.08, .46, .46], [.7, .22, .08], [.22, .08, .7], [.08, .7, .22], [.5, .3, .2],
    [.2, .5, .3], [.3, .2, .5],
])  # fmt: skip


def portrait(game: Game) -> tuple[tuple[Rest, ...], NDArray[np.int64]]:
    """Return the rest points, and for each cell's middle which of them its path comes to."""

    def make() -> tuple[tuple[Rest, ...], NDArray[np.int64]]:
        rests = rest_points(game)
        return rests, landings(game, rests, middles(len(game.names)))

    return once(game, "portrait", make)


def middles(strategies: int) -> Floats:
    """Return the middles of the cells of a simplex, [cells, S]."""
    return np.asarray(cells_of(strategies).mean(axis=1))


def cells_of(strategies: int) -> Floats:
    """Return the corners of the cells of a simplex, [cells, corners, S]."""
    n = CELLS[strategies]
    if strategies == 2:
        ends = np.linspace(0.0, 1.0, n + 1)
        each = np.stack([ends, 1.0 - ends], axis=1)
        return np.stack([each[:-1], each[1:]], axis=1)
    up = [(i, j) for i in range(n) for j in range(n - i)]
    cells = [((i, j), (i + 1, j), (i, j + 1)) for i, j in up]
    cells += [((i + 1, j), (i, j + 1), (i + 1, j + 1)) for i, j in up if i + j < n - 1]
    at = np.array(cells, dtype=np.float64) / n
    return np.concatenate([at, 1.0 - at.sum(axis=2, keepdims=True)], axis=2)


def paths(game: Game) -> list[tuple[Floats, Floats]]:
    """Return times and shares along paths from points all over the simplex."""
    if len(game.names) == 2:
        return []
    return [orbit(game, start) for start in _STARTS]


def orbit(game: Game, start: Floats) -> tuple[Floats, Floats]:
    """Return a path until it rests, comes round, or has gone on for long; its bends filled in.

    Between the solver's steps by the cubic that has its slopes there, too.
    """
    span, times, path = float(game.spans.max()), [], []
    for steps, (time, x) in enumerate(replicator(game, start, rtol=1e-8)):
        times.append(time)
        path.append(x)
        if time > _LONG / span or steps > _STEPS or np.abs(velocity(game, x)).max() < 1e-5 * span:
            break
    at = np.array(times)
    line = CubicHermiteSpline(at, np.array(path), velocity(game, np.array(path)))
    fine = np.unique(np.concatenate([np.linspace(a, b, _FINE) for a, b in pairwise(at)]))
    x = line(fine)
    away = np.abs(x - start).max(axis=1)
    gone = int(np.argmax(away > 2.0 * _BACK)) if (away > 2.0 * _BACK).any() else len(x)
    back = np.flatnonzero(away[gone:] < _BACK)
    end = gone + int(back[0]) + 1 if len(back) else len(x)
    return fine[:end], x[:end]


def velocity(game: Game, x: Floats) -> Floats:
    """Return dx/dt of the replicator dynamics, [..., S]."""
    v = deviation_payoffs(game, x)
    return np.asarray(x * (v - role_means(game, x, v)))


def boundaries(game: Game, rests: tuple[Rest, ...]) -> list[tuple[float, Floats]]:
    """Return the lines where basins may meet, without times."""
    if len(game.names) == 2:
        return []
    return [(np.nan, line) for line in divides(game, rests)]
