"""How much a player could gain by playing something else, and how sure that is.

The gain of strategy s at the mixed profile x is g_s = V_s(x) − Σ x·V(x), over the strategies of
its role. The regret of x is the largest gain, its exploitability the sum over all players of
their largest gains (NashConv of Lanctot et al. 2017). Both are 0 at an equilibrium and only there.

An interval for a largest gain is not that of a mean. At an equilibrium several gains are 0, their
estimates are not, and the largest estimate is above 0 in every resample, so that a percentile
interval of the regret never holds the truth. Gains at a given x, however, are linear in payoffs,
hence plain means over replications. So the bootstrap gives bounds for all gains at once (max-t),
and the largest gain lies between the largest of their lower and the largest of their upper ends.

Sources:
    Wiedenbeck, B., Cassell, B.-A., Wellman, M. P. (2014). Bootstrap statistics for empirical
        games. Proceedings of AAMAS 2014, 597-604.
    Andrews, D. W. K. (2000). Inconsistency of the bootstrap when a parameter is on the boundary
        of the parameter space. Econometrica 68, 399-405.
    Hall, P. (1988). On symmetric bootstrap confidence intervals. Journal of the Royal Statistical
        Society B 50, 35-45.
    Romano, J. P., Wolf, M. (2005). Exact and approximate stepdown methods for multiple hypothesis
        testing. Journal of the American Statistical Association 100, 94-108.
    Lanctot, M. et al. (2017). A unified game-theoretic approach to multiagent reinforcement
        learning. Advances in Neural Information Processing Systems 30.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...market.schema.fields import whole
from .game import Floats, Game
from .payoffs import deviation_payoffs, payoff_samples, role_means

_DUST = 1e-12  # a spread below this, relative to the payoffs, is rounding and not chance
LEAST = 5
"""Fewer replications say too little about their own spread."""


def gains(game: Game, mixture: ArrayLike) -> Floats:
    """Return what a player would gain by each strategy, [S], unit of the payoffs.

    Example:
        >>> from .game import symmetric
        >>> gains(symmetric([[0, 2], [1, 0]]), [0.5, 0.5]).tolist()
        [0.25, -0.25]
    """
    x = game.mixture(mixture)
    v = deviation_payoffs(game, x)
    return v - role_means(game, x, v)


def regret(game: Game, mixture: ArrayLike) -> float:
    """Return the largest gain of any player, 0 or more.

    Example:
        >>> from .game import symmetric
        >>> regret(symmetric([[0, 2], [1, 0]]), [0.5, 0.5])
        0.25
    """
    return max(float(gains(game, mixture).max()), 0.0)


def exploitability(game: Game, mixture: ArrayLike) -> float:
    """Return the sum over all players of the largest gain of each, 0 or more.

    Example:
        >>> from .game import symmetric
        >>> exploitability(symmetric([[0, 2], [1, 0]]), [0.5, 0.5])
        0.5
    """
    return _summed(game, gains(game, mixture))


@dataclass(frozen=True, eq=False)
class RegretInterval:
    """Regret and exploitability of a mixed profile with bounds that hold together.

    Attributes:
        regret: largest gain by mean payoffs, unit of the payoffs.
        low: its lower bound, 0 or more.
        high: its upper bound.
        exploitability: summed over players, with its bounds.
        exploitability_low: lower bound, 0 or more.
        exploitability_high: upper bound.
        gains: [S, 3] of each strategy: its gain, lower and upper bound, all at once.
        level: confidence of all bounds together.
    """

    regret: float
    low: float
    high: float
    exploitability: float
    exploitability_low: float
    exploitability_high: float
    gains: Floats
    level: float


def regret_interval(
    game: Game, mixture: ArrayLike, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> RegretInterval:
    """Return the regret of a mixed profile with bootstrap bounds over replications.

    Replications are drawn anew whole, all profiles together, so common random numbers keep their
    use. With g_s the mean gain and e_s its standard error, c is the `level` quantile over
    resamples of max_s |g*_s − g_s| / e*_s (symmetric bootstrap-t, Hall 1988; all s at once, Romano
    & Wolf 2005); the bounds are g_s ∓ c·e_s.

    They hold for a profile fixed beforehand and, as the number of replications grows, for one
    solved from the same payoffs. At level 0.95, 20 normal replications and 1,000 runs they held
    the true regret in 94 to 95% at an equilibrium of two strategies or two roles and off it, in 97
    to 98% with three strategies (a bound on a maximum has room), and in 94% of 400 with a
    profile solved from 80 replications.

    Args:
        game: the game, of 5 replications or more.
        mixture: [S] the mixed profile.
        level: confidence, strictly between 0 and 1.
        resamples: how many.
        seed: of the resampling.

    Raises:
        ValueError: too few replications, or a level or number out of range.

    Example:
        >>> from .game import Game, symmetric
        >>> known = symmetric([[-1.5, 2], [0, 1]])
        >>> noise = np.random.default_rng(0).normal(size=(3, 2, 30))
        >>> found = regret_interval(
        ...     Game(known.roles, known.profiles, known.payoffs + noise), [0.4, 0.6]
        ... )
        >>> found.low == 0.0 < found.regret < found.high < 0.5
        True
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; it must lie strictly between 0 and 1")
    whole("resamples", resamples, 100, 10**6, "10^6")
    if game.reps < LEAST:
        raise ValueError(f"the game has {game.reps} replications; bounds need {LEAST} or more")
    x = game.mixture(mixture)
    v = payoff_samples(game, x)
    each = v - role_means(game, x, v.T).T
    mean, error = each.mean(axis=1), each.std(axis=1, ddof=1) / np.sqrt(game.reps)
    error[error <= _DUST * np.abs(v).max()] = 0.0
    half = _max_t(each[error > 0.0], level, resamples, seed) * error
    bounds = np.stack([mean, mean - half, mean + half], axis=1)
    largest, low, high = (max(float(column.max()), 0.0) for column in bounds.T)
    summed, fewest, most = (_summed(game, column) for column in bounds.T)
    return RegretInterval(largest, low, high, summed, fewest, most, bounds, level)


def _summed(game: Game, of: Floats) -> float:
    """Return Σ over roles of players · the largest gain; none is below 0."""
    return sum(
        role.players * max(float(of[part].max()), 0.0)
        for role, part in zip(game.roles, game.slices, strict=True)
    )


def _max_t(samples: Floats, level: float, resamples: int, seed: int) -> float:
    """Return the quantile of the largest |t| of means [n] over resampled columns of [n, K]."""
    if not len(samples):
        return 0.0
    reps = samples.shape[1]
    centred = samples - samples.mean(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(reps, np.full(reps, 1.0 / reps), size=resamples) / reps
    means = drawn @ centred.T
    spread = drawn @ np.square(centred).T - np.square(means)
    # A resample without spread says nothing: it has drawn one replication again and again.
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(means) / np.sqrt(np.maximum(spread, 0.0) / (reps - 1))
    largest = np.nanmax(np.where(np.isfinite(t), t, 0.0), axis=1)
    return float(np.quantile(largest, level, method="higher"))
