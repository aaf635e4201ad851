"""What a buyer expects of an offer: one law of the time to the answer, and all that follows.

The time to the answer is L = L₀ + W + S: time outside the slot, waiting, service. S is the law
of the class's work over the rate it meets; W is zero with probability 1 − p and otherwise gamma
with a mean and a shape. From this one law come Pr(served), E[δ], Pr(δ > 0), Pr(on time) and
E[T]. Where nobody waits it is exact for the class's own size law.

- `observed`: p is 0 or 1 and the gamma has the mean and variance of the work ahead, which is
  exact for exponential work (Erlang); for several slots or other sizes it is two-moment.
- `average`: p, and an exponential with the mean wait of those who waited, both as buyers have
  met them; exact for M/M/c. Waits cut short by leaving count as censored.
- `promised`: the promise itself.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .jit import compiled
from .rules import HARD, LINEAR, lateness

WORK = np.dtype(
    [("kind", "i8"), ("shift", "f8"), ("a", "f8"), ("b", "f8"), ("row", "i8"),
     ("mean", "f8"), ("variance", "f8")], align=True,
)  # fmt: skip
"""Law of the work of a class at an offer, tokens: a shift plus one of the kinds below."""
FIXED, EXPONENTIAL, LOGNORMAL, TABLE = range(4)

WAIT_NODES = 16
AHEAD = 128
"""Steps of the table of what is left of a value after a wait."""
CROWD = 128
"""Most streams for which what is left of a value without a wait is remembered."""
SIZE_NODES = 32
_FINEST, _COARSEST = 12.0, -4.0
_STEPS = 33
PROBABILITIES = np.concatenate(
    [[0.0, 1e-4, 1e-3], np.linspace(0.005, 0.995, 199), [0.998, 0.999, 0.9995, 0.9999, 1.0]]
)
ROOT2 = math.sqrt(2.0)


@cache
def wait_table() -> NDArray[np.float64]:
    """Return gamma laws of mean 1 as equally likely nodes, shape [steps of log2 shape, nodes].

    Each node is the mean of the law over its slice of probability, so means are kept exactly.
    """
    shapes = 2.0 ** np.linspace(_COARSEST, _FINEST, _STEPS)
    edges = special.gammaincinv(shapes[:, None], np.linspace(0.0, 1.0, WAIT_NODES + 1)[None, :])
    mass = special.gammainc(shapes[:, None] + 1.0, edges)
    return np.ascontiguousarray(np.diff(mass, axis=1) * WAIT_NODES)


@compiled
def wait_place(shape: float) -> float:
    """Return where a gamma law of this shape stands in the wait table, in rows."""
    return (math.log(shape) / 0.6931471805599453 - _COARSEST) * (_STEPS - 1) / (_FINEST - _COARSEST)


@compiled
def wait_node(table: NDArray[np.float64], place: float, node: int) -> float:
    """Return node `node` of a gamma law of mean 1, between the rows of the table around `place`.

    Beyond the last row the law is all but constant, and taken as such.
    """
    if place <= 0.0:
        return table[0, node]
    if place >= _STEPS - 1:
        return 1.0 if place > _STEPS else table[_STEPS - 1, node]
    low = int(place)
    return table[low, node] + (table[low + 1, node] - table[low, node]) * (place - low)


@compiled
def work_below(
    law: Any, grid: NDArray[np.float64], rows: NDArray[np.float64], work: float
) -> float:
    """Return Pr(work ≤ x): `law` is a `WORK` record, `rows` the tabulated quantiles [row, grid]."""
    x = work - law["shift"]
    kind = law["kind"]
    if kind == FIXED:
        return 1.0 if x >= -1e-12 * law["shift"] else 0.0  # due to the last bit is in time
    if x < 0.0:
        return 0.0
    if kind == EXPONENTIAL:
        return 1.0 - math.exp(-x / law["a"])
    if kind == LOGNORMAL:
        if x == 0.0:
            return 0.0
        return 0.5 * math.erfc((law["a"] - math.log(x)) / (law["b"] * ROOT2))
    row = law["row"]
    low, high = 0, len(grid) - 1
    if x >= rows[row, high]:
        return 1.0
    if x < rows[row, 0]:
        return 0.0
    while high - low > 1:
        middle = (low + high) >> 1
        if rows[row, middle] <= x:
            low = middle
        else:
            high = middle
    step = rows[row, high] - rows[row, low]
    if step <= 0.0:
        return grid[high]
    return grid[low] + (grid[high] - grid[low]) * (x - rows[row, low]) / step


@compiled
def left_of_value(
    rule: int, parameter: float, slack: float, rate: float, law: Any,
    grid: NDArray[np.float64], rows: NDArray[np.float64], nodes: NDArray[np.float64],
) -> tuple[float, float, float]:  # fmt: skip
    """Return (E[δ], Pr(δ > 0), Pr(on time)) of a service that starts with `slack` seconds left.

    `nodes` are the class's work as equally likely points, shape [SIZE_NODES].
    """
    timely = 0.0
    if slack >= 0.0:
        timely = work_below(law, grid, rows, slack * rate)
    if rule == HARD:
        return timely, timely, timely
    total = 0.0
    for j in range(SIZE_NODES):
        total += lateness(rule, parameter, nodes[j] / rate - slack)
    used = 1.0
    if rule == 1:
        used = work_below(law, grid, rows, (slack + parameter) * rate)
    return total / SIZE_NODES, used, timely


@compiled
def tabled(rule: int, parameter: float, share: float, reach: float) -> bool:
    """Return whether the table is fine enough at this share of its reach.

    Not within a few steps of where the value breaks: its end, and the deadline where there is
    grace beyond it; there all of a short service may fit into one step.
    """
    if share * AHEAD >= AHEAD - 8.0:
        return False
    if rule == HARD:
        return True
    grace = parameter if rule == LINEAR else 8.0 * parameter
    return abs(share * reach - (reach - grace)) * AHEAD > 8.0 * reach


@compiled
def left_after(ahead: NDArray[np.float64], rule: int, share: float) -> tuple[float, float, float]:
    """Return `left_of_value` after a share of the reach of its table, between two of its steps."""
    x = share * AHEAD
    step = int(x)
    part = x - step
    timely = ahead[2, step] + (ahead[2, step + 1] - ahead[2, step]) * part
    if rule == HARD:
        return timely, timely, timely
    delta = ahead[0, step] + (ahead[0, step + 1] - ahead[0, step]) * part
    used = ahead[1, step] + (ahead[1, step + 1] - ahead[1, step]) * part
    return delta, used, timely


@compiled
def fill_ahead(
    ahead: NDArray[np.float64], reach: float, slack: float, rate: float, rule: int,
    parameter: float, law: Any, grid: NDArray[np.float64], rows: NDArray[np.float64],
    nodes: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill a table [3, AHEAD + 1] of `left_of_value` after waits of 0 to `reach` seconds."""
    for step in range(AHEAD + 1):
        left = slack - reach * step / AHEAD
        ahead[0, step], ahead[1, step], ahead[2, step] = left_of_value(
            rule, parameter, left, rate, law, grid, rows, nodes
        )


