"""Ratings: the share of right answers that past buyers of a class report of an offer.

A rating is the posterior mean of a Bernoulli probability under a beta prior: the claimed accuracy
counts like m answers (`platform.rating_prior`), every answer like one,

  rating = (m · claim + right answers) / (m + answers).

Nothing is forgotten. An offer's accuracy in a class does not change in the course of a run, so
weighting old answers down would keep a noise of standard deviation √(a(1 − a)/2W) for ever (W the
answers within the memory) and gain nothing; counted in full the error falls as 1/√answers and
the rating converges to the truth. Every answer served is rated, when it is served; tasks that
left or failed had none.
"""

from __future__ import annotations

from typing import Any

from ..jit import compiled


def start_rating(cell: Any, prior: float) -> None:
    """Let an offer's rating start at its claim, with the weight of so many answers."""
    cell["rating"], cell["answers"], cell["points"] = cell["claim"], prior, prior * cell["claim"]


@compiled
def rate(cell: Any, right: bool) -> None:
    """Count one more answer in the rating.

    As a sum, so that the order of answers leaves no trace: offers that did alike tie exactly.

    Example:
        >>> from walras.market.state import CELL
        >>> import numpy as np
        >>> cell = np.zeros(1, CELL)[0]
        >>> cell["claim"] = 0.9
        >>> start_rating(cell, 9.0)
        >>> rate(cell, False)
        >>> round(float(cell["rating"]), 12)  # 8.1 of 10
        0.81
    """
    cell["answers"] += 1.0
    if right:
        cell["points"] += 1.0
    cell["rating"] = cell["points"] / cell["answers"]
