"""Price equilibrium with delay feedback: prices at which no owner gains by another.

At an equilibrium each owner's profit is stationary in each of its levers, dπ_w/dp_g = 0, the flows'
derivatives including what buyers do once all delays have followed (`fluid.gradient`). With
derivatives of flows held, an owner's own levers solve

  p' = p − T⁻¹·dπ/dp,  T_gh = Σ_{offers of h} df/dp_g · ∂m/∂p_h,

which for logit demand without delays is the markup equation (Anderson, de Palma & Thisse 1992; of
owners with several products, Berry, Levinsohn & Pakes 1995, Morrow & Skerlos 2011). Newton's method
finds where that step is nothing. Stationary is not yet best: owners first answer each other with
their best price of the whole range, and what comes out is searched for gains further away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...market.fluid.gradient import gradient
from ...market.fluid.solve import Selection
from .cycles import Cycle, boundless, cycle_in, roaming
from .deviations import Deviation, best_deviation, best_of_lever, best_price, moved_to
from .game import Floats, Game
from .held import largest_gain

Flags = NDArray[np.bool_]

TOLERANCE = 1e-9
"""Largest relative step of a lever that is left."""
ROUNDS = 40
"""Rounds of best responses before it is said that they don't settle."""
_NEWTON, _SEARCHES = 30, 3
_PATIENCE = 5  # steps of Newton's method that get no nearer before it is given up
_SETTLED, _FAR = 0.02, 0.02
_STEP = 1e-5


@dataclass(frozen=True)
class Step:
    """One state of a path of prices.

    Attributes:
        prices: the levers, USD/Mtok of output or USD/task, shape [G].
        selection: shares and delays at them.
        change: largest relative change of a lever that led here or, of Newton's method, that is
            still asked for.
        slopes: derivatives of the steps asked for, of Newton's method, shape [G, G].
    """

    prices: Floats
    selection: Selection
    change: float
    slopes: Floats | None = None


@dataclass(frozen=True)
class PricePoint:
    """Prices that the solver ended with: a candidate, until it is certified.

    Attributes:
        game: what was solved.
        prices: the levers, shape [G].
        selection: shares and delays at them.
        converged: whether prices are stationary and no gain was found further away.
        iterations: steps taken.
        residual: largest relative step of a lever that is left.
        deviation: the best deviation found in the fluid market; None if none was looked for.
        why: why it did not converge; empty if it did.
        cycle: where best responses went round instead of coming to rest; None if they did.
        path: prices of all steps, shape [steps, G].
    """

    game: Game
    prices: Floats
    selection: Selection
    converged: bool
    iterations: int
    residual: float
    deviation: Deviation | None = None
    why: str = ""
    cycle: Cycle | None = None
    path: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def epsilon(self) -> float:
        """Largest gain found in the fluid market, as a share of its owner's stakes."""
        return np.inf if self.deviation is None else max(self.deviation.share, 0.0)


def start_of(game: Game) -> Floats:
    """Return prices to start from: a fifth above unit cost, or those posted where that is 0."""
    return np.where(game.unit_cost > 0.0, 1.2 * game.unit_cost, game.posted)


def responses(
    game: Game, start: Floats | None = None, *, at_once: bool = False, rough: bool = False
) -> Iterator[Step]:
    """Yield the path of best responses; whoever asks decides when to stop.

    Args:
        game: owners and levers.
        start: first prices, shape [G].
        at_once: whether all levers answer the last state (Cournot's adjustment), or one after the
            other, each knowing what was just set.
        rough: whether prices are looked for to some per cent only, with delays held meanwhile.
    """
    prices = start_of(game) if start is None else np.asarray(start, dtype=np.float64).copy()
    selection = game.solve(prices)
    yield Step(prices.copy(), selection, np.inf)
    while True:
        before = prices.copy()
        for g in range(len(prices)):
            seen = before if at_once else prices
            prices = moved_to(prices, g, best_price(game, seen, g, selection, rough=rough))
            if not (at_once or rough):
                selection = game.solve(prices, selection)
        if at_once or rough:
            selection = game.solve(prices, selection)
        yield Step(prices.copy(), selection, float(np.abs(prices / before - 1.0).max()))


