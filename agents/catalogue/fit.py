"""From benchmark scores to item-response abilities.

A score is the accuracy of a class of items whose difficulty b is spread N(0, sd):

    A(x) = E_b[floor + (ceiling − floor) · logistic(x − b)],   x = θ + β·ln(1 + e/e₀) + τ,

with e the thinking tokens at which it was measured. A rises in x, so each score has one x, and
the x of all efforts lie on a line in z = ln(1 + e/e₀) whose slope is β.

Source:
    Birnbaum, A. (1968). Some latent trait models. In Lord and Novick, Statistical Theories of
    Mental Test Scores, chapters 17-20.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ...market import rules
from ...market.accuracy import ability_for, class_accuracy

_WIDEST = 40.0  # no slope of a benchmark needs a β beyond this, logits
_STEP = 1e-5  # logits; a central difference over it is right to about ten digits
_TINY = 1e-13


@dataclass(frozen=True, slots=True)
class Ability:
    """Item response in one skill: floor + (ceiling − floor)·logistic(θ + β·ln(1 + e/e₀) + τ − b).

    Attributes:
        theta: ability without thinking, logits.
        beta: gain per unit of ln(1 + thinking tokens/e₀), logits.
        tau: gain from tools, logits.
        floor: accuracy of guessing, probability.
        ceiling: accuracy that no ability exceeds, probability.
    """

    theta: float
    beta: float
    tau: float
    floor: float
    ceiling: float


@dataclass(frozen=True, slots=True)
class Fit:
    """An ability and how well it reproduces what was measured.

    Attributes:
        ability: the fitted parameters.
        how: which rule gave θ and β.
        uses_slope: whether β comes from the skill's measured slope, not from the model's scores.
        residuals: fitted less measured accuracy at each measured effort, probability.
        error: standard error of θ, logits, of an estimate that stands in for a missing score; 0
            where there is a score.
    """

    ability: Ability
    how: str
    uses_slope: bool
    residuals: dict[str, float]
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """What turns a score into logits.

    Attributes:
        floor: accuracy of guessing, probability.
        ceiling: accuracy that no ability exceeds, probability.
        sd: spread of item difficulty, logits.
        e0: thinking tokens at which thinking starts to count.
        slope: measured local slope of the skill, d logit(accuracy) / d ln(thinking tokens).
    """

    floor: float
    ceiling: float
    sd: float
    e0: float
    slope: float

    def z(self, tokens: float) -> float:
        """The abscissa ln(1 + tokens/e₀) at which β counts."""
        return math.log1p(tokens / self.e0)


def accuracy_at(
    ability: Ability, tokens: float, e0: float, *, mean: float = 0.0, sd: float
) -> float:
    """Accuracy expected in a class of tasks with difficulty N(mean, sd), a probability.

    Example:
        >>> guess = Ability(theta=-99.0, beta=0.0, tau=0.0, floor=0.25, ceiling=0.99)
        >>> round(accuracy_at(guess, 0, 1000, sd=1.5), 6)
        0.25
    """
    x = rules.ability(ability.theta, ability.beta, ability.tau, tokens, e0)
    return class_accuracy(ability.floor, ability.ceiling, x, mean, sd)


def latent(score: float, scale: Scale) -> float:
    """The x whose class accuracy is `score`, in logits.

    Raises:
        ValueError: the score is not strictly between floor and ceiling.

    Example:
        >>> round(latent(0.5, Scale(floor=0.0, ceiling=1.0, sd=1.5, e0=1e3, slope=0.0)), 9)
        0.0
    """
    share = (score - scale.floor) / (scale.ceiling - scale.floor)
    if not 0 < share < 1:
        raise ValueError(
            f"score {score:g} is not between floor {scale.floor:g} and ceiling {scale.ceiling:g}"
        )
    return ability_for(share, 0.0, scale.sd)


def _local_slope(x: float, beta: float, tokens: float, scale: Scale) -> float:
    """Slope of the class accuracy A at x: d logit(A) / d ln(tokens)."""
    below, a, above = (
        class_accuracy(scale.floor, scale.ceiling, x + h, 0.0, scale.sd) for h in (-_STEP, 0, _STEP)
    )
    steepness = (above - below) / (2 * _STEP)
    return beta * tokens / (tokens + scale.e0) * steepness / (a * (1 - a))


def _beta_from(x: float, tokens: float, scale: Scale) -> float:
    """The β whose local slope is the skill's where the score was measured with thinking."""
    return scale.slope / _local_slope(x, 1.0, tokens, scale)


