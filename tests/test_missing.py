"""Missing scores: the fit is the posterior it says, its errors cover, and it can be left out.

Tables are drawn from the model itself, so the truth is known; what is published of the catalogue is
computed again.
"""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from walras.agents.catalogue import (
    Catalogue,
    accuracy_at,
    data,
    errors_by_rank,
    explain,
    leave_one_out_errors,
    load,
    missing,
    sellers,
    sources_table,
)
from walras.agents.catalogue.factors import Array, infer, leave_one_out
from walras.agents.catalogue.fit import Scale, latent
from walras.scenarios.load import check
from walras.scenarios.load import load as load_scenario

PAGE = Path(__file__).parent.parent / "docs" / "catalogue.md"
BEYOND = 1.96  # standard deviations, 95% of a normal law


@pytest.fixture(scope="module")
def march() -> Catalogue:
    return load("march-2025")


@pytest.fixture(scope="module")
def have(march: Catalogue) -> missing.Known:
    return missing.known(march)


@pytest.fixture(scope="module")
def errors(march: Catalogue) -> dict[str, dict[str, Any]]:
    return {row["skill"]: row for row in leave_one_out_errors(march)}


def drawn(
    rng: np.random.Generator, tables: int, rows: int, columns: int, rank: int, noise: float = 0.4
) -> tuple[Array, Array]:
    """Tables drawn from the model, and their loadings; noise differs by half between columns."""
    loadings = 0.7 * rng.standard_normal((tables, columns, rank))
    factors = rng.standard_normal((tables, rows, rank))
    sd = noise * rng.uniform(0.75, 1.25, (tables, 1, columns))
    means = rng.normal(0.0, 1.5, (tables, 1, columns))
    x = (
        means
        + factors @ loadings.swapaxes(1, 2)
        + sd * rng.standard_normal((tables, rows, columns))
    )
    return x, loadings


# --- the fit ------------------------------------------------------------------------------------


def test_loadings_are_recovered() -> None:
    """Those of a large table with a fifth missing, up to the rotation that no data tell.

    The error of an entry of W·Wᵀ is at least that of a covariance of M normal draws whose factors
    are seen, √((c_ii·c_jj + c_ij²)/M). With the noise added, 36 entries within five of them: a
    false alarm comes once in 40,000. Loadings 10% off are nine errors away.
    """
    rng = np.random.default_rng(0)
    rows = 5000
    (truth,), (w,) = drawn(rng, 1, rows, 8, 2)
    x = np.where(rng.random(truth.shape) < 0.2, np.nan, truth)
    found = infer(x, 2)
    c = w @ w.T
    total = c + np.diag(found.noise**2)
    allowed = 5 * np.sqrt((np.outer(np.diag(total), np.diag(total)) + total**2) / rows)
    assert np.all(np.abs(found.loadings @ found.loadings.T - c) < allowed)
    assert np.any(np.abs(1.21 * found.loadings @ found.loadings.T - c) > 1.5 * allowed)


