"""Sweeps: designs, what is kept, what a fault costs, and that every way gives the same bytes."""

from __future__ import annotations

import json
import math
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from SALib.analyze import sobol as sobol_indices

import walras as w
from walras import cli
from walras.market.schema.errors import BadInputError
from walras.scenarios.sweep import cluster, code, execute, outcome, store
from walras.scenarios.sweep import planned as planned_module
from walras.scenarios.sweep import sweep as sweeping
from walras.scenarios.sweep.job import Failure, Job, Piece, piece_of
from walras.scenarios.sweep.planned import plan
from walras.scenarios.sweep.points import points_of, seed_for, unit_sample
from walras.scenarios.sweep.spec import Design, Sample, Span
from walras.scenarios.sweep.sweep import carry_out, sweep
from walras.scenarios.sweep.swept import Sweep

from .two_sellers import SCENARIO

SWEEP = """
scenario = "two.toml"
seeds = 6
[levers]
"sellers.one.price.task" = [1.0, 1.2, 1.4]
"sellers.two.slots" = [1, 2]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "two.toml").write_text(SCENARIO)
    (tmp_path / "price.toml").write_text(SWEEP)
    return tmp_path


@pytest.fixture
def thread() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


def market(**changes: Any) -> w.Market:
    """Two sellers, two minutes."""
    task = w.TaskClass("chat", w.Poisson(1.0), value=2.0, choice=w.Logit(0.25))
    sellers = [
        w.Seller(n, accuracy=1.0, price=w.per_task(p), reprice_every=30.0)
        for n, p in (("one", 1.2), ("two", 1.3))
    ]
    return w.Market([task], sellers, run=w.Run(until=120.0, epoch=6.0), name="two", **changes)


def content(folder: Path) -> dict[str, bytes]:
    """Return what a finished sweep has to say, byte for byte."""
    names = ("design.parquet", "results.parquet", "failures.parquet", "scenario.toml")
    return {name: (folder / name).read_bytes() for name in names}


def command(folder: Path, *words: str, **how: Any) -> subprocess.Popen[str]:
    """Start `walras sweep price.toml` in a folder."""
    line = [sys.executable, "-m", "walras", "sweep", "price.toml", "--out", "out", *words]
    return subprocess.Popen(
        line, cwd=folder, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}, **how,
    )  # fmt: skip


# --- designs -------------------------------------------------------------------------------------


def test_levers_cross_and_uncertainties_are_sampled_at_each_setting() -> None:
    design = Design(
        levers={"a": [1, 2, 3], "b": ["x", "y"]}, uncertainties={"c": (0.0, 1.0)},
        sample=Sample(size=5), seeds=2,
    )  # fmt: skip
    points = points_of(design)
    assert len(points) == 3 * 2 * 5
    settings = [(p["a"], p["b"]) for p in points]
    assert settings[:5] == [(1, "x")] * 5
    assert settings[5] == (1, "y")
    assert [p["c"] for p in points[:5]] == [p["c"] for p in points[25:]]


def test_levers_may_move_together() -> None:
    levers = {"a": [1, 2], "b": [3, 4]}
    assert points_of(Design(levers=levers, together=True)) == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    with pytest.raises(BadInputError, match="equally many values"):
        Design(levers={"a": [1, 2], "b": [3]}, together=True)


def test_samples_cover_their_ranges() -> None:
    """One point in each of n even slices of every dimension (McKay, Beckman & Conover 1979)."""
    cube = unit_sample(Sample("latin_hypercube", size=50), 3)
    assert (np.sort(np.floor(cube * 50), axis=0) == np.arange(50)[:, None]).all()
    net = unit_sample(Sample("sobol", size=64), 3)  # a (0, m, s)-net in each dimension
    assert (np.sort(np.floor(net * 64), axis=0) == np.arange(64)[:, None]).all()
    other = unit_sample(Sample("latin_hypercube", size=50, seed=1), 3)
    assert not np.allclose(cube, other)
    log = points_of(Design(uncertainties={"c": Span(1.0, 10_000.0, scale="log")},
                           sample=Sample(size=100)))  # fmt: skip
    assert sum(p["c"] < 100.0 for p in log) == 50


def test_elementary_effects_move_one_thing_at_a_time() -> None:
    paths = unit_sample(Sample("morris", size=10, levels=4), 3).reshape(10, 4, 3)
    moved = np.abs(np.diff(paths, axis=1)) > 0
    assert (moved.sum(axis=2) == 1).all()
    assert (moved.sum(axis=1) == 1).all()


@pytest.mark.parametrize(("fields", "told"), [
    ({"uncertainties": {"a": (2.0, 1.0)}}, "low must be below high"),
    ({"uncertainties": {"a": {"low": 0.0, "high": 1.0, "scale": "log"}}}, "above 0"),
    ({"sample": {"kind": "saltelli", "size": 12}}, "power of two"),
    ({"levers": {"a": []}}, "no values"),
    ({"levers": {"a": [1]}, "constants": {"a": 2}}, "given twice"),
    ({"seeds": 0}, "seeds"), ({"sample": {"kind": "morris", "levels": 3}}, "levels"),
])  # fmt: skip
def test_designs_that_make_no_sense(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        Design(**fields)


def test_replications_share_their_streams_across_points_unless_told_otherwise() -> None:
    paired, own = Design(seed=7), Design(seed=7, paired=False)
    assert {seed_for(paired, point, 3) for point in range(100)} == {seed_for(paired, 0, 3)}
    assert len({seed_for(own, point, rep) for point in range(50) for rep in range(20)}) == 1000
    assert len({seed_for(paired, 0, rep) for rep in range(1000)}) == 1000


# --- what is kept --------------------------------------------------------------------------------


def test_a_sweep_is_the_runs_it_is_made_of(folder: Path, thread: Executor) -> None:
    found = sweep(folder / "two.toml", {"sellers.one.slots": [1, 2]}, seeds=2,
                  out=folder / "out", executor=thread)  # fmt: skip
    rows = found.measure("welfare").set_index("run")
    for run, row in rows.iterrows():
        alone = w.run(
            w.load(folder / "two.toml", f"sellers.one.slots={row['sellers.one.slots']}"),
            seed=int(found.design["seed"].tolist()[cast("int", run)]), record="summary",
        ).summary()  # fmt: skip
        whole = alone[(alone["task"] == "all") & (alone["offer"] == "all")]
        assert row["value"] == whole.set_index("metric").loc["welfare", "value"]
    assert found.counts == (4, 0)
    assert set(found.results["point"]) == {0, 1}


def test_functions_and_mechanisms_are_values_too(tmp_path: Path, thread: Executor) -> None:
    found = sweep(
        market(), {"mechanism": ["posted_price", {"kind": "vickrey", "reserve": 1.25}],
                   "sellers.one.pricing": [dearer, "undercut"]},
        out=tmp_path / "out", executor=thread,
    )  # fmt: skip
    assert found.counts == (4, 0)
    assert found.values(2) == {
        "mechanism": {"kind": "vickrey", "reserve": 1.25},
        "sellers.one.pricing": found.values(0)["sellers.one.pricing"],
    }
    assert "dearer" in found.values(0)["sellers.one.pricing"]


@w.pricing
def dearer(me: Any, rivals: Any, rng: Any) -> float:
    """Charge a twentieth more each time."""
    return float(me.price * 1.05)


@w.pricing
def broken(me: Any, rivals: Any, rng: Any) -> float:
    """Have no answer."""
    return math.nan


def test_what_else_is_measured(tmp_path: Path, thread: Executor) -> None:
    found = sweep(market(), {"sellers.one.slots": [1, 3]}, out=tmp_path / "out", executor=thread,
                  measure=slots_of)  # fmt: skip
    assert found.measure("slots")["value"].tolist() == [1.0, 3.0]


def slots_of(result: Any) -> dict[str, float]:
    """Return the slots of the first seller."""
    return {"slots": result.market.sellers[0].slots}


# --- every way gives the same --------------------------------------------------------------------


def undisturbed(folder: Path) -> dict[str, bytes]:
    """Do the sweep of price.toml in one thread; return what it has to say."""
    with ThreadPoolExecutor(1) as threads:
        planned = plan(str(folder / "two.toml"), *_design(folder))
        carry_out(planned, folder / "alone", partial(sweeping._as_it_is, threads), 1)
    return content(folder / "alone")


def _design(folder: Path) -> tuple[Design]:
    from walras.scenarios.sweep.file import read_design

    return (read_design(folder / "price.toml")[0],)


def test_shards_in_any_order_add_up_to_the_same_bytes(folder: Path) -> None:
    whole = undisturbed(folder)
    planned = plan(str(folder / "two.toml"), *_design(folder))
    with ThreadPoolExecutor(1) as threads:
        pool = partial(sweeping._as_it_is, threads)
        for part in (3, 1, 2):
            assert not (folder / "out" / "results.parquet").exists()
            found = carry_out(planned, folder / "out", pool, 1, shard=(part, 3))
    assert content(folder / "out") == whole
    assert found.counts == (36, 0)
    firsts = [piece.runs[0] for piece in store.held(folder / "out")]
    assert len(firsts) > 3


def test_processes_give_the_same_bytes(folder: Path) -> None:
    whole = undisturbed(folder)
    process = command(folder, "--jobs", "2")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "36 of 36 runs done, 0 failed" in out
    assert content(folder / "out") == whole
    noted = Sweep.load(folder / "out").manifest["memory_mb"]
    of_workers = [piece.memory for piece in store.held(folder / "out")]
    assert noted["worker"] == max(of_workers)
    assert min(of_workers) > 10.0  # MB: Python and NumPy alone take more
    assert noted["parent"] > 10.0


def test_a_workers_peak_is_its_own() -> None:
    """What the kernel's rusage tells of a new process begins at the peak of its parent."""
    child = "import sys; from walras.scenarios.run import memory_mb; sys.exit(f'{memory_mb()}')"
    program = f"""
import subprocess, sys
held = bytes(range(256)) * (2 << 20)
sys.exit(subprocess.run([sys.executable, "-c", {child!r}], stderr=2).returncode)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    assert 10.0 < float(done.stderr) < 2 << 8


def test_a_repeated_command_notes_no_memory_of_its_own(
    folder: Path, thread: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest of those that did something; a command that has nothing to do is not one."""
    how: dict[str, Any] = {"seeds": 2, "out": folder / "out", "executor": thread}
    for peak, shard in ((70.0, (1, 2)), (50.0, (2, 2)), (90.0, (1, 1))):
        monkeypatch.setattr(sweeping, "memory_mb", lambda peak=peak: peak)
        found = sweep(market(), {"sellers.one.slots": [1, 2]}, shard=shard, **how)
        assert found.manifest == Sweep.load(folder / "out").manifest
        assert found.manifest["memory_mb"]["parent"] == 70.0


