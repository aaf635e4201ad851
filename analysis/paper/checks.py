"""What was found of one part of a folder."""

from __future__ import annotations

from dataclasses import dataclass

from ...market.schema.errors import BadInputError


@dataclass(frozen=True)
class Check:
    """One part of a folder that was looked at.

    Attributes:
        part: which.
        same: whether it is what was written, or comes out again.
        told: how it differs, or why it could not be looked at; of what is the same how it is known.
    """

    part: str
    same: bool
    told: str = ""

    def __str__(self) -> str:
        said = f" ({self.told})" if self.same and self.told else ""
        return f"{self.part}: same{said}" if self.same else f"{self.part}: differs: {self.told}"


def said(error: BadInputError) -> str:
    """Return errors on one line."""
    return "; ".join(f"{p.message}{f', {p.hint}' if p.hint else ''}" for p in error.problems)