@compiled
def expect(
    chance: float, wait: float, shape: float, outside: float, rate: float, patience: float,
    deadline: float, rule: int, parameter: float, promise: float, law: Any,
    grid: NDArray[np.float64], rows: NDArray[np.float64], nodes: NDArray[np.float64],
    waits: NDArray[np.float64], ahead: NDArray[np.float64], reach: float,
) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """Return (Pr(served), E[δ], Pr(δ > 0), Pr(on time), E[T], Pr(promise kept)).

    A wait happens with probability `chance` and then is gamma(`shape`) with mean `wait`; a task
    that waits longer than `patience` leaves. `outside` is the time spent outside the slot, the
    service runs at `rate` tokens/s. Where there is no deadline, patience or promise it is infinite.

    Where `reach` is above 0, `ahead` holds `left_of_value` after waits of 0 to `reach` seconds at
    this very rate and deadline, shape [3, AHEAD + 1], and is read instead of worked out.
    """
    service = law["mean"] / rate
    delta, used, timely, kept = 1.0, 1.0, 1.0, 1.0
    served, time = 1.0, outside + service
    waits_surely = chance >= 1.0 and wait > 0.0
    if deadline < math.inf and not waits_surely:
        delta, used, timely = left_of_value(
            rule, parameter, deadline - outside, rate, law, grid, rows, nodes
        )
    if promise < math.inf:
        kept = work_below(law, grid, rows, (promise - outside) * rate)
    if chance <= 0.0 or wait <= 0.0:
        return served, delta, used, timely, time, kept
    if deadline == math.inf and patience == math.inf and promise == math.inf:
        return served, delta, used, timely, time + chance * wait, kept
    idle = 1.0 - chance
    each = chance / WAIT_NODES
    served, time = idle, idle * time
    delta, used, timely, kept = idle * delta, idle * used, idle * timely, idle * kept
    place = wait_place(shape)
    for j in range(WAIT_NODES):
        w = wait * wait_node(waits, place, j)
        if w > patience:
            time += each * patience
            continue
        served += each
        time += each * (w + outside + service)
        if deadline == math.inf:
            d, u, p = 1.0, 1.0, 1.0
        elif tabled(rule, parameter, w / reach if reach > 0.0 else 1.0, reach):
            d, u, p = left_after(ahead, rule, w / reach)
        else:
            d, u, p = left_of_value(
                rule, parameter, deadline - outside - w, rate, law, grid, rows, nodes
            )
        delta += each * d
        used += each * u
        timely += each * p
        if promise < math.inf:
            kept += each * work_below(law, grid, rows, (promise - outside - w) * rate)
        else:
            kept += each
    return served, delta, used, timely, time, kept


@compiled
def remember(average: float, weight: float, seen: float) -> float:
    """Return the average after one more answer, `weight` the total weight including it.

    With weights e^(−age/memory) this is exactly their weighted mean; `weight` follows
    W ← W·e^(−Δt/memory) + 1.
    """
    return average + (seen - average) / weight
