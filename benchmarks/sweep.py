"""What a sweep costs beside its runs: time against joblib and a bare pool, memory of the parent.

Run as `python -m benchmarks.sweep`. All three do the same 500 runs on two workers, one after
another and several times over, and the same values come of each; compiling is apart, since workers
share the compiled cache. Absolute times mean little: what is stated are ratios. A worker is a
process of its own that imports the libraries first, which takes as long as fifty runs of two
simulated hours: so both a sweep of days, as papers have them, and one of such short runs.
"""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import walras as w
from walras.scenarios.sweep import store
from walras.scenarios.sweep.execute import one_thread_each
from walras.scenarios.sweep.job import Job, work
from walras.scenarios.sweep.planned import plan
from walras.scenarios.sweep.spec import Design
from walras.scenarios.sweep.sweep import sweep

WORKERS, RUNS = 2, 500
LENGTHS = {"three days": (259_200.0, 2), "two hours": (7_200.0, 3)}
"""Simulated seconds of a run, and how many times all are done."""
PRICES = [1.0 + 0.05 * i for i in range(10)]


def market(until: float) -> w.Market:
    """Return two sellers with queues, and buyers with tastes; some thirty tasks a minute."""
    task = w.TaskClass("chat", w.Poisson(0.5), value=2.0, delay_cost=0.05, choice=w.Logit(0.25),
                       output_tokens=w.LogNormal(1.0, cv=1.0))  # fmt: skip
    sellers = [w.Seller(n, accuracy=1.0, price=w.per_task(1.2)) for n in ("one", "two")]
    return w.Market([task], sellers, run=w.Run(until=until, epoch=until / 20))


def design() -> Design:
    """Return ten prices, fifty seeds each."""
    return Design(levers={"sellers.one.price.task": PRICES}, seeds=RUNS // len(PRICES))


def one(job: Job) -> tuple[bytes, float]:
    """Do a job as a bare pool would: no store, no chunks."""
    piece = work(job)
    return piece.content, piece.seconds


def jobs(until: float) -> list[Job]:
    """Return the runs, one a job."""
    planned = plan(market(until), design())
    return [
        Job(planned.base, [(run, planned.changes(run), planned.seed(run))])
        for run in range(planned.total)
    ]


def by_sweep(until: float) -> float:
    """Return the seconds that all runs took, summed."""
    with tempfile.TemporaryDirectory() as folder:
        out, todo = Path(folder) / "out", design()
        found = sweep(market(until), todo.levers, seeds=todo.seeds, out=out, jobs=WORKERS)
        if found.counts != (RUNS, 0):
            raise RuntimeError(f"{found!r}: all runs should have ended well")
        return sum(sum(piece.seconds) for piece in store.held(found.folder))


def by_pool(until: float) -> float:
    """Return the same of a bare pool of spawned processes."""
    with one_thread_each(), ProcessPoolExecutor(
        WORKERS, mp_context=multiprocessing.get_context("spawn")
    ) as pool:  # fmt: skip
        return sum(seconds for _, seconds in pool.map(one, jobs(until)))


def by_joblib(until: float) -> float:
    """Return the same of joblib's own processes, which it keeps from one round to the next."""
    from joblib import Parallel, delayed  # here, since workers of the others read this file, too

    with one_thread_each():
        found: Any = Parallel(n_jobs=WORKERS)(delayed(one)(job) for job in jobs(until))
    return float(sum(seconds for _, seconds in found))


def overhead(length: str, until: float, rounds: int) -> None:
    """Print wall time over (sum of run times / workers), of each way."""
    ways: dict[str, Callable[[float], float]] = {
        "walras sweep": by_sweep, "bare process pool": by_pool, "joblib": by_joblib,
    }  # fmt: skip
    work(jobs(until)[0])  # compiles
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.perf_counter()
            seconds = way(until)
            ratios[name].append((time.perf_counter() - begin) / (seconds / WORKERS))
    say(f"{RUNS} runs of {length}: wall / (sum of run times / {WORKERS})")
    for name, found in ratios.items():
        say(f"  {name:18} {', '.join(f'{ratio:.3f}' for ratio in sorted(found))}")


def memory(runs: int) -> None:
    """Do a sweep of many short runs, and print this process's peak memory, MB."""
    with tempfile.TemporaryDirectory() as folder:
        sweep(market(60.0), {"sellers.one.price.task": PRICES}, seeds=runs // len(PRICES),
              out=Path(folder) / "out", jobs=WORKERS)  # fmt: skip
    say(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Print the overhead of 500 runs, and the parent's memory at 100 and 10,000 runs."""
    for length, (until, rounds) in LENGTHS.items():
        overhead(length, until, rounds)
    for runs in (100, 1_000, 10_000):
        line = [sys.executable, "-m", "benchmarks.sweep", str(runs)]
        peak = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()[-1]  # noqa: S603
        say(f"{runs:6,} runs: the parent's memory peaks at {peak} MB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        memory(int(sys.argv[1]))
    else:
        main()