def newton(
    game: Game, start: Floats, free: Flags | None = None, slopes: Floats | None = None,
    near: Selection | None = None,
) -> Iterator[Step]:  # fmt: skip
    """Yield the states of Newton's method on the owners' stationarity, in logarithms of prices.

    Derivatives are worked out once, at mean rates of arrival, and then follow the steps taken
    (Broyden 1965); anew where a step does not help.

    Args:
        game: owners and levers.
        start: first prices, shape [G].
        free: levers that move, shape [G]; all when absent.
        slopes: derivatives to begin with, square over the free levers, as an earlier `Step` has
            them.
        near: shares and delays near the first prices, which save steps.
    """
    rough = game.at_mean()
    free = np.ones(len(start), dtype=bool) if free is None else free
    prices, selection = start.copy(), game.solve(start, near)
    asked = stationarity(game, selection, prices)[free]
    while True:
        size = float(np.abs(asked).max(initial=0.0))
        yield Step(prices.copy(), selection, size, slopes)
        fresh = slopes is None
        if slopes is None:
            slopes = _slopes(rough, prices, free, selection)
        step = np.linalg.lstsq(slopes, -asked, rcond=1e-10)[0]
        step *= min(1.0, 0.7 / max(float(np.abs(step).max(initial=0.0)), 1e-300))
        part = 1.0
        while True:
            tried = prices.copy()
            tried[free] *= np.exp(part * step)
            found = game.solve(tried, selection)
            then = stationarity(game, found, tried)[free]
            shrunk = float(np.abs(then).max(initial=0.0))
            if (found.converged and shrunk < (1.0 - 0.2 * part) * size) or part < 0.2:
                break
            part *= 0.4
        if part < 0.2 and not fresh:
            slopes = None
            continue
        moved = part * step
        off = then - asked - slopes @ moved
        slopes = slopes + np.outer(off, moved) / float(moved @ moved + 1e-300)
        prices, selection, asked = tried, found, then


def stationarity(game: Game, selection: Selection, prices: Floats) -> Floats:
    """Return the relative step of every lever that its owner's stationarity asks for, shape [G].

    Nothing where prices are stationary.

    Args:
        game: owners and levers.
        selection: shares and delays at the prices.
        prices: the levers, shape [G].
    """
    found = gradient(selection, game.group)
    owner_of = game.setting.owner_of
    move = np.zeros(len(game.levers))
    for w in np.unique(game.player):
        mine = np.flatnonzero(game.player == w)
        push = found.profit[owner_of == w][:, mine].sum(axis=0)
        slopes = found.through[np.ix_(mine, mine)]
        diagonal = np.abs(np.diag(slopes))
        some = np.flatnonzero(diagonal > 1e-250)
        if not len(some):
            continue
        # Rows and columns are brought to one size: levers may differ by many orders of magnitude.
        size = np.sqrt(diagonal[some])
        scaled = slopes[np.ix_(some, some)] / np.outer(size, size)
        move[mine[some]] = np.linalg.lstsq(scaled, -push[some] / size, rcond=1e-12)[0] / size
    return np.asarray(move / prices)


def _slopes(game: Game, prices: Floats, free: Flags, found: Selection) -> Floats:
    """Return the derivatives of the steps asked for by logarithms of prices, of free levers.

    Demand is the game's; what was found at the prices may be of more moments.
    """
    same = len(found.moments) == len(game.setting.moments)
    here = found if same else game.solve(prices)
    base = stationarity(game, here, prices)
    out = np.zeros((len(prices), len(prices)))
    for g in np.flatnonzero(free):
        moved = moved_to(prices, int(g), float(prices[g]) * np.exp(_STEP))
        out[:, g] = (stationarity(game, game.solve(moved, here), moved) - base) / _STEP
    return out[np.ix_(free, free)]


def price_equilibrium(game: Game, start: Floats | None = None) -> PricePoint:
    """Return a price equilibrium of the fluid market, or say why there is none to be seen.

    Args:
        game: owners and levers.
        start: first prices, shape [G].

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
        >>> price_equilibrium(game_of(Market(tasks=[ask], sellers=two))).prices.round(6).tolist()
        [1.472927, 1.472927]
    """
    path: list[Floats] = []
    prices = start_of(game) if start is None else np.asarray(start, dtype=np.float64)
    why = boundless(game)
    if why:
        return PricePoint(game, prices, game.solve(prices), False, 0, np.inf, why=why)
    for _ in range(_SEARCHES):
        prices, cycle = settled(game, prices, path)
        if cycle is not None:
            prices = _mended(game, [*cycle.prices, prices])
        point = polished(game, prices, path)
        if cycle is not None and not point.converged:
            point = _left(game, prices, path)
        found = best_deviation(game, point.prices, point.selection)
        gains = found.gain > found.noise
        point = replace(point, deviation=found, cycle=cycle)
        if point.converged and not gains:
            return point
        if cycle is not None:  # they would only go round again
            break
        prices = found.prices if gains else point.prices
    why = found.text if gains else point.why
    if cycle is not None:
        why = f"{cycle.text(game.levers)}; {why}"
    return replace(point, converged=False, why=why)


