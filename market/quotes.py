"""What a buyer expects of an offer: one law of the time to the answer, and all that follows.

The time to the answer is L = L₀ + W + S: time outside the slot, waiting, service. S is the law
of the class's work over the rate it meets; W is zero with probability 1 − p and otherwise gamma
with a mean and a shape. From this one law come Pr(served), E[δ], Pr(δ > 0), Pr(on time) and
E[T]. Where nobody waits it is exact for the class's own size law; the gamma law is taken as
uniform within each of `SLICES` slices, which keeps its mean.

- `observed`: p is 0 or 1 and the gamma has the mean and variance of the work ahead, which is
  exact for exponential work (Erlang) if nobody ahead leaves; for several slots or other sizes
  it is two-moment.
- `average`: p, and an exponential with the mean wait of those who waited, both as buyers have
  met them; exact for M/M/c. Waits cut short by leaving count as censored.
- `promised`: the promise itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jit import compiled, inner
from .rules import HALFLIFE, HARD, LINEAR
from .waits import SHARES, SLICES, over_by, stay, wait_end, wait_place
from .work import left_of_value, spare, work_on_time

AHEAD = 128
"""Steps of the table of what is left of a value after a wait."""
_NARROW = 1e-6
"""A slice narrower than this share of the time left is a point."""


@inner
def tabled(rule: int, parameter: float, wait: float, reach: float) -> bool:
    """Return whether there is a table, and it is fine enough after this wait.

    Not within a few steps of where the value breaks: its end, and the deadline where there is
    grace beyond it; there all of a short service may fit into one step.
    """
    if wait * AHEAD >= (AHEAD - 8.0) * reach:
        return False
    if rule == HARD:
        return True
    grace = parameter if rule == LINEAR else 8.0 * parameter
    return abs(wait - (reach - grace)) * AHEAD > 8.0 * reach


@compiled
def fill_ahead(
    ahead: NDArray[np.float64], reach: float, slack: float, rate: float, rule: int,
    parameter: float, law: Any, rows: NDArray[np.float64], nodes: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill a table [5, AHEAD + 1] of `left_of_value` after waits of 0 to `reach` seconds."""
    for step in range(AHEAD + 1):
        left = slack - reach * step / AHEAD
        ahead[0, step], ahead[1, step], ahead[2, step], ahead[3, step], ahead[4, step] = (
            left_of_value(rule, parameter, left, rate, law, rows, nodes)
        )


@inner
def _between(
    values: NDArray[np.float64], slopes: NDArray[np.float64], x: float, length: float
) -> float:
    """Return a tabulated integral after x steps of a length, by the cubic with its slopes."""
    step = int(x)
    part = x - step
    rest = 1.0 - part
    low = (1.0 + 2.0 * part) * values[step] - part * length * slopes[step]
    high = (1.0 + 2.0 * rest) * values[step + 1] + rest * length * slopes[step + 1]
    return rest * rest * low + part * part * high


@inner
def areas_after(
    wait: float, slack: float, rate: float, rule: int, parameter: float, law: Any,
    rows: NDArray[np.float64], ahead: NDArray[np.float64], reach: float,
) -> tuple[float, float]:  # fmt: skip
    """Return the integrals of Pr(δ > 0) and Pr(on time) over the time left after a wait."""
    if tabled(rule, parameter, wait, reach):
        length = reach / AHEAD
        x = wait / length
        area = _between(ahead[4], ahead[2], x, length)
        return (area if rule == HARD else _between(ahead[3], ahead[1], x, length)), area
    area = spare(law, rows, (slack - wait) * rate)[1] / rate
    if rule == HARD:
        return area, area
    if rule == LINEAR:
        return spare(law, rows, (slack - wait + parameter) * rate)[1] / rate, area
    return slack - wait, area


@inner
def delta_after(
    wait: float, slack: float, rate: float, rule: int, parameter: float, law: Any,
    rows: NDArray[np.float64], nodes: NDArray[np.float64], ahead: NDArray[np.float64],
    reach: float,
) -> float:  # fmt: skip
    """Return E[δ] after a wait."""
    if tabled(rule, parameter, wait, reach):
        x = wait / reach * AHEAD
        step = int(x)
        return ahead[0, step] + (ahead[0, step + 1] - ahead[0, step]) * (x - step)
    return left_of_value(rule, parameter, slack - wait, rate, law, rows, nodes)[0]


