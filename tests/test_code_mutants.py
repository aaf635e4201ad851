"""Thirty slips in the code, each noticed by a small market with a result known by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from . import code_mutants


def test_every_slip_is_noticed_and_the_code_as_it_is_passes() -> None:
    """In one process without compilation, where rules can be replaced one by one."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.code_mutants"], capture_output=True, text=True, check=False,
        timeout=200,
        cwd=Path(__file__).parent.parent, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert set(found) == set(code_mutants.MUTANTS)
    assert {name: before for name, (before, _) in found.items() if before} == {}
    assert [name for name, (_, after) in found.items() if not after] == []
