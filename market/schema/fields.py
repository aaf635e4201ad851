"""One description per field: value types with units, and the base of every part of a spec.

The schema built here is the only place where a field's default, unit, range, meaning and source
are written; validation, `explain`, the docs and the figures read it from here.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NoReturn, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from .errors import shown
from .faults import bad_input
from .wording import NAME_PATTERN

K = TypeVar("K")
V = TypeVar("V")

_SECONDS = {
    "ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0,
    "day": 86400.0, "days": 86400.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
_QUANTITY = re.compile(r"^\s*([0-9][0-9_]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]+)\s*$")


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


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character")
    return value


def _listed(value: object) -> object:
    """Refuse what has no order, and a single spec, which is an iterable of its own fields."""
    if isinstance(value, (Spec, set, frozenset)):
        raise PydanticCustomError("tuple_type", "not a list")
    return value


def word(value: object) -> object:
    """Let a bare word stand for `{kind = word}`."""
    return {"kind": value} if isinstance(value, str) else value


def instance(value: object) -> object:
    """Refuse what can be called and yet is no function of the user's: our classes, strategies."""
    if isinstance(value, type) and issubclass(value, Spec):
        raise ValueError(f"{value.__name__} is a class; write {value.__name__}(…)")
    if isinstance(value, Spec) and hasattr(value, "strategy"):
        raise ValueError(
            f"{type(value).__name__} is a seller's strategy; give it to Seller(pricing=…)"
        )
    return value


def whole(name: str, value: object, low: int, high: int, told: str) -> int:
    """Return a whole number from low to high, `told` being the upper end in words.

    Raises:
        ValueError: it is something else; true, false and 1.0 are, too.

    Example:
        >>> whole("seed", 3, 0, 2**63 - 1, "2^63 − 1")
        3
    """
    try:
        number = operator.index(value) if not isinstance(value, bool) else low - 1  # type: ignore[arg-type]
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        raise ValueError(
            f"{name} is {shown(value)}; it must be a whole number from {low} to {told}"
        )
    return number


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
"""Name of a seller, a task class, an effort or a skill."""
Text = Annotated[str, AfterValidator(_text)]
"""Any text that a file can hold."""


class FrozenDict(dict[K, V]):
    """A dict that stays as it was checked: equal to the dict it was made of, and a key itself.

    Example:
        >>> FrozenDict(low=800.0)["low"]
        800.0
    """

    def _refuse(self, *args: Any, **changes: Any) -> NoReturn:
        raise TypeError("a spec cannot be changed; make another")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


Many = Annotated[tuple[V, ...], BeforeValidator(_listed)]
"""A list of things, read-only."""
Table = Annotated[Mapping[K, V], AfterValidator(FrozenDict)]
"""A read-only mapping, such as an effort menu."""


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
    return Field(default, description=doc, json_schema_extra=extra, **limits)


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
        @classmethod
        def model_validate(cls, value: Any) -> Self: ...
        @classmethod
        def model_json_schema(cls) -> dict[str, Any]: ...
else:
    _Model = BaseModel


class Spec(_Model):
    """Base of every part of a spec: frozen, compared by value, strict about unknown keys.

    What must be given may be given by position, in order of declaration; where nothing must,
    the kind may, as in `ScoringAuction("second_score")`. All else goes by name.

    Raises:
        BadInputError: values that are missing, unknown or not allowed, all at once.
        TypeError: values by position that must go by name.

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
        what, known = type(self).__name__, type(self).model_fields
        names = [name for name, info in known.items() if info.is_required()]
        names = names or [name for name in known if name == "kind"]
        if len(args) > len(names):
            few = f"only {', '.join(names)}" if names else "nothing"
            raise TypeError(f"{what} takes {few} by position; give the rest by name")
        for name, value in zip(names, args, strict=False):
            if name in fields:
                raise TypeError(f"{what}: {name} given twice")
            fields[name] = value
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise bad_input(error, type(self), fields) from None

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """Return a copy with some fields changed, checked as a whole; pydantic's own is not.

        Raises:
            BadInputError: the changed fields, or all of them together, are not allowed.

        Example:
            >>> from walras.market.schema.market import Run
            >>> Run(until=60.0).model_copy(update={"warmup": 10.0}).warmup
            10.0
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **(update or {})})

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed; make another")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed; make another")

    # What is inside another part is then checked without a call of this: all errors at once.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]