def gibbs(x: Array, rank: int, sweeps: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """The exact posterior of every cell by Gibbs sampling, hyperparameters with flat priors."""
    known = ~np.isnan(x) * 1.0
    count, centre = known.sum(0), np.nanmean(x, axis=0)
    x = np.where(np.isnan(x), 0.0, x - centre)
    g = np.hstack([np.ones((len(x), 1)), rng.standard_normal((len(x), rank))])
    tau, spread, scale = np.full(x.shape[1], 4.0), 0.3, 0.5
    total, square = np.zeros_like(x), np.zeros_like(x)

    def normal(precision: Array, pull: Array) -> Array:
        root = np.linalg.cholesky(np.linalg.inv(precision))
        z = root.swapaxes(1, 2) @ pull[..., None] + rng.standard_normal((*pull.shape, 1))
        return np.asarray((root @ z)[..., 0])

    burn = sweeps // 8
    for sweep in range(burn + sweeps):
        precision = np.einsum("ms,s,mi,mj->sij", known, tau, g, g)
        prior = np.diag([0.01] + [1 / spread] * rank)
        u = normal(precision + prior, (known * x).T @ g * tau[:, None])
        w = u[:, 1:]
        precision = np.einsum("ms,s,si,sj->mij", known, tau, w, w) + np.eye(rank)
        g[:, 1:] = normal(precision, known * (x - u[:, 0]) * tau @ w)
        mean = g @ u.T
        left = (known * (x - mean) ** 2).sum(0)
        tau = rng.gamma(2.0 + count / 2) / (scale + left / 2)
        scale = rng.gamma(2.0 * len(tau) + 1) / tau.sum()
        spread = (w**2).sum() / 2 / rng.gamma(w.size / 2)
        if sweep >= burn:
            total += mean
            square += mean**2 + 1 / tau
    total /= sweeps
    return total + centre, np.sqrt(square / sweeps - total**2)


def test_it_is_nearly_the_exact_posterior(march: Catalogue, have: missing.Known) -> None:
    """Estimates of the catalogue are within a third of an error of those by Gibbs sampling.

    The errors are 0.93 of the exact ones on average, and 1.02 of them after widening. Two chains of
    this length differ by up to 0.1 logits and 10% of an error in one cell, 1% in the mean.
    """
    gaps = np.isnan(have.x)
    mean, error = gibbs(have.x, 2, 2000, np.random.default_rng(0))
    found = infer(have.x, 2)
    assert np.abs((found.mean - mean) / error)[gaps].max() < 1 / 3
    ratio = march.assumptions["widening"].value * (found.error / error)[gaps]
    assert 0.95 < ratio.mean() < 1.06
    assert ratio.min() > 0.75
    # A factor too few is another posterior.
    assert np.abs((infer(have.x, 1).mean - mean) / error)[gaps].max() > 1


def coverage(truth: Array, mean: Array, error: Array, gaps: Array) -> tuple[float, float]:
    """The share of missing cells within 1.96 errors, and its standard error over tables."""
    inside = (np.abs(truth - mean) < BEYOND * error)[:, gaps].mean(axis=1)
    return float(inside.mean()), float(inside.std(ddof=1) / math.sqrt(len(inside)))


def test_errors_cover_what_is_missing(have: missing.Known) -> None:
    """95% intervals hold 95% of what was hidden, in 100 tables with the gaps of the catalogue.

    Errors are widened as in the catalogue, by the leave-one-out residuals of a few of the tables.
    Cells of one table depend on each other: the error of the share is that over tables (half a
    point), and three of them are allowed beside the point that the approximation may cost. Mutants
    miss by far: without the noise, and without what is not known of skill and model.
    """
    gaps = np.isnan(have.x)
    truth, _ = drawn(np.random.default_rng(1), 100, len(have.models), len(have.skills), 2)
    tables = np.where(gaps, np.nan, truth)
    found = infer(tables, 2)
    squares = [np.mean(leave_one_out(table, 2).scores ** 2) for table in tables[:3]]
    widening = math.sqrt(np.mean(squares))
    assert 1.0 < widening < 1.1
    share, se = coverage(truth, found.mean, widening * found.error, gaps)
    assert se < 0.007
    assert abs(share - 0.95) < 3 * se + 0.01
    noise = np.broadcast_to(found.noise[:, None, :], truth.shape)
    for wrong in (np.sqrt(found.error**2 - noise**2), noise):
        share, se = coverage(truth, found.mean, widening * wrong, gaps)
        assert share < 0.95 - 3 * se - 0.01


def test_the_right_number_of_factors_has_the_least_error() -> None:
    """In nine tables of 16 × 5: it is larger by a twentieth with fewer, hardly less with more."""
    for rank in missing.RANKS:
        tables, _ = drawn(np.random.default_rng(rank), 3, 16, 5, rank, noise=0.2)
        for table in tables:
            table[np.random.default_rng(7).random(table.shape) < 0.15] = np.nan
            found = [leave_one_out(table, k).rmse for k in missing.RANKS]
            assert found[rank] < 1.1 * min(found)
            assert all(less > 1.05 * found[rank] for less in found[:rank])


def test_the_fit_of_the_catalogue_settles(have: missing.Known) -> None:
    found = infer(have.x, 2)
    assert found.settled
    assert found.rounds < 150


def test_a_left_out_cell_is_one_that_was_never_there(have: missing.Known) -> None:
    left = leave_one_out(have.x, 1)
    k = 40
    i, j = left.cells[k]
    without = have.x.copy()
    without[i, j] = np.nan
    found = infer(without, 1)
    assert left.known[k] == have.x[i, j]
    assert left.mean[k] == pytest.approx(found.mean[i, j], abs=2e-3)
    assert left.error[k] == pytest.approx(found.error[i, j], abs=2e-3)


def test_no_factors_is_the_mean_of_the_skill(have: missing.Known) -> None:
    """μ is known to noise²/n; noise is that of the column, drawn a little to the common one.

    1% apart: the error of μ goes with E[τ], the noise with E[1/τ].
    """
    found = infer(have.x, 0)
    assert found.mean[0] == pytest.approx(np.nanmean(have.x, axis=0), abs=1e-3)
    n = (~np.isnan(have.x)).sum(0)
    assert found.error[0] == pytest.approx(found.noise * np.sqrt(1 + 1 / n), rel=0.01)
    assert found.noise == pytest.approx(np.nanstd(have.x, axis=0, ddof=1), rel=0.3)


def test_tables_that_say_too_little_are_refused() -> None:
    x = np.array([[1.0, np.nan], [2.0, 1.0], [3.0, np.nan]])
    with pytest.raises(ValueError, match="fewer than two known"):
        infer(x, 1)
    with pytest.raises(ValueError, match="3 factors of a table of 3 × 2"):
        infer(np.ones((3, 2)), 3)


# --- the catalogue ------------------------------------------------------------------------------


def test_what_the_catalogue_says_of_the_fit_is_so(
    march: Catalogue, errors: dict[str, dict[str, Any]]
) -> None:
    factors = march.assumptions["factors"]
    by_rank = errors_by_rank(march)
    assert min(by_rank, key=by_rank.__getitem__) == factors.value
    assert ", ".join(f"{by_rank[rank]:.3f}" for rank in sorted(by_rank)) in factors.how
    widening = march.assumptions["widening"].value
    assert widening == pytest.approx(math.sqrt(errors["all"]["squares"]), abs=5e-4)


def test_standardised_residuals_have_unit_variance(errors: dict[str, dict[str, Any]]) -> None:
    """After widening: 1 over all by its definition, in each skill within chance (χ², 0.1%)."""
    from scipy.stats import chi2

    whole = errors["all"]["squares"]
    for skill, row in errors.items():
        n = row["scores"]
        low, high = chi2.ppf([0.0005, 0.9995], n) / n
        assert low < row["squares"] / whole < high, skill
        assert row["within"] >= 0.84, skill
    assert 0.93 < errors["all"]["within"] < 0.97


def test_factors_beat_means(errors: dict[str, dict[str, Any]]) -> None:
    """In all skills but one: MGSM is so near its ceiling that the mean does as well."""
    for skill, row in errors.items():
        if skill == "translation":
            assert row["skill_mean"] < row["factors"] < row["model_mean"]
        else:
            assert row["factors"] < min(row["skill_mean"], row["model_mean"]), skill


def published() -> dict[str, list[str]]:
    """Rows of the tables of the page, by first cell."""
    text = PAGE.read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return {row[0].strip("*`"): row[1:] for row in rows}


def test_the_published_errors_are_those_computed(errors: dict[str, dict[str, Any]]) -> None:
    page = published()
    for skill, row in errors.items():
        told = [str(row["scores"])]
        for name in ("factors", "skill_mean", "model_mean"):
            told.append(f"{row[name]:.2f} ({row[f'{name}_points']:.1f})")
        told += [f"{row['squares']:.2f}", f"{100 * row['within']:.0f}%"]
        assert [cell.replace("*", "") for cell in page[skill]] == told, skill


def test_the_published_estimates_are_those_of_the_catalogue(march: Catalogue) -> None:
    page = published()
    for name, found in march.estimates.items():
        told = page.get(name, [])
        assert len(told) == (len(march.skills) if found else 0), name
        for skill, cell in zip(march.skills, told, strict=False):
            assert cell == (spoken(march, name, skill) if skill in found else ""), (name, skill)


def spoken(march: Catalogue, name: str, skill: str) -> str:
    """Accuracy at the lightest effort, and within one error of θ, in per cent."""
    found, model = march.estimates[name][skill], march.models[name]
    tokens, sd = model.thinking[missing.lightest(model)], march.assumptions["sd_skill"].value
    a = found.ability
    right, low, high = (
        100 * accuracy_at(type(a)(a.theta + by, a.beta, a.tau, a.floor, a.ceiling), tokens,
                          model.e0.number, sd=sd)
        for by in (0.0, -found.error, found.error)
    )  # fmt: skip
    return f"{right:.0f} ({low:.0f}–{high:.0f})"


def test_estimates_stand_where_scores_are_missing(march: Catalogue) -> None:
    """In the cloud; nobody speaks for a professional or for a model on a phone."""
    for name, model in march.models.items():
        gaps = march.skills.keys() - model.scores.keys() if model.service == "cloud" else set()
        assert march.estimates[name].keys() == gaps, name
        assert not march.fits[name].keys() & march.estimates[name].keys()
        for found in march.estimates[name].values():
            assert 0.2 < found.error < 1.0
            assert found.ability.beta >= 0
        assert all(found.error == 0.0 for found in march.fits[name].values())


def test_estimates_take_the_slope_of_their_skill(march: Catalogue) -> None:
    checked = 0
    for name, estimates in march.estimates.items():
        model = march.models[name]
        thinking = [t for t in model.thinking.values() if t > 0]
        for skill, found in estimates.items():
            if not thinking:
                assert (found.ability.beta, found.uses_slope) == (0.0, False)
                continue
            tokens = model.thinking[missing.lightest(model)] or math.prod(thinking) ** (
                1 / len(thinking)
            )
            up, down = (
                accuracy_at(found.ability, tokens * math.exp(h), model.e0.number, sd=1.5)
                for h in (1e-4, -1e-4)
            )
            slope = (math.log(up / (1 - up)) - math.log(down / (1 - down))) / 2e-4
            assert slope == pytest.approx(march.skills[skill].slope.number, abs=1e-6)
            checked += 1
    assert checked == 9


def test_a_hidden_score_is_estimated_as_published(
    march: Catalogue, have: missing.Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the files: GPT-4.5 without its score in facts is what leave-one-out says."""
    read = data._read

    def altered(name: str) -> dict[str, Any]:
        raw = read(name)
        if name == "march-2025.closed.toml":
            del raw["models"]["gpt-4.5"]["scores"]["facts"]
        return raw

    monkeypatch.setattr(data, "_read", altered)
    found = load.__wrapped__("march-2025").estimates["gpt-4.5"]["facts"]
    left = leave_one_out(have.x, 2)
    at = [have.models.index("gpt-4.5"), have.skills.index("facts")]
    (k,) = np.flatnonzero((left.cells == at).all(axis=1))
    assert found.ability.theta == pytest.approx(left.mean[k], abs=2e-3)
    assert found.error == pytest.approx(1.092 * left.error[k], abs=2e-3)
    # 62.5% were measured: far above the estimate, and within its interval.
    assert left.known[k] - left.mean[k] < 1.96 * found.error


def test_each_estimate_is_marked(march: Catalogue) -> None:
    rows = [row for row in sources_table(march) if row["kind"] == "estimated"]
    told = {(row["model"], row["field"]) for row in rows}
    assert told == {
        (name, f"ability.{skill}.{key}")
        for name, found in march.estimates.items()
        for skill in found
        for key in ("theta", "beta", "error")
    }
    text = explain(march, "claude-3.7-sonnet.ability.facts")
    assert text.count("(estimated)") == 3
    assert "SimpleQA: no score; drawn from coding_short, coding_long, science, tools" in text
    assert "34% right at effort none, 24% to 46% within one error (after widening)" in text
    assert "assumption factors = 2" in text
    assert "assumption widening = 1.092" in text
    assert "(estimated)" not in explain(march, "claude-3.7-sonnet.ability.science")


# --- the switch ---------------------------------------------------------------------------------

FILE = """
catalogue = {{name = "march-2025", models = ["gpt-4.5", "human-writer"]{missing}}}
[[tasks]]
name = "ask"
skill = "chat"
arrivals = {{kind = "poisson", rate = 0.1}}
value = 3.0
"""


@pytest.mark.parametrize(
    ("given", "estimated"),
    [("", True), (', missing = "estimate"', True), (', missing = "omit"', False)],
)
def test_a_scenario_may_leave_estimates_out(march: Catalogue, given: str, estimated: bool) -> None:
    seller, writer = check(FILE.format(missing=given)).require().sellers
    assert seller.serves("chat") is estimated
    assert not writer.serves("chat")
    assert seller.ability["facts"].error == 0.0
    if estimated:
        assert seller.ability["chat"].error == march.estimates["gpt-4.5"]["chat"].error
    else:
        assert seller.ability.keys() == march.fits["gpt-4.5"].keys()


def test_an_override_leaves_them_out() -> None:
    market = load_scenario("marketplace", ["catalogue.missing=omit"])
    assert not any(a.error for seller in market.sellers for a in seller.ability.values())
    market = load_scenario("marketplace")
    assert sum(a.error > 0 for seller in market.sellers for a in seller.ability.values()) == 43


def test_another_word_is_refused(march: Catalogue) -> None:
    (problem,) = [
        p for p in check(FILE.format(missing=', missing = "omitt"')).problems if p.code == "W105"
    ]
    assert problem.field == "catalogue.missing"
    assert problem.hint == "did you mean `omit`?"
    assert problem.allowed == "one of estimate, omit"
    with pytest.raises(ValueError, match='must be "estimate" or "omit"'):
        sellers(march, "all", "omitted")  # type: ignore[arg-type]


# --- against scores that the catalogue does not hold ----------------------------------------------

# Models outside the catalogue with three scores or more in the fact tables, out by its date: their
# rows in livebench.csv, aider_polyglot.csv (best run), bfcl_tool_calling.csv (native calling, but
# Llama by prompt, as the catalogue has it), arena_elo_2025_02_27.csv and models_2025_03.csv.
OTHERS = (
    ("command-r-08-2024", "", "", "command-r-08-2024", ""),
    ("command-r-plus-08-2024", "", "", "command-r-plus-08-2024", ""),
    ("", "", "", "gemini-1.5-pro-002", "gemini-1.5-pro-002"),
    ("gemini-2.0-flash-exp", "gemini-2.0-flash-exp", "", "gemini-2.0-flash-exp", ""),
    ("gemini-2.0-flash-thinking-exp-01-21", "gemini-2.0-flash-thinking-exp-01-21",
     "Gemini-2.0-Flash-Thinking-Exp-01-21 (Prompt)", "gemini-2.0-flash-thinking-exp-01-21",
     "gemini-2.0-flash-thinking-exp-01-21"),
    ("gemini-2.0-pro-exp-02-05", "Gemini 2.0 Pro exp-02-05", "Gemini-2.0-Pro-Exp-02-05 (FC)",
     "gemini-2.0-pro-exp-02-05", ""),
    ("gemini-exp-1206", "gemini-exp-1206", "", "gemini-exp-1206", ""),
    ("gemma-2-27b-it", "", "", "gemma-2-27b-it", ""),
    ("gemma-2-9b-it", "", "", "gemma-2-9b-it", ""),
    ("gemma-3-27b-it", "gemma-3-27b-it", "Gemma-3-27b-it (Prompt)", "", ""),
    ("", "", "GPT-4-turbo-2024-04-09 (FC)", "gpt-4-turbo-2024-04-09", "gpt-4-turbo-2024-04-09"),
    ("meta-llama-3.1-405b-instruct-turbo", "", "", "llama-3.1-405b-instruct-bf16", ""),
    ("meta-llama-3.1-70b-instruct-turbo", "", "Llama-3.1-70B-Instruct (Prompt)",
     "llama-3.1-70b-instruct", ""),
    ("meta-llama-3.1-8b-instruct-turbo", "", "Llama-3.1-8B-Instruct (Prompt)",
     "llama-3.1-8b-instruct", ""),
    ("mistral-large-2411", "", "", "mistral-large-2411", ""),
    ("phi-3-mini-128k-instruct", "", "", "phi-3-mini-128k-instruct", ""),
    ("phi-3-mini-4k-instruct", "", "", "phi-3-mini-4k-instruct", ""),
    ("phi-3-small-8k-instruct", "", "", "phi-3-small-8k-instruct", ""),
    ("qwen2.5-7b-instruct-turbo", "", "Qwen2.5-7B-Instruct (FC)", "", ""),
    ("qwen2.5-coder-32b-instruct", "Qwen2.5-Coder-32B-Instruct", "",
     "qwen2.5-coder-32b-instruct", ""),
    ("qwen2.5-max", "qwen-max-2025-01-25", "", "qwen2.5-max", ""),
    ("qwq-32b", "QwQ-32B", "", "", "qwq-32b"),
    ("qwq-32b-preview", "", "QwQ-32B-Preview (Prompt)", "qwq-32b-preview", ""),
    ("deepseek-r1-distill-qwen-32b", "", "", "", "deepseek-r1-distill-qwen-32b"),
    ("deepseek-v3-0324", "DeepSeek V3 (0324)", "", "", ""),
)  # fmt: skip


def column(folder: Path, file: str, key: str, value: str, **only: str) -> dict[str, float]:
    """The highest value of each key in a fact table, cells that are empty apart."""
    found: dict[str, float] = {}
    with (folder / file).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row[value] and all(row[k] == v for k, v in only.items()):
                found[row[key]] = max(found.get(row[key], -math.inf), float(row[value]))
    return found


def others(march: Catalogue, folder: Path, skills: list[str]) -> Array:
    """Abilities of models outside the catalogue, one row each, logits; NaN where not known."""
    live = {"release": "2024-11-25"}
    models = "models_2025_03.csv"
    tables = [  # skill, column of `OTHERS`, scores in per cent or arena ratings
        ("coding_short", 0, column(folder, "livebench.csv", "model", "coding", **live)),
        ("writing", 0, column(folder, "livebench.csv", "model", "language", **live)),
        ("coding_long", 1, column(folder, "aider_polyglot.csv", "model", "pass_rate_2_pct")),
        ("tools", 2, column(folder, "bfcl_tool_calling.csv", "model", "overall_acc_pct")),
        ("chat", 3, column(folder, "arena_elo_2025_02_27.csv", "model", "arena_elo_overall")),
        ("science", 4, column(folder, models, "model", "gpqa_diamond")),
        ("facts", 4, column(folder, models, "model", "simpleqa")),
        ("translation", 4, column(folder, models, "model", "mgsm")),
    ]
    x = np.full((len(OTHERS), len(skills)), np.nan)
    for skill, at, values in tables:
        floor, ceiling = march.skills[skill].floor, march.assumptions["ceiling"].value
        scale = Scale(floor, ceiling, march.assumptions["sd_skill"].value, 1000.0, 0.0)
        for i, row in enumerate(OTHERS):
            if row[at] in values:
                score = values[row[at]] / 100
                if skill == "chat":
                    score = 1 / (1 + 10 ** ((1265.12 - 100 * score) / 400))
                x[i, skills.index(skill)] = latent(score, scale)
    assert ((~np.isnan(x)).sum(axis=1) >= 3).all()
    return x


@pytest.fixture(scope="module")
def facts() -> Path:
    folder = Path(os.environ.get("WALRAS_DATA", ""))
    if not (folder / "livebench.csv").is_file():
        pytest.skip("the fact tables are not shipped: set WALRAS_DATA to their folder")
    return folder


def test_other_models_are_predicted_as_published(
    march: Catalogue, have: missing.Known, facts: Path
) -> None:
    """Each score of a model that the fit never saw, from the model's other scores."""
    new = others(march, facts, have.skills)
    cells = np.argwhere(~np.isnan(new))
    row, skill = cells.T
    each = np.arange(len(cells))
    tables = np.repeat(np.vstack([have.x, np.full_like(have.x[:1], np.nan)])[None], len(cells), 0)
    tables[:, -1] = new[row]
    tables[each, -1, skill] = np.nan
    means = np.nanmean(have.x, axis=0)
    beside = np.array([np.nanmean(table[-1] - means) for table in tables])
    found = infer(tables, 2)
    known, here = new[row, skill], (each, -1, skill)
    gaps = [known - found.mean[here], known - means[skill], known - means[skill] - beside]
    widening = march.assumptions["widening"].value
    within = np.mean(np.abs(gaps[0]) < BEYOND * widening * found.error[here])
    told = [f"{len(new)}", f"{len(cells)}"]
    told += [f"{np.sqrt(np.mean(gap**2)):.2f}" for gap in gaps]
    assert published()["other models"] == [*told, f"{100 * within:.0f}%"]


def test_a_model_on_a_phone_is_beyond_the_fit(
    march: Catalogue, have: missing.Known, facts: Path
) -> None:
    """Its GPQA score, which the catalogue leaves out, is further off than any error explains."""
    fits = march.fits["llama-3.2-1b-phone"]
    new = [fits[skill].ability.theta if skill in fits else np.nan for skill in have.skills]
    found = infer(np.vstack([have.x, new]), 2)
    j = have.skills.index("science")
    score = column(facts, "models_2025_03.csv", "model", "gpqa_diamond")["llama-3.2-1b-instruct"]
    x = latent(score / 100, march.scale("llama-3.2-1b-phone", "science"))
    error = march.assumptions["widening"].value * found.error[-1, j]
    far = (found.mean[-1, j] - x) / error
    assert f"({score}%), which the catalogue leaves out, is {far:.1f} errors" in PAGE.read_text(
        "utf-8"
    )
