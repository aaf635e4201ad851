"""The report of an equilibrium: one HTML file that opens offline."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..scenarios.tables import OUTSIDE
from .equilibrium.solved import HOUR, Equilibrium
from .figures import EQUILIBRIA
from .figures.frames import short_names
from .figures.notation import duration, four_digits, number, percent
from .figures.solved_frames import rows_of
from .odd_page import described
from .page import fill, flat, panels_of
from .report_tables import Table, parameters

_SAID = ("command",)
_SECTIONS = {
    "prices": ("F3", "F12", "F7"), "serving": ("F2", "F6"), "welfare": ("F8", "F1b"),
    "checks": ("F5", "F13"),
}  # fmt: skip
_MOST = 60  # deviations in the table; all are in the file


def write_equilibrium(found: Equilibrium, path: str | Path) -> Path:
    """Write the report of an equilibrium as one HTML file; its folder must exist.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    path.write_text(render(found), encoding="utf-8")
    return path


def render(found: Equilibrium) -> str:
    """Return the report as HTML: no request leaves the page when it is opened."""
    panels, undrawn = panels_of(found, EQUILIBRIA)
    sections = {
        name: [panels[id] for id in ids if id in panels] for name, ids in _SECTIONS.items()
    }  # fmt: skip
    return fill(
        "equilibrium.html.j2", market=found.market, banner=banner(found), answer=answer(found),
        emblem=panels.get("F1"), key=_key(found), levers=_levers(found), offers=_offers(found),
        gap=_gap(found), certificate=found.text[0].upper() + found.text[1:] + ".",
        deviations=_deviations(found), approximate=found.approximate, undrawn=undrawn,
        parameters=parameters(found.market), odd=described(found.market),
        command=str(found.manifest.get("command", "")),
        provenance=Table(["", ""], [
            [key, text] for key, text in flat("", found.manifest) if key not in _SAID
        ]), **sections,
    )  # fmt: skip


def banner(found: Equilibrium) -> str:
    """Say in red that a point is not certified, and why; empty if it is."""
    if found.certified:
        return ""
    if found.certificate is None:
        why = "" if found.point.converged else f" The solver did not converge: {found.point.why}."
        return f"Not certified: no simulation has checked this point; it is a candidate.{why}"
    return f"Not certified: {found.certificate.text}."


def answer(found: Equilibrium) -> list[str]:
    """Say in three sentences what the point is, who serves what, and what it is worth."""
    point, m = found.point, found.measures
    levers = found.levers
    if point.iterations:
        ratio = (levers["price"] / levers["posted"]).median()
        kind = "certified" if found.certified else "not certified"
        solved = "Prices are solved" if point.converged else "Prices did not settle"
        if not point.converged and point.epsilon < found.tolerance:
            solved = f"Prices are solved to {100.0 * point.epsilon:.2g}% of an owner’s profit"
        first = (
            f"{solved} and {kind}: the median price is {number(float(ratio))} times the "
            f"posted one, with a mark-up of {percent(float(levers['markup'].median()))} of it."
        )
    else:
        gain = found.posted_deviation
        first = f"At the posted prices, {gain.player}’s best other price, {gain.label}, gains " \
                f"{number(gain.gain * HOUR)} USD/h."  # fmt: skip
    names, offers = short_names(found.market), found.offers
    lead = []
    for task in found.market.tasks:
        mine = offers[offers["task"] == task.name]
        if len(mine):
            top = mine.iloc[int(mine["share"].argmax())]
            who = names.get(top["offer"], top["offer"])
            told = "most do without in" if top["offer"] == OUTSIDE else f"{who} leads"
            lead.append(f"{told} {task.name} ({percent(float(top['share']))})")
    second = (
        "; ".join(lead[:5]) + (f" and {len(lead) - 5} more classes" if len(lead) > 5 else "") + "."
    )
    parts = {n: p for n, p in found.gap.parts.items() if p > 1e-6 * abs(found.gap.planner)}
    most = max(parts, key=lambda n: parts[n]) if parts else ""
    loss = f"; most of what is missing is due to {most}" if most else ""
    third = (
        f"The market makes {number(m['welfare'])} USD/h of welfare, {m['welfare_share']:.2%} of "
        f"what the planner would{loss}."
    )
    return [first, second, third]


# --- tables ------------------------------------------------------------------------------------