@inner
def after_wait(
    wait: float, place: float, slack: float, rate: float, patience: float, rule: int,
    parameter: float, law: Any, rows: NDArray[np.float64], nodes: NDArray[np.float64],
    waits: NDArray[np.float64], ahead: NDArray[np.float64], reach: float,
) -> tuple[float, float, float]:  # fmt: skip
    """Return (E[δ], Pr(δ > 0), Pr(on time)) after a gamma wait; who waits past `patience` is lost.

    Averages over a slice of the wait are differences of integrals; that of a soft δ is Simpson's
    rule, kept between Pr(on time) and Pr(δ > 0).
    """
    delta, used, timely = 0.0, 0.0, 0.0
    worthless = slack - law["shift"] / rate + (parameter if rule == LINEAR else 0.0)
    soft, left = rule != HARD, 0.0
    low = wait * wait_end(waits, place, 0)
    wide, area = areas_after(low, slack, rate, rule, parameter, law, rows, ahead, reach)
    if soft:
        left = delta_after(low, slack, rate, rule, parameter, law, rows, nodes, ahead, reach)
    for j in range(SLICES):
        high = wait * wait_end(waits, place, j + 1)
        if low > patience or (low > worthless and rule != HALFLIFE):
            break
        share = SHARES[j] * over_by(low, high, patience)
        high = min(high, patience)
        width, middle = high - low, 0.5 * (low + high)
        wider, more = areas_after(high, slack, rate, rule, parameter, law, rows, ahead, reach)
        if width > _NARROW * abs(slack):
            u, t = (wide - wider) / width, (area - more) / width
        else:
            at = left_of_value(rule, parameter, slack - middle, rate, law, rows, nodes)
            u, t = at[1], at[2]
        d = t
        if soft:
            d = delta_after(middle, slack, rate, rule, parameter, law, rows, nodes, ahead, reach)
            right = delta_after(high, slack, rate, rule, parameter, law, rows, nodes, ahead, reach)
            d = min(max((left + 4.0 * d + right) / 6.0, t), u)
            left = right
        delta += share * d
        used += share * u
        timely += share * t
        low, wide, area = high, wider, more
    return delta, used, timely


@compiled
def expect(
    chance: float, wait: float, shape: float, outside: float, rate: float, patience: float,
    deadline: float, rule: int, parameter: float, promise: float, law: Any,
    rows: NDArray[np.float64], nodes: NDArray[np.float64], waits: NDArray[np.float64],
    ahead: NDArray[np.float64], reach: float,
) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """Return (Pr(served), E[δ], Pr(δ > 0), Pr(on time), E[T], Pr(promise kept)).

    A wait happens with probability `chance` and then is gamma(`shape`) with mean `wait`; a task
    that waits longer than `patience` leaves. `outside` is the time spent outside the slot, the
    service runs at `rate` tokens/s. Where there is no deadline, patience or promise it is infinite.

    Where `reach` is above 0, `ahead` holds `left_of_value` after waits of 0 to `reach` seconds at
    this very rate and deadline, shape [5, AHEAD + 1], and is read instead of worked out.
    """
    served, delta, used, timely, kept = 1.0, 1.0, 1.0, 1.0, 1.0
    time = outside + law["mean"] / rate
    waiting = chance > 0.0 and wait > 0.0
    if not (waiting and chance >= 1.0):
        if deadline < math.inf:
            now = left_of_value(rule, parameter, deadline - outside, rate, law, rows, nodes)
            delta, used, timely = now[0], now[1], now[2]
        if promise < math.inf:
            kept = left_of_value(HARD, 0.0, promise - outside, rate, law, rows, nodes)[0]
    if not waiting:
        return served, delta, used, timely, time, kept
    if deadline == math.inf and patience == math.inf and promise == math.inf:
        return served, delta, used, timely, time + chance * wait, kept
    place, idle = wait_place(shape), 1.0 - chance
    stayed, lost = stay(wait, place, patience, waits)
    served = idle + chance * stayed
    time = served * time + chance * lost
    later = (stayed, stayed, stayed)
    if deadline < math.inf:
        later = after_wait(wait, place, deadline - outside, rate, patience, rule, parameter, law,
                           rows, nodes, waits, ahead, reach)  # fmt: skip
    promised = stayed
    if promise < math.inf:
        promised = after_wait(wait, place, promise - outside, rate, patience, HARD, 0.0, law,
                              rows, nodes, waits, ahead, 0.0)[0]  # fmt: skip
    return (
        served, idle * delta + chance * later[0], idle * used + chance * later[1],
        idle * timely + chance * later[2], time, idle * kept + chance * promised,
    )  # fmt: skip


@compiled
def timely_work(
    chance: float, wait: float, shape: float, slack: float, rate: float, patience: float,
    law: Any, rows: NDArray[np.float64], waits: NDArray[np.float64],
) -> float:  # fmt: skip
    """Return E[w·1{on time}], tokens: less than E[w]·Pr(on time), since large tasks are late.

    The wait and its slices are those of `expect`; each slice counts at its middle.
    """
    alone = work_on_time(law, rows, slack * rate)
    if chance <= 0.0 or wait <= 0.0:
        return alone
    total, place = 0.0, wait_place(shape)
    low = wait * wait_end(waits, place, 0)
    for j in range(SLICES):
        high = wait * wait_end(waits, place, j + 1)
        if low > patience:
            break
        share = SHARES[j] * over_by(low, high, patience)
        high = min(high, patience)
        total += share * work_on_time(law, rows, (slack - 0.5 * (low + high)) * rate)
        low = high
    return (1.0 - chance) * alone + chance * total


@compiled
def remember(average: float, weight: float, seen: float) -> float:
    """Return the average after one more answer, `weight` the total weight including it.

    With weights e^(−age/memory) this is exactly their weighted mean; `weight` follows
    W ← W·e^(−Δt/memory) + 1.
    """
    return average + (seen - average) / weight
