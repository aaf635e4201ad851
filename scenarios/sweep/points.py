"""The points of a design: settings of levers, and for each a sample of uncertainties."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...market.rng import hashed
from ..run import rep_seed
from .spec import Design, Sample

Point = dict[str, Any]
"""Values by dotted path, constants apart."""


def points_of(design: Design) -> list[Point]:
    """Return all points: every setting of levers with every point of the sample.

    Example:
        >>> design = Design(
        ...     levers={"mechanism": ["vickrey", "first_price"]},
        ...     uncertainties={"tasks.chat.value": [1.0, 2.0]},
        ...     sample={"kind": "latin_hypercube", "size": 3},
        ... )
        >>> points = points_of(design)
        >>> len(points), points[0]["mechanism"], 1.0 < points[5]["tasks.chat.value"] < 2.0
        (6, 'vickrey', True)
    """
    spans = design.uncertainties
    drawn: list[Point] = [{}]
    if spans:
        shares = unit_sample(design.sample, len(spans))
        drawn = [
            {path: span.at(float(x)) for (path, span), x in zip(spans.items(), row, strict=True)}
            for row in shares
        ]
    return [{**setting, **values} for setting in _settings(design) for values in drawn]


def count_of(design: Design) -> int:
    """Return how many points there are, without making them.

    Example:
        >>> count_of(Design(levers={f"tasks.{i}.value": [1.0] * 1000 for i in range(9)}))
        1000000000000000000000000000
    """
    lengths = [len(values) for values in design.levers.values()]
    settings = lengths[0] if design.together and lengths else math.prod(lengths)
    sample, d = design.sample, len(design.uncertainties)
    columns = {"saltelli": 2 * d + 2 if sample.second_order else d + 2, "morris": d + 1}
    return settings * (sample.size * columns.get(sample.kind, 1) if d else 1)


def _settings(design: Design) -> Iterator[Point]:
    values = design.levers.values()
    rows = zip(*values, strict=True) if design.together and values else itertools.product(*values)
    for row in rows:
        yield dict(zip(design.levers, row, strict=True))


def unit_sample(sample: Sample, dimensions: int) -> NDArray[np.float64]:
    """Return a sample of the unit cube, shape [points, dimensions].

    Of `saltelli` in the order that SALib's analysis wants: for each base point its own row, those
    with one column from a second one, and that second one.

    Example:
        >>> unit_sample(Sample("saltelli", size=4), 3).shape, unit_sample(Sample("sobol"), 2).shape
        ((20, 3), (128, 2))
    """
    from scipy.stats import qmc

    if sample.kind == "latin_hypercube":
        of = qmc.LatinHypercube(dimensions, rng=np.random.default_rng(sample.seed))
        return np.asarray(of.random(sample.size))
    if sample.kind == "sobol":
        scrambled = qmc.Sobol(dimensions, rng=np.random.default_rng(sample.seed))
        return np.asarray(scrambled.random_base2(sample.size.bit_length() - 1))
    names = [str(i) for i in range(dimensions)]
    problem = {"num_vars": dimensions, "names": names, "bounds": [[0.0, 1.0]] * dimensions}
    if sample.kind == "saltelli":
        from SALib.sample import sobol

        return np.asarray(sobol.sample(
            problem, sample.size, calc_second_order=sample.second_order, seed=sample.seed
        ))  # fmt: skip
    from SALib.sample import morris

    return np.asarray(morris.sample(
        problem, sample.size, num_levels=sample.levels, seed=sample.seed
    ))  # fmt: skip


def seed_for(design: Design, point: int, rep: int) -> int:
    """Return the seed of a run: that of its replication, or where runs are not paired its own.

    Example:
        >>> alike, apart = Design(seed=3), Design(seed=3, paired=False)
        >>> seed_for(alike, 0, 1) == seed_for(alike, 5, 1), seed_for(alike, 4, 0)
        (True, 3)
        >>> seed_for(apart, 0, 1) == seed_for(apart, 5, 1)
        False
    """
    if design.paired:
        return rep_seed(design.seed, rep)
    return rep_seed(int(hashed(design.seed, point + 1)) >> 1, rep)
