"""Learning dynamics as generators: they yield time and state, the caller decides when to stop.

Sources:
    Taylor, P. D., Jonker, L. B. (1978). Evolutionary stable strategies and game dynamics.
        Mathematical Biosciences 40, 145-156.
    Hofbauer, J., Sigmund, K. (1998). Evolutionary Games and Population Dynamics. Cambridge.
    Fudenberg, D., Levine, D. K. (1998). The Theory of Learning in Games. MIT Press, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import DOP853

from .game import Floats, Game
from .payoffs import deviation_payoffs, role_means

_EXTINCT = -800.0  # logarithm of a share that is 0: e^-800 is 0 in double precision


def replicator(
    game: Game, start: ArrayLike, *, rtol: float = 1e-9
) -> Iterator[tuple[float, Floats]]:
    """Follow the replicator dynamics dx_s/dt = x_s · (V_s(x) − Σ x·V).

    Shares grow by what they pay beyond their role's mean. They are followed as logarithms, so
    none turns negative; what starts at 0 stays 0. Steps are those of the solver (DOP853).

    Args:
        game: the game.
        start: [S], or [starts, S] to follow several at once in one time.
        rtol: relative error allowed in a step.

    Yields:
        Time, in 1 / (unit of the payoffs), and the shares, shaped as the start; it first.

    Example:
        >>> from .game import symmetric
        >>> hawks = symmetric([[-1.5, 2], [0, 1]])
        >>> path = replicator(hawks, [0.9, 0.1])
        >>> next(x.round(6).tolist() for time, x in path if time > 30)
        [0.4, 0.6]
    """
    x = _checked(game, start)
    with np.errstate(divide="ignore"):
        logs = np.where(x > 0.0, np.log(x), _EXTINCT)
    alive = x > 0.0

    def shares(u: Floats) -> Floats:
        z = np.exp(np.where(alive, u, _EXTINCT))
        return z / role_means(game, z, np.ones_like(z))  # rounding aside, the sums are 1

    def change(_: float, flat: Floats) -> Floats:
        z = shares(flat.reshape(x.shape))
        v = deviation_payoffs(game, z)
        return np.where(alive, v - role_means(game, z, v), 0.0).ravel()

    # No step is long against the time in which payoffs can turn round.
    longest = 50.0 / float(game.spans.max())
    for time, u in _steps(change, logs.ravel(), longest, rtol):
        yield time, shares(u.reshape(x.shape))


def logit_dynamics(
    game: Game, start: ArrayLike, lam: float, *, rtol: float = 1e-9
) -> Iterator[tuple[float, Floats]]:
    """Follow the logit dynamics dx/dt = softmax(λ·V(x)) − x, smoothed best response.

    A rest point is a logit quantal response equilibrium at λ (see `qre`).

    Args:
        game: the game.
        start: [S] or [starts, S].
        lam: λ, precision in 1 / (unit of the payoffs), 0 or more.
        rtol: relative error allowed in a step.

    Yields:
        Time, in revisions per player, and the shares, shaped as the start; it first.

    Raises:
        ValueError: λ is below 0 or not finite.

    Example:
        >>> from .game import symmetric
        >>> path = logit_dynamics(symmetric([[1, 0], [0, 1]]), [0.9, 0.1], lam=1.0)
        >>> next(x.round(6).tolist() for time, x in path if time > 60)
        [0.5, 0.5]
    """
    x = _checked(game, start)
    if not (math.isfinite(lam) and lam >= 0.0):
        raise ValueError(f"lam is {lam}; it must be 0 or more, in 1 / (unit of the payoffs)")

    def change(_: float, flat: Floats) -> Floats:
        z = flat.reshape(x.shape)
        return (softmax(game, lam * deviation_payoffs(game, z)) - z).ravel()

    for time, flat in _steps(change, x.ravel(), 50.0, rtol):
        yield time, flat.reshape(x.shape)


def softmax(game: Game, scores: Floats) -> Floats:
    """Return e^score over its sum in the role, [..., S], without overflow."""
    top = np.maximum.reduceat(scores, [part.start for part in game.slices], axis=-1)
    z = np.exp(scores - top[..., game.role_of])
    return z / role_means(game, z, np.ones_like(z))


def _steps(
    change: Callable[[float, Floats], Floats], start: Floats, longest: float, rtol: float
) -> Iterator[tuple[float, Floats]]:
    solver = DOP853(change, 0.0, start, math.inf, max_step=longest, rtol=rtol, atol=1e-2 * rtol)
    yield 0.0, start
    while solver.status == "running":
        solver.step()
        yield float(solver.t), solver.y


def _checked(game: Game, start: ArrayLike) -> Floats:
    x = np.array(start, dtype=np.float64)
    if x.ndim == 2 and len(x):
        return np.stack([game.mixture(row) for row in x])
    return game.mixture(x)
