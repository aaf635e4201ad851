"""What a report sets an equilibrium beside: joint-profit prices, and a run of the event market."""

from __future__ import annotations

from dataclasses import replace

from ...scenarios.result import Result
from ...scenarios.run import made_with, run
from .game import game_of
from .pricing import PricePoint, price_equilibrium
from .solved import Equilibrium

_TASKS = 1_000_000
"""Tasks from which on the market's own run is cut short."""
_LEVERS = 16
"""Levers from which on joint-profit prices take too long to be looked for on the side."""


def accompanied(found: Equilibrium, *, command: str = "", seed: int = 0) -> Equilibrium:
    """Return an equilibrium with what its report needs beside it.

    Args:
        found: the point.
        command: the command that repeats it.
        seed: of the run.
    """
    simulated = simulated_at(found, seed)
    manifest = {
        "scenario": found.market.name, "seed": seed, **made_with(), "command": command,
        "simulated": {"tasks": simulated.manifest["tasks"], "digest": simulated.digest},
    }  # fmt: skip
    return replace(found, joint=joint_of(found), simulated=simulated, manifest=manifest)


def simulated_at(found: Equilibrium, seed: int = 0) -> Result:
    """Return one run of the event market at the point, cut short if it is long."""
    market, times = found.market.model_copy(update={"events": ()}), found.market.run
    rate = float(found.selection.arrivals.sum())
    return run(market, seed=seed, until=min(times.until, times.warmup + _TASKS / max(rate, 1e-300)))


def joint_of(found: Equilibrium) -> PricePoint | None:
    """Return the prices of owners who maximise together, None where that has no answer here."""
    game = found.point.game
    if len(game.setting.owners) < 2 or len(game.levers) > _LEVERS:
        return None
    fixed = [s.name for s in game.market.sellers if s.price.lever > 0 and s.name not in game.levers]
    if fixed and not set(game.levers) <= {s.name for s in game.market.sellers}:
        return None
    point = price_equilibrium(game_of(game.market, fixed=fixed, joint=True))
    return point if point.converged and point.game.levers == game.levers else None
