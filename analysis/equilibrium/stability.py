"""Whether prices come back to an equilibrium after a small push.

With F_g = ∂π_w/∂ln p_g of the owner w of lever g and H = ∂F/∂ln p at stationary prices, best
responses to small changes of others' prices are ∂ln p_w = −H_ww⁻¹·H_wv·∂ln p_v (implicit function
theorem; Milgrom & Roberts 1990 for what follows where all are positive). Sellers who answer each
other at once come back where that matrix has spectral radius below 1 (Cournot 1838, Theocharis
1960), those who climb their own profit, d ln p/dt = F, where all eigenvalues of H have negative
real parts (Arrow & Hurwicz 1960).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...market.fluid.gradient import gradient
from ...market.fluid.solve import Selection
from .deviations import moved_to
from .game import Floats, Game

_STEP = 1e-4
"""Step of central differences, in logarithms of prices."""


@dataclass(frozen=True)
class Stability:
    """What small pushes do at stationary prices.

    Attributes:
        radius: spectral radius of the map of all owners' best responses at once.
        eigenvalues: of the gradient dynamics in logarithms of prices, USD/s, shape [G].
        peak: whether each owner's profit is at a (local) maximum in its own prices.
        index: sign of det(−H), 1 or −1; 0 where that is nothing.
    """

    radius: float
    eigenvalues: NDArray[np.complex128]
    peak: bool
    index: int

    @property
    def responses(self) -> bool:
        """Whether best responses at once come back."""
        return self.peak and self.radius < 1.0

    @property
    def gradient(self) -> bool:
        """Whether owners who climb their own profits come back."""
        return bool((self.eigenvalues.real < 0.0).all())


def pushes(game: Game, prices: Floats, selection: Selection) -> Floats:
    """Return ∂π/∂ln p of each lever for its owner, USD/s, shape [G], delays having followed.

    Args:
        game: owners and levers.
        prices: the levers, shape [G].
        selection: shares and delays at them.
    """
    by_owner = np.zeros((len(game.setting.owners), len(prices)))
    np.add.at(by_owner, game.setting.owner_of, gradient(selection, game.group).profit)
    return np.asarray(prices * by_owner[game.player, np.arange(len(prices))])


def curvature(game: Game, prices: Floats, selection: Selection) -> Floats:
    """Return H, the derivatives of `pushes` by logarithms of prices, USD/s, shape [G, G].

    Args:
        game: owners and levers.
        prices: the levers, shape [G].
        selection: shares and delays at them.
    """
    out = np.zeros((len(prices), len(prices)))
    for h in range(len(prices)):
        ends = []
        for sign in (1.0, -1.0):
            moved = moved_to(prices, h, float(prices[h] * np.exp(sign * _STEP)))
            ends.append(pushes(game, moved, game.solve(moved, selection)))
        out[:, h] = (ends[0] - ends[1]) / (2.0 * _STEP)
    return out


def stability(game: Game, prices: Floats, selection: Selection | None = None) -> Stability:
    """Return how stationary prices answer to small pushes.

    Args:
        game: owners and levers.
        prices: the levers, shape [G].
        selection: shares and delays at them; solved when absent.

    Example:
        >>> from walras.analysis.equilibrium.game import game_of
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> two = [
        ...     Seller(n, accuracy=1.0, slots="unlimited", price={"task": 1.5}, cost={"task": 1})
        ...     for n in "ab"
        ... ]
        >>> found = stability(game_of(Market(tasks=[ask], sellers=two)), np.full(2, 1.472927))
        >>> found.responses, found.gradient, round(found.radius, 4)
        (True, True, 0.4203)
    """
    selection = game.solve(prices) if selection is None else selection
    slopes = curvature(game, prices, selection)
    peak, answer = True, np.zeros_like(slopes)
    for w in np.unique(game.player):
        mine, others = np.flatnonzero(game.player == w), np.flatnonzero(game.player != w)
        own = slopes[np.ix_(mine, mine)]
        peak = peak and bool((np.linalg.eigvalsh(0.5 * (own + own.T)) <= 0.0).all())
        follow = np.linalg.lstsq(own, slopes[np.ix_(mine, others)], rcond=1e-10)[0]
        answer[np.ix_(mine, others)] = -follow
    radius = float(np.abs(np.linalg.eigvals(answer)).max(initial=0.0))
    index = int(np.linalg.slogdet(-slopes)[0])
    return Stability(radius, np.linalg.eigvals(slopes).astype(np.complex128), peak, index)
