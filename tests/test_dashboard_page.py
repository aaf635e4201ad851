"""The dashboard's page in a browser: what a hand does, and what stands there then."""

from __future__ import annotations

import json
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
from websockets.sync.client import connect
from websockets.typing import Origin

from .dashboard_page import (
    CHROMIUM,
    HOSTILE,
    MEETING,
    PALE,
    RUN,
    SHOP,
    TRACES,
    Board,
    browsing,
    served,
)

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
    """Where a dashboard is that all tests share which open no folder; it ends when nobody looks."""
    with served(str(home / "shop.toml")) as (found, _):
        socket = f"{found.replace('http', 'ws')}socket"
        with connect(socket, origin=Origin(found.rstrip("/"))):
            yield found


@pytest.fixture
def boards(browser: Browser, address: str) -> Iterator[Any]:
    """Open pages; none of them may complain, say anything or ask anybody else."""
    opened: list[Board] = []
    with ExitStack() as stack:

        def open_page(query: str = "", at: str = "", between: Any = None, **look: Any) -> Board:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | look)
            stack.callback(context.close)
            opened.append(Board(context.new_page(), at or address))
            if between is not None:
                opened[-1].page.route_web_socket(re.compile("/socket$"), between)
            return opened[-1].open(query)

        yield open_page
        for board in opened:
            if not board.page.is_closed():
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
    board.page.locator("#f1 .nsewdrag").dblclick(position={"x": 300, "y": 30})
    expect(note).to_be_empty()
    board.until(f"d => JSON.stringify(({TRACES})('f4')) !== JSON.stringify(d)", few)
    board.box("f2", (0.01, 0.99), (0.01, 0.45))
    expect(note).to_contain_text("of the last")
    board.until(f"({TRACES})('f2').at(-1).marker.opacity.some(o => o === 0.12)")
    assert 0.95 in board.figure("f2")["data"][-1]["marker"]["opacity"]


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
    board.until("document.querySelector('#f2 .js-plotly-plot')")
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
    expect(page.locator("#number-price .pin")).to_have_text(f"pinned {now} (fluid)")
    assert page.locator("#number-price .value").inner_text() != now
    board.answered(lambda: page.select_option("#task", "report"))
    cell = page.get_by_label("quick speed")
    board.answered(lambda: (cell.fill("200"), cell.press("Enter")))
    page.locator("#seed").fill("7")
    page.locator("#seed").press("Enter")
    page.click("#tab-data")
    rows = page.locator("#rows table").inner_text()
    address = page.url
    page.reload()
    board.until("document.body.dataset.fluid")
    assert page.url == address
    expect(page.locator("#number-price .pin")).to_have_text(f"pinned {now} (fluid)")
    assert page.locator("#reasoning-told").inner_text() == "× 0.316"
    assert page.locator("#task").input_value() == "report"
    assert page.locator("#seed").input_value() == "7"
    assert page.get_by_label("quick speed").input_value() == "200"
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
    with served(str(tmp_path / "sweep")) as (at, _), served(str(folder)) as (other, _):
        board = boards(at=at)
        expect(board.page.locator("#tab-sweep")).to_have_attribute("aria-selected", "true")
        board.page.locator("#sweep .scatterlayer .point").nth(1).scroll_into_view_if_needed()
        board.keep(tmp_path, "sweep-of-runs")
        board.answered(
            lambda: board.page.locator("#sweep .scatterlayer .point").nth(1).click(force=True)
        )
        assert "seed" in board.page.locator("#status").inner_text()
        assert board.page.get_by_label("able price out").input_value() == "300.0"
        assert "sellers.able.price.output=300.0" in unquote_plus(board.page.url)
        second = boards(at=other)
        assert second.page.locator("#seed").input_value() == "11"
        expect(second.page.locator("#number-welfare .pin")).to_contain_text("recorded")
        for page in (board.page, second.page):
            page.close()  # before the server ends
    with served(str(folder), str(home / "shop.toml")) as (at, _):
        board = boards(at=at)
        expect(board.page.locator("#number-price .pin")).to_contain_text("(fluid)")
        assert board.page.locator("#pin").inner_text() == "Unpin"
        board.page.close()


def test_two_pages_are_two_markets(boards: Any) -> None:
    one, two = boards(), boards()
    one.answered(lambda: one.slide(0.5))
    one.run_on()
    assert two.clock() == "0 s"
    assert two.page.locator("#reasoning-told").inner_text() == "× 1"
    assert one.page.evaluate("window.pwned") is None
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_every_width_and_can_be_read(boards: Any, theme: str, tmp_path: Path) -> None:
    board = boards(color_scheme=theme)
    board.run_on()
    board.pause()
    for width, height in ((1920, 1080), (1280, 900), (390, 844)):
        board.page.set_viewport_size({"width": width, "height": height})
        board.until("document.documentElement.scrollWidth <= innerWidth")
        for tab in ("live", "equilibrium", "welfare", "sweep", "data"):
            board.page.click(f"#tab-{tab}")
            assert board.page.evaluate(MEETING) == [], (width, tab)
            assert board.page.evaluate(PALE) == [], (width, tab)
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


# --- what is written into names and values -------------------------------------------------------

_TEXT = "id => document.getElementById(id).textContent"
_OTHER_PROBLEMS = """before => document.querySelector('#problems .error')
  && document.getElementById('problems').textContent !== before"""
_IN_F3 = """t => [...document.querySelectorAll('#f3 .annotation')]
  .some(e => e.textContent.replace(/\\s/g, '') === t)"""
