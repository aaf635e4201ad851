"""The pictures of docs/dashboard.md, made anew: `python docs/pictures/dashboard.py [FOLDER]`.

Needs `walras[dash]`, Playwright, Pillow and Chromium; takes a minute.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


def live(page: Page) -> None:
    """Let a market run for a while, and stop it."""
    page.select_option("#pace", "3600")
    page.click("#play")
    page.wait_for_function("parseFloat(document.getElementById('clock').textContent) > 90")
    page.click("#play")
    page.mouse.move(2, 2)


def selected(page: Page) -> None:
    """Select the tasks of long deadlines on the map."""
    live(page)
    plane = page.locator("#f1 .nsewdrag").bounding_box()
    assert plane is not None  # noqa: S101
    x, y, wide, tall = (plane[name] for name in ("x", "y", "width", "height"))
    page.mouse.move(x + 0.38 * wide, y + 0.02 * tall)
    page.mouse.down()
    page.mouse.move(x + 0.75 * wide, y + 0.55 * tall, steps=8)
    page.mouse.up()
    page.wait_for_function("document.getElementById('f4-note').textContent !== ''")
    page.mouse.move(x + 0.9 * wide, y + 0.9 * tall)
    page.mouse.move(2, 2)


def solved(page: Page) -> None:
    """Wait until all that takes seconds is there."""
    page.wait_for_function("document.body.dataset.solved === 'yes'", timeout=120_000)


PICTURES = {
    "dashboard": ("", (1280, 1060), False, live),
    "dashboard-selected": ("task=document-translation", (1280, 1060), False, selected),
    "dashboard-sweep": ("scenario=deep_research&tab=sweep", (1280, 820), False, solved),
    "dashboard-phone": ("scenario=real_time_translation", (390, 1500), True, live),
}
"""What is shown, the size of the page, whether it is dark, and what is done first; by file."""

line = [sys.executable, "-m", "walras", "dashboard", "marketplace", "--no-browser", "--port", "0"]
with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
    assert server.stdout is not None  # noqa: S101
    address = server.stdout.readline().partition(": ")[2].strip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (query, (width, height), dark, act) in PICTURES.items():
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
            )
            page.goto(f"{address}?{query}")
            page.wait_for_function("document.body.dataset.fluid", timeout=120_000)
            act(page)
            page.wait_for_timeout(800)  # until all is drawn
            file = OUT / f"{name}.png"
            page.screenshot(path=file)
            page.close()
            # Five bits a channel: nobody sees it, and shades take half the room.
            few = Image.open(file).convert("RGB").point(lambda v: (v & 0xF8) | (v >> 5))
            few.save(file, optimize=True)
            print(file)
        browser.close()
    server.terminate()
