"""Scenario files become markets, or say all that is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import walras as w
from walras.market.schema.arrivals import Poisson
from walras.market.schema.demand import Logit, TaskClass
from walras.market.schema.errors import CODES, BadInputError, errors_in, render
from walras.market.schema.market import Market
from walras.market.schema.supply import Seller
from walras.scenarios import library
from walras.scenarios.lines import TooDeepError, find_lines
from walras.scenarios.load import MAX_BYTES, Loaded, check, load, read
from walras.scenarios.schema import entry_at, every_entry
from walras.scenarios.toml import from_toml, to_toml

CORPUS = Path(__file__).parent / "corpus"
BAD = sorted((CORPUS / "bad").glob("*.toml"))
GOOD = CORPUS / "everything.toml"
SMALL = CORPUS / "small.toml"


def codes(loaded: Loaded) -> list[str]:
    return [p.code for p in errors_in(loaded.problems)]


# --- the corpus --------------------------------------------------------------------------------


def test_the_corpus_is_large_enough() -> None:
    assert len(BAD) >= 60


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_bad_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WALRAS_DATA", raising=False)
    expected = path.read_bytes().splitlines()[0].decode().removeprefix("# expect: ").split()
    loaded = read(path)
    assert loaded.market is None
    assert sorted(codes(loaded)) == sorted(expected), render(loaded.problems)
    rows = path.read_bytes().count(b"\n")
    for problem in errors_in(loaded.problems):
        assert problem.file == str(path)
        assert problem.line is None or 1 < problem.line <= rows
        assert problem.field or problem.code in ("W107", "W114")


def test_every_error_code_is_provoked() -> None:
    provoked = {c for p in BAD for c in p.read_bytes().splitlines()[0].decode().split()[2:]}
    assert {c for c in CODES if c < "W2"} - provoked == {"W113"}  # of --set, below


def test_the_messages_of_the_manual() -> None:
    text = """
[[tasks]]
name = "chat"
arrivals = {kind = "poisson", rate = 1}
dedline = "5 s"
[[sellers]]
name = "deep"
price = {output = "cheap"}
"""
    assert render(check(text, file="my.toml").problems) == (
        'error[W101]: task 1 "chat": unknown key `dedline`\n'
        "  --> my.toml:5\n"
        "   = did you mean `deadline`?\n"
        "   = field: tasks.chat.dedline\n"
        'error[W102]: seller 1 "deep": price.output "cheap" is not a number\n'
        "  --> my.toml:8\n"
        "   = field: sellers.deep.price.output; unit: USD per million tokens; "
        "allowed: 0 to 1,000,000; example: 0.60"
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("value = 1", 'choice = "logit"', "`choice.scale` is missing"),
        ("value = 1", "value = 1\nvalue = 2", "`value` is given twice"),
        ('"chat"', f'"{"x" * 65}"', "is too long"),
        ("0.9", '"90%"', 'accuracy "90%" is not a probability'),
        ("[[tasks]]", "events = 3\n[[tasks]]", "events 3 is not a list of tables"),
        ("[[tasks]]", "run = {until = 9, warmup = 9}\n[[tasks]]", "run.warmup (9 s) must be"),
    ],
)
def test_the_words_of_an_error(old: str, new: str, words: str) -> None:
    text = """
