"""Equilibria on a support: the strategies in use must all pay the same.

On a support the shares x and the payoffs w of the roles solve

    V_s(x) = w_role(s)  for s in the support,   Σ x = 1 in each role,

as many equations as unknowns. With two players in all they are linear: one step of Newton's method
from anywhere solves them. Else it starts from many points and stays inside the simplex, by steps
that end short of its border.

Sources:
    Dickhaut, J., Kaplan, T. (1991). A program for finding Nash equilibria. Mathematica Journal 1,
        87-93 (support enumeration).
    Harsanyi, J. C. (1973). Oddness of the number of equilibrium points: a new proof.
        International Journal of Game Theory 2, 235-250 (regular equilibria).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .game import Floats, Game
from .payoffs import deviation_payoffs, payoff_slopes, role_means

Support = NDArray[np.bool_]
_STEPS = 40
_TOLERANCE = 1e-12  # of the equations, for payoffs between 0 and 1
_BORDER = 1e-9  # a share in use that has become less than this
_SINGULAR = 1e-9  # a smallest singular value below this, of the largest


def supports(game: Game) -> Iterator[Support]:
    """Yield every support, [S], one or more strategies of each role.

    Example:
        >>> from .game import symmetric
        >>> [s.tolist() for s in supports(symmetric([[0, 1], [1, 0]]))]
        [[True, False], [False, True], [True, True]]
    """
    each = []
    for role in game.roles:
        size = len(role.strategies)
        masks = (np.array([m >> s & 1 for s in range(size)]) > 0 for m in range(1, 2**size))
        each.append(sorted(masks, key=np.count_nonzero))
    for parts in product(*each):
        yield np.concatenate(parts)


def count_supports(game: Game) -> int:
    """Return how many supports there are, Π (2^m − 1)."""
    return int(np.prod([2.0 ** len(role.strategies) - 1 for role in game.roles]))


def solve_support(game: Game, support: Support, starts: Floats) -> Floats:
    """Return the points at which the strategies of a support, all in use, pay the same.

    Args:
        game: payoffs of each role between 0 and 1 (see `normalised`).
        support: [S].
        starts: [B, S] mixed profiles with all of the support in use, and nothing else.

    Returns:
        [found, S], one for each start that came to an end; many may be the same.

    Example:
        >>> from .game import symmetric
        >>> hawks, both = symmetric([[0, 1], [0.5, 0.75]]), np.array([True, True])
        >>> solve_support(hawks, both, np.array([[0.9, 0.1]])).round(9).tolist()
        [[0.333333333, 0.666666667]]
    """
    x = starts.copy()
    payoffs = _role_payoffs(game, x)
    used = np.flatnonzero(support)
    linear = is_linear(game)
    found = []
    for _ in range(2 if linear else _STEPS):
        wrong = _errors(game, used, x, payoffs)
        inside = (x[:, used] > _BORDER).all(axis=1)  # else it was driven out: nothing to find here
        done = np.abs(wrong).max(axis=1) < _TOLERANCE
        found.append(x[done & inside])
        on = ~done & inside
        x, payoffs, wrong = x[on], payoffs[on], wrong[on]
        if not len(x):
            break
        step = (np.linalg.pinv(system(game, support, x), rcond=_SINGULAR) @ wrong[..., None])[
            ..., 0
        ]
        dx, dw = step[:, : len(used)], step[:, len(used) :]
        now = x[:, used]
        # Full steps while they stay inside, else most of the way to the border.
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(dx > 0.0, now / dx, np.inf).min(axis=1)
        length = np.where((room > 1.0) | linear, 1.0, 0.99 * room)[:, None]
        x[:, used] = now - length * dx
        payoffs = payoffs - length * dw
    return np.concatenate(found)


def system(game: Game, support: Support, mixture: Floats) -> Floats:
    """Return the slopes of the equations of a support, [..., n + R, n + R], n in use, R roles."""
    used = np.flatnonzero(support)
    n, roles = len(used), len(game.roles)
    belongs = game.role_of[used][:, None] == np.arange(roles)
    slopes = np.zeros((*mixture.shape[:-1], n + roles, n + roles))
    slopes[..., :n, :n] = payoff_slopes(game, mixture)[..., used[:, None], used]
    slopes[..., :n, n:] = -1.0 * belongs
    slopes[..., n:, :n] = belongs.T
    return slopes


def is_regular(game: Game, support: Support, mixture: Floats) -> bool:
    """Whether the equations of a support fix the point: no other lies next to it on the support."""
    sizes = np.linalg.svd(system(game, support, mixture), compute_uv=False)
    return bool(sizes[-1] > _SINGULAR * sizes[0])


def starting_points(game: Game, support: Support, rng: np.random.Generator, count: int) -> Floats:
    """Return points of a support from which to start, [B, S]: its middle, then drawn ones.

    The middle alone will do where nothing is mixed, or linear equations have one solution or none.
    """
    drawn = rng.standard_exponential((count, len(support)))
    drawn[0] = 1.0
    x = np.where(support, drawn, 0.0)
    x /= role_means(game, x, np.ones_like(x))
    if support.sum() == len(game.roles) or (is_linear(game) and not _has_many(game, support, x[0])):
        return x[:1]
    return x


def _has_many(game: Game, support: Support, x: Floats) -> bool:
    """Whether linear equations have many solutions, and not one or none."""
    if is_regular(game, support, x):
        return False
    slopes = system(game, support, x)
    wrong = _errors(game, np.flatnonzero(support), x[None], _role_payoffs(game, x[None]))[0]
    left = wrong - slopes @ (np.linalg.pinv(slopes, rcond=_SINGULAR) @ wrong)
    return bool(np.abs(left).max() < _TOLERANCE)


def is_linear(game: Game) -> bool:
    """Whether payoffs are linear in the shares: two players in all, or one."""
    return sum(role.players for role in game.roles) <= 2


def _errors(game: Game, used: NDArray[np.int64], x: Floats, payoffs: Floats) -> Floats:
    v = deviation_payoffs(game, x)[:, used] - payoffs[:, game.role_of[used]]
    sums = np.add.reduceat(x, [part.start for part in game.slices], axis=1) - 1.0
    return np.concatenate([v, sums], axis=1)


def _role_payoffs(game: Game, x: Floats) -> Floats:
    starts = [part.start for part in game.slices]
    return np.asarray(np.add.reduceat(x * deviation_payoffs(game, x), starts, axis=1))
