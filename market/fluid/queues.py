"""How long a seller makes tasks wait, and how slowly it serves them, at a stationary load.

A seller runs n streams at r₁κ/(κ + n − 1) each. With work counted in seconds of one stream alone,
its throughput is φ(n) = nκ/(κ + n − 1) (n where κ is infinite) up to its slots c, and φ(c) beyond.
At an offered load a (work arriving per second) the number in service follows the birth-death law

  p_n ∝ aⁿ / (φ(1)···φ(n)),  n ≤ c,

which holds for any law of work where nobody waits (Kelly 1979, symmetric queues; with c infinite it
is negative binomial, and the slow-down is 1/(1 − a/κ)), and for exponential work elsewhere. Those
who find c tasks wait. Their wait V has the density

  v(t) ∝ exp(−∫₀ᵗ (φ(c) − a·G(u)) du / g),

with G(u) the share of work whose owner would wait longer than u, and g = m/a the residual work,
m = Σ rate·E[w²]/2: exact for M/M/c + G (Zeltyn & Mandelbaum 2005) and in the mean for M/G/1
(Pollaczek & Khinchine); elsewhere it is the two-moment rule of Lee & Longton (1959).

Loads stand in arrays [L, N]: queue levels, the first served first, by pieces of patience. `until`,
shape [N], is the patience of the pieces, s, rising; the last is infinite, its load may be 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled, inner

_FADED = 1e-18
"""Share of the sum below which a term is left out, and all beyond it."""
_FLAT = 0.02
"""Change of an exponent over a piece below which its integrals are summed as series."""
_NO_ROOM = 1e-12
"""Share of what can be served that better levels leave, below which they leave nothing."""


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

    Summed from the largest outwards until nothing is added, so that a million slots cost no more
    than those that are ever in use.

    Example:
        >>> in_service(2.0, math.inf, 3.0)  # 1, 2 and 2
        (2.5, 3.0, 1.0)
    """
    most = slots - 1.0
    peak = load if math.isinf(kappa) else math.inf
    if load < kappa < math.inf:
        peak = load * (kappa - 1.0) / (kappa - load)
    peak = float(math.floor(peak)) if peak < most else most
    total, running, term, n = 1.0, peak, 1.0, peak
    while n > 0.0 and term > _FADED * total:
        term *= throughput(kappa, n) / load
        n -= 1.0
        total += term
        running += n * term
    term, n = 1.0, peak
    while n < most and term > _FADED * total:
        n += 1.0
        term *= load / throughput(kappa, n)
        total += term
        running += n * term
    return total, running, (term if n >= most else 0.0)


@inner
def _piece(height: float, end: float, rise: float, length: float) -> tuple[float, float]:
    """Return (∫ v dt, ∫ t·v dt) from 0 to `length` of a density from `height` to `end`.

    It falls as exp(−rise·t); `length` may be infinite where `rise` is above 0.
    """
    if math.isinf(length):
        return height / rise, height / (rise * rise)
    x = rise * length
    if abs(x) < _FLAT:
        area = 1.0 - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0)))
        first = 0.5 - x / 3.0 + x * x / 8.0 * (1.0 - x * 4.0 / 15.0 * (1.0 - x * 5.0 / 24.0))
        return height * length * area, height * length * length * first
    area = (height - end) / rise
    return area, (area - length * end) / rise


