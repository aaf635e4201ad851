"""The phase portrait of replicator dynamics: where shares rest, what leads there, what divides it.

A mixed profile rests where all strategies in use pay the same, whether or not one that nobody uses
would pay more; only then is it no equilibrium. Basins meet at the stable manifolds of saddles
(Guckenheimer & Holmes 1983, section 1.3), which a path followed back in time from next to the
saddle traces. Back in time, shares move as in the game with all payoffs turned round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .dynamics import replicator
from .equilibria import eigenvalues, motion
from .game import Floats, Game
from .payoffs import deviation_payoffs, normalised, role_means
from .regret import regret
from .supports import is_regular, solve_support, starting_points, supports

NEAR = 1e-3
"""Distance in shares from a point at which nothing repels that counts as having come to it."""
_SAME, _FLAT, _STARTS, _MOST, _LONG = 1e-6, 1e-9, 24, 300, 120.0
_ASIDE = 1e-5


@dataclass(frozen=True, eq=False)
class Rest:
    """A mixed profile that the replicator dynamics leave where it is.

    Attributes:
        mixture: [S] shares of each role's strategies.
        stability: "stable", "unstable", or "neutral" where the slopes there do not tell.
        saddle: whether some paths lead there and others away.
        equilibrium: whether nobody gains by another strategy.
        regular: whether it stands alone on its support; if not it is one of a continuum.
    """

    mixture: Floats
    stability: str
    saddle: bool
    equilibrium: bool
    regular: bool


def rest_points(game: Game) -> tuple[Rest, ...]:
    """Return where shares rest, on every support, pure profiles first.

    Args:
        game: the game; few strategies, as all supports are looked at.

    Example:
        >>> from .game import symmetric
        >>> for rest in rest_points(symmetric([[-1.5, 2], [0, 1]], names=("hawk", "dove"))):
        ...     print(rest.mixture.round(6).tolist(), rest.stability, rest.equilibrium)
        [1.0, 0.0] unstable False
        [0.0, 1.0] unstable False
        [0.4, 0.6] stable True
    """
    unit, rng = normalised(game, each=True), np.random.default_rng(0)
    found: list[Rest] = []
    for support in supports(game):
        for x in solve_support(unit, support, starting_points(unit, support, rng, _STARTS)):
            at = game.mixture(np.where(support, x, 0.0))
            if any(np.abs(r.mixture - at).max() < _SAME for r in found):
                continue
            rest = _described(game, unit, support, at)
            if not rest.regular and any(((r.mixture > 0.0) == support).all() for r in found):
                continue
            found.append(rest)
    return tuple(found)


def _described(game: Game, unit: Game, support: NDArray[np.bool_], at: Floats) -> Rest:
    slopes = eigenvalues(game, at).real
    flat = _FLAT * float(game.spans.max())
    rate = float(slopes.max(initial=-np.inf))
    word = "neutral" if abs(rate) <= flat else "stable" if rate < 0.0 else "unstable"
    return Rest(
        at, word, bool((slopes > flat).any() and (slopes < -flat).any()),
        regret(unit, at) < _FLAT, is_regular(unit, support, at),
    )  # fmt: skip


def landings(game: Game, rests: tuple[Rest, ...], starts: Floats) -> NDArray[np.int64]:
    """Return which rest point each start's path comes to, [n]; −1 for none in time, as in cycles.

    Args:
        game: the game.
        rests: its rest points; paths end at those that are not unstable.
        starts: [n, S] mixed profiles.

    Example:
        >>> from .game import symmetric
        >>> game = symmetric([[2, 0], [0, 1]])
        >>> landings(game, rest_points(game), np.array([[0.4, 0.6], [0.3, 0.7]])).tolist()
        [0, 1]
    """
    ends = [i for i, r in enumerate(rests) if r.stability != "unstable"]
    out = np.full(len(starts), -1)
    if not ends:
        return out
    common = normalised(game, each=False)
    places = np.array([rests[i].mixture for i in ends])
    for steps, (time, x) in enumerate(replicator(common, starts, rtol=1e-6)):
        away = np.abs(x[:, None, :] - places).max(axis=2)
        v = deviation_payoffs(common, x)
        still = np.abs(x * (v - role_means(common, x, v))).max(axis=1) < NEAR
        near = (away.min(axis=1) < NEAR) & still
        if near.all() or steps >= _MOST or time > _LONG:
            break
    to = away.argmin(axis=1)
    # What begins next to a point that nothing draws to has not come to it.
    neutral = np.array([rests[i].stability == "neutral" for i in ends])
    near &= ~neutral[to] | (np.abs(starts - places[to]).max(axis=1) > NEAR)
    return np.where(near, np.array(ends)[to], -1)


def divides(game: Game, rests: tuple[Rest, ...]) -> list[Floats]:
    """Return the lines through the inside of the simplex that lead to saddles, [points, S] each.

    Args:
        game: one role with three strategies.
        rests: its rest points.

    Example:
        >>> from .game import symmetric
        >>> game = symmetric(
        ...     np.diag([1.0, 1.0, 1.0])
        ... )  # to the middle of each side, from the centre
        >>> [line[-1].round(3).tolist() for line in divides(game, rest_points(game))][0]
        [0.333, 0.333, 0.333]
    """
    back, lines = replace(game, payoffs=-game.payoffs), []
    for rest in (r for r in rests if r.saddle):
        slopes, moves = motion(game, rest.mixture)
        values, vectors = np.linalg.eig(slopes)
        way = moves @ vectors[:, int(values.real.argmin())].real
        for side in (1.0, -1.0):
            start = rest.mixture + side * _ASIDE * way / np.abs(way).max()
            if (start > 0.01 * _ASIDE).all():
                lines.append(np.vstack([rest.mixture, _followed(back, start / start.sum())]))
    return lines


def _followed(game: Game, start: Floats) -> Floats:
    """Return a path until it rests or has gone on for long, [points, S]."""
    common, path = normalised(game, each=False), []
    for steps, (_, x) in enumerate(replicator(common, start, rtol=1e-8)):
        path.append(x)
        v = deviation_payoffs(common, x)
        still = float(np.abs(x * (v - role_means(common, x, v))).max()) < 1e-7
        if steps >= _MOST or (still and steps > 5 and np.abs(x - start).max() > NEAR):
            break
    return np.array(path)
