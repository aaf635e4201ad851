"""What the dashboard is started with: a scenario, the folder of a run, or that of a sweep."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from ...market.schema.errors import BadInputError, Problem, plain
from ...scenarios import library
from ...scenarios.load import read
from ...scenarios.result import Result
from ...scenarios.sweep import store
from ...scenarios.sweep.outcome import toml_of
from ...scenarios.sweep.swept import Sweep
from ..figures.sweep_frames import chosen, cube_of
from .numbers import keys

FIRST = "marketplace"
"""The scenario that a dashboard starts with, if none is named."""
_POINTS = 5_000  # runs of a sweep that are drawn
_IN_SUMMARY = {"welfare": "welfare", "miss": "miss_rate", "price": "price"}

Opened = tuple[dict[str, str], dict[str, Any]]
"""Targets of the scenarios by name, and what pages start with."""


def opened(target: str, beside: str = "") -> Opened:
    """Return what a dashboard shows.

    Args:
        target: a scenario's name or file, or a folder of `walras run` or `walras sweep`; the main
            scenario when empty.
        beside: another one, which is pinned from the start; none when empty.

    Raises:
        BadInputError: it is none of these, or has errors.

    Example:
        >>> targets, config = opened("mm1")
        >>> targets["mm1"], config["start"]
        ('mm1', {'scenario': 'mm1'})
    """
    targets, config = _opened(target)
    if beside:
        others, other = _opened(beside)
        start = other["start"]
        name = start["scenario"]
        if targets.get(name, others[name]) != others[name]:  # folders of one name
            start["scenario"] = f"other {name}"
            others[start["scenario"]] = others.pop(name)
        query = [("scenario", start["scenario"]), *(("set", s) for s in start.get("set", []))]
        config["pin"] = urlencode([*query, ("seed", start.get("seed", "0"))])
        targets = {**others, **targets}
    return targets, {**config, "keys": keys(), "pace": "600", "scenarios": list(targets)}


def _opened(target: str) -> Opened:
    targets = {name: name for name in library.names()}
    folder = Path(target)
    if target and _is_folder(folder):
        name, more = _sweep(folder) if (folder / "design.parquet").is_file() else _run(folder)
        targets = {name: str(folder / ("scenario.toml" if "sweep" in more else "resolved.toml")),
                   **{n: t for n, t in targets.items() if n != name}}  # fmt: skip
        return targets, more
    name = target or FIRST
    if name not in targets:
        own = read(name).require().name
        name = own if own and own not in targets else f"{own or Path(target).stem} (file)"
        targets = {name: target, **targets}
    return targets, {"start": {"scenario": name}}


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # a name no file can have


def _run(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return name and start of a run: the same market and seed again, beside what was recorded."""
    try:
        result = Result.load(folder)
    except (OSError, ValueError, KeyError) as error:
        told = plain(str(error).partition("\n")[0])
        raise BadInputError([Problem(
            "W100", f"`{plain(str(folder))}` holds neither a run nor a sweep: {told}",
            field="folder", hint="give a folder that `walras run` or `walras sweep` wrote",
        )]) from None  # fmt: skip
    rows = result.summary()
    whole = rows[(rows["task"] == "all") & (rows["offer"] == "all")].set_index("metric")["value"]
    values = {id: float(whole[m]) for id, m in _IN_SUMMARY.items() if m in whole.index}
    name = f"run {folder.name}"
    return name, {
        "start": {"scenario": name, "seed": str(result.seed)},
        "recorded": {"values": {k: v for k, v in values.items() if math.isfinite(v)}},
    }  # fmt: skip


def _sweep(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return name and start of a sweep: its runs as points that can be opened."""
    try:
        sweep = Sweep.load(folder)
        constants = [f"{p}={toml_of(v)}" for p, v in sweep.manifest["constants"].items()]
        drawn = _points(sweep, constants)
    except (OSError, ValueError, store.SweepFolderError) as error:
        told = plain(str(error).partition("\n")[0])
        raise BadInputError([Problem(
            "W100", f"`{plain(str(folder))}`: {told}", field="folder",
        )]) from None  # fmt: skip
    name = f"sweep {folder.name}"
    return name, {"start": {"scenario": name, "tab": "sweep", "set": constants}, "sweep": drawn}


def _points(sweep: Sweep, constants: list[str]) -> dict[str, Any]:
    """Return the runs of a sweep: its first path across, its measure up, and how to open each."""
    whole = cube_of(sweep)
    table = sweep.measure(*chosen(sweep))
    table = table.iloc[np.unique(np.linspace(0, len(table) - 1, _POINTS).astype(int))]
    rows: Any = table.merge(sweep.design[["run", "seed"]], on="run")
    values = {int(p): sweep.values(int(p)) for p in rows["point"].unique()}
    runs: list[dict[str, Any]] = []
    for row in rows[np.isfinite(rows["value"])].itertuples():
        at = values[row.point]
        first = at[sweep.paths[0]] if sweep.paths else 0
        runs.append({
            "x": first if isinstance(first, int | float) else json.dumps(first),
            "y": float(row.value), "seed": str(row.seed), "run": int(row.run),
            "set": [*constants, *(f"{path}={toml_of(value)}" for path, value in at.items())],
        })  # fmt: skip
    return {
        "x": sweep.paths[0] if sweep.paths else "", "y": whole.what, "unit": whole.unit,
        "runs": runs,
    }  # fmt: skip
