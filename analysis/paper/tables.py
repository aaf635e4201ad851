"""The table of a folder for a paper: what it measured, with errors, and what that rests on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ...market.schema.errors import BadInputError, Problem, did_you_mean
from ...scenarios.compare import METRICS, Comparison
from ...scenarios.estimates import Estimate
from ...scenarios.result import Result, read_table
from ...scenarios.summary import ALL, unit_of
from ...scenarios.sweep.swept import Sweep
from ..sweeps.cube import sample_size
from .folder import Folder
from .latex import Errors, latex

_MOST_CLASSES = 5
_MOST_SETTINGS = 100
_SHOWN = ("welfare", "surplus", "profit", "miss_rate", "price", "sojourn")
_ERRORS = {
    "below": "Standard errors in parentheses", "beside": "After ± standard errors",
    "interval": "In brackets 95% intervals", "none": "Means without their errors",
}  # fmt: skip


def table_of(folder: Folder, *, metrics: Sequence[str] = (), errors: Errors = "below") -> str:
    """Return the main table of a folder in LaTeX.

    Of a run a column for each task class and for all, of a comparison one for each mechanism, of an
    equilibrium a row for each price, of a sweep one for each setting of its levers.

    Args:
        folder: what `folder.opened` returns.
        metrics: which measures, such as "welfare"; a usual choice if empty.
        errors: as `latex.latex` has it.

    Raises:
        BadInputError: it has no such measure, or more settings than a page holds.
        OSError: a file is missing.
        ValueError: a file is not what was written.
    """
    frame, across, rests = {
        "run": _run, "comparison": _comparison, "equilibrium": _equilibrium, "sweep": _sweep,
    }[folder.kind](folder, metrics)  # fmt: skip
    versions = folder.manifest.get("versions", {})
    made = f"walras {versions['walras']}" if "walras" in versions else "walras"
    said = rests if folder.kind == "equilibrium" else f"{_ERRORS[errors]}{rests}"
    return latex(
        frame, across=across, errors=errors, caption=folder.name,
        label=f"tab:{folder.path.resolve().name}".replace(" ", "-"), note=f"{said} Made by {made}.",
    )  # fmt: skip


def _run(folder: Folder, metrics: Sequence[str]) -> tuple[pd.DataFrame, str, str]:
    result = Result.load(folder.path)
    summary = result.summary()
    rows = summary[(summary["offer"] == ALL) & summary["value"].notna()]
    if len(result.market.tasks) > _MOST_CLASSES:
        rows = rows[rows["task"] == ALL]
    rows = _chosen(rows, metrics or METRICS, strict=bool(metrics))
    if len(result.market.tasks) == 1:
        rows = rows[rows["task"] == ALL]
    return rows[["metric", "unit", "task", "value", "se", "n"]], "task", _rests(result)


def _comparison(folder: Folder, metrics: Sequence[str]) -> tuple[pd.DataFrame, str, str]:
    comparison = Comparison.load(folder.path)
    levels = comparison.levels()
    rows = levels[(levels["task"] == ALL) & levels["value"].notna()]
    rows = _chosen(rows, metrics or METRICS, strict=bool(metrics))
    columns = ["metric", "unit", "mechanism", "value", "se", "low", "high", "n"]
    return rows[columns], "mechanism", _rests(comparison.first)


def _equilibrium(folder: Folder, metrics: Sequence[str]) -> tuple[pd.DataFrame, str, str]:
    if metrics:
        raise _wrong("the table of an equilibrium is of its prices; it has no other measures")
    levers = read_table(folder.path / "levers.parquet")
    how = folder.manifest["solved"]
    what = "joint-profit prices" if how.get("joint") else "prices no seller gains by leaving"
    said = "posted prices" if how.get("prices") == "posted" else what
    frame = levers.drop(columns=["owner"] if (levers["owner"] == levers["lever"]).all() else [])
    return frame, "", f"Scenario {folder.name}: {said}, in the fluid market."


def _sweep(folder: Folder, metrics: Sequence[str]) -> tuple[pd.DataFrame, str, str]:
    swept = Sweep.load(folder.path)
    levers = [p for p, role in swept.manifest["paths"].items() if role == "lever"]
    by = swept.design[levers].drop_duplicates()
    if len(by) > _MOST_SETTINGS:
        raise _wrong(f"{len(by):,} settings of levers; a table has room for {_MOST_SETTINGS}")
    if not (folder.path / "results.parquet").is_file():
        raise _wrong(f"the sweep in {folder.path} is not done; `walras status` says what is left")
    columns: dict[str, Any] = {}
    for metric in metrics or _SHOWN:
        try:
            column = _settings(swept.measure(metric), levers)
        except KeyError:
            if metrics:
                raise _unknown(metric, METRICS) from None
            continue
        columns |= {metric: column["mean"], f"{metric}_se": column["se"],
                    f"{metric}_low": column["low"], f"{metric}_high": column["high"]}  # fmt: skip
        runs = column["count"]
    if not columns:
        raise _wrong("no run of the sweep has a usual measure; name one with --metric")
    frame = pd.DataFrame(columns).reset_index(drop=not levers)
    for lever in levers:
        frame[lever] = [_plain(value) for value in frame[lever]]
    shown = [name for name in columns if f"{name}_se" in columns]
    frame.attrs["units"] = {name: unit_of(name) for name in shown}
    return frame, "", f", over {_over(runs, sample_size(swept))}. Sweep {folder.name}."


def _over(runs: pd.Series, points: int) -> str:
    """Say what means of settings are of: replications, each with all points of the sample."""
    least, most = int(runs.min()), int(runs.max())
    number = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    each = f" of {points:,} points" if points > 1 else ""
    alone = "; one alone has no error" if least == 1 else ""
    return f"{number} replication{'s' * (most > 1)}{each} at each setting{alone}"


def _plain(value: Any) -> Any:
    """Return a value of a design's table as a reader has it: texts hold JSON."""
    told = json.loads(value) if isinstance(value, str) else value
    return told if isinstance(told, str | int | float) or told is value else json.dumps(told)


