"""The fluid market's answer to a moved control: maps and key figures at once.

What was built for the last market is kept: where only prices have moved, buyers are asked again
and nothing is built anew. Shares and delays are solved to a hundred-thousandth of all arrivals,
which no map shows.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...market.fluid.expectations import SERVED, TIMELY
from ...market.fluid.setting import Setting, setting_of
from ...market.fluid.solve import Selection, solve
from ...market.schema.errors import BadInputError
from ...market.schema.market import Market
from ...scenarios.toml import to_toml
from ..equilibrium.response import reasoners
from ..figures.solved_frames import sellers_by_share
from ..figures.template import escape
from .asked import Asked, asked_of, loaded, market_of, options, stamp
from .charts.frontier import frontier
from .charts.selection import selection
from .charts.sellers import sellers_of
from .charts.serving import outcomes, serving
from .controls import controls
from .look import empty, look_of
from .numbers import of_selection

_TOLERANCE = 1e-5
_KEPT = 8  # markets whose setting is kept


class Fluid:
    """Answers what pages ask of the fluid market, one at a time.

    Args:
        targets: file, or name in the library, of each scenario.

    Example:
        >>> answer = Fluid({"mm1": "mm1"}).answer({"scenario": "mm1"})
        >>> answer["command"], round(answer["values"]["miss"], 3)  # e^(-2) wait too long
        ('walras run mm1', 0.135)
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = dict(targets)
        self._settings: dict[tuple[str, tuple[str, ...], str], Selection] = {}
        self._orders: dict[tuple[str, str], list[str]] = {}

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return figures, key figures and what is wrong, ready for the page.

        Keys: `problems`; without errors also `tasks`, `task`, `question`, `figures` (f1, f2, f4),
        `values`, `rows`, `note`, `order` of sellers, `reasoners`, `command`, `key` and, where that
        is not the one the page has `seen`, `controls`; `ms` from the message to the answer.
        """
        begin = time.perf_counter()
        try:
            asked = asked_of(message, list(self._targets))
            market = market_of(asked, self._targets)
        except BadInputError as error:
            return {"problems": [said(p) for p in error.problems]}
        file = loaded(self._targets[asked.scenario], asked.changes)
        key = " ".join([asked.scenario, *asked.changes, self._stamp(asked.scenario)])
        answer = {
            "problems": [said(p) for p in file.problems], "tasks": [t.name for t in market.tasks],
            "task": market.tasks[_class_of(asked, market)].name, "question": market.question,
            "reasoning": asked.reasoning, "reasoners": len(reasoners(market)),
            "command": self._command(asked, market), "key": key, **self._drawn(asked, market),
        }  # fmt: skip
        if message.get("seen") != key:
            answer["controls"] = controls(file.require())
        return answer | {"ms": round(1e3 * (time.perf_counter() - begin), 1)}

    def pin(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return the key figures of what a page has pinned, none if it is no fluid market."""
        try:
            asked = asked_of(message, list(self._targets))
            sel = self._selection(asked, market_of(asked, self._targets))
        except BadInputError as error:
            return {"values": {}, "problems": [said(p) for p in error.problems]}
        return {"values": _values(sel)}

    def toml(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is asked for as the text of a scenario file."""
        try:
            asked = asked_of(message, list(self._targets))
            return {"toml": to_toml(market_of(asked, self._targets), resolved=False)}
        except (BadInputError, ValueError) as error:
            return {"problems": [said(p) for p in getattr(error, "problems", [])] or [str(error)]}

    def _command(self, asked: Asked, market: Market) -> str:
        line = ["walras", "run", self._targets[asked.scenario], *options(asked, market)]
        return shlex.join(line)

    def _drawn(self, asked: Asked, market: Market) -> dict[str, Any]:
        look, order = look_of(asked.dark), self._order(asked.scenario, market)
        try:
            sel = self._selection(asked, market)
        except BadInputError as error:
            why = error.problems[0].message
            blank, none = (empty(look, t) for t in (escape(f"no fluid market: {why}"),
                                                    "no task has ended yet"))  # fmt: skip
            return {"figures": {"f1": blank, "f2": blank, "f4": none}, "values": {}, "rows": None,
                    "note": why, "order": order}  # fmt: skip
        k, sellers = _class_of(asked, market), sellers_of(market, order)
        note = ""
        if not sel.converged and sel.residual > _TOLERANCE:
            note = "no selection was found at which shares and delays agree; shown is the nearest"
        approximate = "; ".join(sel.setting.approximate)
        return {
            "figures": {
                "f1": selection(sel, k, sellers, look), "f2": frontier(sel, k, sellers, look),
                "f4": serving(_outcomes(sel), market, sellers, look),
            },
            "values": _values(sel),
            "rows": _rows(sel, k), "order": order,
            "note": note or (f"fluid market approximate: {approximate}" if approximate else ""),
        }  # fmt: skip

    def _selection(self, asked: Asked, market: Market) -> Selection:
        """Return the selection equilibrium; where prices alone moved, from the last setting."""
        key = (asked.scenario, asked.changes, self._stamp(asked.scenario))
        near = self._settings.get(key)
        if near is None:
            base = loaded(self._targets[asked.scenario], asked.changes).require()
            setting = setting_of(base).at_mean()
            before = next(reversed(self._settings.values()), None)
            near = solve(setting, start=_alike(before, setting), tolerance=_TOLERANCE)
            while len(self._settings) >= _KEPT:
                del self._settings[next(iter(self._settings))]
        else:
            del self._settings[key]  # the last used stands last
        self._settings[key] = near
        if asked.reasoning == 1.0:
            return near
        setting = near.setting
        levers = np.array([s.price.lever for s in market.sellers])[setting.seller_of]
        return solve(setting, setting.charges(levers), near, tolerance=_TOLERANCE)

    def _order(self, scenario: str, market: Market) -> list[str]:
        """Return the sellers by whom they serve before anything is moved; colours follow that."""
        key = scenario, self._stamp(scenario)
        if key not in self._orders:
            plain = Asked(scenario)
            try:
                self._orders[key] = sellers_by_share(
                    self._selection(plain, market_of(plain, self._targets))
                )
            except BadInputError:  # it has no fluid market
                self._orders[key] = [s.name for s in market.sellers]
        return self._orders[key]

    def _stamp(self, scenario: str) -> str:
        return stamp(self._targets[scenario])


def _values(sel: Selection) -> dict[str, float | None]:
    """Return the key figures; None where one is a ratio of nothing."""
    return {name: _plain(value) for name, value in of_selection(sel).items()}


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rows(sel: Selection, k: int) -> dict[str, Any]:
    """Return the offers to a class as a table: those chosen most first."""
    st = sel.setting
    on = np.flatnonzero((st.state.cells["serves"][k] == 1) & sel.charges.listed)
    columns = {
        "share": sel.share[k], "price (USD/task)": sel.charges.ask[k], "cost (USD/task)":
        st.cost[k], "accuracy": st.right[k], "time to the answer (s)": sel.answer_time[k],
        "on time": sel.on_time[k],
    }  # fmt: skip
    order = on[np.argsort(-sel.share[k, on], kind="stable")]
    rows = [
        [st.market.offers[o], *(_plain(float(f"{v[o]:.6g}")) for v in columns.values())]
        for o in order
    ]
    return {"columns": ["offer", *columns], "rows": rows}


def said(problem: Any) -> dict[str, str]:
    """Return a problem as the page shows it."""
    return {
        "code": problem.code, "text": problem.message, "field": problem.field or "",
        "hint": problem.hint or "", "warning": "yes" if problem.code.startswith("W2") else "",
    }  # fmt: skip


def _class_of(asked: Asked, market: Market) -> int:
    names = [t.name for t in market.tasks]
    return names.index(asked.task) if asked.task in names else 0


def _alike(before: Selection | None, setting: Setting) -> Selection | None:
    """Return a selection from which another setting may start: of the same kinds and offers."""
    if before is None or before.setting.serves.shape != setting.serves.shape:
        return None
    same = (before.setting.serves == setting.serves).all() and len(before.moments) == 1
    return before if same else None


def _outcomes(sel: Selection) -> np.ndarray:
    """Return tasks/h by class, offer and outcome, as `serving` takes them."""
    hour = 3600.0 * sel.flow
    part = sel.per_task(SERVED), sel.per_task(TIMELY)
    served, timely = (hour * np.nan_to_num(p) for p in part)
    right = served * sel.setting.right
    without = 3600.0 * sel.arrivals * sel.share[:, -1]
    none = np.zeros_like(served)
    return outcomes(served, right, served - timely, hour - served, none, without)


__all__ = ["Fluid", "said"]
