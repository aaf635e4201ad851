"""Equilibrium also in efforts and capacities: what to offer and how much of it, besides the price.

Owners in turn answer the others' prices, menus and slots: of each of their sellers other menus
(all efforts, each alone, all but one) and other slots (a grid about the present ones) are tried,
the owner's own prices found anew for each, and the best is taken. Then all prices settle, and
owners look again. Where nobody finds anything better, nobody gains by another menu or by other
slots of one seller at the best prices for them, nor by other prices. Delays follow in every
comparison, and rent is paid for every slot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...market.fluid.solve import Selection
from .deviations import NOISE, best_price, moved_to
from .game import Floats, Game
from .pricing import PricePoint, polished, price_equilibrium

SLOTS = (0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0)
"""Slots are tried at these multiples of the present ones, rounded, and at one more and one less."""
ROUNDS = 30
"""Rounds before it is said that choices don't settle."""


@dataclass(frozen=True)
class Change:
    """Another menu or other slots of one seller, at its owner's best prices for them.

    Attributes:
        seller: whose.
        label: what it does.
        gain: what its owner gains, USD/s.
        game: with the other menu or slots.
        prices: the levers then, shape [G].
    """

    seller: str
    label: str
    gain: float
    game: Game = field(repr=False)
    prices: Floats = field(repr=False)


