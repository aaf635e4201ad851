"""The figures as functions of a result: `w.plot.selection_map(result).show()`."""

from .analysis.figures.basins import build as basins
from .analysis.figures.best_responses import build as best_responses
from .analysis.figures.deadlines import build as deadlines
from .analysis.figures.enough_seeds import build as enough_seeds
from .analysis.figures.exploitability import build as exploitability
from .analysis.figures.fitted_surface import build as fitted_surface
from .analysis.figures.fluid_map import build as fluid_map
from .analysis.figures.frontier import build as frontier
from .analysis.figures.indices import build as indices
from .analysis.figures.mechanisms import build as mechanisms
from .analysis.figures.misallocation import build as misallocation
from .analysis.figures.phase_boundary import build as phase_boundary
from .analysis.figures.phase_transition import build as phase_transition
from .analysis.figures.price_paths import build as price_paths
from .analysis.figures.reactions import build as reactions
from .analysis.figures.responses import build as responses
from .analysis.figures.run_exploitability import build as run_exploitability
from .analysis.figures.run_seeds import build as run_seeds
from .analysis.figures.selection_map import build as selection_map
from .analysis.figures.simplex import build as simplex
from .analysis.figures.structure import build as structure
from .analysis.figures.theory import build as theory
from .analysis.figures.waterfall import build as waterfall
from .analysis.figures.who_serves import build as who_serves

__all__ = [
    "basins", "best_responses", "deadlines", "enough_seeds", "exploitability", "fitted_surface",
    "fluid_map", "frontier", "indices", "mechanisms", "misallocation", "phase_boundary",
    "phase_transition", "price_paths", "reactions", "responses", "run_exploitability", "run_seeds",
    "selection_map", "simplex", "structure", "theory", "waterfall", "who_serves",
]  # fmt: skip
