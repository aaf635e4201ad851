"""Empirical games: payoffs of strategies by simulation, their equilibria, and how sure they are.

A game is estimated (`estimate`, of pricing strategies by `PricingGame`) or given (`symmetric`,
`bimatrix`), solved (`equilibria`, `qre`), followed in learning (`replicator`, `logit_dynamics`)
and judged (`regret_interval`). `estimate_reduced` is for many players.
"""

from .dynamics import logit_dynamics, replicator
from .equilibria import Equilibria, Equilibrium, equilibria
from .estimate import estimate
from .game import Game, Role, all_profiles, bimatrix, symmetric
from .payoffs import deviation_payoffs
from .pricing import Group, PricingGame
from .qre import Qre, qre, qre_path
from .reduction import estimate_reduced, reduced
from .regret import RegretInterval, exploitability, gains, regret, regret_interval

__all__ = [
    "Equilibria", "Equilibrium", "Game", "Group", "PricingGame", "Qre", "RegretInterval", "Role",
    "all_profiles", "bimatrix", "deviation_payoffs", "equilibria", "estimate", "estimate_reduced",
    "exploitability", "gains", "logit_dynamics", "qre", "qre_path", "reduced", "regret",
    "regret_interval", "replicator", "symmetric",
]  # fmt: skip
