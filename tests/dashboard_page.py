"""What tests of the dashboard's page share: servers, a browser, and a page that is watched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
SHOP = """
name = "shop"
question = "Who talks at once, and who thinks first?"
[run]
until = "1 h"
epoch = "1 min"
[[tasks]]
name = "talk"
arrivals = { kind = "poisson", rate = 2.0 }
output_tokens = { kind = "exponential", mean = 60.0 }
value = { kind = "lognormal", mean = 0.05, cv = 2.0 }
deadline = { kind = "uniform", low = 1.0, high = 20.0 }
loss = 0.02
choice = { kind = "logit", scale = 0.004 }
[[tasks]]
name = "report"
arrivals = { kind = "poisson", rate = 0.3 }
output_tokens = { kind = "exponential", mean = 400.0 }
value = { kind = "lognormal", mean = 0.5, cv = 2.0 }
deadline = { kind = "uniform", low = 20.0, high = 600.0 }
loss = 0.3
choice = { kind = "logit", scale = 0.02 }
[[sellers]]
name = "quick"
accuracy = 0.72
speed = 150
slots = 8
price = { input = 0.1, output = 40.0 }
cost = { output = 10.0 }
[[sellers]]
name = "able"
accuracy = 0.86
speed = 60
slots = 8
price = { input = 1.0, output = 150.0 }
cost = { output = 50.0 }
[[sellers]]
name = "thinker"
speed = 90
slots = 16
effort = { none = 0, high = 1500 }
ability = { general = { theta = 1.5, beta = 0.6 } }
price = { input = 1.0, output = 120.0 }
cost = { output = 40.0 }
"""
"""Two classes, three sellers, one of whom thinks."""


@contextmanager
def served(*arguments: str, **more: Any) -> Iterator[str]:
    """Run `walras dashboard` with arguments; yield the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "walras", "dashboard", *arguments, "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **more,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        address = process.stdout.readline().partition(": ")[2].strip()
        assert address, "the dashboard did not start"
        yield address
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Yield a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update"],
        )  # fmt: skip
        yield browser
        browser.close()


@dataclass
class Board:
    """A page of the dashboard, and what went wrong on it.

    Attributes:
        page: Playwright's.
        address: of the server.
        wrong: what the console said, errors of scripts, dialogs, requests to elsewhere.
    """

    page: Page
    address: str
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        def said(message: Any) -> None:
            if message.type in ("error", "warning"):
                self.wrong.append(f"console {message.type}: {message.text}")

        def asked(request: Any) -> None:
            if not request.url.startswith((self.address.partition("?")[0], "data:", "blob:")):
                self.wrong.append(f"request to {request.url}")

        def opened(dialog: Any) -> None:
            self.wrong.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        self.page.on("console", said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("dialog", opened)
        self.page.on("request", asked)
        self.page.set_default_timeout(60_000)

    def open(self, query: str = "") -> Board:
        """Load the page and wait for its first answer."""
        self.page.goto(f"{self.address}?{query}" if query else self.address)
        self.page.wait_for_function("document.body.dataset.fluid")
        return self

    def figure(self, id: str) -> dict[str, Any]:
        """Return the data and the layout that a plot shows."""
        found: dict[str, Any] = self.page.evaluate(
            "id => { const g = document.querySelector(`#${id} .js-plotly-plot`);"
            " return {data: g.data, layout: g.layout}; }", id,
        )  # fmt: skip
        return found

    def until(self, script: str, given: Any = None) -> None:
        """Wait until a script says yes."""
        self.page.wait_for_function(script, arg=given)

    def answered(self, act: Callable[[], Any]) -> None:
        """Do something, and wait for the fluid market's answer to it."""
        before = int(self.page.evaluate("document.body.dataset.fluid"))
        act()
        self.until("n => Number(document.body.dataset.fluid) > n", before)
        self.drawn()

    def drawn(self) -> None:
        """Wait until what was told stands on the page: Dash draws a moment later."""
        self.page.wait_for_timeout(150)

    def slide(self, value: float) -> None:
        """Move the price of reasoning, as a hand does."""
        self.page.locator("#reasoning").evaluate(
            "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }",
            str(value),
        )  # fmt: skip

    def run_on(self) -> None:
        """Press play, and wait until tasks are on the map and prices are drawn."""
        self.page.click("#play")
        self.until(f"({TRACES})('f1').some(t => t.name === 'tasks')")
        self.until(f"({TRACES})('f3').length > 1")

    def pause(self) -> None:
        """Stop the clock."""
        self.page.click("#play")
        expect(self.page.locator("#play")).to_have_text("Play")
        self.drawn()

    def clock(self) -> str:
        """Return the simulated time as it is told."""
        return self.page.locator("#clock").inner_text()

    def box(self, id: str, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Drag a box over parts of a plot; (0, 0) is its upper left corner."""
        plane = self.page.locator(f"#{id} .nsewdrag").first
        plane.scroll_into_view_if_needed()
        at = plane.bounding_box()
        assert at is not None
        mouse = self.page.mouse
        mouse.move(at["x"] + x[0] * at["width"], at["y"] + y[0] * at["height"])
        mouse.down()
        mouse.move(at["x"] + x[1] * at["width"], at["y"] + y[1] * at["height"], steps=8)
        mouse.up()

    def keep(self, folder: Path, name: str) -> None:
        """Keep a picture of the whole page, in the folder of WALRAS_SCREENSHOTS if that is set."""
        home = Path(os.environ.get("WALRAS_SCREENSHOTS") or folder)
        home.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=home / f"{re.sub(r'[^a-z0-9-]', '-', name)}.png", full_page=True)


TRACES = "id => document.querySelector(`#${id} .js-plotly-plot`).data"
"""Script: the traces of a plot."""
