"""Compile once before the tests are handed out: each worker would compile the same for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_RUN = "import walras as w; from tests.golden_markets import MARKETS; {}"
_PARTS = (
    "w.run(MARKETS['posted_price'], until=50.0)",
    "w.run(MARKETS['call_market'], until=50.0); w.run(MARKETS['rubinstein'], until=50.0)",
    "w.equilibrium('best_responses', certificate=False)",
)
"""What takes longest to compile, in parts."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: Any, specs: Any) -> None:
    """Let a few processes fill the compile cache side by side; later runs find it full."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return
    root = Path(__file__).parent.parent
    running = [
        subprocess.Popen([sys.executable, "-c", _RUN.format(part)], cwd=root) for part in _PARTS
    ]
    for process in running:
        if process.wait() != 0:
            raise RuntimeError("a market of the tests does not run")