def _key(found: Equilibrium) -> Table:
    m, point = found.measures, found.point
    rows = [
        ["welfare", f"{number(m['welfare'])} USD/h"],
        ["planner’s welfare", f"{number(m['planner'])} USD/h"],
        ["welfare, share of the planner’s", f"{m['welfare_share']:.3%}"],
        ["welfare at posted prices", f"{number(m['posted_welfare'])} USD/h"],
        ["buyers’ surplus", f"{number(m['surplus'])} USD/h"],
        ["sellers’ profit", f"{number(m['profit'])} USD/h"],
        ["platform", f"{number(m['platform'])} USD/h"],
        ["concentration (HHI of owners’ revenue)", f"{m['hhi']:.3f}"],
        ["mark-up (Lerner index, by revenue)", f"{m['lerner']:.3f}"],
        ["dispersion of prices within a class", f"{m['dispersion']:.3f}"],
        ["diversity (equal offers that would be as diverse)", f"{m['diversity']:.2f}"],
        ["work done, of all that could be", _share(m["utilisation"])],
        ["late or never served", _share(m["miss_rate"])],
        ["given to offers that think", _share(m["reasoning"])],
        ["steps of the solver", number(point.iterations)],
        ["residual of prices", f"{point.residual:.1e}"],
    ]  # fmt: skip
    if math.isfinite(m["profit_gain"]):
        rows.append(["profit gain of posted prices, Δ", f"{m['profit_gain']:.3f}"])
    if point.deviation is not None and point.deviation.gain > -np.inf:
        rows.append(["best deviation in the fluid market", f"{point.deviation.label}: "
                     f"{number(point.deviation.gain * HOUR)} USD/h"])  # fmt: skip
    return Table(["", "value"], rows)


def _levers(found: Equilibrium) -> Table:
    head = [
        "seller",
        "owner",
        "posted",
        "price",
        "unit",
        "unit cost",
        "mark-up",
        "profit (USD/h)",
        "load",
        "wait",
    ]
    rows = [
        [r.lever, r.owner, number(r.posted), four_digits(r.price), r.unit, number(r.unit_cost),
         _share(r.markup), number(r.profit), _share(r.load),
         duration(r.wait) if r.wait > 1e-9 else "0"]
        for r in rows_of(found.levers)
    ]  # fmt: skip
    return Table(head, rows)


def _offers(found: Equilibrium) -> Table:
    head = [
        "task class",
        "offer",
        "share",
        "planner",
        "price (USD)",
        "cost (USD)",
        "mark-up",
        "time",
        "late",
    ]
    rows = [
        [r.task, r.offer, _share(r.share), _share(r.planner), number(r.price), number(r.cost),
         _share(r.markup), duration(r.sojourn) if math.isfinite(r.sojourn) else "–",
         _share(1.0 - r.on_time)]
        for r in rows_of(found.offers)
    ]  # fmt: skip
    return Table(head, rows)


def _gap(found: Equilibrium) -> Table:
    rows = [["planner", number(found.gap.planner * HOUR), ""]]
    gap = found.gap.planner - found.gap.market
    for name, part in found.gap.parts.items():
        of = f"{100.0 * part / gap:.0f}%".replace("-", "−") if abs(gap) > 0 else ""
        rows.append([name, number(-part * HOUR), of])
    rows.append(["market", number(found.gap.market * HOUR), ""])
    return Table(["", "USD/h", "of the gap"], rows)


def _deviations(found: Equilibrium) -> Table:
    if found.certificate is None:
        return Table([], [])
    table = found.certificate.deviations.sort_values("upper", ascending=False, kind="stable").head(
        _MOST
    )
    head = ["player", "deviation", "gain", "95% bounds", "USD/h", "replications", "state"]
    rows = [
        [str(r.player), str(r.deviation), _signed(r.gain),
         f"{_signed(r.lower)} to {_signed(r.upper)}", number(r.gain_usd),
         number(r.replications), str(r.state)]
        for r in rows_of(table)
    ]  # fmt: skip
    return Table(head, rows)


def _share(x: float) -> str:
    return percent(x) if x >= 0 else _signed(x) if math.isfinite(x) else "–"


def _signed(x: float) -> str:
    return f"{100.0 * x:.3g}%".replace("-", "−") if math.isfinite(x) else number(x)
