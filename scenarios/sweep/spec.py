"""What a sweep varies: levers that somebody sets, uncertainties that nobody does, constants."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, StrictBool, model_validator

from ...market.schema.fields import Many, Number, Seconds, Spec, Table, Text, Whole, field

MOST_RUNS = 10_000_000


class Span(Spec):
    """An uncertainty: anything from low to high, evenly, or evenly in its logarithm."""

    low: Number = field(doc="least value")
    high: Number = field(doc="greatest value")
    scale: Literal["linear", "log"] = field(
        "linear", doc="whether equal differences or equal ratios are equally likely"
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}; low must be below high")
        if self.scale == "log" and self.low <= 0.0:
            raise ValueError(f'low is {self.low:g}; with scale = "log" it must be above 0')
        return self

    def at(self, share: float) -> float:
        """Return the value at a share of the way from low to high.

        Example:
            >>> Span(1.0, 100.0, scale="log").at(0.5), Span(1.0, 3.0).at(0.25)
            (10.0, 1.5)
        """
        if self.scale == "log":
            return float(self.low * (self.high / self.low) ** share)
        return float(self.low + (self.high - self.low) * share)


def _ends(value: object) -> object:
    """Let `[low, high]` stand for a span."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return {"low": value[0], "high": value[1]}
    return value


class Sample(Spec):
    """Which values uncertainties take together."""

    kind: Literal["latin_hypercube", "sobol", "saltelli", "morris"] = field(
        "latin_hypercube",
        doc="latin_hypercube: each value's range is covered evenly; sobol: the whole space is, by "
        "a scrambled sequence; saltelli: for Sobol indices; morris: for elementary effects",
        source="McKay, Beckman & Conover 1979; Owen 1997; Saltelli et al. 2010; Morris 1991",
    )
    size: Whole = field(
        128, doc="points of latin_hypercube and sobol (a power of two), base points N of saltelli "
        "(a power of two, N·(d + 2) points for d uncertainties, or N·(2d + 2) with second_order), "
        "trajectories of morris (r·(d + 1) points)", ge=2, le=10_000_000,
    )  # fmt: skip
    second_order: StrictBool = field(
        False, doc="whether saltelli is to tell interactions of pairs as well"
    )
    levels: Whole = field(4, doc="levels of morris, an even number", ge=2, le=100, multiple_of=2)
    seed: Whole = field(0, doc="seed of the sample", ge=0, le=2**32 - 1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind in ("sobol", "saltelli") and self.size & (self.size - 1):
            raise ValueError(f"size is {self.size}; for {self.kind} it must be a power of two")
        return self


class Design(Spec):
    """A sweep: a file of its own, or the arguments of `sweep`."""

    name: Text = field("", doc="name of the sweep; the scenario's when absent", max_length=64)
    question: Text = field("", doc="what it is to answer", max_length=1000)
    scenario: Text = field("", doc="scenario: a name of the library, or a file beside this one")
    constants: Table[str, Any] = field(
        {}, doc="changes to the scenario that hold in every run, by dotted path"
    )
    levers: Table[str, Many[Any]] = field(
        {}, doc="values to try, by dotted path: what a seller, a platform or a regulator sets"
    )
    together: StrictBool = field(
        False, doc="whether levers move together, one value of each at a time, or all combinations "
        "are tried",
    )  # fmt: skip
    uncertainties: Table[str, Annotated[Span, BeforeValidator(_ends)]] = field(
        {}, doc="ranges, by dotted path, of what is not known; sampled for each setting of levers"
    )
    sample: Sample = field(Sample(), doc="how uncertainties are sampled")
    seeds: Whole = field(
        1, doc="replications: runs of each point, each with a seed of its own", unit="runs", ge=1,
        le=1_000_000,
    )  # fmt: skip
    seed: Whole = field(0, doc="seed that all others are made from", ge=0, le=2**63 - 1)
    paired: StrictBool = field(
        True, doc="whether replication r of every point has the same streams, so that differences "
        "between points are sharp; otherwise every run has its own",
        source="common random numbers: Law 2015, section 11.2",
    )  # fmt: skip
    timeout: Seconds | None = field(
        None, doc="time after which a run is given up, to within an epoch", unit="s", gt=0
    )
    memory: Whole | None = field(
        None, doc="memory that a worker process may take", unit="MB", ge=100, le=10_000_000
    )

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        listed = [*self.constants, *self.levers, *self.uncertainties]
        twice = sorted({path for path in listed if listed.count(path) > 1})
        if twice:
            raise ValueError(
                f'"{twice[0]}" is given twice; a path is a constant, a lever or an uncertainty'
            )
        empty = [path for path, values in self.levers.items() if not values]
        if empty:
            raise ValueError(f'levers "{empty[0]}" has no values')
        lengths = {len(values) for values in self.levers.values()}
        if self.together and len(lengths) > 1:
            told = ", ".join(f"{path} {len(values)}" for path, values in self.levers.items())
            raise ValueError(f"levers that move together need equally many values, not {told}")
        return self
