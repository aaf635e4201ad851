"""What `walras equilibrium` prints: the verdict, who serves what at which price, the planner."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from .analysis.figures.notation import four_digits
from .card import FORMS, Row, table
from .market.schema.errors import plain

if TYPE_CHECKING:
    from .analysis.equilibrium.solved import Equilibrium

_OFFERS, _ROWS, _LEVERS = 4, 44, 30
STYLES = {"certified": "bold green", "refuted": "bold red", "undecided": "bold yellow"}


def card(found: Equilibrium, folder: str, command: str, width: int = 80) -> RenderableType:
    """Return the card: verdict, prices, who serves what, what the planner would do.

    Args:
        found: the point.
        folder: where the report is, empty if nothing was written.
        command: the command that repeats it.
        width: letters in a line of the terminal.
    """
    verdict = found.certificate.verdict if found.certificate else "undecided"
    title = f"{plain(found.market.name)}  equilibrium in prices"
    parts: list[RenderableType] = [
        Text(title, style="bold"),
        Text(found.text, style=STYLES[verdict]),
    ]
    parts += [Text(line) for line in _solved(found)]
    parts += ["", _levers(found, width), "", _offers(found, width), ""]
    parts += [Text(line) for line in _welfare(found)]
    if folder:
        parts.append(Text(f"files   {folder}"))
    parts.append(Text(f"repeat  {command}"))
    return Group(*parts)


def _solved(found: Equilibrium) -> list[str]:
    """Say how the point was found, how exact it is, and what the posted prices are worth."""
    point = found.point
    lines = []
    if point.iterations:
        said = "solved" if point.converged else "not solved"
        if not point.converged and point.epsilon < found.tolerance:
            said = f"solved to {100.0 * point.epsilon:.2g}% of an owner's profit"
        lines.append(
            f"{said} in {point.iterations} steps, residual {point.residual:.1e}"
            + (f": {point.why}" if point.why else "")
        )
        tempted = found.posted_deviation
        if tempted.gain > tempted.noise:
            lines.append(f"at posted prices {plain(tempted.text, 200)}")
    if found.approximate:
        lines.append(f"approximate: {'; '.join(found.approximate)}")
    return lines


def _levers(found: Equilibrium, width: int) -> Text:
    rows: list[Row] = [
        (
            plain(r["lever"], 64), four_digits(r["posted"]), four_digits(r["price"]),
            str(r["unit"]),
            FORMS["share"](r["markup"]), FORMS["usd"](r["profit"]), FORMS["share"](r["load"]),
            FORMS["time"](r["wait"]),
        )
        for r in found.levers.to_dict("records")
    ]  # fmt: skip
    header = ("seller", "posted", "price", "unit", "mark-up", "profit USD/h", "load", "wait")
    text = table(header, rows[:_LEVERS], width)
    return (
        text.append(f"\n{len(rows) - _LEVERS} more are in the report")
        if len(rows) > _LEVERS
        else text
    )


def _offers(found: Equilibrium, width: int) -> Text:
    shown = found.offers
    classes = list(dict.fromkeys(shown["task"]))
    most = max(min(_OFFERS, _ROWS // len(classes) - 1), 1)
    rows: list[Row] = []
    for task in classes:
        mine = shown[shown["task"] == task]
        top = mine[["share", "planner"]].max(axis=1).sort_values(ascending=False).index[:most]
        rows.append((plain(task, 64), "", "", "", "", "", ""))
        rows += [
            (
                f"  {plain(r['offer'], 200)}", FORMS["share"](r["share"]),
                FORMS["share"](r["planner"]), four_digits(r["price"]), _told(r["markup"], "share"),
                _told(r["sojourn"], "time"), _told(1.0 - r["on_time"], "share"),
            )
            for r in mine.loc[top].to_dict("records")
        ]  # fmt: skip
    header = ("task class, offer", "share", "planner", "price USD", "mark-up", "time", "late")
    return table(header, rows, width)


def _told(x: float, form: str) -> str:
    return FORMS[form](x) if math.isfinite(x) else ""


def _welfare(found: Equilibrium) -> list[str]:
    m = found.measures
    told = {name: FORMS["usd"](m[name]) for name in ("welfare", "planner", "surplus", "profit")}
    lines = [
        f"welfare {told['welfare']} USD/h, {m['welfare_share']:.2%} of the planner's "
        f"{told['planner']}; buyers {told['surplus']}, sellers {told['profit']}; "
        f"HHI {m['hhi']:.2f}, Lerner {m['lerner']:.2f}"
    ]
    parts = [
        f"{name} {FORMS['usd'](part * 3600.0)}"
        for name, part in found.gap.parts.items() if abs(part) > 1e-9 * abs(found.gap.planner)
    ]  # fmt: skip
    if parts:
        lines.append(f"the gap in USD/h: {', '.join(parts)}")
    if not found.gap.converged:
        lines.append("not all markets behind the gap were solved: its parts are rough")
    return lines


def as_data(found: Equilibrium, folder: str, command: str) -> dict[str, Any]:
    """Return what `--json` prints; figures that are not known are null."""
    from .analysis.equilibrium_folder import finite

    return {**finite(found.as_dict()), "folder": folder, "command": command}
