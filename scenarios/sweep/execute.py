"""Hand runs to an executor, a few jobs at a time, and take what comes back.

The parent holds no more than the jobs under way. Their size follows what runs have taken so far,
about `_SECONDS` each, and shrinks towards the end, so that all workers finish together (guided
self-scheduling: Polychronopoulos & Kuck 1987). A worker that dies takes its pool with it; jobs
that were under way are then done again, one at a time, in halves if need be: a run that twice loses
its worker while it is alone there is a failure.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .job import Failure, Job, Piece, piece_of, prepare, work

_SECONDS = 4.0
_MOST = 2_000
_AHEAD = 2  # jobs under way per worker: one it works at, one that waits
_POLL = 0.2
_CHANCES = 2  # times that a run may lose its worker while it is alone there
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")  # fmt: skip

Runs = NDArray[np.int64]
Pool = Callable[[], AbstractContextManager[Executor]]
"""Makes an executor, which ends with the context."""


class StoppedError(Exception):
    """Somebody asked to stop; what was under way has been finished and handed over."""


def processes(jobs: int, memory: int | None = None) -> Pool:
    """Return what makes a pool of spawned processes, each with one thread."""
    return partial(_spawned, jobs, memory)


def _spawned(jobs: int, memory: int | None) -> Executor:
    return ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context("spawn"), initializer=prepare,
        initargs=(memory, os.getpid()),
    )  # fmt: skip


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes started meanwhile bind their numeric libraries to one thread."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def execute(
    runs: Runs, job_of: Callable[[Runs], Job], pool: Pool, width: int,
    take: Callable[[Piece], None], stop: Callable[[], bool] = lambda: False,
) -> None:  # fmt: skip
    """Do runs and take the pieces as they come.

    Args:
        runs: their numbers.
        job_of: makes a job of some of them.
        pool: makes an executor; another one if a worker dies.
        width: how many workers it has.
        take: receives each piece, in the order in which they are finished.
        stop: whether to begin no more jobs.

    Raises:
        StoppedError: `stop` said so, and runs are left.
        BrokenExecutor: what `pool` gives takes no job.
    """
    with one_thread_each():
        while len(runs):
            suspects, runs = _together(runs, job_of, pool, width, take, stop)
            _one_by_one(suspects, job_of, pool, take, stop)


def _together(
    runs: Runs, job_of: Callable[[Runs], Job], pool: Pool, width: int,
    take: Callable[[Piece], None], stop: Callable[[], bool],
) -> tuple[list[Runs], Runs]:  # fmt: skip
    """Do runs in one pool; if it breaks, return the jobs that were under way, and what was left."""
    sizes = _Sizes(width)
    under_way: dict[Future[Piece], Runs] = {}
    lost: list[Runs] = []
    first, stopped, broken = 0, False, False
    with pool() as executor:
        while not broken and (first < len(runs) or under_way):
            while not stopped and first < len(runs) and len(under_way) < _AHEAD * width:
                part = runs[first : first + sizes.following(len(runs) - first)]
                try:
                    under_way[executor.submit(work, job_of(part))] = part
                except BrokenExecutor:
                    if not first:  # as it was given: so would the next one be
                        raise
                    broken = True
                    break
                first += len(part)
            if not under_way:
                break
            done, _ = wait(under_way, timeout=_POLL, return_when=FIRST_COMPLETED)
            for future in done:
                part = under_way.pop(future)
                try:
                    piece = future.result()
                except Exception as error:
                    if not _is_loss(error):
                        raise
                    broken |= isinstance(error, BrokenExecutor)
                    lost.append(part)
                    continue
                sizes.learn(len(piece.runs), piece.seconds)
                take(piece)
            stopped = stopped or stop()
    if stopped and first < len(runs):
        raise StoppedError
    return [*lost, *under_way.values()], runs[first:]


def _one_by_one(
    suspects: list[Runs], job_of: Callable[[Runs], Job], pool: Pool,
    take: Callable[[Piece], None], stop: Callable[[], bool],
) -> None:  # fmt: skip
    """Do jobs one after another, in halves where one breaks its pool, to find the run that does."""
    deaths: Counter[int] = Counter()
    while suspects:
        with pool() as executor:
            fresh = True
            while suspects:
                if stop():
                    raise StoppedError
                part = suspects.pop()
                try:
                    future = executor.submit(work, job_of(part))
                except BrokenExecutor:
                    if fresh:
                        raise
                    suspects.append(part)  # it is not this run that broke the pool
                    break
                fresh = False
                try:
                    take(future.result())
                except Exception as error:
                    if not _is_loss(error):
                        raise
                    if len(part) > 1:
                        suspects += [part[len(part) // 2 :], part[: len(part) // 2]]
                    elif deaths[int(part[0])] < _CHANCES - 1:  # it may have been killed by chance
                        deaths[int(part[0])] += 1
                        suspects.append(part)
                    else:
                        take(_died(int(part[0])))
                    if isinstance(error, BrokenExecutor):
                        break


def _is_loss(error: Exception) -> bool:
    """Return whether an error says that a worker was lost, and nothing of the run."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


def _died(run: int) -> Piece:
    failures = [Failure(run, "died", "its process died: killed, or out of memory")]
    return Piece(piece_of([], [run], failures, [0.0]), [run], failures)


class _Sizes:
    """How many runs to put into a job, by what they have taken."""

    def __init__(self, width: int) -> None:
        self._width, self._runs, self._seconds = width, 0, 0.0

    def learn(self, runs: int, seconds: float) -> None:
        self._runs += runs
        self._seconds += seconds

    def following(self, left: int) -> int:
        """Return the size of the next job: one run until it is known how long they take."""
        if not self._runs:
            return 1
        mean = max(self._seconds / self._runs, 1e-6)
        fair = -(-left // (2 * _AHEAD * self._width))
        return max(1, min(int(_SECONDS / mean), fair, _MOST))
