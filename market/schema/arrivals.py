"""When tasks come: the arrival processes of a task class."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .distributions import MOST, Duration
from .fields import Many, Number, Seconds, Spec, Text, Whole, field


class Poisson(Spec):
    """Poisson arrivals at a constant rate."""

    kind: Literal["poisson"] = "poisson"
    rate: Number = field(doc="mean arrivals", unit="tasks/s", gt=0, le=1e7)

    @property
    def mean_rate(self) -> float:
        """Long-run arrivals, tasks/s."""
        return self.rate


class MMPP(Spec):
    """Markov-modulated Poisson: cycles through phases, each with its rate and mean dwell.

    Fischer & Meier-Hellstern 1993. Phase i is held for an exponential time with mean dwell[i],
    then comes phase i + 1, the first again after the last.
    """

    kind: Literal["mmpp"] = "mmpp"
    rates: Many[Number] = field(
        doc="arrival rate of each phase", unit="tasks/s", min_length=2, max_length=16
    )
    dwell: Many[Seconds] = field(
        doc="mean time in each phase", unit="s", min_length=2, max_length=16
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.rates) != len(self.dwell):
            raise ValueError(f"{len(self.rates)} rates but {len(self.dwell)} dwell times")
        if min(self.rates) < 0 or max(self.rates) <= 0 or max(self.rates) > 1e7:
            raise ValueError("rates must be 0 to 1e7 tasks/s, one of them above 0")
        if min(self.dwell) <= 0:
            raise ValueError("dwell times must be above 0 s")
        if sum(r * d for r, d in zip(self.rates, self.dwell, strict=True)) < 1e-6:
            raise ValueError("fewer than 1e-6 tasks come in a cycle; raise rates or dwell times")
        return self

    @property
    def mean_rate(self) -> float:
        """Long-run arrivals, tasks/s."""
        weighted = sum(r * d for r, d in zip(self.rates, self.dwell, strict=True))
        return weighted / sum(self.dwell)


class Diurnal(Spec):
    """Poisson arrivals at rate(t) = rate · (1 + amplitude · sin(2π (t + phase) / period)).

    Drawn by thinning (Lewis & Shedler 1979), which is exact; scaling gaps is not.
    """

    kind: Literal["diurnal"] = "diurnal"
    rate: Number = field(doc="arrivals averaged over a period", unit="tasks/s", gt=0, le=1e7)
    amplitude: Number = field(0.5, doc="relative swing of the rate", unit="ratio", ge=0, le=1)
    period: Seconds = field(86400.0, doc="length of a cycle", unit="s", gt=0)
    phase: Seconds = field(0.0, doc="shift of the cycle at time 0", unit="s")

    @property
    def mean_rate(self) -> float:
        """Long-run arrivals, tasks/s."""
        return self.rate


class Batch(Spec):
    """Batches arrive as a Poisson process; the tasks of a batch come at one instant."""

    kind: Literal["batch"] = "batch"
    rate: Number = field(doc="batches", unit="batches/s", gt=0, le=1e7)
    size: Number = field(doc="mean tasks in a batch", unit="tasks", ge=1, le=1e6)
    spread: Literal["constant", "geometric"] = field(
        "constant", doc="law of the batch size; a constant size is rounded to a whole number"
    )

    @property
    def mean_rate(self) -> float:
        """Long-run arrivals, tasks/s."""
        return self.rate * (round(self.size) if self.spread == "constant" else self.size)


class Closed(Spec):
    """A fixed population: each user thinks, submits one task, waits for its end, thinks again."""

    kind: Literal["closed"] = "closed"
    users: Whole = field(doc="number of users", unit="users", ge=1, le=1_000_000)
    think_time: Duration = field(doc="time between an answer and the next task", unit="s")

    @model_validator(mode="after")
    def _thinks(self) -> Self:
        if self.think_time.mean <= 0:
            raise ValueError("think_time must have a mean above 0 s")
        return self

    @property
    def mean_rate(self) -> float:
        """Largest possible arrival rate, tasks/s: that of users who never wait."""
        return self.users / self.think_time.mean


class Replay(Spec):
    """Arrivals (and sizes, if the class says so) as recorded, from a CSV file or from lists.

    The file has a column of times and columns of token counts. Times are seconds, timestamps
    (UTC), or timestamps with a UTC offset such as 2023-11-16T18:17:03.97+01:00, all rows alike.
    Rows, and listed times with their sizes, are sorted by time. Times of a file are shifted so
    that the first is `start`; listed times are not.
    """

    kind: Literal["replay"] = "replay"
    file: Text | None = field(None, doc="CSV file; a relative path is taken from the scenario file")
    times: Many[Seconds] | None = field(
        None, doc="arrival times instead of a file", unit="s", min_length=1, max_length=1_000_000
    )
    input_tokens: Many[Number] | None = field(None, doc="input sizes beside times", unit="tokens")
    output_tokens: Many[Number] | None = field(None, doc="output sizes beside times", unit="tokens")
    values: Many[Number] | None = field(None, doc="values of tasks beside times", unit="USD")
    columns: Many[Text] = field(
        ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
        doc="names of the columns: times (seconds, or timestamps of ISO 8601), input and output "
        "tokens", min_length=3, max_length=3,
    )  # fmt: skip
    start: Seconds = field(0.0, doc="time of the first arrival of a file", unit="s", ge=0)
    get_from: Text = field("", doc="where a reader gets the file")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.file is None) == (self.times is None):
            raise ValueError("give either file or times")
        if self.times is not None:
            if self.start > 0:
                raise ValueError("start is for a file; listed times are taken as they are")
            if min(self.times) < 0:
                raise ValueError("times must not be negative")
            for sizes in (self.input_tokens, self.output_tokens):
                if sizes is not None and len(sizes) != len(self.times):
                    raise ValueError(f"{len(sizes)} sizes for {len(self.times)} times")
                if sizes is not None and min(sizes) < 0:
                    raise ValueError("sizes must be 0 tokens or more")
            if self.values is not None and len(self.values) != len(self.times):
                raise ValueError(f"{len(self.values)} values for {len(self.times)} times")
            if self.values is not None and not 0 <= min(self.values) <= max(self.values) <= MOST:
                raise ValueError(f"values must be 0 to {MOST:g} USD")
            self._sort(self.times)
        elif self.values is not None:
            raise ValueError("values are listed beside times; of a file only sizes are read")
        return self

    def _sort(self, times: tuple[float, ...]) -> None:
        """Put listed times in order, and the sizes with them, as the rows of a file are."""
        order = sorted(range(len(times)), key=times.__getitem__)
        for name in ("times", "input_tokens", "output_tokens", "values"):
            listed = self.__dict__[name]
            if listed is not None:
                self.__dict__[name] = tuple(listed[i] for i in order)

    @property
    def mean_rate(self) -> float:
        """Arrivals per second over the listed times; NaN while a file has not been read."""
        if self.times is None:
            return math.nan
        span = self.times[-1] - self.times[0]
        return len(self.times) / span if span > 0 else math.nan

    def path(self, base: Path) -> Path:
        """Return where the file is, relative paths taken from `base`."""
        return base / (self.file or "")


Arrivals = Annotated[
    Poisson | MMPP | Diurnal | Batch | Closed | Replay, Field(discriminator="kind")
]
