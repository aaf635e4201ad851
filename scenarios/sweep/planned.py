"""A sweep before it runs: checked, with its points and the key that tells it from others."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...market.schema.errors import BadInputError, Problem, errors_in
from ...market.schema.market import Market
from ..load import changed, data_of_file
from ..overrides import Override
from ..toml import data_of, to_toml
from . import traces
from .code import code_digest, told
from .job import Base, Measure
from .points import Point, count_of, points_of, seed_for
from .spec import MOST_RUNS, Design

_TRIED = 100
"""Single values that are checked before the first run."""


@dataclass(frozen=True)
class Planned:
    """A sweep before it runs.

    Attributes:
        design: what varies.
        base: the scenario.
        text: the scenario's file.
        points: of the design.
        measure: what else is measured.
        key: tells sweeps apart; `parts` are what it is made of.
        given: the sweep's own file, if it has one.
        problems: with single values, whose runs will fail.
    """

    design: Design
    base: Base
    text: str
    points: list[Point]
    measure: Measure | None
    key: str
    parts: dict[str, str]
    given: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Number of runs."""
        return len(self.points) * self.design.seeds

    @property
    def name(self) -> str:
        """Of the sweep."""
        return self.design.name or self.base.name or "sweep"

    def changes(self, run: int) -> dict[str, Any]:
        """Return the changes to the scenario in a run, constants too."""
        return {**self.design.constants, **self.points[run // self.design.seeds]}

    def seed(self, run: int) -> int:
        """Return the seed of a run."""
        return seed_for(self.design, *divmod(run, self.design.seeds))


def plan(
    market: Market | str | os.PathLike[str], design: Design, measure: Measure | None = None,
    given: str = "",
) -> Planned:  # fmt: skip
    """Check a sweep: its scenario at the first point, its paths, its size.

    Raises:
        BadInputError: all that is wrong at once.
    """
    if isinstance(market, Market):
        data, base = data_of(market), Base({}, name=market.name)
        try:
            text = to_toml(market, resolved=False)
        except BadInputError:  # functions: Python alone can run it again
            text = ""
        base = Base(data, name=market.name)
    else:
        data, text, path = data_of_file(market)
        base = Base(data, str(market), str(path.parent.resolve()), path.stem)
    runs = count_of(design) * design.seeds
    if runs > MOST_RUNS:
        raise BadInputError([Problem(
            "W114", f"{runs:,} runs; a sweep has {MOST_RUNS:,} at most", field="seeds"
        )])  # fmt: skip
    points = points_of(design)
    problems = _check(base, design, points)
    parts = {
        "scenario": _digest([told(dict(base.data)), traces.contents(base, design)]),
        "design": _digest([told(_design_data(design)), told(measure)]),
        "code": code_digest(),
    }
    key = _digest(parts)
    return Planned(design, base, text, points, measure, key, parts, given, problems)


def _design_data(design: Design) -> dict[str, Any]:
    """Return what of a design tells results apart: not how long a run may take."""
    apart = {"timeout", "memory", "question", "scenario", "name"}
    data = {n: getattr(design, n) for n in Design.model_fields if n not in apart}
    data["sample"] = design.sample.model_dump() if design.uncertainties else None
    data["uncertainties"] = {p: s.model_dump() for p, s in design.uncertainties.items()}
    for part in ("constants", "levers", "uncertainties"):  # whose order numbers the runs
        data[part] = [[path, what] for path, what in data[part].items()]
    return data


def _digest(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _check(base: Base, design: Design, points: list[Point]) -> list[Problem]:
    """Refuse paths that fit nothing, and a scenario that no point can run.

    Returns what is wrong with single values: the runs that have them will fail.
    """
    if "run" in {*design.levers, *design.uncertainties}:  # its column holds the runs' numbers
        raise BadInputError([Problem(
            "W113", "`run` as a whole cannot vary", field="run",
            hint="name what varies within it, such as run.until",
        )])  # fmt: skip
    first, problems = points[0], []
    alone = [{path: value} for path, values in design.levers.items() for value in values]
    alone += [{path: end} for path, span in design.uncertainties.items()
              for end in (span.low, span.high)]  # fmt: skip
    runs, tried = 0, [first, *alone[:_TRIED]]
    for values in tried:
        changes = {**design.constants, **first, **values}
        listed = [Override(path, path, value) for path, value in changes.items()]
        found = changed(base.data, listed, file=base.file, base=Path(base.folder), name=base.name)
        wrong = errors_in(found.problems)
        unfit = [p for p in wrong if p.code == "W113"]
        if unfit:
            raise BadInputError(unfit)
        runs += not wrong
        problems += wrong
    if not runs:
        raise BadInputError(list(dict.fromkeys(problems)))
    return list(dict.fromkeys(problems))


def folder_of(planned: Planned, under: Path = Path("sweeps")) -> Path:
    """Return `sweeps/<name>-<hash8>`: the same sweep has the same folder everywhere."""
    return under / f"{slug(planned.name)}-{planned.key[:8]}"


def slug(name: str) -> str:
    """Return a name that a folder or a job may have.

    Example:
        >>> slug("a/../b c"), slug("Preise für Züge")
        ('a-..-b-c', 'Preise-für-Züge')
    """
    return re.sub(r"[^\w.-]+", "-", name)
