"""A folder of each kind, small, made once: what commands for papers are tried on."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import walras as w
from walras.analysis.equilibrium.solved import equilibrium
from walras.analysis.equilibrium_folder import save_tables
from walras.market.schema.market import Market
from walras.scenarios.sweep.file import read_design
from walras.scenarios.sweep.planned import plan
from walras.scenarios.sweep.sweep import carry_out

from .two_sellers import SCENARIO

SWEEP = """
scenario = "two.toml"
seeds = 3
[levers]
"sellers.one.price.task" = [1.0, 1.2]
"sellers.two.slots" = [1, 2, -1]
mechanism = ["posted_price"]
"""
KINDS = ("run", "comparison", "equilibrium", "sweep")


def two(**changes: str) -> Market:
    """Return the scenario, with changes such as `run_until="1 min"`."""
    listed = [f"{path.replace('_', '.')}={value}" for path, value in changes.items()]
    from walras.scenarios.load import check

    return check(SCENARIO, overrides=listed).require()


def make(place: Path) -> Path:
    """Write a folder of each kind into a place, by absolute paths as careless users do."""
    scenario = place / "two.toml"
    scenario.write_text(SCENARIO)
    run = w.run(two(), seed=5)
    run.save(place / "run", command=f"walras run {scenario} --seed 5 --out {place}")
    (place / "run" / "scenario.toml").write_text(SCENARIO)
    (place / "run" / "notes.txt").write_text("mine")
    (place / "run" / "report.html").write_text(f"<p>walras run {scenario} of {Path.home()}</p>")
    both = w.compare(two(), ["posted_price", "vickrey"], seed=5)
    replace(both, command=f"walras run {scenario} --mechanism posted_price,vickrey").save(
        place / "comparison"
    )
    how = {"fixed": [], "joint": False, "prices": "solved", "tolerance": 1e-3}
    manifest = {"command": f"walras equilibrium {scenario}", "seed": 0, "solved": how}
    found = replace(equilibrium(two(), certificate=False), manifest=manifest)
    save_tables(found, place / "equilibrium", resolved=w.to_toml(two()))
    design = place / "price.toml"
    design.write_text(SWEEP)
    planned = plan(scenario, read_design(design)[0], given=SWEEP)
    command = shlex.join(["walras", "sweep", str(design), "--out", str(place / "sweep")])
    with ThreadPoolExecutor(1) as threads:
        carry_out(planned, place / "sweep", lambda: nullcontext(threads), 1, command=command)
    return place
