"""An empirical game: roles, profiles by their counts, and what each strategy was paid in samples.

Players of one role are alike: what a strategy pays depends on how many play what, not on who
does. A symmetric game has one role; a game of two matrices has two roles with a player each.
Arrays are flat: the strategies of all roles stand side by side, in the order of the roles.

Sources:
    Wellman, M. P. (2006). Methods for empirical game-theoretic analysis (extended abstract).
        Proceedings of AAAI-06, 1552-1555.
    Nash, J. (1951). Non-cooperative games. Annals of Mathematics 54, 286-295: every game has an
        equilibrium in which like players do alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...market.schema.fields import whole

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
MOST_PLAYERS = 500
"""More in all roles together overflow the number of ways to be a profile; reduce the game."""
MOST_PROFILES = 1_000_000


@dataclass(frozen=True)
class Role:
    """Players that are alike: how many, and what each may do.

    Attributes:
        name: of the role.
        players: how many there are, 1 to 500 in all roles together.
        strategies: names of what each may do, one or more.

    Raises:
        ValueError: no strategies, two of one name, or not a whole number of players.

    Example:
        >>> Role("sellers", 2, ("low", "high")).players
        2
    """

    name: str
    players: int
    strategies: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "strategies", tuple(self.strategies))
        whole(f'players of role "{self.name}"', self.players, 1, MOST_PLAYERS, str(MOST_PLAYERS))
        if not self.strategies or len(set(self.strategies)) < len(self.strategies):
            raise ValueError(
                f'strategies of role "{self.name}" are {list(self.strategies)}; give one or more, '
                "each a name of its own"
            )


class Opponents(NamedTuple):
    """What the others of one role's player can be, M ways, and what it is paid against each."""

    counts: Counts
    """[M, S] numbers of others per strategy."""
    ways: Floats
    """[M] multinomial coefficient: in how many ways players can be so."""
    rows: Counts
    """[M, S of the role] the profile that each of its strategies makes of them."""
    payoffs: Floats
    """[M, S of the role] mean payoff of each of its strategies against them."""


