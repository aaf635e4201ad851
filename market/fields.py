"""One description per field: value types with units, and the base of every part of a spec.

The schema built here is the only place where a field's default, unit, range, meaning and source
are written; validation, `explain`, the docs and the figures read it from here.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

_SECONDS = {
    "ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0,
    "day": 86400.0, "days": 86400.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
_QUANTITY = re.compile(r"^\s*([0-9][0-9_]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]+)\s*$")

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.+:-]{0,63}$"
"""Names of sellers, task classes and efforts: they appear in paths, tables and file names."""


def seconds(value: object) -> object:
    """Read a duration such as `"5 min"`, `"200 ms"` or a plain number of seconds.

    Raises:
        ValueError: the text is not a number followed by ms, s, min, h, d or week.

    Example:
        >>> seconds("5 min"), seconds(2)
        (300.0, 2)
    """
    if not isinstance(value, str):
        return value
    match = _QUANTITY.match(value)
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f'"{value}" is not a duration; write seconds or e.g. "300 ms", "5 min"')
    return float(match[1]) * _SECONDS[match[2]]


def _unlimited(value: object) -> object:
    return math.inf if value == "unlimited" else value


def _unlimited_out(value: float) -> float | str:
    return "unlimited" if math.isinf(value) else value


def _number(value: object) -> object:
    """Refuse text, true and false where a number is wanted: they would be turned into one."""
    if isinstance(value, bool):
        raise ValueError("true or false where a number is wanted")
    if isinstance(value, str):
        raise PydanticCustomError("float_parsing", '"{text}" is not a number', {"text": value})
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
"""A finite number."""
Whole = Annotated[int, BeforeValidator(_number)]
"""A whole number."""
# Of several validators before the type, pydantic calls the last one first.
Seconds = Annotated[float, BeforeValidator(_number), BeforeValidator(seconds),
                    Field(allow_inf_nan=False)]  # fmt: skip
"""A finite duration in seconds; text such as "5 min" is read too."""
Unlimited = Annotated[float, BeforeValidator(_number), BeforeValidator(_unlimited),
                      PlainSerializer(_unlimited_out)]  # fmt: skip
"""A number or "unlimited" (infinity)."""
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


def field(
    default: Any = ...,
    *,
    unit: str = "",
    doc: str,
    source: str = "",
    **limits: Any,
) -> Any:
    """Describe one field: default, unit, meaning, source and allowed range (ge, gt, le, lt)."""
    extra: JsonDict = {"unit": unit, "source": source}
    if default is ... or not isinstance(default, (list, dict)):
        return Field(default, description=doc, json_schema_extra=extra, **limits)
    return Field(
        default_factory=lambda: type(default)(default), description=doc,
        json_schema_extra=extra, **limits,
    )  # fmt: skip


if TYPE_CHECKING:

    class _Model:
        """What type checkers see of a pydantic model.

        The real one tells them that fields are given by keyword and already of their final
        type; a spec takes positions, bare numbers and text such as "5 min" as well.
        """

        model_config: ClassVar[ConfigDict]
        model_fields: ClassVar[dict[str, FieldInfo]]

        def __init__(self, *args: Any, **fields: Any) -> None: ...
        @property
        def model_fields_set(self) -> set[str]: ...
        def model_dump(self, **how: Any) -> dict[str, Any]: ...
        def model_copy(self, *, update: dict[str, Any] | None = None) -> Self: ...
        @classmethod
        def model_validate(cls, value: Any) -> Self: ...
        @classmethod
        def model_json_schema(cls) -> dict[str, Any]: ...
else:
    _Model = BaseModel


class Spec(_Model):
    """Base of every part of a spec: frozen, strict about unknown keys, positional where handy.

    Example:
        >>> class Pair(Spec):
        ...     low: float = field(doc="the low end")
        ...     high: float = field(2.0, doc="the high end")
        >>> Pair(1.0)
        Pair(low=1.0, high=2.0)
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True,
        allow_inf_nan=True, hide_input_in_errors=False,
    )  # fmt: skip

    def __init__(self, *args: Any, **fields: Any) -> None:
        """Take fields by name; the first few may be given by position, in order of declaration."""
        names = [name for name in type(self).model_fields if name != "kind"]
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__} takes at most {len(names)} values")
        for name, value in zip(names, args, strict=False):
            if name in fields:
                raise TypeError(f"{type(self).__name__}: {name} given twice")
            fields[name] = value
        super().__init__(**fields)