# --- faults --------------------------------------------------------------------------------------


def disturb(folder: Path, moments: int, seed: int) -> list[str]:
    """Do a sweep and kill it at random moments, the parent or a worker; return what was killed.

    A parent that was killed is started again. Ends early if the sweep does.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    killed: list[str] = []
    process: subprocess.Popen[str] | None = None
    try:
        while len(killed) < moments:
            process = process or command(folder, "--jobs", "2")
            wait_for(folder, process, chance.uniform(0.0, 0.4))
            if process.poll() is not None:
                break
            workers = children(process.pid)
            if chance.random() < 0.4 or not workers:
                process.kill()
                process.communicate()
                process = None
                killed.append("parent")
            else:
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed.append("worker")
    finally:
        if process is not None:
            process.kill()
            process.communicate()
    return killed


def wait_for(folder: Path, process: subprocess.Popen[str], seconds: float) -> None:
    """Wait until the sweep has written a piece since it began, and a little more."""
    before = len(list((folder / "out" / "pieces").glob("*"))) if (folder / "out").is_dir() else 0
    end = time.monotonic() + 60.0
    while process.poll() is None and time.monotonic() < end:
        place = folder / "out" / "pieces"
        if place.is_dir() and len(list(place.glob("*"))) > before:
            break
        time.sleep(0.01)
    time.sleep(seconds)


def children(parent: int) -> list[int]:
    """Return the processes that a process has started and that simulate."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            words = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"spawn_main" in words:
            found.append(int(path.parent.name))
    return found


