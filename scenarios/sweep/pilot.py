"""What a sweep will take: a few of its runs, spread over the design, tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .job import Job, work
from .planned import Planned

_FIRST = 1 << 12  # bytes that a piece takes besides its rows


@dataclass(frozen=True)
class Estimate:
    """What is expected of the runs that are left.

    Attributes:
        runs: that are left, of `total`.
        seconds: of one run, mean over the pilot.
        wall: with so many workers, s, compiling apart.
        megabytes: that the folder will hold.
        memory: peak of a worker, MB.
        failed: reasons of the pilot's runs that failed.
    """

    runs: int
    total: int
    seconds: float
    wall: float
    megabytes: float
    memory: float
    failed: list[str]


def estimate(planned: Planned, runs: np.ndarray, workers: int, pilot: int = 5) -> Estimate:
    """Simulate a few runs, whose results are not kept, and say what all that are left will take.

    Args:
        planned: the sweep.
        runs: numbers of those that are left.
        workers: processes that will do them.
        pilot: runs to simulate.
    """
    from ..run import memory_mb

    picked = runs[np.unique(np.linspace(0, len(runs) - 1, min(pilot, len(runs))).astype(int))]
    seconds, sizes, failed = [], [], []
    for place, run in enumerate(picked.tolist()):
        listed = [(run, planned.changes(run), planned.seed(run))]
        job = Job(planned.base, listed, planned.design.timeout, planned.measure)
        if place == 0:
            work(job)  # compiles
        piece = work(job)
        seconds.append(piece.seconds)
        sizes.append(len(piece.content))
        failed += [failure.reason for failure in piece.failures]
    mean = float(np.mean(seconds)) if seconds else 0.0
    size = float(np.mean(sizes)) if sizes else 0.0
    return Estimate(
        runs=len(runs), total=planned.total, seconds=mean, wall=mean * len(runs) / workers,
        # Pieces of several runs share what each file has anyway; merged rows once more.
        megabytes=(max(size - _FIRST, 1_000.0) * 1.3 * planned.total) / 1e6,
        memory=memory_mb(), failed=failed,
    )  # fmt: skip
