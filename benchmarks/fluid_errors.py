"""How far the fluid market is off: the table of `docs/equilibrium.md`, made anew.

`python -m benchmarks.fluid_errors` from the project's folder, some minutes. Of each stated case
(`analysis/equilibrium/accuracy_cases.py`) it prints the largest error of each measure, fluid over
events less one, ± its standard error.
"""

from __future__ import annotations

import sys

import pandas as pd

from walras.analysis.equilibrium.accuracy import MEASURES, compare, largest
from walras.analysis.equilibrium.accuracy_cases import cases

TASKS, REPS, SEED = 200_000, 8, 0


def cell(found: pd.DataFrame, measure: str) -> str:
    """Return a measure's largest error and its standard error, in per cent.

    Example:
        >>> cell(pd.DataFrame({"error": [0.021], "error_se": [0.004]}, index=["share"]), "share")
        '+2.1 ± 0.4'
    """
    if measure not in found.index:
        return "·"
    row = found.loc[measure]
    return f"{100 * row['error']:+.1f} ± {100 * row['error_se']:.1f}"


def main() -> None:
    """Print a row per case."""
    sys.stdout.write(f"| case | {' | '.join(MEASURES)} |\n|---|{'---|' * len(MEASURES)}\n")
    for name, market in cases().items():
        found = largest(compare(market, tasks=TASKS, reps=REPS, seed=SEED))
        sys.stdout.write(f"| {name} | {' | '.join(cell(found, m) for m in MEASURES)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
