"""The scripts of the dashboard's page as a whole: nothing builds them, so this links them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright")

from .dashboard_page import CHROMIUM, browsing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found"),
]

_ASSETS = Path(__file__).parent.parent / "analysis/dashboard/assets"
_PARTS = "Object.fromEntries(Object.entries(walras).map(([part, own]) => [part, Object.keys(own)]))"


def _used(text: str) -> set[tuple[str, str]]:
    """Return which names of which parts a script uses, called or taken apart."""
    text = re.sub(r"(?<![\w.])state\b", "walras.state", re.sub(r"/\*.*?\*/", "", text, flags=re.S))
    found = set(re.findall(r"\bwalras\.(\w+)\.(\w+)", text))
    for names, part in re.findall(r"\{([\w, ]+)\} = walras\.(\w+)[,;]", text):
        found |= {(part, name) for name in names.split(", ")}
    return found


def test_scripts_fit_each_other_in_any_order() -> None:
    """A name that no part has fails only when a hand gets there; one that nobody uses, never."""
    scripts = sorted(_ASSETS.glob("*.js"), reverse=True)  # the other way than Dash
    with browsing() as browser:
        page = browser.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        before = set(page.evaluate("Object.keys(window)"))
        for script in scripts:
            page.add_script_tag(content=script.read_text("utf-8"))
        after = set(page.evaluate("Object.keys(window)"))
        parts = page.evaluate(_PARTS)
    assert wrong == []
    assert after - before == {"walras", "dash_clientside"}
    assert set(parts) == {script.stem for script in scripts}
    used = set().union(*(_used(script.read_text("utf-8")) for script in scripts))
    there = {(part, name) for part, own in parts.items() for name in own}
    assert used - there == set()
    assert {(p, n) for p, n in there - used if p != "answers"} == set()  # called by their kind


@pytest.mark.parametrize("script", sorted(_ASSETS.glob("*.js")), ids=lambda script: script.stem)
def test_a_script_is_strict_and_of_one_noun(script: Path) -> None:
    text = script.read_text("utf-8")
    lines = text.splitlines()
    assert '"use strict";' in lines
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 100
    assert re.findall(r"^  walras\.(\w+) = ", text, re.M) == [script.stem]
