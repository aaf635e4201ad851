"""The key figures of a market, of the fluid one and of the one that runs, by the same names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...market.fluid.solve import Selection
from ..equilibrium.measures import measures

KEYS = {
    "welfare": ("Welfare", "Buyers' surplus, profits and the platform's revenue, per hour; as a "
                "share of what a planner would make of the same market once that is solved."),
    "reasoning": ("Reasoning", "Share of the tasks given to offers that think before they answer."),
    "miss": ("Missed", "Share of the tasks given to an offer that are served late or never."),
    "price": ("Price", "What a task pays on average; over that at Nash prices once they are "
              "solved."),
    "hhi": ("Concentration", "Sum of squared shares of owners in what sellers are paid: 1 is one "
            "owner."),
    "exploitability": ("Exploitability", "The largest gain of any owner by one other price, a "
                       "share of its profit, in the fluid market; solved behind the page."),
}  # fmt: skip
"""Label and meaning of each."""


def of_selection(sel: Selection) -> dict[str, float]:
    """Return the key figures of a selection equilibrium: USD/h, USD/task and ratios."""
    found = measures(sel)
    flow = sel.flow
    count = float(flow.sum())
    return {
        "welfare": found["welfare"], "reasoning": found["reasoning"], "miss": found["miss_rate"],
        "price": float((flow * np.nan_to_num(sel.paid)).sum()) / count if count else math.nan,
        "hhi": found["hhi"],
    }  # fmt: skip


def spark(values: Sequence[float]) -> list[float | None]:
    """Return a series for a sparkline; what is no number is a gap."""
    return [None if not math.isfinite(v) else float(f"{v:.4g}") for v in values]


def keys() -> list[dict[str, Any]]:
    """Return names, labels and meanings for the page."""
    return [{"id": id, "label": label, "help": text} for id, (label, text) in KEYS.items()]
