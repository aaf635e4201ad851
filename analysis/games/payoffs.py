"""What a strategy pays against a mixed profile, and how that changes with it.

With x the mixed profile and d the numbers of the others, of whom role q has n_q (one fewer in
the player's own role r),

    V_s(x) = Σ_d ways(d) · Π_t x_t^d_t · u_s(d + e_s),   ways(d) = Π_q n_q! / Π_t d_t!,

a polynomial in x. Payoffs of a whole role may be shifted and multiplied by a positive number
without moving an equilibrium; solvers use that (`normalised`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .game import Floats, Game, Opponents

_FLOOR = 1e-30  # stands for a share of 0, so that 0⁰ = 1 and slopes at 0 come by one formula


def deviation_payoffs(game: Game, mixture: Floats) -> Floats:
    """Return V, the mean payoff of each strategy to one player while all others play a mixture.

    Args:
        game: the game.
        mixture: [..., S] shares; several at once are told by the leading axes.

    Returns:
        [..., S], in the unit of the payoffs.

    Example:
        >>> from .game import symmetric
        >>> deviation_payoffs(symmetric([[-1.5, 2], [0, 1]]), np.array([0.4, 0.6])).round(
        ...     9
        ... ).tolist()
        [0.6, 0.6]
    """
    parts = [_weights(others, mixture) @ others.payoffs for others in game.opponents]
    return np.concatenate(parts, axis=-1)


def payoff_slopes(game: Game, mixture: Floats) -> Floats:
    """Return ∂V_s/∂x_t, [..., S, S], the polynomial taken as it stands off the simplex too.

    Each term of V has the slope d_t/x_t times itself.
    """
    parts = [
        np.swapaxes(_weights(others, mixture)[..., None] * others.payoffs, -1, -2) @ others.counts
        for others in game.opponents
    ]
    return np.concatenate(parts, axis=-2) / np.maximum(mixture, _FLOOR)[..., None, :]


def payoff_samples(game: Game, mixture: Floats) -> Floats:
    """Return V of each replication, [S, K]; deviation payoffs are its mean."""
    parts = [
        np.einsum("m,msk->sk", _weights(others, mixture),
                  game.payoffs[others.rows, np.arange(part.start, part.stop)])
        for others, part in zip(game.opponents, game.slices, strict=True)
    ]  # fmt: skip
    return np.concatenate(parts, axis=0)


def role_means(game: Game, mixture: Floats, values: Floats) -> Floats:
    """Return Σ x·v of each role, said of each of its strategies: [..., S]."""
    starts = [part.start for part in game.slices]
    return np.add.reduceat(mixture * values, starts, axis=-1)[..., game.role_of]


def normalised(game: Game, *, each: bool) -> Game:
    """Return the game of mean payoffs with each role's lowest at 0, and in units of the span.

    `each`: every role's own span, which leaves equilibria where they are; otherwise the widest
    of all, which leaves the paths of learning where they are, too.
    """
    low = np.array([np.nanmin(game.means[:, part]) for part in game.slices])
    span = game.spans if each else np.full(len(low), game.spans.max())
    means = (game.means - low[game.role_of]) / span[game.role_of]
    return replace(game, payoffs=means[:, :, None])


def _weights(others: Opponents, mixture: Floats) -> Floats:
    """Return the probability of each way the others can be, [..., M]: ways · Π_t x_t^d_t."""
    logs = np.log(np.maximum(mixture, _FLOOR))
    return np.asarray(np.exp(logs @ others.counts.T) * others.ways)