_FOREIGN = (
    "document.querySelectorAll('#board img, #board script, #board iframe, #board a[href]:not(.skip)"
    ", #board object, #board embed, #board video, #board [onerror], #board [onload]').length"
)


def in_parts(texts: list[str], size: int) -> list[list[str]]:
    """Return texts, a few at a time."""
    return [texts[i : i + size] for i in range(0, len(texts), size)]


def test_a_hundred_hostile_texts_in_controls_are_only_text(boards: Any) -> None:
    """Each is refused like any other wrong value, in words that show it."""
    assert len(HOSTILE) >= 100
    board = boards()
    page = board.page
    cells = page.locator("input[data-path^=sellers]")
    before = ""
    for texts in in_parts([t for t in HOSTILE if t != "0x41"], cells.count()):
        cells.evaluate_all(
            "(all, texts) => all.forEach((e, i) => { e.value = texts[i] || '';"
            " e.dispatchEvent(new Event('change', {bubbles: true})); })", texts,
        )  # fmt: skip
        board.until(_OTHER_PROBLEMS, before)
        before = page.locator("#problems").text_content() or ""
        for text in texts:
            word = max(re.findall(r"[A-Za-z]{3,20}", text), key=len, default="")
            assert word in before or "a table is not" in before, text
        assert page.evaluate(_FOREIGN) == 0, texts


def test_a_hundred_hostile_texts_that_the_server_tells_are_only_text(boards: Any) -> None:
    """As scenarios' questions, as errors, and as what stands in a figure."""
    from walras.analysis.dashboard.look import LIGHT, empty
    from walras.analysis.figures.template import escape, printable

    sockets: list[Any] = []
    told: list[dict[str, Any]] = []

    def between(page_side: Any) -> None:
        server = page_side.connect_to_server()

        def pass_on(message: str) -> None:
            told.append(json.loads(message))
            page_side.send(message)

        server.on_message(pass_on)
        sockets.append(page_side)

    board = boards(between=between)
    page = board.page
    board.until(_IN_F3, "pressplay:pricesastimegoesby")  # all that comes by itself has come
    market = next(message["fluid"] for message in told if "fluid" in message)
    live = {"time": 1.0, "playing": False, "values": {}, "sparks": {}, "chosen": None, "dots": None}
    for texts in in_parts(HOSTILE, 8):
        problems = [{"code": "W1", "text": t, "field": t, "hint": t, "warning": ""} for t in texts]
        drawn = [empty(LIGHT, escape(t)) for t in texts]
        notes = [note for figure in drawn for note in figure["layout"]["annotations"]]
        drawn[0]["layout"]["annotations"] = notes
        sockets[0].send(json.dumps({
            "fluid": {**market, "question": texts[0], "problems": problems, "note": texts[0],
                      "command": texts[0], "rows": {"columns": texts[:1], "rows": [texts]}},
            "live": {**live, "f3": drawn[0]}, "halted": texts[-1],
        }))  # fmt: skip
        board.until("t => document.getElementById('status').textContent === t", texts[-1])
        shown = {id: page.evaluate(_TEXT, id) for id in ("problems", "question", "rows")}
        assert texts[0] in shown["question"]
        for text in texts:
            assert text in shown["problems"]
            assert text in shown["rows"]
        for text in texts:
            if printable(text).strip() and len(text) < 40:
                board.until(_IN_F3, "".join(printable(text).split()))
        assert page.evaluate(_FOREIGN) == 0, texts


def test_hostile_addresses_and_files(boards: Any, tmp_path: Path) -> None:
    """A file's name, its question, and names that the pattern allows though objects have them."""
    board = boards()
    keys = ("set", "scenario", "task", "tab", "pin", "seed", "reasoning")
    query = "&".join(f"{key}={quote(text)}" for text in HOSTILE[:40] for key in keys)
    board.page.goto(f"{board.address}?{query}")
    board.until("document.querySelector('#problems .error') || document.body.dataset.fluid")
    file = tmp_path / f"<img src=x onerror={RUN}>'\"${{{RUN}}} \u202e.toml"
    question = '"' + "".join(f"\\u{ord(c):04x}" for c in " | ".join(HOSTILE[:10])) + '"'
    text = SHOP.replace('"Who talks at once, and who thinks first?"', question)
    text = text.replace('"talk"', '"constructor"').replace('"able"', '"a.__proto__"')
    file.write_text(text.replace('"quick"', '"toString"'), "utf-8")
    with served(str(file)) as (at, _):
        odd = boards(at=at)
        assert odd.page.locator("#question").inner_text().count("window.pwned") == 10
        assert odd.page.evaluate(_FOREIGN) == 0
        assert odd.page.locator("#task").input_value() == "constructor"
        odd.page.click("#copy-command")
        expect(odd.page.locator("#status")).not_to_be_empty()
        cell = odd.page.get_by_label("a.__proto__ price out")
        odd.answered(lambda: (cell.fill("200"), cell.press("Enter")))
        assert "sellers.a.__proto__.price.output=200" in unquote_plus(odd.page.url)
        expect(odd.page.locator("#problems .error")).to_have_count(0)
        odd.run_on()
        names = {note["text"] for note in odd.figure("f4")["layout"]["annotations"]}
        assert {"constructor", "toString", "a.__proto__"} <= names
        assert odd.page.evaluate("({}).pwned || window.pwned") is None
        odd.page.close()
