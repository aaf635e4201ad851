"""`walras list`: what there is, one line each."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .card import duration
from .market.schema.errors import plain
from .scenarios import library

if TYPE_CHECKING:
    from .analysis.figures import Figure

Rows = list[dict[str, str]]


def scenarios() -> Rows:
    """Return the scenarios of the library with the questions they answer."""
    rows = []
    for path in library.files():
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        until = data.get("run", {}).get("until", "1 h")
        length = until if isinstance(until, str) else duration(until)
        about = f"{data.get('question', '')} ({length} simulated)"
        rows.append({"name": path.stem, "about": about})
    return rows


def figures() -> Rows:
    """Return the figures of reports with the questions they answer."""
    from .analysis.figures import BOUNDARIES, COMPARISONS, EQUILIBRIA, FIGURES, GAMES, SWEEPS

    rows = [{"name": f.id, "about": f.question} for f in FIGURES.values()]
    rows += [{"name": f.id, "about": f.question} for f in COMPARISONS.values()]
    rows += [{"name": f.id, "about": f"{f.question} (equilibrium)"} for f in EQUILIBRIA.values()]
    rows += [{"name": f.id, "about": f"{f.question} (sweep)"} for f in SWEEPS.values()]
    rows += [{"name": f.id, "about": f"{f.question} (boundary)"} for f in BOUNDARIES.values()]
    return rows + [
        {"name": f.id, "about": f"{f.question} (game of strategies)"} for f in GAMES.values()
    ]


def figure(name: str) -> str:
    """Say what a figure of a report, such as F1, is about; empty if there is none."""
    if not re.fullmatch(r"[FfMm][0-9]{1,3}[bc]?", name):
        return ""  # without importing what draws them
    from .analysis.figures import BOUNDARIES, COMPARISONS, EQUILIBRIA, FIGURES, GAMES, SWEEPS

    id = name[0].upper() + name[1:]
    homes: tuple[tuple[Mapping[str, Figure[Any]], str, str], ...] = (
        (FIGURES, "a run folder", "result"), (COMPARISONS, "a comparison", "comparison"),
        (EQUILIBRIA, "an equilibrium", "equilibrium"), (GAMES, "", "game"),
        (SWEEPS, "", "sweep"), (BOUNDARIES, "", "boundary"),
    )  # fmt: skip
    told = []
    for figures, folder, given in homes:
        if id in figures:
            function = figures[id].builder.__module__.rpartition(".")[2]
            where = f"  in       report.html of {folder}\n" if folder else ""
            told.append(f"{id}: {figures[id].question}\n{where}"
                        f"  Python   walras.plot.{function}({given})")  # fmt: skip
    return "\n".join(told)


def runs(folder: Path) -> Rows:
    """Return the finished runs in a folder, the newest first."""
    rows = []
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if not p.name.startswith(".")]
    manifests = [p / "manifest.json" for p in found if (p / "manifest.json").is_file()]
    for manifest in sorted(manifests, key=lambda p: -p.stat().st_mtime):
        try:
            data = json.loads(manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # not one of ours
        about = str(data.get("command", "")) if isinstance(data, dict) else ""
        rows.append({"name": plain(manifest.parent.name), "about": plain(about, 200)})
    return rows
