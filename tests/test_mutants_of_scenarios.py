"""Malformed scenarios, ten thousand in the long tests: refused with reasons, or still valid."""

from __future__ import annotations

import ast
import json
import math
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from walras.cli import main
from walras.market.schema.errors import CODES, Problem, errors_in, render
from walras.scenarios.load import Loaded, check
from walras.scenarios.schema import every_entry

from .mutants import CORPUS, mutants

ROOT = Path(__file__).parent.parent
PARTS, PER_PART, SOON = 10, 1000, 3
"""Of the parts some are judged with every run of the tests, all in the long ones."""
COVERED = 2000
VALUES = {"W102", "W103", "W104", "W105", "W108", "W115"}
"""Codes of errors in one field: these say its unit and range."""


def _by_name(attribute: str) -> dict[tuple[str, str], list[bool]]:
    """Map table and name of a field to whether each such field has a unit or range."""
    found = defaultdict(list)
    for _, entry in every_entry():
        found[str(entry.path[0]), str(entry.path[-1])].append(bool(getattr(entry, attribute)))
    return found


FREE = [["ability"], ["accuracy"], ["claimed"], ["effort"], ["params"]]
"""Tables whose keys are names, which may be those of fields."""
HAS_UNIT, HAS_RANGE = _by_name("unit"), _by_name("range")


def assert_helpful(problem: Problem) -> None:
    """An error names its field; with the unit and range of the field, where it has them."""
    assert problem.code in CODES
    assert problem.message
    assert "nput should" not in problem.message
    if problem.code in ("W107", "W114"):
        return
    assert problem.field, problem
    name = problem.field.partition(".")[0], problem.field.rpartition(".")[2]
    inside = problem.field.split(".")[-2:-1]
    if problem.code in VALUES and name in HAS_UNIT and inside not in FREE:
        assert problem.unit or not all(HAS_UNIT[name]), problem
        assert problem.allowed or not all(HAS_RANGE[name]), problem


def assert_finite(value: Any, key: str = "") -> None:
    """No number is infinite or not a number; "unlimited" is written as a word."""
    if isinstance(value, dict):
        for k, v in value.items():
            assert_finite(v, k)
    elif isinstance(value, list):
        for v in value:
            assert_finite(v, key)
    elif isinstance(value, float):
        assert math.isfinite(value), key


def judge(loaded: Loaded) -> bool:
    """Return whether a mutant is valid, after checking what was said about it."""
    errors = errors_in(loaded.problems)
    assert (loaded.market is None) == bool(errors)
    for problem in loaded.problems:
        assert_helpful(problem)
    shown = render(loaded.problems)
    assert all(c.isprintable() or c == "\n" for c in shown)
    if loaded.spec is not None:
        assert_finite(loaded.spec.model_dump())
        assert " nan" not in shown
        assert " inf" not in shown
    return not errors


@pytest.mark.parametrize("part", [
    *range(SOON), *(pytest.param(part, marks=pytest.mark.torture) for part in range(SOON, PARTS))
])  # fmt: skip
def test_mutants(part: int) -> None:
    valid = sum(
        judge(check(text, file="mutant.toml", base=CORPUS, name="mutant"))
        for text in mutants(part, PER_PART)
    )
    assert 0.05 * PER_PART < valid < 0.6 * PER_PART  # neither all nonsense nor all harmless


def test_mutants_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mutant.toml"
    seen = set()
    for text in mutants(77, 150):
        file.write_text(text, encoding="utf-8")
        code = main(["validate", str(file)])
        out = capsys.readouterr()
        assert code in (0, 2)
        assert (code == 2) == ("error[W" in out.err)
        assert "Traceback" not in out.err + out.out
        if code == 2:  # bad input stops a run before anything is written
            assert main(["run", str(file)]) == 2
            capsys.readouterr()
        assert [p.name for p in tmp_path.iterdir()] == ["mutant.toml"]
        seen.add(code)
    assert seen == {0, 2}


# --- how much of the validation they reach -----------------------------------------------------

WHOLE = [
    *(f"scenarios/{n}" for n in ("load", "checks", "expand", "traces", "lines")),
    "scenarios/lint/offers", "scenarios/lint/queues",
    "market/schema/errors", "market/schema/faults",
]  # fmt: skip
PARTLY = [
    f"market/schema/{n}"
    for n in ("fields", "arrivals", "distributions", "demand", "supply", "market")
]


def validators(path: Path) -> set[str]:
    """Return the names of the functions in a file of the spec that validate."""
    tree = ast.parse(path.read_text("utf-8"))
    named = {
        n.args[0].id for n in ast.walk(tree)
        if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "BeforeValidator"
        and isinstance(n.args[0], ast.Name)
    }  # fmt: skip
    found = set(named) | {"_duration_law"}
    for owner in [n for n in tree.body if isinstance(n, ast.ClassDef)]:
        for method in [n for n in owner.body if isinstance(n, ast.FunctionDef)]:
            if any("validator" in ast.unparse(d) for d in method.decorator_list):
                found.add(f"{owner.name}.{method.name}")
    return found


SCRIPT = """
import os, sys
from pathlib import Path
import coverage
measured = coverage.Coverage(branch=True, data_file=None, include=sys.argv[2:], config_file=False)
measured.start()
from tests.mutants import CORPUS, mutants
from walras.market.schema.errors import render
from walras.scenarios.load import check, load, market_of, read
for path in sorted((CORPUS / "bad").glob("*.toml")):
    render(read(path).problems)
    render(check(path.read_text("utf-8", "replace")).problems)
    try:
        load(path)
    except ValueError:
        pass
market_of(market_of(CORPUS / "small.toml"))
for path in sorted(CORPUS.glob("everything*.toml")):
    load(path)
os.environ["WALRAS_DATA"] = str(CORPUS / "bad")
for target in ("no-such", "marketplac", str(CORPUS), "a\\0b", "/dev/null"):
    render(read(target).problems)
for change in ("run.until=2h", "run.untl=3", "tasks.chat.value=-1", "no", "catalogue.name=x"):
    render(read(CORPUS / "small.toml", [change]).problems)
for text in mutants(1000, int(sys.argv[1])):
    render(check(text, file="x", base=CORPUS, name="x").problems)
measured.stop()
measured.json_report(outfile="-")
"""


@pytest.mark.slow
@pytest.mark.torture
def test_mutants_and_corpus_reach_the_validation() -> None:
    """At least 95% of the branches of everything that validates."""
    files = [ROOT / f"{n}.py" for n in (*WHOLE, *PARTLY)]
    include = [f"*/{p.parent.name}/{p.name}" for p in files]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "WALRAS_"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(COVERED), *include], cwd=ROOT, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["files"]
    taken = total = 0
    missing = []
    for name, content in report.items():
        path = Path(name)
        partly = f"market/schema/{path.stem}" in PARTLY and path.parent.name == "schema"
        wanted = validators(ROOT / "market" / "schema" / path.name) if partly else None
        for function, part in content["functions"].items():
            if wanted is None or function in wanted:
                total += part["summary"]["num_branches"]
                taken += part["summary"]["covered_branches"]
                missing += [f"{path.name}:{b[0]}->{b[1]}" for b in part["missing_branches"]]
    assert len(report) == len(files)
    assert total > 300
    assert taken >= 0.95 * total, f"{taken} of {total}; missing {missing}"