@compiled
def virtual_wait(
    loads: NDArray[np.float64], first: int, last: int, until: NDArray[np.float64], most: float,
    residual: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return (top, J, mean stay, Pr(stay)) of the wait of those who find all slots taken.

    Args:
        loads: work per second by level and patience, shape [L, N].
        first: the first of the levels that join this queue.
        last: the one after the last.
        until: patience, s, shape [N].
        most: φ, work done per second while all slots are taken.
        residual: g, seconds.

    Returns:
        ln of the density's peak; J = ∫ exp(−∫(φ − a·G)/g − top) dt, seconds; E[min(V, patience)],
        seconds, and Pr(V < patience), both averaged over the work that comes and given a wait. They
        are those of somebody who never leaves if no work comes.
    """
    joining = loads[first:last].sum()
    total, begin, exponent, top = joining, 0.0, 0.0, 0.0
    for i in range(len(until) - 1):
        exponent += (most - joining) / residual * (until[i] - begin)
        top = max(top, -exponent)
        joining -= loads[first:last, i].sum()
        begin = until[i]
    area, moment, exponent, begin = 0.0, 0.0, 0.0, 0.0
    stayed, waited, joining, height = 0.0, 0.0, total, math.exp(-top)
    overdue = 0.0  # Σ load·patience of the pieces so far: so long waits who leaves later on
    for i in range(len(until)):
        rise = (most - joining) / residual
        if i == len(until) - 1:
            rise = max(rise, _FADED * most / residual)
        length = until[i] - begin
        if not math.isinf(length):
            exponent += rise * length
        end = math.exp(-exponent - top)
        piece, inside = _piece(height, end, rise, length)
        area += piece
        moment += begin * piece + inside
        waited += overdue * piece
        here = loads[first:last, i].sum()
        stayed += here * area
        waited += here * moment
        overdue += here * (0.0 if math.isinf(until[i]) else until[i])
        begin, height = until[i], end
        joining -= here
    if total <= 0.0:
        return top, area, moment / area, 1.0
    return top, area, waited / (total * area), stayed / (total * area)


@inner
def _mean_wait(stay: float, stayed: float, otherwise: float) -> float:
    """Return waiting time over starts, as buyers' averages count it.

    It is the mean of the exponential law that shows itself when some leave before they start.
    """
    return stay / stayed if stayed > 0.0 else otherwise


@compiled
def congestion(
    loads: NDArray[np.float64], levels: int, until: NDArray[np.float64], residual: float,
    kappa: float, slots: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return (slow-down, Pr(wait), mean wait of those who wait, work done) in order of arrival.

    Args:
        loads: work per second by level and patience, shape [L, N].
        levels: how many levels count, from the first.
        until: patience, s, shape [N].
        residual: g, seconds of one stream alone.
        kappa: batching κ.
        slots: c.

    Returns:
        Slow-down of service (≥ 1), chance, seconds, and work done per second. Loads that nobody
        can serve and nobody leaves give an infinite wait.

    Example:
        >>> slow, chance, wait, done = congestion(
        ...     np.array([[0.8]]), 1, np.array([math.inf]), 1.0, math.inf, 1.0
        ... )
        >>> slow, round(chance, 12), round(chance * wait, 12), done
        (1.0, 0.8, 4.0, 0.8)
    """
    load = loads[:levels].sum()
    if load <= 0.0:
        return 1.0, 0.0, 0.0, 0.0
    if math.isinf(slots):
        if math.isinf(kappa):
            return 1.0, 0.0, 0.0, load
        if load >= kappa:
            return math.inf, 0.0, 0.0, kappa
        return 1.0 / (1.0 - load / kappa), 0.0, 0.0, load
    most = throughput(kappa, slots)
    if loads[:levels, -1].sum() >= most:
        return (1.0 if math.isinf(kappa) else slots / most), 1.0, math.inf, most
    below, running, last = in_service(load, kappa, slots)
    top, area, stay, stayed = virtual_wait(loads, 0, levels, until, most, residual)
    shrunk = math.exp(-top)
    waiting = load / residual * last * area
    below, running = below * shrunk, running * shrunk
    chance = waiting / (below + waiting)
    done = load * (1.0 - chance * (1.0 - stayed))
    busy = (running + slots * waiting) / (below + waiting)
    slow = 1.0 if math.isinf(kappa) else max(busy / done, 1.0)
    return slow, chance, _mean_wait(stay, stayed, residual / most), done


@compiled
def priorities(
    loads: NDArray[np.float64], moments: NDArray[np.float64], until: NDArray[np.float64],
    kappa: float, slots: float, preemptive: bool, waits: NDArray[np.float64],
    pushes: NDArray[np.float64],
) -> tuple[float, float]:  # fmt: skip
    """Return (slow-down, Pr(wait)) of a seller with priorities, and fill in how levels fare.

    Non-preemptive (Cobham 1954, and exact for exponential work in c slots, Kella & Yechiali 1985):
    of those who wait at level l the mean wait is g / (φ(1 − σ_{l−1})(1 − σ_l)), σ_l the load of
    levels up to l over φ. It is the wait in order of arrival at the throughput that better levels
    leave, φ(1 − σ_{l−1}), in units of work that they stretch, g/(1 − σ_{l−1}); so patience enters
    as it does there.

    Preemptive: the chance and the residual work of the levels up to l alone, plus the time for
    which a task in service is pushed aside, in proportion to its work: σ/(1 − σ) of it in one slot
    (exact), else what keeps Σ load·wait that of order of arrival, as tasks of one exponential law
    do whatever their order.

    Args:
        loads: work per second by level and patience, shape [L, N].
        moments: Σ rate·E[w²]/2 of each level, seconds, shape [L].
        until: patience, s, shape [N].
        kappa: batching κ.
        slots: c.
        preemptive: whether a better task interrupts a worse one.
        waits: filled with E[wait] of each level over Pr(wait), seconds, shape [L].
        pushes: filled with the time pushed aside per second of work over Pr(wait), shape [L].
    """
    count = len(moments)
    total, whole = loads.sum(), moments.sum()
    waits[:], pushes[:] = 0.0, 0.0
    if total <= 0.0:
        return 1.0, 0.0
    slow, chance, _, _ = congestion(loads, count, until, whole / total, kappa, slots)
    if math.isinf(slots) or chance <= 0.0:
        return slow, chance
    most, before = throughput(kappa, slots), 0.0
    upto, moment, busy, residual = 0.0, 0.0, chance, whole / total
    for level in range(count):
        mine = loads[level].sum()
        upto += mine
        moment += moments[level]
        if preemptive:
            busy = 0.0
            if upto > 0.0 and moment > 0.0:
                residual = moment / upto
                busy = congestion(loads, level + 1, until, residual, kappa, slots)[1]
        room = most - before
        if room <= _NO_ROOM * most:
            waits[level:], pushes[level:] = math.inf, math.inf if preemptive else 0.0
            break
        if preemptive:
            pushes[level] = _pushed(before, mine, kappa, slots) / chance
        if loads[level, -1] >= room:
            waits[level:], pushes[level + 1 :] = math.inf, math.inf if preemptive else 0.0
            break
        stretched = residual * most / room
        _, _, stay, stayed = virtual_wait(loads, level, level + 1, until, room, stretched)
        waits[level] = busy / chance * _mean_wait(stay, stayed, stretched / room)
        before += mine * (1.0 - busy * (1.0 - stayed))
    return slow, chance


@inner
def _pushed(before: float, mine: float, kappa: float, slots: float) -> float:
    """Return for how long a second of work is pushed aside by better levels of load `before`."""
    if before <= 0.0:
        return 0.0
    most = throughput(kappa, slots)
    room = most - before
    if slots == 1.0:
        return before / room
    upto = before + min(max(mine, 1e-4 * room), 0.999 * room)
    better = _erlang(before, kappa, slots) / room
    whole = _erlang(upto, kappa, slots) / (most - upto)
    alone = (upto * whole - before * better) / (upto - before)
    return max(alone - whole * most / room, 0.0)


@inner
def _erlang(load: float, kappa: float, slots: float) -> float:
    """Return the chance to find all slots taken where nobody leaves, at a load below φ(c)."""
    below, _, last = in_service(load, kappa, slots)
    waiting = last * load / (throughput(kappa, slots) - load)
    return waiting / (below + waiting)
