"""How fast the selection map of the fluid market is: 200 × 200 points of a class, all 34 offers.

`python -m benchmarks.fluid_map` from the project's folder, or `make bench`. The market is the
library's `marketplace` at its posted prices; the goal is under 150 ms a map, on one core that
nobody else uses. Its selection equilibrium is solved, and the code compiled, before the clock
starts.
"""

from __future__ import annotations

import sys
import time

from walras.analysis.figures.fluid_plane import deadlines_of, selection_map, stakes_of
from walras.market.fluid.setting import setting_of
from walras.market.fluid.solve import solve
from walras.scenarios.load import market_of

GOAL = 0.150
ROUNDS = 5


def main() -> None:
    """Print a line per class: the best of some rounds, by the clock and of one core's time."""
    selection = solve(setting_of(market_of("marketplace")).at_mean())
    worst = 0.0
    for k, task in enumerate(selection.setting.market.tasks):
        at = deadlines_of(selection, k), stakes_of(selection, k)
        selection_map(selection, k, *at)
        clock, core = [], []
        for _ in range(ROUNDS):
            start, used = time.perf_counter(), time.process_time()
            seen = selection_map(selection, k, *at)
            clock.append(time.perf_counter() - start)
            core.append(time.process_time() - used)
        worst = max(worst, min(core))
        sys.stdout.write(
            f"{task.name:<20} {len(seen.offers):>3} choices  {1e3 * min(clock):>6.0f} ms"
            f"  ({1e3 * min(core):.0f} ms of one core)\n"
        )
    said = "under" if worst < GOAL else "NOT under"
    slowest = f"slowest map: {1e3 * worst:.0f} ms of one core"
    sys.stdout.write(f"{slowest}, {said} the goal of {1e3 * GOAL:.0f} ms\n")


if __name__ == "__main__":
    main()
