"""A dashboard that is watched for long: memory stays flat in all its processes and in the page."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright")
pytest.importorskip("dash")

from .dashboard_page import CHROMIUM, SHOP, Board, browsing, served

_EVERY = 10.0  # seconds between two measurements
_WARM = 120.0  # until code is compiled and buffers are full


def memory(root: int) -> float:
    """Return what a process and its descendants hold, MB; what they share counts for each."""
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                after = (folder / "stat").read_text().rpartition(")")[2].split()
                pages[int(folder.name)] = int((folder / "statm").read_text().split()[1])
            except OSError:
                continue  # it has just ended
            children.setdefault(int(after[1]), []).append(int(folder.name))
    found, at = 0, [root]
    while at:
        pid = at.pop()
        found += pages.get(pid, 0)
        at += children.get(pid, [])
    return found * 4096 / 1e6


@pytest.mark.torture
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None or not Path("/proc").is_dir(), reason="no Chromium or /proc")
@pytest.mark.parametrize("minutes", [10.0])
def test_ten_minutes_of_streaming_leave_memory_flat(minutes: float, tmp_path: Path) -> None:
    """At 10 messages a second; after two minutes neither side grows by 0.5 MB a minute."""
    file = tmp_path / "shop.toml"
    file.write_text(SHOP)
    with served(str(file)) as (address, pid), browsing() as browser:
        board = Board(browser.new_page(viewport={"width": 1280, "height": 900}), address)
        frames = [0]

        def count(message: str | bytes) -> None:
            frames[0] += isinstance(message, str) and message.startswith('{"live"')

        board.page.on("websocket", lambda socket: socket.on("framereceived", count))
        board.open().run_on()
        tools = board.page.context.new_cdp_session(board.page)
        tools.send("Performance.enable")
        rows, began, counted = [], time.monotonic(), frames[0]
        while time.monotonic() - began < 60.0 * minutes:
            board.page.wait_for_timeout(1e3 * _EVERY)
            tools.send("HeapProfiler.collectGarbage")
            told = tools.send("Performance.getMetrics")["metrics"]
            heap = next(m["value"] for m in told if m["name"] == "JSHeapUsedSize") / 1e6
            rows.append((time.monotonic() - began, memory(pid), heap))
            if len(rows) % 6 == 0:
                at, server_mb, page_mb = rows[-1]
                sys.stderr.write(f"\n{at:4.0f} s: server {server_mb:.1f} MB, page {page_mb:.1f} MB")
        rate = (frames[0] - counted) / (time.monotonic() - began)
        clock = board.clock()
    t, server, page = np.array(rows).T
    late = t > _WARM
    slopes = [float(np.polyfit(t[late] / 60.0, x[late], 1)[0]) for x in (server, page)]
    sys.stderr.write(
        f"\n{rate:.1f} frames a second, simulated {clock}; from minute 2: server "
        f"{slopes[0]:+.3f} MB/min, page {slopes[1]:+.3f} MB/min\n"
    )
    assert board.wrong == []
    assert rate > 8.0
    assert max(slopes) < 0.5