def _mended(game: Game, states: list[Floats]) -> Floats:
    """Return that of the states of a cycle at which least is to be gained, mended lever by lever.

    Rough best responses hardly see sellers to whom only the most eager buyers go: each lever's best
    other price is solved once more, delays following, and taken where it gains.
    """
    rough = game.at_mean()
    near, least = rough.solve(states[0]), np.inf
    for state in states:
        here = rough.solve(state, near)
        gain = largest_gain(rough, state, here, enough=least)
        if gain < least:
            prices, near, least = state, here, gain
    for g in range(len(prices)):
        found = best_of_lever(rough, prices, near, g)
        if found.gain > found.noise:
            prices = found.prices
            near = rough.solve(prices, near)
    return prices


def _left(game: Game, prices: Floats, path: list[Floats]) -> PricePoint:
    """Return prices as they are, not stationary."""
    path.append(prices)
    selection = game.solve(prices)
    size = float(np.abs(stationarity(game, selection, prices)).max())
    return PricePoint(
        game, prices, selection, False, len(path), size, path=np.array(path),
        why=_why(Step(prices, selection, size)),
    )  # fmt: skip


def settled(game: Game, start: Floats, path: list[Floats]) -> tuple[Floats, Cycle | None]:
    """Return where rough best responses come to rest; else the middle of where they go, and that.

    Args:
        game: owners and levers.
        start: first prices, shape [G].
        path: gets the prices of all rounds.
    """
    rough = game.at_mean()
    seen: list[Floats] = []
    for number, step in enumerate(responses(rough, start, rough=True)):
        path.append(step.prices)
        seen.append(step.prices)
        if step.change < _SETTLED:
            return step.prices, None
        cycle = cycle_in(seen)
        if cycle is None and number >= ROUNDS:
            cycle = roaming(seen)
        if cycle is not None:
            return np.sqrt(cycle.low * cycle.high), cycle
    raise AssertionError("the path has no end of its own")


def polished(
    game: Game, start: Floats, path: list[Floats], free: Flags | None = None
) -> PricePoint:
    """Return the stationary prices near a start by Newton's method, or the last ones looked at.

    Args:
        game: owners and levers.
        start: first prices, shape [G].
        path: gets the prices of all steps.
        free: levers that move, shape [G]; all when absent.
    """
    rough = game.at_mean()
    slopes, near = None, None
    if len(game.setting.moments) > 1:  # most of the way at the mean rates, which is quick
        before = _run_newton(rough, start, 1e-3, path, free)
        start, slopes, near = before.prices, before.slopes, before.selection
        if before.change > _FAR:  # nor would it come to rest at all moments
            return PricePoint(
                game, start, game.solve(start), False, len(path), before.change, why=_why(before),
                path=np.array(path),
            )  # fmt: skip
    step = _run_newton(game, start, TOLERANCE, path, free, slopes, near)
    fine = step.change < TOLERANCE and step.selection.converged
    return PricePoint(
        game, step.prices, step.selection, fine, len(path), step.change,
        why="" if fine else _why(step), path=np.array(path),
    )  # fmt: skip


def _run_newton(
    game: Game, start: Floats, tolerance: float, path: list[Floats], free: Flags | None = None,
    slopes: Floats | None = None, near: Selection | None = None,
) -> Step:  # fmt: skip
    """Return the best step of Newton's method until it has come to rest or goes on for too long."""
    best: Step | None = None
    since = 0
    for number, step in enumerate(newton(game, start, free, slopes, near)):
        path.append(step.prices)
        if best is None or step.change < 0.9 * best.change:
            best, since = step, number
        if number - since >= _PATIENCE:
            break
        if step.change < 0.1 * tolerance or number >= _NEWTON:
            break
        if best.change < tolerance and step.change > 0.5 * best.change:
            break
    assert best is not None  # noqa: S101 - the iteration always yields
    return best


def _why(step: Step) -> str:
    """Say why the iteration did not end."""
    full = step.selection.saturated
    if full:
        return f"{', '.join(full[:3])} would be offered more work than they can serve"
    if not step.selection.converged:
        return "no selection equilibrium was found at the prices on the way"
    return f"prices are not stationary: a lever would still move by {step.change:.2g}"
