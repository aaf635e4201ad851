"""Logit quantal response equilibria, followed from λ = 0 where all strategies are alike likely.

At precision λ each role plays x_s ∝ exp(λ·V_s(x)). The branch that starts at λ = 0 may fold back
in λ, so it is followed by its own length, in logarithms of shares (which no λ drives to exactly 0):
a step along the tangent, then Newton's method at right angles to it.

λ is in 1 / (unit of the payoffs): twice the payoffs at half the λ is the same equilibrium. With the
asymmetric matching pennies of Ochs (1995), payoffs of the row player X, 0 | 0, 1 and of the column
player 0, 1 | 1, 0 as they stand and X = 9, λ = 1 gives shares (.893576, .312780) of the first
strategies, where the Nash equilibrium has (.5, .1).

Sources:
    McKelvey, R. D., Palfrey, T. R. (1995). Quantal response equilibria for normal form games.
        Games and Economic Behavior 10, 6-38.
    Turocy, T. L. (2005). A dynamic homotopy interpretation of the logistic quantal response
        equilibrium correspondence. Games and Economic Behavior 51, 243-263.
    Ochs, J. (1995). Games with unique, mixed strategy equilibria: an experimental study. Games
        and Economic Behavior 10, 202-217.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .game import Floats, Game
from .payoffs import deviation_payoffs, normalised, payoff_slopes

_FIRST, _SHORTEST = 0.1, 1e-9  # lengths of steps along the branch
_TOLERANCE = 1e-11  # of the equations
_CORRECTIONS = 8  # of Newton's method; if more are needed, a shorter step is made
_EASY = 4  # corrections up to which the next step may be longer
_FARTHEST = 5.0  # a correction changes no logarithm of a share by more
_STEPS = 5_000


@dataclass(frozen=True, eq=False)
class Qre:
    """A logit quantal response equilibrium.

    Attributes:
        lam: λ, 1 / (unit of the payoffs).
        mixture: [S] shares.
        residual: largest error of ln x_s − ln x_t = λ·(V_s − V_t) and of Σ x = 1.
        steps: along the branch from λ = 0.
        converged: whether the residual is rounding (10⁻¹¹ of the largest |ln x| or λ·V).
    """

    lam: float
    mixture: Floats
    residual: float
    steps: int
    converged: bool


def qre(game: Game, lam: float) -> Qre:
    """Return the logit equilibrium at λ on the branch from λ = 0, where it first gets there.

    Args:
        game: the game.
        lam: λ, 0 or more, 1 / (unit of the payoffs).

    Returns:
        The equilibrium; where the branch could not be followed so far, its last point, not
        converged.

    Raises:
        ValueError: λ is below 0 or not finite.

    Example:
        >>> from .game import bimatrix
        >>> pennies = bimatrix([[9, 0], [0, 1]], [[0, 1], [1, 0]])
        >>> qre(pennies, 1.0).mixture[[0, 2]].round(6).tolist()
        [0.893576, 0.31278]
    """
    if not (math.isfinite(lam) and lam >= 0.0):
        raise ValueError(f"lam is {lam}; it must be 0 or more, in 1 / (unit of the payoffs)")
    unit, span = normalised(game, each=False), float(game.spans.max())
    before = point = _start(unit)
    steps = 0
    for steps, point in enumerate(_branch(unit)):
        if point[-1] >= lam * span or steps == _STEPS:
            break
        before = point
    if point[-1] < lam * span:
        return replace(_solution(unit, span, point, steps), converged=False)
    # The branch crosses λ between its last two points.
    if steps:
        share = (lam * span - before[-1]) / (point[-1] - before[-1])
        point = before + share * (point - before)
    point[-1] = lam * span
    point = _correct(unit, point, _upright(unit), 5 * _CORRECTIONS)[0]
    return _solution(unit, span, point, steps)


def qre_path(game: Game) -> Iterator[Qre]:
    """Follow the branch from λ = 0, where shares are uniform; the caller decides when to stop.

    For almost all games it leads to one Nash equilibrium as λ → ∞ (McKelvey & Palfrey 1995).

    Example:
        >>> from .game import symmetric
        >>> far = next(q for q in qre_path(symmetric([[2, 0], [0, 1]])) if q.lam > 50)
        >>> far.mixture.round(6).tolist()
        [1.0, 0.0]
    """
    unit, span = normalised(game, each=False), float(game.spans.max())
    for steps, point in enumerate(_branch(unit)):
        yield _solution(unit, span, point, steps)


def _start(game: Game) -> Floats:
    """Return the point (ln x, λ) at which all begins, [S + 1]."""
    return np.append(np.log(game.uniform), 0.0)


def _upright(game: Game) -> Floats:
    """Return the direction of λ alone, [S + 1]."""
    return np.append(np.zeros(len(game.names)), 1.0)


def _branch(game: Game) -> Iterator[Floats]:
    """Yield points of the branch; ends where it cannot be followed any further."""
    point, tangent, step = _start(game), _upright(game), _FIRST
    while True:
        yield point
        rows = np.vstack([_equations(game, point)[1], tangent])
        direction = np.linalg.lstsq(rows, _upright(game), rcond=None)[0]
        tangent = direction / np.linalg.norm(direction)
        while True:
            new, corrections = _correct(game, point + step * tangent, tangent, _CORRECTIONS)
            moved = new - point
            # Far from where the tangent leads may be another branch.
            if corrections <= _CORRECTIONS and tangent @ moved > 0.95 * np.linalg.norm(moved):
                break
            step *= 0.5
            if step < _SHORTEST:
                return
        point = new
        if corrections <= _EASY:
            step *= 1.5


def _correct(game: Game, point: Floats, across: Floats, most: int) -> tuple[Floats, int]:
    """Return the solution by Newton's method at right angles to a direction, and its iterations.

    One more than `most` if it was not reached.
    """
    for n in range(most + 1):
        errors, slopes = _equations(game, point)
        if float(np.abs(errors).max()) <= _TOLERANCE * max(1.0, float(np.abs(point).max())):
            return point, n
        step = np.linalg.lstsq(np.vstack([slopes, across]), np.append(errors, 0.0), rcond=None)[0]
        point = point - step * min(1.0, _FARTHEST / float(np.abs(step[:-1]).max()))
    return point, most + 1


def _equations(game: Game, point: Floats) -> tuple[Floats, Floats]:
    """Return the errors at a point, [S], and their slopes, [S, S + 1].

    In each role: ln x_s − ln x_1 − λ·(V_s − V_1) for s > 1, then Σ x − 1.
    """
    logs, lam = point[:-1], point[-1]
    x = np.exp(logs)
    v = deviation_payoffs(game, x)
    first = np.array([part.start for part in game.slices])
    base = first[game.role_of]
    gap = logs - lam * v
    errors = gap - gap[base]
    errors[first] = np.add.reduceat(x, first) - 1.0
    pull = np.eye(len(x)) - lam * payoff_slopes(game, x) * x
    slopes = np.column_stack([pull - pull[base], -(v - v[base])])
    slopes[first, :-1] = np.where(game.role_of == np.arange(len(first))[:, None], x, 0.0)
    slopes[first, -1] = 0.0
    return errors, slopes


def _solution(game: Game, span: float, point: Floats, steps: int) -> Qre:
    residual = float(np.abs(_equations(game, point)[0]).max())
    return Qre(
        lam=float(point[-1]) / span, mixture=game.mixture(np.exp(point[:-1])), residual=residual,
        steps=steps, converged=residual <= _TOLERANCE * max(1.0, float(np.abs(point).max())),
    )  # fmt: skip
