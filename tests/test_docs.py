"""What README and docs say is true: the example runs, commands and files exist."""

from __future__ import annotations

import math
import re
import runpy
import shlex
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from typer.testing import CliRunner

from walras.analysis.figures import FIGURES

ROOT = Path(__file__).resolve().parent.parent


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, except that figures are not opened and the run is short."""
    shown: list[Any] = []

    def note(figure: Any) -> None:
        shown.append(figure)

    monkeypatch.setattr(go.Figure, "show", note)
    (example,) = blocks("README.md", "python")
    assert 'until="6 h"' in example
    script = tmp_path / "example.py"
    script.write_text(example.replace("6 h", "1 h"), "utf-8")
    names = runpy.run_path(str(script))
    assert len(shown) == 1
    epochs = names["result"].epochs
    assert epochs["served"].sum() > 5000
    won = set(FIGURES["F1"].data(names["result"]).query("tasks > 5")["offer"])
    assert {"fast/default", "deep/low", "deep/high"} <= won  # each wins somewhere on the map
    assert len(shown[0].data) > 3


def test_the_examples_of_the_python_page_run(tmp_path: Path) -> None:
    """One after the other; the cascade asks the same question again, and the tables hold it."""
    script = tmp_path / "examples.py"
    script.write_text("\n".join(blocks("docs/python.md", "python")), "utf-8")
    names = runpy.run_path(str(script))
    outcomes = names["outcomes"]
    assert {o.offer for o in outcomes} == {"cheap/default", "dear/high"}
    first = [o for o in outcomes if o.offer == "cheap/default"]
    assert len(first) == 50 + 1  # of the run, and one by hand
    trades = (
        names["w"]
        .run(names["market"], until="20 min", seed=1, record="trades", processes=[names["router"]])
        .trades
    )
    assert {o.id for o in outcomes[:60]} <= set(trades["id"])


def test_the_example_of_the_mechanisms_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Specs, names and a Python function side by side; then two tasks in words."""
    shown: list[Any] = []

    def note(figure: Any) -> None:
        shown.append(figure)

    monkeypatch.setattr(go.Figure, "show", note)
    script = tmp_path / "example.py"
    script.write_text("\n".join(blocks("docs/mechanisms/README.md", "python")), "utf-8")
    names = runpy.run_path(str(script))
    assert names["both"].names == ["posted_price", "second_score", "first_come"]
    assert len(shown) == 1
    assert capsys.readouterr().out.startswith("posted_price\n\ntask 1: chat")


def test_the_examples_of_the_games_page_run(tmp_path: Path) -> None:
    """One after the other; what is called the first equilibrium is one, within its bounds."""
    script = tmp_path / "examples.py"
    script.write_text("\n".join(blocks("docs/games.md", "python")), "utf-8")
    names = runpy.run_path(str(script))
    assert names["game"].payoffs.shape == (10, 3, 10)
    assert names["solved"].index_sum == 1
    assert names["bounds"].low == 0.0 <= names["bounds"].high
    assert names["noisy"].converged


def test_the_example_of_the_page_for_papers_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "example.py"
    script.write_text("\n".join(blocks("docs/paper.md", "python")), "utf-8")
    names = runpy.run_path(str(script))
    assert capsys.readouterr().out == f"{names['table']}\n"
    assert "metric & unit & {posted price} & {vickrey}" in names["table"]
    assert "welfare & USD/h & " in names["table"]


def test_the_examples_of_the_sweeps_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, in one thread; pairs are as sharp as the page says."""
    import walras as w

    monkeypatch.chdir(tmp_path)
    script = tmp_path / "examples.py"
    script.write_text("\n".join(blocks("docs/sweeps.md", "python")), "utf-8")
    with ThreadPoolExecutor(1) as threads:
        for name in ("sweep", "boundary"):
            monkeypatch.setattr(w, name, partial(getattr(w, name), executor=threads))
        names = runpy.run_path(str(script))
    assert (names["changes"]["var_ratio"] < 0.2).all()
    assert names["indices"]["path"].tolist() == ["tasks.chat.value", "tasks.chat.arrivals.rate"]
    point = names["edge"].points.iloc[0]
    assert point["low"] < 1.2 + 0.25 * math.log(3.0) < point["high"]
    assert names["fitted"].r2 > 0.9


@pytest.mark.parametrize(
    "page", ["README.md", "docs/dashboard.md", "docs/paper.md", "docs/sweeps.md"]
)
def test_the_commands_of_a_page_exist(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command line parses; those that take no time run."""
    from walras.cli import app

    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text("utf-8")
    lines = re.findall(r"^walras .*$", text, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line.split("#")[0])
        if words[1] in ("list", "explain"):
            assert CliRunner().invoke(app, words[1:]).exit_code == 0, line
        else:
            assert CliRunner().invoke(app, [words[1], "--help"]).exit_code == 0, line


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/dashboard.md",
        "docs/games.md",
        "docs/model.md",
        "docs/paper.md",
        "docs/python.md",
        "docs/scenarios.md",
        "docs/sweeps.md",
        *sorted(f"docs/mechanisms/{page.name}" for page in (ROOT / "docs/mechanisms").glob("*.md")),
    ],
)
def test_files_named_in_the_docs_exist(page: str) -> None:
    """Links and paths in backticks lead somewhere."""
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    paths = re.findall(r"`((?:market|agents|scenarios|analysis|tests|docs|walras)/[\w./-]+)`", text)
    for link in links:
        assert ((ROOT / page).parent / link).exists(), f"{page}: {link}"
    for path in paths:
        assert (ROOT / path).exists(), f"{page}: {path}"


def test_make_targets_of_the_docs_exist() -> None:
    """`make x` in a page is a target."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = re.findall(r"make ([a-z]+)", (ROOT / page).read_text("utf-8"))
        assert set(named) <= targets, page
