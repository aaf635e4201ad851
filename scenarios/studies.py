"""The studies that come with the package."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from ..market.schema.errors import BadInputError, Problem, did_you_mean, plain
from .sweep.file import read_design
from .sweep.study import Study

FOLDER = Path(__file__).parent / "studies"


def files() -> list[Path]:
    """Return the files of all studies, by name.

    Example:
        >>> [file.stem for file in files()][0]
        'deadline_race'
    """
    return sorted(FOLDER.glob("*.toml"))


def questions() -> dict[str, str]:
    """Return the question of each study by its name."""
    return {
        path.stem: str(tomllib.loads(path.read_text("utf-8"))["question"]) for path in files()
    }  # fmt: skip


def read_study(target: str | os.PathLike[str]) -> tuple[Study, str, str]:
    """Read a study by its name, or its file; return it, its text, and the scenario it names.

    Raises:
        BadInputError: there is none, or all that is wrong with it at once.

    Example:
        >>> read_study("second_score")[2]
        'put_up_for_bid'
    """
    name = os.fspath(target)
    known = {path.stem: path for path in files()}
    if name not in known and not Path(name).suffix and not Path(name).exists():
        hint = did_you_mean(name, list(known)) or "see `walras list studies`"
        raise BadInputError([Problem("W100", f'there is no study "{plain(name)}"', hint=hint)])
    found, text, scenario = read_design(known.get(name, target))
    if not isinstance(found, Study):
        raise BadInputError([Problem(
            "W104", "this is a sweep and no study: `verdicts` are missing", file=name,
            field="verdicts", hint="say what is decided: [[verdicts]] metric = ...",
        )])  # fmt: skip
    return found, text, scenario


def study_of(folder: Path) -> Study | None:
    """Return the study that a sweep's folder answers; None if it is a sweep alone.

    Raises:
        BadInputError: its file was changed.
    """
    path = folder / "sweep.toml"
    found = read_design(path)[0] if path.is_file() else None
    return found if isinstance(found, Study) else None
