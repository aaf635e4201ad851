"""The catalogue reproduces what was measured, and every figure says where it comes from."""

from __future__ import annotations

import csv
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from walras.agents.catalogue import (
    Ability,
    Catalogue,
    Model,
    accuracy_at,
    catalogues,
    data,
    explain,
    load,
    sellers,
    sources_table,
)
from walras.agents.catalogue.fit import Scale, fit, latent
from walras.market.schema.supply import Seller

SKILLS = {
    "translation", "coding_short", "coding_long", "science", "facts", "tools", "writing", "chat",
}  # fmt: skip

# Three efforts, two parameters: what least squares leaves, in points. LiveBench's coding score of
# o3-mini jumps from 65 at medium to 83 at high effort; with 128 items its standard error is 4.
WIDE_RESIDUALS = {("o3-mini", "coding_short"): 5.0}


@pytest.fixture(scope="module")
def march() -> Catalogue:
    return load("march-2025")


def offers(catalogue: Catalogue) -> list[tuple[Model, str]]:
    return [(model, effort) for model in catalogue.models.values() for effort in model.effort]


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def by_trapezium(ability: Ability, tokens: float, e0: float, sd: float) -> float:
    """Class accuracy by another road: a fine grid over difficulty."""
    b = np.linspace(-12 * sd, 12 * sd, 20_001)
    density = np.exp(-0.5 * (b / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
    x = ability.theta + ability.beta * math.log(1 + tokens / e0) + ability.tau
    a = ability.floor + (ability.ceiling - ability.floor) / (1 + np.exp(b - x))
    return float(np.trapezoid(a * density, b))


# --- what is in it ------------------------------------------------------------------------------


def test_what_is_shipped(march: Catalogue) -> None:
    assert catalogues() == ["march-2025"]
    assert len(march.models) >= 20
    assert len(offers(march)) >= 30
    assert set(march.skills) == SKILLS
    services = {model.service for model in march.models.values()}
    assert services == {"cloud", "device", "human"}
    cloud = [model for model in march.models.values() if model.service == "cloud"]
    assert sum(model.open for model in cloud) >= 5
    assert sum(not model.open for model in cloud) >= 15


def test_every_skill_has_rivals(march: Catalogue) -> None:
    for skill in SKILLS:
        assert sum(skill in model.scores for model in march.models.values()) >= 10, skill


def test_a_model_serves_the_skills_it_has_scores_in(march: Catalogue) -> None:
    for name, model in march.models.items():
        assert march.fits[name].keys() == model.scores.keys()
        assert model.scores


def test_human_translator(march: Catalogue) -> None:
    translator = march.models["human-translator"]
    words_per_token = 1 / march.assumptions["tokens_per_word"].value
    assert translator.price.output * 1e-6 / words_per_token == pytest.approx(0.12, rel=1e-4)
    words_per_day = translator.speed.number * words_per_token * 86_400
    assert words_per_day == pytest.approx(2000, rel=1e-4)
    assert math.isinf(translator.slots.number)


# --- abilities ----------------------------------------------------------------------------------


def test_measured_points_are_reproduced(march: Catalogue) -> None:
    sd = march.assumptions["sd_skill"].value
    checked = 0
    for name, model in march.models.items():
        for skill, facts in model.scores.items():
            found = march.fits[name][skill]
            exact = len(facts) <= 2
            allowed = 1e-6 if exact else WIDE_RESIDUALS.get((name, skill), 3.0) / 100
            for effort, fact in facts.items():
                accuracy = by_trapezium(found.ability, model.thinking[effort], 1000.0, sd)
                assert abs(accuracy - fact.number) <= allowed, (name, skill, effort)
                assert found.residuals[effort] == pytest.approx(accuracy - fact.number, abs=1e-9)
                checked += 1
    assert checked > 150


def test_one_score_takes_the_slope_of_its_skill(march: Catalogue) -> None:
    sd = march.assumptions["sd_skill"].value
    checked = 0
    for name, model in march.models.items():
        thinking = [tokens for tokens in model.thinking.values() if tokens > 0]
        for skill, found in march.fits[name].items():
            if not found.uses_slope:
                assert thinking == [] or len(model.scores[skill]) > 1
                continue
            (effort,) = model.scores[skill]
            tokens = model.thinking[effort] or math.prod(thinking) ** (1 / len(thinking))
            h = 1e-4
            up, down = (
                accuracy_at(found.ability, tokens * math.exp(d), model.e0.number, sd=sd)
                for d in (h, -h)
            )
            slope = (logit(up) - logit(down)) / (2 * h)
            assert slope == pytest.approx(march.skills[skill].slope.number, abs=1e-6)
            checked += 1
    assert checked >= 15


def test_thinking_more_never_hurts(march: Catalogue) -> None:
    for name, model in march.models.items():
        for skill, found in march.fits[name].items():
            ability = found.ability
            assert ability.beta >= 0, (name, skill)
            curve = [
                accuracy_at(ability, tokens, model.e0.number, sd=1.5)
                for tokens in sorted(model.thinking.values())
            ]
            assert curve == sorted(curve)
            assert ability.floor < curve[0] <= curve[-1] < ability.ceiling < 1


@pytest.mark.parametrize("sd", [0.0, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_fit_recovers_an_ability(sd: float, floor: float) -> None:
    tokens = {"none": 0.0, "low": 400.0, "high": 9000.0}
    scale = Scale(floor=floor, ceiling=0.97, sd=sd, e0=700.0, slope=0.2)
    truth = Ability(theta=-0.8, beta=0.45, tau=0.0, floor=floor, ceiling=0.97)
    scores = {e: accuracy_at(truth, t, scale.e0, sd=sd) for e, t in tokens.items()}
    for used in (scores, {"none": scores["none"], "high": scores["high"]}):
        found = fit(used, tokens, scale)
        assert found.ability.theta == pytest.approx(truth.theta, abs=1e-8)
        assert found.ability.beta == pytest.approx(truth.beta, abs=1e-8)
        assert max(map(abs, found.residuals.values())) < 1e-9


def test_harder_classes_are_answered_worse() -> None:
    ability = Ability(theta=0.5, beta=0.3, tau=0.0, floor=0.25, ceiling=0.99)
    easy, middle, hard = (
        accuracy_at(ability, 100, 1000, mean=mean, sd=1.5) for mean in (-2.0, 0.0, 2.0)
    )
    assert 0.25 < hard < middle < easy < 0.99


@pytest.mark.parametrize("score", [0.25, 0.2, 0.99, 1.0])
def test_a_score_no_ability_has_is_refused(score: float) -> None:
    scale = Scale(floor=0.25, ceiling=0.99, sd=1.5, e0=1000.0, slope=0.0)
    with pytest.raises(ValueError, match=r"not between floor 0\.25 and ceiling 0\.99"):
        latent(score, scale)


def test_two_scores_at_one_effort_are_refused() -> None:
    scale = Scale(floor=0.0, ceiling=1.0, sd=1.5, e0=1000.0, slope=0.0)
    with pytest.raises(ValueError, match="one number of thinking tokens"):
        fit({"a": 0.4, "b": 0.5}, {"a": 10.0, "b": 10.0}, scale)


# --- provenance ---------------------------------------------------------------------------------


def test_every_figure_has_an_origin(march: Catalogue) -> None:
    rows = sources_table(march)
    assert {row["model"] for row in rows} == set(march.models)
    used = {key for row in rows for key in row["source"].split(", ") if key}
    used |= {key for taken in march.assumptions.values() for key in taken.source}
    used |= {key for skill in march.skills.values() for key in (*skill.source, *skill.slope.source)}
    assert used == set(march.sources)
    for row in rows:
        assert row["kind"] in {"measured", "derived", "assumed", "estimated"}
        if row["kind"] == "measured":
            assert row["source"], row
        else:
            assert "how:" in explain(march, f"{row['model']}.{row['field']}"), row


def test_explain_gives_value_unit_and_source(march: Catalogue) -> None:
    text = explain(march, "claude-3.7-sonnet.speed")
    assert text.startswith("claude-3.7-sonnet.speed = 73.7 tokens/s (derived)\n  how: 5664 ")
    assert march.sources["aider"] in text
    assert "unlimited slots" in explain(march, "human-translator.slots")
    both = explain(march, "gpt-4.5.cost")
    assert both.count("\n  how:") == 1
    assert "cost.input" in both
    assert "assumption markup = 3.22 ratio" in both
    assert "GPQA Diamond: least squares" in explain(march, "o3-mini.ability.science")
    assert explain(march, "assumptions.kappa").startswith(
        "assumptions.kappa = 80 streams (assumed)"
    )
    assert "skills.science = GPQA Diamond" in explain(march, "skills.science")


def test_explain_tells_apart_names_with_a_common_start(march: Catalogue) -> None:
    assert explain(march, "gpt-4o-mini.speed").startswith("gpt-4o-mini.speed = ")
    assert explain(march, "o1.e0").startswith("o1.e0 = 1000 tokens (assumed)")
    assert "effort.high" in explain(march, "o1")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("o3-mini.sped", "did you mean speed"),
        ("o3-min", "did you mean o3-mini"),
        ("assumptions.kapa", "did you mean assumptions.kappa"),
    ],
)
def test_explain_suggests(march: Catalogue, key: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        explain(march, key)


def test_unknown_names_are_refused(march: Catalogue) -> None:
    with pytest.raises(ValueError, match="there are: march-2025"):
        load("april-2025")
    with pytest.raises(ValueError, match="did you mean nova-lite"):
        sellers(march, ["nova-light"])


# --- money and sellers --------------------------------------------------------------------------


def test_costs_are_below_prices(march: Catalogue) -> None:
    for model in march.models.values():
        assert 0 <= model.cost.input <= model.price.input
        if model.service == "device":
            assert model.cost.output == model.price.output == 0
        else:
            assert 0 < model.cost.output < model.price.output


def test_unit_costs_follow_the_stated_rules(march: Catalogue) -> None:
    markup = march.assumptions["markup"].value
    assert markup == pytest.approx((342e3 * 0.07 + 266e3 * 0.27 + 168e3 * 1.1) / 87_072, abs=5e-3)
    dense = {}
    for name, model in march.models.items():
        if "markup" in model.cost.how:
            assert not model.open
            assert model.cost.input == pytest.approx(model.price.input / markup, abs=1e-4)
            assert model.cost.output == pytest.approx(model.price.output / markup, abs=1e-4)
        elif size := re.search(r"× ([\d.]+)/70", model.cost.how):
            dense[name] = model.cost.output / float(size[1])
    assert len(dense) == 5
    assert max(dense.values()) == pytest.approx(min(dense.values()), rel=2e-3)


def test_win_rates_follow_the_elo_formula(march: Catalogue) -> None:
    checked = 0
    for model in march.models.values():
        for fact in model.scores.get("chat", {}).values():
            if rating := re.match(r"rating ([\d.]+)", fact.how):
                expected = 1 / (1 + 10 ** ((1265.12 - float(rating[1])) / 400))
                assert fact.number == pytest.approx(expected, abs=1e-6)
                checked += 1
    assert checked >= 20
    assert march.models["gpt-4o-0806"].scores["chat"]["none"].number == 0.5


def test_sellers_are_valid_specs(march: Catalogue) -> None:
    specs = sellers(march)
    assert [spec["name"] for spec in specs] == list(march.models)
    for spec in specs:
        assert list(spec) == [
            "name", "owner", "speed", "kappa", "slots", "prefill_rate", "startup_time",
            "network_time", "verbosity", "price", "cost", "effort", "e0", "ability", "open",
        ]  # fmt: skip
        assert isinstance(spec["slots"], int) or math.isinf(spec["slots"])
        for skill, ability in spec["ability"].items():
            marked = {"error"} if skill not in march.fits[spec["name"]] else set()
            assert set(ability) == {"theta", "beta", "tau", "floor", "ceiling"} | marked
        seller = Seller(**spec)
        assert len(seller.offers) == len(march.models[seller.name].effort)
    assert [spec["name"] for spec in sellers(march, ["o1", "phi-4"])] == ["o1", "phi-4"]


# --- files that contradict themselves -----------------------------------------------------------


def broken(monkeypatch: pytest.MonkeyPatch, file: str, change: Any) -> None:
    """Load the catalogue afresh with one file changed after reading."""
    read = data._read

    def altered(name: str) -> dict[str, Any]:
        raw = read(name)
        if name == file:
            change(raw)
        return raw

    monkeypatch.setattr(data, "_read", altered)
    load.__wrapped__("march-2025")


def test_a_missing_source_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no such source: arena"):
        broken(monkeypatch, "march-2025.toml", lambda raw: raw["sources"].pop("arena"))


def test_a_score_at_no_effort_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(raw: dict[str, Any]) -> None:
        scores = raw["models"]["o1"]["scores"]
        scores["tools"] = {"hihg": scores["tools"]["high"]}

    with pytest.raises(ValueError, match="o1: scores of tools"):
        broken(monkeypatch, "march-2025.closed.toml", change)


def test_a_model_listed_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["models"]["o1"] = raw["models"]["phi-4"]

    with pytest.raises(ValueError, match="o1 is listed twice"):
        broken(monkeypatch, "march-2025.open.toml", change)


def test_a_misspelt_field_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="sped"):
        broken(monkeypatch, "march-2025.open.toml",
               lambda raw: raw["models"]["phi-4"].update(sped=1.0))  # fmt: skip


# --- against the fact tables --------------------------------------------------------------------


@pytest.fixture(scope="module")
def facts() -> Path:
    folder = os.environ.get("WALRAS_DATA")
    if not folder or not (Path(folder) / "livebench.csv").is_file():
        pytest.skip("the fact tables are not shipped: set WALRAS_DATA to their folder")
    return Path(folder)


def table(folder: Path, file: str, key: str) -> dict[str, dict[str, str]]:
    with (folder / file).open(encoding="utf-8", newline="") as lines:
        return {row[key]: row for row in csv.DictReader(lines)}


@pytest.mark.parametrize(
    ("skill", "file", "columns", "pattern"),
    [
        ("coding_long", "aider_polyglot.csv", ("dirname", "pass_rate_2_pct"), r"run ([^;,]+)"),
        ("tools", "bfcl_tool_calling.csv", ("model", "overall_acc_pct"), r"row ([^;]+)"),
    ],
)
def test_scores_are_those_of_the_tables(
    facts: Path, skill: str, file: str, columns: tuple[str, str], pattern: str
) -> None:
    key, column = columns
    rows = table(facts, file, key)
    for model in load("march-2025").models.values():
        for fact in model.scores.get(skill, {}).values():
            row = re.match(pattern, fact.how)
            assert row is not None, model.name
            assert fact.number == pytest.approx(float(rows[row[1]][column]) / 100), model.name


@pytest.mark.parametrize(("skill", "column"), [("coding_short", "coding"), ("writing", "language")])
def test_livebench_scores(march: Catalogue, facts: Path, skill: str, column: str) -> None:
    with (facts / "livebench.csv").open(encoding="utf-8", newline="") as lines:
        rows = {r["model"]: r for r in csv.DictReader(lines) if r["release"] == "2024-11-25"}
    for model in march.models.values():
        for fact in model.scores.get(skill, {}).values():
            if model.service != "human":
                row = re.match(r"row ([^;]+)", fact.how)
                assert row is not None
                assert fact.number == pytest.approx(float(rows[row[1]][column]) / 100)


@pytest.mark.parametrize(
    ("skill", "column"),
    [("science", "gpqa_diamond"), ("facts", "simpleqa"), ("translation", "mgsm")],
)
def test_scores_and_prices_of_the_model_table(
    march: Catalogue, facts: Path, skill: str, column: str
) -> None:
    """A model is found in the table by its prices and score together."""
    with (facts / "models_2025_03.csv").open(encoding="utf-8", newline="") as lines:
        known = {
            (r["price_in_usd_per_mtok"], r["price_out_usd_per_mtok"], r[column])
            for r in csv.DictReader(lines)
        }
    pairs = {(float(i or "nan"), float(o or "nan"), float(s or "nan")) for i, o, s in known}
    for model in march.models.values():
        for fact in model.scores.get(skill, {}).values():
            if model.service == "cloud":
                row = (model.price.input, model.price.output, round(100 * fact.number, 4))
                assert row in pairs, model.name
