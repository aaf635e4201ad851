"""All equilibria that can be found of a game, whether learning stays at each, and who ends there.

Candidates come from every support, if there are few enough, and from where replicator paths end
that start anywhere; each is kept only if nobody gains by anything else (its regret is rounding).

One may be missed where equations are not linear. The indices of all equilibria of a regular game
sum to 1 (Ritzberger 1994), so a sum that is not says that one is; then the search goes on for a
while from more points.

A fixed point is stable if small moves die out under replicator dynamics: the real parts of the
eigenvalues of its Jacobian on the simplex are all below 0. If the largest is 0, the linear part
does not tell (the centre of rock-paper-scissors; mixed points of two roles are never stable
there, since the eigenvalues sum to 0).

Sources:
    Hofbauer, J., Sigmund, K. (1998). Evolutionary Games and Population Dynamics. Cambridge:
        theorem 7.2.1 (folk theorem), 11.4.1 (two roles), 13.4.1 (indices).
    Ritzberger, K. (1994). The theory of normal form games from the differentiable viewpoint.
        International Journal of Game Theory 23, 207-236.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import block_diag, null_space

from ...market.schema.fields import whole
from .dynamics import replicator
from .game import Floats, Game
from .payoffs import deviation_payoffs, normalised, payoff_slopes, role_means
from .regret import gains, regret
from .supports import (
    Support,
    count_supports,
    is_linear,
    is_regular,
    solve_support,
    starting_points,
    supports,
)

MOST_SUPPORTS = 4000
"""With more, only those supports are tried that replicator paths end in."""
SAME = 1e-5
"""Shares that differ by less are one equilibrium."""
_EFFORTS = (24, 100, 400)  # points from which equations are solved, the more while one is missing
_NEAR = 1e-3  # a path that has come so near has reached it
_NOTHING = 1e-9  # of the span: regret that is rounding, shares that are none
_STILL = 1e-7  # a path slower than this, in spans, has settled
_STEPS = 400  # of a replicator path before it counts as unsettled
_FLAT = 1e-7  # of the span: growth rates that do not tell


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """A mixed profile at which nobody gains by playing something else.

    Attributes:
        mixture: [S] shares of each role's strategies.
        payoffs: [roles] what a player of each gets, unit of the payoffs.
        regret: largest gain of any player, unit of the payoffs: what rounding leaves.
        growth: largest real part of the eigenvalues of the replicator dynamics there, 1/time
            with time in 1 / (unit of the payoffs); −∞ where nothing can move.
        stability: "stable", "unstable", or "neutral" where growth is 0 and does not tell.
        regular: whether the equations of its support, and of all strategies that pay as much, fix
            it. If not, it may be one of a continuum, of which it is the one point listed on
            its support.
        index: sign of det(−J), J the Jacobian of the replicator dynamics on the simplices: 1 at
            what is stable; 0 where it is not regular or the determinant is 0.
        basin: share of the starts whose replicator paths end here; nan without starts.
    """

    mixture: Floats
    payoffs: Floats
    regret: float
    growth: float
    stability: str
    regular: bool
    index: int
    basin: float = 0.0


@dataclass(frozen=True, eq=False)
class Equilibria:
    """What was found of a game, and how it was looked for.

    Attributes:
        game: the game.
        found: the equilibria, those with the largest basins first.
        unsettled: share of the starts whose paths ended nowhere in time, such as cycles.
        starts: how many starts.
        exhaustive: whether every support was searched. With two players in all and all found
            regular, these are all equilibria; with more players equations are solved from
            many points, and nobody can promise that none is missing.
        index_sum: sum of the indices. If it is not 1, an equilibrium is missing; if it is, none is
            known to be. None where an equilibrium is not regular and has no index.
    """

    game: Game
    found: tuple[Equilibrium, ...]
    unsettled: float
    starts: int
    exhaustive: bool
    index_sum: int | None

    def table(self) -> pd.DataFrame:
        """Return a row per equilibrium and strategy: number, role, strategy, share, payoff, ….

        Then regret, stability, basin. `payoff` is what the strategy pays there; where it is in
        use, that is its role's payoff.
        """
        rows = [
            (i + 1, role, strategy, x, v, e.regret, e.stability, e.basin)
            for i, e in enumerate(self.found)
            for (role, strategy), x, v in zip(
                self.game.names, e.mixture, deviation_payoffs(self.game, e.mixture), strict=True
            )
        ]  # fmt: skip
        columns = ["equilibrium", "role", "strategy", "share", "payoff", "regret", "stability",
                   "basin"]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)


def equilibria(game: Game, *, starts: int = 200, seed: int = 0) -> Equilibria:
    """Find symmetric (one role) or role-symmetric mixed equilibria by mean payoffs.

    Args:
        game: the game.
        starts: replicator paths, from mixed profiles drawn evenly from the simplices; basins are
            shares of them, so that their standard error is at most ½/√starts. With 0 basins are
            not looked at (nan).
        seed: of the drawn points.

    Raises:
        ValueError: starts out of range.

    Example:
        >>> from .game import symmetric
        >>> both = equilibria(symmetric([[2, 0], [0, 1]]), starts=50)
        >>> [(e.mixture.round(6).tolist(), e.stability) for e in both.found]
        [([1.0, 0.0], 'stable'), ([0.0, 1.0], 'stable'), ([0.333333, 0.666667], 'unstable')]
    """
    whole("starts", starts, 0, 100_000, "100,000")
    rng = np.random.default_rng(seed)
    unit = normalised(game, each=True)
    exhaustive = count_supports(game) <= MOST_SUPPORTS
    kept: list[Equilibrium] = []
    for effort in _EFFORTS if exhaustive else ():
        for support in supports(game):
            _keep(game, unit, kept, support, starting_points(game, support, rng, effort))
        if is_linear(game) or _index_sum(kept) in (1, None):
            break
    ends = _ends(game, _drawn(game, starts, rng))
    for x in ends:
        if _nearest(kept, x) is None:
            part = np.where(x > _NEAR, x, 0.0)
            part /= role_means(game, part, np.ones_like(x))
            _keep(game, unit, kept, x > _NEAR, part[None])
    places = [_nearest(kept, x, or_kin=True) for x in ends]
    counts = [places.count(i) for i in range(len(kept))]
    order = sorted(range(len(kept)), key=lambda i: (-counts[i], *-kept[i].mixture))
    return Equilibria(
        game, tuple(replace(kept[i], basin=_share(counts[i], starts)) for i in order),
        unsettled=_share(starts - sum(counts), starts), starts=starts, exhaustive=exhaustive,
        index_sum=_index_sum(kept),
    )  # fmt: skip


def _share(count: int, of: int) -> float:
    return count / of if of else math.nan


def eigenvalues(game: Game, mixture: Floats) -> NDArray[np.complex128]:
    """Return the eigenvalues of the replicator dynamics at a point, on moves that keep sums at 1.

    With V̄ = Σ x·V the Jacobian is ∂ẋ_s/∂x_t = 1{s = t}·(V_s − V̄) + x_s·∂(V_s − V̄)/∂x_t.

    Returns:
        [S − roles] in 1 / time, with time in 1 / (unit of the payoffs).

    Example:
        >>> from .game import symmetric
        >>> eigenvalues(symmetric([[-1.5, 2], [0, 1]]), np.array([0.4, 0.6])).real.round(6).tolist()
        [-0.6]
    """
    return np.linalg.eigvals(motion(game, mixture)[0]).astype(np.complex128)


def motion(game: Game, mixture: Floats) -> tuple[Floats, Floats]:
    """Return the Jacobian of the replicator dynamics on moves that keep sums at 1, and the moves.

    Args:
        game: the game.
        mixture: [S].

    Returns:
        The Jacobian, [S − roles, S − roles], and a basis of the moves, [S, S − roles].
    """
    v, slopes = deviation_payoffs(game, mixture), payoff_slopes(game, mixture)
    same_role = game.role_of[:, None] == game.role_of
    of_mean = same_role * v + (same_role * mixture) @ slopes
    jacobian = np.diag(v - role_means(game, mixture, v)) + mixture[:, None] * (slopes - of_mean)
    moves = block_diag(*(null_space(np.ones((1, part.stop - part.start))) for part in game.slices))
    return np.asarray(moves.T @ jacobian @ moves), np.asarray(moves)


def _keep(
    game: Game, unit: Game, kept: list[Equilibrium], support: Support, starts: Floats
) -> None:
    """Add the equilibria on a support that are not among those kept yet."""
    for x in solve_support(unit, support, starts):
        x = unit.mixture(np.where(x > _NOTHING, x, 0.0))  # noqa: PLW2901
        over = gains(unit, x)
        if over.max() > _NOTHING or _nearest(kept, x, within=SAME) is not None:
            continue
        as_good = (x > 0.0) | (over > -_FLAT)
        regular = is_regular(unit, support, x) and is_regular(unit, as_good, x)
        if not regular and any(np.array_equal(e.mixture > 0.0, x > 0.0) for e in kept):
            continue
        kept.append(_described(game, x, regular))


def _described(game: Game, x: Floats, regular: bool) -> Equilibrium:
    """Return an equilibrium with all that is said of it but its basin."""
    found = eigenvalues(game, x)
    flat = _FLAT * float(game.spans.max())
    rate = float(found.real.max(initial=-math.inf))
    hyperbolic = regular and bool((np.abs(found) > flat).all())
    return Equilibrium(
        mixture=x, regret=regret(game, x), growth=rate, regular=regular,
        payoffs=role_means(game, x, deviation_payoffs(game, x))[[p.start for p in game.slices]],
        stability="neutral" if abs(rate) <= flat else "stable" if rate < 0.0 else "unstable",
        index=round(float(np.prod(np.sign(-found.real[found.imag == 0.0])))) if hyperbolic else 0,
    )  # fmt: skip


def _index_sum(kept: list[Equilibrium]) -> int | None:
    """Return the sum of the indices; None if one has none."""
    return None if any(e.index == 0 for e in kept) else sum(e.index for e in kept)


def _drawn(game: Game, count: int, rng: np.random.Generator) -> Floats:
    """Return mixed profiles drawn evenly from the simplices, [count, S]."""
    each = [rng.dirichlet(np.ones(len(role.strategies)), size=count) for role in game.roles]
    return np.maximum(np.concatenate(each, axis=1), np.finfo(float).tiny)


def _ends(game: Game, points: Floats) -> Floats:
    """Return where replicator paths end, [settled, S]: still, and with no gain left to follow."""
    if not len(points):
        return points
    common = normalised(game, each=False)
    for n, (_, x) in enumerate(replicator(common, points, rtol=1e-6)):
        v = deviation_payoffs(common, x)
        over = v - role_means(common, x, v)
        settled = (np.abs(x * over).max(axis=1) < _STILL) & (over.max(axis=1) < _NEAR)
        if settled.all() or n == _STEPS:
            break
    return np.asarray(x[settled])


def _nearest(
    kept: list[Equilibrium], x: Floats, *, within: float = _NEAR, or_kin: bool = False
) -> int | None:
    """Return which equilibrium a point is; `or_kin`: or which stands for its continuum."""
    away = [float(np.abs(e.mixture - x).max()) for e in kept]
    if away and min(away) <= within:
        return away.index(min(away))
    if or_kin:
        for i, e in enumerate(kept):
            if not e.regular and np.array_equal(e.mixture > 0.0, x > _NEAR):
                return i
    return None
