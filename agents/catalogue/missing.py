"""Abilities in the skills a model has no score in, estimated from its other scores.

Models that are good at one thing tend to be good at another: the abilities x_ms of models m in
skills s, in logits at the lightest effort a model offers (an item-response model over benchmarks;
`fit` has its curve), are taken to be of low rank, x_ms = μ_s + w_s·f_m + ε_ms. `factors` fits that
to the abilities that follow from scores. An estimate is its prediction; its error is the standard
deviation of the prediction, noise included, times `widening`, the root mean square of the
standardised leave-one-out residuals, which makes up for what the variational posterior leaves out.

Only models in the cloud lend and borrow. A professional's one score is in her own trade, and it
would make a translator a programmer; a model on a phone lies far below all others, where nothing
tests a straight line.

Sources:
    Birnbaum, A. (1968). Some latent trait models. In Lord and Novick, Statistical Theories of
    Mental Test Scores, chapters 17-20.
    Spearman, C. (1904). "General intelligence", objectively determined and measured. American
    Journal of Psychology 15, 201-292.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...market import rules
from ...market.accuracy import class_accuracy
from .factors import Array, infer, leave_one_out
from .fit import Fit, Scale, through
from .records import Catalogue, Model

RANKS = (0, 1, 2)
"""Numbers of factors among which the leave-one-out error chooses."""
_SERVICE = "cloud"


@dataclass(frozen=True, slots=True)
class Known:
    """The abilities that follow from scores.

    Attributes:
        models: names of the M models, all of the cloud.
        skills: names of the S skills.
        x: (M, S) abilities at the lightest effort, logits; NaN where there is no score.
    """

    models: list[str]
    skills: list[str]
    x: Array


def lightest(model: Model) -> str:
    """The effort with the fewest thinking tokens."""
    return min(model.thinking, key=model.thinking.__getitem__)


def known(catalogue: Catalogue) -> Known:
    """Collect the abilities that follow from scores."""
    clouds = [model for model in catalogue.models.values() if model.service == _SERVICE]
    skills = list(catalogue.skills)
    x = np.full((len(clouds), len(skills)), np.nan)
    for i, model in enumerate(clouds):
        tokens = model.thinking[lightest(model)]
        for skill, found in catalogue.fits[model.name].items():
            a = found.ability
            at = rules.ability(a.theta, a.beta, a.tau, tokens, model.e0.number)
            x[i, skills.index(skill)] = at
    return Known([model.name for model in clouds], skills, x)


def estimates(catalogue: Catalogue) -> dict[str, dict[str, Fit]]:
    """Estimate the abilities that no score gives.

    Returns:
        Fits by model and skill, with their errors; none for models outside the cloud.

    Example:
        >>> from walras.agents.catalogue import load
        >>> estimates(load("march-2025"))["claude-3.7-sonnet"].keys()
        dict_keys(['translation', 'facts'])
    """
    have = known(catalogue)
    found = infer(have.x, _rank(catalogue))
    widening = catalogue.assumptions["widening"].value
    out: dict[str, dict[str, Fit]] = {name: {} for name in catalogue.models}
    for i, j in np.argwhere(np.isnan(have.x)):
        model, skill = catalogue.models[have.models[i]], have.skills[j]
        x, error = float(found.mean[i, j]), widening * float(found.error[i, j])
        ability, rule, uses_slope = through(
            x, lightest(model), model.thinking, catalogue.scale(model.name, skill)
        )
        how = f"no score; drawn from {', '.join(model.scores)} by the common factors; {rule}"
        out[model.name][skill] = Fit(ability, how, uses_slope, {}, error)
    return out


def _rank(catalogue: Catalogue) -> int:
    return round(catalogue.assumptions["factors"].value)


def _right(x: float, scale: Scale) -> float:
    """Accuracy at the difficulty of the benchmark."""
    return class_accuracy(scale.floor, scale.ceiling, x, 0.0, scale.sd)


# --- how good they are --------------------------------------------------------------------------


def errors_by_rank(catalogue: Catalogue) -> dict[int, float]:
    """Leave-one-out error of each number of factors, logits: the least one is to be chosen.

    Example:
        >>> from walras.agents.catalogue import load
        >>> {rank: round(error, 3) for rank, error in errors_by_rank(load("march-2025")).items()}
        {0: 0.886, 1: 0.618, 2: 0.519}
    """
    x = known(catalogue).x
    return {rank: leave_one_out(x, rank).rmse for rank in RANKS}


def leave_one_out_errors(catalogue: Catalogue) -> list[dict[str, Any]]:
    """How far estimates are from the scores of a catalogue, each left out in turn.

    The naive predictions are the skill's mean over the other models, and that mean plus how far
    the model is from the means of its other skills on average.

    Returns:
        One row per skill and one for all: `skill`; number of `scores`; root mean square errors by
        `factors`, `skill_mean` and `model_mean`, in logits and (`factors_points`, …) in points of
        accuracy, at the lightest effort; `squares`, the mean of (residual / error before
        widening)²; `within`, the share of scores within 1.96 errors.
    """
    have = known(catalogue)
    left = leave_one_out(have.x, _rank(catalogue))
    predicted = {"factors": left.mean, **_naive(have.x, left.cells)}
    gaps = {name: values - left.known for name, values in predicted.items()}
    scales = [catalogue.scale(have.models[i], have.skills[j]) for i, j in left.cells]
    right = np.array([_right(x, scale) for x, scale in zip(left.known, scales, strict=True)])
    for name, values in predicted.items():
        told = [_right(x, scale) for x, scale in zip(values, scales, strict=True)]
        gaps[f"{name}_points"] = 100 * (np.array(told) - right)
    within = np.abs(left.scores) < 1.96 * catalogue.assumptions["widening"].value
    rows: list[dict[str, Any]] = []
    for skill in (*have.skills, "all"):
        here = [skill in ("all", have.skills[j]) for _, j in left.cells]
        rows.append(
            {"skill": skill, "scores": sum(here)}
            | {name: float(np.sqrt(np.mean(gap[here] ** 2))) for name, gap in gaps.items()}
            | {"squares": float(np.mean(left.scores[here] ** 2)), "within": within[here].mean()}
        )
    return rows


def _naive(x: Array, cells: NDArray[np.int64]) -> dict[str, Array]:
    """What means alone predict for each cell without it."""
    by_skill, by_model = [], []
    for i, j in cells:
        others = x.copy()
        others[i, j] = np.nan
        means = np.nanmean(others, axis=0)
        by_skill.append(means[j])
        by_model.append(means[j] + np.nanmean(others[i] - means))
    return {"skill_mean": np.array(by_skill), "model_mean": np.array(by_model)}
