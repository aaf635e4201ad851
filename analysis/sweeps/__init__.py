"""What a sweep says: means, differences, sensitivities, response surfaces, boundaries of phases.

All take a `Sweep` and a measure of it and return a tidy frame with units in `attrs["units"]`, but
for `boundary`, which makes its own runs.
"""

from .boundary import Boundary, boundary
from .effects import effects
from .intervals import intervals
from .sensitivity import interactions, morris, problem, sensitivity, sobol
from .surface import Surface, surface

__all__ = [
    "Boundary", "Surface", "boundary", "effects", "interactions", "intervals", "morris", "problem",
    "sensitivity", "sobol", "surface",
]  # fmt: skip
