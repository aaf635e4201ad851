"""The dashboard's page in a browser: what a hand does, and what stands there then."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus

import pytest

import walras as w

pytest.importorskip("playwright")
pytest.importorskip("dash")

from playwright.sync_api import expect

from .dashboard_page import CHROMIUM, SHOP, TRACES, Board, browsing, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scenario, a run and a sweep of it."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "shop.toml").write_text(SHOP)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """Where a dashboard is that all tests share which open no folder."""
    with served("shop.toml", cwd=home) as found:
        yield found


@pytest.fixture
def boards(browser: Browser, address: str) -> Iterator[Any]:
    """Open pages; none of them may complain, say anything or ask anybody else."""
    opened: list[Board] = []
    with ExitStack() as stack:

        def open_page(query: str = "", at: str = "", **look: Any) -> Board:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | look)
            stack.callback(context.close)
            opened.append(Board(context.new_page(), at or address))
            return opened[-1].open(query)

        yield open_page
        for board in opened:
            assert board.page.evaluate("window.pwned") is None
    assert [told for board in opened for told in board.wrong] == []


def test_the_price_of_reasoning_moves_all_maps(boards: Any) -> None:
    board = boards()
    before = {id: board.figure(id)["data"] for id in ("f1", "f2", "f4")}
    assert "Who talks at once" in board.page.locator("#question").inner_text()
    reasoning = board.page.locator("#number-reasoning .value").inner_text()
    board.answered(lambda: board.slide(0.6))
    assert board.page.locator("#reasoning-told").inner_text() == "× 3.98"
    for id, data in before.items():
        assert board.figure(id)["data"] != data, id
    assert board.page.locator("#number-reasoning .value").inner_text() != reasoning
    assert "reasoning=3.98" in board.page.url
    assert float(board.page.evaluate("document.body.dataset.ms")) < 1000


def test_run_pause_step_and_reset(boards: Any, tmp_path: Path) -> None:
    board = boards()
    assert board.clock() == "0 s"
    board.run_on()
    first = board.clock()
    board.until("t => document.getElementById('clock').textContent !== t", first)
    expect(board.page.locator("#number-price .other")).to_contain_text("fluid")
    assert len(board.figure("f3")["data"]) > 2
    board.until("document.querySelector('#number-miss polyline').getAttribute('points')")
    board.keep(tmp_path, "live")
    board.pause()
    stood = board.clock()
    board.page.wait_for_timeout(400)
    assert board.clock() == stood
    board.page.click("#step")
    board.until("t => document.getElementById('clock').textContent !== t", stood)
    board.page.click("#reset")
    expect(board.page.locator("#clock")).to_have_text("0 s")


def test_a_box_on_either_map_filters_the_linked_views(boards: Any, tmp_path: Path) -> None:
    """Zoom and selection stay while the market runs on; a double click ends the selection."""
    board = boards()
    board.run_on()
    note = board.page.locator("#f4-note")
    board.box("f1", (0.02, 0.6), (0.02, 0.98))
    expect(note).to_contain_text("of the last")
    faded = f"({TRACES})('f1').find(t => t.name === 'tasks').marker.opacity"
    board.until(f"{faded}.some(o => o < 0.5) && {faded}.some(o => o > 0.5)")
    selected = "document.querySelector('#f1 .js-plotly-plot').layout.selections.length"
    assert board.page.evaluate(selected) == 1
    clock = board.clock()
    board.until("t => document.getElementById('clock').textContent !== t", clock)
    assert board.page.evaluate(selected) == 1
    board.keep(tmp_path, "selected")
    board.pause()
    few = board.figure("f4")["data"]
    board.page.locator("#f1 .nsewdrag").dblclick()
    expect(note).to_be_empty()
    board.until(f"d => JSON.stringify(({TRACES})('f4')) !== JSON.stringify(d)", few)
    board.box("f2", (0.01, 0.99), (0.01, 0.45))
    expect(note).to_contain_text("of the last")
    pale = board.figure("f2")["data"][-1]["marker"]["opacity"]
    assert {0.12} < set(pale)


def test_a_price_in_the_table_moves_its_offer(boards: Any) -> None:
    board = boards()
    cell = board.page.get_by_label("able price out")
    assert cell.input_value() == "150"
    before = board.figure("f2")["data"][-1]
    i = next(i for i, text in enumerate(before["text"]) if text.startswith("able"))
    board.answered(lambda: (cell.fill("300"), cell.press("Enter")))
    after = board.figure("f2")["data"][-1]
    assert after["x"][i] == pytest.approx(2 * before["x"][i], rel=0.05)
    assert "set=sellers.able.price.output=300" in unquote_plus(board.page.url)
    board.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    board.page.click("#copy-command")
    expect(board.page.locator("#status")).to_have_text("command copied")
    copied = board.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("walras run ")
    assert copied.endswith("--set sellers.able.price.output=300")
    board.page.click("#copy-toml")
    expect(board.page.locator("#status")).to_have_text("TOML copied")
    toml = board.page.evaluate("navigator.clipboard.readText()")
    assert "output = 300" in toml
    assert 'question = "Who talks' in toml
    board.answered(lambda: board.page.click("#undo"))
    assert board.page.get_by_label("able price out").input_value() == "150"


def test_another_mechanism_has_no_fluid_market_but_runs(boards: Any, tmp_path: Path) -> None:
    board = boards()
    board.answered(lambda: board.page.select_option("#mechanism", "second_score"))
    said = board.figure("f1")["layout"]["annotations"][0]["text"]
    assert said.startswith("no fluid market")
    assert board.figure("f1")["data"] == []
    board.page.click("#play")
    board.until(f"({TRACES})('f3').length > 1")
    board.until(f"({TRACES})('f4').length > 1")
    expect(board.page.locator("#number-price .value")).to_contain_text("USD")
    board.keep(tmp_path, "second-score")


def test_a_wrong_value_is_told_and_the_page_stays(boards: Any) -> None:
    board = boards()
    before = board.figure("f2")["data"]
    cell = board.page.get_by_label("able speed")
    cell.fill("fast")
    cell.press("Enter")
    wrong = board.page.locator("#problems .error")
    expect(wrong).to_contain_text("W102")
    expect(wrong).to_contain_text("speed")
    assert board.figure("f2")["data"] == before
    board.answered(lambda: (cell.fill("61"), cell.press("Enter")))
    expect(wrong).to_have_count(0)


def test_what_is_pinned_stays_beside_and_all_of_it_is_in_the_address(boards: Any) -> None:
    board = boards()
    page = board.page
    now = page.locator("#number-price .value").inner_text()
    page.click("#pin")
    board.answered(lambda: board.slide(-0.5))
    expect(page.locator("#number-price .pin")).to_have_text(f"pinned {now}")
    assert page.locator("#number-price .value").inner_text() != now
    board.answered(lambda: page.select_option("#task", "report"))
    cell = page.get_by_label("quick accuracy")
    board.answered(lambda: (cell.fill("0.8"), cell.press("Enter")))
    page.locator("#seed").fill("7")
    page.locator("#seed").press("Enter")
    page.click("#tab-data")
    rows = page.locator("#rows table").inner_text()
    address = page.url
    page.reload()
    board.until("document.body.dataset.fluid")
    assert page.url == address
    expect(page.locator("#number-price .pin")).to_have_text(f"pinned {now}")
    assert page.locator("#reasoning-told").inner_text() == "× 0.316"
    assert page.locator("#task").input_value() == "report"
    assert page.locator("#seed").input_value() == "7"
    assert page.get_by_label("quick accuracy").input_value() == "0.8"
    expect(page.locator("#tab-data")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#rows table")).to_have_text(rows, use_inner_text=True)


def test_what_takes_seconds_is_solved_behind_the_page(boards: Any, tmp_path: Path) -> None:
    board = boards()
    board.until("document.body.dataset.solved === 'yes'")
    expect(board.page.locator("#number-exploitability .value")).to_contain_text("%")
    for tab, card in (("equilibrium", "F3"), ("welfare", "F8"), ("sweep", "sweep")):
        board.page.click(f"#tab-{tab}")
        expect(board.page.locator(f"#card-{card} .main-svg").first).to_be_visible()
        board.drawn()
        board.keep(tmp_path, tab)
    boxes = [
        card.bounding_box() for card in board.page.locator("#view-welfare > .card").all()
    ]  # each plot stays within its card
    assert len(boxes) == 2
    point = board.page.locator("#sweep .scatterlayer .point").first
    board.answered(lambda: point.click(force=True))
    assert board.page.locator("#reasoning-told").inner_text() == "× 0.1"
    expect(board.page.locator("#tab-live")).to_have_attribute("aria-selected", "true")


def test_a_sweep_and_a_run_are_opened_from_their_folders(
    boards: Any, home: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as threads:
        w.sweep(
            str(home / "shop.toml"), {"sellers.able.price.output": [100.0, 300.0]},
            constants={"run.until": 600.0}, seeds=1, out=tmp_path / "sweep", executor=threads,
        )  # fmt: skip
    result = w.run(str(home / "shop.toml"), seed=11, until="10 min")
    folder = result.save(tmp_path / "run")
    with served(str(tmp_path / "sweep")) as at, served(str(folder)) as other:
        board = boards(at=at)
        expect(board.page.locator("#tab-sweep")).to_have_attribute("aria-selected", "true")
        board.page.locator("#sweep .scatterlayer .point").nth(1).scroll_into_view_if_needed()
        board.keep(tmp_path, "sweep-of-runs")
        board.answered(
            lambda: board.page.locator("#sweep .scatterlayer .point").nth(1).click(force=True)
        )
        assert "seed" in board.page.locator("#status").inner_text()
        assert board.page.get_by_label("able price out").input_value() == "300"
        assert "sellers.able.price.output=300.0" in unquote_plus(board.page.url)
        second = boards(at=other)
        assert second.page.locator("#seed").input_value() == "11"
        expect(second.page.locator("#number-welfare .pin")).to_contain_text("recorded")


def test_two_pages_are_two_markets(boards: Any) -> None:
    one, two = boards(), boards()
    one.answered(lambda: one.slide(0.5))
    one.run_on()
    assert two.clock() == "0 s"
    assert two.page.locator("#reasoning-told").inner_text() == "× 1"
    one.page.close()
    two.run_on()


def test_all_of_it_with_keys_alone(boards: Any) -> None:
    board = boards()
    page, key = board.page, board.page.keyboard
    order = []
    for _ in range(16):
        key.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert order[:12] == ["skip", "scenario", "task", "reasoning", "play", "step", "reset", "pace",
                          "seed", "pin", "copy-toml", "copy-command"]  # fmt: skip
    page.locator("#reasoning").focus()
    board.answered(lambda: key.press("ArrowRight"))
    assert page.locator("#reasoning-told").inner_text() == "× 1.02"
    page.locator("#tab-live").focus()
    key.press("ArrowRight")
    expect(page.locator("#tab-equilibrium")).to_be_focused()
    expect(page.locator("#view-equilibrium")).to_be_visible()
    key.press("ArrowLeft")
    expect(page.locator("#view-live")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    key.press(" ")
    expect(page.locator("#play")).to_have_text("Pause")
    board.until("document.getElementById('clock').textContent !== '0 s'")
    key.press(" ")
    expect(page.locator("#play")).to_have_text("Play")
    stood = board.clock()
    key.press("s")
    board.until("t => document.getElementById('clock').textContent !== t", stood)
    key.press("r")
    expect(page.locator("#clock")).to_have_text("0 s")
    key.press("p")
    expect(page.locator("#pin")).to_have_text("Unpin")
    page.locator("#seed").focus()
    key.press("p")  # a letter where one writes is a letter
    expect(page.locator("#pin")).to_have_text("Unpin")


_MEETING = """() => {
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
_PALE = """() => {
  const parts = (c) => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (c, under) => c.length < 4 ? c : [0, 1, 2].map(i => c[3] * c[i] + (1 - c[3]) * under[i]);
  const behind = (e) => {
    const all = [];
    for (; e; e = e.parentElement) all.push(parts(getComputedStyle(e).backgroundColor));
    return all.reverse().reduce((under, c) => over(c, under), [255, 255, 255]);
  };
  const light = (c) => {
    const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const field = e.matches('input:not([type=range]), select');
    if (!(own || field) || !e.checkVisibility() || e.disabled || e.closest('noscript, .annotation, .modebar')) continue;
    const style = getComputedStyle(e), drawn = e.closest('svg');
    const under = behind(drawn ? drawn.parentElement : e);
    const a = light(over(parts(drawn ? style.fill : style.color), under)), b = light(under);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${e.tagName} ${(e.textContent || e.value).slice(0, 40)}`);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_every_width_and_can_be_read(boards: Any, theme: str, tmp_path: Path) -> None:
    board = boards(color_scheme=theme)
    board.run_on()
    board.pause()
    for width, height in ((1920, 1080), (1280, 900), (390, 844)):
        board.page.set_viewport_size({"width": width, "height": height})
        board.drawn()
        for tab in ("live", "equilibrium", "welfare", "sweep", "data"):
            board.page.click(f"#tab-{tab}")
            assert board.page.evaluate(_MEETING) == [], (width, tab)
            assert board.page.evaluate(_PALE) == [], (width, tab)
        board.page.click("#tab-live")
        board.drawn()
        board.keep(tmp_path, f"{theme}-{width}")


def test_the_full_catalogue_streams(boards: Any, tmp_path: Path) -> None:
    """What is on the map is told under the mouse; controls are for each of its models."""
    board = boards("scenario=marketplace")
    assert board.page.locator(".models tbody tr").count() > 20
    board.run_on()
    plane = board.page.locator("#f1 .nsewdrag")
    plane.hover(position={"x": 200, "y": 60})
    expect(board.page.locator("#f1 .hoverlayer .hovertext").first).to_contain_text("USD")
    board.keep(tmp_path, "marketplace")


# --- what is written into names and values ---------------------------------------------------------

_RUN = "window.pwned=1"
HOSTILE = [
    *(f"<{tag}>{_RUN}</{tag}>" for tag in ("script", "b", "style", "textarea", "title", "svg")),
    *(f"<{tag} src=x onerror={_RUN}>" for tag in ("img", "video", "audio", "script", "input")),
    *(f"<{tag} onload={_RUN}>" for tag in ("svg", "body", "iframe", "object", "embed")),
    *(f"<a href={q}javascript:{_RUN}{q}>x</a>" for q in ("", "'", '"')),
    *(f"javascript:{_RUN}", f"data:text/html,<script>{_RUN}</script>", f"vbscript:{_RUN}"),
    *(f"{q}><script>{_RUN}</script>" for q in ("'", '"', "`", "-->", "]]>", "</title>")),
    *(f"{q} onmouseover={q}{_RUN}{q} x={q}" for q in ("'", '"')),
    *(f"{q};{_RUN};//" for q in ("'", '"', "`", "\\'", '\\"', "</script>")),
    *(f"{a}{_RUN}{b}" for a, b in (("${", "}"), ("{{", "}}"), ("{%", "%}"), ("<%", "%>"),
                                   ("#{", "}"), ("%{", "}"), ("`${", "}`"), ("[[", "]]"))),
    "%{x}", "%{customdata}", "%{y:.3f}<extra></extra>", "<extra>", "%s%n%d", "%00", "%3Cscript%3E",
    "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "a.__proto__.pwned",
    "constructor.prototype.pwned", "__defineGetter__", "valueOf", "null", "undefined", "NaN",
    "true", "-0", "1e999", "∞", "-1", "1/0", "0x41",
    "&lt;script&gt;", "&#60;script&#62;", "&amp;", "&", "<", ">", "'", '"', "`", "\\", "/",
    "../../etc/passwd", "..\\..\\x", "file:///etc/passwd", "//evil.example/x", "C:\\x",
    "\u202egnp.exe", "\u2066x\u2069", "العربية", "עברית", "日本語", "🦊🏳️‍🌈", "e\u0301" * 20, "\ufeffx",
    "\u200b", "a\u2028b", "x" * 1500, "<b>" * 300, "a\tb", "$x^2$", "\\(x\\)", "'; DROP TABLE x;--",
    "=1+1", "@SUM(1)", "+cmd|' /C calc'!A0", "<br><br>", "<sub>x</sub>", "[]", "{}", "[1, 2]",
    '{kind = "constant"}', "<!--", "<!DOCTYPE html>", "\x00", "a\x00b", "\x1b[31mred", "\r\nx",
]  # fmt: skip
"""Markup, scripts, quotes, templates, names that objects have, text that turns or hides text."""
_FOREIGN = (
    "document.querySelectorAll('#board img, #board script, #board iframe, #board a[href]:not(.skip),"
    " #board object, #board embed, #board video, #board [onerror], #board [onload]').length"
)


def test_a_hundred_hostile_texts_in_a_control_are_only_text(boards: Any) -> None:
    """Each is refused like any other wrong value, in words that show it, or is a number."""
    assert len(HOSTILE) >= 100
    board = boards()
    page = board.page
    for text in HOSTILE:
        page.evaluate("document.getElementById('problems').replaceChildren()")
        sent = page.locator("[data-path='sellers.able.speed']").evaluate(
            "(e, v) => { e.value = v; e.dispatchEvent(new Event('change', {bubbles: true}));"
            " return e.value.trim(); }", text,
        )  # fmt: skip
        if not sent or sent == "60":
            continue
        board.until("document.querySelector('#problems .error')")
        told = page.locator("#problems").inner_text()
        assert "speed" in told or "set" in told, text
        word = max(re.findall(r"[A-Za-z]{3,20}", text), key=len, default="")
        assert word in told, text
        assert page.evaluate(_FOREIGN) == 0, text
    page.locator("[data-path='sellers.able.speed']").fill("60")


def test_a_hundred_hostile_texts_that_the_server_tells_are_only_text(boards: Any) -> None:
    """As scenarios' questions, as errors, and as what stands in a figure."""
    from walras.analysis.dashboard.look import LIGHT, empty
    from walras.analysis.figures.template import escape, printable

    board = boards()
    page = board.page
    for text in HOSTILE:
        problem = {"code": "W1", "text": text, "field": text, "hint": text, "warning": ""}
        page.evaluate("told => window.walras.hear(told)", {
            "halted": text, "toml": {"problems": [problem]}, "live": {
                "time": 1.0, "playing": False, "values": {}, "sparks": {}, "chosen": None,
                "dots": None, "f3": empty(LIGHT, escape(text)),
            },
        })  # fmt: skip
        assert page.evaluate("document.getElementById('status').textContent") == text
        assert text in page.evaluate("document.getElementById('problems').textContent")
        assert page.evaluate(_FOREIGN) == 0, text
        if printable(text).strip() and len(text) < 40:
            shown = "".join(printable(text).split())
            board.until(
                "t => document.querySelector('#f3 .annotation')?.textContent.replace(/\\s/g, '')"
                " === t", shown,
            )  # fmt: skip


def test_hostile_addresses_and_files(boards: Any, tmp_path: Path) -> None:
    """A file's name, its question, and names that the pattern allows though objects have them."""
    board = boards()
    query = "&".join(f"{key}={quote(text)}" for text in HOSTILE[:40]
                     for key in ("set", "scenario", "task", "tab", "pin", "seed", "reasoning"))  # fmt: skip
    board.page.goto(f"{board.address}?{query}")
    board.until("document.querySelector('#problems .error') || document.body.dataset.fluid")
    file = tmp_path / f"<img src=x onerror={_RUN}>'\"${{{_RUN}}} \u202e.toml"
    question = '"' + "".join(f"\\u{ord(c):04x}" for c in " | ".join(HOSTILE[:30])) + '"'
    text = SHOP.replace('"Who talks at once, and who thinks first?"', question)
    text = text.replace('"talk"', '"constructor"').replace('"able"', '"a.__proto__"')
    file.write_text(text.replace('"quick"', '"toString"'), "utf-8")
    with served(str(file)) as at:
        odd = boards(at=at)
        assert odd.page.locator("#question").inner_text().count("window.pwned") > 20
        assert odd.page.evaluate(_FOREIGN) == 0
        assert odd.page.locator("#task").input_value() == "constructor"
        assert _RUN in odd.page.locator("#scenario option").first.inner_text()
        cell = odd.page.get_by_label("a.__proto__ price out")
        odd.answered(lambda: (cell.fill("200"), cell.press("Enter")))
        assert "sellers.a.__proto__.price.output=200" in unquote_plus(odd.page.url)
        expect(odd.page.locator("#problems .error")).to_have_count(0)
        odd.run_on()
        names = {note["text"] for note in odd.figure("f4")["layout"]["annotations"]}
        assert {"constructor", "toString", "a.__proto__"} <= names
        assert odd.page.evaluate("({}).pwned") is None
