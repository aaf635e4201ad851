"""What stands behind the dashboard's page: questions, answers, the market that runs on."""

from __future__ import annotations

import json
import threading
import weakref
from contextlib import suppress
from itertools import pairwise
from multiprocessing import Pipe
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest

import walras as w
from walras.analysis.dashboard.asked import asked_of, market_of, options
from walras.analysis.dashboard.controls import controls
from walras.analysis.dashboard.fluid import Fluid
from walras.analysis.dashboard.live import SPELLS, TASKS, LiveMarket
from walras.analysis.dashboard.numbers import KEYS, of_selection
from walras.analysis.dashboard.opened import opened
from walras.analysis.dashboard.simulator import Simulator
from walras.analysis.dashboard.solver import Solver
from walras.analysis.dashboard.workers import serve_simulation
from walras.analysis.equilibrium.response import at_prices
from walras.market.fluid.setting import setting_of
from walras.market.fluid.solve import solve
from walras.market.schema.errors import BadInputError
from walras.scenarios import library
from walras.scenarios.load import Loaded, read

KNOWN = ["shop"]


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, str]:
    """Two classes, three sellers, one of which thinks; a deadline that bites."""
    chat = w.TaskClass("chat", w.Poisson(0.8), value=w.LogNormal(1.0, cv=0.5), deadline=9.0,
                       output_tokens=w.Exponential(100.0), choice=w.Logit(0.1), loss=0.2,
                       delay_cost=0.01)  # fmt: skip
    code = w.TaskClass("code.x", w.Poisson(0.2), value=4.0, output_tokens=w.Exponential(300.0),
                       choice=w.Logit(0.2, nest=0.5))  # fmt: skip
    sellers = [
        w.Seller("fast", accuracy=0.8, speed=100.0, slots=3, price=w.per_mtok(100.0, 400.0)),
        w.Seller("deep-2.0", accuracy=0.95, speed=80.0, slots=4, cost=w.per_mtok(50.0, 200.0),
                 price=w.per_mtok(300.0, 900.0), effort={"low": 0.0, "high": 200.0}),
        w.Seller("person", accuracy=0.99, speed=20.0, slots="unlimited", price=w.per_task(1.5),
                 cost=w.per_task(1.0), owner="people", fixed_cost=2.0),
    ]  # fmt: skip
    market = w.Market([chat, code], sellers, name="shop", run=w.Run(until="2 h", epoch="5 min"),
                      platform=w.Platform(commission=0.1))  # fmt: skip
    path = tmp_path / "shop.toml"
    path.write_text(w.to_toml(market))
    return {"shop": str(path)}


# --- what a page may ask --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({}, "scenario"),
        ({"scenario": "../../etc/passwd"}, "scenario"),
        ({"scenario": ["shop"]}, "scenario"),
        ({"scenario": "shop", "set": "x=1"}, "set"),
        ({"scenario": "shop", "set": ["x=1"] * 201}, "set"),
        ({"scenario": "shop", "set": [7]}, "set"),
        ({"scenario": "shop", "set": ["x" * 2001]}, "set"),
        ({"scenario": "shop", "set": ["tasks.chat.arrivals.file=/etc/passwd"]}, "file"),
        ({"scenario": "shop", "set": ['tasks.chat.arrivals."file"=/etc/passwd']}, "file"),
        ({"scenario": "shop", "set": ['tasks.chat.arrivals={kind="replay", file="x"}']}, "arr"),
        ({"scenario": "shop", "set": ['tasks=[{arrivals={kind="replay", file="x"}}]']}, "tasks"),
        ({"scenario": "shop", "reasoning": 0}, "reasoning"),
        ({"scenario": "shop", "reasoning": float("nan")}, "reasoning"),
        ({"scenario": "shop", "reasoning": True}, "reasoning"),
        ({"scenario": "shop", "reasoning": "2"}, "reasoning"),
        ({"scenario": "shop", "seed": -1}, "seed"),
        ({"scenario": "shop", "seed": "1.5"}, "seed"),
        ({"scenario": "shop", "seed": str(2**63)}, "seed"),
        ({"scenario": "shop", "task": None}, "task"),
    ],
)
def test_what_a_page_may_not_ask_names_its_field(message: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInputError) as caught:
        asked_of(message, KNOWN)
    assert field in (caught.value.problems[0].field or "")