@dataclass(frozen=True, eq=False)
class Game:
    """Payoffs of strategies by profile, in P profiles, S strategies of all roles, K replications.

    Profiles are put into the order of `all_profiles`; payoffs of strategies that nobody plays
    become nan.

    Attributes:
        roles: the roles; their strategies stand side by side in what follows.
        profiles: [P, S] how many play each strategy; all that there are, each once.
        payoffs: [P, S, K] payoff of a player by its strategy, in any unit; K = 1 if it is known
            exactly. Replication k of all profiles may share its random numbers.

    Raises:
        ValueError: a profile is missing, doubled or none of these roles; a payoff of a strategy
            that is played is not finite; shapes do not fit.

    Example:
        >>> game = symmetric([[-1.5, 2.0], [0.0, 1.0]], names=("hawk", "dove"))
        >>> game.profiles.tolist(), game.means[1].tolist()
        ([[2, 0], [1, 1], [0, 2]], [2.0, 0.0])
    """

    roles: tuple[Role, ...]
    profiles: Counts
    payoffs: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", tuple(self.roles))
        expected = all_profiles(self.roles)
        given = np.asarray(self.profiles)
        payoffs = np.array(self.payoffs, dtype=np.float64)
        wide = expected.shape[1]
        if given.ndim != 2 or given.shape[1] != wide:
            raise ValueError(f"profiles have shape {given.shape}; it must be [profiles, {wide}]")
        if payoffs.ndim != 3 or payoffs.shape[:2] != given.shape or payoffs.shape[2] < 1:
            raise ValueError(
                f"payoffs have shape {payoffs.shape}; it must be [{len(given)} profiles, {wide} "
                "strategies, replications]"
            )
        order = self._order(expected, given)
        payoffs = payoffs[order]
        payoffs[expected == 0] = math.nan
        bad = np.argwhere(~np.isfinite(payoffs) & (expected > 0)[:, :, None])
        if len(bad):
            p, s, k = bad[0]
            raise ValueError(
                f'payoff of "{self.names[s][1]}" in the profile {told(self.roles, expected[p])} '
                f"is {payoffs[p, s, k]:g} in replication {k}; it must be a finite number"
            )
        object.__setattr__(self, "profiles", expected)
        object.__setattr__(self, "payoffs", payoffs)

    def _order(self, expected: Counts, given: NDArray[np.generic]) -> list[int]:
        """Return where each expected profile stands among those given."""
        where: dict[tuple[int, ...], int] = {}
        known = set(map(tuple, expected.tolist()))
        for i, row in enumerate(map(tuple, given.tolist())):
            if row not in known:
                raise ValueError(f"profile {list(row)} is none of the roles {_sizes(self.roles)}")
            if row in where:
                raise ValueError(f"profile {told(self.roles, row)} is given twice")
            where[row] = i
        missing = [row for row in map(tuple, expected.tolist()) if row not in where]
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(expected)} profiles are missing, the first is "
                f"{told(self.roles, missing[0])}; simulate it, or reduce the game"
            )
        return [where[row] for row in map(tuple, expected.tolist())]

    @property
    def reps(self) -> int:
        """Number of replications, K."""
        return int(self.payoffs.shape[2])

    @cached_property
    def names(self) -> list[tuple[str, str]]:
        """Role and name of each strategy, in order."""
        return [(role.name, strategy) for role in self.roles for strategy in role.strategies]

    @cached_property
    def slices(self) -> list[slice]:
        """Where the strategies of each role stand."""
        ends = np.cumsum([0, *(len(role.strategies) for role in self.roles)])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]

    @cached_property
    def role_of(self) -> Counts:
        """[S] the role of each strategy."""
        return np.repeat(np.arange(len(self.roles)), [len(role.strategies) for role in self.roles])

    @cached_property
    def means(self) -> Floats:
        """[P, S] mean payoffs over replications; nan where nobody plays the strategy."""
        return np.asarray(self.payoffs.mean(axis=2))

    @cached_property
    def spans(self) -> Floats:
        """[roles] largest less smallest mean payoff of each role; 1 where all are equal."""
        spread = [
            float(np.nanmax(self.means[:, part]) - np.nanmin(self.means[:, part]))
            for part in self.slices
        ]
        return np.array([x if x > 0.0 else 1.0 for x in spread])

    @cached_property
    def opponents(self) -> list[Opponents]:
        """What each role's player can meet."""
        row = {tuple(profile): i for i, profile in enumerate(self.profiles.tolist())}
        found = []
        for r, part in enumerate(self.slices):
            others = [role.players - (q == r) for q, role in enumerate(self.roles)]
            counts = _profiles(self.roles, others)
            ways = [_ways(others, [c[p] for p in self.slices]) for c in counts.tolist()]
            own = range(part.start, part.stop)
            rows = np.array([
                [row[(*c[:s], c[s] + 1, *c[s + 1 :])] for s in own] for c in counts.tolist()
            ])  # fmt: skip
            payoffs = self.means[rows, np.array(own)]
            found.append(Opponents(counts, np.array(ways), rows, payoffs))
        return found

    @property
    def uniform(self) -> Floats:
        """[S] each role's strategies alike likely."""
        return np.concatenate([np.full(n := len(role.strategies), 1 / n) for role in self.roles])

    def mixture(self, shares: ArrayLike) -> Floats:
        """Return a mixed profile [S] as it is used: checked, and of sum 1 to the last digit.

        Raises:
            ValueError: not [S], below 0, or the shares of a role do not sum to 1 (within 1e-6).

        Example:
            >>> symmetric([[0, 1], [1, 0]]).mixture([0.25, 0.75]).tolist()
            [0.25, 0.75]
        """
        x = np.array(shares, dtype=np.float64)
        if x.shape != self.role_of.shape:
            raise ValueError(f"a mixed profile of shape {x.shape}; it must be [{len(self.names)}]")
        for role, part in zip(self.roles, self.slices, strict=True):
            if not (np.all(x[part] >= 0.0) and abs(x[part].sum() - 1.0) <= 1e-6):
                raise ValueError(
                    f'shares of role "{role.name}" are {x[part].tolist()}; they must be 0 or more '
                    "and sum to 1"
                )
            x[part] /= x[part].sum()
        return x


def all_profiles(roles: Sequence[Role]) -> Counts:
    """Return every profile of the roles, [P, S], first strategies first.

    A role with n players and m strategies has (n + m − 1 over m − 1) of them.

    Raises:
        ValueError: no roles, two of one name, over 500 players or over a million profiles.

    Example:
        >>> all_profiles([Role("a", 2, ("x", "y")), Role("b", 1, ("z",))]).tolist()
        [[2, 0, 1], [1, 1, 1], [0, 2, 1]]
    """
    names = [role.name for role in roles]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"roles are {names}; give one or more, each a name of its own")
    players = sum(role.players for role in roles)
    size = math.prod(
        math.comb(role.players + len(role.strategies) - 1, role.players) for role in roles
    )
    if players > MOST_PLAYERS or size > MOST_PROFILES:
        raise ValueError(
            f"{players} players and {size:,} profiles; there may be {MOST_PLAYERS} and "
            f"{MOST_PROFILES:,}: reduce the game (`reduction`)"
        )
    return _profiles(roles, [role.players for role in roles])


