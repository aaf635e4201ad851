"""The figures as functions of a result: `w.plot.selection_map(result).show()`."""

from .analysis.figures.deadlines import build as deadlines
from .analysis.figures.mechanisms import build as mechanisms
from .analysis.figures.price_paths import build as price_paths
from .analysis.figures.selection_map import build as selection_map
from .analysis.figures.structure import build as structure
from .analysis.figures.who_serves import build as who_serves

__all__ = ["deadlines", "mechanisms", "price_paths", "selection_map", "structure", "who_serves"]
