"""What takes minutes or gigabytes: `make torture`."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
import walras as w

tasks = [
    w.TaskClass("chat", w.Poisson(40.0), output_tokens=w.LogNormal(1.0, 1.5), value=1.0,
                delay_cost=0.05, choice=w.Logit(0.2)),
    w.TaskClass("code", w.Poisson(10.0), output_tokens=w.Exponential(2.0), value=2.0,
                deadline=9.0, patience="deadline", choice=w.Logit(0.2, nest=0.5)),
]
sellers = [
    w.Seller(f"s{i}", accuracy=0.7 + 0.05 * i, slots=20, kappa=10, price=w.per_task(0.1 + 0.05 * i))
    for i in range(6)
]
market = w.Market(tasks=tasks, sellers=sellers, platform={"commission": 0.05})
result = w.run(market, until=2e6, warmup=2e4, record="summary")
result.save(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
sys.stdout.write(f"{result.manifest['tasks']} {peak:.0f} {result.manifest['seconds']}")
"""


@pytest.mark.torture
def test_a_hundred_million_tasks_fit_in_a_gigabyte(tmp_path: object) -> None:
    """10⁸ tasks with `record="summary"`: memory does not grow with the run."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    tasks, peak, seconds = (float(x) for x in done.stdout.split())
    sys.stderr.write(f"\n{tasks:,.0f} tasks, {seconds:,.0f} s, peak {peak:,.0f} MB\n")
    assert tasks > 0.99e8
    assert peak < 1024
