"""The report's first sentences: who wins what, how tasks fare, what it is worth."""

from __future__ import annotations

import pandas as pd

from ..scenarios.result import Result
from ..scenarios.summary import BACKLOG
from .figures import price_paths
from .figures.frames import OUTSIDE_OFFER, short_names
from .figures.notation import number, percent, usd
from .report_tables import leading_offers, pick


def answer(result: Result, summary: pd.DataFrame) -> list[str]:
    """Say in up to three sentences who wins what, how tasks fare, and what it is worth.

    A sentence on prices stands before them where any price moves.
    """
    said = (_prices(result), _who(result, summary), _how(result, summary), _worth(summary))
    return [sentence for sentence in said if sentence]


def _prices(result: Result) -> str:
    if result.prices.empty:  # a run that kept summaries only
        return ""
    return f"{price_paths.finding(result)}." if price_paths.moves(result) else ""


def _who(result: Result, summary: pd.DataFrame) -> str:
    names, leaders = short_names(result.market), leading_offers(summary)
    if not leaders:
        return "No buyer chose any offer."
    won: dict[str, list[str]] = {}
    left = []
    for task in result.market.tasks:
        without = pick(summary, "share", task.name, OUTSIDE_OFFER)
        outside = 0.0 if without is None else float(without["value"])
        offer, share = leaders.get(task.name, ("", 0.0))
        if outside > share:
            left.append(f"{task.name} ({percent(outside)})")
        elif offer:
            won.setdefault(names.get(offer, offer), []).append(f"{task.name} ({percent(share)})")
    rest = f"doing without is more common than any offer in {listed(left)}" if left else ""
    if not won:
        return f"{rest[0].upper()}{rest[1:]}."
    if len(won) == 1:
        ((offer, tasks),) = won.items()
        text = f"{offer} is the most chosen offer, in {listed(tasks)}"
    else:
        parts = [f"{offer} for {listed(tasks)}" for offer, tasks in won.items()]
        text = f"{len(won)} different offers are chosen most: " + "; ".join(parts)
    return f"{text}; {rest}." if rest else f"{text}."


def listed(items: list[str]) -> str:
    """Return items as a sentence has them.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _how(result: Result, summary: pd.DataFrame) -> str:
    parts = []
    right, missed, arrived = (pick(summary, m) for m in ("accuracy", "miss_rate", "arrived"))
    if right is not None:
        parts.append(f"{percent(float(right['value']))} of answers are right")
    if missed is not None:
        share = float(missed["value"])
        who = f"{percent(share)} of those" if share else "none of those"
        verb = "are" if share else "is"
        parts.append(f"{who} who chose an offer {verb} served late or never")
    parts += _thought(result, summary)
    left = pick(summary, "unfinished")
    if left is not None and arrived is not None and left["value"] > BACKLOG * arrived["value"]:
        parts.append(f"{number(float(left['value']))} had not ended when the run did")
    if not parts:
        return ""
    of = f"Of {number(float(arrived['value']))} tasks that arrive: " if arrived is not None else ""
    text = of + listed(parts)
    return f"{text[0].upper()}{text[1:]}."


def _thought(result: Result, summary: pd.DataFrame) -> list[str]:
    """Say how much thinking the classes buy that buy the least and the most."""
    rows = [(t.name, pick(summary, "thinking", t.name)) for t in result.market.tasks]
    bought = sorted((float(row["value"]), name) for name, row in rows if row is not None)
    if not bought or bought[-1][0] <= 0:
        return []
    most = f"{number(bought[-1][0])} thinking tokens are bought per answer"
    if len(bought) == 1:
        return [most]
    return [f"{most} in {bought[-1][1]}, the most, and {number(bought[0][0])} in {bought[0][1]}"]


def _worth(summary: pd.DataFrame) -> str:
    price, surplus, profit = (pick(summary, m) for m in ("price", "surplus", "profit"))
    parts = []
    if price is not None:
        parts.append(f"an answer costs {usd(float(price['value']))} on average")
    if surplus is not None:
        gain = f"buyers gain {usd(float(surplus['value']))} per hour"
        parts.append(gain + _most_of_it(summary, float(surplus["value"])))
    if profit is not None:
        verb = "earn" if profit["value"] >= 0 else "lose"
        parts.append(f"sellers {verb} {usd(abs(float(profit['value'])))} per hour")
    text = listed(parts) if parts else ""
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _most_of_it(summary: pd.DataFrame, total: float) -> str:
    """Name the class that half the buyers' surplus or more comes from, with its share of tasks."""
    rows = summary[(summary["task"] != "all") & (summary["offer"] == "all")]
    gains = rows[rows["metric"] == "surplus"].set_index("task")["value"].dropna()
    counts = rows[rows["metric"] == "arrived"].set_index("task")["value"]
    if len(gains) < 2 or total <= 0 or not 0.5 <= gains.max() / total <= 1 or not counts.sum() > 0:
        return ""
    most = gains.idxmax()
    tasks = percent(float(counts.get(most, 0.0) / counts.sum()))
    return f" ({percent(float(gains.max() / total))} of it in {most}, {tasks} of the tasks)"
