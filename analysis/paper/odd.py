"""A scenario described by the ODD protocol of Grimm et al. (2020), as Markdown.

What the model does is told by the documentation of the code that does it, of the parts that the
scenario uses; what it is set to, by the schema. So neither can be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...agents import catalogue
from ...market.schema.arrivals import Replay
from ...market.schema.demand import TaskClass
from ...market.schema.market import Market, Platform
from ...market.schema.supply import Seller
from ...scenarios.compare import METRICS
from ...scenarios.schema import entry_at
from .parameters import HEAD, parameters
from .parts import Part, literature, parts_of
from .prose import Work, inline, markdown

PROTOCOL = Work(
    "Grimm, V., Railsback, S. F., Vincenot, C. E. et al.", "2020",
    "The ODD protocol for describing agent-based and other simulation models: a second update to "
    "improve clarity, replication, and structural realism",
    "Journal of Artificial Societies and Social Simulation 23(2), 7",
)  # fmt: skip
CONCEPTS = (
    "Basic principles", "Emergence", "Adaptation", "Objectives", "Learning", "Prediction",
    "Sensing", "Interaction", "Stochasticity", "Collectives", "Observation",
)  # fmt: skip
_GROUPS = {
    "demand": "Demand", "choice": "Choice", "mechanism": "Mechanism", "service": "Service",
    "contracts": "Contracts", "events": "Events", "pricing": "Pricing", "money": "Money",
    "randomness": "Random numbers", "observation": "Measurement",
}  # fmt: skip


_WHOLE = 1_000_000
"""Letters of a cell: all, however many sellers there are."""


def odd(market: Market, *, command: str = "", version: str = "") -> str:
    """Return the description of a market in the seven elements of the protocol.

    Args:
        market: the market.
        command: what printed it.
        version: of walras.

    Example:
        >>> from ...scenarios.load import load
        >>> odd(load("mm1")).splitlines()[0]
        '# mm1: description by the ODD protocol'
    """
    parts = parts_of(market)
    texts = [_head(market, command, version), _purpose(market), _entities(market),
             _process(market, parts), _concepts(market, parts), _initialization(market),
             _input(market), _submodels(market, parts), _references(market)]  # fmt: skip
    return "\n\n".join(texts) + "\n"


def _head(market: Market, command: str, version: str) -> str:
    made = f" by `{inline(command)}`" if command else ""
    of = f" of walras {version}" if version else ""
    return (
        f"# {inline(market.name)}: description by the ODD protocol\n\n"
        f"In the form of Grimm et al. (2020), written{made}{of} from the scenario and the "
        "documentation of the code that simulates it."
    )


def _purpose(market: Market) -> str:
    asked = inline(market.question) if market.question else "The scenario states no question."
    measured = ", ".join(m.replace("_", " ") for m in METRICS)
    return (
        f"## 1 Purpose and patterns\n\n{asked}\n\n"
        f"What is looked at: {measured}, by task class and offer. The model is judged by patterns "
        "that are known: its tests hold queues, choices, auctions and negotiations against closed "
        "forms and exact solutions."
    )


def _entities(market: Market) -> str:
    rows = [
        ("task class", len(market.tasks), [t.name for t in market.tasks], TaskClass,
         "of each task: time, tokens, value, deadline, difficulty, where it is, what it paid"),
        ("seller", len(market.sellers), [s.name for s in market.sellers], Seller,
         "price, whether it is open, slots, tasks in service and waiting, money"),
        ("platform", 1, ["platform"], Platform, "ranking of offers, ratings, money"),
    ]  # fmt: skip
    table = _table(("entity", "number", "names", "what it is", "what changes"), [
        (what, str(n), inline(", ".join(names), _WHOLE), _opening(of), state)
        for what, n, names, of, state in rows
    ])  # fmt: skip
    run = market.run
    return (
        f"## 2 Entities, state variables and scales\n\n{table}\n\n"
        f"Time is continuous, in seconds: {run.until:g} s are simulated, of which the first "
        f"{run.warmup:g} s are left out of means; records are kept each {market.epoch:g} s. Work "
        "is in tokens, money in USD, settled in whole nano-dollars. There is no space: who meets "
        "whom is decided by choice and by the mechanism."
    )


def _process(market: Market, parts: Sequence[Part]) -> str:
    repricing = [f"{s.name} each {s.reprice_every:g} s" for s in market.sellers
                 if s.pricing is not None]  # fmt: skip
    told = [
        f"Prices are decided anew: {inline(', '.join(repricing))}." if repricing
        else "No seller changes its price by a strategy.",
        f"{len(market.events)} events happen at set times." if market.events
        else "Nothing happens at set times.",
    ]  # fmt: skip
    return _join(["## 3 Process overview and scheduling", *_texts(parts, "scheduling"), *told])


# --- design concepts -----------------------------------------------------------------------------


def _concepts(market: Market, parts: Sequence[Part]) -> str:
    told = (
        _principles(parts), _emergence(market), _adaptation(market, parts), _objectives(market),
        _learning(market, parts), _prediction(parts), _sensing(market), _interaction(market),
        _stochasticity(market), _collectives(market), _observation(market),
    )  # fmt: skip
    each = [f"### {name}\n\n{text}" for name, text in zip(CONCEPTS, told, strict=True)]
    return _join(["## 4 Design concepts", *each])


def _principles(parts: Sequence[Part]) -> str:
    return _join(_first(part) for part in parts if part.group in ("mechanism", "choice"))


def _emergence(market: Market) -> str:
    priced = any(s.pricing is not None for s in market.sellers)
    prices = ", and prices with them" if priced else "; posted prices are given"
    return f"Who serves what, delays, profits and welfare follow from choices and queues{prices}."


def _adaptation(market: Market, parts: Sequence[Part]) -> str:
    found = [f"{part.title}: {_first(part)}" for part in parts if part.group == "pricing"]
    who = ["Buyers adapt to what they expect of each offer when their task comes."]
    return _join([*who, *(found or ["Sellers do not adapt their prices."])])


def _objectives(market: Market) -> str:
    rules = sorted({getattr(t.choice, "kind", "a Python function") for t in market.tasks})
    without = [t.name for t in market.tasks if t.outside_option]
    outside = f" Doing without is possible in {inline(', '.join(without))}." if without else ""
    return (
        "A buyer's objective is expected utility: the worth of a right answer in time, less the "
        f"loss from a wrong one, the cost of delay and the price; rule of choice: "
        f"{', '.join(rules)}.{outside} A seller's is what its strategy says."
    )


def _learning(market: Market, parts: Sequence[Part]) -> str:
    told = []
    if market.quotes.latency == "average":
        told.append(f"Buyers learn delays from past answers (memory {market.quotes.memory:g} s).")
    if market.quotes.accuracy == "rated":
        told.append("Buyers learn accuracies from the ratings of past buyers.")
    told += [_first(p) for p in parts if p.group == "contracts"]
    return _join(told or ["Buyers do not learn; what sellers learn is part of their strategies."])


def _prediction(parts: Sequence[Part]) -> str:
    return _join(_first(part) for part in parts if part.title == "what buyers expect")


def _sensing(market: Market) -> str:
    lines = [f"- {name}: {value}. {_doc('quotes', name)}."
             for name, value in (("price", market.quotes.price), ("latency", market.quotes.latency),
                                 ("accuracy", market.quotes.accuracy))]  # fmt: skip
    few = [f"{t.name} {t.consideration}" for t in market.tasks if t.consideration is not None]
    seen = f"Some consider only so many offers: {inline(', '.join(few))}." if few else (
        "Every buyer sees all offers of its skill.")  # fmt: skip
    return _join(["What buyers know of an offer:\n\n" + "\n".join(lines), seen])


def _interaction(market: Market) -> str:
    kind = getattr(market.mechanism, "kind", "a Python function")
    queues = any(s.slots < float("inf") for s in market.sellers)
    waits = (" Tasks at one seller wait for each other and share its speed." if queues
             else " Nobody waits for a slot.")  # fmt: skip
    return f"Buyers and sellers meet by the mechanism `{kind}`.{waits}"


def _stochasticity(market: Market) -> str:
    kinds = sorted({str(t.arrivals.kind) for t in market.tasks})
    return (
        f"Arrivals ({', '.join(kinds)}), sizes, values, deadlines, difficulty, tastes and whether "
        "an answer is right are drawn; each draw is a hash of the seed and of what it is for "
        "(section 7), so that two scenarios meet the same demand."
    )


def _collectives(market: Market) -> str:
    owners: dict[str, list[str]] = {}
    for seller in market.sellers:
        owners.setdefault(seller.owned_by, []).append(seller.name)
    several = [f"{o} ({', '.join(names)})" for o, names in owners.items() if len(names) > 1]
    return f"Owners of several sellers: {inline('; '.join(several))}." if several else "None."


def _observation(market: Market) -> str:
    return (
        f"Counts, times and money of each task class and offer are recorded each {market.epoch:g} "
        "s; means come with standard errors (section 7)."
    )


# --- details -------------------------------------------------------------------------------------


def _initialization(market: Market) -> str:
    late = [f"{s.name} at {s.enters:g} s" for s in market.sellers if s.enters > 0]
    told = f" Later come: {inline(', '.join(late))}." if late else ""
    return (
        "## 5 Initialization\n\nAt time 0 nobody is in the market, sellers are open and post the "
        f"prices of the scenario.{told} It is the same in every replication; streams differ."
    )


def _input(market: Market) -> str:
    lines = []
    for task in market.tasks:
        if isinstance(task.arrivals, Replay):
            what = task.arrivals.file or "times in the scenario"
            origin = f", from {task.arrivals.get_from}" if task.arrivals.get_from else ""
            lines.append(f"- Arrivals of {inline(task.name)}: {inline(what + origin)}.")
    if market.catalogue in catalogue.catalogues():
        lines.append(f"- Sellers: catalogue {market.catalogue}, each figure with its source "
                     "(`walras explain MODEL.FIGURE`).")  # fmt: skip
    return "## 6 Input data\n\n" + ("\n".join(lines) or "None: nothing is read during a run.")


def _submodels(market: Market, parts: Sequence[Part]) -> str:
    told = ["## 7 Submodels", "### Parameters"]
    for name, rows in parameters(market).items():
        cells = [(place, inline(value, _WHOLE), *said) for place, value, *said in rows]
        told += [f"#### {name}", _table(HEAD, cells)]
    for group, title in _GROUPS.items():
        held = [part for part in parts if part.group == group]
        if held:
            told.append(f"### {title}")
            told += [_join([f"#### {inline(part.title)}", *_texts([part], group)]) for part in held]
    return _join(told)


def _references(market: Market) -> str:
    works = sorted([PROTOCOL, *literature(market)], key=lambda w: w.key)
    return "## References\n\n" + "\n".join(f"- {work.cited}" for work in works)


def _texts(parts: Iterable[Part], group: str) -> Iterator[str]:
    for part in parts:
        if part.group == group:
            for of in part.of:
                yield markdown(of) or f"`{part.title}` is a Python function without documentation."


def _first(part: Part) -> str:
    return _opening(part.of[0])


def _opening(of: object) -> str:
    """Return the first paragraph of what is documented, on one line."""
    return markdown(of).split("\n\n")[0].replace("\n", " ")


def _doc(*path: str) -> str:
    entry = entry_at(path)
    return f"{entry.doc[:1].upper()}{entry.doc[1:]}" if entry is not None else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)
