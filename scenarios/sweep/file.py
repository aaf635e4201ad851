"""A sweep's own file, or a study's: TOML, data only, checked like a scenario."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from ...market.schema.entries import Entry
from ...market.schema.errors import BadInputError, Problem
from ...market.schema.faults import Source, from_validation
from .. import library
from ..lines import find_lines
from ..load import data_of_file
from .spec import Design
from .study import Study


def read_design(target: str | os.PathLike[str]) -> tuple[Design, str, str]:
    """Read a sweep's file; return it, its text, and the scenario it names as `load` takes it.

    A file with `verdicts` is a `Study`.

    Raises:
        BadInputError: all errors at once.
    """
    data, text, path = data_of_file(target)
    if "tasks" in data or "sellers" in data:
        raise BadInputError([Problem(
            "W104", "this is a scenario and no sweep", file=str(target), field="scenario",
            hint=f'a sweep\'s file names it: scenario = "{path.name}"',
        )])  # fmt: skip
    source = Source(data, str(target), find_lines(text))
    kind = Study if "verdicts" in data else Design
    try:
        design = kind.model_validate(data)
    except ValidationError as error:
        root = Entry(path=(), types=(kind,))
        raise BadInputError([p for _, p in from_validation(error, source, root)]) from None
    if not design.scenario:
        raise BadInputError([Problem(
            "W104", "`scenario` is missing", file=str(target), field="scenario",
            hint="name one of `walras list`, or a file beside this one",
        )])  # fmt: skip
    if not design.name:
        design = design.model_copy(update={"name": path.stem})
    known = library.path_of(design.scenario) is not None
    return design, text, design.scenario if known else str(Path(path.parent) / design.scenario)
