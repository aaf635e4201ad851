"""Payoffs by simulation: every profile is played, with common random numbers.

Replication k has the same seed in all profiles, so that what a strategy gains in another profile
is not hidden behind luck (Law 2015, section 11.2). Players of a role are alike; the payoff of a
strategy is the mean over those who play it.

Sources:
    Wellman, M. P. (2006). Methods for empirical game-theoretic analysis (extended abstract).
        Proceedings of AAAI-06, 1552-1555.
    Law, A. M. (2015). Simulation Modeling and Analysis, 5th ed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import product

import numpy as np

from ...market.schema.fields import whole
from ...scenarios.run import rep_seed
from .game import Counts, Floats, Game, Role, all_profiles, told

Assignment = tuple[str, ...]
"""Who plays what: a strategy per player, roles one after the other."""
Play = Callable[[Assignment, int], Sequence[float]]
"""Plays a profile with a seed; returns a payoff per player, in the same order."""


def estimate(
    play: Play, roles: Sequence[Role], reps: int, seed: int = 0,
    *, map: Callable[..., Iterable[Sequence[float]]] = map,
) -> Game:  # fmt: skip
    """Play every profile in `reps` replications and return the game.

    Args:
        play: called with an assignment, such as ("low", "low", "high"), and a seed.
        roles: the roles; their strategies are the names that `play` is given.
        reps: replications of each profile.
        seed: the first replication's; the others are hashes of it (`rep_seed`).
        map: like the built-in one, in order; that of a process pool plays several at once,
            provided that `play` can be sent to a process.

    Raises:
        ValueError: a payoff per player is wanted and something else came, or is not finite;
            too many profiles: reduce the game (`reduction`).

    Example:
        >>> def toss(assignment, seed):
        ...     luck = np.random.default_rng(seed).normal()
        ...     return [luck + assignment.count("left") for _ in assignment]
        >>> game = estimate(toss, [Role("players", 2, ("left", "right"))], reps=3)
        >>> (game.payoffs[0, 0] - game.payoffs[2, 1]).round(9).tolist()  # the luck is common
        [2.0, 2.0, 2.0]
    """
    profiles = all_profiles(roles)
    return Game(tuple(roles), profiles, simulate(play, roles, profiles, reps, seed, map=map))


def simulate(
    play: Play, roles: Sequence[Role], profiles: Counts, reps: int, seed: int = 0,
    *, map: Callable[..., Iterable[Sequence[float]]] = map,
) -> Floats:  # fmt: skip
    """Play some profiles; return payoffs [P, S, reps], nan where nobody plays a strategy.

    As `estimate`, which plays them all.
    """
    whole("reps", reps, 1, 100_000, "100,000")
    whole("seed", seed, 0, 2**63 - 1, "2^63 − 1")
    columns = [_columns(roles, profile) for profile in profiles]
    names = [strategy for role in roles for strategy in role.strategies]
    jobs = list(product(range(len(profiles)), range(reps)))
    assignments = [tuple(names[s] for s in columns[p]) for p, _ in jobs]
    seeds = [rep_seed(seed, k) for _, k in jobs]
    payoffs = np.full((*profiles.shape, reps), math.nan)
    for (p, k), paid in zip(jobs, map(play, assignments, seeds), strict=True):
        each = np.asarray(paid, dtype=np.float64)
        if each.shape != (len(columns[p]),) or not np.isfinite(each).all():
            raise ValueError(
                f"play returned {paid!r} for the profile {told(roles, profiles[p])} in "
                f"replication {k}; it must be a finite payoff for each of {len(columns[p])} players"
            )
        sums = np.bincount(columns[p], weights=each, minlength=len(names))
        payoffs[p, :, k] = np.divide(
            sums, profiles[p], out=np.full(len(names), math.nan), where=profiles[p] > 0
        )
    return payoffs


def _columns(roles: Sequence[Role], profile: Counts) -> Counts:
    """Return the strategy's place for each player, roles one after the other."""
    return np.repeat(np.arange(len(profile)), profile)