def _profiles(roles: Sequence[Role], players: Sequence[int]) -> Counts:
    each = [list(_splits(n, len(r.strategies))) for r, n in zip(roles, players, strict=True)]
    return np.array([sum(parts, ()) for parts in product(*each)], dtype=np.int64)


def _splits(n: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield the ways to write n as an ordered sum of whole numbers, the first largest first."""
    spots = n + parts - 1  # stars and bars
    for bars in reversed(list(combinations(range(spots), parts - 1))):
        ends = (-1, *bars, spots)
        yield tuple(b - a - 1 for a, b in pairwise(ends))


def _ways(players: Sequence[int], counts: Sequence[Sequence[int]]) -> float:
    """Return Π over roles of n! / Π c!."""
    return float(math.prod(
        math.factorial(n) // math.prod(map(math.factorial, c))
        for n, c in zip(players, counts, strict=True)
    ))  # fmt: skip


def told(roles: Sequence[Role], counts: Sequence[int] | Counts) -> str:
    """Return a profile in words.

    Example:
        >>> told([Role("sellers", 3, ("low", "mid", "high"))], [2, 0, 1])
        'sellers: 2 low, 1 high'
    """
    names = [(role.name, strategy) for role in roles for strategy in role.strategies]
    parts: dict[str, list[str]] = {}
    for (role, strategy), n in zip(names, counts, strict=True):
        if n:
            parts.setdefault(role, []).append(f"{n} {strategy}")
    return "; ".join(f"{role}: {', '.join(each)}" for role, each in parts.items())


def _sizes(roles: Sequence[Role]) -> str:
    return ", ".join(f"{r.name} ({r.players} of {len(r.strategies)} strategies)" for r in roles)


def symmetric(matrix: ArrayLike, names: Sequence[str] | None = None) -> Game:
    """Return the symmetric game of two players whose payoffs are a matrix.

    Args:
        matrix: [m, m] payoff of the row's strategy against the column's.
        names: of the strategies; "1", "2", … when absent.

    Raises:
        ValueError: the matrix is not square.
    """
    a = np.asarray(matrix, dtype=np.float64)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size:
        raise ValueError(f"matrix has shape {a.shape}; it must be square")
    roles = (Role("players", 2, _named(names, len(a))),)
    profiles = all_profiles(roles)
    payoffs = np.full((*profiles.shape, 1), math.nan)
    for p, counts in enumerate(profiles):
        i, j = np.repeat(np.arange(len(a)), counts)
        payoffs[p, i, 0], payoffs[p, j, 0] = a[i, j], a[j, i]
    return Game(roles, profiles, payoffs)


def bimatrix(
    row: ArrayLike, column: ArrayLike, row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
) -> Game:  # fmt: skip
    """Return the game of two roles, "row" and "column", with a player each.

    Args:
        row: [m, n] payoff of the row player.
        column: [m, n] payoff of the column player.
        row_names: of the row player's strategies; "1", "2", … when absent.
        column_names: of the column player's.

    Raises:
        ValueError: the two have not one shape.

    Example:
        >>> pennies = bimatrix([[1, 0], [0, 1]], [[0, 1], [1, 0]])
        >>> pennies.profiles[1].tolist(), pennies.means[1].tolist()
        ([1, 0, 0, 1], [0.0, nan, nan, 1.0])
    """
    a, b = np.asarray(row, dtype=np.float64), np.asarray(column, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape or not a.size:
        raise ValueError(f"row {a.shape} and column {b.shape} must share one shape [rows, columns]")
    m, n = a.shape
    roles = (Role("row", 1, _named(row_names, m)), Role("column", 1, _named(column_names, n)))
    profiles = all_profiles(roles)
    payoffs = np.full((*profiles.shape, 1), math.nan)
    for p, counts in enumerate(profiles):
        i, j = np.flatnonzero(counts)
        payoffs[p, i, 0], payoffs[p, j, 0] = a[i, j - m], b[i, j - m]
    return Game(roles, profiles, payoffs)


def _named(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(str(i + 1) for i in range(count))
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} strategies")
    return tuple(names)
