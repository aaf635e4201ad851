"""The figures as functions of a result: `w.plot.selection_map(result).show()`."""

from .analysis.figures.basins import build as basins
from .analysis.figures.best_responses import build as best_responses
from .analysis.figures.deadlines import build as deadlines
from .analysis.figures.exploitability import build as exploitability
from .analysis.figures.fluid_map import build as fluid_map
from .analysis.figures.frontier import build as frontier
from .analysis.figures.mechanisms import build as mechanisms
from .analysis.figures.misallocation import build as misallocation
from .analysis.figures.phase_transition import build as phase_transition
from .analysis.figures.price_paths import build as price_paths
from .analysis.figures.reactions import build as reactions
from .analysis.figures.run_exploitability import build as run_exploitability
from .analysis.figures.selection_map import build as selection_map
from .analysis.figures.simplex import build as simplex
from .analysis.figures.structure import build as structure
from .analysis.figures.theory import build as theory
from .analysis.figures.waterfall import build as waterfall
from .analysis.figures.who_serves import build as who_serves

__all__ = [
    "basins", "best_responses", "deadlines", "exploitability", "fluid_map", "frontier",
    "mechanisms", "misallocation", "phase_transition", "price_paths", "reactions",
    "run_exploitability", "selection_map", "simplex", "structure", "theory", "waterfall",
    "who_serves",
]  # fmt: skip