@dataclass(frozen=True)
class MenuStep:
    """One round.

    Attributes:
        point: prices settled at the menus and slots of the round.
        changes: what owners changed to come here.
    """

    point: PricePoint
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class MenuPoint:
    """Prices, menus and slots that the search ended with: a candidate, until it is certified.

    Attributes:
        point: prices settled, and the game with menus and slots.
        converged: whether prices are an equilibrium and nobody gains by the changes tried.
        rounds: rounds taken.
        why: why it did not converge; empty if it did.
        path: the changes of each round.
    """

    point: PricePoint
    converged: bool
    rounds: int
    why: str
    path: tuple[tuple[Change, ...], ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row per seller.

        Columns: seller, efforts (those offered), slots, price (of its first offer), profit (USD/s).
        """
        game, selection = self.point.game, self.point.selection
        each = game.by_offer(self.point.prices)
        rows = []
        for s, seller in enumerate(game.market.sellers):
            mine = np.flatnonzero((game.setting.seller_of == s) & game.listed)
            names = np.array(game.market.offers)[mine]
            rows.append({
                "seller": seller.name,
                "efforts": [n.removeprefix(f"{seller.name}/") for n in names],
                "slots": float(game.slots[s]), "price": float(each[mine[0]]),
                "profit": float(selection.profit[s]),
            })  # fmt: skip
        return pd.DataFrame(rows)


def menu_responses(
    game: Game, start: Floats | None = None, *, efforts: bool = True, slots: bool = True
) -> Iterator[MenuStep]:
    """Yield the path of owners' answers in menus and slots; whoever asks decides when to stop.

    Args:
        game: owners and levers, and the menus and slots to start from.
        start: first prices, shape [G].
        efforts: whether menus are chosen.
        slots: whether slots are.
    """
    point = price_equilibrium(game, start)
    yield MenuStep(point, ())
    while True:
        game, prices, changes = point.game, point.prices, list[Change]()
        for w in np.unique(game.player):
            change = best_change(game, prices, int(w), efforts=efforts, slots=slots)
            if change is not None:
                changes.append(change)
                game, prices = change.game, change.prices
        if changes:
            point = price_equilibrium(game, prices)
        yield MenuStep(point, tuple(changes))


def menu_equilibrium(
    game: Game, start: Floats | None = None, *, efforts: bool = True, slots: bool = True
) -> MenuPoint:
    """Return an equilibrium in prices, menus and slots, or say why there is none to be seen.

    Args:
        game: owners and levers, and the menus and slots to start from.
        start: first prices, shape [G].
        efforts: whether menus are chosen.
        slots: whether slots are.

    Example:
        >>> from walras.analysis.equilibrium.game import game_of
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", Poisson(2.0), value=2.0, delay_cost=0.5, choice=Logit(0.25))
        >>> one = Seller("one", accuracy=1.0, slots=1, rent=400.0, price={"task": 1.0})
        >>> found = menu_equilibrium(game_of(Market([ask], [one])))
        >>> found.converged, found.table["slots"].tolist()
        (True, [3.0])
    """
    path: list[tuple[Change, ...]] = []
    seen = set()
    for number, step in enumerate(menu_responses(game, start, efforts=efforts, slots=slots)):
        path += [step.changes] if number else []
        if number and not step.changes:
            return MenuPoint(step.point, step.point.converged, number, step.point.why, tuple(path))
        state = (step.point.game.listed.tobytes(), step.point.game.slots.tobytes())
        if state in seen or number >= ROUNDS:
            again = "come back to what they were" if state in seen else "go on"
            told = "; ".join(f"{c.seller}: {c.label}" for c in step.changes[:4])
            why = f"choices of menus and slots {again} after {number} rounds ({told})"
            return MenuPoint(step.point, False, number, why, tuple(path))
        seen.add(state)
    raise AssertionError("the path has no end of its own")


def best_change(
    game: Game, prices: Floats, w: int, *, efforts: bool = True, slots: bool = True
) -> Change | None:
    """Return what gains an owner most among other menus and slots of one seller; None if nothing.

    Args:
        game: owners and levers.
        prices: the levers, shape [G].
        w: the owner.
        efforts: whether other menus are tried.
        slots: whether other slots are.
    """
    now = answer(game, prices, w)
    noise = 10.0 * NOISE * float(np.abs(now[1].revenue).sum())
    best = None
    for s in np.unique(game.setting.seller_of[game.group >= 0]):
        if game.setting.owner_of[s] != w:
            continue
        tried = [
            *(_menus(game, int(s)) if efforts else []),
            *(_slots(game, int(s)) if slots else []),
        ]
        for label, other in tried:
            moved, selection = answer(other, prices, w)
            gain = float(selection.owner_profit[w] - now[1].owner_profit[w])
            if selection.converged and gain > max(noise, best.gain if best else 0.0):
                best = Change(game.market.sellers[s].name, label, gain, other, moved)
    return best


def answer(game: Game, prices: Floats, w: int) -> tuple[Floats, Selection]:
    """Return an owner's best prices given all others', and shares and delays at them.

    Roughly over the whole range with delays held, then by Newton's method with delays that follow.

    Args:
        game: owners and levers.
        prices: the levers, shape [G].
        w: the owner.
    """
    free = game.player == w
    selection = game.solve(prices)
    for _ in range(min(int(free.sum()), 2)):
        for g in np.flatnonzero(free):
            best = best_price(game, prices, int(g), selection, rough=True)
            prices = moved_to(prices, int(g), best)
            selection = game.solve(prices, selection)
    found = polished(game, prices, [], free)
    better = found.selection.converged and (
        found.selection.owner_profit[w] >= selection.owner_profit[w] or not selection.converged
    )
    return (found.prices, found.selection) if better else (prices, selection)


def _menus(game: Game, s: int) -> Iterator[tuple[str, Game]]:
    """Yield other menus of a seller: all its efforts, each alone, all but one."""
    mine = np.flatnonzero(game.setting.seller_of == s)
    efforts = list(game.market.sellers[s].effort)
    wanted: dict[bytes, tuple[str, NDArray[np.bool_]]] = {}
    every = np.ones(len(mine), dtype=bool)
    for label, row in [
        ("all efforts", every),
        *((f"{e} alone", ~every | (np.arange(len(mine)) == i)) for i, e in enumerate(efforts)),
        *((f"all but {e}", every & (np.arange(len(mine)) != i)) for i, e in enumerate(efforts)),
    ]:
        if row.any():
            wanted.setdefault(row.tobytes(), (label, row))
    for label, row in wanted.values():
        if (row != game.listed[mine]).any():
            listed = game.listed.copy()
            listed[mine] = row
            yield label, replace(game, listed=listed)


def _slots(game: Game, s: int) -> Iterator[tuple[str, Game]]:
    """Yield other numbers of a seller's slots, about the present one."""
    now = float(game.slots[s])
    if not np.isfinite(now):
        return
    near = {now - 1.0, now + 1.0, *(float(round(now * part)) for part in SLOTS)}
    for count in sorted(near):
        if count >= 1.0 and count != now:
            slots = game.slots.copy()
            slots[s] = count
            yield f"{count:.0f} slots instead of {now:.0f}", replace(game, slots=slots)
