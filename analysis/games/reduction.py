"""Deviation-preserving reduction: a game of many players, told by one of few.

In the reduced game each of n players of a role stands for many of the N. What strategy s is paid
in a reduced profile c is what one player of the full game is paid who plays s while the others
stand in the proportions of c:

    own role:  (c − e_s) · (N − 1)/(n − 1) + e_s,      other roles q:  c · N_q/n_q.

A single player's deviation is thus one player's in the full game too, not that of a block; gains
from a profile in which each role plays one pure strategy are exact. Where payoffs are linear in the
numbers of the others, gains from mixed profiles and equilibria are exact, too; elsewhere they are
an approximation, which gets better with n. It plays far fewer profiles.

Source:
    Wiedenbeck, B., Wellman, M. P. (2012). Scaling simulation-based game analysis through
        deviation-preserving reduction. Proceedings of AAMAS 2012, 931-938.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from .estimate import Play, simulate
from .game import Counts, Floats, Game, Role, all_profiles


def estimate_reduced(
    play: Play, roles: Sequence[Role], players: Mapping[str, int], reps: int, seed: int = 0,
    *, map: Callable[..., Iterable[Sequence[float]]] = map,
) -> Game:  # fmt: skip
    """Return the reduced game of many players, playing only the profiles it needs.

    Args:
        play: plays the full game, as for `estimate`.
        roles: of the full game.
        players: how many are left of each role, as for `reduced`.
        reps: replications, as for `estimate`.
        seed: as for `estimate`.
        map: as for `estimate`.

    Raises:
        ValueError: as `estimate` and `reduced`.

    Example:
        >>> def crowd(assignment, seed):
        ...     return [-assignment.count(mine) for mine in assignment]
        >>> roads = [Role("drivers", 41, ("left", "right"))]
        >>> estimate_reduced(crowd, roads, {"drivers": 3}, reps=1).means.tolist()
        [[-41.0, nan], [-21.0, -1.0], [-1.0, -21.0], [nan, -41.0]]
    """
    few = reduced_roles(roles, players)
    profiles, needed, where = _needed(roles, few)
    paid = simulate(play, roles, needed, reps, seed, map=map)
    return Game(few, profiles, _picked(paid, where))


def reduced(game: Game, players: Mapping[str, int]) -> Game:
    """Return the reduction of a game whose every profile is known.

    Args:
        game: the full game.
        players: how many are left of each role, those that are not named staying whole. Of N
            players n can stand for all if n − 1 divides N − 1 and, where there are other
            roles, n divides N, too.

    Raises:
        ValueError: the numbers do not divide, or a role is unknown.

    Example:
        >>> from .game import symmetric
        >>> reduced(symmetric([[1, 0], [0, 2]]), {"players": 2}).means.tolist()
        [[1.0, nan], [0.0, 0.0], [nan, 2.0]]
    """
    few = reduced_roles(game.roles, players)
    profiles, needed, where = _needed(game.roles, few)
    row = {tuple(profile): p for p, profile in enumerate(game.profiles.tolist())}
    paid = game.payoffs[[row[tuple(profile)] for profile in needed.tolist()]]
    return Game(few, profiles, _picked(paid, where))


def reduced_roles(roles: Sequence[Role], players: Mapping[str, int]) -> tuple[Role, ...]:
    """Return the roles with fewer players.

    Raises:
        ValueError: the numbers do not divide, or a role is unknown.
    """
    unknown = sorted(set(players) - {role.name for role in roles})
    if unknown:
        known = ", ".join(role.name for role in roles)
        raise ValueError(f'there is no role "{unknown[0]}"; roles: {known}')
    few = tuple(replace(role, players=players.get(role.name, role.players)) for role in roles)
    for role, small in zip(roles, few, strict=True):
        choices = [
            n for n in range(1, role.players + 1)
            if n == role.players
            or (n > 1 and (role.players - 1) % (n - 1) == 0
                and (len(roles) == 1 or role.players % n == 0))
        ]  # fmt: skip
        if small.players not in choices:
            raise ValueError(
                f'{small.players} players cannot stand for the {role.players} of role "{role.name}"'
                f" without fractions; these can: {', '.join(map(str, choices))}"
            )
    return few


def _needed(roles: Sequence[Role], few: Sequence[Role]) -> tuple[Counts, Counts, Counts]:
    """Return the reduced profiles, the full ones they need, [F, S], and which for what, [P, S].

    Where nobody plays a strategy the last is −1.
    """
    profiles = all_profiles(few)
    where = np.full(profiles.shape, -1)
    found: dict[tuple[int, ...], int] = {}
    for p, s in np.argwhere(profiles > 0).tolist():
        full = tuple(_full(roles, few, profiles[p], s).tolist())
        where[p, s] = found.setdefault(full, len(found))
    return profiles, np.array(list(found), dtype=np.int64), where


def _full(roles: Sequence[Role], few: Sequence[Role], profile: Counts, s: int) -> Counts:
    """Return the full profile, [S], in which one player plays s among many like the others."""
    others = profile.copy()
    others[s] -= 1
    start = 0
    for role, small in zip(roles, few, strict=True):
        end = start + len(role.strategies)
        own = int(start <= s < end)
        if small.players > own:
            others[start:end] *= (role.players - own) // (small.players - own)
        start = end
    others[s] += 1
    return others


def _picked(paid: Floats, where: Counts) -> Floats:
    """Return payoffs [P, S, K] of the reduced profiles from those of the full ones, [F, S, K]."""
    return paid[where, np.arange(where.shape[1])]