[[tasks]]
name = "chat"
arrivals = {kind = "poisson", rate = 1}
value = 1
[[sellers]]
name = "deep"
accuracy = 0.9
"""
    assert words in render(errors_in(check(text.replace(old, new)).problems))


def test_a_catalogue_by_name_without_sellers_says_how_to_sell_its_models() -> None:
    (problem,) = errors_in(read(CORPUS / "bad" / "catalogue_without_models.toml").problems)
    assert 'models = "all"' in problem.hint


def test_the_name_of_a_catalogue_that_is_not_here() -> None:
    """With sellers it says where they came from, as in a resolved file; without, it is wrong."""
    text = (CORPUS / "bad" / "catalogue_in_plain_words.toml").read_text("utf-8")
    loaded = check(text + '[[sellers]]\nname = "deep"\n')
    assert loaded.require().catalogue == "april-2025"
    assert "did you mean `march-2025`?" in render(p for p in loaded.problems if p.code == "W217")
    (problem,) = errors_in(check(text.replace("april", "Marsh")).problems)
    assert problem.hint == "did you mean `march-2025`?"


def test_a_place_in_a_list_has_one_number() -> None:
    """In the message as in the field, counted from 1."""
    found = check('catalogue = {name = "march-2025", models = ["o9"]}').problems
    text = render(p for p in found if p.code == "W112")
    assert "catalogue.models.1" in text
    assert "catalogue.models.0" not in text


def test_hostile_texts_do_not_reach_the_terminal() -> None:
    text = 'mechanism = "\\u001b[2J\\u202e"\n"\\u0007" = 1\n[[tasks]]\nname = "\\u009b"\n'
    shown = render(check(text).problems)
    assert all(c.isprintable() for c in shown.replace("\n", ""))


# --- reading -----------------------------------------------------------------------------------


def test_everything_is_used_by_the_good_file() -> None:
    """All of it, by `everything.toml` and by files beside it for what needs another mechanism."""
    used: set[str] = set()
    for good in [*sorted(CORPUS.glob("everything*.toml")), CORPUS / "catalogue.toml"]:
        assert errors_in(read(good).problems) == []
        lines = find_lines(good.read_text("utf-8"))
        used |= {str(step) for path in lines for step in path}
    missing = {str(e.path[-1]) for _, e in every_entry()} - used - {"file", "columns", "get_from"}
    assert missing <= {"start"}


@pytest.mark.parametrize("target", ["no-such", "no/such.toml", ".", "a\0b", "x" * 5000, "\x1b[31m"])
def test_a_target_that_is_no_scenario(target: str) -> None:
    assert codes(read(target)) == ["W100"]


def test_a_scenario_of_nearly_that_name() -> None:
    for name in library.names()[:1]:
        assert f"`{name}`" in render(read(name + "e").problems)


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "huge.toml"
    path.write_text("# " + "x" * MAX_BYTES)
    assert codes(read(path)) == ["W114"]


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.toml"
    path.touch()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in render(read(path).problems)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 500_000,
        "a = " + "{a=" * 300_000,
        ".".join(["a"] * 400_000) + " = 1",
        "[" + ".".join(["a"] * 400_000) + "]",
        "a = [" + "{a=[" * 40,
        "[[a]]\n[[a.b]]\n" + "[[a" + ".b" * 40 + "]]",
    ],
)
def test_deep_nesting(text: str) -> None:
    assert codes(check(text)) == ["W114"]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "9" * 5000,
        "a = 1\n" * 30,
        '"' * 10_000,
        "= 1",
        "[a",
        "a = 1 2\n[b]\nb = ]",
        "\ufeff=",
    ],
)
def test_text_that_is_not_toml(text: str) -> None:
    assert set(codes(check(text))) >= {"W107"}


def test_a_huge_hexadecimal_number() -> None:
    found = check(GOOD.read_text("utf-8").replace("speed = 80", "speed = 0x" + "F" * 50_000))
    assert codes(found) == ["W103"]
    assert len(render(found.problems)) < 2000


def test_a_catalogue_gives_sellers_that_the_file_may_change() -> None:
    market = load(CORPUS / "catalogue.toml")
    by_name = {s.name: s for s in market.sellers}
    assert list(by_name) == ["o1", "gpt-4.5", "mine"]
    assert by_name["o1"].slots == 2
    assert by_name["o1"].price.output == 60
    assert market.catalogue == "march-2025"
    assert from_toml(to_toml(market)) == market


def test_lines_of_sellers_beside_a_catalogue() -> None:
    text = (CORPUS / "catalogue.toml").read_text("utf-8").replace("speed = 50", "speed = -50")
    (problem,) = errors_in(check(text).problems)
    assert problem.field == "sellers.mine.speed"
    assert text.splitlines()[(problem.line or 0) - 1] == "speed = -50"


@pytest.mark.parametrize(
    ("catalogue", "code"),
    [
        ("{}", "W104"),
        ("{name = 3}", "W112"),
        ('{name = "march-2025", model = "all"}', "W101"),
        ('{name = "march-2025", models = 3}', "W102"),
        ('{name = "march-2025", models = []}', "W102"),
        ('{name = "march-2025", models = ["o1", "o1"]}', "W109"),
        ('{name = "march-2025", models = [[1]]}', "W112"),
        ('{name = "march-2025", missing = "guess"}', "W105"),
        ('{name = "march-2025", missing = ["omit"]}', "W105"),
        ('{name = "march-2025", missing = true}', "W105"),
    ],
)
def test_wrong_catalogues(catalogue: str, code: str) -> None:
    task = '\n[[tasks]]\nname = "a"\narrivals = {kind = "poisson", rate = 1}\n'
    assert codes(check(f"catalogue = {catalogue}{task}")) == [code]


# --- traces ------------------------------------------------------------------------------------

TRACE = """
[[tasks]]
name = "chat"
arrivals = {kind = "replay", file = "t.csv", get_from = "the archive"}
input_tokens = "replay"
[[sellers]]
name = "one"
"""


def test_a_trace_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n0,1,2\n")
    loaded = check(TRACE, base=tmp_path)
    assert loaded.market is not None
    assert loaded.spec is not None
    assert loaded.market.tasks[0].arrivals.file == str(tmp_path / "t.csv")  # type: ignore[union-attr]
    assert loaded.spec.tasks[0].arrivals.file == "t.csv"  # type: ignore[union-attr]


def test_a_trace_in_the_folder_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n0,1,2\n")
    monkeypatch.setenv("WALRAS_DATA", str(tmp_path))
    assert check(TRACE, base=tmp_path / "elsewhere").market is not None
    assert check(TRACE.replace("t.csv", "x/t.csv"), base=tmp_path / "elsewhere").market is not None


def test_a_trace_that_is_not_there_says_where_to_get_it(tmp_path: Path) -> None:
    (problem,) = errors_in(check(TRACE, base=tmp_path).problems)
    assert "the archive" in problem.hint
    assert "TIMESTAMP, ContextTokens, GeneratedTokens" in problem.hint


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "W111"), (b"\xff\xfe\0", "W111"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n", "W111"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n0,x,2\n", "W111"),
    ],
)  # fmt: skip
def test_a_trace_that_does_not_fit(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    assert codes(check(TRACE, base=tmp_path)) == [code]


@pytest.mark.parametrize("name", ["a\\u0000b", "x" * 5000, "..", "/dev/zero"])
def test_a_trace_no_file_can_be(tmp_path: Path, name: str) -> None:
    assert set(codes(check(TRACE.replace("t.csv", name), base=tmp_path))) <= {"W102", "W110"}


# --- overrides ---------------------------------------------------------------------------------


def field_of(market: Market, path: str) -> Any:
    here: Any = market
    for step in path.split("/"):
        if isinstance(here, tuple):
            here = next(item for item in here if item.name == step)
        else:
            here = here[step] if isinstance(here, dict) else getattr(here, step)
    return here


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("run.until=2 h", "run/until", 7200.0),
        ('run.until="2 h"', "run/until", 7200.0),
        ("sellers.deep-1.5.price.output=3", "sellers/deep-1.5/price/output", 3.0),
        ("sellers.2.slots=3", "sellers/human/slots", 3.0),
        ("sellers.deep-1.5.kappa=inf", "sellers/deep-1.5/kappa", math.inf),
        ("sellers.deep-1.5.kappa=unlimited", "sellers/deep-1.5/kappa", math.inf),
        ("sellers.deep-1.5.effort.high=7", "sellers/deep-1.5/effort/high", 7.0),
        ("sellers.human.accuracy.web-1.5=0.5", "sellers/human/accuracy/web-1.5", 0.5),
        ("tasks.chat.arrivals.rate=2", "tasks/chat/arrivals/rate", 2.0),
        ("mechanism=posted_price", "mechanism/kind", "posted_price"),
        ("platform.commission = 0.25", "platform/commission", 0.25),
        ("name=other", "name", "other"),
    ],
)
def test_overrides(override: str, path: str, value: Any) -> None:
    assert field_of(load(GOOD, [override]), path) == value


@pytest.mark.parametrize(
    ("overrides", "path", "value"),
    [
        (["mechanism=call_market", "mechanism.period=5"], "mechanism/period", 5.0),
        (["mechanism.period=5", "mechanism.kind=call_market"], "mechanism/period", 5.0),
        (["mechanism=first_score", "mechanism.bid=equilibrium", "mechanism.bid.bidders=9"],
         "mechanism/bid/bidders", 9),
        (["sellers.fast.bidding=markup", "sellers.fast.bidding.rate=1"],
         "sellers/fast/bidding/rate", 1.0),
        (["sellers.fast.pricing=undercut", "sellers.fast.pricing.params.floor=0.5"],
         "sellers/fast/pricing/params/floor", 0.5),
    ],
)  # fmt: skip
def test_overrides_go_inside_what_is_given_by_name(
    overrides: list[str], path: str, value: Any
) -> None:
    """The name stands for the table of that kind."""
    assert field_of(load(SMALL, overrides), path) == value


@pytest.mark.parametrize(
    ("overrides", "hint"),
    [
        (["mechanism=vickrey", "mechanism.linear=1"], "belongs to kind first_score or second_"),
        (["mechanism.period=5"], "`period` belongs to kind call_market"),
        (["mechanism=call_market", "mechanism.perod=5"], "did you mean `period`?"),
    ],
)
def test_a_key_of_another_kind_says_whose_it_is(overrides: list[str], hint: str) -> None:
    assert hint in render(read(SMALL, overrides).problems)


@pytest.mark.parametrize(
    ("override", "code", "hint"),
    [
        ("run.untill=3", "W113", "`until`"),
        ("sellers.deap-1.5.slots=3", "W113", "`deep-1.5`"),
        ("sellers.zzz.slots=3", "W113", "deep-1.5"),
        ("sellers.0.slots=3", "W113", ""),
        ("tasks.99.value=3", "W113", ""),
        ("run.until.x=3", "W113", ""),
        ("zzz=3", "W113", "known here"),
        ("no-equals-sign", "W113", "run.until=2h"),
        ("=3", "W113", ""),
        ("run.until=" + "[" * 99, "W114", ""),
        ("run.until=1\nx = 2", "W102", ""),
        ("run.until=nan", "W108", ""),
        ("tasks.chat.arrivals.rate=-1", "W103", ""),
        ("catalogue.name=x", "W112", "march-2025"),
        ("sellers.deep-1.5.ability.maths.zeta=1", "W113", "`beta`"),
    ],
)
def test_wrong_overrides(override: str, code: str, hint: str) -> None:
    loaded = read(GOOD, [override])
    assert codes(loaded) == [code]
    (problem,) = errors_in(loaded.problems)
    assert problem.file.startswith("--set ")
    assert hint in problem.hint


def test_an_override_of_the_catalogue_comes_before_it_is_read() -> None:
    market = load(
        CORPUS / "catalogue.toml", ['catalogue.models=["o1-mini"]', "sellers.o1-mini.slots=3"]
    )
    assert market.sellers[0].slots == 3


# --- TOML and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("resolved", [True, False])
@pytest.mark.parametrize(
    "path",
    [*sorted(CORPUS.glob("everything*.toml")), CORPUS / "catalogue.toml", *library.files()],
    ids=str,
)
def test_round_trip(path: Path, resolved: bool) -> None:
    market = from_toml(path.read_text("utf-8"))  # without looking for its traces
    text = to_toml(market, resolved=resolved)
    again = from_toml(text)
    assert again == market
    assert to_toml(again) == to_toml(market)


def one_market(**changes: Any) -> Market:
    task = TaskClass("ask", Poisson(1.0), choice=changes.pop("choice", Logit(0.1)))
    return Market(tasks=[task], sellers=[Seller("one", **changes)])


SIZES = w.LogNormal(60, cv=0.5)
MADE_IN_PYTHON = {
    "as little as may be": w.Market([TaskClass("ask", Poisson(1))], [Seller("one")]),
    "every arrival process": w.Market(
        [
            TaskClass("a", w.MMPP([0, 1.5], ["1 min", 2])),
            TaskClass("b", w.Diurnal(0.1, amplitude=0.3, period="1 d", phase=-5)),
            TaskClass("c", w.Batch(0.1, 3.5, spread="geometric")),
            TaskClass("d", w.Closed(3, "1 min")),
            TaskClass("e", w.Replay(times=[0, 0.1, 1 / 3], output_tokens=[1, 2, 3]),
                      input_tokens=w.Uniform(1, 2), output_tokens="replay"),
            TaskClass("f", w.Replay(file="not here.csv", columns=["t", "é", "z"], start=3)),
        ],
        [Seller("one")],
    ),
    "every law": w.Market(
        [TaskClass("a", Poisson(1e-9), input_tokens=SIZES, output_tokens=w.Gamma(1, 2),
                   value=w.Quantiles([0, 0.1, 1], [0, 1 / 3, 2]), deadline=w.Exponential(3),
                   delay_cost=w.ShareOfValue(0.1), lateness=w.HalfLife(3), patience="deadline",
                   choice=w.Logit(0.1, nest=0.5), difficulty=w.Difficulty(mean=-1, sd=1))],
        [Seller("one")],
    ),
    "every event": w.Market(
        [TaskClass("a", Poisson(1))], [Seller("one", slots=3, owner="\u202e\x1b[2J")],
        events=[w.PriceChange(1, "one", 2.5), w.Exit(2, "one"), w.Enter(3, "one"),
                w.Outage(4, "one", 5, in_service="fail"), w.AddSlots(5, "one", 2)],
    ),
    "every strategy": w.Market(
        [TaskClass("a", Poisson(1))],
        [Seller(f"s{i}", pricing=strategy) for i, strategy in enumerate(
            (w.Fixed(price=1), w.CostPlus(markup=0.1), w.Undercut(relent=False, top=3),
             w.LoadPricing(target=0.5), "undercut"))],
        mechanism=w.ScoringAuction("second_score", reserve=0.1, bid="price"),
    ),
    "odd texts": w.Market(
        [TaskClass("a", Poisson(1))], [Seller("one", kappa=math.inf, slots="unlimited")],
        catalogue="of my own", question='"""\n\t\\u0000 \u2028 café 💥\r\n\'',
    ),
}  # fmt: skip


