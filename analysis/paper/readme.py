"""The README of a replication package, after the AEA data editor's template."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...market.schema.arrivals import Replay
from ...market.schema.market import Market
from ..figures import COMPARISONS, EQUILIBRIA, FIGURES, SWEEPS
from ..report_tables import sources
from .folder import Folder
from .odd import PROTOCOL
from .parts import literature
from .prose import Work, inline
from .scrub import bare_command
from .verify_sweep import pieces_of

_TEMPLATE = Work("Vilhuber, L., Connolly, M., Koren, M., Llull, J. and Morrow, P.", "2022",
                 "A template README for social science replication packages", "Zenodo")  # fmt: skip
_FIGURES: dict[str, Mapping[str, Any]] = {
    "run": FIGURES, "comparison": COMPARISONS, "equilibrium": EQUILIBRIA, "sweep": SWEEPS,
}  # fmt: skip
_ABOUT = {
    "manifest.json": "what the results are of: seed, versions, command, digests of files",
    "scenario.toml": "the scenario as it was given", "sweep.toml": "the design of the sweep",
    "resolved.toml": "the scenario with every field", "report.html": "report; opens offline",
    "summary.parquet": "means after warm-up with standard errors",
    "epochs.parquet": "counts, times, money by epoch, task class, offer",
    "sellers.parquet": "load and profit of sellers by epoch",
    "prices.parquet": "posted prices by epoch", "latencies.parquet": "histogram of sojourns",
    "trades.parquet": "finished tasks, a row each, or a keyed sample",
    "accounts.parquet": "balances of the ledger", "contracts.parquet": "who holds which contract",
    "comparison.parquet": "paired differences of mechanisms",
    "levels.parquet": "means of each mechanism", "offers.parquet": "who serves what",
    "levers.parquet": "prices of the equilibrium", "equilibrium.json": "all that was solved",
    "deviations.parquet": "what deviations gain in simulation",
    "design.parquet": "the value of each path in each run",
    "results.parquet": "measures of all runs", "failures.parquet": "runs that failed, and why",
}  # fmt: skip


def readme(folder: Folder, market: Market, files: Mapping[str, bytes]) -> str:
    """Return the README of a package.

    Args:
        folder: what is packed.
        market: its scenario.
        files: what the package holds, by name.
    """
    title = f"# Replication package: {inline(folder.name)}"
    asked = inline(str(folder.manifest.get("question") or market.question))
    overview = (
        f"## Overview\n\n{asked or 'A simulated market.'}\n\nThis package holds a {folder.kind} of "
        "a market that was simulated with walras, how it was made, and how to make it again. The "
        f"model is described in `odd.md`. {_how_long(folder)}"
    )
    return "\n\n".join([
        title, overview, _availability(market), _datasets(files), _requirements(folder),
        _programs(), _instructions(folder, files), _exhibits(folder, files), _references(market),
    ]) + "\n"  # fmt: skip


# --- data ----------------------------------------------------------------------------------------


def _availability(market: Market) -> str:
    told = []
    for task in market.tasks:
        if isinstance(task.arrivals, Replay) and task.arrivals.file:
            file, origin = Path(task.arrivals.file).name, task.arrivals.get_from
            told.append(
                f"- {inline(file)}: recorded arrivals of {task.name}, from "
                f"{inline(origin) or '[where to get it]'}. It is not in this package; put it into "
                "the folder that the environment variable `WALRAS_DATA` names."
            )
    listed = [f"- {key}: {text}" for table in sources(market)[:1] for key, text in table.rows]
    if listed:
        told.append(
            f"- Prices, speeds and scores of sellers: the catalogue {market.catalogue} that comes "
            "with walras. Its sources:\n\n" + "\n".join(f"    {line}" for line in listed)
        )
    external = "\n".join(told) or "No external data are used: all data are simulated."
    return (
        "## Data availability and provenance statements\n\n### Statement about rights\n\n"
        "- [ ] We certify that the authors have permission to use and to publish the data in this "
        "package.\n\nThe data in `data/` are simulated; see `LICENSE.txt`.\n\n"
        f"### Details on each data source\n\n{external}"
    )


def _datasets(files: Mapping[str, bytes]) -> str:
    rows = []
    for name in sorted(files):
        if not name.startswith("data/"):
            continue
        if "/pieces/" in name:
            continue
        about = _ABOUT.get(PurePosixPath(name).name, "a figure, or its data")
        rows.append((f"`{name}`", about, _size(name, files[name])))
    pieces = [name for name in files if "/pieces/" in name]
    if pieces:
        rows.append(("`data/pieces/`", "measures of runs as they were finished",
                     f"{len(pieces):,} files"))  # fmt: skip
    table = _table(("file", "what it holds", "rows × columns"), rows)
    return (
        f"## Dataset list\n\n{table}\n\nColumns of Parquet files carry their units in the field's "
        "metadata. `SHA256SUMS` lists the checksum of every file: `sha256sum -c SHA256SUMS`."
    )


def _size(name: str, content: bytes) -> str:
    if not name.endswith(".parquet"):
        return ""
    try:
        told = pq.read_metadata(pa.BufferReader(content))
    except pa.ArrowException:
        return "cannot be read"
    return f"{told.num_rows:,} × {told.num_columns}"


# --- computation ---------------------------------------------------------------------------------


def _requirements(folder: Folder) -> str:
    told = {**(folder.runs[0].manifest if folder.runs else {}), **folder.manifest}
    versions = ", ".join(f"{name} {v}" for name, v in told.get("versions", {}).items())
    seeds = f"seed {told.get('seed', 0)}"
    if folder.kind == "sweep":
        pairing = "the same for all points" if told.get("paired") else "of each point its own"
        seeds += f", from which {told['seeds']:,} replications have theirs, {pairing}"
    elif told.get("reps", 1) > 1:
        seeds += f", from which {told['reps']:,} replications have theirs"
    lines = [
        f"- Python {told.get('python', 'of a version that was not noted')}; {versions or 'walras'}",
        "- all packages with their versions: `requirements.txt`",
        f"- Controlled randomness: {seeds}. Every draw is a hash of the seed and of what it is "
        "for; the same seed gives the same numbers on any machine.",
        f"- Memory, run time: {_how_long(folder)}",
        f"- Machine: {told.get('platform', 'not noted')}. Any laptop of the last years will do; "
        "the first run compiles for about a minute.",
    ]
    return "## Computational requirements\n\n" + "\n".join(lines)


def _how_long(folder: Folder) -> str:
    """Return how long results took and what memory, as far as their folder tells."""
    if folder.kind == "sweep":
        seconds = [s for piece in pieces_of(folder.path)[0] for s in piece.seconds]
        each = sum(seconds) / len(seconds) if seconds else 0.0
        peaks = folder.manifest.get("memory_mb", {})
        most = (
            f"{peaks['worker']:,.0f} MB of memory for the largest worker process, "
            f"{peaks['parent']:,.0f} MB for the one that hands out runs"
            if peaks.get("worker") else "memory was not noted, a worker takes some hundred MB"
        )  # fmt: skip
        return (f"The {len(seconds):,} runs took {_time(sum(seconds))} of one core, {each:.2g} s "
                f"each; {most}.")  # fmt: skip
    runs = folder.runs
    if not runs:
        return "It takes minutes on one core; time and memory were not noted."
    seconds = [float(run.manifest["seconds"]) for run in runs]
    memory = max(float(run.manifest["memory_mb"]) for run in runs)
    return f"It took {_time(sum(seconds))} of one core and {memory:,.0f} MB of memory."


def _time(seconds: float) -> str:
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2.0 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.2g} s"


def _programs() -> str:
    return (
        "## Description of programs\n\nAll results are made by the command line of walras, which "
        "`requirements.txt` names with its version; there is no other code. If no package index "
        "has that version, install its source archive first. The scenario is data: `data/` holds "
        "it.\n\n### License for code\n\nMIT; see `LICENSE.txt`."
    )


def _instructions(folder: Folder, files: Mapping[str, bytes]) -> str:
    lines = [
        "python -m venv env && . env/bin/activate", "pip install -r requirements.txt",
        "sha256sum -c SHA256SUMS", "walras verify data",
    ]  # fmt: skip
    again = _again(folder, files)
    lines += [again] if again else []
    lines += ["walras verify data --runs all"] if folder.kind == "sweep" else []
    told = (
        "`walras verify` compares the digests of files, simulates anew (of a sweep a few runs, or "
        "all) and compares the numbers; it ends with exit code 0 if all come out again."
    )
    made = bare_command(folder.command)
    first = f"\n\nThe results were made by `{made}`." if made else ""
    commands = "\n".join(f"    {line}" for line in lines)
    return f"## Instructions to replicators\n\n{commands}\n\n{told}{first}"


def _again(folder: Folder, files: Mapping[str, bytes]) -> str:
    """Return the command that makes results anew from the package; "" if they name none."""
    words = shlex.split(bare_command(folder.command)) if folder.command else []
    if len(words) < 3 or words[0] != "walras":
        return ""
    if folder.kind == "sweep":
        return ""  # `verify --runs all` makes all runs anew
    within = "data/" if folder.kind != "comparison" else f"data/{folder.runs[0].path.name}/"
    given = [n for n in (within + Path(words[2]).name, f"{within}scenario.toml",
                         f"{within}resolved.toml") if n in files]  # fmt: skip
    words[2] = given[0] if given else words[2]
    for i, word in enumerate(words):
        if word == "--out" and i + 1 < len(words):
            del words[i : i + 2]
            break
    return shlex.join([*words, "--out", "anew"])


def _exhibits(folder: Folder, files: Mapping[str, bytes]) -> str:
    rows = [
        (f"Figure {figure.id}", figure.question, f"`walras figure {figure.id} data -o {id}.pdf`",
         _drawn(id, files))
        for id, figure in _FIGURES[folder.kind].items()
    ]  # fmt: skip
    main = {"run": "summary", "comparison": "levels", "equilibrium": "levers", "sweep": "results"}
    rows.append(("Table", "means with standard errors" if folder.kind != "equilibrium" else
                 "prices", "`walras table data -o table.tex`",
                 f"`data/{main[folder.kind]}.parquet`"))  # fmt: skip
    head = ("exhibit", "what it shows", "command", "data")
    return f"## List of figures, tables and programs\n\n{_table(head, rows)}"


def _drawn(id: str, files: Mapping[str, bytes]) -> str:
    """Return the file of a figure's data: in the package, or as its command writes it."""
    name = f"data/{id}.csv"
    return f"`{name}`" if name in files else f"`{id}.csv`, which the command writes beside it"


def _references(market: Market) -> str:
    works = sorted([*literature(market), PROTOCOL, _TEMPLATE], key=lambda w: w.key)
    listed = "\n".join(f"- {work.cited}" for work in works)
    return f"## References\n\nAs BibTeX in `CITATION.bib`.\n\n{listed}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_bar, line))} |" for line in lines)


def _bar(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|")
