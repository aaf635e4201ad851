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
_ROOT = Path(__file__).parent.parent
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


_PATIENCE = 90_000.0  # ms; what is solved behind a page gives way to all other work
expect.set_options(timeout=_PATIENCE)


@contextmanager
def served(*arguments: str) -> Iterator[tuple[str, int]]:
    """Run `walras dashboard` with arguments; yield the address that it prints, and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "walras", "dashboard", *arguments, "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=_ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        address = process.stdout.readline().partition(": ")[2].strip()
        assert address, "the dashboard did not start"
        yield address, process.pid
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
        self.page.set_default_timeout(_PATIENCE)

    def open(self, query: str = "") -> Board:
        """Load the page and wait for its first answer."""
        self.page.goto(f"{self.address}?{query}" if query else self.address)
        self.page.wait_for_function("document.body.dataset.fluid")
        return self

    def figure(self, id: str) -> dict[str, Any]:
        """Return the data and the layout that a plot shows, once it is there."""
        self.until("id => document.querySelector(`#${id} .js-plotly-plot`)", id)
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


TRACES = "id => (document.querySelector(`#${id} .js-plotly-plot`) || {data: []}).data"
"""Script: the traces of a plot; none before it is there."""
MEETING = """() => {
  const seen = [...document.querySelectorAll('button, select, input, summary, output, h1, h2')]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().width > 0)
    .filter(e => !e.closest('.modebar'));
  const rects = seen.map(e => {
    let r = e.getBoundingClientRect(), [l, t, rr, b] = [r.left, r.top, r.right, r.bottom];
    const clip = e.closest('.scroll, #tabs');
    if (clip) {
      const c = clip.getBoundingClientRect();
      [l, t, rr, b] = [Math.max(l, c.left), Math.max(t, c.top), Math.min(rr, c.right),
                       Math.min(b, c.bottom)];
    }
    return [l, t, rr, b];
  });
  const found = [];
  for (let i = 0; i < seen.length; i++) for (let j = 0; j < i; j++) {
    const [a, b] = [rects[i], rects[j]];
    const wide = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
    const tall = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
    if (wide > 1 && tall > 1 && !seen[i].contains(seen[j]) && !seen[j].contains(seen[i]))
      found.push(`${seen[i].outerHTML.slice(0, 80)} meets ${seen[j].outerHTML.slice(0, 80)}`);
  }
  const out = document.documentElement.scrollWidth - window.innerWidth;
  return out > 0 ? [...found, `${out} px too wide`] : found;
}"""
"""Script: which controls and heads overlap, and whether the page is wider than its window."""
PALE = """() => {
  const parts = (c) => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (c, under) => c.length < 4 ? c
    : [0, 1, 2].map(i => c[3] * c[i] + (1 - c[3]) * under[i]);
  const behind = (e) => {
    const all = [];
    for (; e; e = e.parentElement) all.push(parts(getComputedStyle(e).backgroundColor));
    return all.reverse().reduce((under, c) => over(c, under), [255, 255, 255]);
  };
  const light = (c) => {
    const [r, g, b] = c.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const field = e.matches('input:not([type=range]), select');
    if (!(own || field) || !e.checkVisibility() || e.disabled) continue;
    if (e.closest('noscript, .annotation, .modebar')) continue;
    const style = getComputedStyle(e), drawn = e.closest('svg');
    const under = behind(drawn ? drawn.parentElement : e);
    const a = light(over(parts(drawn ? style.fill : style.color), under)), b = light(under);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const said = (e.textContent || e.value).slice(0, 40);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${e.tagName} ${said}`);
  }
  return found;
}"""
"""Script: which texts have less contrast than 4.5 to 1 (WCAG 2.2, 1.4.3)."""
RUN = "window.pwned=1"
HOSTILE = [
    *(f"<{tag}>{RUN}</{tag}>" for tag in ("script", "b", "style", "textarea", "title", "svg")),
    *(f"<{tag} src=x onerror={RUN}>" for tag in ("img", "video", "audio", "script", "input")),
    *(f"<{tag} onload={RUN}>" for tag in ("svg", "body", "iframe", "object", "embed")),
    *(f"<a href={q}javascript:{RUN}{q}>x</a>" for q in ("", "'", '"')),
    *(f"javascript:{RUN}", f"data:text/html,<script>{RUN}</script>", f"vbscript:{RUN}"),
    *(f"{q}><script>{RUN}</script>" for q in ("'", '"', "`", "-->", "]]>", "</title>")),
    *(f"{q} onmouseover={q}{RUN}{q} x={q}" for q in ("'", '"')),
    *(f"{q};{RUN};//" for q in ("'", '"', "`", "\\'", '\\"', "</script>")),
    *(f"{a}{RUN}{b}" for a, b in (("${", "}"), ("{{", "}}"), ("{%", "%}"), ("<%", "%>"),
                                   ("#{", "}"), ("%{", "}"), ("`${", "}`"), ("[[", "]]"))),
    "%{x}", "%{customdata}", "%{y:.3f}<extra></extra>", "<extra>", "%s%n%d", "%00", "%3Cscript%3E",
    "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "a.__proto__.pwned",
    "constructor.prototype.pwned", "__defineGetter__", "valueOf", "null", "undefined", "NaN",
    "true", "-0", "1e999", "∞", "-1", "1/0", "0x41",
    "&lt;script&gt;", "&#60;script&#62;", "&amp;", "&", "<", ">", "'", '"', "`", "\\", "/",
    "../../etc/passwd", "..\\..\\x", "file:///etc/passwd", "//evil.example/x", "C:\\x",
    "\u202egnp.exe",
    "\u2066x\u2069", "العربية", "עברית", "日本語", "🦊🏳️‍🌈", "e\u0301" * 20, "\ufeffx",
    "\u200b", "a\u2028b", "x" * 1500, "<b>" * 300, "a\tb", "$x^2$", "\\(x\\)", "'; DROP TABLE x;--",
    "=1+1", "@SUM(1)", "+cmd|' /C calc'!A0", "<br><br>", "<sub>x</sub>", "[]", "{}", "[1, 2]",
    '{kind = "constant"}', "<!--", "<!DOCTYPE html>", "\x00", "a\x00b", "\x1b[31mred", "\r\nx",
]  # fmt: skip
"""Markup, scripts, quotes, templates, names that objects have, text that turns or hides text."""
