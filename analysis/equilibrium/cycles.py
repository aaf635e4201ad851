"""Best responses that go round: where there is no equilibrium to come to.

Sellers who undercut each other until it pays better to serve those whom the rivals can't, or who
have nowhere else to go, start again at the top (Edgeworth 1925; Maskin & Tirole 1988). Then no
prices are best responses to each other, and what can be told is the range and length of the cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...market.fluid.queues import limit
from .game import Floats, Game

SAME = 0.03
"""Prices so near in logarithms are the same: best responses are looked for to some per cent."""
_AWAY = 2.0  # a cycle leaves by so many times that


@dataclass(frozen=True)
class Cycle:
    """Prices that best responses come back to.

    Attributes:
        low: lowest price of each lever in the cycle, shape [G].
        high: highest price, shape [G].
        length: rounds of the cycle; 0 if prices keep moving without a period that was seen.
        prices: the states of one cycle (or of those looked at), shape [rounds, G].
    """

    low: Floats
    high: Floats
    length: int
    prices: Floats

    def text(self, levers: Sequence[str]) -> str:
        """Return the cycle in words; `levers` are the levers' names."""
        wide = np.argsort(-(np.log(self.high) - np.log(self.low)))[:3]
        parts = [f"{levers[g]} between {self.low[g]:.4g} and {self.high[g]:.4g}" for g in wide]
        more = f" and {len(levers) - 3} more" if len(levers) > 3 else ""
        told = f"in cycles of {self.length} rounds" if self.length else "without a period"
        return f"best responses go on {told}: {', '.join(parts)}{more}"


def cycle_in(path: Sequence[Floats]) -> Cycle | None:
    """Return the cycle that a path of prices, one state a round, has gone through twice at its end.

    Twice, so that a path that swings but comes to rest is none.

    Example:
        >>> saw = [
        ...     np.array([p]) for p in [1.0, 0.8, 0.6, 1.2, 1.0, 0.8, 0.6, 1.2, 1.0, 0.8, 0.6, 1.2]
        ... ]
        >>> found = cycle_in(saw)
        >>> found.length, found.low.tolist(), found.high.tolist()
        (4, [0.6], [1.2])
        >>> cycle_in([np.array([1.0 + 0.5 * (-0.6) ** n]) for n in range(20)]) is None
        True
    """
    logs = np.log(np.array(path))
    for length in range(2, len(logs) // 2 + 1):
        last, before = logs[-length:], logs[-2 * length : -length]
        same = np.abs(last - before).max() <= SAME
        if same and np.abs(last - last[-1]).max() > _AWAY * SAME:
            return _of(np.array(path[-length:]), length)
    return None


def roaming(path: Sequence[Floats]) -> Cycle:
    """Return the range of the later half of a path that has come to no rest and no period."""
    return _of(np.array(path[len(path) // 2 :]), 0)


def boundless(game: Game) -> str:
    """Say which owner can ask any price: captive buyers come to it whatever rivals charge.

    That is so where patient buyers who cannot do without bring its rivals as much work as they can
    serve, or have no rival to go to. Empty where there is no such owner.
    """
    st = game.setting
    for w in np.unique(game.player):
        theirs = st.serves & game.listed & (st.owner_of[st.seller_of] != w)
        captive = np.array([not t.outside_option for t in game.market.tasks])[st.class_of]
        captive &= np.isinf(st.patience) & (st.serves & game.listed & ~theirs).any(axis=1)
        work = np.where(theirs, st.work[st.class_of], np.inf).min(axis=1)
        rivals = np.unique(st.seller_of[theirs[captive].any(axis=0)])
        slots = game.slots[rivals]
        room = sum(limit(st.market.sellers[s].kappa, c) for s, c in zip(rivals, slots, strict=True))
        for _, rates in st.moments:
            come = captive & (rates[st.class_of] > 0.0)
            brought = (work[come] * (rates[st.class_of] * st.part)[come]).sum()
            if brought >= room and come.any():
                k = int(st.class_of[np.flatnonzero(come)[0]])
                return (
                    f'{st.owners[w]} can ask any price: buyers of "{game.market.tasks[k].name}" '
                    "cannot do without, and its rivals cannot serve them all"
                )
    return ""


def _of(prices: Floats, length: int) -> Cycle:
    return Cycle(prices.min(axis=0), prices.max(axis=0), length, prices)
