"""The command line: exit codes, what is printed where, and run folders that are whole or absent."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

import walras
from walras import card as cards
from walras import cli, running, sweeping, terminal
from walras.market.schema.market import Market
from walras.scenarios import run as scenarios_run
from walras.scenarios.load import load
from walras.scenarios.result import Result
from walras.scenarios.run import run as simulate

from .fake_result import fake_result
from .test_books import busy_market

CORPUS = Path(__file__).parent / "corpus"
SMALL = str(CORPUS / "small.toml")
WARNED = str(CORPUS / "catalogue.toml")
BAD = str(CORPUS / "bad" / "many_faults.toml")


@cache
def small_result() -> Result:
    """Return what a short run gives."""
    return simulate(load(SMALL), until="10 min")


Runner = Callable[..., Any]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Runner], None]:
    """Put a made-up simulation and report in the place of the real ones."""
    monkeypatch.chdir(tmp_path)
    report = types.ModuleType("walras.analysis.report")
    report.write_report = lambda _, path: path.write_text("<html>")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "walras.analysis.report", report)

    def put(run: Runner) -> None:
        module = types.ModuleType("walras.scenarios.run")
        vars(module).update(vars(scenarios_run) | {"run": run})
        monkeypatch.setitem(sys.modules, "walras.scenarios.run", module)

    put(lambda *_, **__: small_result())
    return put


def folders(path: Path) -> list[str]:
    return sorted(p.name for p in path.rglob("*") if p.is_dir())


# --- run ---------------------------------------------------------------------------------------


def test_run_leaves_a_whole_folder(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["--set", "tasks.chat.consideration=9 ", "--reps", "3"]
    assert cli.main(["run", SMALL, "--seed", "7", *changes]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"small-[0-9a-f]{8}", folder.name)
    names = {"manifest.json", "report.html", "resolved.toml", "scenario.toml", "summary.parquet"}
    assert names <= {p.name for p in folder.iterdir()}
    assert (folder / "scenario.toml").read_text() == Path(SMALL).read_text()
    command = json.loads((folder / "manifest.json").read_text())["command"]
    assert command == f"walras run {SMALL} --set 'tasks.chat.consideration=9 ' --seed 7 --reps 3"
    out = capsys.readouterr()
    assert command in out.out
    assert str(folder.relative_to(tmp_path)) in out.out
    assert "fast/default" in out.out
    assert "warning[W" in out.err


def test_the_same_run_has_the_same_folder_and_gives_way(runs: Any, tmp_path: Path) -> None:
    for _ in range(2):
        assert cli.main(["run", SMALL, "-q"]) == 0
        (folder,) = (tmp_path / "runs").iterdir()
        assert (folder / "manifest.json").read_text() != "old"
        (folder / "manifest.json").write_text("old")
    assert cli.main(["run", SMALL, "-q", "--seed", "1"]) == 0
    assert cli.main(["run", SMALL, "-q", "--record", "trades"]) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 3


def test_what_a_user_puts_into_a_run_folder_stays(runs: Any, tmp_path: Path) -> None:
    """Files, folders and links, beside our own files, which are made anew."""
    assert cli.main(["run", SMALL, "-q"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "plots").mkdir()
    (folder / "plots" / "a.png").write_bytes(b"png")
    (folder / "link").symlink_to("nowhere")
    (folder / "report.html").write_text("old")
    assert cli.main(["run", SMALL, "-q"]) == 0
    assert list((tmp_path / "runs").iterdir()) == [folder]
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "plots" / "a.png").read_bytes() == b"png"
    assert (folder / "link").is_symlink()
    assert (folder / "report.html").read_text() == "<html>"


def test_a_link_to_a_run_folder_stays_a_link(runs: Any, tmp_path: Path) -> None:
    """What it names is made anew; nothing is left beside it."""
    assert cli.main(["run", SMALL, "-q"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    kept = folder.rename(tmp_path / "kept")
    folder.symlink_to(kept)
    (kept / "manifest.json").write_text("old")
    assert cli.main(["run", SMALL, "-q"]) == 0
    assert list((tmp_path / "runs").iterdir()) == [folder]
    assert folder.is_symlink()
    assert (kept / "manifest.json").read_text() != "old"


def test_quiet_and_json(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", SMALL, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["run", SMALL, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {"folder", "digest", "command", "summary"} <= set(data)
    assert {"task", "offer", "metric", "value", "se", "unit"} == set(data["summary"][0])


@pytest.mark.parametrize(
    "words",
    [
        ["run", BAD], ["run", "no-such"], ["run", SMALL, "--set", "x"],
        ["run", SMALL, "--reps", "0"],
        ["run", SMALL, "--seed", "-1"], ["run", SMALL, "--record", "all"], ["run"], ["frob"],
        ["validate", SMALL, BAD], ["explain", "zzz"], ["list", "everything"], ["run", SMALL, "--x"],
        ["run", "a\0b"],
    ],
)  # fmt: skip
def test_bad_input_is_2_and_writes_nothing(
    words: list[str], runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    out = capsys.readouterr()
    assert "rror" in out.err
    assert "Traceback" not in out.err
    assert folders(tmp_path) == []


def test_a_run_that_fails_is_3(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ArithmeticError("the queue blew up")

    runs(fail)
    assert cli.main(["run", SMALL]) == 3
    assert "the queue blew up" in capsys.readouterr().err
    assert folders(tmp_path) == []
    with pytest.raises(running.RunFailedError):
        cli.main(["run", SMALL, "--debug"])


def test_a_folder_that_cannot_be_written(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("a file")
    assert cli.main(["run", SMALL]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_an_unwritable_place_is_found_before_simulating(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise AssertionError("simulated in vain")

    runs(run)
    (tmp_path / "file").write_text("a file")
    assert cli.main(["run", SMALL, "--out", "file/x/y"]) == 2
    assert cli.main(["run", SMALL, "--out", "file"]) == 2
    assert capsys.readouterr().err.count("cannot be written: file is a file, not a folder") == 2
    assert folders(tmp_path) == []


def test_a_failing_report_does_not_lose_the_run(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any, path: Path) -> None:
        path.write_text("<ht")
        raise ZeroDivisionError("no figure")

    monkeypatch.setattr(sys.modules["walras.analysis.report"], "write_report", fail)
    assert cli.main(["run", SMALL]) == 3
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "summary.parquet").exists()
    assert not (folder / "report.html").exists()
    out = capsys.readouterr()
    assert "fast/default" in out.out
    assert "the report could not be made: ZeroDivisionError: no figure" in out.err
    with pytest.raises(ZeroDivisionError):
        cli.main(["run", SMALL, "--debug"])


def test_what_killed_processes_left_is_swept(runs: Any, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    place = tmp_path / "runs"
    for name in (f".a.{process.pid}.tmp", f".b.{process.pid}.old", f".c.{os.getpid()}.tmp"):
        (place / name).mkdir(parents=True)
    assert cli.main(["run", SMALL, "-q"]) == 0
    names = {p.name for p in place.iterdir()}
    assert {n for n in names if not n.startswith("small-")} == {"b", f".c.{os.getpid()}.tmp"}


def test_interrupted_after_the_folder_is_in_place(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = running._put

    def put(*places: Path) -> None:
        real(*places)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "_put", put)
    for _ in range(2):
        assert cli.main(["run", SMALL, "-q"]) == 130
        (folder,) = (tmp_path / "runs").iterdir()
        assert f"the run is in runs/{folder.name}" in capsys.readouterr().err


def test_interrupted_is_130_and_leaves_nothing(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    runs(interrupt)
    assert cli.main(["run", SMALL, "--seed", "5"]) == 130
    assert f"walras run {SMALL} --seed 5" in capsys.readouterr().err
    assert folders(tmp_path) == []


@pytest.mark.parametrize("when", ["save", "report", "rename"])
def test_interrupted_while_saving(
    when: str, runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["run", SMALL, "-q"]) == 0
    (before,) = (tmp_path / "runs").iterdir()
    (before / "mark").touch()

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    if when == "save":
        monkeypatch.setattr(Result, "save", interrupt)
    elif when == "report":
        monkeypatch.setattr(sys.modules["walras.analysis.report"], "write_report", interrupt)
    else:
        real = Path.rename

        def rename(self: Path, target: Path) -> Path:
            if self.name.endswith(".tmp"):
                raise KeyboardInterrupt
            return real(self, target)

        monkeypatch.setattr(Path, "rename", rename)
    assert cli.main(["run", SMALL, "-q"]) == 130
    assert list((tmp_path / "runs").iterdir()) == [before]
    assert (before / "mark").exists()
    assert cli.main(["run", SMALL, "-q", "--seed", "9"]) == 130
    assert list((tmp_path / "runs").iterdir()) == [before]


def test_progress_without_a_terminal_is_a_line_in_thirty_seconds(
    runs: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0

    def run(*_: Any, progress: running.Progress, **__: Any) -> Result:
        nonlocal now
        for i in range(100):
            now += 1
            progress(36.0 * (i + 1), 3600.0, 1000 * i)
        return small_result()

    monkeypatch.setattr(time, "monotonic", lambda: now)
    runs(run)
    assert cli.main(["run", SMALL, "--seed", "3"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "tasks/s" in line]
    assert len(lines) == 3
    assert lines[0] == "31%  1,000 tasks/s  69 s left"


def test_a_sweeps_lines_leave_out_what_was_done_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with sweeping._progress(quiet=False) as report:
        assert report is not None
        report(500, 2_000, 0)
        for i in range(1, 62):
            now += 1.0
            report(500 + 2 * i, 2_000, int(i > 40))
    assert capsys.readouterr().err.splitlines() == [
        "560 of 2,000  2 runs/s  720 s left", "620 of 2,000  2 runs/s  1 failed  690 s left",
    ]  # fmt: skip


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with running.progress(quiet=False) as report:
        assert report is not None
        report(1.0, 2.0, 100)
    with sweeping._progress(quiet=False) as told:
        assert told is not None
        told(1, 2, 1)
    for quiet in (running.progress(quiet=True), sweeping._progress(quiet=True)):
        with quiet as nothing:
            assert nothing is None


# --- the card ----------------------------------------------------------------------------------


def test_the_card_leaves_out_what_is_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = small_result()
    rows = result.summary()
    monkeypatch.setattr(Result, "summary", lambda _: rows[rows["metric"] == "share"])
    terminal.console().print(cards.card(result, "", "walras run x"))
    out = capsys.readouterr().out
    assert "utilisation" not in out
    assert "welfare" not in out
    assert "files" not in out
    assert "nan" not in out
    monkeypatch.setattr(Result, "summary", lambda _: rows[:0])
    terminal.console().print(cards.card(result, "", "walras run x"))
    assert "no tasks" in capsys.readouterr().out


def test_the_card_adds_up_and_says_how_long_answers_take() -> None:
    """Welfare is what buyers, sellers and the platform gain; the last only where it takes any."""
    result = simulate(busy_market(), until=2_000.0)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(cards.card(result, "", ""))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    found = re.search(r"welfare (\S+).* buyers (\S+).* sellers (\S+).* platform (\S+)", text)
    assert found
    welfare, *parts = (float(part.rstrip(",").replace(",", "")) for part in found.groups())
    assert sum(parts) == pytest.approx(welfare, rel=0.02)
    assert " time " in text
    free = simulate(load(SMALL), until="10 min")
    console.print(cards.card(free, "", ""))
    assert "platform" not in console.export_text()


def test_the_card_fits_on_a_screen() -> None:
    """However many classes: 40 lines with the prompt, the files and the command last."""
    result = fake_result(tasks=4000)
    market = result.market
    shown = {}
    for count in (1, 8, 60):
        names = [f"class-{i}" for i in range(count)]
        summary = result.summary()
        one = summary[summary["task"] == market.tasks[0].name]
        of_all = summary[summary["task"] == "all"]
        rows = pd.concat([*(one.assign(task=name) for name in names), of_all])
        tasks = [market.tasks[0].model_copy(update={"name": name}) for name in names]
        many = replace(result, market=market.model_copy(update={"tasks": tasks}), kept=rows)
        console = Console(width=80, record=True, file=io.StringIO(), soft_wrap=True)
        console.print(cards.card(many, "runs/x", "walras run x --seed 1", 80))
        lines = console.export_text().splitlines()
        assert len(lines) < 40
        assert max(map(len, lines)) <= 80
        assert [line.split()[0] for line in lines[-2:]] == ["files", "repeat"]
        shown[count] = sum("/" in line for line in lines if line.startswith("  "))
    assert shown[1] == 3
    assert shown[8] == 16
    assert shown[60] == 12
    assert any("48 more classes are in the report" in line for line in lines)


def test_the_card_says_by_how_much_efforts_are_priced_apart() -> None:
    """One price where they are alike, the range where they are not."""
    result = small_result()
    rows = result.summary()
    (seller,) = (s for s in result.market.sellers if len(s.effort) > 1)
    assert cards._posted(cards.Figures(rows), seller.offers) == ("1.2", "USD/Mtok")
    last = (rows["offer"] == seller.offers[-1]) & (rows["metric"] == "posted_price")
    apart = rows.assign(value=rows["value"].where(~last, 9.0))
    assert cards._posted(cards.Figures(apart), seller.offers) == ("1.2 to 9", "USD/Mtok")


def test_the_card_cuts_names_and_never_numbers() -> None:
    header = ("task class, offer", "share", "unit")
    rows: list[cards.Row] = [("  " + "x" * 60 + "/think-64k", "12.3% ±0.4%", "USD/task")]
    for width in (10, 40, 80, 120):
        text = cards.table(header, rows, width).plain
        assert "12.3% ±0.4%  USD/task" in text
        assert "think-64k" in text or width < 40
        assert width < 40 or max(map(len, text.splitlines())) <= width


# --- validate, explain, list -------------------------------------------------------------------


def test_validate(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", SMALL]) == 0
    assert capsys.readouterr().out == f"{SMALL}: fine, 1 task class, 2 sellers, 3 offers\n"
    assert cli.main(["validate", "--json", SMALL, BAD, WARNED]) == 2
    found = json.loads(capsys.readouterr().out)
    assert {"error", "warning"} == {p["severity"] for p in found}
    assert cli.main(["validate", "--quiet", SMALL]) == 0
    assert capsys.readouterr() == ("", "")


def test_no_colour_unless_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    cli.main(["validate", BAD])
    assert "\x1b[" in capsys.readouterr().err
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("NO_COLOR", "1")
    cli.main(["validate", BAD])
    assert "\x1b[" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("deadline", ["tasks.deadline", "seconds", "5 min"]),
        ("sellers.kappa", ["r₁·κ/(κ + n − 1)", "streams", "unlimited"]),
        ("nest", ["McFadden 1978"]),
        ("sellers.price", ["sellers.price.output", "USD per million tokens"]),
        ("events.outage", ["events.outage.duration"]),
        ("lognormal", ["lognormal.cv"]),
        ("rate", ["poisson.rate", "batch.rate"]),
        ("columns", ["TIMESTAMP"]),
        ("mechanism", ["kind", "second_score"]),
        ("claude-3.7-sonnet.speed", ["tokens/s", "source:"]),
        ("lognormal", ["coefficient of variation", "tasks.output_tokens", "a table of mean, cv"]),
        ("W201", ["a dominated offer", "p_i ≤ p_j"]),
        ("w106", ["error", "contradict"]),
        (
            "undercut",
            [
                "one tick below the cheapest rival",
                "undercut.floor",
                "undercut.top",
                "sellers.pricing",
            ],
        ),
        ("cost_plus.markup", ["mark-up on unit cost", "ratio", "0.3"]),
        ("load_pricing", ["load_pricing.target"]),
        ("replay", ["replay.file", "tasks.arrivals"]),
        ("slots", ["1,000,000"]),
        ("memory", ["falls to 1/e"]),
        ("floor", ["sellers.ability.floor", "undercut.floor"]),
        ("sellers.deep.price", ["sellers.price.output"]),
        ("sellers.claude-3.7-sonnet.price.output", ["sellers.price.output", "million tokens"]),
        ("tasks.chat.deadline", ["tasks.deadline", "seconds"]),
        ("F1", ["Who is chosen", "walras.plot.selection_map"]),
    ],
)
def test_explain(field: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", field]) == 0
    out = capsys.readouterr().out
    assert [w for w in words if w not in out] == []
    assert cli.main(["explain", field, "--json"]) == 0
    json.loads(capsys.readouterr().out)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"walras {walras.__version__}\n"


def test_explain_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "dedline"]) == 2
    assert "did you mean `deadline`?" in capsys.readouterr().err
    assert cli.main(["explain", "zzz\x1b[0m"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_list(runs: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["list", "runs"]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["run", SMALL, "-q"]) == 0
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / "manifest.json").write_text("not JSON")
    assert cli.main(["list", "runs"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("small-")
    assert line.endswith(f"walras run {SMALL} --seed 0")
    assert cli.main(["list", "figures"]) == 0
    assert "F1 " in capsys.readouterr().out
    assert cli.main(["list"]) == 0
    assert cli.main(["list", "--json"]) == 0


# --- the front door ----------------------------------------------------------------------------


def test_public_names() -> None:
    tree = ast.parse(Path(walras.__file__).read_text("utf-8"))
    typed = {
        alias.asname
        for block in tree.body if isinstance(block, ast.If)
        for node in block.body if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }  # fmt: skip
    assert typed == set(walras.__all__)
    for name in walras.__all__:
        assert getattr(walras, name) is not None
    assert set(walras.__all__) <= set(dir(walras))
    assert walras.Market is Market
    with pytest.raises(AttributeError, match="no attribute 'Markt'"):
        walras.Markt  # noqa: B018


def test_nothing_heavy_is_imported_for_help() -> None:
    script = (
        "import sys; from walras.cli import main; main(['run', '--help'])\n"
        "print([m for m in ('pandas', 'numpy', 'numba', 'mesa', 'rich', 'plotly')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_is_quick() -> None:
    """Best of five: the machine may be busy with other tests."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "walras", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3


def test_a_broken_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "walras", "explain", "sellers.price"],
        stdout=writer, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.stderr == b""


SLOW_RUN = """
import sys, time, types
module = types.ModuleType("walras.scenarios.run")
def run(*_, progress, **__):
    print("started", flush=True)
    time.sleep(60)
module.run = run
sys.modules["walras.scenarios.run"] = module
from walras.cli import main
sys.exit(main(["run", sys.argv[1]]))
"""


def test_ctrl_c_while_importing(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "walras", "list"], check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
@pytest.mark.parametrize("request_to_end", ["SIGINT", "SIGTERM"])
def test_ctrl_c(tmp_path: Path, request_to_end: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, SMALL], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(getattr(signal, request_to_end))
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"walras run {SMALL} --seed 0" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
