"""What tells sweeps apart, what repeats a run, and input that nobody should write."""

from __future__ import annotations

import functools
import shlex
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.market.schema.errors import BadInputError
from walras.scenarios.load import load
from walras.scenarios.sweep import store
from walras.scenarios.sweep.planned import Planned, folder_of, plan
from walras.scenarios.sweep.points import count_of, points_of
from walras.scenarios.sweep.spec import Design
from walras.scenarios.sweep.sweep import sweep
from walras.scenarios.sweep.swept import Sweep

PRICE, SLOTS = "sellers.one.price.task", "sellers.one.slots"


def market() -> w.Market:
    """One seller, ten seconds."""
    task = w.TaskClass("chat", w.Poisson(1.0), value=2.0)
    one = w.Seller("one", accuracy=1.0, price=w.per_task(1.0))
    return w.Market([task], [one], run=w.Run(until=10.0, epoch=5.0), name="small")


def planned(measure: Any = None, **design: Any) -> Planned:
    return plan(market(), Design(**design), measure)


def swept(out: Path, vary: dict[str, Any], **how: Any) -> Sweep:
    with ThreadPoolExecutor(1) as thread:
        return sweep(market(), vary, out=out, executor=thread, **how)


def test_the_order_of_paths_numbers_the_runs_and_tells_sweeps_apart() -> None:
    one, other = {PRICE: [0.5, 1.0], SLOTS: [1, 2]}, {SLOTS: [1, 2], PRICE: [0.5, 1.0]}
    assert planned(levers=one).points[1] != planned(levers=other).points[1]
    assert planned(levers=one).key != planned(levers=other).key
    spans = {PRICE: (0.5, 1.0), "tasks.chat.value": (1.0, 2.0)}
    back = dict(reversed(spans.items()))
    assert planned(uncertainties=spans).key != planned(uncertainties=back).key


def number(value: float) -> Callable[[Any], dict[str, float]]:
    """Return a measure whose text says nothing of what it gives."""
    return lambda _: {"number": value}


