"""How long a seller makes tasks wait, and how slowly it serves them, at a stationary load.

A seller runs n streams at r₁κ/(κ + n − 1) each. With work counted in seconds of one stream alone,
its throughput is φ(n) = nκ/(κ + n − 1) (n where κ is infinite) up to its slots c, and φ(c) beyond.
At an offered load a (work arriving per second) the number in service follows the birth-death law

  p_n ∝ aⁿ / (φ(1)···φ(n)),  n ≤ c,

which holds for any law of work where nobody waits (Kelly 1979, symmetric queues; with c infinite it
is negative binomial, and the slow-down is 1/(1 − a/κ)), and for exponential work elsewhere. Those
who find c tasks wait. Their wait V has the density

  v(t) ∝ exp(−∫₀ᵗ (φ(c) − a·G(u)) du / g),

with G(u) the share of work whose owner would wait longer than u, and g = E[w²]/2E[w] the residual
work: exact for M/M/c + G (Zeltyn & Mandelbaum 2005) and in the mean for M/G/1 (Pollaczek &
Khinchine); elsewhere it is the two-moment rule of Lee & Longton (1959). Priorities: Cobham (1954).

All functions here call none of another file but the market's rules, so that the compiler, which
looks at one file for changes, sees them all.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled


@compiled
def throughput(kappa: float, running: float) -> float:
    """Return φ(n), the work that n streams get done per second, in seconds of one stream alone.

    Example:
        >>> throughput(1.0, 7.0), throughput(math.inf, 7.0)
        (1.0, 7.0)
    """
    if math.isinf(kappa):
        return running
    return running * kappa / (kappa + running - 1.0) if running > 0.0 else 0.0


@compiled
def limit(kappa: float, slots: float) -> float:
    """Return the largest load that can be served, φ(c); κ where slots are unlimited."""
    return kappa if math.isinf(slots) else throughput(kappa, slots)


@compiled
def in_service(load: float, kappa: float, slots: float) -> tuple[float, float, float]:
    """Return (Σ p_n, Σ n·p_n, p_{c−1}) over n < c, in units of the largest p_n.

    Ratios of the three are what counts, so that nothing overflows.
    """
    count = int(slots)
    log, top = 0.0, 0.0
    for n in range(1, count):
        log += math.log(load / throughput(kappa, float(n)))
        top = max(top, log)
    log = 0.0
    total, running, last = math.exp(-top), 0.0, math.exp(-top)
    for n in range(1, count):
        log += math.log(load / throughput(kappa, float(n)))
        last = math.exp(log - top)
        total += last
        running += n * last
    return total, running, last


@compiled
def virtual_wait(
    loads: NDArray[np.float64], until: NDArray[np.float64], most: float, residual: float
) -> tuple[float, float, float]:
    """Return (J, ∫ V-weighted stay, Pr(stay)) of the wait of those who find all slots taken.

    J = ∫ exp(−∫(φ − a·G)/g) dt, seconds; then the flow's mean of E[min(V, patience)] and of
    Pr(V < patience), given a wait. `loads`, shape [N], is the work per second of those who stay
    until `until` seconds, which rise and end with infinity.
    """
    joining = loads.sum()
    total = joining
    # Within a piece the exponent is linear, h = (φ − a·G)/g.
    area, start, height = 0.0, 0.0, 1.0
    stayed, waited = 0.0, 0.0  # sums over owners of Pr(V < patience)·J and E[min(V, patience)]·J
    moment = 0.0
    left = np.float64(0.0)
    for i in range(len(loads)):
        h = (most - joining) / residual
        length = until[i] - start
        if math.isinf(length):
            piece = height / h
            first = height / (h * h)
            left = 0.0
        else:
            x = h * length
            if abs(x) < 1e-9:
                piece = height * length * (1.0 - 0.5 * x)
                first = height * length * length * 0.5
            else:
                piece = -height * math.expm1(-x) / h
                first = (piece - height * length * math.exp(-x)) / h
            left = height * math.exp(-x)
        area += piece
        moment += start * piece + first
        stayed += loads[i] * area
        waited += loads[i] * moment  # of waits up to their patience; longer ones follow below
        start, height = until[i], left
        joining -= loads[i]
    reached = 0.0
    # Owners whose wait would outlast their patience have waited just that long.
    running_area = 0.0
    start, height, joining = 0.0, 1.0, total
    for i in range(len(loads)):
        if math.isinf(until[i]):
            break
        h = (most - joining) / residual
        x = h * (until[i] - start)
        if abs(x) < 1e-9:
            running_area += height * (until[i] - start) * (1.0 - 0.5 * x)
        else:
            running_area += -height * math.expm1(-x) / h
        height *= math.exp(-x)
        start = until[i]
        joining -= loads[i]
        reached += loads[i] * until[i] * (area - running_area)
    scale = total * area
    return area, (waited + reached) / scale, stayed / scale


@compiled
def congestion(
    loads: NDArray[np.float64], until: NDArray[np.float64], residual: float, kappa: float,
    slots: float,
) -> tuple[float, float, float]:  # fmt: skip
    """Return (slow-down, Pr(wait), mean wait of those who wait) of a seller that serves in line.

    The mean is waiting time over starts, as buyers' averages count it: that of the exponential law
    that shows itself when some leave before they start.

    Args:
        loads: work per second of the tasks that wait at most `until`, shape [N].
        until: patience, s, rising, shape [N]; the last is infinite, its load may be 0.
        residual: g = E[w²]/2E[w], seconds of one stream alone.
        kappa: batching κ.
        slots: c.

    Returns:
        Slow-down of service (≥ 1), chance and seconds. Loads that nobody can serve and nobody
        leaves give an infinite wait.

    Example:
        >>> slow, chance, wait = congestion(
        ...     np.array([0.8]), np.array([math.inf]), 1.0, math.inf, 1.0
        ... )
        >>> slow, round(chance, 12), round(chance * wait, 12)
        (1.0, 0.8, 4.0)
    """
    load = loads.sum()
    if load <= 0.0:
        return 1.0, 0.0, 0.0
    if math.isinf(slots):
        if math.isinf(kappa):
            return 1.0, 0.0, 0.0
        return (1.0 / (1.0 - load / kappa) if load < kappa else math.inf), 0.0, 0.0
    most = throughput(kappa, slots)
    if loads[len(loads) - 1] >= most:
        return (1.0 if math.isinf(kappa) else slots / most), 1.0, math.inf
    below, running, last = in_service(load, kappa, slots)
    area, waited, stayed = virtual_wait(loads, until, most, residual)
    waiting = load / residual * last * area
    chance = waiting / (below + waiting)
    served = load * (1.0 - chance * (1.0 - stayed))
    busy = (running + slots * waiting) / (below + waiting)
    slow = 1.0 if math.isinf(kappa) else max(busy / served, 1.0)
    return slow, chance, waited / stayed


@compiled
def priorities(
    loads: NDArray[np.float64], residual: float, kappa: float, slots: float, preemptive: bool,
    waits: NDArray[np.float64],
) -> tuple[float, float]:  # fmt: skip
    """Return (slow-down, Pr(wait)) of a seller with priorities; `waits` gets the levels' mean wait.

    Non-preemptive (Cobham 1954, and exact for exponential work in c slots, Kella & Yechiali 1985):
    W_l = W₀ / ((1 − σ_{l−1})(1 − σ_l)) with W₀ = C(a)·g/φ and σ_l the load of levels up to l over
    φ. Preemptive: W₀ of the levels up to l alone, plus the time in which a task is pushed aside,
    taken as S·C(a_{<l})/(1 − σ_{l−1}) with S = g, which is exact for one slot and exponential work.

    Args:
        loads: work per second of each level, the first served first, shape [L].
        residual: g, seconds of one stream alone.
        kappa: batching κ.
        slots: c.
        preemptive: whether a better task interrupts a worse one.
        waits: filled with E[wait] of each level over Pr(wait), seconds, shape [L].
    """
    total = loads.sum()
    waits[:] = 0.0
    if math.isinf(slots) or total <= 0.0:
        if math.isinf(kappa) or total <= 0.0:
            return 1.0, 0.0
        return (1.0 / (1.0 - total / kappa) if total < kappa else math.inf), 0.0
    most = throughput(kappa, slots)
    chance = _erlang(total, kappa, slots)
    before, pushed = 0.0, 0.0
    for level in range(len(loads)):
        upto = before + loads[level]
        if upto >= most:
            waits[level] = math.inf
        else:
            busy = _erlang(upto, kappa, slots) if preemptive else chance
            room = (1.0 - before / most) * (1.0 - upto / most)
            wait = busy * residual / (most * room)
            if preemptive and before > 0.0:
                wait += residual * pushed / (most * (1.0 - before / most))
            waits[level] = wait / chance if chance > 0.0 else 0.0
            pushed = busy
        before = upto
    slow = 1.0
    if not math.isinf(kappa) and total < most:
        below, running, last = in_service(total, kappa, slots)
        waiting = last * total / (most - total)
        slow = max((running + slots * waiting) / (below + waiting) / total, 1.0)
    return slow, chance


@compiled
def _erlang(load: float, kappa: float, slots: float) -> float:
    """Return the chance to find all slots taken: Erlang's C where streams are independent."""
    if load <= 0.0:
        return 0.0
    most = throughput(kappa, slots)
    if load >= most:
        return 1.0
    below, _, last = in_service(load, kappa, slots)
    waiting = last * load / (most - load)
    return waiting / (below + waiting)


__all__ = ["congestion", "limit", "priorities", "throughput"]