def _settings(rows: pd.DataFrame, levers: list[str]) -> pd.DataFrame:
    """Return mean, standard error, 95% interval and count of a measure at each setting.

    What is independent, and counted, is a replication with all points of the sample: runs at two
    points of it have luck in common.
    """
    each = rows.groupby([*levers, "rep"], sort=False)["value"].mean()
    groups = each.groupby(level=levers, sort=False) if levers else each.groupby(lambda _: 0)
    found = groups.agg(["mean", "sem", "count"]).rename(columns={"sem": "se"})
    rows_of = zip(found["mean"], found["se"], found["count"], strict=True)
    ends = [Estimate(mean, se, int(n), int(n) - 1).interval() for mean, se, n in rows_of]
    found["low"], found["high"] = zip(*ends, strict=True)
    return found.rename_axis(index=levers or None)


def _rests(result: Result) -> str:
    run = result.market.run
    each = (
        f"from {result.reps} replications" if result.reps > 1
        else "from batch means of one replication"
    )  # fmt: skip
    warm = f" after {run.warmup:g} s of warm-up" if run.warmup else ""
    return (f", {each} of {run.until:g} s{warm}. Scenario {result.market.name}, seed "
            f"{result.seed}, digest {result.digest[:8]}.")  # fmt: skip


def _chosen(rows: pd.DataFrame, metrics: Sequence[str], *, strict: bool) -> pd.DataFrame:
    known = list(dict.fromkeys(rows["metric"]))
    for metric in metrics if strict else ():
        if metric not in known:
            raise _unknown(metric, known)
    order = {m: i for i, m in enumerate(metrics)}
    kept = rows[rows["metric"].isin(order)]
    kept = kept.sort_values("metric", key=lambda m: m.map(order), kind="stable")
    return kept.assign(metric=kept["metric"].str.replace("_", " "))


def _unknown(metric: str, known: Sequence[str]) -> BadInputError:
    hint = did_you_mean(metric, known) or f"measures: {', '.join(known)}"
    return BadInputError([Problem("W105", f"there is no measure {metric}", hint=hint)])


def _wrong(message: str) -> BadInputError:
    return BadInputError([Problem("W105", message)])
