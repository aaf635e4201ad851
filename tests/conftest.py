"""Compile once before the tests are handed out: each worker would compile the same for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parent.parent
_RUN = "import walras as w; from tests.golden_markets import MARKETS; {}"
_SHARED = "w.run(MARKETS['posted_price'], until=50.0)"
"""What all need."""
_PARTS = (
    "w.run(MARKETS['call_market'], until=50.0); w.run(MARKETS['rubinstein'], until=50.0)",
    "w.equilibrium('best_responses', certificate=False)",
)
"""What else takes long to compile."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: Any, specs: Any) -> None:
    """Fill the compile cache, what is shared first and the rest side by side; it is kept."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return
    for parts in ((_SHARED,), _PARTS):
        running = [
            subprocess.Popen([sys.executable, "-c", _RUN.format(part)], cwd=_ROOT) for part in parts
        ]
        for process in running:
            if process.wait() != 0:
                raise RuntimeError("a market of the tests does not run")