def loses_nothing(folder: Path, moments: int, seeds: int) -> None:
    """Disturb a sweep, do it once more, and compare it with one that nobody disturbed."""
    (folder / "price.toml").write_text(SWEEP.replace("seeds = 6", f"seeds = {seeds}"))
    whole = undisturbed(folder)
    killed = disturb(folder, moments, seed=1)
    done = len([run for piece in store.held(folder / "out") for run in piece.runs])
    sys.stderr.write(f"\n{killed}: {done} of {6 * seeds} runs done")
    assert len(killed) == moments
    process = command(folder, "--jobs", "2")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert content(folder / "out") == whole
    runs = [run for piece in store.held(folder / "out") for run in piece.runs]
    assert sorted(runs) == list(range(6 * seeds))
    assert not list((folder / "out").rglob("*.tmp"))


@pytest.mark.timeout(600)
def test_a_killed_sweep_loses_nothing_and_does_nothing_twice(folder: Path) -> None:
    """SIGKILL at 10 random moments, of the parent or of a worker."""
    loses_nothing(folder, moments=10, seeds=100)


@pytest.mark.torture
def test_a_sweep_killed_a_hundred_times_loses_nothing(folder: Path) -> None:
    loses_nothing(folder, moments=100, seeds=1000)


def test_workers_end_with_a_parent_that_is_killed(folder: Path) -> None:
    process = command(folder, "--jobs", "2")
    wait_for(folder, process, 0.0)
    workers = children(process.pid)
    process.kill()
    process.communicate()
    end = time.monotonic() + 20.0
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < end:
        time.sleep(0.1)
    assert workers
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_a_full_disk_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing fails at each moment in turn; then there is room again."""
    whole = undisturbed(folder)
    planned = plan(str(folder / "two.toml"), *_design(folder))
    written, fsync, failed = 0, os.fsync, set()

    def full(handle: int) -> None:
        nonlocal written
        written += 1
        if written > room:
            raise OSError(28, "No space left on device")
        fsync(handle)

    with ThreadPoolExecutor(1) as threads:
        pool = partial(sweeping._as_it_is, threads)
        for room in range(60):  # noqa: B007 - `full` reads it
            written = 0
            monkeypatch.setattr(os, "fsync", full)
            try:
                carry_out(planned, folder / "out", pool, 1)
                break
            except OSError as error:
                failed.add(error.errno)
            finally:
                monkeypatch.setattr(os, "fsync", fsync)
            assert not list((folder / "out").rglob("*.tmp"))
    assert room > 5
    assert failed == {28}
    assert content(folder / "out") == whole


def test_runs_that_fail_are_rows(tmp_path: Path, thread: Executor) -> None:
    """A bad value, a strategy without an answer, one that raises: each a row, all others done."""
    found = sweep(
        market(), {"sellers.one.pricing": ["undercut", broken, raising, "nonsense"]},
        seeds=2, out=tmp_path / "out", executor=thread,
    )  # fmt: skip
    assert found.counts == (8, 6)
    failures = found.failures
    assert failures["point"].tolist() == [1, 1, 2, 2, 3, 3]
    assert failures["kind"].tolist() == ["error"] * 4 + ["bad input"] * 2
    assert "nonsense" in failures["reason"].iloc[-1]
    assert "no luck" in failures["reason"].iloc[2]
    assert set(found.measure("welfare")["point"]) == {0}


@w.pricing
def raising(me: Any, rivals: Any, rng: Any) -> float:
    """Fail."""
    raise RuntimeError("no luck")


def test_the_command_of_a_failure_repeats_it(folder: Path, thread: Executor) -> None:
    found = sweep(folder / "two.toml", {"sellers.one.price.task": [1.0, -1.0]}, out=folder / "out",
                  executor=thread, constants={"sellers.one.slots": 2})  # fmt: skip
    told = found.failures["command"].iloc[0]
    assert told.startswith("walras run ")
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(told)], capture_output=True, text=True,
        cwd=folder, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "W103" in done.stderr


def unlucky(_: Any) -> dict[str, float]:
    """Fail, whatever the run."""
    raise LookupError("no luck")


def test_what_failed_in_measure_is_repeated_in_python(folder: Path, thread: Executor) -> None:
    """No command knows the function: it would say that all is well."""
    found = sweep(folder / "two.toml", {"sellers.one.price.task": [1.0]}, out=folder / "out",
                  executor=thread, measure=unlucky)  # fmt: skip
    row = found.failures.iloc[0]
    assert (row["kind"], row["reason"]) == ("in measure", "LookupError: no luck")
    assert row["command"].startswith(f"import walras as w; import {__name__}; {__name__}.unlucky(")
    with pytest.raises(LookupError, match="no luck"):
        exec(row["command"], {})  # noqa: S102 - our own line
    planned = plan(str(folder / "two.toml"), Design(), lambda _: {"one": 1.0})
    assert ("w; measure(w.run(w.load('out/scenario.toml'), seed="
            in outcome.python_of(planned, Path("out"), 0))  # fmt: skip
    assert outcome.python_of(plan(market(), Design(levers={"sellers.one.pricing": [raising]}),
                                  unlucky), Path("out"), 0) == ""  # fmt: skip


def test_a_run_that_finished_anywhere_has_not_failed(folder: Path) -> None:
    """Whether its failure comes first or last; of two failures the same is told always."""
    whole = undisturbed(folder)
    planned = plan(str(folder / "two.toml"), *_design(folder))
    out = folder / "alone"
    for runs, why in (([0, 7], "a"), ([6, 7, 8], "b")):
        failures = [Failure(run, "time-out", why) for run in runs]
        piece = Piece(piece_of([], runs, failures, [0.0] * len(runs)), runs, failures)
        store.add(out, piece)
    reports: list[tuple[int, ...]] = []
    with ThreadPoolExecutor(1) as threads:
        pool = partial(sweeping._as_it_is, threads)
        found = carry_out(planned, out, pool, 1, progress=lambda *told: reports.append(told))
    assert reports == [(36, 36, 0)]
    assert content(out) == whole
    assert found.counts == (36, 0)
    assert cli.main(["status", str(out)]) == 0
    pieces = [
        store.Held(out, [5, 6], [(5, "time-out", "late"), (6, "died", "killed")], []),
        store.Held(out, [5, 6], [(5, "time-out", "later")], []),
    ]  # fmt: skip
    for order in (pieces, pieces[::-1]):
        assert store.failures(order) == [(5, "time-out", "late")]


def test_another_division_of_the_runs_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    line = ["sweep", "price.toml", "--out", "out", "--jobs", "1", "--shard"]
    assert cli.main([*line, "2/2"]) == 0
    assert cli.main([*line, "1/2"]) == 0
    assert "other parts" not in capsys.readouterr().err
    assert cli.main([*line, "1/3"]) == 0
    assert "other parts were begun in out: 1/2, 2/2; " in capsys.readouterr().err
    assert store.partitions(folder / "out", 2) == ["1/3"]


def test_a_run_that_takes_too_long_is_given_up(tmp_path: Path, thread: Executor) -> None:
    found = sweep(market(), {"run.until": [60.0, 1e9]}, constants={"run.epoch": 60.0 * 1e5},
                  timeout=0.5, out=tmp_path / "out", executor=thread)  # fmt: skip
    assert found.failures["kind"].tolist() == ["time-out"]


class Dying(ThreadPoolExecutor):
    """A pool that breaks whenever a job holds a certain run."""

    def submit(self, fn: Any, /, job: Job) -> Any:  # type: ignore[override]
        if any(run == 5 for run, *_ in job.runs):
            return super().submit(self._break)
        return super().submit(fn, job)

    @staticmethod
    def _break() -> None:
        raise BrokenExecutor


def test_the_run_that_kills_its_worker_is_found() -> None:
    """Others that were under way are done after all."""
    taken: list[Piece] = []
    base = market()
    planned = plan(base, Design(levers={"sellers.one.slots": [1, 2]}, seeds=10))
    execute.execute(
        np.arange(20), lambda some: sweeping._job(planned, some), lambda: Dying(1), 1, taken.append
    )
    runs = [run for piece in taken for run in piece.runs]
    failures = [failure for piece in taken for failure in piece.failures]
    assert sorted(runs) == list(range(20))
    assert [(f.run, f.kind) for f in failures] == [(5, "died")]


def test_an_executor_that_stays_broken_ends_the_sweep(tmp_path: Path) -> None:
    """One given by the user is not made anew: no run is blamed for it, and nothing goes round."""

    class Broken(Dying):
        over = False

        def submit(self, fn: Any, /, job: Job) -> Any:  # type: ignore[override]
            if self.over:
                raise BrokenExecutor
            self.over = any(run == 5 for run, *_ in job.runs)
            return super().submit(fn, job)

    how: dict[str, Any] = {"seeds": 10, "out": tmp_path / "out"}
    with Broken(1) as broken, pytest.raises(BrokenExecutor):
        sweep(market(), {"sellers.one.slots": [1]}, executor=broken, **how)
    assert Sweep.load(tmp_path / "out").counts[1] == 0
    with ThreadPoolExecutor(1) as threads:
        assert sweep(market(), {"sellers.one.slots": [1]}, executor=threads, **how).counts == (
            10,
            0,
        )


# --- folders -------------------------------------------------------------------------------------


def test_another_sweep_never_mixes_in(folder: Path, thread: Executor,
                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    how: dict[str, Any] = {"out": folder / "out", "executor": thread}
    sweep(market(), {"sellers.one.slots": [1]}, **how)
    with pytest.raises(store.SweepFolderError, match="another design"):
        sweep(market(), {"sellers.one.slots": [2]}, **how)
    dear = market(platform=w.Platform(commission=0.1))
    with pytest.raises(store.SweepFolderError, match="another scenario"):
        sweep(dear, {"sellers.one.slots": [1]}, **how)
    monkeypatch.setattr(planned_module, "code_digest", lambda: "0" * 16)
    with pytest.raises(store.SweepFolderError, match="another version of the code"):
        sweep(market(), {"sellers.one.slots": [1]}, **how)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, thread: Executor) -> None:
    (tmp_path / "thesis.tex").write_text("chapter one")
    with pytest.raises(store.SweepFolderError, match="holds something else"):
        sweep(market(), {"sellers.one.slots": [1]}, out=tmp_path, executor=thread)
    assert (tmp_path / "thesis.tex").read_text() == "chapter one"


def test_a_damaged_piece_is_set_aside_and_done_again(folder: Path, thread: Executor) -> None:
    how: dict[str, Any] = {"seeds": 4, "out": folder / "out", "executor": thread}
    sweep(market(), {"sellers.one.slots": [1, 2]}, **how)
    whole = content(folder / "out")
    piece = sorted((folder / "out" / "pieces").iterdir())[1]
    piece.write_bytes(piece.read_bytes()[:-1] + b"!")
    again = sweep(market(), {"sellers.one.slots": [1, 2]}, **how)
    assert content(folder / "out") == whole
    assert [path.name for path in store.damaged(folder / "out")] == [piece.name]
    assert again.counts == (8, 0)


def test_an_older_folder_is_told_from_a_damaged_one(folder: Path, thread: Executor) -> None:
    how: dict[str, Any] = {"out": folder / "out", "executor": thread}
    sweep(market(), {"sellers.one.slots": [1]}, **how)
    manifest = folder / "out" / "manifest.json"
    data = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**data, "format": 0}))
    with pytest.raises(store.SweepFolderError, match="format 0"):
        sweep(market(), {"sellers.one.slots": [1]}, **how)
    manifest.write_text("{")
    with pytest.raises(store.SweepFolderError, match="damaged"):
        Sweep.load(folder / "out")


def test_two_at_once_are_told_apart(tmp_path: Path, thread: Executor) -> None:
    how: dict[str, Any] = {"out": tmp_path / "out", "executor": thread}
    sweep(market(), {"sellers.one.slots": [1]}, **how)
    with store.locked(tmp_path / "out"), pytest.raises(store.SweepFolderError, match="--shard"):
        sweep(market(), {"sellers.one.slots": [1]}, **how)
    one, two = (store.locked(tmp_path / "out", f"-{part}-of-2") for part in (1, 2))
    with one, two, pytest.raises(store.SweepFolderError), store.locked(tmp_path / "out", "-2-of-2"):
        pass


def test_a_changed_rule_is_another_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "scenarios" / "sweep"
    home.mkdir(parents=True)
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "rules.py").write_text("x = 1")
    monkeypatch.setattr(code, "__file__", str(home / "code.py"))
    code.code_digest.cache_clear()
    before = code.code_digest()
    code.code_digest.cache_clear()
    (tmp_path / "market" / "rules.py").write_text("x = 2")
    after = code.code_digest()
    code.code_digest.cache_clear()
    assert before != after


def test_reading_and_merging_start_no_threads(folder: Path, thread: Executor) -> None:
    """A thread of pyarrow's that is left at the end has aborted a command that was done."""
    sweep(market(), {"sellers.one.slots": [1, 2]}, seeds=4, out=folder / "out", executor=thread)
    program = """
import os, sys
from pathlib import Path
from walras.analysis.figures.sweep_frames import chosen
from walras.scenarios.sweep import store
from walras.scenarios.sweep.merge import merge
from walras.scenarios.sweep.swept import Sweep

def threads():
    return len(os.listdir("/proc/self/task"))

folder, before = Path(sys.argv[1]), threads()
found = Sweep.load(folder)
merge(folder, list(store.held(folder)))
assert len(found.measure("share", "chat", "one/default")) == 8
assert len(found.results) and len(found.failures) == 0 and chosen(found)
sys.exit(f"{threads() - before} threads were started" if threads() > before else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "out")], capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# --- sensitivity, through the whole pipeline ---


def ishigami(result: Any) -> dict[str, float]:
    """Return sin x₁ + 7 sin² x₂ + .1 x₃⁴ sin x₁ of three values that the market holds."""
    x, y, z = (task.value.value - 4.0 for task in result.market.tasks)
    return {"ishigami": math.sin(x) + 7.0 * math.sin(y) ** 2 + 0.1 * z**4 * math.sin(x)}


def test_indices_of_ishigami_are_those_of_the_theory(tmp_path: Path, thread: Executor) -> None:
    """S₁ .3139, .4424, 0 and S_T .5576, .4424, .2437 within the intervals of 128 base points.

    All six are in 83 of 100 samples of this size; this is one of them, and always the same.
    `test_sweep_analysis` has the 2,048 points at which all 100 are.
    """
    tasks = [w.TaskClass(n, w.Poisson(0.01), value=1.0) for n in "abc"]
    plain = w.Market(tasks, [w.Seller("one", accuracy=1.0)], run=w.Run(until=1.0, epoch=0.5))
    spans = {f"tasks.{n}.value": (4.0 - math.pi, 4.0 + math.pi) for n in "abc"}
    found = sweep(plain, uncertain=spans, sample=Sample("saltelli", size=128), executor=thread,
                  measure=ishigami, out=tmp_path / "out")  # fmt: skip
    values = found.measure("ishigami").sort_values("run")["value"].to_numpy()
    problem = {"num_vars": 3, "names": list(spans), "bounds": [list(s) for s in spans.values()]}
    indices = sobol_indices.analyze(problem, values, calc_second_order=False, seed=0)
    for index, theory in (("S1", [0.3139, 0.4424, 0.0]), ("ST", [0.5576, 0.4424, 0.2437])):
        assert (np.abs(indices[index] - theory) <= indices[f"{index}_conf"]).all()


def test_paired_runs_differ_by_less(tmp_path: Path, thread: Executor) -> None:
    """The difference of two prices over 30 seeds: less than a third of the independent variance."""
    variances = {}
    for paired in (True, False):
        found = sweep(market(), {"sellers.one.price.task": [1.2, 1.25]}, seeds=30, paired=paired,
                      out=tmp_path / str(paired), executor=thread)  # fmt: skip
        values = found.measure("welfare").pivot(index="rep", columns="point", values="value")
        variances[paired] = float((values[1] - values[0]).var())
    assert variances[True] < variances[False] / 3


# --- clusters ---


def test_a_dask_cluster_gives_the_same_bytes(folder: Path) -> None:
    """Two worker processes of their own; the command connects to their scheduler."""
    from distributed import LocalCluster

    whole = undisturbed(folder)
    made: Any = LocalCluster
    with made(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as ours:
        process = command(folder, "--dask", str(ours.scheduler_address))
        out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert "36 of 36 runs done, 0 failed" in out
    assert content(folder / "out") == whole


def test_nobody_at_the_address() -> None:
    told = "no Dask scheduler answers at tcp://127.0.0.1:1"
    with pytest.raises(cluster.NoClusterError, match=told), cluster.dask("tcp://127.0.0.1:1", 0.5):
        pass


# --- stopping, limits ---


def test_ctrl_c_finishes_what_is_under_way_and_says_how_to_go_on(folder: Path) -> None:
    (folder / "price.toml").write_text(SWEEP.replace("seeds = 6", "seeds = 100"))
    process = command(folder, "--jobs", "1")
    wait_for(folder, process, 0.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "finishing what is under way" in err
    assert "walras sweep price.toml --out out" in err
    assert "Traceback" not in err
    assert 0 < Sweep.load(folder / "out").counts[0] < 600
    assert not list((folder / "out").rglob("*.tmp"))


def greedy(result: Any) -> dict[str, float]:
    """Want four gigabytes where the first seller has two slots."""
    wanted = 2**29 if result.market.sellers[0].slots == 2 else 1
    return {"sum": float(np.ones(wanted).sum())}


def test_a_run_that_wants_too_much_memory_is_a_row(tmp_path: Path) -> None:
    found = sweep(market(), {"sellers.one.slots": [1, 2, 3]}, out=tmp_path / "out", jobs=1,
                  memory=2000, measure=greedy)  # fmt: skip
    assert found.counts == (3, 1)
    assert found.failures["kind"].tolist() == ["out of memory"]
    assert found.measure("sum")["point"].tolist() == [0, 2]


def test_a_folder_that_cannot_be_written_is_said_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: Any) -> None:
        raise OSError(30, "Read-only file system", "out/manifest.json")

    monkeypatch.chdir(folder)
    monkeypatch.setattr(store, "write_whole", refused)
    assert cli.main(["sweep", "price.toml", "--out", "out"]) == 2
    err = capsys.readouterr().err
    assert "out/manifest.json: Read-only file system; what is finished is safe" in err
    assert err.count("\n") <= 3


def test_the_exit_code_tells_that_runs_have_failed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A price below 0 is told of before the first run, and its runs are rows; 3, also again."""
    monkeypatch.chdir(folder)
    (folder / "price.toml").write_text(
        'scenario = "two.toml"\n[levers]\n"sellers.one.price.task" = [1.0, -1.0]\n'
    )
    for _ in range(2):
        assert cli.main(["sweep", "price.toml", "--out", "out", "--jobs", "1"]) == 3
        out, err = capsys.readouterr()
        assert "2 of 2 runs done, 1 failed, 0 left" in out
        assert "W103" in err
        assert "runs with such values will fail" in err
    assert cli.main(["status", "out"]) == 0
    assert "1 × bad input: W103" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "told"), [
    (["sweep", "nowhere.toml"], "is no file"),
    (["sweep", "two.toml"], "this is a scenario and no sweep"),
    (["sweep", "price.toml", "--shard", "3/2"], "--shard"), (["status", "nowhere"], "no sweep"),
])  # fmt: skip
def test_bad_input_is_said_in_a_line(
    folder: Path, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    assert cli.main(words) == 2
    assert told in capsys.readouterr().err


def test_what_a_sweep_will_take_is_told_before_it_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert cli.main(["sweep", "price.toml", "--out", "out", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["total"], told["failed"]) == (36, 36, [])
    assert 0.0 < told["seconds"] < 10.0
    assert told["wall"] == pytest.approx(told["seconds"] * 36 / told["workers"])
    assert not (folder / "out").exists()
    assert cli.main(["sweep", "price.toml", "--slurm", "4"]) == 0
    assert "#SBATCH --array=1-4" in capsys.readouterr().out


def test_parts_add_up_whatever_epochs_there_are(tmp_path: Path, thread: Executor) -> None:
    """27 epochs after warm-up, the last one shorter, are no whole batches; profits and shares."""
    changes = {"run.until": 605.0, "run.warmup": 65.0, "run.epoch": 20.0}
    found = sweep(market(), {"sellers.one.slots": [1]}, constants=changes, executor=thread,
                  out=tmp_path / "out")  # fmt: skip
    rows = found.results.set_index(["task", "offer", "metric"])["value"]
    profits = [rows["all", name, "profit"] for name in ("one", "two")]
    assert sum(profits) == pytest.approx(rows["all", "all", "profit"], rel=1e-12)
    shares = found.results.query("metric == 'share'")["value"]
    assert shares.sum() == pytest.approx(1.0, rel=1e-12)
    outside = rows["chat", "outside", "share"]
    assert outside == pytest.approx(rows["chat", "all", "without_share"], rel=1e-12)
