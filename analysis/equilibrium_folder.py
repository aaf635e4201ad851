"""The folder of an equilibrium: its tables and figures as files, and back from there."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..market.schema.market import Market
from ..scenarios.load import check
from ..scenarios.result import file_digest, read_table, write_table
from .certificate.certificate import Certificate
from .equilibrium.companions import joint_of, simulated_at
from .equilibrium.game import game_of
from .equilibrium.kept import kept, restored
from .equilibrium.pricing import PricePoint
from .equilibrium.solved import Equilibrium, equilibrium, of_point

_ALWAYS = ("offers.parquet", "levers.parquet", "equilibrium.json")
_MARKET, _DEVIATIONS, _SOLVER = "resolved.toml", "deviations.parquet", "solver.json"
_SAME = 1e-6
"""Relative difference up to which prices are those that a certificate is about."""
_UNKNOWN = {"epsilon": math.nan, "upper": math.inf, "upper_usd": math.inf}
"""What a certificate says without a look, for which JSON has no number."""


def save_tables(found: Equilibrium, folder: Path, *, resolved: str = "") -> None:
    """Write offers, levers and deviations as Parquet, and as JSON what else is known.

    `equilibrium.json` has the point and what it is worth, `solver.json` how it was found,
    `manifest.json` what it came from.

    Args:
        found: the point.
        folder: where; it is made if there is none.
        resolved: the market that was solved, as TOML, without which the folder is not loaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"offers": found.offers, "levers": found.levers}
    if found.certificate is not None:
        tables["deviations"] = found.certificate.deviations
    for name, table in tables.items():
        write_table(table, folder / f"{name}.parquet")
    told = json.dumps(finite(found.as_dict()), indent=1, allow_nan=False) + "\n"
    (folder / "equilibrium.json").write_text(told, encoding="utf-8")
    (folder / _SOLVER).write_text(
        json.dumps(finite(kept(found.point)), allow_nan=False) + "\n", encoding="utf-8"
    )
    names = [*(f"{name}.parquet" for name in tables), "equilibrium.json", _SOLVER]
    if resolved:
        (folder / _MARKET).write_text(resolved, encoding="utf-8", newline="")
        names.append(_MARKET)
    files = {name: file_digest(folder / name) for name in names}
    manifest = {**found.manifest, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def load_equilibrium(
    folder: Path, *, beside: Literal["", "joint", "simulated"] = ""
) -> Equilibrium:  # fmt: skip
    """Return what a folder of `walras equilibrium` tells of, with its certificate.

    Shares and delays are solved anew, prices only where they are stationary no more, and all else
    when it is asked for. A certificate is about prices: where others are found now, they have none.

    Args:
        folder: its folder.
        beside: what of its companions to find once more, too; none when empty.

    Raises:
        OSError: a file is missing.
        BadInputError: the market is none, or has no such equilibrium.
        ValueError: a file is not what was written.
    """
    manifest = _manifest(folder)
    how = manifest["solved"]
    market = _market(folder / _MARKET)
    point = _point(folder, manifest, market)
    found = of_point(point) if point is not None else equilibrium(
        market, fixed=how["fixed"], joint=how["joint"], prices=how["prices"], certificate=False
    )  # fmt: skip
    found = replace(found, certificate=_certificate(folder, found))
    if beside == "joint":
        found = replace(found, joint=joint_of(found))
    elif beside == "simulated":
        found = replace(found, simulated=simulated_at(found, manifest["seed"]))
    return replace(found, manifest=manifest)


def load_whole(folder: Path) -> Equilibrium:
    """Return what a folder tells of with all that its report sets beside it, found once more.

    Raises:
        OSError: a file is missing.
        BadInputError: the market is none, or has no such equilibrium.
        ValueError: a file is not what was written.
    """
    found = load_equilibrium(folder, beside="simulated")
    return replace(found, joint=joint_of(found))


def _manifest(folder: Path) -> dict[str, Any]:
    """Return what a folder came from, once all files are known to be as they were written."""
    path = folder / "manifest.json"
    told = _object(path)
    how, files = told.get("solved"), told.get("files")
    told.setdefault("command", "")
    told.setdefault("seed", 0)
    if not isinstance(how, dict):
        raise ValueError(f"{path} does not tell what was solved: `solved` is no table")
    names, tolerance = how.get("fixed"), how.get("tolerance", 1.0)
    checks = {
        "solved.fixed": isinstance(names, list) and all(isinstance(n, str) for n in names),
        "solved.joint": isinstance(how.get("joint"), bool),
        "solved.prices": how.get("prices") in ("solved", "posted"),
        "solved.tolerance": _is_number(tolerance) and tolerance > 0.0,
        "command": isinstance(told["command"], str),
        "seed": isinstance(told["seed"], int) and 0 <= told["seed"] < 2**63,
        "files": isinstance(files, dict) and set(_ALWAYS) <= set(files)
        and set(files) <= {*_ALWAYS, _MARKET, _DEVIATIONS, _SOLVER},
    }  # fmt: skip
    for name, fine in checks.items():
        if not fine:
            raise ValueError(f"{path} was changed since it was written: `{name}` is wrong")
    for name, digest in (files or {}).items():
        if not (folder / name).is_file():
            raise ValueError(f"{folder / name} is missing")
        if file_digest(folder / name) != digest:
            raise ValueError(f"{folder / name} was changed since it was written")
    return told


def _object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    try:
        told = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise ValueError(f"{path} holds no table")
    return told


def _market(path: Path) -> Market:
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text: {error}") from None
    return check(text, file=path.name).require()


def _point(folder: Path, manifest: dict[str, Any], market: Market) -> PricePoint | None:
    """Return the point of a folder; None if it tells of none that still is one."""
    if _SOLVER not in manifest["files"]:
        return None
    path, how = folder / _SOLVER, manifest["solved"]
    game = game_of(market, fixed=how["fixed"], joint=how["joint"])
    try:
        return restored(game, _object(path))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not tell how prices were found: {error}") from None


def _certificate(folder: Path, found: Equilibrium) -> Certificate | None:
    """Return the certificate of a folder, None if it has none or one of other prices."""
    path = folder / "equilibrium.json"
    told = _object(path).get("certificate")
    if told is None or not _same_prices(read_table(folder / "levers.parquet"), found.levers):
        return None
    names = [f.name for f in fields(Certificate) if f.name != "deviations"]
    lost = [name for name in names if not isinstance(told, dict) or name not in told]
    if lost:
        raise ValueError(f"{path} does not tell `certificate.{lost[0]}`: solve it once more")
    if not (folder / _DEVIATIONS).is_file():
        raise ValueError(f"{folder / _DEVIATIONS} is missing")
    known: dict[str, Any] = {
        n: _UNKNOWN.get(n, math.nan) if told[n] is None else told[n] for n in names
    }
    return Certificate(**known, deviations=read_table(folder / _DEVIATIONS))


def _same_prices(written: pd.DataFrame, solved: pd.DataFrame) -> bool:
    if written["lever"].tolist() != solved["lever"].tolist():
        return False
    before, now = (table["price"].to_numpy(np.float64) for table in (written, solved))
    return bool(np.allclose(now, before, rtol=_SAME, atol=0.0))


def _is_number(x: object) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


def finite(x: Any) -> Any:
    """Return plain data in which what is not known is None.

    Example:
        >>> finite({"a": [1.0, math.nan]})
        {'a': [1.0, None]}
    """
    if isinstance(x, dict):
        return {key: finite(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [finite(value) for value in x]
    x = x.item() if hasattr(x, "item") else x
    return None if isinstance(x, float) and not math.isfinite(x) else x


__all__ = ["finite", "load_equilibrium", "load_whole", "save_tables"]
