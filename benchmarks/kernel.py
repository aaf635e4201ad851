"""How fast the kernel is, against the same market as plain SimPy processes (`tests/oracle`).

`python -m benchmarks.kernel` from the project's folder, or `make bench`. Both sides clear the same
tasks with the same tastes, one after the other in one process, and must end with the same
trades; both write a row for every task. Building the market, compiling and (for the oracle)
drawing the tasks and tastes are not timed; the kernel makes its tasks and tastes as it goes.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import io
import platform
import pstats
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.oracle.compare import Kernel, difference, rows_of, run_kernel
from tests.oracle.draws import Draws, draw_tables
from tests.oracle.market import Simulation
from walras.market.engine import Engine
from walras.market.schema.market import Market

SEED = 1
LOAD = 0.7


class Case(NamedTuple):
    """One line of the result: a size, a mechanism, and whether values differ within a class."""

    offers: int
    mechanism: str = "posted_price"
    drawn: bool = False


CASES = [Case(5), Case(20), Case(100), Case(20, "second_score"), Case(20, drawn=True)]


def write(line: str = "") -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def market_of(case: Case) -> Market:
    """Return batching sellers, each one offer, and two classes of logit buyers with deadlines.

    16 slots at kappa 8 serve 16·8/23 times the work of one stream alone; that is the capacity
    that the load is a share of.
    """
    n = case.offers
    sellers = [
        {
            "name": f"seller-{s}", "accuracy": 0.8 + 0.18 * s / n,
            "speed": 80.0 + 80.0 * (7 * s % n) / n, "kappa": 8.0, "slots": 16,
            "prefill_rate": 4000.0,
            "price": {"input": 0.1, "output": 0.4 + 2.0 * (3 * s % n) / n},
            "cost": {"input": 0.02, "output": 0.1},
        }
        for s in range(n)
    ]  # fmt: skip
    work = [200.0 + 500.0 * 0.03, 400.0]  # chat reads its input at 120/4000 of a token's work
    capacity = 120.0 * 16 * 8 / 23 * n
    rate = LOAD * capacity / sum(work)
    value: Any = {"kind": "lognormal", "mean": 0.02, "cv": 0.5} if case.drawn else 0.02
    tasks = [
        {
            "name": "chat", "arrivals": {"kind": "poisson", "rate": rate}, "input_tokens": 500,
            "output_tokens": {"kind": "exponential", "mean": 200.0}, "value": value,
            "delay_cost": 1e-4, "deadline": 20.0, "choice": {"kind": "logit", "scale": 0.003},
        },
        {
            "name": "code", "arrivals": {"kind": "poisson", "rate": rate},
            "output_tokens": {"kind": "lognormal", "mean": 400.0, "cv": 1.0}, "value": value,
            "delay_cost": 2e-4, "deadline": 40.0, "lateness": {"kind": "linear", "grace": 20.0},
            "patience": "deadline", "choice": {"kind": "logit", "scale": 0.003},
        },
    ]  # fmt: skip
    return Market.model_validate({"tasks": tasks, "sellers": sellers, "mechanism": case.mechanism})


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds an action takes, and its result."""
    gc.collect()
    begin = time.perf_counter()
    result = action()
    return time.perf_counter() - begin, result


def once(market: Market, draws: Draws, until: float) -> tuple[float, float, Kernel, Simulation]:
    """Run both sides; return seconds of the kernel and of the oracle, and the runs."""
    found: list[Any] = []
    engine = Engine(market, SEED, keep=found.append)
    fast, _ = timed(lambda: run_kernel(engine, [], until))
    tables = Engine(market, SEED).state
    oracle = Simulation(market, tables, draws, [])
    slow, _ = timed(lambda: oracle.run(until))
    return fast, slow, rows_of(engine, found), oracle


def compile_seconds() -> float:
    """Return the time of the first short run: compilation, or reading it from the cache."""
    market = market_of(CASES[0])
    return timed(lambda: Engine(market, SEED).advance(10.0))[0]


def measure(case: Case, tasks: int, repetitions: int) -> None:
    """Run one case several times, verify it and write its line."""
    market = market_of(case)
    until = tasks / sum(market.arrival_rate(task) for task in market.tasks)
    draws = draw_tables(Engine(market, SEED), until)
    seconds = []
    for _ in range(repetitions):
        fast, slow, kernel, oracle = once(market, draws, until)
        seconds.append((fast, slow))
        wrong = difference(kernel, oracle, exact=False)
        if wrong:
            raise SystemExit(f"the two sides differ: {wrong}")
    count = len(draws.demand)
    ratios = sorted(slow / fast for fast, slow in seconds)
    rates = [count / statistics.median(s) for s in zip(*seconds, strict=True)]
    served = sum(trade.status == 0 for trade in oracle.trades)
    waited = sum(trade.wait > 0 for trade in oracle.trades)
    name = case.mechanism + (", drawn values" if case.drawn else "")
    write(
        f"{case.offers:6} {name:26} {rates[0]:12,.0f} {rates[1]:10,.0f} "
        f"{statistics.median(ratios):7.0f} {ratios[0]:6.0f}–{ratios[-1]:<6.0f} "
        f"{served / count:7.1%} {waited / count:7.1%}"
    )


def profile(case: Case, tasks: int) -> None:
    """Write where the oracle spends its time."""
    market = market_of(case)
    engine = Engine(market, SEED)
    until = tasks / sum(market.arrival_rate(task) for task in market.tasks)
    oracle = Simulation(market, engine.state, draw_tables(engine, until), [])
    profiler = cProfile.Profile()
    profiler.runcall(oracle.run, until)
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(15)
    write(f"oracle's profile, {case.offers} offers, {case.mechanism}")
    write(text.getvalue())


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description="Measure the kernel against the plain simulation.")
    parser.add_argument("--tasks", type=int, default=100_000, help="tasks per run")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each side")
    parser.add_argument("--profile", action="store_true", help="show where the oracle spends time")
    options = parser.parse_args()
    write(f"{platform.machine()}, Python {platform.python_version()}")
    write(f"first run, compiling or reading the cache: {compile_seconds():.1f} s, not counted")
    write(f"{options.tasks:,} tasks, {options.repetitions} repetitions; medians")
    write(f"{'':33} {'kernel':>12} {'oracle':>10} {'ratio':>7} {'spread':>13}")
    write(f"{'offers':>6} {'mechanism':26} {'tasks/s':>12} {'tasks/s':>10} {'median':>7} "
          f"{'min–max':>13} {'served':>7} {'waited':>7}")  # fmt: skip
    for case in CASES:
        measure(case, options.tasks, options.repetitions)
    if options.profile:
        for case in CASES[:3]:
            profile(case, options.tasks)


if __name__ == "__main__":
    main()