def test_a_wrong_change_is_told_and_nothing_drawn(shop: dict[str, str]) -> None:
    answer = Fluid(shop).answer({"scenario": "shop", "set": ["tasks.chat.deadlin=3"]})
    assert [p["hint"] for p in answer["problems"]] == ["did you mean `deadline`?"]
    assert "figures" not in answer


@pytest.mark.parametrize(
    "change", ["catalogue.name=../../../../etc/passwd", 'catalogue="/etc/passwd"', "name=../x"]
)
def test_no_change_reads_a_file(change: str) -> None:
    fluid = Fluid({"marketplace": "marketplace"})
    answer = fluid.answer({"scenario": "marketplace", "set": [change]})
    assert "figures" not in answer
    assert "root:" not in json.dumps(answer)


def spec(found: Loaded) -> str:
    """Return a market as text; of one that is none its first problem."""
    return w.to_toml(found.market) if found.market is not None else str(found.problems[0].message)


@pytest.mark.parametrize("name", library.names())
def test_every_control_sets_what_it_shows(name: str) -> None:
    """A wrong path, or a value that is not the field's, changes the market or is refused."""
    given = read(name)
    if given.market is None:
        pytest.skip("its trace is not here")
    found = controls(given.market)
    fields = [f for each in found["tasks"].values() for f in each]
    fields += [c for row in found["models"]["rows"] for c in row["cells"] if c]
    assert fields
    same = [f"{f['path']}={f['value']}" for f in fields]
    for part in (same[i::4] for i in range(4)):
        assert spec(read(name, part)) == spec(given)
    for field in fields[:: max(len(fields) // 6, 1)]:
        value = field["value"]
        more = 7 if value in ("unlimited", 0) else 0.9 * value
        if field["path"].endswith((".slots", ".users")) and more != 7:
            more = value + 1
        assert spec(read(name, [f"{field['path']}={more}"])) != spec(given), field


@pytest.mark.parametrize("factor", [1.0, 0.4, 3.0])
def test_the_command_runs_the_market_that_is_shown(shop: dict[str, str], factor: float) -> None:
    asked = asked_of({"scenario": "shop", "set": ["tasks.chat.deadline=7"], "reasoning": factor,
                      "seed": "5"}, KNOWN)  # fmt: skip
    market = market_of(asked, shop)
    words = options(asked, market)
    sets = [word for flag, word in pairwise(words) if flag == "--set"]
    again = read(shop["shop"], sets).require()
    assert words[-2:] == ["--seed", "5"]
    assert again.tasks == market.tasks
    for one, two in zip(again.sellers, market.sellers, strict=True):
        for part in ("input", "output", "task"):
            assert getattr(one.price, part) == pytest.approx(getattr(two.price, part), rel=1e-9)


# --- the fluid market -----------------------------------------------------------------------------


def test_the_price_of_reasoning_moves_what_is_shown(shop: dict[str, str]) -> None:
    """The quick way, from the last setting and to 1e-5, agrees with solving the market anew."""
    fluid, base = Fluid(shop), read(shop["shop"]).require()
    shares = []
    for factor in (1.0, 0.3, 3.0, 1.0):
        answer = fluid.answer({"scenario": "shop", "reasoning": factor})
        sure = of_selection(solve(setting_of(at_prices(base, factor))))
        for name, value in sure.items():
            assert answer["values"][name] == pytest.approx(value, rel=2e-4), (factor, name)
        shares.append(answer["values"]["reasoning"])
    assert shares[1] > 1.2 * shares[0] > 1.44 * shares[2]
    assert shares[3] == pytest.approx(shares[0], rel=1e-4)


def test_answers_are_plain_json_without_numbers_that_it_has_no_word_for(
    shop: dict[str, str],
) -> None:
    for task in ("chat", "code.x", "nobody"):
        for dark in (True, False):
            answer = Fluid(shop).answer({"scenario": "shop", "task": task, "dark": dark})
            assert json.loads(json.dumps(answer, allow_nan=False)) == answer
            assert set(answer["figures"]) == {"f1", "f2", "f4"}


def test_what_is_pinned_may_have_no_number() -> None:
    """Nobody earns in `mm1`: concentration is a ratio of nothing, for which JSON has no word."""
    fluid = Fluid({"mm1": "mm1"})
    pinned = fluid.pin({"scenario": "mm1"})
    assert json.loads(json.dumps(pinned, allow_nan=False))["values"]["hhi"] is None
    assert pinned["values"] == fluid.answer({"scenario": "mm1"})["values"]


def test_controls_come_once_for_each_market(shop: dict[str, str]) -> None:
    fluid = Fluid(shop)
    first = fluid.answer({"scenario": "shop"})
    assert "controls" in first
    assert "controls" not in fluid.answer({"scenario": "shop", "seen": first["key"]})
    other = {"scenario": "shop", "seen": first["key"], "set": ["tasks.chat.loss=1"]}
    assert "controls" in fluid.answer(other)


def test_a_market_without_a_fluid_model_says_so() -> None:
    answer = Fluid({"first_score": "first_score"}).answer({"scenario": "first_score"})
    assert "posted prices" in answer["note"]
    assert answer["values"] == {}
    assert answer["tasks"]


@pytest.mark.parametrize("name", library.names())
def test_every_scenario_can_be_shown(name: str) -> None:
    """It can be asked for, runs, and its frames are plain data."""
    sent: list[dict[str, Any]] = []
    fluid, simulator = Fluid({name: name}), Simulator({name: name}, sent.append)
    answer = fluid.answer({"scenario": name})
    if any("is not there" in p["text"] for p in answer["problems"]):
        pytest.skip("its trace is not here")
    assert answer["tasks"], answer["problems"]
    json.dumps(answer, allow_nan=False)
    simulator.hear({"ask": {"scenario": name, "order": answer["order"]}})
    simulator.hear({"pace": 10.0})
    simulator.hear({"run": "play"})
    for _ in range(3):
        simulator.turn()
    json.dumps(sent, allow_nan=False)
    assert not [frame for frame in sent if "halted" in frame]
    assert sent[-1]["live"]["time"] == pytest.approx(3.0) or sent[-1]["live"]["time"] > 0.0


def test_the_full_catalogue_has_an_answer_of_every_kind() -> None:
    answer = Fluid({"marketplace": "marketplace"}).answer({"scenario": "marketplace"})
    assert len(answer["controls"]["models"]["rows"]) > 20
    assert set(answer["values"]) == set(KEYS) - {"exploitability"}
    assert len(json.dumps(answer["figures"])) < 250_000


def test_what_takes_seconds_comes_step_by_step(shop: dict[str, str]) -> None:
    told = list(Solver(shop).steps({"scenario": "shop", "of": "this market"}))
    assert {t["of"] for t in told} == {"this market"}
    assert [t["step"] for t in told][:2] == ["the price of reasoning", "the planner"]
    last = told[-1]
    assert last["done"]
    assert last["planner"] > Fluid(shop).answer({"scenario": "shop"})["values"]["welfare"]
    posted = w.equilibrium(shop["shop"], prices="posted", certificate=False)
    assert last["exploitability"] == pytest.approx(posted.point.epsilon, rel=1e-6)
    assert sum(last["gap"].values()) == pytest.approx(
        last["planner"] - posted.selection.welfare * 3600, rel=1e-3
    )
    json.dumps(last, allow_nan=False)


# --- the event market -----------------------------------------------------------------------------


def test_a_market_that_is_watched_is_the_market_that_is_run(shop: dict[str, str]) -> None:
    """Watching in spells of any length changes no task: counts and money are those of a run."""
    market = read(shop["shop"]).require()
    live = LiveMarket(market, seed=4)
    for seconds in (1.0, 59.0, 240.0, *[300.0] * 22, 0.25, 299.75):
        live.advance(seconds)
    assert live.now == pytest.approx(7200.0)
    total = live.total
    assert total is not None
    result = w.run(market, seed=4)
    epochs = result.epochs
    for name in ("served", "right", "late", "reneged"):
        assert getattr(total, name).sum() == epochs[name].sum()
    assert total.chosen.sum() == epochs["assigned"].sum()
    net = epochs["paid"] - epochs["refund"] - epochs["penalty"]
    assert total.paid.sum() == pytest.approx(net.sum(), rel=1e-12)
    surplus = (epochs["value"] - epochs["loss"] - epochs["delay_cost"] + epochs["taste"]
               - epochs["search"] - net).sum()  # fmt: skip
    rest = result.sellers["profit"].sum() + epochs["commission"].sum()
    assert total.welfare == pytest.approx(surplus + rest, rel=1e-9)
    values = live.values(total)
    summary = result.summary()
    whole = summary[(summary["task"] == "all") & (summary["offer"] == "all")]
    told = dict(zip(whole["metric"], whole["value"], strict=True))
    assert values["miss"] == pytest.approx(told["miss_rate"], rel=1e-9)
    received = result.sellers.groupby("owner")["revenue"].sum()
    shares = received / received.sum()
    assert values["hhi"] == pytest.approx((shares**2).sum(), rel=1e-9)
    thinking = epochs[epochs["offer"].astype(str) == "deep-2.0/high"]["assigned"].sum()
    given = epochs[epochs["offer"].astype(str) != "outside"]["assigned"].sum()
    assert values["reasoning"] == pytest.approx(thinking / given, rel=1e-9)


def test_the_warm_up_does_not_count_once_it_is_over(shop: dict[str, str]) -> None:
    live = LiveMarket(read(shop["shop"], ["run.warmup=100"]).require(), seed=1)
    lengths = []
    for _ in range(5):
        live.advance(40.0)
        assert live.total is not None
        lengths.append(live.total.length)
    assert lengths == [40.0, 80.0, 40.0, 80.0, 120.0]  # the spell in which it ends counts


def test_watching_long_takes_no_more_room(shop: dict[str, str]) -> None:
    live = LiveMarket(read(shop["shop"]).require(), seed=1)
    for _ in range(5 * SPELLS):
        live.advance(20.0)
        assert len(live.spells) <= SPELLS
    assert live.total is not None
    assert sum(s.length for s in live.spells) == pytest.approx(live.total.length)
    assert sum(s.welfare for s in live.spells) == pytest.approx(live.total.welfare, rel=1e-9)
    assert sum(s.served.sum() for s in live.spells) == live.total.served.sum()
    assert [s.end for s in live.spells] == sorted(s.end for s in live.spells)
    assert len(live.tasks(0)) == TASKS
    assert len(live.tasks(1)) <= TASKS
    assert set(live.tasks(0)["kind"]) == {0}


def watched(shop: dict[str, str]) -> tuple[Simulator, list[dict[str, Any]]]:
    """Return a simulator of the shop, and what it sends."""
    sent: list[dict[str, Any]] = []
    simulator = Simulator(shop, sent.append)
    simulator.hear({"ask": {"scenario": "shop", "task": "chat", "order": []}})
    simulator.hear({"pace": 6000.0})
    return simulator, sent


def test_play_pause_step_and_reset(shop: dict[str, str]) -> None:
    simulator, sent = watched(shop)
    assert sent[-1]["live"]["time"] == 0.0
    simulator.hear({"run": "step"})
    assert sent[-1]["live"]["time"] == pytest.approx(600.0)
    assert not sent[-1]["live"]["playing"]
    simulator.hear({"run": "play"})
    assert simulator.playing
    simulator.turn()
    assert sent[-1]["live"]["playing"]
    simulator.hear({"run": "pause"})
    stood = sent[-1]["live"]["time"]
    assert not sent[-1]["live"]["playing"]
    simulator.hear({"run": "reset"})
    assert stood > 600.0
    assert sent[-1]["live"]["time"] == 0.0


def test_other_views_of_a_market_let_it_run_on_and_other_markets_start_anew(
    shop: dict[str, str],
) -> None:
    simulator, sent = watched(shop)
    simulator.hear({"run": "step"})
    simulator.hear({"ask": {"scenario": "shop", "task": "code.x", "dark": True}})
    assert sent[-1]["live"]["time"] > 0.0
    for more in ({"seed": "2"}, {"reasoning": 2.0}, {"set": ["tasks.chat.loss=1"]}):
        simulator.hear({"ask": {"scenario": "shop", **more}})
        assert sent[-1]["live"]["time"] == 0.0, more
        simulator.hear({"run": "step"})


def test_prices_are_drawn_with_cost_and_equilibrium_beside(shop: dict[str, str]) -> None:
    simulator, sent = watched(shop)
    simulator.hear({"run": "step"})
    fast, solved = 400.0 * 100e-6, [[0.5, 0.25, 0.25, 2.0], [1.0, 1.0, 1.0, 2.0]]
    plain = {t["text"]: t["y"] for t in sent[-1]["live"]["f3"]["data"] if "text" in t}
    assert plain["fast"] == [pytest.approx(fast)]
    assert plain["deep-2.0 · low"] == [pytest.approx(900.0 * 100e-6)]
    simulator.hear({"nash": solved})
    levels = [t for t in sent[-1]["live"]["f3"]["data"] if t["line"].get("dash") == "dash"]
    assert 0.5 in [level["y"][0] for level in levels]
    simulator.hear({"ask": {"scenario": "shop", "reasoning": 2.0, "task": "chat"}})
    simulator.hear({"run": "step"})  # another market: its equilibrium is not known
    assert not [t for t in sent[-1]["live"]["f3"]["data"] if t["line"].get("dash") == "dash"]


def test_where_nobody_posts_a_price_what_was_paid_is_drawn(shop: dict[str, str]) -> None:
    simulator, sent = watched(shop)
    message = {"scenario": "shop", "task": "chat", "set": ["mechanism=second_score"]}
    simulator.hear({"ask": message})
    simulator.hear({"run": "step"})
    spell = simulator._live.spells[0]  # type: ignore[union-attr]
    drawn = {t["text"]: t["y"] for t in sent[-1]["live"]["f3"]["data"] if "text" in t}
    assert drawn["fast"][0] == pytest.approx(spell.paid[0, 0] / spell.served[0, 0], rel=1e-4)


def test_a_file_that_was_edited_is_read_anew(shop: dict[str, str]) -> None:
    """By all who read it: the fluid market kept the old one, a new page's event market did not."""
    fluid, (simulator, _) = Fluid(shop), watched(shop)
    first, before = fluid.answer({"scenario": "shop"}), simulator._live
    path = Path(shop["shop"])
    name = f"sellers.{Fluid(shop).answer({'scenario': 'shop'})['order'][0]}.accuracy=0.5"
    path.write_text(w.to_toml(read(str(path), [name]).require()))
    second = fluid.answer({"scenario": "shop", "seen": first["key"]})
    anew = Fluid(shop).answer({"scenario": "shop"})
    assert second["values"] == pytest.approx(anew["values"], rel=1e-4)
    assert second["values"] != pytest.approx(first["values"], rel=1e-2)
    assert second["key"] != first["key"]
    simulator.hear({"ask": {"scenario": "shop", "task": "chat"}})
    assert simulator._live is not before


def test_colours_hang_on_the_scenario_alone(shop: dict[str, str]) -> None:
    moved = Fluid(shop).answer({"scenario": "shop", "reasoning": 0.1})
    assert moved["order"] == Fluid(shop).answer({"scenario": "shop"})["order"]
    other = {"scenario": "shop", "set": ["mechanism=second_score"]}
    assert Fluid(shop).answer(other)["order"] == moved["order"]


def test_what_is_selected_counts(shop: dict[str, str]) -> None:
    simulator, sent = watched(shop)
    for _ in range(3):
        simulator.hear({"run": "step"})
    live = simulator._live
    assert live is not None
    rows = live.tasks(0)
    middle = float(np.median(rows["value"]))
    simulator.hear({"chosen": {"value": [middle, 1e9]}})
    chosen = sent[-1]["live"]["chosen"]
    assert chosen == {"of": len(rows), "count": int((rows["value"] >= middle).sum())}
    ribbons = [frame["ribbons"] for frame in sent if "ribbons" in frame][-1]
    names = {note["text"] for note in ribbons["layout"]["annotations"]}
    assert "chat" in names  # it alone is selected from
    assert "code.x" not in names
    faded = sent[-1]["live"]["dots"]["marker"]["opacity"]
    assert sum(x > 0.5 for x in faded) == chosen["count"]
    simulator.hear({"chosen": {"offers": [0]}})
    assert sent[-1]["live"]["chosen"]["count"] == int((rows["offer"] == 0).sum())
    simulator.hear({"chosen": None})
    assert sent[-1]["live"]["chosen"] is None


def test_a_market_that_is_none_stops_the_simulator_with_its_reason(shop: dict[str, str]) -> None:
    simulator, sent = watched(shop)
    simulator.hear({"run": "play"})
    simulator.hear({"ask": {"scenario": "shop", "set": ["tasks.chat.loss=-1"]}})
    assert "loss" in sent[-1]["halted"]
    assert not simulator.playing
    simulator.hear({"ask": {"scenario": "shop"}})
    simulator.hear({"run": "step"})
    assert sent[-1]["live"]["time"] > 0.0


def test_of_markets_that_wait_only_the_last_is_built(
    shop: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slider asks for more markets than can be built; those it left must not come one by one."""
    built: list[float] = []
    start = Simulator._start

    def counted(self: Simulator) -> None:
        assert self._asked is not None
        built.append(self._asked.reasoning)
        start(self)

    monkeypatch.setattr(Simulator, "_start", counted)
    ours, theirs = Pipe()
    for factor in np.linspace(0.5, 2.0, 20):
        ours.send_bytes(json.dumps({"ask": {"scenario": "shop", "reasoning": factor}}).encode())
    ours.send_bytes(json.dumps({"run": "step"}).encode())

    def serve() -> None:
        with suppress(EOFError, OSError):
            serve_simulation(theirs, {"targets": shop})

    thread = threading.Thread(target=serve)
    thread.start()
    while b'"time": 0.0' in ours.recv_bytes():
        pass
    ours.close()
    thread.join(10.0)
    assert built == [2.0]


def test_markets_that_gave_way_leave_nothing(shop: dict[str, str]) -> None:
    """Mesa keeps every model it ever numbered an agent of, 7 MB for each place of a slider."""
    simulator, _ = watched(shop)
    assert simulator._live is not None
    gone = weakref.ref(simulator._live.economy)
    for factor in (1.1, 1.2):
        simulator.hear({"ask": {"scenario": "shop", "reasoning": factor}})
    assert gone() is None


def test_a_slow_machine_simulates_less_per_frame_and_never_waits_for_long(
    shop: dict[str, str],
) -> None:
    """At a pace no machine has, a turn settles at a part of its tenth of a second."""
    now = [0.0]

    def clock() -> float:
        return now[0]

    sent: list[dict[str, Any]] = []
    simulator = Simulator(shop, sent.append, clock=clock)
    simulator.hear({"ask": {"scenario": "shop"}})
    simulator.hear({"pace": 1e6})
    simulator.hear({"run": "play"})
    assert simulator._live is not None
    advance, took = simulator._live.advance, []

    def slow(seconds: float) -> None:
        advance(seconds / 100.0)
        took.append(seconds / 1e4)  # 10,000 simulated seconds per second
        now[0] += took[-1]

    simulator._live.advance = slow  # type: ignore[method-assign]
    for _ in range(30):
        simulator.turn()
    assert took[-1] == pytest.approx(0.06, rel=0.01)


# --- what it is opened with -----------------------------------------------------------------------


def test_a_run_is_opened_with_its_seed_beside_what_was_recorded(
    shop: dict[str, str], tmp_path: Path
) -> None:
    result = w.run(shop["shop"], seed=11)
    folder = result.save(tmp_path / "run")
    targets, config = opened(str(folder))
    name = config["start"]["scenario"]
    assert config["start"]["seed"] == "11"
    assert read(targets[name]).require().tasks == result.market.tasks
    summary = result.summary()
    whole = summary[(summary["task"] == "all") & (summary["offer"] == "all")]
    told = dict(zip(whole["metric"], whole["value"], strict=True))
    assert config["recorded"]["values"]["welfare"] == told["welfare"]


def test_points_of_a_sweep_open_the_runs_they_stand_for(
    shop: dict[str, str], tmp_path: Path
) -> None:
    """Simulated anew, a point gives the value that the sweep has for it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        w.sweep(
            shop["shop"], {"sellers.deep-2.0.price.output": [500.0, 1500.0],
                           "mechanism": ["posted_price", "second_score"]},
            constants={"run.until": 1200.0}, seeds=2, out=tmp_path / "sweep", executor=threads,
        )  # fmt: skip
    targets, config = opened(str(tmp_path / "sweep"))
    drawn = config["sweep"]
    assert len(drawn["runs"]) == 8
    json.dumps(config, allow_nan=False)
    for point in drawn["runs"][::3]:
        asked = asked_of({"scenario": config["start"]["scenario"], "set": point["set"],
                          "seed": point["seed"]}, list(targets))  # fmt: skip
        again = w.run(market_of(asked, targets), seed=asked.seed).summary()
        row = again[(again["metric"] == "welfare") & (again["task"] == "all")
                    & (again["offer"] == "all")]  # fmt: skip
        assert row["value"].iloc[0] == pytest.approx(point["y"], rel=1e-9)


def test_two_runs_are_opened_one_pinned_beside_the_other(
    shop: dict[str, str], tmp_path: Path
) -> None:
    one, two = (
        w.run(w.load(shop["shop"], [f"tasks.chat.loss={loss}"]), seed=seed).save(
            tmp_path / str(seed) / "same"
        )
        for loss, seed in ((0.2, 1), (0.7, 2))
    )
    targets, config = opened(str(one), str(two))
    pinned = dict(parse_qsl(config["pin"]))
    start = config["start"]["scenario"]
    losses = [read(targets[name]).require().tasks[0].loss for name in (start, pinned["scenario"])]
    assert losses == [0.2, 0.7]
    assert (config["start"]["seed"], pinned["seed"]) == ("1", "2")


@pytest.mark.parametrize("target", ["no_such", "\0", "x" * 5000, "/nowhere/at/all"])
def test_what_cannot_be_opened_is_bad_input(target: str) -> None:
    with pytest.raises(BadInputError):
        opened(target)


def test_a_folder_of_something_else_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="neither a run nor a sweep"):
        opened(str(tmp_path))
