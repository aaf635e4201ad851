"""The result of a run: tables, a summary with standard errors, and its folder on disk."""

from __future__ import annotations

import hashlib
import html
import json
import math
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..market.schema.market import Market
from .estimates import Warmup, detect_warmup
from .toml import from_toml, to_toml

_TABLES = ("epochs", "sellers", "prices", "latencies", "trades", "accounts", "contracts")
_SERIES = ("epochs", "sellers", "prices")
"""Tables with a row per epoch, which a summary is made from and does not keep."""


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """What a run gave. Tables carry their columns' units in `frame.attrs["units"]`.

    `epochs`: a row per (rep, epoch, task class, offer) with activity: counts, sums of times (s)
    and money (USD); the offer "outside" are those who did without. `sellers`: a row per (rep,
    epoch, seller): load, profit. `prices`: a row per (rep, epoch, offer): what was posted at the
    epoch's start, in `price_unit`. `latencies`: histogram of sojourns after warm-up.
    `trades`: a row per finished task, or a keyed sample (`trades.attrs["share"]`, by class).
    `accounts`: the ledger's balances in nano-dollars. `contracts`: how many customers of a class
    hold which contract in each period; empty where sellers offer none.
    """

    market: Market
    seed: int
    reps: int
    record: str
    manifest: dict[str, Any]
    epochs: pd.DataFrame
    sellers: pd.DataFrame
    prices: pd.DataFrame
    latencies: pd.DataFrame
    trades: pd.DataFrame
    accounts: pd.DataFrame
    contracts: pd.DataFrame = field(default_factory=pd.DataFrame)
    kept: pd.DataFrame | None = None
    """The summary as it was written, where the folder holds no epochs to make it from."""

    def __repr__(self) -> str:
        reps = "1 replication" if self.reps == 1 else f"{self.reps} replications"
        return (f'<Result of "{self.market.name}": seed {self.seed}, {reps}, '
                f"{self.manifest['tasks']:,} tasks, digest {self.digest[:8]}>")  # fmt: skip

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the same line, and the offers each class chose most."""
        from .summary import leaders

        table = leaders(self.summary())
        return f"<p>{html.escape(repr(self))}</p>{table.to_html(float_format='{:.3g}'.format)}"

    @property
    def digest(self) -> str:
        """Digest of all numbers of the run: the same for the same scenario and seed anywhere."""
        return str(self.manifest["digest"])

    def summary(self) -> pd.DataFrame:
        """Return means after warm-up with standard errors: task, offer, metric, value, se, unit, n.

        Errors come from replications when there are several, else from batch means.
        """
        if self.kept is not None:
            return self.kept
        from .summary import summarise

        return summarise(self.market, self.epochs, self.sellers, self.prices, self.reps)

    def settling(self) -> Warmup | None:
        """Return where the number of tasks in the system seems to settle (MSER-5), in epochs.

        Sellers who are never full do not count if any can be: nobody's delay depends on theirs.

        None where there is no steady state to look for: arrivals that change with the time of
        day or follow a recording, scheduled events, or epochs that were not kept.
        """
        moving = any(t.arrivals.kind in ("diurnal", "replay") for t in self.market.tasks)
        if moving or self.market.events or self.sellers.empty:
            return None
        full = [s.name for s in self.market.sellers if math.isfinite(s.slots)]
        load = self.sellers[self.sellers["seller"].isin(full)] if full else self.sellers
        load = load.assign(tasks=load["running"] + load["waiting"])
        by_epoch = load.groupby(["rep", "epoch"])["tasks"].sum()
        return detect_warmup(by_epoch.groupby("epoch").mean().to_numpy())

    def save(self, folder: str | Path, *, command: str = "") -> Path:
        """Write the run folder: resolved.toml, manifest.json and one Parquet file per table.

        The manifest notes `command`, or the one that repeats the run from the folder, if any does.

        Raises:
            OSError: the folder cannot be written.
            ValueError: the market holds Python functions, which a file cannot.
        """
        folder = Path(folder)
        text = to_toml(self.market)
        folder.mkdir(parents=True, exist_ok=True)
        outputs = {"resolved.toml": text.encode()}
        (folder / "resolved.toml").write_bytes(outputs["resolved.toml"])
        kept = [t for t in _TABLES if self.record != "summary" or t not in _SERIES]
        if self.contracts.empty:
            kept.remove("contracts")
        digests = {"resolved.toml": file_digest(folder / "resolved.toml")}
        frames = {"summary": self.summary(), **{name: getattr(self, name) for name in kept}}
        for name, frame in frames.items():
            write_table(frame, folder / f"{name}.parquet")
            digests[f"{name}.parquet"] = file_digest(folder / f"{name}.parquet")
        command = command or self.manifest["command"] or self.command_from(folder / "resolved.toml")
        manifest = {**self.manifest, "command": command, "files": digests}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Read a run folder.

        Raises:
            OSError: a file is missing.
            ValueError: a file is not what was written.
        """
        folder = Path(folder)
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        for name, digest in manifest.get("files", {}).items():
            if file_digest(folder / name) != digest:
                raise ValueError(f"{folder / name} is not the file that was written")
        frames = {
            name: read_table(folder / f"{name}.parquet") for name in _TABLES
            if (folder / f"{name}.parquet").exists()
        }  # fmt: skip
        for name in _TABLES:
            frames.setdefault(name, pd.DataFrame())
        kept = read_table(folder / "summary.parquet") if frames["epochs"].empty else None
        market = from_toml((folder / "resolved.toml").read_text("utf-8"))
        return cls(
            market=market, seed=manifest["seed"], reps=manifest["reps"],
            record=manifest["record"], manifest=manifest, kept=kept, **frames,
        )  # fmt: skip

    def command_from(self, file: Path) -> str:
        """Return the command that repeats the run from its own file; empty if that cannot be."""
        traces = [getattr(task.arrivals, "file", None) for task in self.market.tasks]
        if any(trace and not Path(trace).is_absolute() for trace in traces):
            return ""  # the folder does not say from where the traces' paths are taken
        options = {"seed": self.seed, "reps": self.reps, "record": self.record}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return shlex.join(["walras", "run", str(file), *words])

    def with_command(self, command: str) -> Result:
        """Return the same result with the command that makes it noted in its manifest."""
        return replace(self, manifest={**self.manifest, "command": command})


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table with its units in the columns' own metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    units = frame.attrs.get("units", {})
    fields = [
        f.with_metadata({"unit": units[f.name]}) if f.name in units else f for f in table.schema
    ]
    metadata = {**(table.schema.metadata or {}), b"walras": json.dumps(frame.attrs).encode()}
    schema = pa.schema(fields, metadata=metadata)
    pq.write_table(table.cast(schema), path, compression="zstd")


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that `write_table` wrote, with its units."""
    table = rows_of(path)
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    frame.attrs.update(json.loads((table.schema.metadata or {}).get(b"walras", b"{}")))
    return frame


def rows_of(source: Path | pa.NativeFile, columns: list[str] | None = None) -> pa.Table:
    """Return the rows of a Parquet file, or some columns of them."""
    # By this thread alone, reading ahead too: now and then a thread of pyarrow's own pools, still
    # waiting when Python ends, aborted a command that had done its work.
    with pq.ParquetFile(source, pre_buffer=False) as file:
        return file.read(columns, use_threads=False)
