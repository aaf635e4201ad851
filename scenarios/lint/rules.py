"""What a rule of the lint is: a function of a market's terms that yields what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...market.schema.entries import Path
from ..terms import Terms

Found = Iterator[tuple[str, Path, str]]
"""Code, place in the spec and text of each warning."""
Rule = Callable[[Terms], Found]