@pytest.mark.parametrize("resolved", [True, False])
@pytest.mark.parametrize("about", MADE_IN_PYTHON)
def test_round_trip_of_a_market_made_in_python(about: str, resolved: bool) -> None:
    market = MADE_IN_PYTHON[about]
    assert from_toml(to_toml(market, resolved=resolved)) == market


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    market = MADE_IN_PYTHON["odd texts"]
    (tmp_path / "made.toml").write_text(to_toml(market), "utf-8")
    assert load(tmp_path / "made.toml") == market


def my_rule(*_: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("market", "where"),
    [
        (lambda: one_market(choice=my_rule), "market.tasks.ask.choice"),
        (lambda: one_market(pricing=my_rule), "market.sellers.one.pricing"),
    ],
)
def test_functions_do_not_fit_a_file(market: Callable[[], Market], where: str) -> None:
    with pytest.raises(BadInputError, match=f"{where} is a Python function `my_rule`"):
        to_toml(market())


def test_load_raises_all_errors() -> None:
    with pytest.raises(BadInputError) as caught:
        load(CORPUS / "bad" / "many_faults.toml")
    assert len(caught.value.problems) == 4


# --- the schema and the lines ------------------------------------------------------------------


def test_every_number_has_a_unit_or_is_a_law() -> None:
    for kinded, entry in every_entry():
        if set(entry.types) & {int, float} and "." in kinded:
            law = kinded.rsplit(".", 1)[-1] in ("value", "mean", "low", "high", "values")
            assert entry.unit or law, kinded


def test_examples_are_allowed() -> None:
    for kinded, entry in every_entry():
        if entry.example and not entry.example.startswith('"'):
            limits = entry.limits
            x = 1.0 if entry.example == "true" else float(entry.example)
            assert limits.get("gt", -math.inf) < x < limits.get("lt", math.inf), kinded
            assert limits.get("ge", -math.inf) <= x <= limits.get("le", math.inf), kinded


def test_the_unit_of_a_law_is_that_of_its_quantity() -> None:
    data = {"tasks": [{"value": {"kind": "lognormal", "mean": 1, "cv": 2}}]}
    mean = entry_at(("tasks", 0, "value", "mean"), data)
    assert mean is not None
    assert mean.unit == "USD"
    assert entry_at(("tasks", 0, "value", "mean", "x"), data) is None


def test_lines() -> None:
    lines = find_lines(GOOD.read_text("utf-8"))
    rows = GOOD.read_text("utf-8").splitlines()
    for path, line in lines.items():
        last = path[-1]
        if isinstance(last, str):
            assert last in rows[line - 1], path
    with pytest.raises(TooDeepError, match="32"):
        find_lines("a = " + "[" * 33 + "]" * 33)
