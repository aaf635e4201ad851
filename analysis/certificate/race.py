"""A race of deviations: replications are added look by look until the question is settled.

A deviation whose bound from above has fallen below the tolerance is out and simulated no more.
That keeps the bounds valid: c is always that of the whole family, so all bounds of a look hold
together with chance 1 − α_j whichever of them are still worked out, and a deviation is wrongly
settled or refuted only where its bound fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bounds import Floats, correlation, critical, ratio_bounds, spend

FIRST = 8
"""Replications at the first look; each later look has twice as many as the one before."""
_LASTING = 1.5
"""A transient that decays by half or more from one half of a window to the next biases the whole
by at most this times the change between the halves: (b + b/2)/2 against b − b/2."""


class Sample(NamedTuple):
    """Replications of some deviations, arrays of shape [replications, deviations], USD/h."""

    gain: Floats
    """What the deviation changes in its player's payoff."""
    own: Floats
    """The player's payoff at the candidate point."""
    floor: Floats
    """What gains are measured against where that is more than its payoff; above 0."""
    drift: Floats
    """Gain in the second half of the measured time less that in the first."""


Draw = Callable[[int, int, NDArray[np.int64]], Sample]
"""Draws replications `first` to `last` − 1 of the deviations with these numbers."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of D deviations after a look; arrays of shape [D], gains as shares of scale.

    Attributes:
        number: of the look, from 1.
        replications: drawn so far of those still in the race.
        gain, error: estimate of the gain and its standard error.
        lower, upper: bounds on the gain that hold for all deviations and looks together.
        scale: mean payoff at the candidate point, or its floor if that is more, USD/h.
        drift: change of the gain within the measured time.
        count: replications that this deviation's numbers come from.
        settled: bounded from above by the tolerance, and out of the race.
        above: bounded from below by the tolerance.
        doubtful: its gain still changes within the measured time by more than chance, and so much
            that the conclusion would hang on it; such a deviation is neither settled nor above.
    """

    number: int
    replications: int
    gain: Floats
    error: Floats
    lower: Floats
    upper: Floats
    scale: Floats
    drift: Floats
    count: NDArray[np.int64]
    settled: NDArray[np.bool_]
    above: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]


def race(draw: Draw, deviations: int, tolerance: float, alpha: float) -> Iterator[Look]:
    """Yield look after look until all deviations are settled; the caller may stop at any.

    Args:
        draw: gives replications; the same numbers must give the same replications.
        deviations: how many there are, D ≥ 1.
        tolerance: gain that does not matter, as a share of the scale.
        alpha: chance that any bound of any look fails.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> def draw(first, last, which):
        ...     shape = (last - first, len(which))
        ...     one = np.ones(shape)
        ...     return Sample(rng.normal(-0.2, 0.1, shape), one, 0.1 * one, 0 * one)
        >>> looks = list(race(draw, 3, tolerance=0.001, alpha=0.05))
        >>> looks[-1].replications, bool(looks[-1].settled.all())
        (8, True)
    """
    data = Sample(*(np.zeros((0, deviations)) for _ in Sample._fields))
    known = _nothing(deviations)
    for number in itertools.count(1):
        active = np.flatnonzero(~known.settled)
        first, last = known.replications, FIRST << (number - 1)
        more = draw(first, last, active)
        data = Sample(*(
            np.concatenate([old[:, active], new]) for old, new in zip(data, more, strict=True)
        ))  # fmt: skip
        known = _look(known, number, active, data, tolerance, spend(alpha, number))
        data = Sample(*(_spread(x, active, deviations) for x in data))
        yield known
        if known.settled.all():
            return


def _nothing(deviations: int) -> Look:
    """Return what is known before the first look."""
    no, none = np.full(deviations, np.nan), np.zeros(deviations, dtype=bool)
    return Look(
        number=0, replications=0, gain=no, error=no, lower=np.full(deviations, -np.inf),
        upper=np.full(deviations, np.inf), scale=no, drift=no,
        count=np.zeros(deviations, np.int64), settled=none, above=none, doubtful=none,
    )  # fmt: skip


def _spread(values: Floats, active: NDArray[np.int64], deviations: int) -> Floats:
    """Return the columns of the active ones at their places among all."""
    whole = np.full((len(values), deviations), np.nan)
    whole[:, active] = values
    return whole


def _look(
    before: Look, number: int, active: NDArray[np.int64], data: Sample, tolerance: float,
    alpha: float,
) -> Look:  # fmt: skip
    """Return what is known once the active deviations have the replications in `data`."""
    n, everyone = len(data.gain), len(before.gain)
    poor = data.own.mean(axis=0) < data.floor.mean(axis=0)
    scale = np.where(poor, data.floor, data.own)
    excess = data.gain - tolerance * scale
    varied = np.ptp(excess, axis=0) > 0.0
    corr = correlation(excess[:, varied])
    c = critical(corr, n - 1, alpha, everyone - len(corr))
    gain, error, lower, upper = ratio_bounds(data.gain, scale, c)
    drift, noise, *_ = ratio_bounds(data.drift, scale, c)
    moves = (np.abs(drift) > c * noise) & (np.abs(drift) > 0.0)
    doubtful = moves & (_LASTING * np.abs(drift) >= np.abs(gain - tolerance))
    found = {
        "gain": gain, "error": error, "lower": lower, "upper": upper, "scale": scale.mean(axis=0),
        "drift": drift, "count": np.full(len(active), n), "doubtful": doubtful,
        "settled": (upper < tolerance) & ~doubtful, "above": (lower > tolerance) & ~doubtful,
    }  # fmt: skip
    whole = {name: getattr(before, name).copy() for name in found}
    for name, values in found.items():
        whole[name][active] = values
    return Look(number=number, replications=n, **whole)