def _beta_ahead(theta: float, tokens: float, scale: Scale) -> float:
    """The β whose local slope is the skill's at `tokens`, when θ is known from no thinking."""
    low, high = 0.0, 1.0
    if scale.slope <= 0:
        return 0.0

    def gap(beta: float) -> float:
        return _local_slope(theta + beta * scale.z(tokens), beta, tokens, scale) - scale.slope

    while gap(high) < 0:
        low, high = high, 2 * high
        if high > _WIDEST:
            raise ValueError(f"no slope of {scale.slope:g} is reached from θ = {theta:g}")
    while high - low > _TINY * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if gap(middle) < 0 else (low, middle)
    return (low + high) / 2


def through(
    x: float, effort: str, tokens: Mapping[str, float], scale: Scale
) -> tuple[Ability, str, bool]:
    """The ability that is x at one effort and whose β follows from the skill's slope.

    Args:
        x: what is known, logits.
        effort: at which effort.
        tokens: thinking tokens of every effort on the menu.
        scale: floor, ceiling, spread, e₀ and slope of the skill.

    Returns:
        The ability, where β comes from in words, and whether that is the skill's slope.

    Example:
        >>> scale = Scale(floor=0.0, ceiling=1.0, sd=1.5, e0=1000.0, slope=0.2)
        >>> through(0.5, "none", {"none": 0.0}, scale)[0].theta
        0.5
    """
    thinking = [t for t in tokens.values() if t > 0]
    beta, how = 0.0, "the model does not think"
    if tokens[effort] > 0:
        beta, how = _beta_from(x, tokens[effort], scale), "β from the skill's slope at that effort"
    elif thinking:
        middle = math.exp(math.fsum(map(math.log, thinking)) / len(thinking))
        beta = _beta_ahead(x, middle, scale)
        how = f"β from the skill's slope at {middle:.0f} thinking tokens"
    theta = x - beta * scale.z(tokens[effort])
    return Ability(theta, beta, 0.0, scale.floor, scale.ceiling), how, bool(thinking)


def fit(scores: Mapping[str, float], tokens: Mapping[str, float], scale: Scale) -> Fit:
    """Fit θ and β to the scores of one model in one skill.

    One score gives θ, and β is the one whose local slope is the skill's at that effort; where it
    was measured without thinking, at the geometric mean of the model's thinking efforts. Two
    scores are both reproduced. Three or more: least squares on x.

    Args:
        scores: measured accuracy by effort, probabilities.
        tokens: thinking tokens of every effort on the menu.
        scale: floor, ceiling, spread, e₀ and slope of the skill.

    Raises:
        ValueError: a score lies outside floor and ceiling, or two scores share one effort's tokens.

    Example:
        >>> scale = Scale(floor=0.0, ceiling=1.0, sd=1.5, e0=1000.0, slope=0.2)
        >>> found = fit({"none": 0.6, "deep": 0.7}, {"none": 0, "deep": 5000}, scale)
        >>> round(accuracy_at(found.ability, 5000, 1000, sd=1.5), 9)
        0.7
    """
    points = [(scale.z(tokens[effort]), latent(score, scale)) for effort, score in scores.items()]
    if len({z for z, _ in points}) < len(points):
        raise ValueError("two scores at one number of thinking tokens")
    if len(points) > 1:
        z_mean = math.fsum(z for z, _ in points) / len(points)
        x_mean = math.fsum(x for _, x in points) / len(points)
        beta = math.fsum((z - z_mean) * (x - x_mean) for z, x in points) / math.fsum(
            (z - z_mean) ** 2 for z, _ in points
        )
        ability = Ability(x_mean - beta * z_mean, beta, 0.0, scale.floor, scale.ceiling)
        how = "both scores reproduced" if len(points) == 2 else "least squares over the efforts"
        uses_slope = False
    else:
        ability, rule, uses_slope = through(points[0][1], next(iter(scores)), tokens, scale)
        how = f"the score reproduced; {rule}"
    residuals = {
        effort: accuracy_at(ability, tokens[effort], scale.e0, sd=scale.sd) - score
        for effort, score in scores.items()
    }
    return Fit(ability, how, uses_slope, residuals)