class Held:
    """A measure that is an object."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, _: Any) -> dict[str, float]:
        return {"number": self.value}

    def bound(self, _: Any) -> dict[str, float]:
        return {"number": self.value}


def given(value: float, _: Any) -> dict[str, float]:
    return {"number": value}


@pytest.mark.parametrize("make", [
    number, Held, lambda x: Held(x).bound, lambda x: functools.partial(given, x),
])  # fmt: skip
def test_what_functions_hold_tells_sweeps_apart(make: Any) -> None:
    assert planned(make(1.0)).key != planned(make(2.0)).key
    assert planned(make(1.0)).key == planned(make(1.0)).key


TRACE = """
name = "recorded"
[run]
until = 30.0
epoch = 10.0
[[tasks]]
name = "chat"
arrivals = { kind = "replay", file = "times.csv" }
value = 2.0
[[sellers]]
name = "one"
accuracy = 1.0
"""


def recorded(folder: Path, gap: float) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "recorded.toml").write_text(TRACE)
    rows = "".join(f"{i * gap},1,1\n" for i in range(40))
    (folder / "times.csv").write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n{rows}")
    return folder / "recorded.toml"


def test_another_trace_is_another_scenario(tmp_path: Path) -> None:
    before = plan(recorded(tmp_path, 1.0), Design()).key
    assert plan(recorded(tmp_path / "copy", 1.0), Design()).key == before
    assert plan(recorded(tmp_path, 3.0), Design()).key != before


def test_the_command_of_a_failure_finds_its_trace(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        found = sweep(recorded(tmp_path / "in", 1.0), {PRICE: [-1.0, 1.0]}, out=tmp_path / "out",
                      executor=thread)  # fmt: skip
    told = shlex.split(found.failures["command"].iloc[0])
    assert told[-2:] == ["--set", f"{PRICE}=-1.0"]
    changes = [word for word in told[3:-1] if "=" in word]
    assert load(told[2], changes).name == "recorded"


@pytest.mark.parametrize(("value", "text"), [
    (np.float64(-1.5), "-1.5"), (np.int64(-1), "-1"), ("😀 \x7f'", '"😀 \\u007f\'"'),
    ({"kind": "é"}, '{"kind" = "é"}'), (w.Logit(0.5), '"scale" = 0.5'),
])  # fmt: skip
def test_values_of_any_kind_are_kept_and_repeated(tmp_path: Path, value: Any, text: str) -> None:
    found = swept(tmp_path / "out", {PRICE: [1.0, value]})
    assert found.counts == (2, 1)
    assert text in shlex.split(found.failures["command"].iloc[0])[-1]
    assert set(found.results["point"]) == {0}


@pytest.mark.parametrize("value", [2**70, np.datetime64("2020-01-01").item(), float("nan"), None])
def test_what_no_run_can_use_is_a_row(tmp_path: Path, value: Any) -> None:
    assert swept(tmp_path / "out", {PRICE: [1.0, value]}).counts == (2, 1)


def strange(_: Any) -> dict[str, float]:
    raise OSError("half a pair: \udcff")


def leaving(_: Any) -> dict[str, float]:
    raise SystemExit(3)


def known(_: Any) -> dict[str, float]:
    return {"welfare": 1.0}


@pytest.mark.parametrize(("measure", "reason"), [
    (strange, "OSError: half a pair: \\udcff"), (leaving, "SystemExit: 3"),
    (known, 'ValueError: measure gives "welfare", which every run has; use another name'),
])  # fmt: skip
def test_measures_that_fail_are_rows(tmp_path: Path, measure: Any, reason: str) -> None:
    assert list(swept(tmp_path / "out", {}, measure=measure).failures["reason"]) == [reason]


def test_no_more_points_are_made_than_may_be_run() -> None:
    huge = {f"tasks.chat.{i}": list(range(100)) for i in range(9)}
    with pytest.raises(BadInputError, match="1,000,000,000,000,000,000 runs"):
        plan(market(), Design(levers=huge))


@pytest.mark.parametrize("sample", [
    {"kind": "latin_hypercube", "size": 5}, {"kind": "sobol", "size": 8},
    {"kind": "saltelli", "size": 4}, {"kind": "saltelli", "size": 4, "second_order": True},
    {"kind": "morris", "size": 3},
])  # fmt: skip
@pytest.mark.parametrize("together", [False, True])
def test_points_are_counted_before_they_are_made(sample: Any, together: bool) -> None:
    design = Design(levers={PRICE: [0.5, 1.0], SLOTS: [1, 2]}, together=together, sample=sample,
                    uncertainties={f"tasks.chat.{n}": (1.0, 2.0) for n in "abc"})  # fmt: skip
    assert count_of(design) == len(points_of(design))


def test_the_table_of_the_run_itself_cannot_vary() -> None:
    with pytest.raises(BadInputError, match="`run` as a whole cannot vary"):
        planned(levers={"run": [{"until": 5.0}]})


def test_a_name_stays_within_the_folder() -> None:
    assert folder_of(planned(name="a/../../b\nc")).parts[:-1] == ("sweeps",)
    assert "\n" not in folder_of(planned(name="a/../../b\nc")).name


@pytest.mark.parametrize("text", [
    "3", "[]", "{}", '{"format": 2, "key": 1}', '{"format": 1, "key": 1, "versions": {}}',
])  # fmt: skip
def test_manifests_of_something_else_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(store.SweepFolderError):
        store.manifest_of(tmp_path)


def test_two_shards_may_begin_a_folder_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one writes its manifest after this one has seen that there is none."""
    manifest = {"key": "k", "parts": {}, "name": "", "total": 1, "paths": {}, "versions": {}}
    listed = Path.iterdir

    def other_first(folder: Path) -> Iterator[Path]:
        monkeypatch.setattr(Path, "iterdir", listed)
        store.create(folder, {}, manifest)
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", other_first)
    assert store.create(tmp_path, {}, manifest)["key"] == "k"
    assert (tmp_path / "manifest.json").is_file()


def test_who_merges_keeps_no_shard_away(tmp_path: Path) -> None:
    """And who ends meanwhile waits, to see whether anything is left."""
    merged = []

    def merge() -> None:
        with store.locked(tmp_path, "-merge", wait=True):
            merged.append(True)

    with store.locked(tmp_path, "-merge", wait=True):
        with store.locked(tmp_path, "-2-of-3"):
            other = threading.Thread(target=merge)
            other.start()
        other.join(0.2)
        assert not merged
        with pytest.raises(store.SweepFolderError), store.locked(tmp_path):
            pass
    other.join(10.0)
    assert merged
